// Change detection: control charts of returns, of their size and of volume, and one half of a window against the other.
#include <algorithm>

#include "features/families.hpp"
#include "features/returns.hpp"

namespace smartcore {
namespace {

constexpr double kMost = 8;  // after a standstill the first move is no 1e9-sigma event
inline double within(double x) noexcept { return not_below(not_above(x, kMost), -kMost); }

// ---- charts of standardised values: they never forget by themselves, but fade, or start again at an alarm ----

// The return in deviations that were forecast for it: r / sqrt(EMA r^2 of the bars before), 8 at most.
struct Standard {
    Standard(Graph& g, double n) : r(g.part<LogReturn>()), square(g.part<Ema<SquaredReturn>>(n)) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r), z = x / std::sqrt(forecast);
        out[0] = known(forecast) ? (x != 0 ? within(z) : 0) : kNaN;
        forecast = in(square).value;
    }
    Ref<LogReturn> r;
    Ref<Ema<SquaredReturn>> square;
    double forecast = kNaN;
};

// What has gone up, and what has gone down, by more than is usual; from 0 again once it is beyond the limit.
struct Page {
    void push(double x, double usual, double limit) noexcept {
        up = not_below(up + x - usual, 0);
        down = not_below(down - x - usual, 0);
        ++age;
        if (up > limit) up = 0, age = 0;
        if (down > limit) down = 0, age = 0;
    }
    double up = 0, down = 0;
    std::int64_t age = 0;
};

struct Cusum {
    static constexpr double kUsual = 0.5, kLimit = 5;
    static constexpr Meta meta{
        .name = "cusum", .doc = "Page's cumulative sums of log returns over their EWMA deviation (8 deviations at most): drifts that add up. They start again at 0 when beyond 5.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"up", "max(0, sum + z - 0.5)", "deviations", 0, kLimit}, {"down", "max(0, sum - z - 0.5)", "deviations", 0, kLimit},
                    {"age", "bars since either was last beyond 5, or since the beginning, at most 10 windows", "bars", 0}},
        .defaults = {{20}, {100}}, .source = "Page 1954"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    Cusum(Graph& g, Params p) : z(g.part<Standard>(p[0])), oldest(10 * p[0]) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(z);
        if (!known(x)) return;
        sums.push(x, kUsual, kLimit);
        out[0] = sums.up, out[1] = sums.down, out[2] = not_above(static_cast<double>(sums.age), oldest);
    }
    Ref<Standard> z;
    Page sums;
    double oldest;
};

struct PageHinkley {
    static constexpr double kUsual = 0.25, kLimit = 10;
    static constexpr Meta meta{
        .name = "page_hinkley", .doc = "Page-Hinkley test of volatility: moves larger, or smaller, than their EWMA mean, in EWMA deviations, add up. The sums start again at 0 when beyond 10.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"up", "max(0, sum + |z| - mean |z| before - 0.25)", "deviations", 0, kLimit},
                    {"down", "max(0, sum - |z| + mean |z| before - 0.25)", "deviations", 0, kLimit}},
        .defaults = {{20}, {100}}, .source = "Hinkley 1971; Gama et al. 2014"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) + 2; }
    PageHinkley(Graph& g, Params p) : z(g.part<Standard>(p[0])), mean(Smooth::ema(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = std::fabs(in(z));
        if (!known(x)) return;
        if (mean.ready()) {
            sums.push(mean.below(x), kUsual, kLimit);
            out[0] = sums.up, out[1] = sums.down;
        }
        mean.push(x);
    }
    Ref<Standard> z;
    Smooth mean;
    Page sums;
};

