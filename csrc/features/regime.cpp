// Regime: what kind of market it is, how long it has been, and how likely it is to end.
#include <bit>

#include "base/wide.hpp"
#include "features/families.hpp"
#include "features/standardised.hpp"

namespace smartcore {
namespace {

constexpr double kSlack = 1e-9;        // a value that is a threshold but for its rounding has not passed it
constexpr double kLongest = 1000;      // ages are counted up to here

// Values that are equal but for the rounding of prices and sums should tie.
inline double nine_digits(double x) noexcept {
    return std::bit_cast<double>((std::bit_cast<std::uint64_t>(x) + 0x200000) & ~std::uint64_t{0x3fffff});
}

// ---- volatility ----

struct VolatilityRatio {
    static constexpr Meta meta{
        .name = "volatility_ratio", .doc = "Volatility of late against that of a longer window; unknown while the longer one is flat.",
        .params = {{"short", 2, 10'000}, {"long", 2, 100'000}},
        .outputs = {{"", "deviation of the last `short` log returns / that of the last `long`", "ratio", 0}}, .defaults = {{10, 50}, {20, 100}},
        .source = "Connors and Raschke 1995, chapter 27"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])) + 1; }
    VolatilityRatio(Graph& g, Params p)
        : scale((p[1] - 1) / (p[0] - 1)), fast(g.part<Window<LogReturn, Moments2>>(p[0])), slow(g.part<Window<LogReturn, Moments2>>(p[1])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double a = in(fast).m2, b = in(slow).m2;
        out[0] = b > 0 ? std::sqrt(a * scale / b) : kNaN;
    }
    double scale;
    Ref<Window<LogReturn, Moments2>> fast, slow;
};

struct VolOfVol {
    static constexpr Meta meta{
        .name = "vol_of_vol", .doc = "How much volatility itself varies; unknown when flat.",
        .params = {{"window", 2, 10'000}, {"history", 2, 10'000}},
        .outputs = {{"", "deviation / mean of the last `history` volatilities, each over `window` log returns", "ratio", 0}},
        .defaults = {{20, 100}}, .source = "Corsi, Mittnik, Pigorsch, Pigorsch 2008"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    VolOfVol(Graph& g, Params p) : less(p[0] - 1), n(p[1]), window(g.part<Window<LogReturn, Moments2>>(p[0])), past(g.arena(), count_of(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double m2 = in(window).m2;
        if (!known(m2)) return;
        const Moments2 m = past.push(in, std::sqrt(m2 / less));
        if (past.full()) out[0] = m.mean > 0 ? std::sqrt(m.m2 / n) / m.mean : kNaN;
    }
    double less, n;
    Ref<Window<LogReturn, Moments2>> window;
    Anchored<Moments2> past;
};

struct VolatilityRegime {
    static constexpr Meta meta{
        .name = "volatility_regime", .doc = "How long volatility has been high or low: it is high from where the short window's is 1.1 times the long one's, low from 0.9 times.",
        .params = {{"short", 2, 10'000}, {"long", 2, 100'000}},
        .outputs = {{"", "bars since it became high, less than 0: since it became low; 1000 at most, 0 before either", "bars", -kLongest, kLongest}},
        .defaults = {{20, 100}}, .source = "Hamilton 1989"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])) + 1; }
    VolatilityRegime(Graph& g, Params p)
        : scale((p[1] - 1) / (p[0] - 1)), fast(g.part<Window<LogReturn, Moments2>>(p[0])), slow(g.part<Window<LogReturn, Moments2>>(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double a = in(fast).m2 * scale, b = in(slow).m2;
        if (!known(a) || !known(b)) return;
        const double now = a > 1.21 * (1 + kSlack) * b ? 1 : a < 0.81 * (1 - kSlack) * b ? -1 : state;
        age = now == state ? not_above(age + 1, kLongest) : 1;
        state = now;
        out[0] = state * age;
    }
    double scale;
    Ref<Window<LogReturn, Moments2>> fast, slow;
    double state = 0, age = 0;
};

