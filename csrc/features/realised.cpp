// Realised variance and what it is made of: jumps, halves, higher moments, its own change.
#include "features/families.hpp"
#include "features/returns.hpp"

namespace smartcore {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kBipower = kPi / 2;                                    // E|a||b| of normals is 2 / pi
constexpr double kMed = kPi / (6 - 4 * 1.7320508075688772 + kPi);       // Andersen, Dobrev, Schaumburg 2012
constexpr double kMin = kPi / (kPi - 2);                                // so here
constexpr double kTheta = kPi * kPi / 4 + kPi - 5;                      // variance of the jump ratio

// Products of a return with the ones before it, about zero as realised variance takes them.
struct Powers {
    struct Told {
        double square, up, two, least, middle, four, cube, fourth;
    };
    explicit Powers(Graph& g) : r(g.part<LogReturn>()) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r), a = std::fabs(x), xx = x * x;
        const double low = not_above(a, a1), high = not_below(a, a1), middle = not_below(low, not_above(high, a2));
        out[0] = known(a3) ? xx : kNaN;
        out[1] = where(x > 0, xx);
        out[2] = a * a1;
        out[3] = low * low;
        out[4] = middle * middle;
        out[5] = (a * a1) * (a2 * a3);
        out[6] = xx * x;
        out[7] = xx * xx;
        a3 = a2, a2 = a1, a1 = a;
    }
    static Totals<8> aggregate(const Told& t) noexcept {
        return {{t.square, t.up, t.two, t.least, t.middle, t.four, t.cube, t.fourth}};
    }
    Ref<LogReturn> r;
    double a1 = kNaN, a2 = kNaN, a3 = kNaN;
};
using PowerSums = Window<Powers, Totals<8>>;
inline int power_warmup(Params p) { return static_cast<int>(p[0]) + 4; }  // three returns stand before the window

// Sums over the window by their names.
struct Variation {
    explicit Variation(const Totals<8>& t) noexcept
        : square(t.sum[0]), up(t.sum[1]), bipower(kBipower * t.sum[2]), least(kMin * t.sum[3]), middle(kMed * t.sum[4]),
          four(kBipower * kBipower * t.sum[5]), cube(t.sum[6]), fourth(t.sum[7]) {}
    double square, up, bipower, least, middle, four, cube, fourth;
};

constexpr Param kWindow{"window", 2, 100'000};

struct Bipower {
    static constexpr Meta meta{
        .name = "bipower_volatility", .doc = "Realised volatility without jumps: root of the bipower variation.", .params = {kWindow},
        .outputs = {{"", "sqrt(pi/2 sum |r[t]| |r[t-1]|) over the window", "log", 0}}, .defaults = {{20}, {100}},
        .source = "Barndorff-Nielsen and Shephard 2004"};
    static int warmup(Params p) { return power_warmup(p); }
    Bipower(Graph& g, Params p) : sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(Variation(in(sums)).bipower); }
    Ref<PowerSums> sums;
};

struct JumpShare {
    static constexpr Meta meta{
        .name = "jump_share", .doc = "Share of the realised variance that came in jumps; below 0 by chance where there were none.",
        .params = {kWindow}, .outputs = {{"", "1 - bipower variation / realised variance; unknown when flat", "fraction", -kInf, 1}},
        .defaults = {{20}, {100}}, .source = "Huang and Tauchen 2005"};
    static int warmup(Params p) { return power_warmup(p); }
    JumpShare(Graph& g, Params p) : sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        out[0] = 1 - v.bipower / v.square;
    }
    Ref<PowerSums> sums;
};

struct MedRv {
    static constexpr Meta meta{
        .name = "medrv", .doc = "MedRV, variance by medians of three returns, as a share of realised variance.", .params = {kWindow},
        .outputs = {{"", "pi / (6 - 4 sqrt 3 + pi) sum median(|r[t]|, |r[t-1]|, |r[t-2]|)^2 / sum r^2; unknown when flat", "ratio", 0}},
        .defaults = {{20}, {100}}, .source = "Andersen, Dobrev, Schaumburg 2012"};
    static int warmup(Params p) { return power_warmup(p); }
    MedRv(Graph& g, Params p) : sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        out[0] = ratio(v.middle, v.square);
    }
    Ref<PowerSums> sums;
};