struct VolumeCusum {
    static constexpr double kUsual = 0.25, kLimit = 10;
    static constexpr Meta meta{
        .name = "volume_cusum", .doc = "Page's cumulative sums of volume over its EWMA mean (9 times that at most): interest that comes, or goes. They start again at 0 when beyond 10.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"up", "max(0, sum + volume / mean before - 1.25)", "number", 0, kLimit}, {"down", "max(0, sum - volume / mean before + 0.75)", "number", 0, kLimit}},
        .defaults = {{20}, {100}}, .source = "Page 1954"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    VolumeCusum(Graph& g, Params p) : mean(g.part<Ema<Volume>>(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double usual = std::exchange(before, in(mean).value);
        if (!known(usual)) return;
        sums.push(b.volume > 0 ? within(b.volume / usual - 1) : -1, kUsual, kLimit);
        out[0] = sums.up, out[1] = sums.down;
    }
    Ref<Ema<Volume>> mean;
    double before = kNaN;
    Page sums;
};

struct EwmaChart {
    static constexpr Meta meta{
        .name = "ewma_chart", .doc = "EWMA control chart: fast average of log returns over their slow EWMA deviation (8 at most), in its own deviations.",
        .params = {{"fast", 2, 10'000}, {"slow", 2, 10'000}},
        .outputs = {{"", "EMA over `fast` of r / sqrt(EMA r^2 over `slow` before) / sqrt(a / (2 - a)), a = 2 / (fast + 1)", "deviations"}},
        .defaults = {{5, 20}, {20, 100}}, .source = "Roberts 1959"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) + 1; }
    EwmaChart(Graph& g, Params p) : z(g.part<Standard>(p[1])), mean(Smooth::ema(p[0])), scale(std::sqrt((2 - mean.alpha) / mean.alpha)) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(z);
        if (!known(x)) return;
        mean.push(x);
        if (mean.ready()) out[0] = scale * mean.level;
    }
    Ref<Standard> z;
    Smooth mean;
    double scale;
};

struct ShiryaevRoberts {
    static constexpr double kShift = 0.5, kLimit = 1000;
    static constexpr Meta meta{
        .name = "shiryaev_roberts", .doc = "Shiryaev-Roberts statistic of a drift of half a deviation, up and down, in log returns over their EWMA deviation (8 at most). It starts again at 0 when beyond 1000.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"up", "ln(1 + R), R = (1 + R) exp(z / 2 - 1 / 8)", "log", 0, 6.91}, {"down", "ln(1 + R), R = (1 + R) exp(-z / 2 - 1 / 8)", "log", 0, 6.91}},
        .defaults = {{100}}, .source = "Shiryaev 1963; Roberts 1966"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    ShiryaevRoberts(Graph& g, Params p) : z(g.part<Standard>(p[0])), same(std::exp(-kShift * kShift)) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(z);
        if (!known(x)) return;
        const double likely = std::exp(kShift * x - 0.5 * kShift * kShift);
        up = (1 + up) * likely, down = (1 + down) * (same / likely);
        up = up > kLimit ? 0 : up, down = down > kLimit ? 0 : down;
        out[0] = std::log(1 + up), out[1] = std::log(1 + down);
    }
    Ref<Standard> z;
    double same, up = 0, down = 0;
};

// ---- the newer half of a window against the older ----

// What a part tells now, and what it told n bars ago.
template <class P, std::uint32_t Numbers>
struct Halves {
    Halves(Graph& g, double n) : half(g.part<P>(n)), told(g.arena().array<double>(Numbers * count_of(n))), n(count_of(n)) {
        for (std::uint32_t i = 0; i < Numbers * count_of(n); ++i) g.arena().memory()[told][i] = kNaN;
    }
    // Of the bars before; remembers what is told now.
    void before(In in, double (&old)[Numbers]) noexcept {
        double* slot = in.memory[told] + std::size_t{Numbers} * at;
        for (std::uint32_t i = 0; i < Numbers; ++i) old[i] = std::exchange(slot[i], in.lane(half.lane + i));
        if (++at == n) at = 0;
    }
    Ref<P> half;
    Array<double> told;
    std::uint32_t n, at = 0;
    [[maybe_unused]] std::uint32_t unused = 0;
};

// Both moments of the newer and of the older half of the last 2n returns.
struct ReturnHalves {
    struct Told {
        double mean, m2, old_mean, old_m2;
    };
    ReturnHalves(Graph& g, double n) : halves(g, n) {}
    void update(const Bar&, In in, Out out) noexcept {
        const Moments2 now = in(halves.half);
        double old[3];
        halves.before(in, old);
        out[0] = now.mean, out[1] = now.m2, out[2] = old[0], out[3] = old[2];
    }
    Halves<Window<LogReturn, Moments2>, 3> halves;
};

constexpr Param kHalf{"half", 2, 10'000};

struct MeanShift {
    static constexpr Meta meta{
        .name = "mean_shift", .doc = "Whether the drift has changed: t-statistic of the mean log return of the newer half of the window against the older.",
        .params = {kHalf},
        .outputs = {{"", "(newer mean - older mean) / sqrt((newer + older sample variance) / half); unknown when both are flat", "deviations"}},
        .defaults = {{20}, {100}}, .source = "Welch 1947"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) + 1; }
    MeanShift(Graph& g, Params p) : scale(p[0] * (p[0] - 1)), halves(g.part<ReturnHalves>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto h = in(halves);
        const double all = h.m2 + h.old_m2;
        out[0] = all > 0 ? (h.mean - h.old_mean) / std::sqrt(all / scale) : kNaN;
    }
    double scale;
    Ref<ReturnHalves> halves;
};