struct JumpState {
    static constexpr Meta meta{
        .name = "jump_state", .doc = "Jumps of late, fading: returns beyond 4 times a slow scale (power mean of exponent 1/2 of the `window` before, 20 times at most).",
        .params = {{"window", 10, 10'000}, {"half_life", 1, 10'000}},
        .outputs = {{"intensity", "number of jumps, each fading by half every `half_life` bars", "number", 0},
                    {"direction", "sum of the jumps in units of that scale, fading likewise", "number"}},
        .defaults = {{100, 20}}, .source = "Lee and Mykland 2008"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    JumpState(Graph& g, Params p) : factor(std::exp2(-1 / p[1])), returns(g.part<Standardised>(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double z = in(returns).z;
        if (!known(z)) return;
        const bool jump = std::fabs(z) > 4;
        count.fade(factor), sum.fade(factor);
        out[0] = count.sum += where(jump, 1);
        out[1] = sum.sum += where(jump, z);
    }
    double factor;
    Ref<Standardised> returns;
    Faded count, sum;
};

// ---- trend ----

// From -1, straight down, to 1: three measures of the same that err in different ways. Of a random walk the net move is
// 1 / sqrt(n) of the path, so is the balance of its bars; in these units all windows are alike, and x / (1 + |x|) ends at 1.
struct Strength {
    struct Sign {
        explicit Sign(Graph& g) : change(g.part<Change>()) {}
        void update(const Bar&, In in, Out out) const noexcept {
            const double d = in(change);
            out[0] = known(d) ? where(d > 0, 1) - where(d < 0, 1) : d;
        }
        Ref<Change> change;
    };
    Strength(Graph& g, double window)
        : root(std::sqrt(window)), inverse(1 / root), sxx(Line::sxx(window)), n(count_of(window)), close(past<Close>(g, window + 1)),
          path(g.part<Window<AbsChange, Sum>>(window)), line(g.part<Window<Close, Line>>(window)), signs(g.part<Window<Sign, Sum>>(window)) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double sum = in(path).sum;  // the last to be known
        const Line l = in(line);
        const double net = known(sum) ? b.close - in.past(close).ago(n) : kNaN;
        const double efficiency = sum > 0 ? net * root / sum : sum, balance = in(signs).sum * inverse;
        const double correlation = l.m2 > 0 ? not_below(not_above(l.sxy / std::sqrt(sxx * l.m2), 1), -1) : 0;
        out[0] = (efficiency / (1 + std::fabs(efficiency)) + correlation + balance / (1 + std::fabs(balance))) * (1.0 / 3);
    }
    double root, inverse, sxx;
    std::uint32_t n, unused = 0;
    Ref<Past<Close>> close;
    Ref<Window<AbsChange, Sum>> path;
    Ref<Window<Close, Line>> line;
    Ref<Window<Sign, Sum>> signs;
};

struct TrendStrength {
    static constexpr Meta meta{
        .name = "trend_strength", .doc = "Composite of three signed measures of a trend in the closes; 0 when flat.", .params = {{"window", 3, 10'000}},
        .outputs = {{"", "mean of the correlation with time, and of net move / path and (up less down bars) / window, both times sqrt(window) as x / (1 + |x|)", "-1..1", -1, 1}},
        .defaults = {{20}, {100}}, .source = "Kaufman 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TrendStrength(Graph& g, Params p) : strength(g.part<Strength>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(strength); }
    Ref<Strength> strength;
};

struct TrendState {
    static constexpr Meta meta{
        .name = "trend_state", .doc = "Up, down or neither, by trend_strength with hysteresis: a trend begins beyond 0.5 and lasts until 0.25.",
        .params = {{"window", 3, 10'000}},
        .outputs = {{"", "1 up, -1 down, 0 neither", "-1..1", -1, 1}, {"age", "bars in this state, 1000 at most", "bars", 1, kLongest}},
        .defaults = {{20}, {100}}, .source = "Hamilton 1989"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TrendState(Graph& g, Params p) : strength(g.part<Strength>(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double s = in(strength);
        if (!known(s)) return;
        double now = s * state > 0.25 + kSlack ? state : 0;
        if (std::fabs(s) > 0.5 + kSlack) now = s > 0 ? 1 : -1;
        age = now == state ? not_above(age + 1, kLongest) : 1;
        out[0] = state = now;
        out[1] = age;
    }
    Ref<Strength> strength;
    double state = 0, age = 0;
};

struct TimeInTrend {
    static constexpr Meta meta{
        .name = "time_in_trend", .doc = "Share of the last bars on which there was a trend, |trend_strength| beyond 0.5.",
        .params = {{"window", 3, 10'000}, {"history", 2, 10'000}},
        .outputs = {{"", "bars in a trend / history", "0..1", 0, 1}}, .defaults = {{20, 100}}, .source = "Kaufman 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    TimeInTrend(Graph& g, Params p) : inverse(1 / p[1]), strength(g.part<Strength>(p[0])), bars(g.arena(), count_of(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double s = in(strength);
        if (!known(s)) return;
        const Sum sum = bars.push(in, {where(std::fabs(s) > 0.5 + kSlack, 1)});
        if (bars.full()) out[0] = sum.sum * inverse;
    }
    double inverse;
    Ref<Strength> strength;
    Sliding<Sum> bars;
};

struct Persistence {
    struct Counts {
        double up, up_again, down, down_again;
        friend Counts operator+(const Counts& a, const Counts& b) noexcept {
            return {a.up + b.up, a.up_again + b.up_again, a.down + b.down, a.down_again + b.down_again};
        }
    };
    static constexpr Meta meta{
        .name = "persistence", .doc = "How often an up bar followed an up bar, and a down bar a down bar.", .params = {{"window", 2, 100'000}},
        .outputs = {{"up", "share of the up bars (close above the last) with an up bar behind them; 0.5 if there was none", "0..1", 0, 1},
                    {"down", "likewise of down bars", "0..1", 0, 1}},
        .defaults = {{100}}, .source = "Fielitz and Bhargava 1973"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    Persistence(Graph& g, Params p) : change(g.part<Change>()), counts(g.arena(), count_of(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double d = in(change), before = std::exchange(last, d);
        if (!known(before)) return;
        const Counts c = counts.push(in, {where(before > 0, 1), where(before > 0 && d > 0, 1), where(before < 0, 1), where(before < 0 && d < 0, 1)});
        if (!counts.full()) return;
        out[0] = c.up > 0 ? c.up_again / c.up : 0.5;
        out[1] = c.down > 0 ? c.down_again / c.down : 0.5;
    }
    Ref<Change> change;
    Sliding<Counts> counts;
    double last = kNaN;
};

// ---- rank among the recent past ----

struct Ranked {
    Ranked(Arena& arena, std::uint32_t n) : n(n), past(arena, n) {}
    void push(Memory m, double x, Out out) noexcept {
        const double y = nine_digits(x);
        past.push(m, y);
        if (past.view(m).has(n)) out[0] = rank_of(y, past.view(m).last(n), n);
    }
    std::uint32_t n, unused = 0;
    History past;
};

struct LiquidityPercentile {
    static constexpr Meta meta{
        .name = "liquidity_percentile", .doc = "How much volume a move of the price takes, ranked among its own recent past: 1 is liquid.",
        .params = {{"window", 1, 10'000}, {"history", 2, 10'000}},
        .outputs = {{"", "rank of volume / true range, both summed over `window`, among its last `history` values; ties (to 9 digits) half, without range most liquid", "0..1", 0, 1}},
        .defaults = {{20, 200}}, .source = "Amihud 2002"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    LiquidityPercentile(Graph& g, Params p)
        : range(g.part<Window<TrueRange, Sum>>(p[0])), volume(g.part<Window<Volume, Sum>>(p[0])), ranked(g.arena(), count_of(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double r = in(range).sum, v = in(volume).sum;
        if (!known(r) || !known(v)) return;
        ranked.push(in, r > 0 ? v / r : kInf, out);
    }
    Ref<Window<TrueRange, Sum>> range;
    Ref<Window<Volume, Sum>> volume;
    Ranked ranked;
};

struct RangePercentile {
    static constexpr Meta meta{
        .name = "range_percentile", .doc = "Compression: how the range of the last bars ranks among its own recent past; 0 is narrow.",
        .params = {{"window", 1, 10'000}, {"history", 2, 10'000}},
        .outputs = {{"", "rank of ln(highest high / lowest low) over `window` among its last `history` values, ties (to 9 digits) half", "0..1", 0, 1}},
        .defaults = {{20, 200}}, .source = "Crabel 1990"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) - 1; }
    RangePercentile(Graph& g, Params p)
        : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])), ranked(g.arena(), count_of(p[1])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double top = in(high).max, bottom = in(low).min;
        if (known(top)) ranked.push(in, (top - bottom) / bottom, out);  // ranks as its logarithm does
    }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
    Ranked ranked;
};

struct EfficiencyPercentile {
    static constexpr Meta meta{
        .name = "efficiency_percentile", .doc = "Trending or ranging: how the efficiency ratio ranks among its own recent past.",
        .params = {{"window", 2, 10'000}, {"history", 2, 10'000}},
        .outputs = {{"", "rank of |net move| / path over `window` among its last `history` values, ties (to 9 digits) half", "0..1", 0, 1}},
        .defaults = {{50, 200}}, .source = "Kaufman 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    EfficiencyPercentile(Graph& g, Params p)
        : n(count_of(p[0])), close(past<Close>(g, p[0] + 1)), path(g.part<Window<AbsChange, Sum>>(p[0])), ranked(g.arena(), count_of(p[1])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double sum = in(path).sum;
        if (known(sum)) ranked.push(in, sum > 0 ? std::fabs(b.close - in.past(close).ago(n)) / sum : 0, out);
    }
    std::uint32_t n, unused = 0;
    Ref<Past<Close>> close;
    Ref<Window<AbsChange, Sum>> path;
    Ranked ranked;
};

struct VolumeVolatilityCorrelation {
    struct Moves {
        struct Told {
            double move, volume;
        };
        explicit Moves(Graph& g) : r(g.part<LogReturn>()) {}
        void update(const Bar& b, In in, Out out) const noexcept {
            out[0] = std::fabs(in(r));
            out[1] = b.volume;
        }
        static Pair aggregate(const Told& t) noexcept { return {t.move, t.volume}; }
        Ref<LogReturn> r;
    };
    static constexpr Meta meta{
        .name = "volume_volatility_correlation", .doc = "Whether large moves come with large volume; unknown when either is flat.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "correlation of |log return| and volume", "-1..1", -1, 1}},
        .defaults = {{50}, {200}}, .source = "Karpoff 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    VolumeVolatilityCorrelation(Graph& g, Params p) : window(g.part<Window<Moves, Comoments>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Window<Moves, Comoments>> window;
};

// ---- hidden Markov model ----

// What is known of the state after a bar, from the bars up to it alone: forward filtering. (The usual way to show such a
// model's states, the most likely path through all data, knows tomorrow.)
struct Hmm {
    static constexpr int kStates = 3;
    static constexpr double kInfinity = 1e6;
    // As export/regime.py prints them, of minutes of four coins; rounded, and the means, too small to be known, are 0.
    static constexpr Fitted kFitted[] = {
        {"mean_quiet", 0, -kInfinity, kInfinity}, {"mean_normal", 0, -kInfinity, kInfinity}, {"mean_turbulent", 0, -kInfinity, kInfinity},
        {"scale_quiet", 0.62, 1e-6, kInfinity}, {"scale_normal", 1.0, 1e-6, kInfinity}, {"scale_turbulent", 1.85, 1e-6, kInfinity},
        {"dof_quiet", 5, 2.05, kInfinity}, {"dof_normal", 6.7, 2.05, kInfinity}, {"dof_turbulent", 3.3, 2.05, kInfinity},
        {"quiet_quiet", 0.983, 0, 1}, {"quiet_normal", 0.0136, 0, 1}, {"quiet_turbulent", 0.0034, 0, 1},
        {"normal_quiet", 0.0148, 0, 1}, {"normal_normal", 0.9716, 0, 1}, {"normal_turbulent", 0.0136, 0, 1},
        {"turbulent_quiet", 0, 0, 1}, {"turbulent_normal", 0.066, 0, 1}, {"turbulent_turbulent", 0.934, 0, 1},
    };
    static const char* wrong(Params x) {
        if (!(x[3] <= x[4] && x[4] <= x[5])) return "the scales must rise from quiet to turbulent";
        for (int i = 0; i < kStates; ++i)
            if (std::fabs(x[9 + 3 * i] + x[10 + 3 * i] + x[11 + 3 * i] - 1) > 1e-9) return "each row of the transitions must add up to 1";
        return nullptr;
    }
    static constexpr Meta meta{
        .name = "hmm", .doc = "Regime of volatility by a hidden Markov model: three states, quiet, normal and turbulent, of Student-t returns in units of a slow scale (power mean of exponent 1/2 of the `window` before); filtered, from the past alone.",
        .params = {{"window", 10, 10'000}, {"percent", 50, 99}},
        .outputs = {{"quiet", "probability of the quiet state", "0..1", 0, 1}, {"turbulent", "probability of the turbulent state", "0..1", 0, 1},
                    {"state", "-1 quiet, 0 normal, 1 turbulent; it changes where another one is `percent` likely", "-1..1", -1, 1},
                    {"age", "bars in that state, 1000 at most", "bars", 1, kLongest},
                    {"switch", "probability of another state at the next bar", "0..1", 0, 1},
                    {"volatility", "expected volatility of the next bar", "log per bar", 0}},
        .defaults = {{500, 80}}, .source = "Hamilton 1989; Peel and McLachlan 2000; Ryden, Terasvirta, Asbrink 1998", .fitted = kFitted, .wrong = &wrong};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    Hmm(Graph& g, Params p) : threshold(p[1] / 100), returns(g.part<Standardised>(p[0])) {
        for (int i = 0; i < kStates; ++i) {
            mean[i] = fitted(meta, p, i);
            const double scale = fitted(meta, p, 3 + i), dof = fitted(meta, p, 6 + i);
            inverse[i] = 1 / scale;
            per_dof[i] = 1 / dof;
            power[i] = (dof + 1) / 2;
            height[i] = std::lgamma((dof + 1) / 2) - std::lgamma(dof / 2) - 0.5 * std::log(dof * 3.141592653589793) - std::log(scale);
            second[i] = scale * scale * (dof / (dof - 2)) + mean[i] * mean[i];
            for (int j = 0; j < kStates; ++j) move[i][j] = fitted(meta, p, 9 + 3 * i + j);
        }
        // Where it is in the long run, by the Markov chain tree theorem.
        const auto& a = move;
        const double weight[] = {a[1][0] * a[2][0] + a[1][0] * a[2][1] + a[1][2] * a[2][0], a[0][1] * a[2][1] + a[0][1] * a[2][0] + a[0][2] * a[2][1],
                                 a[0][2] * a[1][2] + a[0][2] * a[1][0] + a[0][1] * a[1][2]};
        const double all = weight[0] + weight[1] + weight[2];
        for (int i = 0; i < kStates; ++i) now[i] = all > 0 ? weight[i] / all : 1.0 / kStates;
    }
    void update(const Bar&, In in, Out out) noexcept {
        const auto [z, unit] = in(returns);
        if (!known(z)) return;
        double next[kStates], fit[kStates];
        for (int j = 0; j < kStates; ++j) {
            next[j] = now[0] * move[0][j] + now[1] * move[1][j] + now[2] * move[2][j];
            const double away = (z - mean[j]) * inverse[j];
            fit[j] = height[j] - power[j] * std::log(1 + away * away * per_dof[j]);
        }
        const double best = not_below(fit[0], not_below(fit[1], fit[2]));
        double sum = 0;
        for (int j = 0; j < kStates; ++j) sum += next[j] *= std::exp(not_below(fit[j] - best, -700));  // never quite 0: transitions may be
        for (int j = 0; j < kStates; ++j) now[j] = next[j] / sum;
        int likely = state;
        for (int j = 0; j < kStates; ++j)
            if (j != state && now[j] > threshold) likely = j;
        age = likely == state ? not_above(age + 1, kLongest) : 1;
        state = likely;
        double stay = 0, first = 0, square = 0;
        for (int j = 0; j < kStates; ++j) {
            const double then = now[0] * move[0][j] + now[1] * move[1][j] + now[2] * move[2][j];
            stay += now[j] * move[j][j];
            first += then * mean[j];
            square += then * second[j];
        }
        out[0] = now[0];
        out[1] = now[2];
        out[2] = state - 1;
        out[3] = age;
        out[4] = not_below(1 - stay, 0);
        out[5] = unit * std::sqrt(square - first * first);
    }
    double threshold;
    Ref<Standardised> returns;
    double mean[kStates], inverse[kStates], per_dof[kStates], power[kStates], height[kStates], second[kStates];
    double move[kStates][kStates], now[kStates];
    double age = 0;
    std::int32_t state = 1, unused = 0;
};

// ---- change points ----

// Bayesian online detection of change points in the scale of returns: a run may have begun at any bar, its returns are normal
// about 0 with one precision, of a gamma prior, so that the next is Student-t. Adams and MacKay keep all beginnings; here are
// at most 40: all of the last bars, every second further back, then every fourth ... up to every sixteenth. Of two that
// become one the likelier stays and takes both probabilities. Whatever is older than about 250 bars is forgotten.
struct Bocpd {
    static constexpr std::uint32_t kLevels = 5, kLevel = 8, kMost = kLevels * kLevel, kRoom = kMost + 4, kAges = 512;
    static constexpr double kLeast = 1e-60;  // of a probability
    static constexpr Meta meta{
        .name = "bocpd", .doc = "Bayesian online change points in the scale of returns (in units of a slow scale, power mean of exponent 1/2 of the `window` before), one expected every `gap` bars; runs are followed for about 250 bars.",
        .params = {{"window", 10, 10'000}, {"gap", 2, 10'000}},
        .outputs = {{"length", "expected bars since the last change", "bars", 0, kAges},
                    {"changed", "probability of a change within the last 10 bars", "0..1", 0, 1},
                    {"surprise", "-ln of the density that the newest return had before it came", "nat"},
                    {"volatility", "root of the expected variance (1 / mean precision of each run) of the next return", "log per bar", 0}},
        .defaults = {{500, 250}}, .source = "Adams and MacKay 2007"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    Bocpd(Graph& g, Params p)
        : hazard(1 / p[1]), returns(g.part<Standardised>(p[0])), height(g.arena().array<double>(kAges)), weight(g.arena().array<double>(kRoom)),
          beta(g.arena().array<double>(kRoom)), log_beta(g.arena().array<double>(kRoom)), age(g.arena().array<double>(kRoom)) {
        double* h = g.arena().memory()[height];
        for (std::uint32_t n = 0; n < kAges; ++n)
            h[n] = std::lgamma(1.5 + 0.5 * n) - std::lgamma(1 + 0.5 * n) - 0.5 * std::log(6.283185307179586);
        begin(g.arena().memory(), 1);
    }
    void update(const Bar&, In in, Out out) noexcept {
        const auto [z, unit] = in(returns);
        if (!known(z)) return;
        double room[2 * kRoom];
        const auto [best, all] = next_value(in_memory(in), z, 1 - hazard, kLeast, in.memory[height], room);
        begin(in, hazard);
        const Average told = average(in_memory(in), 10);
        out[0] = told.age;
        out[1] = not_above(told.young, 1);
        out[2] = -(best + std::log(all));
        out[3] = unit * std::sqrt(told.variance);
    }
    Runs in_memory(Memory m) const noexcept { return {m[weight], m[beta], m[log_beta], m[age], runs}; }
    // A run that begins behind this bar. The oldest stand first, so that little moves where two of late become one.
    void begin(Memory m, double probability) noexcept {
        m[weight][runs] = probability, m[beta][runs] = 1, m[log_beta][runs] = 0, m[age][runs] = 0;
        ++runs, ++count[0];
        std::uint32_t older = runs;
        for (std::uint32_t level = 0; level < kLevels; ++level) {
            older -= count[level];
            if (count[level] < kLevel) break;
            double* w = m[weight];
            const double both = w[older] + w[older + 1];
            const bool last = level + 1 == kLevels;  // there the older one is forgotten
            const std::uint32_t gone = !last && w[older] >= w[older + 1] ? older + 1 : older;
            for (const auto array : {weight, beta, log_beta, age})
                for (std::uint32_t i = gone + 1; i < runs; ++i) m[array][i - 1] = m[array][i];
            w[older] = both;
            --runs;
            count[level] -= last ? 1 : 2;
            if (!last) ++count[level + 1], ++older;
        }
    }
    double hazard;
    Ref<Standardised> returns;
    Array<double> height, weight, beta, log_beta, age;
    std::uint32_t runs = 0, count[kLevels] = {}, unused = 0;
};

constexpr Kind kinds[] = {kind<VolatilityRatio>, kind<VolOfVol>, kind<VolatilityRegime>, kind<JumpState>, kind<TrendStrength>, kind<TrendState>,
                          kind<TimeInTrend>, kind<Persistence>, kind<LiquidityPercentile>, kind<RangePercentile>, kind<EfficiencyPercentile>,
                          kind<VolumeVolatilityCorrelation>, kind<Hmm>, kind<Bocpd>};
}  // namespace

const Family regime{"regime", "regime", kinds};

}  // namespace smartcore
