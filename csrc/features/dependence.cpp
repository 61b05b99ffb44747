// What returns remember: of themselves, of their size, of the level, of volume; order in time.
#include "features/families.hpp"
#include "features/returns.hpp"

namespace smartcore {
namespace {

// ---- products of returns with earlier ones, about zero ----

struct Products {
    static constexpr std::uint32_t kLags = 7;
    struct Told {
        double product[1 + kLags];
    };
    explicit Products(Graph& g) : r(g.part<LogReturn>()) {
        for (double& p : past) p = kNaN;
    }
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        out[0] = known(past[kLags - 1]) ? x * x : kNaN;
        for (std::uint32_t k = 0; k < kLags; ++k) out[1 + k] = x * past[k];
        for (std::uint32_t k = kLags - 1; k > 0; --k) past[k] = past[k - 1];
        past[0] = x;
    }
    static Totals<8> aggregate(const Told& t) noexcept {
        const double* p = t.product;
        return {{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]}};
    }
    Ref<LogReturn> r;
    double past[kLags];
};
using ProductSums = Window<Products, Totals<8>>;
inline int product_warmup(Params p) { return static_cast<int>(p[0]) + 8; }

struct ReturnAutocorrelation {
    static constexpr Meta meta{
        .name = "return_autocorrelation", .doc = "Autocorrelation of log returns at further lags, about zero.",
        .params = {{"window", 2, 100'000}, {"lag", 1, 7}},
        .outputs = {{"", "sum r[t] r[t-lag] / sum r[t]^2 over the window; unknown when flat", "number"}},
        .defaults = {{100, 2}, {100, 3}, {100, 5}}, .source = "Box, Jenkins, Reinsel 2008, 2.1"};
    static int warmup(Params p) { return product_warmup(p); }
    ReturnAutocorrelation(Graph& g, Params p) : lag(count_of(p[1])), sums(g.part<ProductSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = ratio(in.lane(sums.lane + lag), in.lane(sums.lane)); }
    std::uint32_t lag;
    Ref<ProductSums> sums;
};

struct LjungBox {
    static constexpr Meta meta{
        .name = "ljung_box", .doc = "Ljung-Box statistic: how much the first autocorrelations of log returns are together.",
        .params = {{"window", 8, 100'000}, {"lags", 1, 7}},
        .outputs = {{"", "n (n + 2) sum return_autocorrelation^2 / (n - lag) over the first `lags`; unknown when flat", "number", 0}},
        .defaults = {{100, 5}, {250, 5}}, .source = "Ljung and Box 1978"};
    static int warmup(Params p) { return product_warmup(p); }
    LjungBox(Graph& g, Params p) : n(p[0]), lags(count_of(p[1])), sums(g.part<ProductSums>(p[0])) {
        for (std::uint32_t k = 0; k < 8; ++k) weight[k] = k >= 1 && k <= lags ? n * (n + 2) / (n - k) : 0;
    }
    void update(const Bar&, In in, Out out) const noexcept {
        const Totals<8> s = in(sums);
        const double scale = ratio(1, s.sum[0]);
        double q = 0;
        for (std::uint32_t k = 1; k < 8; ++k) q += weight[k] * ((s.sum[k] * scale) * (s.sum[k] * scale));
        out[0] = q;
    }
    double n, weight[8];
    std::uint32_t lags;
    Ref<ProductSums> sums;
};

struct PartialAutocorrelation {
    static constexpr Meta meta{
        .name = "partial_autocorrelation", .doc = "What the return two bars before says beyond the last one.", .params = {{"window", 4, 100'000}},
        .outputs = {{"", "(a2 - a1^2) / (1 - a1^2), return_autocorrelation at lags 1 and 2; unknown when flat or when |a1| is 1 or more", "number"}},
        .defaults = {{100}}, .source = "Box, Jenkins, Reinsel 2008, 3.2"};
    static int warmup(Params p) { return product_warmup(p); }
    PartialAutocorrelation(Graph& g, Params p) : sums(g.part<ProductSums>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double all = in.lane(sums.lane), a1 = ratio(in.lane(sums.lane + 1), all), a2 = ratio(in.lane(sums.lane + 2), all);
        const double left = 1 - a1 * a1;
        out[0] = left > 1e-6 ? (a2 - a1 * a1) / left : kNaN;  // below, rounding would be the answer
    }
    Ref<ProductSums> sums;
};

struct LowFrequency {
    static constexpr Meta meta{
        .name = "low_frequency", .doc = "Share of the variance of returns in swings of more than eight bars, from the smoothed spectrum: 1/4 where nothing repeats.",
        .params = {{"window", 8, 100'000}},
        .outputs = {{"", "integral to 1/8 cycle a bar of the spectrum with Bartlett weights over 7 lags, over all of it; unknown when flat", "number"}},
        .defaults = {{100}, {250}}, .source = "Blackman and Tukey 1958; Bartlett 1950"};
    static int warmup(Params p) { return product_warmup(p); }
    LowFrequency(Graph& g, Params p) : sums(g.part<ProductSums>(p[0])) {
        for (int k = 1; k < 8; ++k) weight[k] = 2 * (1 - k / 8.0) * std::sin(k * kQuarter) / (k * 4 * kQuarter);
    }
    void update(const Bar&, In in, Out out) const noexcept {
        const Totals<8> s = in(sums);
        double sum = 0.25 * s.sum[0];
        for (int k = 1; k < 8; ++k) sum += weight[k] * s.sum[k];
        out[0] = ratio(sum, s.sum[0]);
    }
    static constexpr double kQuarter = 0.78539816339744830962;  // pi / 4
    double weight[8] = {};
    Ref<ProductSums> sums;
};

struct TimeReversal {
    struct Difference {
        explicit Difference(Graph& g) : r(g.part<LogReturn>()) {}
        void update(const Bar&, In in, Out out) noexcept {
            const double x = in(r);
            out[0] = x * last * (x - last);
            last = x;
        }
        Ref<LogReturn> r;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "time_reversal", .doc = "Whether the returns would look otherwise backwards: asymmetry under reversal of time.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "sqrt(n) sum (r[t]^2 r[t-1] - r[t] r[t-1]^2) / (sum r^2)^1.5; unknown when flat", "number"}}, .defaults = {{100}, {250}},
        .source = "Ramsey and Rothman 1996"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    TimeReversal(Graph& g, Params p)
        : root(std::sqrt(p[0])), differences(g.part<Window<Difference, Sum>>(p[0])), squares(g.part<Window<SquaredReturn, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double all = in(squares).sum;
        out[0] = root * ratio(in(differences).sum, all * std::sqrt(all));
    }
    double root;
    Ref<Window<Difference, Sum>> differences;
    Ref<Window<SquaredReturn, Sum>> squares;
};

// ---- memory of the size of moves ----

// Correlation of a source with itself `lag` bars before.
template <class S>
struct Recall {
    Recall(Graph& g, Params p) : source(g.part<S>()), past(g.arena(), count_of(p[1])), window(g.arena(), count_of(p[0])), lag(count_of(p[1])) {}
    void update(In in, Out out) noexcept {
        const double x = in(source);
        if (!known(x)) return;
        const auto before = past.view(in);
        if (before.has(lag)) {
            const Comoments c = window.push(in, {before.ago(lag - 1), x});
            if (window.full()) out[0] = c.correlation();
        }
        past.push(in, x);
    }
    Ref<S> source;
    History past;
    Anchored<Comoments> window;
    std::uint64_t lag;
};

struct SquaredMove {  // the same for a move and for the same move back
    explicit SquaredMove(Graph& g) : size(g.part<AbsReturn>()) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(size) * in(size); }
    Ref<AbsReturn> size;
};

struct AbsoluteAutocorrelation {
    static constexpr Meta meta{
        .name = "absolute_autocorrelation", .doc = "Clustering of volatility: correlation of the size of a return with that of an earlier one.",
        .params = {{"window", 3, 100'000}, {"lag", 1, 1'000}},
        .outputs = {{"", "correlation of the last `window` pairs (|r[t-lag]|, |r[t]|); unknown when flat", "-1..1", -1, 1}},
        .defaults = {{100, 1}, {100, 5}}, .source = "Ding, Granger, Engle 1993"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) + 1; }
    AbsoluteAutocorrelation(Graph& g, Params p) : memory(g, p) {}
    void update(const Bar&, In in, Out out) noexcept { memory.update(in, out); }
    Recall<AbsReturn> memory;
};
struct SquaredAutocorrelation {
    static constexpr Meta meta{
        .name = "squared_autocorrelation", .doc = "Memory of the variance: correlation of a squared return with an earlier one.",
        .params = {{"window", 3, 100'000}, {"lag", 1, 1'000}},
        .outputs = {{"", "correlation of the last `window` pairs (r[t-lag]^2, r[t]^2); unknown when flat", "-1..1", -1, 1}},
        .defaults = {{200, 1}}, .source = "Engle 1982; McLeod and Li 1983"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) + 1; }
    SquaredAutocorrelation(Graph& g, Params p) : memory(g, p) {}
    void update(const Bar&, In in, Out out) noexcept { memory.update(in, out); }
    Recall<SquaredMove> memory;
};

struct VolatilityTrend {
    static constexpr Meta meta{
        .name = "volatility_trend", .doc = "Whether moves have been growing: correlation of their size with time.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of |r| with its place in the window; unknown when flat", "-1..1", -1, 1}}, .defaults = {{50}, {200}},
        .source = "Cox and Stuart 1955"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    VolatilityTrend(Graph& g, Params p) : sxx(Line::sxx(p[0])), window(g.part<Window<AbsReturn, Line>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Line l = in(window);
        out[0] = l.m2 > 0 ? not_below(not_above(l.sxy / std::sqrt(sxx * l.m2), 1), -1) : kNaN;
    }
    double sxx;
    Ref<Window<AbsReturn, Line>> window;
};

// ---- variances over several horizons ----

// Returns over q bars, overlapping, all within the last n bars: n - q + 1 of them.
struct LongReturns {
    using Told = Moments2;
    LongReturns(Graph& g, double n, double q) : closes(past<Close>(g, q + 1)), window(g.arena(), count_of(n - q + 1)), q(count_of(q)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(closes);
        if (!past.has(q + 1)) return;
        const Moments2 m = window.push(in, log_ratio(b.close, past.ago(q)));
        if (window.full()) tell(out, m);
    }
    Ref<Past<Close>> closes;
    Anchored<Moments2> window;
    std::uint64_t q;
};
// Variance of returns over q bars, by unbiased overlapping estimate, over that of one bar.
struct Ratio {
    Ratio(Graph& g, double n, double q)
        : n(n), q(q), scale((n - 1) / (q * (n - q + 1) * (1 - q / n))), one(g.part<Window<LogReturn, Moments2>>(n)), many(g.part<LongReturns>(n, q)) {}
    double operator()(In in) const noexcept {
        const Moments2 a = in(one), b = in(many);
        const double d = b.mean - q * a.mean;
        return scale * ratio(b.m2 + (n - q + 1) * (d * d), a.m2);
    }
    double n, q, scale;
    Ref<Window<LogReturn, Moments2>> one;
    Ref<LongReturns> many;
};

struct VarianceRatio {
    static constexpr Meta meta{
        .name = "variance_ratio", .doc = "Variance of returns over `horizon` bars against that over one: above 1 where moves go on, below where they turn back.",
        .params = {{"window", 64, 100'000}, {"horizon", 2, 32}},
        .outputs = {{"", "unbiased overlapping variance over `horizon` bars / (horizon variance of one); unknown when flat", "ratio", 0}},
        .defaults = {{100, 2}, {100, 4}, {100, 8}, {250, 8}}, .source = "Lo and MacKinlay 1988"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    VarianceRatio(Graph& g, Params p) : vr(g, p[0], p[1]) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = vr(in); }
    Ratio vr;
};

struct VarianceRatioZ {
    // Products of squared returns: what the variance of an autocorrelation is made of where volatility changes.
    struct Squares {
        struct Told {
            double product[8];
        };
        explicit Squares(Graph& g) : products(g.part<Products>()) {}
        void update(const Bar&, In in, Out out) const noexcept {
            const auto p = in(products);
            for (int k = 0; k < 8; ++k) out[k] = p.product[k] * p.product[k];
        }
        static Totals<8> aggregate(const Told& t) noexcept {
            const double* p = t.product;
            return {{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]}};
        }
        Ref<Products> products;
    };
    using Sums = Window<Squares, Totals<8>>;
    static constexpr Meta meta{
        .name = "variance_ratio_z", .doc = "Variance ratio in deviations that a random walk with changing volatility would have.",
        .params = {{"window", 64, 100'000}, {"horizon", 2, 8}},
        .outputs = {{"", "(variance_ratio - 1) / sqrt(sum (2 (1 - lag/horizon))^2 sum r[t]^2 r[t-lag]^2) sum r^2, lags below `horizon`; unknown when flat", "deviations"}},
        .defaults = {{100, 2}, {100, 8}}, .source = "Lo and MacKinlay 1988"};
    static int warmup(Params p) { return product_warmup(p); }
    VarianceRatioZ(Graph& g, Params p) : vr(g, p[0], p[1]), products(g.part<ProductSums>(p[0])), squares(g.part<Sums>(p[0])) {
        for (int k = 1; k < 8; ++k) weight[k] = k < p[1] ? 4 * (1 - k / p[1]) * (1 - k / p[1]) : 0;
    }
    void update(const Bar&, In in, Out out) const noexcept {
        const Totals<8> s = in(squares);
        double sum = 0;
        for (int k = 1; k < 8; ++k) sum += weight[k] * s.sum[k];
        out[0] = (vr(in) - 1) * ratio(in.lane(products.lane), std::sqrt(sum));
    }
    double weight[8] = {};
    Ratio vr;
    Ref<ProductSums> products;
    Ref<Sums> squares;
};

struct Hurst {
    static constexpr Meta meta{
        .name = "hurst", .doc = "Hurst exponent: how fast variance grows with the horizon. 0.5 for a random walk, above where moves go on.",
        .params = {{"window", 64, 100'000}},
        .outputs = {{"", "half the slope of ln variance on ln horizon over 1, 2, 4 and 8 bars; unknown when one of them is 0", "number"}},
        .defaults = {{100}, {250}}, .source = "Taqqu, Teverovsky, Willinger 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Hurst(Graph& g, Params p) : two(g, p[0], 2), four(g, p[0], 4), eight(g, p[0], 8) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double a = two(in), b = four(in), c = eight(in), growth = (c * c * c) * (b / a);  // over the horizon's own
        out[0] = growth > 0 && a > 0 ? 0.5 + std::log(growth) * (0.05 / 0.6931471805599453) : kNaN;
    }
    Ratio two, four, eight;
};

struct RescaledRange {
    static constexpr Meta meta{
        .name = "rescaled_range", .doc = "Rescaled range: how far the closes strayed from the line through the ends of the window.",
        .params = {{"window", 2, 1'000}},
        .outputs = {{"", "(highest - lowest distance of the close from that line) / (deviation of its changes sqrt(n)); unknown when flat or straight", "number", 0}},
        .defaults = {{100}}, .source = "Hurst 1951; Lo 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    RescaledRange(Graph& g, Params p) : path(g.part<CloseBridge>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(path).range; }
    Ref<CloseBridge> path;
};

struct Madogram {
    struct TwoBars {
        explicit TwoBars(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            out[0] = std::fabs(b.close - before);
            before = last, last = b.close;
        }
        double last = kNaN, before = kNaN;
    };
    static constexpr Meta meta{
        .name = "fractal_dimension", .doc = "Fractal dimension of the path of closes by its madogram: 1 a smooth line, 1.5 a random walk, 2 noise.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "2 - log2(mean |close[t] - close[t-2]| / mean |close[t] - close[t-1]|); unknown when one of them is 0", "number"}},
        .defaults = {{50}, {200}}, .source = "Gneiting, Sevcikova, Percival 2012"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    Madogram(Graph& g, Params p) : one(g.part<Window<AbsChange, Sum>>(p[0])), two(g.part<Window<TwoBars, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double a = in(one).sum, b = in(two).sum;
        out[0] = a > 0 && b > 0 ? 2 - std::log(b / a) / 0.6931471805599453 : kNaN;
    }
    Ref<Window<AbsChange, Sum>> one;
    Ref<Window<TwoBars, Sum>> two;
};

// ---- return to a level ----

struct DickeyFuller {
    using Pairs = Window<Beside<Close, Change, 1>, Comoments>;
    static constexpr Meta meta{
        .name = "dickey_fuller", .doc = "Reversion to a mean: changes of the close against the level before. The Dickey-Fuller t is c sqrt((n - 2) / (1 - c^2)).",
        .params = {{"window", 3, 100'000}},
        .outputs = {{"", "c, the correlation of close[t] - close[t-1] with close[t-1]; unknown when flat", "-1..1", -1, 1},
                    {"speed", "share of the distance to the mean that a bar takes back: minus the slope of the change on the level; unknown when flat", "per bar"}},
        .defaults = {{50}, {250}}, .source = "Dickey and Fuller 1979; Uhlenbeck and Ornstein 1930"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    DickeyFuller(Graph& g, Params p) : window(g.part<Pairs>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Comoments c = in(window);
        out[0] = c.correlation();
        out[1] = -c.slope();
    }
    Ref<Pairs> window;
};

// The level before, the change before and the change.
struct Triple {
    double x, y, z;
    friend Triple operator-(const Triple& a, const Triple& b) noexcept { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
};
struct Comoments3 {
    using Point = Triple;
    struct Sums {
        double x, y, z, xx, yy, zz, xy, xz, yz;
    };
    static void append(Sums& s, const Triple& d, double) noexcept { prepend(s, d); }
    static void prepend(Sums& s, const Triple& d) noexcept {
        s.x += d.x, s.y += d.y, s.z += d.z;
        s.xx += d.x * d.x, s.yy += d.y * d.y, s.zz += d.z * d.z;
        s.xy += d.x * d.y, s.xz += d.x * d.z, s.yz += d.y * d.z;
    }
    static Sums join(const Sums& a, const Sums& b, double) noexcept {
        return {a.x + b.x, a.y + b.y, a.z + b.z, a.xx + b.xx, a.yy + b.yy, a.zz + b.zz, a.xy + b.xy, a.xz + b.xz, a.yz + b.yz};
    }
    static Comoments3 of(const Sums& s, const Triple&, const Triple&, const Length& l) noexcept {
        const double x = s.x * l.inverse, y = s.y * l.inverse, z = s.z * l.inverse;
        return {s.xx - s.x * x, s.yy - s.y * y, s.zz - s.z * z, s.xy - s.x * y, s.xz - s.x * z, s.yz - s.y * z};
    }
    double xx, yy, zz, xy, xz, yz;
};
struct AugmentedDickeyFuller {
    static constexpr Meta meta{
        .name = "augmented_dickey_fuller", .doc = "Reversion to a mean beyond what the last change says. The augmented Dickey-Fuller t with one lag is c sqrt((n - 3) / (1 - c^2)).",
        .params = {{"window", 8, 100'000}},
        .outputs = {{"", "c, the partial correlation of close[t] - close[t-1] with close[t-1] given the change before; unknown where those two say nearly the same", "-1..1", -1, 1}},
        .defaults = {{100}, {250}}, .source = "Said and Dickey 1984"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    AugmentedDickeyFuller(Graph& g, Params p) : change(g.part<Change>()), window(g.arena(), count_of(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double z = in(change);
        const Triple now{close, before, z};
        close = b.close, before = z;
        if (!known(now.y)) return;
        const Comoments3 c = window.push(in, now);
        if (!window.full()) return;
        const double xy = c.xy * c.xy, yz = c.yz * c.yz;
        const double left_x = c.xx * c.yy - xy, left_z = c.zz * c.yy - yz;  // what the change before does not explain
        const bool apart = left_x > 1e-6 * (c.xx * c.yy) && left_z > 1e-6 * (c.zz * c.yy);
        out[0] = apart ? not_below(not_above((c.xz * c.yy - c.xy * c.yz) / std::sqrt(left_x * left_z), 1), -1) : kNaN;
    }
    Ref<Change> change;
    Anchored<Comoments3> window;
    double close = kNaN, before = kNaN;
};

// ---- order in time ----

struct RunsTest {
    static constexpr Meta meta{
        .name = "runs_test", .doc = "Runs test: below 0 where rises follow rises and others follow others, above 0 where they alternate.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"", "(runs - expected) / deviation, a run being bars that all rose or all did not; unknown where all did the same", "deviations"}},
        .defaults = {{50}, {200}}, .source = "Wald and Wolfowitz 1940"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    RunsTest(Graph& g, Params p) : n(p[0]), r(g.part<LogReturn>()), ups(g.arena(), count_of(p[0])), turns(g.arena(), count_of(p[0]) - 1) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        if (!known(x)) return;
        const double up = where(x > 0, 1), turned = where(up != last, 1);
        const bool first = !known(last);
        last = up;
        const double above = ups.push(in, {up}).sum;
        if (first) return;
        const double runs = 1 + turns.push(in, {turned}).sum;
        if (!ups.full()) return;
        const double pairs = 2 * above * (n - above), spread = pairs * (pairs - n) / (n * n * (n - 1));
        out[0] = spread > 0 ? (runs - 1 - pairs / n) / std::sqrt(spread) : kNaN;
    }
    double n;
    Ref<LogReturn> r;
    Sliding<Sum> ups, turns;
    double last = kNaN;
};

struct TurningPoints {
    struct Turn {
        explicit Turn(Graph& g) : change(g.part<Change>()) {}
        void update(const Bar&, In in, Out out) noexcept {
            const double d = in(change);
            out[0] = known(last) ? where((d > 0 && last < 0) || (d < 0 && last > 0), 1) : kNaN;
            last = d;
        }
        Ref<Change> change;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "turning_points", .doc = "How often the close turned: every other bar on a random walk, less on a smooth path, more where it is noise about a level.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "share of bars before which the close was above or below both its neighbours", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Bienayme 1874; Kendall 1973"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    TurningPoints(Graph& g, Params p) : n(p[0]), turns(g.part<Window<Turn, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(turns).sum / n; }
    double n;
    Ref<Window<Turn, Sum>> turns;
};

struct MannKendall {
    static constexpr Meta meta{
        .name = "mann_kendall", .doc = "Trend by ranks: Kendall's tau of the closes with time.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "(pairs of closes of which the later is higher - those of which it is lower) / all pairs", "-1..1", -1, 1}},
        .defaults = {{20}, {100}}, .source = "Mann 1945; Kendall 1938"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    MannKendall(Graph& g, Params p) : n(count_of(p[0])), closes(past<Close>(g, p[0] + 1)), pairs(0.5 * p[0] * (p[0] - 1)) {}
    // Whole numbers, so what has left the window leaves nothing behind: the pairs of the oldest close go, those of the newest
    // come, and both are with the same n - 1 closes between them.
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(closes);
        const std::uint32_t m = past.has(n) ? n - 1 : static_cast<std::uint32_t>(past.count) - 1;
        const double* between = past.newest - m;
        const Both of = twice_below(between, m, b.close, past.ago(past.has(n + 1) ? n : 0));
        score += of.x - m;
        if (past.has(n + 1)) score += of.y - m;
        if (past.has(n)) out[0] = static_cast<double>(score) / pairs;
    }
    std::uint32_t n;
    Ref<Past<Close>> closes;
    double pairs;
    std::int64_t score = 0;
};

struct SignInformation {
    static constexpr Meta meta{
        .name = "sign_information", .doc = "What the direction of one bar tells of the next: mutual information of rise, fall or neither.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "sum p(a, b) log2(p(a, b) / (p(a) p(b))) over the last `window` pairs of bars", "bits", 0}},
        .defaults = {{100}, {250}}, .source = "Shannon 1948; Fraser and Swinney 1986"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    SignInformation(Graph& g, Params p)
        : change(g.part<Change>()), firsts(g.arena(), count_of(p[0]), 3), seconds(g.arena(), count_of(p[0]), 3), pairs(g.arena(), count_of(p[0]), 9) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double d = in(change);
        if (!known(d)) return;
        const std::uint32_t now = 1 + static_cast<std::uint32_t>(d > 0) - static_cast<std::uint32_t>(d < 0), before = std::exchange(last, now);
        if (before == kNone) return;
        firsts.push(in, before), seconds.push(in, now), pairs.push(in, 3 * before + now);
        if (pairs.full()) out[0] = not_below(firsts.entropy() + seconds.entropy() - pairs.entropy(), 0) / 0.6931471805599453;
    }
    static constexpr std::uint32_t kNone = 3;
    Ref<Change> change;
    Tally firsts, seconds, pairs;
    std::uint32_t last = kNone, unused = 0;
};

// ---- with volume ----

struct ReturnVolumeCorrelation {
    using Pairs = Window<Beside<Volume, LogReturn, 0>, Comoments>;
    static constexpr Meta meta{
        .name = "return_volume_correlation", .doc = "Whether rises came on volume: correlation of log return and volume.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of r and volume; unknown when one is flat", "-1..1", -1, 1}}, .defaults = {{50}, {200}}, .source = "Karpoff 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    ReturnVolumeCorrelation(Graph& g, Params p) : window(g.part<Pairs>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Pairs> window;
};
struct VolumeLead {
    using Pairs = Window<Beside<Volume, AbsReturn, 1>, Comoments>;
    static constexpr Meta meta{
        .name = "volume_lead", .doc = "Whether volume comes before moves: correlation of volume with the size of the next move.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of volume[t-1] and |r[t]|; unknown when one is flat", "-1..1", -1, 1}}, .defaults = {{200}},
        .source = "Gallant, Rossi, Tauchen 1992"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    VolumeLead(Graph& g, Params p) : window(g.part<Pairs>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Pairs> window;
};

constexpr Kind kinds[] = {kind<ReturnAutocorrelation>, kind<LjungBox>, kind<PartialAutocorrelation>, kind<LowFrequency>, kind<TimeReversal>,
                          kind<AbsoluteAutocorrelation>, kind<SquaredAutocorrelation>, kind<VolatilityTrend>, kind<VarianceRatio>,
                          kind<VarianceRatioZ>, kind<Hurst>, kind<RescaledRange>, kind<Madogram>, kind<DickeyFuller>,
                          kind<AugmentedDickeyFuller>, kind<RunsTest>, kind<TurningPoints>, kind<MannKendall>, kind<SignInformation>,
                          kind<ReturnVolumeCorrelation>, kind<VolumeLead>};
}  // namespace

const Family dependence{"dependence", "statistical", kinds};

}  // namespace smartcore
