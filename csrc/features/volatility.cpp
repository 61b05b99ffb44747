// Volatility: ranges, bands, realised volatility of bars.
#include <bit>

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
    struct Range {
        explicit Range(Graph&) {}
        void update(const Bar& b, In, Out out) const noexcept {
            const double x = log_ratio(b.high, b.low);
            out[0] = x * x;
        }
    };
    static constexpr Meta meta{
        .name = "parkinson", .doc = "Parkinson volatility, from highs and lows.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sqrt(mean ln(high / low)^2 / (4 ln 2))", "log per bar", 0}}, .defaults = {{20}}, .source = "Parkinson 1980"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Parkinson(Graph& g, Params p) : scale(1 / (p[0] * 4 * 0.6931471805599453)), window(g.part<Window<Range, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(in(window).sum * scale); }
    double scale;
    Ref<Window<Range, Sum>> window;
};

struct GarmanKlass {
    struct Term {
        explicit Term(Graph& g) : range(g.part<Parkinson::Range>()) {}
        void update(const Bar& b, In in, Out out) const noexcept {
            const double body = log_ratio(b.close, b.open);
            out[0] = 0.5 * in(range) - (2 * 0.6931471805599453 - 1) * body * body;
        }
        Ref<Parkinson::Range> range;
    };
    static constexpr Meta meta{
        .name = "garman_klass", .doc = "Garman-Klass volatility, from open, high, low and close.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sqrt(mean(ln(high/low)^2 / 2 - (2 ln 2 - 1) ln(close/open)^2))", "log per bar", 0}}, .defaults = {{20}},
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

constexpr Kind kinds[] = {kind<Atr>, kind<Bollinger>, kind<Volatility>, kind<RealisedVolatility>,
                          kind<Parkinson>, kind<GarmanKlass>, kind<VolatilityPercentile>};
}  // namespace

const Family volatility{"volatility", "technical", kinds};

}  // namespace smartcore
