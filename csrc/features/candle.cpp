// Candles: the anatomy of one bar.
#include "base/lag.hpp"
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Candle {
    static constexpr Meta meta{
        .name = "candle", .doc = "Body and wicks of the bar as shares of its range; 0 for a bar without range.",
        .outputs = {{"body", "(close - open) / (high - low)", "-1..1", -1, 1},
                    {"upper", "(high - higher of open and close) / (high - low)", "0..1", 0, 1},
                    {"lower", "(lower of open and close - low) / (high - low)", "0..1", 0, 1}},
        .source = "Nison 1991"};
    static int warmup(Params) { return 1; }
    Candle(Graph&, Params) {}
    void update(const Bar& b, In, Out out) const noexcept {
        const double range = b.high - b.low, scale = range > 0 ? 1 / range : 0;
        out[0] = (b.close - b.open) * scale;
        out[1] = (b.high - (b.open > b.close ? b.open : b.close)) * scale;
        out[2] = ((b.open < b.close ? b.open : b.close) - b.low) * scale;
    }
};

struct Gap {
    static constexpr Meta meta{
        .name = "gap", .doc = "Opening gap in average ranges (ATR 14).",
        .outputs = {{"", "(open - last close) / ATR; 0 when nothing ever moved", "ATR"}}, .source = "Edwards and Magee 1948"};
    static int warmup(Params) { return 15; }
    Gap(Graph& g, Params) : range(usual_range(g)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        out[0] = in_ranges(b.open - last, in(range));
        last = b.close;
    }
    Ref<Wilder<TrueRange>> range;
    double last = kNaN;
};

struct BodySize {
    static constexpr Meta meta{
        .name = "body_size", .doc = "Body of the bar in average ranges (ATR 14).",
        .outputs = {{"", "(close - open) / ATR; 0 when nothing ever moved", "ATR"}}, .source = "Nison 1991"};
    static int warmup(Params) { return 15; }
    BodySize(Graph& g, Params) : range(usual_range(g)) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = in_ranges(b.close - b.open, in(range)); }
    Ref<Wilder<TrueRange>> range;
};

struct WickPressure {
    struct Wicks {
        static double of(const Bar& b) noexcept {
            const double range = b.high - b.low;
            const double lower = (b.open < b.close ? b.open : b.close) - b.low, upper = b.high - (b.open > b.close ? b.open : b.close);
            return range > 0 ? (lower - upper) / range : 0;
        }
    };
    static constexpr Meta meta{
        .name = "wick_pressure", .doc = "Wick pressure: whether lows or highs were refused.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean (lower wick - upper wick) / (high - low), 0 of a bar without range", "-1..1", -1, 1}}, .defaults = {{5}, {20}},
        .source = "Nison 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    WickPressure(Graph& g, Params p) : n(p[0]), window(g.part<Window<Wicks, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).sum / n; }
    double n;
    Ref<Window<Wicks, Sum>> window;
};

struct Doji {
    struct Small {
        static double of(const Bar& b) noexcept { return 1 - std::fabs(BodyShare::of(b)); }
    };
    static constexpr Meta meta{
        .name = "doji", .doc = "Indecision: how much of the bars' ranges their bodies leave.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean 1 - |close - open| / (high - low), 1 of a bar without range", "0..1", 0, 1}}, .defaults = {{10}, {50}},
        .source = "Nison 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Doji(Graph& g, Params p) : n(p[0]), window(g.part<Window<Small, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).sum / n; }
    double n;
    Ref<Window<Small, Sum>> window;
};

