// Volatility: ranges, bands, realised volatility of bars.
#include <bit>

#include "base/lag.hpp"
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Atr {
    static constexpr Meta meta{
        .name = "atr", .doc = "Average true range as a share of the close.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "Wilder average of the true range / close", "fraction", 0}}, .defaults = {{14}, {50}}, .source = "Wilder 1978"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Atr(Graph& g, Params p) : range(g.part<Wilder<TrueRange>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = in(range) / b.close; }
    Ref<Wilder<TrueRange>> range;
};

struct Bollinger {
    static constexpr Meta meta{
        .name = "bollinger", .doc = "Bollinger bands: mean of the closes plus and minus `width` deviations.",
        .params = {{"window", 2, 10'000}, {"width", 0.1, 10}},
        .outputs = {{"", "%B: 0 at the lower band, 1 at the upper; 0.5 when flat", "number"}, {"width", "upper less lower band / mean", "fraction", 0}},
        .defaults = {{20, 2}}, .source = "Bollinger 2001"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Bollinger(Graph& g, Params p) : width(p[1]), inverse(1 / p[0]), window(g.part<Window<Close, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Moments2 m = in(window);
        const double band = 2 * width * std::sqrt(m.m2 * inverse);
        out[0] = band > 0 ? m.away / band + 0.5 : band + 0.5;
        out[1] = band / m.mean;
    }
    double width, inverse;
    Ref<Window<Close, Moments2>> window;
};

struct Volatility {
    static constexpr Meta meta{
        .name = "volatility", .doc = "Standard deviation of log returns.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "sample deviation of the last `window` log returns", "log per bar", 0}}, .defaults = {{20}, {100}},
        .source = "Hull 2018, 15.4"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Volatility(Graph& g, Params p) : less(p[0] - 1), window(g.part<Window<LogReturn, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(in(window).m2 / less); }
    double less;
    Ref<Window<LogReturn, Moments2>> window;
};

struct RealisedVolatility {
    static constexpr Meta meta{
        .name = "realised_volatility", .doc = "Realised volatility: root of the summed squared log returns.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sqrt(sum r^2) over the window", "log", 0}}, .defaults = {{10}, {50}}, .source = "Andersen and Bollerslev 1998"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    RealisedVolatility(Graph& g, Params p) : window(g.part<Window<SquaredReturn, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(in(window).sum); }
    Ref<Window<SquaredReturn, Sum>> window;
};

struct Parkinson {
    static constexpr Meta meta{
        .name = "parkinson", .doc = "Parkinson volatility, from highs and lows.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sqrt(mean ln(high / low)^2 / (4 ln 2))", "log per bar", 0}}, .defaults = {{20}, {100}}, .source = "Parkinson 1980"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Parkinson(Graph& g, Params p) : scale(1 / (p[0] * 4 * 0.6931471805599453)), window(g.part<Window<SquaredRange, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(in(window).sum * scale); }
    double scale;
    Ref<Window<SquaredRange, Sum>> window;
};

struct GarmanKlass {
    struct Term {
        explicit Term(Graph& g) : range(g.part<SquaredRange>()) {}
        void update(const Bar& b, In in, Out out) const noexcept {
            const double body = log_ratio(b.close, b.open);
            out[0] = 0.5 * in(range) - (2 * 0.6931471805599453 - 1) * body * body;
        }
        Ref<SquaredRange> range;
    };
    static constexpr Meta meta{
        .name = "garman_klass", .doc = "Garman-Klass volatility, from open, high, low and close.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sqrt(mean(ln(high/low)^2 / 2 - (2 ln 2 - 1) ln(close/open)^2))", "log per bar", 0}}, .defaults = {{20}, {100}},
        .source = "Garman and Klass 1980"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    GarmanKlass(Graph& g, Params p) : n(p[0]), window(g.part<Window<Term, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double sum = in(window).sum;
        out[0] = std::sqrt((sum < 0 ? 0 : sum) / n);
    }
    double n;
    Ref<Window<Term, Sum>> window;
};

// Equal volatilities differ in their last bits, and should tie.
inline double twelve_digits(double x) noexcept {
    return std::bit_cast<double>((std::bit_cast<std::uint64_t>(x) + 0x800) & ~std::uint64_t{0xfff});
}

struct VolatilityPercentile {
    static constexpr Meta meta{
        .name = "volatility_percentile", .doc = "How today's volatility ranks among its own recent past.",
        .params = {{"window", 2, 10'000}, {"history", 2, 10'000}},
        .outputs = {{"", "rank of volatility over `window` among its last `history` values, ties (to 12 digits) half", "0..1", 0, 1}},
        .defaults = {{20, 250}}, .source = "Connors and Raschke 1995, chapter 27"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    VolatilityPercentile(Graph& g, Params p) : n(count_of(p[1])), window(g.part<Window<LogReturn, Moments2>>(p[0])), past(g.arena(), n) {}
    void update(const Bar&, In in, Out out) noexcept {
        if (!known(in(window).m2)) return;
        const double variance = twelve_digits(in(window).m2);  // ranks as its root does
        past.push(in, variance);
        if (past.view(in).has(n)) out[0] = rank_of(variance, past.view(in).last(n), n);
    }
    std::uint32_t n;
    Ref<Window<LogReturn, Moments2>> window;
    History past;
};

struct RogersSatchell {
    struct Term {
        explicit Term(Graph&) {}
        void update(const Bar& b, In, Out out) const noexcept {
            out[0] = log_ratio(b.high, b.close) * log_ratio(b.high, b.open) + log_ratio(b.low, b.close) * log_ratio(b.low, b.open);
        }
    };
    static constexpr Meta meta{
        .name = "rogers_satchell", .doc = "Rogers-Satchell volatility, from open, high, low and close; a drift does not disturb it.",
        .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sqrt(mean(ln(high/close) ln(high/open) + ln(low/close) ln(low/open)))", "log per bar", 0}}, .defaults = {{20}, {100}},
        .source = "Rogers and Satchell 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RogersSatchell(Graph& g, Params p) : n(p[0]), window(g.part<Window<Term, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(in(window).sum / n); }
    double n;
    Ref<Window<Term, Sum>> window;
};

struct YangZhang {
    struct Opening {  // log return from the close before to the open
        explicit Opening(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            out[0] = log_ratio(b.open, last);
            last = b.close;
        }
        double last = kNaN;
    };
    struct Inside {  // from there to the close
        explicit Inside(Graph&) {}
        void update(const Bar& b, In, Out out) const noexcept { out[0] = log_ratio(b.close, b.open); }
    };
    static constexpr Meta meta{
        .name = "yang_zhang", .doc = "Yang-Zhang volatility: of openings, of opens to closes, and Rogers-Satchell, weighted for the least variance.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "sqrt(var ln(open / last close) + k var ln(close / open) + (1 - k) Rogers-Satchell^2), k = 0.34 / (1.34 + (window + 1) / (window - 1))", "log per bar", 0}},
        .defaults = {{20}, {100}}, .source = "Yang and Zhang 2000"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    YangZhang(Graph& g, Params p)
        : n(p[0]), k(0.34 / (1.34 + (n + 1) / (n - 1))), opening(g.part<Window<Opening, Moments2>>(p[0])), inside(g.part<Window<Inside, Moments2>>(p[0])),
          range(g.part<Window<RogersSatchell::Term, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        out[0] = std::sqrt((in(opening).m2 + k * in(inside).m2) / (n - 1) + (1 - k) * in(range).sum / n);
    }
    double n, k;
    Ref<Window<Opening, Moments2>> opening;
    Ref<Window<Inside, Moments2>> inside;
    Ref<Window<RogersSatchell::Term, Sum>> range;
};

struct Keltner {
    static constexpr Meta meta{
        .name = "keltner", .doc = "Where the close lies in the Keltner channel: above its exponential average, in average ranges (ATR 14).",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "(close - EMA) / ATR; 0 when nothing ever moved", "ATR"}}, .defaults = {{20}, {50}},
        .source = "Keltner 1960; Raschke 1998"};
    static int warmup(Params p) { return std::max(static_cast<int>(p[0]), 15); }
    Keltner(Graph& g, Params p) : change(g.part<Change>()), range(usual_range(g)), ema(Lag::ema(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        ema.push(in(change));
        if (ema.ready() && known(in(range))) out[0] = in_ranges(ema.gap, in(range));
    }
    Ref<Change> change;
    Ref<Wilder<TrueRange>> range;
    Lag ema;
};

struct DonchianWidth {
    static constexpr Meta meta{
        .name = "donchian_width", .doc = "Width of the Donchian channel.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(highest high - lowest low) / close", "fraction", 0}}, .defaults = {{20}, {100}}, .source = "Donchian 1960"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    DonchianWidth(Graph& g, Params p) : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = (in(high).max - in(low).min) / b.close; }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
};

struct Squeeze {
    static constexpr Meta meta{
        .name = "squeeze", .doc = "Squeeze: Bollinger bands of 2 deviations against a channel of 1.5 mean true ranges; below 1 they lie inside it.",
        .params = {{"window", 3, 10'000}},
        .outputs = {{"", "2 deviations (population) of the closes / 1.5 mean true range; 0 when flat", "ratio", 0},
                    {"momentum", "newest value of the least-squares line through close - (middle of the high-low range + mean) / 2, / mean true range; 0 when flat", "ranges"}},
        .defaults = {{20}}, .source = "Carter 2005"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) - 1; }
    Squeeze(Graph& g, Params p)
        : n(p[0]), closes(g.part<Window<Close, Moments2>>(p[0])), path(g.part<Window<TrueRange, Sum>>(p[0])), high(g.part<Window<High, Max>>(p[0])),
          low(g.part<Window<Low, Min>>(p[0])), line(g.arena(), count_of(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const Moments2 m = in(closes);
        if (!known(m.m2)) return;
        const double away = 0.25 * ((b.close - in(high).max) + (b.close - in(low).min)) + 0.5 * m.away;
        const Line l = line.push(in, away);
        if (!line.full()) return;
        const double range = in(path).sum / n;
        out[0] = range > 0 ? 2 * std::sqrt(m.m2 / n) / (1.5 * range) : 0;
        out[1] = range > 0 ? (away - l.above(n, 0)) / range : 0;
    }
    double n;
    Ref<Window<Close, Moments2>> closes;
    Ref<Window<TrueRange, Sum>> path;
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
    Anchored<Line> line;
};

struct ChaikinVolatility {
    static constexpr Meta meta{
        .name = "chaikin_volatility", .doc = "Chaikin volatility: how the averaged range of the bars has changed.",
        .params = {{"window", 2, 10'000}, {"back", 1, 10'000}},
        .outputs = {{"", "EMA of (high - low) / the one `back` bars before - 1; unknown while that is 0", "fraction", -1}}, .defaults = {{10, 10}, {50, 50}},
        .source = "Achelis 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    ChaikinVolatility(Graph& g, Params p) : back(count_of(p[1])), range(Fading::ema(p[0])), past(g.arena(), back + 1) {}
    void update(const Bar& b, In in, Out out) noexcept {
        range.push(b.high - b.low);
        if (!range.ready()) return;
        past.push(in, range.level);
        if (!past.view(in).has(back + 1)) return;
        const double before = past.view(in).ago(back);
        out[0] = before > 0 ? (range.level - before) / before : kNaN;
    }
    std::uint32_t back, unused = 0;
    Fading range;
    History past;
};

struct MassIndex {
    static constexpr Meta meta{
        .name = "mass_index", .doc = "Mass index: averaged ranges against the same averaged once more, summed; bulges tell of turns.",
        .params = {{"smooth", 2, 1'000}, {"window", 2, 10'000}},
        .outputs = {{"", "sum over `window` of EMA of (high - low) / EMA of EMA, 1 when flat", "number", 0}}, .defaults = {{9, 25}}, .source = "Dorsey 1992"};
    static int warmup(Params p) { return static_cast<int>(2 * p[0] + p[1]) - 2; }
    MassIndex(Graph& g, Params p) : one(Fading::ema(p[0])), two(Fading::ema(p[0])), sum(g.arena(), count_of(p[1])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        one.push(b.high - b.low);
        if (!one.ready()) return;
        two.push(one.level);
        if (!two.ready()) return;
        const double mass = sum.push(in, {two.level > 0 ? one.level / two.level : 1}).sum;
        if (sum.full()) out[0] = mass;
    }
    Fading one, two;
    Sliding<Sum> sum;
};

struct UlcerIndex {
    static constexpr Meta meta{
        .name = "ulcer_index", .doc = "Ulcer index: root mean square of the drawdowns from the highest close of the window.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "sqrt(mean (close / highest close - 1)^2)", "fraction", 0, 1}}, .defaults = {{14}, {50}},
        .source = "Martin and McCann 1989"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) - 1; }
    UlcerIndex(Graph& g, Params p) : n(p[0]), high(g.part<Window<Close, Max>>(p[0])), squares(g.arena(), count_of(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double top = in(high).max, loss = (b.close - top) / top;
        if (!known(loss)) return;
        const double sum = squares.push(in, {loss * loss}).sum;
        if (squares.full()) out[0] = std::sqrt(sum / n);
    }
    double n;
    Ref<Window<Close, Max>> high;
    Sliding<Sum> squares;
};

struct RangeExpansion {
    static constexpr Meta meta{
        .name = "range_expansion", .doc = "True range of the bar in average ranges.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "true range / its Wilder average; 0 when nothing ever moved", "ATR", 0}}, .defaults = {{14}}, .source = "Crabel 1990"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    RangeExpansion(Graph& g, Params p) : now(g.part<TrueRange>()), range(g.part<Wilder<TrueRange>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in_ranges(in(now), in(range)); }
    Ref<TrueRange> now;
    Ref<Wilder<TrueRange>> range;
};

struct RangeRatio {
    static constexpr Meta meta{
        .name = "range_ratio", .doc = "Mean true range of late against that of a longer window.", .params = {{"fast", 1, 100'000}, {"slow", 2, 100'000}},
        .outputs = {{"", "mean true range over `fast` / over `slow`; unknown when flat", "ratio", 0}}, .defaults = {{5, 20}, {14, 100}},
        .source = "Kaufman 2013, chapter 20"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])) + 1; }
    RangeRatio(Graph& g, Params p) : scale(p[1] / p[0]), fast(g.part<Window<TrueRange, Sum>>(p[0])), slow(g.part<Window<TrueRange, Sum>>(p[1])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(slow).sum > 0 ? scale * in(fast).sum / in(slow).sum : kNaN; }
    double scale;
    Ref<Window<TrueRange, Sum>> fast, slow;
};

constexpr Kind kinds[] = {kind<Atr>, kind<Bollinger>, kind<Volatility>, kind<RealisedVolatility>, kind<Parkinson>,
                          kind<GarmanKlass>, kind<VolatilityPercentile>, kind<RogersSatchell>, kind<YangZhang>, kind<Keltner>,
                          kind<DonchianWidth>, kind<Squeeze>, kind<ChaikinVolatility>, kind<MassIndex>, kind<UlcerIndex>,
                          kind<RangeExpansion>, kind<RangeRatio>};
}  // namespace

const Family volatility{"volatility", "technical", kinds};

}  // namespace smartcore