struct MinRv {
    static constexpr Meta meta{
        .name = "minrv", .doc = "MinRV, variance by the lesser of two returns, as a share of realised variance.", .params = {kWindow},
        .outputs = {{"", "pi / (pi - 2) sum min(|r[t]|, |r[t-1]|)^2 / sum r^2; unknown when flat", "ratio", 0}},
        .defaults = {{20}, {100}}, .source = "Andersen, Dobrev, Schaumburg 2012"};
    static int warmup(Params p) { return power_warmup(p); }
    MinRv(Graph& g, Params p) : sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        out[0] = ratio(v.least, v.square);
    }
    Ref<PowerSums> sums;
};

struct Quarticity {
    static constexpr Meta meta{
        .name = "quarticity", .doc = "How unevenly the variance came, jumps aside: quad-power quarticity over bipower variation.",
        .params = {kWindow},
        .outputs = {{"", "sqrt(n (pi/2)^2 sum |r[t] r[t-1] r[t-2] r[t-3]|) / bipower variation; unknown when that is 0", "ratio", 0}},
        .defaults = {{20}, {100}}, .source = "Barndorff-Nielsen and Shephard 2004"};
    static int warmup(Params p) { return power_warmup(p); }
    Quarticity(Graph& g, Params p) : n(p[0]), sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        out[0] = ratio(std::sqrt(n * v.four), v.bipower);
    }
    double n;
    Ref<PowerSums> sums;
};

struct JumpTest {
    static constexpr Meta meta{
        .name = "bns_jump", .doc = "Jump test in its ratio form: about a standard normal without jumps, large with them.",
        .params = {kWindow},
        .outputs = {{"", "jump_share / sqrt((pi^2/4 + pi - 5) / n max(1, quarticity^2)); unknown when flat", "deviations"}},
        .defaults = {{20}, {100}}, .source = "Barndorff-Nielsen and Shephard 2006; Huang and Tauchen 2005"};
    static int warmup(Params p) { return power_warmup(p); }
    JumpTest(Graph& g, Params p) : n(p[0]), sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        const double uneven = not_below(n * v.four / (v.bipower * v.bipower), 1);  // 1 where the bipower variation is 0
        out[0] = (1 - v.bipower / v.square) / std::sqrt(kTheta / n * uneven);
    }
    double n;
    Ref<PowerSums> sums;
};

struct SignedJump {
    static constexpr Meta meta{
        .name = "signed_jump", .doc = "Signed jump variation: variance of rises less that of falls, as a share of both.", .params = {kWindow},
        .outputs = {{"", "(sum r^2 of rises - sum r^2 of falls) / sum r^2; unknown when flat", "-1..1", -1, 1}}, .defaults = {{20}, {100}},
        .source = "Patton and Sheppard 2015"};
    static int warmup(Params p) { return power_warmup(p); }
    SignedJump(Graph& g, Params p) : sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        out[0] = (2 * v.up - v.square) / v.square;
    }
    Ref<PowerSums> sums;
};

struct RealisedSkewness {
    static constexpr Meta meta{
        .name = "realised_skewness", .doc = "Realised skewness: cubed returns about zero over the realised variance.", .params = {kWindow},
        .outputs = {{"", "sqrt(n) sum r^3 / (sum r^2)^1.5; unknown when flat", "number"}}, .defaults = {{20}, {100}},
        .source = "Amaya, Christoffersen, Jacobs, Vasquez 2015"};
    static int warmup(Params p) { return power_warmup(p); }
    RealisedSkewness(Graph& g, Params p) : root(std::sqrt(p[0])), sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        out[0] = root * v.cube / (v.square * std::sqrt(v.square));
    }
    double root;
    Ref<PowerSums> sums;
};

