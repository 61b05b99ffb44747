// The distribution of returns, and of volume and range: location, shape, tails, ranks, entropy.
#include <cstring>

#include "features/families.hpp"
#include "features/returns.hpp"

namespace smartcore {
namespace {

// ---- returns in order of size ----

// Of the last n returns, sorted once for all that read them: quantiles and sums that they ask for.
struct Order {
    static constexpr std::uint32_t kMost = 12;
    struct Told {
        double quantile[kMost], middle, l2, l3, l4, tail;
    };
    Order(Graph& g, double n, double) : r(g.part<LogReturn>()), values(g.arena(), count_of(n)), n(count_of(n)) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        if (!known(x)) return;
        values.push(in, x);
        if (!values.full()) return;
        const double* v = values.ordered(in);
        for (std::uint32_t i = 0; i < kMost; ++i)
            if (i < wanted) out[i] = v[below[i]] + part[i] * (v[below[i] + 1] - v[below[i]]);
        if (middle) out[kMost] = sum_of(v + n / 4, n - 2 * (n / 4)) / (n - 2 * (n / 4));
        if (weighted) {
            const Three l = weighted_sums(v, n, in.memory[weights]);
            const bool flat = v[0] == v[n - 1];
            out[kMost + 1] = flat ? 0 : l.a, out[kMost + 2] = l.b, out[kMost + 3] = l.c;
        }
        if (tail) out[kMost + 4] = mean_log_excess(v, n, tail);
    }
    // Hill's estimate: mean of ln(|x| / t) over the k largest |x|, t being the next smaller one. They lie at both ends, some
    // i of them at the lower: the j-th is -v[j] for j < i, where it is larger than its counterpart, and that one from i on.
    static double mean_log_excess(const double* v, std::uint32_t n, std::uint32_t k) noexcept {
        const double* top = v + (n - k);
        std::uint32_t i = 0;
        for (std::uint32_t j = 0; j < k; ++j) i += -v[j] > top[j];
        const double least = not_below(-v[i], v[n - 1 - (k - i)]);  // the next one on either side
        double sum = 0;
        for (std::uint32_t j = 0; j < k;) {  // one logarithm for sixteen: returns are between 1e-16 and 1e3
            const std::uint32_t end = j + 16 < k ? j + 16 : k;
            double a = 1, b = 1, c = 1, d = 1, power = 1;
            for (; j + 4 <= end; j += 4) {
                a *= not_below(-v[j], top[j]), b *= not_below(-v[j + 1], top[j + 1]);
                c *= not_below(-v[j + 2], top[j + 2]), d *= not_below(-v[j + 3], top[j + 3]);
                power *= (least * least) * (least * least);
            }
            for (; j < end; ++j) a *= not_below(-v[j], top[j]), power *= least;
            sum += std::log((a * b) * (c * d) / power);
        }
        return least > 0 ? sum / k : kNaN;
    }
    // Weights of the sample L-moments (Hosking 1990): shifted Legendre polynomials of the unbiased probability weights.
    void weigh(Arena& arena) {
        if (weighted) return;
        weighted = true;
        weights = arena.array<double>(3 * std::size_t{n});
        double* w = arena.memory()[weights];
        for (std::uint32_t j = 0; j < n; ++j) {
            const double p1 = j / (n - 1.0), p2 = p1 * (j - 1.0) / (n - 2.0), p3 = p2 * (j - 2.0) / (n - 3.0);
            w[j] = (2 * p1 - 1) / n;
            w[n + j] = (6 * p2 - 6 * p1 + 1) / n;
            w[2 * n + j] = (20 * p3 - 30 * p2 + 12 * p1 - 1) / n;
        }
    }
    Ref<LogReturn> r;
    Sorted values;
    double part[kMost] = {};
    std::uint32_t below[kMost] = {};
    Array<double> weights{};
    std::uint32_t n, wanted = 0, weighted = false, middle = false, tail = 0;  // tail: how many of the largest
};
// The lane of a quantile, q in per cent, by linear interpolation.
std::uint32_t order_quantile(Graph& g, double n, double q) {
    const double at = q / 100 * (n - 1), most = n - 2;  // the largest is the end of the last step
    const auto below = static_cast<std::uint32_t>(at < most ? at : most);
    for (double more = 0;; ++more) {
        const auto p = g.part<Order>(n, more);
        Order& order = g[p];
        for (std::uint32_t i = 0; i < order.kMost; ++i) {
            if (i == order.wanted) order.below[i] = below, order.part[i] = at - below, ++order.wanted;
            if (order.below[i] == below && order.part[i] == at - below) return p.lane + i;
        }
    }
}

struct QuantileSkew {
    static constexpr Meta meta{
        .name = "quantile_skew", .doc = "Skewness of log returns by quantiles; with 25 per cent Bowley's, with 5 of the tails.",
        .params = {{"window", 4, 10'000}, {"percent", 0.01, 49.99}},
        .outputs = {{"", "(upper + lower - 2 median) / (upper - lower), quantiles at `percent` and 100 - `percent`; unknown when those are equal", "-1..1", -1, 1}},
        .defaults = {{50, 25}, {100, 25}, {100, 5}}, .source = "Hinkley 1975; Bowley 1920"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    QuantileSkew(Graph& g, Params p)
        : low(order_quantile(g, p[0], p[1])), middle(order_quantile(g, p[0], 50)), high(order_quantile(g, p[0], 100 - p[1])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double up = in.lane(high) - in.lane(middle), down = in.lane(middle) - in.lane(low);
        out[0] = (up - down) / (up + down);
    }
    std::uint32_t low, middle, high;
};

struct Moors {
    static constexpr Meta meta{
        .name = "moors_kurtosis", .doc = "Kurtosis of log returns by octiles: how much of the outer halves lies far out.",
        .params = {{"window", 8, 10'000}},
        .outputs = {{"", "((e7 - e5) + (e3 - e1)) / (e6 - e2) - 1.233, which a normal has; unknown when the quartiles are equal", "number", -1.234}},
        .defaults = {{50}, {100}}, .source = "Moors 1988"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Moors(Graph& g, Params p) {
        constexpr double octiles[] = {12.5, 25, 37.5, 62.5, 75, 87.5};
        for (int i = 0; i < 6; ++i) e[i] = order_quantile(g, p[0], octiles[i]);
    }
    void update(const Bar&, In in, Out out) const noexcept {
        const double outer = (in.lane(e[5]) - in.lane(e[3])) + (in.lane(e[2]) - in.lane(e[0])), inner = in.lane(e[4]) - in.lane(e[1]);
        out[0] = inner > 0 ? outer / inner - 1.233 : kNaN;
    }
    std::uint32_t e[6];
};

struct CrowSiddiqui {
    static constexpr Meta meta{
        .name = "crow_siddiqui", .doc = "Weight of the tails of log returns: their spread over the spread of the middle half.",
        .params = {{"window", 8, 10'000}},
        .outputs = {{"", "(q97.5 - q2.5) / (q75 - q25) - 2.906, which a normal has; unknown when the quartiles are equal", "number", -2}},
        .defaults = {{100}}, .source = "Crow and Siddiqui 1967"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    CrowSiddiqui(Graph& g, Params p)
        : low(order_quantile(g, p[0], 2.5)), q25(order_quantile(g, p[0], 25)), q75(order_quantile(g, p[0], 75)), high(order_quantile(g, p[0], 97.5)) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double outer = in.lane(high) - in.lane(low), inner = in.lane(q75) - in.lane(q25);
        out[0] = inner > 0 ? outer / inner - 2.906 : kNaN;
    }
    std::uint32_t low, q25, q75, high;
};

struct LMoments {
    static constexpr Meta meta{
        .name = "l_moments", .doc = "L-skewness and L-kurtosis of log returns, which one outlier moves little.", .params = {{"window", 4, 1'000}},
        .outputs = {{"skew", "l3 / l2; unknown when flat", "number"}, {"kurtosis", "l4 / l2, 0.1226 for a normal; unknown when flat", "number"}},
        .defaults = {{100}}, .source = "Hosking 1990"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    LMoments(Graph& g, Params p) : order(g.part<Order>(p[0], 0.0)) { g[order].weigh(g.arena()); }
    void update(const Bar&, In in, Out out) const noexcept {
        const auto o = in(order);
        out[0] = o.l2 > 0 ? o.l3 / o.l2 : kNaN;
        out[1] = o.l2 > 0 ? o.l4 / o.l2 : kNaN;
    }
    Ref<Order> order;
};

struct TailIndex {
    static constexpr Meta meta{
        .name = "tail_index", .doc = "Heaviness of the tails: Hill's estimate over the largest tenth of moves; 1/4 means finite moments up to the fourth.",
        .params = {{"window", 20, 10'000}},
        .outputs = {{"", "mean ln(|r| / next smaller) of the largest tenth of |log return|; unknown when the next one is 0", "number", 0}},
        .defaults = {{100}}, .source = "Hill 1975"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TailIndex(Graph& g, Params p) : order(g.part<Order>(p[0], 0.0)) { g[order].tail = count_of(p[0]) / 10; }
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(order).tail; }
    Ref<Order> order;
};

struct Midmean {
    static constexpr Meta meta{
        .name = "midmean", .doc = "Drift without outliers: mean of the middle half of log returns over their interquartile range.",
        .params = {{"window", 4, 10'000}},
        .outputs = {{"", "mean of r without the lowest and highest quarter / (q75 - q25); unknown when the quartiles are equal", "number"}},
        .defaults = {{50}, {100}}, .source = "Tukey 1977"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Midmean(Graph& g, Params p) : order(g.part<Order>(p[0], 0.0)), q25(order_quantile(g, p[0], 25)), q75(order_quantile(g, p[0], 75)) {
        g[order].middle = true;
    }
    void update(const Bar&, In in, Out out) const noexcept {
        const double spread = in.lane(q75) - in.lane(q25);
        out[0] = spread > 0 ? in(order).middle / spread : kNaN;
    }
    Ref<Order> order;
    std::uint32_t q25, q75;
};

struct InterquartileRatio {
    static constexpr Meta meta{
        .name = "interquartile_ratio", .doc = "Peakedness: interquartile range of log returns over what a normal of their deviation has.",
        .params = {{"window", 4, 10'000}}, .outputs = {{"", "(q75 - q25) / (1.349 deviation); unknown when flat", "ratio", 0}},
        .defaults = {{50}, {100}}, .source = "Horn 1983"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    InterquartileRatio(Graph& g, Params p)
        : n(p[0]), q25(order_quantile(g, p[0], 25)), q75(order_quantile(g, p[0], 75)), window(g.part<Window<LogReturn, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        out[0] = ratio(in.lane(q75) - in.lane(q25), 1.3489795003921634 * std::sqrt(in(window).m2 / n));
    }
    double n;
    std::uint32_t q25, q75;
    Ref<Window<LogReturn, Moments2>> window;
};

struct MedianSkew {
    static constexpr Meta meta{
        .name = "median_skew", .doc = "Mean less median of log returns, in deviations.", .params = {{"window", 4, 10'000}},
        .outputs = {{"", "(mean - median) / deviation (population); unknown when flat", "-1..1", -1, 1}}, .defaults = {{50}, {100}},
        .source = "Pearson 1895; Hotelling and Solomons 1932"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    MedianSkew(Graph& g, Params p) : n(p[0]), median(order_quantile(g, p[0], 50)), window(g.part<Window<LogReturn, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Moments2 m = in(window);
        out[0] = m.m2 > 0 ? not_below(not_above((m.mean - in.lane(median)) / std::sqrt(m.m2 / n), 1), -1) : kNaN;
    }
    double n;
    std::uint32_t median;
    Ref<Window<LogReturn, Moments2>> window;
};

struct RobustZ {
    static constexpr Meta meta{
        .name = "robust_zscore", .doc = "Close in median absolute deviations from its median.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "(close - median) / (1.4826 median |close - median|); unknown when that is 0", "number"}}, .defaults = {{20}, {100}},
        .source = "Iglewicz and Hoaglin 1993"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RobustZ(Graph& g, Params p) : closes(g.part<Quantiles<Close>>(p[0], 0.0)) { g[closes].robust = true; }
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(closes).robust / 1.4826022185056018; }
    Ref<Quantiles<Close>> closes;
};

// ---- location and moments ----

struct ReturnT {
    static constexpr Meta meta{
        .name = "return_t", .doc = "t-statistic of the mean log return: drift against noise.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean / (sample deviation / sqrt(n)); unknown when flat", "number"}}, .defaults = {{20}, {100}}, .source = "Student 1908"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    ReturnT(Graph& g, Params p) : scale(p[0] * (p[0] - 1)), window(g.part<Window<LogReturn, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Moments2 m = in(window);
        const double t = m.mean / std::sqrt(m.m2 / scale);
        out[0] = m.m2 > 0 ? t : kNaN;
    }
    double scale;
    Ref<Window<LogReturn, Moments2>> window;
};

struct JarqueBera {
    static constexpr Meta meta{
        .name = "jarque_bera", .doc = "How far log returns are from a normal distribution, by skewness and kurtosis together.",
        .params = {{"window", 4, 100'000}}, .outputs = {{"", "n / 6 (skew^2 + kurtosis^2 / 4); unknown when flat", "number", 0}},
        .defaults = {{50}, {200}}, .source = "Jarque and Bera 1980"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    JarqueBera(Graph& g, Params p) : n(p[0]), window(g.part<Window<LogReturn, Moments4>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Moments4 m = in(window);
        const double s = m.skewness(n), k = m.excess_kurtosis(n);
        out[0] = n / 6 * (s * s + 0.25 * k * k);
    }
    double n;
    Ref<Window<LogReturn, Moments4>> window;
};

// Numbers of rises and falls.
struct Sides {
    struct Told {
        double up, down;
    };
    explicit Sides(Graph& g) : r(g.part<LogReturn>()) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double x = in(r);
        out[0] = known(x) ? where(x > 0, 1) : x;
        out[1] = where(x < 0, 1);
    }
    static Sum2 aggregate(const Told& t) noexcept { return {t.up, t.down}; }
    Ref<LogReturn> r;
};

struct UpShare {
    static constexpr Meta meta{
        .name = "up_share", .doc = "Hit rate: share of rises among the bars that moved.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "rises / (rises + falls); 0.5 when there were none", "0..1", 0, 1}}, .defaults = {{10}, {50}},
        .source = "Granger and Pesaran 2000"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    UpShare(Graph& g, Params p) : sides(g.part<Window<Sides, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Sum2 s = in(sides);
        const double moved = s.first + s.second;
        out[0] = moved > 0 ? s.first / moved : moved + 0.5;
    }
    Ref<Window<Sides, Sum2>> sides;
};

struct ExtremeReturn {
    static constexpr Meta meta{
        .name = "extreme_return", .doc = "The largest rise and the largest fall among the last log returns, in typical moves.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"high", "highest r / sqrt(mean r^2); unknown when flat", "number"}, {"low", "lowest r / sqrt(mean r^2); unknown when flat", "number"}},
        .defaults = {{20}, {100}}, .source = "Bali, Cakici, Whitelaw 2011"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    ExtremeReturn(Graph& g, Params p)
        : n(p[0]), high(g.part<Window<LogReturn, Max>>(p[0])), low(g.part<Window<LogReturn, Min>>(p[0])), squares(g.part<Window<SquaredReturn, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double size = std::sqrt(in(squares).sum / n);
        out[0] = ratio(in(high).max, size);
        out[1] = ratio(in(low).min, size);
    }
    double n;
    Ref<Window<LogReturn, Max>> high;
    Ref<Window<LogReturn, Min>> low;
    Ref<Window<SquaredReturn, Sum>> squares;
};

// ---- ranks and ages ----

// What orders ranges of bars as high / low does.
struct RangeSize {
    static double of(const Bar& b) noexcept { return (b.high - b.low) / (b.high + b.low); }
};

struct ReturnRank {
    static constexpr Meta meta{
        .name = "return_rank", .doc = "Rank of the newest log return among the last.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "share of the window below the return, ties half", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Conover 1999, chapter 5"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    ReturnRank(Graph& g, Params p) : n(count_of(p[0])), returns(kept<LogReturn>(g, p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto past = in.past(returns);
        out[0] = past.has(n + 1) ? rank_of(past.ago(0), past.last(n), n) : kNaN;
    }
    std::uint32_t n;
    Ref<Kept<LogReturn>> returns;
};
struct MoveRank {
    static constexpr Meta meta{
        .name = "move_rank", .doc = "Rank of the size of the newest move, up or down, among the last.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "share of the window with a smaller |log return|, ties half", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Conover 1999, chapter 5"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    MoveRank(Graph& g, Params p) : n(count_of(p[0])), moves(kept<MoveSize>(g, p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto past = in.past(moves);
        out[0] = past.has(n + 1) ? rank_of(past.ago(0), past.last(n), n) : kNaN;
    }
    std::uint32_t n;
    Ref<Kept<MoveSize>> moves;
};
struct VolumeRank {
    static constexpr Meta meta{
        .name = "volume_rank", .doc = "Rank of the newest volume among the last.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "share of the window below the volume, ties half", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Conover 1999, chapter 5"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    VolumeRank(Graph& g, Params p) : n(count_of(p[0])), volumes(past<Volume>(g, p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto past = in.past(volumes);
        out[0] = past.has(n) ? rank_of(past.ago(0), past.last(n), n) : kNaN;
    }
    std::uint32_t n;
    Ref<Past<Volume>> volumes;
};
struct RangeRank {
    static constexpr Meta meta{
        .name = "range_rank", .doc = "Rank of the newest bar's range among the last.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "share of the window with a smaller high / low, ties half", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Conover 1999, chapter 5; Crabel 1990"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RangeRank(Graph& g, Params p) : n(count_of(p[0])), ranges(past<RangeSize>(g, p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto past = in.past(ranges);
        out[0] = past.has(n) ? rank_of(past.ago(0), past.last(n), n) : kNaN;
    }
    std::uint32_t n;
    Ref<Past<RangeSize>> ranges;
};

// Bars since the largest value of a source, of equal ones the newest.
template <class S>
struct Age {
    Age(Graph& g, double n) : source(g), largest(g.arena(), count_of(n)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double x = source(b, in);
        if (!known(x)) return;
        const LastMax m = largest.push(in, {x, ++bars});
        if (largest.full()) out[0] = static_cast<double>(bars - m.when);
    }
    [[no_unique_address]] Source<S, Bar> source;
    Sliding<LastMax> largest;
    std::int64_t bars = 0;
};
struct LargestMoveAge {
    static constexpr Meta meta{
        .name = "largest_move_age", .doc = "How long ago the largest move of the window was.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "bars since the largest |log return|, the newest of equal ones", "bars", 0}}, .defaults = {{100}},
        .source = "Chande 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    LargestMoveAge(Graph& g, Params p) : age(g.part<Age<MoveSize>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(age); }
    Ref<Age<MoveSize>> age;
};
struct LargestVolumeAge {
    static constexpr Meta meta{
        .name = "largest_volume_age", .doc = "How long ago the busiest bar of the window was.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "bars since the largest volume, the newest of equal ones", "bars", 0}}, .defaults = {{100}},
        .source = "Chande 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    LargestVolumeAge(Graph& g, Params p) : age(g.part<Age<Volume>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(age); }
    Ref<Age<Volume>> age;
};

// ---- volume ----

struct VolumeVariation {
    static constexpr Meta meta{
        .name = "volume_variation", .doc = "How unevenly volume came: its deviation over its mean.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "deviation (population) / mean of volume; unknown without volume", "ratio", 0}}, .defaults = {{20}, {100}},
        .source = "Chordia, Subrahmanyam, Anshuman 2001"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    VolumeVariation(Graph& g, Params p) : n(p[0]), window(g.part<Window<Volume, Moments2>>(p[0])), sum(g.part<Window<Volume, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = ratio(std::sqrt(n * in(window).m2), in(sum).sum); }
    double n;
    Ref<Window<Volume, Moments2>> window;
    Ref<Window<Volume, Sum>> sum;
};

struct VolumeEntropy {
    struct Terms {
        struct Told {
            double volume, log;
        };
        explicit Terms(Graph&) {}
        void update(const Bar& b, In, Out out) const noexcept {
            out[0] = b.volume;
            out[1] = b.volume > 0 ? b.volume * std::log(b.volume) : 0;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.volume, t.log}; }
    };
    static constexpr Meta meta{
        .name = "volume_entropy", .doc = "How evenly volume was spread over the bars of the window: 1 evenly, 0 all of it in one bar.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "-sum p ln p / ln n, p the bars' shares of volume; unknown without volume", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Shannon 1948"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    VolumeEntropy(Graph& g, Params p) : most(std::log(p[0])), terms(g.part<Window<Terms, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Sum2 s = in(terms);
        out[0] = s.first > 0 ? not_below(not_above((std::log(s.first) - s.second / s.first) / most, 1), 0) : kNaN;
    }
    double most;
    Ref<Window<Terms, Sum2>> terms;
};

struct VolumeConcentration {
    static constexpr Meta meta{
        .name = "volume_concentration", .doc = "Share of volume that came in the busiest tenth of bars.", .params = {{"window", 10, 10'000}},
        .outputs = {{"", "volume of the largest tenth of bars / all volume; unknown without volume", "0..1", 0, 1}}, .defaults = {{100}},
        .source = "Lorenz 1905"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    VolumeConcentration(Graph& g, Params p) : n(count_of(p[0])), sum(g.part<Window<Volume, Sum>>(p[0])), order(g.arena(), count_of(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        order.push(in, b.volume);
        if (!order.full()) return;
        const double all = in(sum).sum, most = sum_of(order.ordered(in) + (n - n / 10), n / 10);
        out[0] = all > 0 ? not_above(most / all, 1) : kNaN;
    }
    std::uint32_t n;
    Ref<Window<Volume, Sum>> sum;
    Sorted order;
};

// ---- entropy of patterns ----

struct DirectionEntropy {
    static constexpr Meta meta{
        .name = "direction_entropy", .doc = "Entropy of words of rises and others: 1 when all are as frequent, 0 when there is only one.",
        .params = {{"window", 2, 10'000}, {"length", 1, 8}},
        .outputs = {{"", "-sum p ln p / (length ln 2) over the words of `length` bars that ended in the window", "0..1", 0, 1}},
        .defaults = {{100, 3}, {250, 5}}, .source = "Risso 2008; Shannon 1948"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    DirectionEntropy(Graph& g, Params p)
        : r(g.part<LogReturn>()), words(g.arena(), count_of(p[0]), 1u << count_of(p[1])), scale(1 / (p[1] * 0.6931471805599453)),
          length(count_of(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        if (!known(x)) return;
        word = (word << 1 | static_cast<std::uint32_t>(x > 0)) & ((1u << length) - 1);
        if (seen + 1 < length) {
            ++seen;
            return;
        }
        words.push(in, word);
        if (words.full()) out[0] = not_above(words.entropy() * scale, 1);
    }
    Ref<LogReturn> r;
    Tally words;
    double scale;
    std::uint32_t length, word = 0, seen = 0, unused = 0;
};

struct PermutationEntropy {
    static constexpr Meta meta{
        .name = "permutation_entropy", .doc = "Entropy of the order patterns of closes, and their complexity: entropy times the distance from all patterns alike.",
        .params = {{"window", 2, 10'000}, {"order", 3, 5}},
        .outputs = {{"", "-sum p ln p / ln(order!) over patterns of `order` closes that ended in the window, of equal ones the later is larger", "0..1", 0, 1},
                    {"complexity", "entropy times Jensen-Shannon divergence from the uniform over its maximum", "0..1", 0, 1}},
        .defaults = {{100, 3}, {250, 4}}, .source = "Bandt and Pompe 2002; Rosso et al. 2007"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) - 1; }
    PermutationEntropy(Graph& g, Params p)
        : order(count_of(p[1])), closes(past<Close>(g, p[1])), patterns(g.arena(), count_of(p[0]), factorial(count_of(p[1])), true) {
        const double m = factorial(order);
        scale = 1 / std::log(m);
        widest = 1 / (-0.5 * ((m + 1) / m * std::log(m + 1) - 2 * std::log(2 * m) + std::log(m)));
    }
    void update(const Bar&, In in, Out out) noexcept {
        const auto past = in.past(closes);
        if (!past.has(order)) return;
        const double* x = past.last(order);
        std::uint32_t code = 0;
        for (std::uint32_t i = 0; i + 1 < order; ++i) {  // how many later ones are smaller, in mixed radix (Lehmer)
            std::uint32_t smaller = 0;
            for (std::uint32_t j = i + 1; j < order; ++j) smaller += x[j] < x[i];
            code = code * (order - i) + smaller;
        }
        patterns.push(in, code);
        if (!patterns.full()) return;
        const double h = not_above(patterns.entropy() * scale, 1);
        out[0] = h;
        out[1] = not_below(patterns.divergence(), 0) * widest * h;
    }
    static std::uint32_t factorial(std::uint32_t n) { return n < 2 ? 1 : n * factorial(n - 1); }
    std::uint32_t order;
    Ref<Past<Close>> closes;
    Tally patterns;
    double scale, widest;
};

struct EntropyRate {
    static constexpr Meta meta{
        .name = "entropy_rate", .doc = "Entropy rate of rises and others by match lengths: how soon the recent past stops repeating what came before it.",
        .params = {{"window", 2, 10'000}, {"past", 8, 192}},
        .outputs = {{"", "ln(past) / (ln 2 mean match), the match being 1 + the longest run of the newest signs that also ended within `past` bars before, at most 63",
                     "bits per bar", 0}},
        .defaults = {{100, 64}}, .source = "Kontoyiannis, Algoet, Suhov, Wyner 1998"};
    static constexpr std::uint8_t kLongest = 62;
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) + 1; }
    EntropyRate(Graph& g, Params p)
        : r(g.part<LogReturn>()), matches(g.arena(), count_of(p[0])), signs(g.arena().array<std::uint8_t>(2 * count_of(p[1]))),
          runs(g.arena().array<std::uint8_t>(count_of(p[1]))), scale(p[0] * std::log(p[1]) / 0.6931471805599453), past(count_of(p[1])) {
        std::memset(g.arena().memory()[signs], 2, 2 * past);  // none yet: equal to neither
    }
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        if (!known(x)) return;
        const std::uint8_t sign = x > 0;
        std::uint8_t* all = in.memory[signs];
        // Of each of the last `past` signs, the oldest first: how many up to it equal the newest before this one.
        const std::uint8_t longest = longest_run(in.memory[runs], all + at, past, sign, kLongest);
        all[at] = all[at + past] = sign;
        if (++at == past) at = 0;
        if (seen < past) {
            ++seen;
            return;
        }
        const double sum = matches.push(in, {1.0 + longest}).sum;
        if (matches.full()) out[0] = scale / sum;
    }
    Ref<LogReturn> r;
    Sliding<Sum> matches;
    Array<std::uint8_t> signs, runs;
    double scale;
    std::uint32_t past, at = 0, seen = 0, unused = 0;
};

constexpr Kind kinds[] = {kind<ReturnT>, kind<JarqueBera>, kind<LMoments>, kind<QuantileSkew>, kind<MedianSkew>, kind<Moors>, kind<CrowSiddiqui>,
                          kind<TailIndex>, kind<Midmean>, kind<InterquartileRatio>, kind<RobustZ>, kind<ReturnRank>, kind<MoveRank>,
                          kind<VolumeRank>, kind<RangeRank>, kind<UpShare>, kind<ExtremeReturn>, kind<LargestMoveAge>,
                          kind<LargestVolumeAge>, kind<VolumeVariation>, kind<VolumeEntropy>, kind<VolumeConcentration>, kind<DirectionEntropy>,
                          kind<PermutationEntropy>, kind<EntropyRate>};
}  // namespace

const Family distribution{"distribution", "statistical", kinds};

}  // namespace smartcore