struct VarianceShift {
    static constexpr Meta meta{
        .name = "variance_shift", .doc = "Whether volatility has changed: variances of log returns of the newer half of the window and the older. F = (1 + x) / (1 - x).",
        .params = {kHalf}, .outputs = {{"", "(newer - older) / (newer + older variance); unknown when both are flat", "-1..1", -1, 1}},
        .defaults = {{20}, {100}}, .source = "Snedecor 1934"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) + 1; }
    VarianceShift(Graph& g, Params p) : halves(g.part<ReturnHalves>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto h = in(halves);
        out[0] = ratio(h.m2 - h.old_m2, h.m2 + h.old_m2);
    }
    Ref<ReturnHalves> halves;
};

struct VolumeShift {
    static constexpr Meta meta{
        .name = "volume_shift", .doc = "Whether trading has become busier: volume of the newer half of the window against the older.", .params = {kHalf},
        .outputs = {{"", "(newer - older) / (newer + older volume); unknown without volume", "-1..1", -1, 1}}, .defaults = {{20}, {100}},
        .source = "Gervais, Kaniel, Mingelgrin 2001"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]); }
    VolumeShift(Graph& g, Params p) : halves(g, p[0]) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double now = in(halves.half).sum;
        double old[1];
        halves.before(in, old);
        out[0] = ratio(now - old[0], now + old[0]);
    }
    Halves<Window<Volume, Sum>, 1> halves;
};

// How often a value of the newer half is above one of the older: Mann and Whitney's U as a share of all pairs, ties half.
// Pairs are counted in whole numbers, so what has left the window leaves nothing behind. A bar changes those of three
// values: of the one that leaves the older half, of the one that moves into it, and of the newest.
struct Whitney {
    explicit Whitney(double h) : h(count_of(h)), pairs(2 * h * h) {}
    static std::int64_t wins(double newer, double older) noexcept { return (newer > older) + (newer >= older); }  // ties 1, above 2
    // known: how many values there are, the first ones left out that are none.
    double push(const History::View& past, std::uint64_t known) noexcept {
        const double* newest = past.newest;
        if (known > 2 * std::uint64_t{h}) {
            const double gone = past.ago(2 * h), moved = past.ago(h);
            const std::int64_t m = 2 * (std::int64_t{h} - 1);  // twice those that stay in either half
            const Both older = twice_below(newest + 1 - 2 * h, h - 1, moved, *newest);
            const Both newer = twice_below(newest + 1 - h, h - 1, gone, moved);
            score -= wins(moved, gone) + (m - newer.x) + older.x;
            score += wins(*newest, moved) + (m - newer.y) + older.y;
        } else if (known == 2 * std::uint64_t{h}) {
            score = 0;
            for (std::uint32_t i = 0; i < h; ++i) score += twice_below(newest + 1 - 2 * h, h, past.ago(i));
        } else {
            return kNaN;
        }
        return static_cast<double>(score) / pairs;
    }
    std::uint32_t h, unused = 0;
    double pairs;
    std::int64_t score = 0;
};

