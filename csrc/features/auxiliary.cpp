// Auxiliary series (funding, open interest, implied volatility ...): where a series stands against its own past, where it
// goes, and whether prices go with it. Nothing depends on the unit of a series. Values count when they became known.
#include "features/faded.hpp"
#include "features/families.hpp"

namespace smartcore {
namespace {

constexpr Param kSerie{"series", 0, std::size(kSeries) - 1.0, 'x', kSeries};
constexpr Param half_life(std::string_view name = "half_life") { return {name, kHalfLife, kLongest, 's'}; }
constexpr double number_of(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kSeries); ++i)
        if (kSeries[i] == name) return static_cast<double>(i);
    return -1;
}
constexpr double kFunding = number_of("funding"), kBasis = number_of("basis"), kOpenInterest = number_of("open_interest"),
                 kLongShort = number_of("long_short_ratio"), kTaker = number_of("taker_ratio"), kLiquidations = number_of("liquidations"),
                 kImplied = number_of("implied_volatility"), kSkew = number_of("skew"), kFearGreed = number_of("fear_greed"),
                 kExchangeFlow = number_of("exchange_flow"), kRate = number_of("rate");
constexpr double k1h = 3600, k4h = 14'400, k24h = 86'400, k7d = 604'800, k30d = 2'592'000;

struct Ear {
    explicit Ear(double series) : series(series) {}
    bool operator()(const Aux& e) const noexcept { return e.source == series; }
    double series;
};

// Mean, deviation and mean size of a series, and the newest value in deviations from those before.
struct Level {
    struct Told {
        double newest, mean, size, zscore;
    };
    Level(Graph&, double series, double half_life) : hears(series), moments(half_life), sizes(half_life) {}
    void update(const Aux& e, In, Out out) noexcept {
        if (!hears(e)) return;
        out[3] = (e.value - moments.mean) / moments.deviation();
        moments.push(e.ts, e.value);
        sizes.push(e.ts, std::fabs(e.value));
        out[0] = e.value, out[1] = moments.mean, out[2] = sizes.mean;
    }
    void update(const Bar&, In) noexcept {}  // its readers on bars shall find it among what bars wake
    Ear hears;
    FadedMoments moments, sizes;
};
struct Trend {
    Trend(Graph&, double series, double half_life) : hears(series), trend(half_life) {}
    void update(const Aux& e, In, Out out) noexcept {
        if (!hears(e)) return;
        trend.push(e.ts, e.value);
        out[0] = trend.value();
    }
    void update(const Bar&, In) noexcept {}
    Ear hears;
    FadedTrend trend;
};

struct AuxLevel {
    static constexpr Meta meta{
        .name = "aux_level", .doc = "The newest value in usual sizes of the series; unknown while all are 0.", .params = {kSerie, half_life()},
        .outputs = {{"", "value / faded mean |value|", "1"}},
        .defaults = {{kFunding, k7d}, {kBasis, k7d}, {kOpenInterest, k7d}, {kTaker, k24h}, {kImplied, k7d}, {kSkew, k7d}, {kFearGreed, k7d}},
        .source = "Mueller 2001"};
    static int warmup(Params) { return 1; }
    AuxLevel(Graph& g, Params p) : level(g.part<Level>(p[0], p[1])) {}
    void update(const Aux&, In in, Out out) noexcept {
        const Level::Told l = in(level);
        out[0] = l.size > 0 ? l.newest / l.size : kNaN;
    }
    Ref<Level> level;
};