struct RealisedKurtosis {
    static constexpr Meta meta{
        .name = "realised_kurtosis", .doc = "Realised kurtosis: fourth powers of returns over the squared realised variance.",
        .params = {kWindow}, .outputs = {{"", "n sum r^4 / (sum r^2)^2; unknown when flat", "number", 0}}, .defaults = {{20}, {100}},
        .source = "Amaya, Christoffersen, Jacobs, Vasquez 2015"};
    static int warmup(Params p) { return power_warmup(p); }
    RealisedKurtosis(Graph& g, Params p) : n(p[0]), sums(g.part<PowerSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Variation v(in(sums));
        out[0] = n * v.fourth / (v.square * v.square);
    }
    double n;
    Ref<PowerSums> sums;
};

// A return in deviations that the returns before it lead one to expect, jumps among them aside.
struct Surprise {
    Surprise(Graph& g, double n) : mean(kBipower / n), r(g.part<LogReturn>()), sums(g.part<PowerSums>(n)) {}
    void update(const Bar&, In in, Out out) noexcept {
        out[0] = before > 0 ? in(r) / std::sqrt(before) : kNaN;
        out[1] = known(before);
        before = mean * in(sums).sum[2];
    }
    struct Told {
        double value, ready;  // ready: 1 from the first bar on that has a window before it
    };
    double mean;
    Ref<LogReturn> r;
    Ref<PowerSums> sums;
    double before = kNaN;
};

struct LeeMykland {
    static constexpr Meta meta{
        .name = "lee_mykland", .doc = "Lee-Mykland statistic: the return in deviations of the bars before it, by their bipower variation.",
        .params = {kWindow}, .outputs = {{"", "r / sqrt(bipower variation of the window before / n); unknown when that is 0", "deviations"}},
        .defaults = {{20}, {100}}, .source = "Lee and Mykland 2008"};
    static int warmup(Params p) { return power_warmup(p) + 1; }
    LeeMykland(Graph& g, Params p) : surprise(g.part<Surprise>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(surprise).value; }
    Ref<Surprise> surprise;
};

