// Cycles: digital filters of the close and the length of its swing, after Ehlers.
//
// A filter is fed with the changes of the close, or keeps its distance from it, and never sees the level of the price.
#include <array>

#include "base/lag.hpp"
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

constexpr double kTurn = 6.283185307179586;

// ---- the dominant cycle, by the Hilbert transform as in TA-Lib ----

struct DominantCycle {
    // Weights of the closes, newest first, in the transform of their average weighted 4 3 2 1.
    static constexpr double a = 0.0962, b = 0.5769;
    static constexpr double kDetrend[10] = {0.4 * a, 0.3 * a, 0.2 * a + 0.4 * b, 0.1 * a + 0.3 * b, -0.2 * b, -0.2 * b, -0.2 * b - 0.4 * a, -0.1 * b - 0.3 * a, -0.2 * a, -0.1 * a};
    static constexpr int kWarmup = 33;
    explicit DominantCycle(Graph&) {}
    void update(const Bar& bar, In, Out out) noexcept {
        if (bars == 0)
            for (double& p : price) p = bar.close;  // before the first bar the price stood
        shift(price, bar.close);
        const double scale = 0.075 * period + 0.54;
        double trendless = 0;
        for (int i = 1; i < 10; ++i) trendless += kDetrend[i] * (price[i] - price[0]);
        shift(detrended, trendless * scale);
        shift(quadrature, hilbert(detrended) * scale);
        const double in_phase = detrended[3], ahead = hilbert(detrended + 3) * scale, behind = hilbert(quadrature) * scale;
        const double i_now = faded(0.2 * (in_phase - behind) + 0.8 * i2), q_now = faded(0.2 * (quadrature[0] + ahead) + 0.8 * q2);
        re = faded(0.2 * (i_now * i2 + q_now * q2) + 0.8 * re);
        im = faded(0.2 * (i_now * q2 - q_now * i2) + 0.8 * im);
        i2 = i_now, q2 = q_now;
        const double last = period;
        if (re != 0 && im != 0) period = kTurn / std::atan(im / re);
        period = not_below(not_above(period, 1.5 * last), 0.67 * last);
        period = 0.2 * not_above(not_below(period, 6), 50) + 0.8 * last;
        smooth = 0.33 * period + 0.67 * smooth;
        if (++bars >= kWarmup) out[0] = smooth;
    }
    template <int N>
    static void shift(double (&x)[N], double newest) noexcept {
        for (int i = N - 1; i > 0; --i) x[i] = x[i - 1];
        x[0] = newest;
    }
    static double hilbert(const double* x) noexcept { return a * x[0] + b * x[2] - b * x[4] - a * x[6]; }

    double price[10] = {}, detrended[10] = {}, quadrature[7] = {};
    double i2 = 0, q2 = 0, re = 0, im = 0, period = 0, smooth = 0;
    std::uint64_t bars = 0;
};

// Sums over one whole cycle of n bars, for any n: weights of the closes in the sine and cosine of the averaged price.
constexpr int kLongest = 50, kRow = 56;  // three more for the average, and up to a multiple of four
struct Weights {
    double sine[kLongest + 1][kRow] = {}, cosine[kLongest + 1][kRow] = {}, mean[kLongest + 1][kRow] = {};  // oldest first
    Weights() {
        constexpr double average[4] = {0.4, 0.3, 0.2, 0.1};
        for (int n = 1; n <= kLongest; ++n)
            for (int i = 0; i < n; ++i) {
                mean[n][kRow - 1 - i] = 1.0 / n;
                for (int k = 0; k < 4; ++k) {
                    sine[n][kRow - 1 - i - k] += average[k] * std::sin(kTurn * i / n);
                    cosine[n][kRow - 1 - i - k] += average[k] * std::cos(kTurn * i / n);
                }
            }
    }
};
const Weights weights;

