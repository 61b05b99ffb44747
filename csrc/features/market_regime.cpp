// Which of seven kinds of market it is: a hidden Markov model of what bars do, filtered forward, and a name that holds.
#include <array>

#include "features/families.hpp"
#include "features/standardised.hpp"

namespace smartcore {
namespace {

constexpr double kOldest = 1000;  // ages are counted up to here

// ln of how far a bar went beyond its move, as a share of the price; unknown of a bar that did not.
struct LogWick {
    explicit LogWick(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept {
        const double top = b.close > last ? b.close : last, bottom = b.close < last ? b.close : last;
        const double both = not_below(b.high - top, 0) + not_below(bottom - b.low, 0);
        out[0] = both > 0 ? std::log(both / b.close) : kNaN;
        last = b.close;
    }
    double last = kNaN;
};
struct LogVolume {
    explicit LogVolume(Graph&) {}
    void update(const Bar& b, In, Out out) const noexcept { out[0] = b.volume > 0 ? std::log(b.volume) : kNaN; }
};

// The states. A breakout and a reversal have a direction, which their name leaves open; a market without a direction is called
// ranging whether it is pulled back or a random walk.
constexpr int kStates = 10, kNames = 7;
constexpr const char* kState[kStates] = {"trending_up", "trending_down", "breakout_up", "breakout_down", "reversal_up",
                                         "reversal_down", "ranging", "aimless", "volatile", "quiet"};
constexpr int kFirst[kNames + 1] = {0, 1, 2, 4, 6, 8, 9, 10};  // states of a name

// What is known of a bar: its return in units of a reference scale, the distance from where it was of late, its wicks and
// its volume, the last two as logarithms about a reference level.
struct Part {
    const char* name;
    double low, high, value[kStates];
};
// As export/market_regime.py prints them, of markets drawn with known regimes.
constexpr Part kParts[] = {
    {"drift", -20, 20, {0.319, -0.319, 1.41, -1.41, 0.873, -0.873, 0, 0, 0, 0}},
    {"pull", -1, 1, {0, 0, 0, 0, 0, 0, -0.127, 0, 0, 0}},
    {"scale", 0.01, 100, {0.783, 0.783, 1.39, 1.39, 1.08, 1.08, 0.709, 0.773, 1.51, 0.384}},
    {"wick", -4, 4, {0.073, 0.073, 0.568, 0.568, 0.403, 0.403, -0.017, 0.06, 0.736, -0.652}},
    {"wick_scale", 0.01, 100, {0.67, 0.67, 0.697, 0.697, 0.68, 0.68, 0.673, 0.679, 0.694, 0.693}},
    {"volume", -4, 4, {0.025, 0.025, 0.975, 0.975, 0.408, 0.408, -0.164, -0.052, 0.485, -0.758}},
    {"volume_scale", 0.01, 100, {0.78, 0.78, 0.83, 0.83, 0.794, 0.794, 0.786, 0.784, 0.786, 0.793}},
};
constexpr int kMoves = static_cast<int>(std::size(kParts)) * kStates, kHold = kMoves + kStates * kStates, kNumbers = kHold + 2;
constexpr double kMove[kStates][kStates] = {
    {0.9913, 0.000538, 0.000384, 0, 0, 0.00411, 0.000883, 0.001248, 0.000826, 0.000711},
    {0.000538, 0.9913, 0, 0.000384, 0.00411, 0, 0.000883, 0.001248, 0.000826, 0.000711},
    {0.028249, 0, 0.951977, 0, 0, 0.004366, 0.002054, 0.006163, 0.007191, 0},
    {0, 0.028249, 0, 0.951977, 0.004366, 0, 0.002054, 0.006163, 0.007191, 0},
    {0.024072, 0.001337, 0, 0, 0.961385, 0, 0.004179, 0.006687, 0.00234, 0},
    {0.001337, 0.024072, 0, 0, 0, 0.961385, 0.004179, 0.006687, 0.00234, 0},
    {0.001339, 0.001339, 0.001654, 0.001654, 0, 0, 0.99102, 0, 0.001182, 0.001812},
    {0.001766, 0.001766, 0.000619, 0.000619, 0, 0, 0, 0.991927, 0.001835, 0.001468},
    {0.00202, 0.00202, 0.001414, 0.001414, 0, 0, 0.001515, 0.003534, 0.985861, 0.002222},
    {0.000549, 0.000549, 0.002454, 0.002454, 0, 0, 0.001392, 0.000952, 0, 0.99165},
};

struct Text {
    char text[48] = {};
    std::size_t n = 0;
    constexpr void add(const char* s) {
        while (*s) text[n++] = *s++;
    }
};
constexpr auto kText = [] {
    std::array<Text, kNumbers> names;
    int i = 0;
    for (const Part& part : kParts)
        for (const char* state : kState) names[i].add(part.name), names[i].add("_"), names[i++].add(state);
    for (const char* from : kState)
        for (const char* to : kState) names[i].add(from), names[i].add("_to_"), names[i++].add(to);
    names[i++].add("enter"), names[i].add("leave");
    return names;
}();
constexpr auto kFitted = [] {
    std::array<Fitted, kNumbers> all{};
    int i = 0;
    for (const Part& part : kParts)
        for (const double value : part.value) all[i] = {{kText[i].text, kText[i].n}, value, part.low, part.high}, ++i;
    for (const auto& row : kMove)
        for (const double value : row) all[i] = {{kText[i].text, kText[i].n}, value, 0, 1}, ++i;
    for (const double value : {0.6, 0.06}) all[i] = {{kText[i].text, kText[i].n}, value, 0, 1}, ++i;
    return all;
}();

// A level among ordered ones; a border counts as passed only by the band.
template <int N>
int level_of(double x, const double (&borders)[N], double band, int was) noexcept {
    int i = was < 0 ? 0 : was;
    const double more = was < 0 ? 0 : band;
    while (i < N && x > borders[i] + more) ++i;
    while (i > 0 && x < borders[i - 1] - more) --i;
    return i;
}

// The reference scale and levels follow the market slowly, by what a bar says of them given the state that is believed:
// their mean over the window would move with the regimes that happen to be in it, by a third. The window holds them near.
struct MarketRegime {
    static constexpr int kWindow = 500;
    static constexpr double kLearn = 0.02;  // step of the references
    static constexpr double kAnchor = 2.0 / kWindow;  // and how fast the window draws them back
    static constexpr double kReach = 4, kAway = 8;       // furthest that logarithms and the distance count
    static constexpr double kKeep = 19.0 / 21;           // of the distance: an exponential average of length 20
    static const char* wrong(Params x) {
        for (int i = 0; i < kStates; ++i) {
            double sum = 0;
            for (int j = 0; j < kStates; ++j) sum += x[kMoves + kStates * i + j];
            if (std::fabs(sum - 1) > 1e-9) return "each row of the transitions must add up to 1";
        }
        return nullptr;
    }
    static constexpr Meta meta{
        .name = "market_regime",
        .doc = "Which of seven regimes it is, by a hidden Markov model of ten states (breakouts and reversals have a direction) whose returns, wicks and volume are Student-t about references that follow the market slowly; filtered, from the past alone. Unknown until the price has moved within the last 500 bars.",
        .outputs = {{"trending_up", "its probability", "0..1", 0, 1}, {"trending_down", "its probability", "0..1", 0, 1},
                    {"breakout", "its probability", "0..1", 0, 1}, {"reversal", "its probability", "0..1", 0, 1},
                    {"ranging", "its probability", "0..1", 0, 1}, {"volatile", "its probability", "0..1", 0, 1},
                    {"quiet", "its probability", "0..1", 0, 1},
                    {"name", "which of these seven, 0 to 6; it changes where another one is likelier than `enter` (0.6), or this one less than `leave` (0.06)", "0..6", 0, kNames - 1},
                    {"age", "bars since the name changed, 1000 at most", "bars", 0, kOldest},
                    {"switch", "probability of another regime than `name` at the next bar", "0..1", 0, 1},
                    {"volatility", "0 low, 1 medium, 2 high: of late, in units of the reference", "0..2", 0, 2},
                    {"trend", "-2 straight down to 2 straight up: net move as a share of the path, both fading by half in 30 bars", "-2..2", -2, 2},
                    {"volume", "0 low, 1 normal, 2 high: of late, about the reference; unknown until 500 bars had one", "0..2", 0, 2}},
        .source = "Hamilton 1989; Ryden, Terasvirta, Asbrink 1998; Bulla 2011", .fitted = kFitted, .wrong = &wrong};
    static int warmup(Params) { return kWindow + 2; }

