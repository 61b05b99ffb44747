// Statistics: order, moments and memory of closes and returns.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct ZScore {
    static constexpr Meta meta{
        .name = "zscore", .doc = "Close in standard deviations from its mean.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(close - mean) / deviation (population) of the window; 0 when flat", "number"}}, .defaults = {{50}, {200}},
        .source = "DeGroot and Schervish 2012"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    ZScore(Graph& g, Params p) : inverse(1 / p[0]), window(g.part<Window<Close, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Moments2 m = in(window);
        const double z = m.away / std::sqrt(m.m2 * inverse);
        out[0] = m.m2 > 0 ? z : m.m2;
    }
    double inverse;
    Ref<Window<Close, Moments2>> window;
};

struct Rank {
    static constexpr Meta meta{
        .name = "rank", .doc = "Rank of the close among the last closes.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "share of the window below the close, ties half", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Conover 1999, chapter 5"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Rank(Graph& g, Params p) : n(count_of(p[0])), closes(past<Close>(g, p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(closes);
        if (past.has(n)) out[0] = rank_of(b.close, past.last(n), n);
    }
    std::uint32_t n;
    Ref<Past<Close>> closes;
};

struct Quantile {
    static constexpr Meta meta{
        .name = "quantile", .doc = "Distance of the close from a quantile of the last closes.",
        .params = {{"window", 2, 10'000}, {"percent", 0, 100}},
        .outputs = {{"", "close / quantile - 1, linear interpolation", "fraction", -1}}, .defaults = {{100, 10}, {100, 50}, {100, 90}},
        .source = "Hyndman and Fan 1996, type 7"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Quantile(Graph& g, Params p) : away(quantile<Close>(g, p[0], p[1] / 100)) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in.lane(away); }
    std::uint32_t away;
};

struct Skew {
    static constexpr Meta meta{
        .name = "skew", .doc = "Skewness of log returns (population).", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "m3 / m2^1.5; unknown when flat", "number"}}, .defaults = {{50}, {200}}, .source = "Joanes and Gill 1998, g1"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Skew(Graph& g, Params p) : n(p[0]), window(g.part<Window<LogReturn, Moments4>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).skewness(n); }
    double n;
    Ref<Window<LogReturn, Moments4>> window;
};

struct Kurtosis {
    static constexpr Meta meta{
        .name = "kurtosis", .doc = "Excess kurtosis of log returns (population).", .params = {{"window", 4, 100'000}},
        .outputs = {{"", "m4 / m2^2 - 3; unknown when flat", "number", -2}}, .defaults = {{50}, {200}}, .source = "Joanes and Gill 1998, g2"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Kurtosis(Graph& g, Params p) : n(p[0]), window(g.part<Window<LogReturn, Moments4>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).excess_kurtosis(n); }
    double n;
    Ref<Window<LogReturn, Moments4>> window;
};

struct Autocorrelation {
    struct Returns {  // a return beside the one before
        struct Told {
            double before, now;
        };
        explicit Returns(Graph& g) : r(g.part<LogReturn>()) {}
        void update(const Bar&, In in, Out out) noexcept {
            out[0] = last;
            out[1] = last = in(r);
        }
        static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
        Ref<LogReturn> r;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "autocorrelation", .doc = "Correlation of log returns with the ones before.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of the last `window` pairs (r[t-1], r[t]); unknown when flat", "-1..1", -1, 1}},
        .defaults = {{50}, {200}}, .source = "Box, Jenkins, Reinsel 2008, 2.1"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    Autocorrelation(Graph& g, Params p) : window(g.part<Window<Returns, Comoments>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Window<Returns, Comoments>> window;
};

constexpr Kind kinds[] = {kind<ZScore>, kind<Rank>, kind<Quantile>, kind<Skew>, kind<Kurtosis>, kind<Autocorrelation>};
}  // namespace

const Family statistics{"statistics", "statistical", kinds};

}  // namespace smartcore
