// Risk: what was lost, and what may be lost on the next bar.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Drawdown {
    static constexpr Meta meta{
        .name = "drawdown", .doc = "Close against the highest close of the window.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "close / highest close - 1", "fraction", -1, 0}}, .defaults = {{100}}, .source = "Magdon-Ismail and Atiya 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Drawdown(Graph& g, Params p) : window(g.part<Window<Close, Max>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double top = in(window).max;
        out[0] = (b.close - top) / top;
    }
    Ref<Window<Close, Max>> window;
};

struct Runup {
    static constexpr Meta meta{
        .name = "runup", .doc = "Close against the lowest close of the window.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "close / lowest close - 1", "fraction", 0}}, .defaults = {{100}}, .source = "Magdon-Ismail and Atiya 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Runup(Graph& g, Params p) : window(g.part<Window<Close, Min>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double bottom = in(window).min;
        out[0] = (b.close - bottom) / bottom;
    }
    Ref<Window<Close, Min>> window;
};

struct UnderWater {
    static constexpr Meta meta{
        .name = "under_water", .doc = "Time under water: how long ago the highest close of the window was; the newest of equals counts.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "bars since the highest close", "bars", 0}}, .defaults = {{100}, {500}},
        .source = "Bailey and Lopez de Prado 2015"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    UnderWater(Graph& g, Params p) : tops(g.arena(), count_of(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        ++bars;
        const LastMax top = tops.push(in, {b.close, bars});
        if (tops.full()) out[0] = static_cast<double>(bars - top.when);
    }
    std::int64_t bars = 0;
    Sliding<LastMax> tops;
};

struct ConditionalDrawdown {
    static constexpr Meta meta{
        .name = "conditional_drawdown", .doc = "Drawdowns of the last `window` bars, each from the highest close of its own window: their worst tenth and their mean.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"", "mean of the worst tenth of the drawdowns (conditional drawdown at risk 90 %)", "fraction", -1, 0},
                    {"mean", "mean of all of them (pain index)", "fraction", -1, 0}},
        .defaults = {{100}}, .source = "Chekhlov, Uryasev, Zabarankin 2005"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) - 1; }
    ConditionalDrawdown(Graph& g, Params p)
        : n(count_of(p[0])), worst((n + 9) / 10), window(g.part<Window<Close, Max>>(p[0])), ordered(g.arena(), n), sum(g.arena(), n) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double top = in(window).max, drawdown = (b.close - top) / top;
        if (!known(drawdown)) return;
        ordered.push(in, drawdown);
        const Sum all = sum.push(in, {drawdown});
        if (!ordered.full()) return;
        out[0] = ordered.tail_mean(in, worst);
        out[1] = all.sum / n;
    }
    std::uint32_t n, worst;
    Ref<Window<Close, Max>> window;
    Sorted ordered;
    Sliding<Sum> sum;
};