    MarketRegime(Graph& g, Params p)
        : on(fitted(meta, p, kHold)), off(fitted(meta, p, kHold + 1)), r(g.part<LogReturn>()), scale(g.part<Standardised>(kWindow)),
          wick(g.part<LogWick>()), volume(g.part<LogVolume>()), wicks(g.part<Window<LogWick, Sum>>(kWindow)),
          volumes(g.part<Window<LogVolume, Sum>>(kWindow)) {
        const auto number = [&](int part, int state) { return fitted(meta, p, static_cast<std::size_t>(part * kStates + state)); };
        // A bar counts for two thirds of its evidence, for what it says bars near it say again: a density of five degrees
        // of freedom, (1 + u^2 / 5)^-3, to that power is a square.
        const auto height = [](double s) { return std::exp(std::log(s) * (-2.0 / 3)); };
        for (int j = 0; j < kStates; ++j) {
            const double z = number(2, j), h = number(4, j), v = number(6, j);
            drift[j] = number(0, j), pull[j] = number(1, j), level_h[j] = number(3, j), level_v[j] = number(5, j);
            per_z[j] = 1 / z, per_h[j] = 1 / h, per_v[j] = 1 / v;
            height_z[j] = height(z), height_h[j] = height(h), height_v[j] = height(v);
            next[j] = 1.0 / kStates;
        }
        for (int i = 0; i < kStates; ++i)
            for (int j = 0; j < kStates; ++j) move[i][j] = fitted(meta, p, static_cast<std::size_t>(kMoves + kStates * i + j));
    }