// Told once there are enough closes for the longest cycle.
struct Cycle {
    static constexpr int kWarmup = 64;
    struct Told {
        double sine, cosine, mean;  // of the closes less the newest, over one cycle
    };
    explicit Cycle(Graph& g) : cycle(g.part<DominantCycle>()), close(past<Close>(g, kRow)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(close);
        if (!past.has(kWarmup)) return;
        const int n = static_cast<int>(in(cycle) + 0.5), begin = kRow - (n + 3 + 3) / 4 * 4;
        const double* x = past.last(kRow);
        double s[4] = {}, c[4] = {}, m[4] = {};
        for (int i = begin; i < kRow; i += 4)
            for (int k = 0; k < 4; ++k) {
                const double d = x[i + k] - b.close;
                s[k] += weights.sine[n][i + k] * d, c[k] += weights.cosine[n][i + k] * d, m[k] += weights.mean[n][i + k] * d;
            }
        out[0] = (s[0] + s[1]) + (s[2] + s[3]);
        out[1] = (c[0] + c[1]) + (c[2] + c[3]);
        out[2] = (m[0] + m[1]) + (m[2] + m[3]);
    }
    Ref<DominantCycle> cycle;
    Ref<Past<Close>> close;
};

struct DominantCyclePeriod {
    static constexpr Meta meta{
        .name = "dominant_cycle", .doc = "Length of the dominant cycle of the close, by the Hilbert transform.",
        .outputs = {{"", "smoothed period, 6 to 50 once it has settled", "bars", 0, 50}}, .source = "Ehlers 2001, chapter 7; TA-Lib HT_DCPERIOD"};
    static int warmup(Params) { return DominantCycle::kWarmup; }
    DominantCyclePeriod(Graph& g, Params) : cycle(g.part<DominantCycle>()) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(cycle); }
    Ref<DominantCycle> cycle;
};

struct SineWave {
    static constexpr Meta meta{
        .name = "sine_wave", .doc = "Where in its dominant cycle the close is: the sine of the phase, and of the phase an eighth of a turn later, which crosses it at the turns.",
        .outputs = {{"", "sine of the phase; 0 when flat", "-1..1", -1, 1}, {"lead", "sine of the phase + 45 degrees; 0 when flat", "-1..1", -1, 1}},
        .source = "Ehlers 2001, chapter 9; TA-Lib HT_SINE"};
    static int warmup(Params) { return Cycle::kWarmup; }
    SineWave(Graph& g, Params) : cycle(g.part<Cycle>()), period(g.part<DominantCycle>()) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double s = in(cycle).sine, c = in(cycle).cosine;
        if (!known(s)) return;
        // phase: atan2(s, c) + 90 degrees + one bar, by which the average lags
        const double r = std::sqrt(s * s + c * c), bar = kTurn / in(period), sine = std::sin(bar), cosine = std::cos(bar);
        const double x = r > 0 ? (c * cosine - s * sine) / r : 0, y = r > 0 ? (s * cosine + c * sine) / r : 0;
        out[0] = not_above(not_below(x, -1), 1);
        out[1] = not_above(not_below((x - y) * 0.7071067811865476, -1), 1);
    }
    Ref<Cycle> cycle;
    Ref<DominantCycle> period;
};

struct TrendlineDistance {
    static constexpr Meta meta{
        .name = "trendline_distance", .doc = "Close relative to the instantaneous trendline, its mean over one dominant cycle.",
        .outputs = {{"", "1 - average weighted 4 3 2 1 of the means over the cycle / close", "fraction"}},
        .source = "Ehlers 2001, chapter 8; TA-Lib HT_TRENDLINE"};
    static int warmup(Params) { return Cycle::kWarmup + 3; }
    TrendlineDistance(Graph& g, Params) : cycle(g.part<Cycle>()), change(g.part<Change>()) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double mean = in(cycle).mean, step = in(change);
        if (!known(mean)) return;
        for (double& x : last) x -= step;  // means before, less the close now
        const double line = 0.4 * mean + 0.3 * last[0] + 0.2 * last[1] + 0.1 * last[2];
        last[2] = last[1], last[1] = last[0], last[0] = mean;
        if (known(line)) out[0] = -line / b.close;
    }
    Ref<Cycle> cycle;
    Ref<Change> change;
    double last[3] = {kNaN, kNaN, kNaN};
};

// ---- filters of a given length ----