struct Engulfing {
    static constexpr Meta meta{
        .name = "engulfing", .doc = "How much of the body before it a body of the other direction covers.",
        .outputs = {{"", "covered share of the body before, with the sign of close - open; 0 if both have the same direction or the body before is none", "-1..1", -1, 1}},
        .source = "Nison 1991"};
    static int warmup(Params) { return 2; }
    Engulfing(Graph&, Params) {}
    void update(const Bar& b, In, Out out) noexcept {
        const double body = b.close - b.open, before = close - open;
        if (known(before)) {
            const double top = b.open > b.close ? b.open : b.close, bottom = b.open < b.close ? b.open : b.close;
            const double top_before = open > close ? open : close, bottom_before = open < close ? open : close;
            const double covered = (top < top_before ? top : top_before) - (bottom > bottom_before ? bottom : bottom_before);
            const bool turned = (body > 0 && before < 0) || (body < 0 && before > 0);
            out[0] = turned && covered > 0 ? std::copysign(covered / std::fabs(before), body) : 0;
        }
        open = b.open, close = b.close;
    }
    double open = kNaN, close = kNaN;
};

struct InsideRun {
    static constexpr Meta meta{
        .name = "inside_run", .doc = "For how many bars in a row each lay inside the one before, or reached beyond both its ends.",
        .outputs = {{"", "bars inside; below 0: bars outside; 0 after any other", "bars"}}, .source = "Crabel 1990"};
    static int warmup(Params) { return 2; }
    InsideRun(Graph&, Params) {}
    void update(const Bar& b, In, Out out) noexcept {
        if (known(high)) {
            const bool inside = b.high <= high && b.low >= low, outside = b.high >= high && b.low <= low;
            run = inside ? not_below(run, 0) + 1 : outside ? not_above(run, 0) - 1 : 0;
            out[0] = run;
        }
        high = b.high, low = b.low;
    }
    double high = kNaN, low = kNaN, run = 0;
};

struct Overlap {
    struct Shared {  // what two bars in a row have in common, and what they cover together
        struct Told {
            double both, either;
        };
        explicit Shared(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            const double both = (b.high < high ? b.high : high) - (b.low > low ? b.low : low);
            out[0] = both < 0 ? 0 : both;  // NaN stays
            out[1] = (b.high > high ? b.high : high) - (b.low < low ? b.low : low);
            high = b.high, low = b.low;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.both, t.either}; }
        double high = kNaN, low = kNaN;
    };
    static constexpr Meta meta{
        .name = "overlap", .doc = "How much the ranges of bars in a row overlap: much where a market stands, little where it goes.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "sum of the common range / sum of the range of both; 1 when flat", "0..1", 0, 1}},
        .defaults = {{10}, {50}}, .source = "Brooks 2012"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Overlap(Graph& g, Params p) : window(g.part<Window<Shared, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Sum2 sum = in(window);
        out[0] = sum.second > 0 ? sum.first / sum.second : sum.second + 1;
    }
    Ref<Window<Shared, Sum2>> window;
};

struct HeikinAshi {
    static constexpr Meta meta{
        .name = "heikin_ashi", .doc = "Body of the Heikin-Ashi bar in average ranges (ATR 14).",
        .outputs = {{"", "(mean of open, high, low, close - middle of the Heikin-Ashi body before) / ATR; 0 when nothing ever moved", "ATR"}},
        .source = "Valcu 2004"};
    static int warmup(Params) { return 15; }
    HeikinAshi(Graph& g, Params) : change(g.part<Change>()), range(usual_range(g)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        // Open and close of the smoothed bar, less the close.
        const double step = in(change), now = 0.25 * ((b.open - b.close) + (b.high - b.close) + (b.low - b.close));
        open = known(step) ? faded(0.5 * ((open - step) + (close - step))) : 0.5 * (b.open - b.close);
        close = now;
        out[0] = in_ranges(close - open, in(range));
    }
    Ref<Change> change;
    Ref<Wilder<TrueRange>> range;
    double open = 0, close = 0;
};

constexpr Kind kinds[] = {kind<Candle>, kind<Gap>, kind<BodySize>, kind<WickPressure>, kind<Doji>,
                          kind<Engulfing>, kind<InsideRun>, kind<Overlap>, kind<HeikinAshi>};
}  // namespace

const Family candle{"candle", "technical", kinds};

}  // namespace smartcore