struct JumpRate {
    static constexpr double kJump = 3;  // a normal return is beyond it once in 370 bars
    static constexpr Meta meta{
        .name = "jump_rate", .doc = "How often jumps came: share of bars whose Lee-Mykland statistic was beyond 3.",
        .params = {kWindow, {"of", 2, 100'000}},
        .outputs = {{"", "share of the last `window` bars with |lee_mykland| over `of` bars above 3", "0..1", 0, 1}}, .defaults = {{100, 20}},
        .source = "Lee and Mykland 2008"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) + 4; }
    JumpRate(Graph& g, Params p) : n(p[0]), surprise(g.part<Surprise>(p[1])), jumps(g.arena(), count_of(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const auto s = in(surprise);
        if (!(s.ready > 0)) return;
        const double sum = jumps.push(in, {std::fabs(s.value) > kJump ? 1.0 : 0.0}).sum;
        if (jumps.full()) out[0] = sum / n;
    }
    double n;
    Ref<Surprise> surprise;
    Sliding<Sum> jumps;
};

struct VolatilityOfVolatility {
    static constexpr Meta meta{
        .name = "volatility_of_volatility", .doc = "How much realised volatility moved: its deviation over its mean.",
        .params = {kWindow, {"history", 2, 100'000}},
        .outputs = {{"", "deviation (population) / mean of the last `history` values of sqrt(sum r^2) over `window`; unknown when flat", "ratio", 0}},
        .defaults = {{10, 50}, {50, 200}}, .source = "Corsi, Mittnik, Pigorsch, Pigorsch 2008"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    VolatilityOfVolatility(Graph& g, Params p) : n(p[1]), sum(g.part<Window<SquaredReturn, Sum>>(p[0])), values(g.arena(), count_of(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(sum).sum;
        if (!known(x)) return;
        const Moments2 m = values.push(in, std::sqrt(x));
        if (values.full()) out[0] = m.mean > 0 ? std::sqrt(m.m2 / n) / m.mean : kNaN;
    }
    double n;
    Ref<Window<SquaredReturn, Sum>> sum;
    Anchored<Moments2> values;
};

struct EwmaVolatilityRatio {
    static constexpr Meta meta{
        .name = "ewma_volatility_ratio", .doc = "Fast over slow exponentially weighted volatility.",
        .params = {{"fast", 2, 10'000}, {"slow", 2, 10'000}},
        .outputs = {{"", "sqrt(EMA r^2 over `fast` / EMA r^2 over `slow`); unknown when flat", "ratio", 0}}, .defaults = {{5, 50}, {20, 100}},
        .source = "RiskMetrics 1996"};
    static int warmup(Params p) { return static_cast<int>(p[0] > p[1] ? p[0] : p[1]) + 1; }
    EwmaVolatilityRatio(Graph& g, Params p) : fast(g.part<Ema<SquaredReturn>>(p[0])), slow(g.part<Ema<SquaredReturn>>(p[1])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double a = in(fast).value, b = in(slow).value, r = std::sqrt(a / b);
        out[0] = b > 1e-150 ? r : kNaN;  // after a thousand bars without a move there is nothing left to compare
    }
    Ref<Ema<SquaredReturn>> fast, slow;
};

struct RealisedRatio {
    static constexpr Meta meta{
        .name = "realised_ratio", .doc = "Realised volatility of a short over that of a long horizon, the components of a HAR model.",
        .params = {{"fast", 1, 100'000}, {"slow", 1, 100'000}},
        .outputs = {{"", "sqrt(mean r^2 over `fast` / mean r^2 over `slow`); unknown when the long one is flat", "ratio", 0}},
        .defaults = {{5, 20}, {10, 50}, {50, 250}}, .source = "Corsi 2009"};
    static int warmup(Params p) { return static_cast<int>(p[0] > p[1] ? p[0] : p[1]) + 1; }
    RealisedRatio(Graph& g, Params p)
        : scale(p[1] / p[0]), fast(g.part<Window<SquaredReturn, Sum>>(p[0])), slow(g.part<Window<SquaredReturn, Sum>>(p[1])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(scale * ratio(in(fast).sum, in(slow).sum)); }
    double scale;
    Ref<Window<SquaredReturn, Sum>> fast, slow;
};

struct Leverage {
    using Pairs = Window<Beside<LogReturn, AbsReturn, 1>, Comoments>;
    static constexpr Meta meta{
        .name = "leverage", .doc = "Leverage effect: whether falls or rises are followed by larger moves.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of the last `window` pairs (r[t-1], |r[t]|); unknown when flat", "-1..1", -1, 1}},
        .defaults = {{50}, {200}}, .source = "Bouchaud, Matacz, Potters 2001"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    Leverage(Graph& g, Params p) : window(g.part<Pairs>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Pairs> window;
};

struct RangeToReturn {
    static constexpr Meta meta{
        .name = "range_to_return", .doc = "Volatility by ranges over volatility by returns: above 1 where moves within bars were taken back.",
        .params = {kWindow},
        .outputs = {{"", "sqrt(sum ln(high/low)^2 / (4 ln 2) / sum r^2); unknown when flat", "ratio", 0}}, .defaults = {{20}, {100}},
        .source = "Parkinson 1980; Christensen and Podolskij 2007"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    RangeToReturn(Graph& g, Params p) : ranges(g.part<Window<SquaredRange, Sum>>(p[0])), squares(g.part<Window<SquaredReturn, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        out[0] = std::sqrt(ratio(in(ranges).sum, in(squares).sum) / (4 * 0.6931471805599453));
    }
    Ref<Window<SquaredRange, Sum>> ranges;
    Ref<Window<SquaredReturn, Sum>> squares;
};

constexpr Kind kinds[] = {kind<Bipower>, kind<JumpShare>, kind<MedRv>, kind<MinRv>, kind<Quarticity>, kind<JumpTest>,
                          kind<SignedJump>, kind<RealisedSkewness>, kind<RealisedKurtosis>, kind<LeeMykland>, kind<JumpRate>,
                          kind<VolatilityOfVolatility>, kind<EwmaVolatilityRatio>, kind<RealisedRatio>, kind<Leverage>,
                          kind<RangeToReturn>};
}  // namespace

const Family realised{"realised", "statistical", kinds};

}  // namespace smartcore