// Two poles at 1 - alpha, fed with second differences.
struct HighPass {
    explicit HighPass(double n) noexcept {
        const double angle = kTurn * 0.7071067811865476 / n, alpha = (std::cos(angle) + std::sin(angle) - 1) / std::cos(angle);
        gain = (1 - alpha / 2) * (1 - alpha / 2);
        keep = 1 - alpha;
    }
    double push(double second_difference) noexcept {
        const double now = faded(gain * second_difference + 2 * keep * one - keep * keep * two);
        two = one;
        return one = now;
    }
    double gain, keep, one = 0, two = 0;
};
// The super smoother; fed with distances from a moving origin it takes along what it remembers.
struct SuperSmoother {
    explicit SuperSmoother(double n) noexcept {
        const double angle = 0.5 * kTurn * 1.4142135623730951 / n, a = std::exp(-angle);
        c2 = 2 * a * std::cos(angle);
        c3 = -a * a;
        c1 = 1 - c2 - c3;
    }
    double push(double x) noexcept {
        const double now = faded(0.5 * c1 * (x + last) + c2 * one + c3 * two);
        two = one, last = x;
        return one = now;
    }
    void move(double origin) noexcept { last -= origin, one -= origin, two -= origin; }
    double c1, c2, c3, last = 0, one = 0, two = 0;
};
// The change of the change; 0 while there are not three closes.
struct SecondDifference {
    double push(double step) noexcept {
        const double d = known(last) ? step - last : 0;
        last = step;
        return d;
    }
    double last = kNaN;
};

struct CyberCycle {
    static constexpr Meta meta{
        .name = "cyber_cycle", .doc = "Cyber cycle: what is left of the close, averaged over four bars, without its slower moves.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "cycle / close, with alpha = 2 / (window + 1)", "fraction"}}, .defaults = {{28}},
        .source = "Ehlers 2004, chapter 4"};
    static int warmup(Params p) { return std::max(static_cast<int>(p[0]), 6); }
    CyberCycle(Graph& g, Params p) : least(warmup(p)), close(past<Close>(g, 6)), keep(1 - 2 / (p[0] + 1)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(close);
        if (past.has(6)) {
            // second difference of the average weighted 1 2 2 1
            const double d = ((b.close - past.ago(2)) - (past.ago(3) - past.ago(5))) / 6, gain = 0.5 * (1 + keep);
            const double now = faded(gain * gain * d + 2 * keep * one - keep * keep * two);
            two = one, one = now;
        }
        if (past.has(least)) out[0] = one / b.close;
    }
    std::uint64_t least;
    Ref<Past<Close>> close;
    double keep, one = 0, two = 0;
};