struct AuxZscore {
    static constexpr Meta meta{
        .name = "aux_zscore", .doc = "The newest value in deviations from those before; unknown while they do not differ.", .params = {kSerie, half_life()},
        .outputs = {{"", "(value - faded mean before) / faded deviation before", "deviations"}},
        .defaults = {{kFunding, k24h}, {kFunding, k7d}, {kBasis, k24h}, {kOpenInterest, k7d}, {kLongShort, k7d}, {kTaker, k24h}, {kImplied, k7d},
                     {kImplied, k30d}, {kSkew, k7d}, {kFearGreed, k30d}, {kExchangeFlow, k7d}, {kRate, k30d}},
        .source = "Mueller 2001; Whaley 2000"};
    static int warmup(Params) { return 3; }
    AuxZscore(Graph& g, Params p) : level(g.part<Level>(p[0], p[1])) {}
    void update(const Aux&, In in, Out out) noexcept { out[0] = in(level).zscore; }
    Ref<Level> level;
};

struct AuxPercentile {
    static constexpr Meta meta{
        .name = "aux_percentile", .doc = "Rank of the newest value among the last ones.", .params = {kSerie, {"window", 2, 10'000}},
        .outputs = {{"", "share of the window below, ties half", "0..1", 0, 1}},
        .defaults = {{kFunding, 90}, {kBasis, 90}, {kLongShort, 90}, {kImplied, 90}, {kImplied, 250}, {kFearGreed, 90}},
        .source = "Hyndman and Fan 1996; Whaley 2000"};
    static int warmup(Params p) { return static_cast<int>(p[1]); }
    AuxPercentile(Graph& g, Params p) : hears(p[0]), n(count_of(p[1])), values(g.arena(), n) {}
    void update(const Aux& e, In in, Out out) noexcept {
        if (!hears(e)) return;
        values.push(in, e.value);
        const History::View v = values.view(in);
        if (v.has(n)) out[0] = rank_of(e.value, v.last(n), n);  // O(n), eight values at a time, and values are few
    }
    Ear hears;
    std::uint32_t n, unused = 0;
    History values;
};

struct AuxTrend {
    static constexpr Meta meta{
        .name = "aux_trend", .doc = "Which way the series goes: its net change as a share of the way it made, fading; unknown until the second value.",
        .params = {kSerie, half_life()}, .outputs = {{"", "faded sum of changes / of |changes|; 0 while it stands", "-1..1", -1, 1}},
        .defaults = {{kFunding, k24h}, {kBasis, k24h}, {kOpenInterest, k4h}, {kOpenInterest, k24h}, {kLongShort, k24h}, {kImplied, k7d}, {kFearGreed, k7d}, {kRate, k30d}},
        .source = "Kaufman 1995"};
    static int warmup(Params) { return 2; }
    AuxTrend(Graph& g, Params p) : trend(g.part<Trend>(p[0], p[1])) {}
    void update(const Aux&, In in, Out out) noexcept { out[0] = in(trend); }
    Ref<Trend> trend;
};

struct AuxAcceleration {
    static constexpr Meta meta{
        .name = "aux_acceleration", .doc = "Whether the series goes its way faster than before; unknown until the second value.",
        .params = {kSerie, half_life("fast"), half_life("slow")}, .outputs = {{"", "trend over the fast half-life - over the slow one", "-2..2", -2, 2}},
        .defaults = {{kFunding, k24h, k7d}, {kOpenInterest, k4h, k24h}, {kImplied, k7d, k30d}}, .source = "Kaufman 1995"};
    static int warmup(Params) { return 2; }
    AuxAcceleration(Graph& g, Params p) : fast(g.part<Trend>(p[0], p[1])), slow(g.part<Trend>(p[0], p[2])) {}
    void update(const Aux&, In in, Out out) noexcept { out[0] = in(fast) - in(slow); }
    Ref<Trend> fast, slow;
};

struct AuxVariability {
    static constexpr Meta meta{
        .name = "aux_variability", .doc = "How much the series moves from value to value, of its usual size; unknown while all are 0.",
        .params = {kSerie, half_life()}, .outputs = {{"", "faded mean |change| / faded mean |value|", "1", 0}},
        .defaults = {{kFunding, k7d}, {kOpenInterest, k24h}, {kImplied, k7d}}, .source = "Mueller 2001; Whaley 2009"};
    static int warmup(Params) { return 2; }
    AuxVariability(Graph& g, Params p) : hears(p[0]), level(g.part<Level>(p[0], p[1])), moves(p[1]) {}
    void update(const Aux& e, In in, Out out) noexcept {
        if (!hears(e)) return;
        if (known(before)) {
            moves.push(e.ts, std::fabs(e.value - before));
            const double size = in(level).size;
            out[0] = size > 1e-150 ? moves.mean / size : kNaN;  // 0 but for what is left of long ago
        }
        before = e.value;
    }
    Ear hears;
    Ref<Level> level;
    FadedMoments moves;
    double before = kNaN;
};

struct AuxPositiveShare {
    static constexpr Meta meta{
        .name = "aux_positive_share", .doc = "Share of values above 0, fading with a half-life; a 0 counts half.", .params = {kSerie, half_life()},
        .outputs = {{"", "faded share", "0..1", 0, 1}}, .defaults = {{kFunding, k7d}, {kBasis, k7d}, {kExchangeFlow, k7d}}, .source = "Mueller 2001"};
    static int warmup(Params) { return 1; }
    AuxPositiveShare(Graph&, Params p) : hears(p[0]), moments(p[1]) {}
    void update(const Aux& e, In, Out out) noexcept {
        if (!hears(e)) return;
        moments.push(e.ts, e.value > 0 ? 1 : e.value < 0 ? 0 : 0.5);
        out[0] = not_below(not_above(moments.mean, 1), 0);
    }
    Ear hears;
    FadedMoments moments;
};

struct AuxBalance {
    static constexpr Meta meta{
        .name = "aux_balance", .doc = "Which side of a flow weighs more, fading with a half-life.", .params = {kSerie, half_life()},
        .outputs = {{"", "faded sum of values / of |values|; 0 where all are 0", "-1..1", -1, 1}},
        .defaults = {{kLiquidations, k1h}, {kLiquidations, k24h}, {kExchangeFlow, k24h}}, .source = "Chordia, Roll, Subrahmanyam 2002"};
    static int warmup(Params) { return 1; }
    AuxBalance(Graph&, Params p) : hears(p[0]), flow(p[1]) {}
    void update(const Aux& e, In, Out out) noexcept {
        if (!hears(e)) return;
        flow.push(e.ts, e.value);
        out[0] = flow.value();
    }
    Ear hears;
    FadedBalance flow;
};

// ---- time passes and prices move: bars wake these too ----

struct AuxBurst {
    static constexpr Meta meta{
        .name = "aux_burst", .doc = "Whether a flow is larger than usual; unknown until the second value.",
        .params = {kSerie, half_life("fast"), half_life("slow")}, .outputs = {{"", "(fast - slow rate of |value|) / their sum", "-1..1", -1, 1}},
        .defaults = {{kLiquidations, k1h, k24h}, {kExchangeFlow, k24h, k7d}}, .source = "Hawkes 1971; Brunnermeier and Pedersen 2009"};
    static int warmup(Params) { return 2; }
    AuxBurst(Graph&, Params p) : hears(p[0]), fast(p[1]), slow(p[2]) {}
    void update(const Aux& e, In, Out out) noexcept {
        if (hears(e)) fast.push(e.ts, std::fabs(e.value)), slow.push(e.ts, std::fabs(e.value));
        out[0] = contrast(fast.value(e.ts), slow.value(e.ts));
    }
    void update(const Bar& b, In, Out out) noexcept { out[0] = contrast(fast.value(b.ts), slow.value(b.ts)); }
    Ear hears;
    FadedArrivals fast, slow;
};

struct AuxStaleness {
    static constexpr Meta meta{
        .name = "aux_staleness", .doc = "How long ago the last value was, against the usual gap between values; unknown until the second.",
        .params = {kSerie, {"gaps", 1, 10'000}}, .outputs = {{"", "age / (age + mean of the last gaps): 0 now, 0.5 after a usual gap", "0..1", 0, 1}},
        .defaults = {{kFunding, 20}, {kOpenInterest, 20}, {kImplied, 20}}, .source = "Engle and Russell 1998"};
    static int warmup(Params) { return 2; }
    AuxStaleness(Graph& g, Params p) : hears(p[0]), silence(g.arena(), p[1]) {}
    void update(const Aux& e, In in, Out out) noexcept {
        if (hears(e)) silence.push(in, e.ts);
        out[0] = silence.value(in, e.ts);
    }
    void update(const Bar& b, In in, Out out) noexcept { out[0] = silence.value(in, b.ts); }
    Ear hears;
    Silence silence;
};

struct AuxDivergence {
    static constexpr Meta meta{
        .name = "aux_divergence", .doc = "Where the series goes against where prices go; unknown until there were two values and two bars.",
        .params = {kSerie, half_life()},
        .outputs = {{"", "trend of the series - faded log return / faded |log return|", "-2..2", -2, 2}},
        .defaults = {{kFunding, k24h}, {kOpenInterest, k24h}, {kLongShort, k24h}, {kImplied, k7d}}, .source = "Kaufman 1995; Whaley 2009"};
    static int warmup(Params) { return 4; }  // about: two values and two bars
    AuxDivergence(Graph& g, Params p) : trend(g.part<Trend>(p[0], p[1])), price(g.part<PriceMoves>(p[1])) {}
    void update(const Aux&, In in, Out out) noexcept { out[0] = in(trend) - in(price).balance; }
    void update(const Bar&, In in, Out out) noexcept { out[0] = in(trend) - in(price).balance; }
    Ref<Trend> trend;
    Ref<PriceMoves> price;
};

struct AuxPriceCorrelation {
    static constexpr Meta meta{
        .name = "aux_price_correlation", .doc = "Whether the series and prices move together from value to value; unknown while either stands.",
        .params = {kSerie, half_life()},
        .outputs = {{"", "faded sum of change times log return since the value before / root of both sums of squares", "-1..1", -1, 1}},
        .defaults = {{kFunding, k7d}, {kOpenInterest, k7d}, {kImplied, k30d}}, .source = "Black 1976; Whaley 2000"};
    static int warmup(Params) { return 4; }  // about: two values, a bar before each
    AuxPriceCorrelation(Graph&, Params p) : hears(p[0]), fading(p[1]) {}
    void update(const Aux& e, In, Out out) noexcept {
        if (!hears(e) || !known(close)) return;
        if (known(close_before)) {
            const double f = fading.left(last, e.ts), d = e.value - before, r = log_ratio(close, close_before);
            both = none_of_nothing(both * f) + d * r;
            series = none_of_nothing(series * f) + d * d;
            price = none_of_nothing(price * f) + r * r;
            const double size = std::sqrt(series) * std::sqrt(price);
            out[0] = size > 0 ? share(both, size) : kNaN;
        }
        before = e.value, close_before = close, last = e.ts;
    }
    void update(const Bar& b, In) noexcept { close = b.close; }
    Ear hears;
    Fading fading;
    std::int64_t last = 0;
    double before = 0, close = kNaN, close_before = kNaN, both = 0, series = 0, price = 0;
};

struct FundingCarry {
    static constexpr Meta meta{
        .name = "funding_carry", .doc = "What a long position in a perpetual pays in funding over a year, and that against what its price moves in a year; the second is unknown while prices stand.",
        .params = {{"interval", 1, 604'800, 's'}, half_life()},
        .outputs = {{"", "faded mean funding times intervals in a year", "fraction per year"},
                    {"to_risk", "the same / (faded realised volatility per root of a year)", "1"}},
        .defaults = {{28'800, k24h}, {28'800, k7d}}, .source = "He, Manela, Ross, von Wachter 2022; Koijen, Moskowitz, Pedersen, Vrugt 2018"};
    static int warmup(Params) { return 1; }
    FundingCarry(Graph& g, Params p) : times(kYear / p[0]), funding(g.part<Level>(kFunding, p[1])), price(g.part<PriceMoves>(p[1])) {}
    void update(const Aux&, In in, Out out) noexcept { tell(in, out); }
    void update(const Bar&, In in, Out out) noexcept { tell(in, out); }
    void tell(In in, Out out) const noexcept {
        const double carry = in(funding).mean * times, variance = in(price).variance;
        out[0] = carry;
        out[1] = variance > 0 ? carry / std::sqrt(variance * kYear) : kNaN;
    }
    double times;
    Ref<Level> funding;
    Ref<PriceMoves> price;
};

struct VolatilityPremium {
    static constexpr Meta meta{
        .name = "volatility_premium", .doc = "Implied volatility less what prices did; unknown until there were a value and three bars.", .params = {half_life()},
        .outputs = {{"", "implied volatility / 100 - faded realised volatility of closes per root of a year (365 days)", "volatility"}},
        .defaults = {{k24h}, {k7d}}, .source = "Carr and Wu 2009; Bollerslev, Tauchen, Zhou 2009"};
    static int warmup(Params) { return 3; }  // about: a value and two bars
    explicit VolatilityPremium(Graph& g, Params p) : hears(kImplied), price(g.part<PriceMoves>(p[0])) {}
    void update(const Aux& e, In in, Out out) noexcept {
        if (hears(e)) implied = e.value;
        out[0] = implied / 100 - std::sqrt(in(price).variance * kYear);
    }
    void update(const Bar&, In in, Out out) noexcept { out[0] = implied / 100 - std::sqrt(in(price).variance * kYear); }
    Ear hears;
    Ref<PriceMoves> price;
    double implied = kNaN;
};

struct OpenInterestQuadrant {
    static constexpr Meta meta{
        .name = "open_interest_quadrant", .doc = "Whether a move of prices is made by new positions or by closed ones; unknown until there were two values and two bars.",
        .params = {half_life()},
        .outputs = {{"opening", "trend of open interest where up, else 0, times share of the way prices made: > 0 longs are built, < 0 shorts", "-1..1", -1, 1},
                    {"closing", "trend of open interest where down, else 0, turned, times the same: > 0 shorts are covered, < 0 longs are sold", "-1..1", -1, 1}},
        .defaults = {{k4h}, {k24h}}, .source = "Bessembinder and Seguin 1993"};
    static int warmup(Params) { return 4; }  // about: two values and two bars
    OpenInterestQuadrant(Graph& g, Params p) : trend(g.part<Trend>(kOpenInterest, p[0])), price(g.part<PriceMoves>(p[0])) {}
    void update(const Aux&, In in, Out out) noexcept { tell(in, out); }
    void update(const Bar&, In in, Out out) noexcept { tell(in, out); }
    void tell(In in, Out out) const noexcept {
        const double t = in(trend), r = in(price).balance;
        const bool both = known(t) && known(r);
        out[0] = both ? not_below(t, 0) * r : kNaN;
        out[1] = both ? not_below(-t, 0) * r : kNaN;
    }
    Ref<Trend> trend;
    Ref<PriceMoves> price;
};

constexpr Kind kinds[] = {kind<AuxLevel>, kind<AuxZscore>, kind<AuxPercentile>, kind<AuxTrend>, kind<AuxAcceleration>, kind<AuxVariability>,
                          kind<AuxPositiveShare>, kind<AuxBalance>, kind<AuxBurst>, kind<AuxStaleness>, kind<AuxDivergence>,
                          kind<AuxPriceCorrelation>, kind<FundingCarry>, kind<VolatilityPremium>, kind<OpenInterestQuadrant>};
}  // namespace

const Family auxiliary{"auxiliary", "sentiment", kinds};

}  // namespace smartcore