// Filtered historical simulation: returns over the volatility that was forecast for them keep their own shape (fat tail,
// skew), and are scaled by the volatility forecast for the next bar. What is told of the order of those residuals is told
// at once, since a reader would find a whole block of bars in it.
struct Residuals {
    // Shares of the past kept a bar, by three averages whose mean is the forecast: the one of 0.94 (RiskMetrics 1996) forgets
    // too slowly what happened a bar ago and too fast what happened fifty ago, so that breaches of one-minute bars came in
    // runs. Slower ones forecast a little better still, but for thousands of bars after one bad print they would not.
    // bench/var.py has the experiment.
    static constexpr double kKept[3] = {0.6, 0.9, 0.975};
    static constexpr std::uint32_t kSeed = 20;       // returns whose mean square begins the averages
    static constexpr std::uint32_t kLeast = 100;     // residuals before anything is said
    static constexpr double kMost = 20;              // after a long standstill the first move is no 1e9-sigma event
    static constexpr int kWarmup = 1 + kSeed + kLeast;
    // A generalised Pareto tail: losses beyond `threshold`, one in `odds`, exceed it by a law of shape xi and scale beta.
    struct Tail {
        double threshold, shape, scale, odds;
        // How far beyond the threshold the loss lies that comes once in `times`, and the mean of what lies beyond such a point.
        double beyond(double times) const noexcept {
            const double farther = std::log(times / odds);
            return std::fabs(shape) > 1e-8 ? scale * (std::expm1(shape * farther) / shape) : scale * farther;
        }
        double mean_beyond(double excess) const noexcept { return not_below((excess + scale) / (1 - shape), excess); }
    };
    struct Told {
        double sigma;
        double var95, var99, es95, es99;             // of a long position, in deviations
        double short95, short99, short_es95, short_es99;
        double threshold, shape, scale, odds;        // of losses
    };
    Residuals(Graph& g, double window) : r(g.part<LogReturn>()), residuals(g.arena(), count_of(window)) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        if (!known(x)) return;
        if (seen < kSeed) {
            for (double& v : average) v += x * x / kSeed;
            ++seen;
            return;
        }
        double variance = mean();
        if (variance > 0) residuals.push(in, not_below(not_above(x / std::sqrt(variance), kMost), -kMost));  // before it is learnt
        for (int i = 0; i < 3; ++i) {
            average[i] = kKept[i] * average[i] + (1 - kKept[i]) * x * x;
            if (average[i] < 1e-300) average[i] = 0;
        }
        variance = mean();
        const std::uint32_t n = residuals.size();
        if (n < kLeast) return;
        const double* z = residuals.ordered(in);
        const Tail losses = fit(z, 1, n), gains = fit(z + n - 1, -1, n);
        out[0] = std::sqrt(variance);
        tell(losses, -residuals.next_quantile(in, 0.05), out, 1);
        tell(gains, residuals.next_quantile(in, 0.95), out, 5);
        out[9] = losses.threshold;
        out[10] = losses.shape;
        out[11] = losses.scale;
        out[12] = losses.odds;
    }
    // VaR 95 is a quantile, of which there is enough to see; the rest is the tail's.
    static void tell(const Tail& tail, double var95, Out out, std::size_t at) noexcept {
        const double excess95 = var95 - tail.threshold, excess99 = not_below(tail.beyond(100), excess95);
        out[at] = var95;
        out[at + 1] = tail.threshold + excess99;
        out[at + 2] = tail.threshold + tail.mean_beyond(excess95);
        out[at + 3] = tail.threshold + tail.mean_beyond(excess99);
    }
    double mean() const noexcept { return (average[0] + average[1] + average[2]) / 3; }
    // Probability-weighted moments of the excesses y[i] of the worst tenth over the next worse one, i = 0 the worst: the mean
    // and the mean of y times the share above it, (i + 0.35) / k. A tenth of the window a bar, but no search for a maximum,
    // and it exists where maximum likelihood does not. `step` leads from the worst to better ones. 50 excesses do not fix a
    // shape, so it is pulled towards a quarter, that of returns (Cont 2001), as if by 150 more: without, what should happen
    // once in a thousand happened twice.
    static Tail fit(const double* worst, std::ptrdiff_t step, std::uint32_t n) noexcept {
        constexpr double kShape = 0.25, kBelief = 150;
        const std::uint32_t k = n / 10;
        const double u = worst[step * k];
        double mean[2] = {}, weighted[2] = {};
        for (std::uint32_t i = 0; i < k; ++i) {
            const double y = step > 0 ? u - worst[i] : worst[-static_cast<std::ptrdiff_t>(i)] - u;
            mean[i % 2] += y;
            weighted[i % 2] += y * (i + 0.35);
        }
        const double a0 = (mean[0] + mean[1]) / k, a1 = (weighted[0] + weighted[1]) / (static_cast<double>(k) * k);
        const double found = a0 > 0 ? 2 - a0 / (a0 - 2 * a1) : kShape, shape = (k * found + kBelief * kShape) / (k + kBelief);
        return {step > 0 ? -u : u, shape, a0 * (1 - shape), (n + 1.0) / (k + 1)};
    }
    Ref<LogReturn> r;
    Sorted residuals;
    double average[3] = {};
    std::uint32_t seen = 0, unused = 0;
};