    void update(const Bar&, In in, Out out) noexcept {
        const double unit = in(scale).scale, wick_mean = in(wicks).sum / kWindow, volume_mean = in(volumes).sum / kWindow;
        if (known(reference)) filter(in, out);
        else if (unit > 0) reference = unit;
        wick_level = follow(wick_level, wick_mean);
        volume_level = follow(volume_level, volume_mean);
    }

    double follow(double x, double mean) const noexcept { return known(x) && known(mean) ? x + kAnchor * (mean - x) : mean; }
    static double within(double x, double most) noexcept { return not_below(not_above(x, most), -most); }

    void filter(In in, Out out) noexcept {
        const double move_now = in(r), z = within(move_now / reference, Standardised::kMost), d = within(away, kAway);
        const double lw = in.lane(wick.lane), lv = in.lane(volume.lane);
        const bool has_h = known(lw) && known(wick_level), has_v = known(lv) && known(volume_level);
        const double h = has_h ? within(lw - wick_level, kReach) : 0, v = has_v ? within(lv - volume_level, kReach) : 0;

        // What the bar says of each state, and of the references in each.
        double now[kStates], say_z[kStates], say_h[kStates] = {}, say_v[kStates] = {};
        for (int j = 0; j < kStates; ++j) {
            const double u = (z - drift[j] - pull[j] * d) * per_z[j], q = 1 + u * u * 0.2;
            now[j] = next[j] * height_z[j] / (q * q);
            say_z[j] = 6 - 6 / q - 1;
        }
        if (has_h)
            for (int j = 0; j < kStates; ++j) {
                const double e = h - level_h[j], u = e * per_h[j], q = 1 + u * u * 0.2;
                now[j] *= height_h[j] / (q * q);
                say_h[j] = 1.2 * e / q;
            }
        if (has_v)
            for (int j = 0; j < kStates; ++j) {
                const double e = v - level_v[j], u = e * per_v[j], q = 1 + u * u * 0.2;
                now[j] *= height_v[j] / (q * q);
                say_v[j] = 1.2 * e / q;
            }
        double all = 0, of_z = 0, of_h = 0, of_v = 0;
        for (int j = 0; j < kStates; ++j) all += now[j];
        const double inverse = 1 / all;
        for (int j = 0; j < kStates; ++j) now[j] *= inverse;
        for (int j = 0; j < kStates; ++j) of_z += now[j] * say_z[j], of_h += now[j] * say_h[j], of_v += now[j] * say_v[j];
        // A bar that did not move says nothing of the scale.
        if (move_now != 0) {
            reference *= 1 + 0.5 * kLearn * of_z;
            reference += kAnchor * (in(scale).scale - reference);
        }
        wick_level += kLearn * of_h;
        volume_level += kLearn * of_v;
        away = kKeep * (away + z);

        for (int j = 0; j < kStates; ++j) next[j] = 0;
        for (int i = 0; i < kStates; ++i)
            for (int j = 0; j < kStates; ++j) next[j] += now[i] * move[i][j];

        double probability[kNames], then[kNames];
        int best = 0;
        for (int k = 0; k < kNames; ++k) {
            const int a = kFirst[k], b = kFirst[k + 1] - 1;
            probability[k] = a == b ? now[a] : now[a] + now[b];
            then[k] = a == b ? next[a] : next[a] + next[b];
            if (probability[k] > probability[best]) best = k;
            out[k] = not_above(probability[k], 1);
        }
        if (name < 0) name = best;
        else if (best != name && (probability[best] > on || probability[name] < off)) name = best, age = 0;
        else age = not_above(age + 1, kOldest);
        out[7] = name;
        out[8] = age;
        out[9] = not_below(1 - then[name], 0);

        const double fast = 0.9330329915368074, middle = 0.9771599684342459, slow = 0.8705505632961241;  // halves in 10, 30, 5 bars
        const double size = std::fabs(z);
        seen = fast * seen + (1 - fast);
        roots = fast * roots + (1 - fast) * std::sqrt(size);
        const double root = roots / seen;
        volatility_level = level_of(root * root * (1 / Standardised::kNormal), {0.7, 1.4}, 0.1, volatility_level);
        net = middle * net + z;
        path = middle * path + size;
        trend_level = level_of(path > 0 ? net / path : 0, {-0.45, -0.25, 0.25, 0.45}, 0.05, trend_level);
        out[10] = volatility_level;
        out[11] = trend_level - 2;
        if (known(volume_level)) {
            counted = slow * counted + (1 - slow);
            volume_now = slow * volume_now + (1 - slow) * (has_v ? v : -kReach);
            volume_of_late = level_of(volume_now / counted, {-0.35, 0.4}, 0.1, volume_of_late);
            out[12] = volume_of_late;
        }
    }

    double on, off;
    Ref<LogReturn> r;
    Ref<Standardised> scale;
    Ref<LogWick> wick;
    Ref<LogVolume> volume;
    Ref<Window<LogWick, Sum>> wicks;
    Ref<Window<LogVolume, Sum>> volumes;
    double reference = kNaN, wick_level = kNaN, volume_level = kNaN, away = 0;
    double roots = 0, seen = 0, net = 0, path = 0, volume_now = 0, counted = 0, age = 0;
    double drift[kStates], pull[kStates], level_h[kStates], level_v[kStates], per_z[kStates], per_h[kStates], per_v[kStates];
    double height_z[kStates], height_h[kStates], height_v[kStates], next[kStates], move[kStates][kStates];
    std::int32_t name = -1, volatility_level = -1, trend_level = -1, volume_of_late = -1;
};

constexpr Kind kinds[] = {kind<MarketRegime>};
}  // namespace

const Family market_regime{"market_regime", "regime", kinds};

}  // namespace smartcore
