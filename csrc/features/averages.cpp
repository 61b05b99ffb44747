// Averages: how far the close is from moving averages that are not the plain and the exponential one (trend.cpp).
//
// All are distances over the close, 1 - average / close: the average of a bad print can be anything, 0 too.
#include "base/lag.hpp"
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct WmaDistance {
    static constexpr Meta meta{
        .name = "wma_distance", .doc = "Close relative to its linearly weighted moving average.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "1 - average weighted 1, 2, ... window / close", "fraction"}}, .defaults = {{20}, {100}},
        .source = "Kaufman 2013, chapter 7"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    WmaDistance(Graph& g, Params p) : n(p[0]), line(g.part<Window<Close, Line>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = in(line).above_weighted(n) / b.close; }
    double n;
    Ref<Window<Close, Line>> line;
};

struct HullDistance {
    static constexpr Meta meta{
        .name = "hull_distance", .doc = "Close relative to the Hull moving average, which lags by little.", .params = {{"window", 4, 10'000}},
        .outputs = {{"", "1 - WMA over sqrt(window) of (2 WMA over window / 2 - WMA over window) / close", "fraction"}},
        .defaults = {{20}, {100}}, .source = "Hull 2005"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + static_cast<int>(std::sqrt(p[0])) - 1; }
    HullDistance(Graph& g, Params p)
        : half(std::floor(p[0] / 2)), whole(p[0]), root(std::floor(std::sqrt(p[0]))), fast(g.part<Window<Close, Line>>(half)),
          slow(g.part<Window<Close, Line>>(whole)), close(g.part<Window<Close, Line>>(root)), leads(g.arena(), count_of(root)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double lead = in(slow).above_weighted(whole) - 2 * in(fast).above_weighted(half);  // 2 WMA - WMA - close
        if (!known(lead)) return;
        const Line line = leads.push(in, lead);
        if (leads.full()) out[0] = (in(close).above_weighted(root) - (lead - line.above_weighted(root))) / b.close;
    }
    double half, whole, root;
    Ref<Window<Close, Line>> fast, slow, close;
    Anchored<Line> leads;
};

struct DemaDistance {
    static constexpr Meta meta{
        .name = "dema_distance", .doc = "Close relative to the double exponential moving average.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "1 - (2 EMA - EMA of EMA) / close", "fraction"}}, .defaults = {{20}, {50}}, .source = "Mulloy 1994"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) - 1; }
    DemaDistance(Graph& g, Params p) : change(g.part<Change>()), ema(p[0]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        ema.push(in(change));
        if (ema.ready()) out[0] = (ema.gap(0) - ema.gap(1)) / b.close;
    }
    Ref<Change> change;
    Lags<2> ema;
};

struct TemaDistance {
    static constexpr Meta meta{
        .name = "tema_distance", .doc = "Close relative to the triple exponential moving average.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "1 - (3 EMA - 3 EMA of EMA + EMA of EMA of EMA) / close", "fraction"}}, .defaults = {{20}, {50}},
        .source = "Mulloy 1994"};
    static int warmup(Params p) { return 3 * static_cast<int>(p[0]) - 2; }
    TemaDistance(Graph& g, Params p) : change(g.part<Change>()), ema(p[0]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        ema.push(in(change));
        if (ema.ready()) out[0] = (ema.gap(0) - 2 * ema.gap(1) + ema.gap(2)) / b.close;
    }
    Ref<Change> change;
    Lags<3> ema;
};

struct T3Distance {
    static constexpr Meta meta{
        .name = "t3_distance", .doc = "Close relative to Tillson's T3, six exponential averages in a row.",
        .params = {{"window", 2, 1'000}, {"volume_factor", 0.1, 1}},
        .outputs = {{"", "1 - T3 / close; T3: c1 EMA6 + c2 EMA5 + c3 EMA4 + c4 EMA3, with c1 = -v^3, c2 = 3 v^2 (1 + v), c3 = -3 v (1 + v)^2, c4 = (1 + v)^3", "fraction"}},
        .defaults = {{10, 0.7}}, .source = "Tillson 1998"};
    static int warmup(Params p) { return 6 * static_cast<int>(p[0]) - 5; }
    T3Distance(Graph& g, Params p) : change(g.part<Change>()), v(p[1]), ema(p[0]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        ema.push(in(change));
        if (!ema.ready()) return;
        // EMA3 - T3: the weights of the three averages behind it are what they add to 1.
        const double behind6 = -v * v * v, behind5 = behind6 + 3 * v * v * (1 + v), behind4 = behind5 - 3 * v * (1 + v) * (1 + v);
        const double third = behind4 * ema.gap(3) + behind5 * ema.gap(4) + behind6 * ema.gap(5);
        out[0] = (ema.gap(0) + ema.gap(1) + ema.gap(2) + third) / b.close;
    }
    Ref<Change> change;
    double v;
    Lags<6> ema;
};

struct ZlemaDistance {
    static constexpr Meta meta{
        .name = "zlema_distance", .doc = "Close relative to the zero-lag exponential moving average: of the close and its last move once more.",
        .params = {{"window", 3, 10'000}},
        .outputs = {{"", "1 - EMA of (2 close - close (window - 1) / 2 bars before) / close", "fraction"}}, .defaults = {{20}, {50}},
        .source = "Ehlers and Way 2010"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + static_cast<int>((p[0] - 1) / 2); }
    ZlemaDistance(Graph& g, Params p) : lag(count_of((p[0] - 1) / 2)), close(past<Close>(g, lag + 2.0)), ema(Lag::ema(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(close);
        if (!past.has(lag + 1)) return;
        ema.push(past.has(lag + 2) ? 2 * (b.close - past.ago(1)) - (past.ago(lag) - past.ago(lag + 1)) : 0);
        if (ema.ready()) out[0] = (ema.gap - (b.close - past.ago(lag))) / b.close;
    }
    std::uint32_t lag, unused = 0;
    Ref<Past<Close>> close;
    Lag ema;
};

// An average whose speed is told by the efficiency ratio of the closes; begun at the close before the first.
struct Adaptive {
    Adaptive(Graph& g, double n) : n(count_of(n)), close(past<Close>(g, n + 1)), path(g.part<Window<AbsChange, Sum>>(n)) {}
    double efficiency(const Bar& b, In in) const noexcept {  // NaN: not known yet
        const double sum = in(path).sum;
        return sum > 0 ? not_above(std::fabs(b.close - in.past(close).ago(n)) / sum, 1) : sum;
    }
    void push(double step, double alpha) noexcept { gap = faded((1 - alpha) * (gap + step)); }
    std::uint32_t n, unused = 0;
    Ref<Past<Close>> close;
    Ref<Window<AbsChange, Sum>> path;
    double gap = 0;
};

struct KamaDistance {
    static constexpr Meta meta{
        .name = "kama_distance", .doc = "Close relative to Kaufman's adaptive moving average: fast where the close moves straight, nearly still where it does not.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"", "1 - KAMA / close; speed (ER (2/3 - 2/31) + 2/31)^2, ER the efficiency ratio over `window`", "fraction"}},
        .defaults = {{10}, {50}}, .source = "Kaufman 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    KamaDistance(Graph& g, Params p) : change(g.part<Change>()), average(g, p[0]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double er = average.efficiency(b, in);
        if (!known(er)) return;
        const double root = er * (2.0 / 3 - 2.0 / 31) + 2.0 / 31;
        average.push(in(change), root * root);
        out[0] = average.gap / b.close;
    }
    Ref<Change> change;
    Adaptive average;
};

struct VidyaDistance {
    static constexpr Meta meta{
        .name = "vidya_distance", .doc = "Close relative to Chande's variable index dynamic average, an EMA slowed down by the momentum oscillator.",
        .params = {{"window", 2, 10'000}, {"momentum", 2, 10'000}},
        .outputs = {{"", "1 - VIDYA / close; speed 2 / (window + 1) times |CMO| / 100 over `momentum`", "fraction"}},
        .defaults = {{20, 10}}, .source = "Chande 1994"};
    static int warmup(Params p) { return static_cast<int>(p[1]) + 1; }
    VidyaDistance(Graph& g, Params p) : change(g.part<Change>()), alpha(2 / (p[0] + 1)), average(g, p[1]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double er = average.efficiency(b, in);
        if (!known(er)) return;
        average.push(in(change), alpha * er);
        out[0] = average.gap / b.close;
    }
    Ref<Change> change;
    double alpha;
    Adaptive average;
};

struct Guppy {
    static constexpr int kMost = 12, kSlowest = 60;
    static constexpr double kWindows[kMost] = {3, 5, 8, 10, 12, 15, 30, 35, 40, 45, 50, 60};
    static constexpr Meta meta{
        .name = "guppy", .doc = "Ribbon of twelve exponential averages: EMA over 3, 5, 8, 10, 12, 15 bars and 30, 35, 40, 45, 50, 60.",
        .outputs = {{"", "(mean of the six fast - mean of the six slow) / close", "fraction"},
                    {"width", "(highest - lowest of the twelve) / close", "fraction", 0}},
        .source = "Guppy 1997"};
    static int warmup(Params) { return kSlowest; }
    Guppy(Graph& g, Params) : change(g.part<Change>()) {
        for (int i = 0; i < kMost; ++i) ema[i] = Lag::ema(kWindows[i]);
    }
    void update(const Bar& b, In in, Out out) noexcept {
        const double step = in(change);
        for (Lag& lag : ema) lag.push(step);
        if (!ema[kMost - 1].ready()) return;
        double fast = 0, slow = 0, high = ema[0].gap, low = high;
        for (int i = 0; i < kMost / 2; ++i) fast += ema[i].gap, slow += ema[i + kMost / 2].gap;
        for (const Lag& lag : ema) high = not_below(lag.gap, high), low = not_above(lag.gap, low);
        out[0] = (slow - fast) * (2.0 / kMost) / b.close;
        out[1] = (high - low) / b.close;
    }
    Ref<Change> change;
    Lag ema[kMost];
};

constexpr Kind kinds[] = {kind<WmaDistance>, kind<HullDistance>, kind<DemaDistance>, kind<TemaDistance>, kind<T3Distance>,
                          kind<ZlemaDistance>, kind<KamaDistance>, kind<VidyaDistance>, kind<Guppy>};
}  // namespace

const Family averages{"averages", "technical", kinds};

}  // namespace smartcore