constexpr Param kRanked{"half", 2, 1'000};  // the first window is counted whole

struct ReturnWhitney {
    static constexpr Meta meta{
        .name = "return_mann_whitney", .doc = "Whether returns have shifted, by ranks: how often one of the newer half of the window is above one of the older.",
        .params = {kRanked}, .outputs = {{"", "share of pairs in which the newer log return is above the older, ties half", "0..1", 0, 1}},
        .defaults = {{20}, {50}}, .source = "Mann and Whitney 1947"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) + 1; }
    ReturnWhitney(Graph& g, Params p) : values(kept<LogReturn>(g, 2 * p[0] + 1)), u(p[0]) {}
    void update(const Bar&, In in, Out out) noexcept {
        const auto past = in.past(values);
        out[0] = u.push(past, past.count - 1);
    }
    Ref<Kept<LogReturn>> values;
    Whitney u;
};
struct MoveWhitney {
    static constexpr Meta meta{
        .name = "move_mann_whitney", .doc = "Whether moves have grown, by ranks: how often one of the newer half of the window is larger than one of the older.",
        .params = {kRanked}, .outputs = {{"", "share of pairs in which the newer |log return| is above the older, ties half", "0..1", 0, 1}},
        .defaults = {{50}}, .source = "Mann and Whitney 1947"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) + 1; }
    MoveWhitney(Graph& g, Params p) : values(kept<MoveSize>(g, 2 * p[0] + 1)), u(p[0]) {}
    void update(const Bar&, In in, Out out) noexcept {
        const auto past = in.past(values);
        out[0] = u.push(past, past.count - 1);
    }
    Ref<Kept<MoveSize>> values;
    Whitney u;
};
struct VolumeWhitney {
    static constexpr Meta meta{
        .name = "volume_mann_whitney", .doc = "Whether bars have become busier, by ranks: how often one of the newer half of the window has more volume than one of the older.",
        .params = {kRanked}, .outputs = {{"", "share of pairs in which the newer volume is above the older, ties half", "0..1", 0, 1}},
        .defaults = {{50}}, .source = "Mann and Whitney 1947"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]); }
    VolumeWhitney(Graph& g, Params p) : values(past<Volume>(g, 2 * p[0] + 1)), u(p[0]) {}
    void update(const Bar&, In in, Out out) noexcept {
        const auto past = in.past(values);
        out[0] = u.push(past, past.count);
    }
    Ref<Past<Volume>> values;
    Whitney u;
};

// ---- a change at any place of the window ----

struct MeanBreak {
    static constexpr Meta meta{
        .name = "mean_break", .doc = "Whether the drift changed anywhere in the window: largest statistic of a split of the changes of the close in two.",
        .params = {{"window", 2, 1'000}},
        .outputs = {{"", "max over k of |sum of the first k changes - k/n of all| / (deviation sqrt(k (n - k) / n)); unknown when flat or straight", "deviations", 0}},
        .defaults = {{100}}, .source = "Worsley 1979; Siegmund and Venkatraman 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    MeanBreak(Graph& g, Params p) : path(g.part<CloseBridge>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(path).most; }
    Ref<CloseBridge> path;
};

struct VarianceBreak {
    static constexpr std::uint32_t kBlocks = 20;
    static constexpr Meta meta{
        .name = "variance_break", .doc = "Whether the variance changed anywhere in the window: cumulative sum of squares against a straight line, on a grid of twenty blocks of bars.",
        .params = {{"window", 20, 10'000}},
        .outputs = {{"", "max over j < 20 of |sum r^2 of the first j blocks / all - j / 20| sqrt(n / 2), n = 20 blocks of window / 20 bars; unknown when flat", "number", 0}},
        .defaults = {{100}}, .source = "Inclan and Tiao 1994"};
    static int warmup(Params p) { return static_cast<int>(kBlocks * (count_of(p[0]) / kBlocks)) + 1; }
    VarianceBreak(Graph& g, Params p)
        : block(count_of(p[0]) / kBlocks), root(std::sqrt(0.5 * kBlocks * block)), sum(g.part<Window<SquaredReturn, Sum>>(block)),
          sums(g.arena(), kBlocks * block) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double s = in(sum).sum;
        if (!known(s)) return;
        sums.push(in, s);
        const auto past = sums.view(in);
        if (!past.has((kBlocks - 1) * std::uint64_t{block} + 1)) return;
        double path[kBlocks], all = 0, most = 0;
        for (std::uint32_t j = 0; j < kBlocks; ++j) path[j] = all += past.ago((kBlocks - 1 - j) * block);
        const double inverse = 1 / all;
        for (std::uint32_t j = 0; j + 1 < kBlocks; ++j) most = not_below(std::fabs(path[j] * inverse - (j + 1) * (1.0 / kBlocks)), most);
        out[0] = all > 0 ? root * most : kNaN;
    }
    std::uint32_t block, unused = 0;
    double root;
    Ref<Window<SquaredReturn, Sum>> sum;
    History sums;
};

constexpr Kind kinds[] = {kind<Cusum>, kind<PageHinkley>, kind<VolumeCusum>, kind<EwmaChart>, kind<ShiryaevRoberts>, kind<MeanShift>,
                          kind<VarianceShift>, kind<VolumeShift>, kind<ReturnWhitney>, kind<MoveWhitney>, kind<VolumeWhitney>,
                          kind<MeanBreak>, kind<VarianceBreak>};
}  // namespace

const Family change{"change", "statistical", kinds};

}  // namespace smartcore