struct Fhs {
    static constexpr Meta meta{
        .name = "fhs", .doc = "Value at risk and expected shortfall of a long position over the next bar by filtered historical simulation: of returns over their forecast (begun with 20 returns; at most 20 deviations), once there are 100, the quantile at q (n + 1), and a generalised Pareto tail beyond it.",
        .params = {{"window", 100, 10'000}},
        .outputs = {{"sigma", "forecast of the next bar's volatility: root of the mean of three EWMAs of squared returns (0.6, 0.9, 0.975)", "log per bar", 0},
                    {"var95", "log loss not exceeded with 95 %", "log"}, {"var99", "log loss not exceeded with 99 %, of the tail", "log"},
                    {"es95", "mean log loss of the worst 5 %, of the tail", "log"}, {"es99", "mean log loss of the worst 1 %, of the tail", "log"}},
        .defaults = {{500}}, .source = "Barone-Adesi, Giannopoulos, Vosper 1999; McNeil and Frey 2000; Zumbach 2007", .version = 2};
    static int warmup(Params) { return Residuals::kWarmup; }
    Fhs(Graph& g, Params p) : residuals(g.part<Residuals>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto z = in(residuals);
        out[0] = z.sigma;
        out[1] = z.sigma * z.var95;
        out[2] = z.sigma * z.var99;
        out[3] = z.sigma * z.es95;
        out[4] = z.sigma * z.es99;
    }
    Ref<Residuals> residuals;
};

struct FhsShort {
    static constexpr Meta meta{
        .name = "fhs_short", .doc = "Value at risk and expected shortfall of a short position over the next bar, from the other tail of the residuals of `fhs`, in the same way.",
        .params = {{"window", 100, 10'000}},
        .outputs = {{"var95", "log gain of the price not exceeded with 95 %", "log"}, {"var99", "log gain not exceeded with 99 %", "log"},
                    {"es95", "mean log gain of the best 5 %", "log"}, {"es99", "mean log gain of the best 1 %", "log"}},
        .defaults = {{500}}, .source = "Barone-Adesi, Giannopoulos, Vosper 1999", .version = 2};
    static int warmup(Params) { return Residuals::kWarmup; }
    FhsShort(Graph& g, Params p) : residuals(g.part<Residuals>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto z = in(residuals);
        out[0] = z.sigma * z.short95;
        out[1] = z.sigma * z.short99;
        out[2] = z.sigma * z.short_es95;
        out[3] = z.sigma * z.short_es99;
    }
    Ref<Residuals> residuals;
};

struct TailRatio {
    static constexpr Meta meta{
        .name = "tail_ratio", .doc = "Which tail is the longer one: the 95 % quantile of the residuals of `fhs` against the distance between that and the 5 % quantile.",
        .params = {{"window", 100, 10'000}},
        .outputs = {{"", "q95 / (q95 - q5) of returns over their forecast; 0.5 where the two are one", "ratio"}},
        .defaults = {{500}}, .source = "Konno, Waki, Yuuki 2002", .version = 2};
    static int warmup(Params) { return Residuals::kWarmup; }
    TailRatio(Graph& g, Params p) : residuals(g.part<Residuals>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto z = in(residuals);
        const double apart = z.short95 + z.var95;
        out[0] = apart > 0 ? z.short95 / apart : apart + 0.5;
    }
    Ref<Residuals> residuals;
};

// What lies beyond the worst of 500 has no quantile yet, but a fitted tail has.
struct ParetoTail {
    static constexpr Meta meta{
        .name = "pareto_tail", .doc = "Generalised Pareto tail of the losses, as `fhs` reads it: fitted by probability-weighted moments to the excesses of the worst tenth of its residuals, the shape pulled towards 1/4 as if by 150 more.",
        .params = {{"window", 100, 10'000}},
        .outputs = {{"xi", "shape: 0 an exponential tail, above 0 a power law with exponent 1 / xi", "number", -kInf, 1},
                    {"var999", "log loss not exceeded with 99.9 %: sigma (u + beta / xi ((1000 (k + 1) / (n + 1))^xi - 1))", "log"}},
        .defaults = {{500}}, .source = "McNeil and Frey 2000; Hosking and Wallis 1987; Cont 2001", .version = 2};
    static int warmup(Params) { return Residuals::kWarmup; }
    ParetoTail(Graph& g, Params p) : residuals(g.part<Residuals>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto z = in(residuals);
        const Residuals::Tail tail{z.threshold, z.shape, z.scale, z.odds};
        out[0] = z.shape;
        out[1] = z.sigma * (z.threshold + tail.beyond(1000));
    }
    Ref<Residuals> residuals;
};

struct CornishFisher {
    static constexpr double kZ = -2.3263478740408408;  // 1 % of a normal distribution
    static constexpr Meta meta{
        .name = "cornish_fisher", .doc = "Value at risk 99 % from deviation, skewness and kurtosis of the window's log returns, about 0; unknown when flat.",
        .params = {{"window", 4, 100'000}},
        .outputs = {{"", "-deviation (z + (z^2 - 1) S / 6 + (z^3 - 3 z) K / 24 - (2 z^3 - 5 z) S^2 / 36), z the 1 % quantile", "log"}},
        .defaults = {{200}}, .source = "Favre and Galeano 2002"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    CornishFisher(Graph& g, Params p) : n(p[0]), window(g.part<Window<LogReturn, Moments4>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Moments4 m = in(window);
        const double s = m.skewness(n), k = m.excess_kurtosis(n), z2 = kZ * kZ;
        out[0] = -std::sqrt(m.m2 / n) * (kZ + (z2 - 1) / 6 * s + kZ * (z2 - 3) / 24 * k - kZ * (2 * z2 - 5) / 36 * (s * s));
    }
    double n;
    Ref<Window<LogReturn, Moments4>> window;
};

// What a position entered `horizon` bars ago went through since: known only now.
struct Excursion {
    static constexpr Meta meta{
        .name = "excursion", .doc = "Worst and best that a long position met within `horizon` bars of its entry, over the last `window` entries whose horizon has passed.",
        .params = {{"horizon", 1, 10'000}, {"window", 2, 10'000}},
        .outputs = {{"adverse", "90 % quantile of ln(entry close / lowest low after it), at least 0", "log", 0},
                    {"favourable", "90 % quantile of ln(highest high after it / entry close), at least 0", "log", 0},
                    {"edge", "mean favourable / (mean favourable + mean adverse); 0.5 where nothing moved", "0..1", 0, 1}},
        .defaults = {{10, 100}, {50, 200}}, .source = "Sweeney 1996"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    Excursion(Graph& g, Params p)
        : horizon(count_of(p[0])), close(past<Close>(g, p[0] + 1)), low(g.part<Window<Low, Min>>(p[0])), high(g.part<Window<High, Max>>(p[0])),
          adverse(g.arena(), count_of(p[1])), favourable(g.arena(), count_of(p[1])), sums(g.arena(), count_of(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const auto closes = in.past(close);
        if (!closes.has(horizon + 1)) return;
        const double entry = closes.ago(horizon);
        const double down = not_below(log_ratio(entry, in(low).min), 0), up = not_below(log_ratio(in(high).max, entry), 0);
        adverse.push(in, down);
        favourable.push(in, up);
        const Sum2 sum = sums.push(in, {up, down});
        if (!adverse.full()) return;
        out[0] = adverse.quantile(in, 0.9);
        out[1] = favourable.quantile(in, 0.9);
        out[2] = sum.first + sum.second > 0 ? sum.first / (sum.first + sum.second) : 0.5;
    }
    std::uint32_t horizon, unused = 0;
    Ref<Past<Close>> close;
    Ref<Window<Low, Min>> low;
    Ref<Window<High, Max>> high;
    Sorted adverse, favourable;
    Sliding<Sum2> sums;
};

struct Payoff {
    struct Sums {
        double gain, loss, gains, losses;
        friend Sums operator+(const Sums& a, const Sums& b) noexcept {
            return {a.gain + b.gain, a.loss + b.loss, a.gains + b.gains, a.losses + b.losses};
        }
    };
    static constexpr Meta meta{
        .name = "payoff", .doc = "Size of the average gain against that of the average loss, of log returns, however many there were of each.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean gain / (mean gain + mean loss); 0.5 where there was neither", "0..1", 0, 1}}, .defaults = {{50}, {200}},
        .source = "Bernardo and Ledoit 2000"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Payoff(Graph& g, Params p) : r(g.part<LogReturn>()), sums(g.arena(), count_of(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        if (!known(x)) return;
        const Sums s = sums.push(in, {where(x > 0, x), where(x < 0, -x), where(x > 0, 1), where(x < 0, 1)});
        if (!sums.full()) return;
        const double gain = s.gain * not_below(s.losses, 1), loss = s.loss * not_below(s.gains, 1);
        out[0] = gain + loss > 0 ? gain / (gain + loss) : 0.5;
    }
    Ref<LogReturn> r;
    Sliding<Sums> sums;
};

constexpr Kind kinds[] = {kind<Drawdown>, kind<Fhs>, kind<Runup>, kind<UnderWater>, kind<ConditionalDrawdown>, kind<FhsShort>,
                          kind<TailRatio>, kind<ParetoTail>, kind<CornishFisher>, kind<Excursion>, kind<Payoff>};
}  // namespace

const Family risk{"risk", "regime", kinds};

}  // namespace smartcore