struct RoofingFilter {
    static constexpr Meta meta{
        .name = "roofing_filter", .doc = "Roofing filter: swings of the close that are neither slower than `slow` bars nor faster than `fast`.",
        .params = {{"slow", 4, 10'000}, {"fast", 4, 10'000}}, .outputs = {{"", "super smoother over `fast` of the high-pass over `slow` / close", "fraction"}},
        .defaults = {{48, 10}}, .source = "Ehlers 2013, chapter 7"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RoofingFilter(Graph& g, Params p) : least(count_of(p[0])), change(g.part<Change>()), high(p[0]), low(p[1]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double value = low.push(high.push(second.push(in(change))));
        if (++bars >= least) out[0] = value / b.close;
    }
    std::uint64_t least, bars = 0;
    Ref<Change> change;
    SecondDifference second;
    HighPass high;
    SuperSmoother low;
};

struct EvenBetterSinewave {
    static constexpr Meta meta{
        .name = "even_better_sinewave", .doc = "Even better sinewave: the filtered close over its own size during three bars; near 1 in a rise, near -1 in a fall.",
        .params = {{"slow", 5, 10'000}, {"fast", 4, 10'000}},
        .outputs = {{"", "mean / root mean square of three values of the super smoother over `fast` of the one-pole high-pass over `slow`; 0 when flat", "-1..1", -1, 1}},
        .defaults = {{40, 10}}, .source = "Ehlers 2013, chapter 12"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    EvenBetterSinewave(Graph& g, Params p)
        : least(count_of(p[0])), change(g.part<Change>()), keep((1 - std::sin(kTurn / p[0])) / std::cos(kTurn / p[0])), low(p[1]) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double step = in(change);
        if (known(step)) high = faded(0.5 * (1 + keep) * step + keep * high);
        const double a = low.push(high), b = last[0], c = last[1];
        last[1] = b, last[0] = a;
        if (++bars < least) return;
        const double size = not_below(not_below(std::fabs(a), std::fabs(b)), std::fabs(c));
        const double x = a / size, y = b / size, z = c / size;  // their squares may be too small to be numbers
        out[0] = size > 0 ? not_above(not_below((x + y + z) / std::sqrt(3 * (x * x + y * y + z * z)), -1), 1) : 0;
    }
    std::uint64_t least, bars = 0;
    Ref<Change> change;
    double keep, high = 0, last[2] = {};
    SuperSmoother low;
};

struct DecyclerOscillator {
    static constexpr Meta meta{
        .name = "decycler_oscillator", .doc = "Decycler oscillator: what a slow high-pass of the close keeps and a fast one does not.",
        .params = {{"fast", 4, 10'000}, {"slow", 4, 10'000}}, .outputs = {{"", "(high-pass over `slow` - over `fast`) / close", "fraction"}},
        .defaults = {{30, 60}}, .source = "Ehlers 2015"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])); }
    DecyclerOscillator(Graph& g, Params p) : least(static_cast<std::uint64_t>(warmup(p))), change(g.part<Change>()), fast(p[0]), slow(p[1]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double d = second.push(in(change)), value = slow.push(d) - fast.push(d);
        if (++bars >= least) out[0] = value / b.close;
    }
    std::uint64_t least, bars = 0;
    Ref<Change> change;
    SecondDifference second;
    HighPass fast, slow;
};

struct Reflex {
    static constexpr Meta meta{
        .name = "reflex", .doc = "Reflex and trendflex: the smoothed close against the line to where it was, and against where it was, in usual sizes of that.",
        .params = {{"window", 4, 10'000}},
        .outputs = {{"", "mean distance of the super smoother (over window / 2) from the line through its newest and oldest value / root of the faded (0.96) mean square; 0 when flat", "number"},
                    {"trend", "mean of its newest value less each of the last `window` / root of the faded mean square; 0 when flat", "number"}},
        .defaults = {{20}}, .source = "Ehlers 2020"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Reflex(Graph& g, Params p)
        : n(count_of(p[0])), change(g.part<Change>()), closes(g.part<Window<Close, Moments2>>(p[0] + 1)), close(past<Close>(g, p[0] + 1)),
          low(p[0] / 2), past_away(g.arena(), n + 1), sum(g.arena(), n + 1) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double step = in(change);
        if (known(step)) low.move(step);
        const double away = low.push(0), total = sum.push(in, {away}).sum;  // smoothed - close
        past_away.push(in, away);
        if (!sum.full()) return;
        const double above = (n + 1) * (in(closes).away + away) - total;  // sum of newest - each
        const double line = (in.past(close).ago(n) - b.close) + (past_away.view(in).ago(n) - away);
        const double trend = above / n, bend = (above + 0.5 * (n + 1) * line) / n;
        size[0] = faded(0.04 * bend * bend + 0.96 * size[0]);
        size[1] = faded(0.04 * trend * trend + 0.96 * size[1]);
        out[0] = size[0] > 0 ? bend / std::sqrt(size[0]) : 0;
        out[1] = size[1] > 0 ? trend / std::sqrt(size[1]) : 0;
    }
    std::uint32_t n, unused = 0;
    Ref<Change> change;
    Ref<Window<Close, Moments2>> closes;
    Ref<Past<Close>> close;
    SuperSmoother low;
    History past_away;
    Sliding<Sum> sum;
    double size[2] = {};
};

constexpr Kind kinds[] = {kind<DominantCyclePeriod>, kind<SineWave>, kind<TrendlineDistance>, kind<CyberCycle>, kind<RoofingFilter>,
                          kind<EvenBetterSinewave>, kind<DecyclerOscillator>, kind<Reflex>};
}  // namespace

const Family cycle{"cycle", "technical", kinds};

}  // namespace smartcore
