// Volume: how much traded, on which side of the price.
#include "base/lag.hpp"
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Obv {
    struct Flow {
        struct Told {
            double change, net, volume;
        };
        explicit Flow(Graph& g) : change(g.part<Change>()) {}
        void update(const Bar& b, In in, Out out) const noexcept {
            const double move = out[0] = in(change);
            out[1] = where(move > 0, b.volume) - where(move < 0, b.volume);
            out[2] = b.volume;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.net, t.volume}; }
        Ref<Change> change;
    };
    static constexpr Meta meta{
        .name = "obv", .doc = "Change of on-balance volume over the window as a share of the volume traded.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "sum sign(change) volume / sum volume; 0 without volume", "-1..1", -1, 1}},
        .defaults = {{20}, {100}}, .source = "Granville 1963"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Obv(Graph& g, Params p) : flow(g.part<Window<Flow, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        out[0] = share_of(in(flow));
    }
    Ref<Window<Flow, Sum2>> flow;
};

struct VwapDistance {
    struct Money {
        static double of(const Bar& b) noexcept { return b.volume; }
        static Sum2 aggregate(const Bar& b) noexcept { return {b.volume * Typical::of(b), b.volume}; }
    };
    static constexpr Meta meta{
        .name = "vwap_distance", .doc = "Close relative to the volume-weighted average price of the window.",
        .params = {{"window", 1, 100'000}}, .outputs = {{"", "close / (sum typical volume / sum volume) - 1; unknown without volume", "fraction", -1}},
        .defaults = {{20}, {100}}, .source = "Berkowitz, Logue, Noser 1988"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    VwapDistance(Graph& g, Params p) : window(g.part<Window<Money, Sum2>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const Sum2 sum = in(window);
        out[0] = sum.first > 0 ? b.close * sum.second / sum.first - 1 : kNaN;
    }
    Ref<Window<Money, Sum2>> window;
};

struct RelativeVolume {
    static constexpr Meta meta{
        .name = "relative_volume", .doc = "Volume of the bar relative to its mean.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "volume / mean volume of the last `window` bars; unknown without volume", "ratio", 0}}, .defaults = {{20}, {100}},
        .source = "Karpoff 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RelativeVolume(Graph& g, Params p) : n(p[0]), window(g.part<Window<Volume, Sum>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = ratio(b.volume * n, in(window).sum); }
    double n;
    Ref<Window<Volume, Sum>> window;
};

struct Amihud {
    struct Illiquidity {
        explicit Illiquidity(Graph& g) : r(g.part<LogReturn>()) {}
        void update(const Bar& b, In in, Out out) const noexcept {
            const double turnover = b.turnover > 0 ? b.turnover : b.volume * b.close;
            out[0] = turnover > 0 ? std::fabs(in(r)) / turnover : kNaN;
        }
        Ref<LogReturn> r;
    };
    static constexpr Meta meta{
        .name = "amihud", .doc = "Amihud illiquidity: price move per unit of turnover. Bars without turnover do not count.",
        .params = {{"window", 1, 100'000}}, .outputs = {{"", "log10 of mean |log return| / turnover; unknown while the price stands", "log10"}},
        .defaults = {{20}, {100}}, .source = "Amihud 2002"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Amihud(Graph& g, Params p) : n(p[0]), window(g.part<Window<Illiquidity, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double sum = in(window).sum;
        out[0] = sum > 0 ? std::log10(sum / n) : kNaN;
    }
    double n;
    Ref<Window<Illiquidity, Sum>> window;
};

// Where the close lies between low and high, -1 to 1, times volume: what is accumulated, less what is distributed.
struct Accumulated {
    static double of(const Bar& b) noexcept {
        const double range = b.high - b.low;
        return range > 0 ? ((b.close - b.low) - (b.high - b.close)) / range * b.volume : 0;
    }
    static Sum2 aggregate(const Bar& b) noexcept { return {of(b), b.volume}; }
};

struct ChaikinMoneyFlow {
    static constexpr Meta meta{
        .name = "chaikin_money_flow", .doc = "Chaikin money flow: volume weighted by where bars close in their ranges.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "sum volume ((close - low) - (high - close)) / (high - low) / sum volume; 0 without volume", "-1..1", -1, 1}},
        .defaults = {{20}, {100}}, .source = "Chaikin 1982"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    ChaikinMoneyFlow(Graph& g, Params p) : window(g.part<Window<Accumulated, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Sum2 sum = in(window);
        out[0] = sum.second > 0 ? not_above(not_below(sum.first / sum.second, -1), 1) : sum.second;
    }
    Ref<Window<Accumulated, Sum2>> window;
};

struct ChaikinOscillator {
    static constexpr Meta meta{
        .name = "chaikin_oscillator", .doc = "Chaikin oscillator: a fast against a slow average of the accumulation line, in average volumes.",
        .params = {{"fast", 2, 10'000}, {"slow", 2, 10'000}},
        .outputs = {{"", "(EMA fast - EMA slow of the accumulation line) / EMA slow of volume; 0 without volume", "number"}}, .defaults = {{3, 10}},
        .source = "Chaikin 1982"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])); }
    ChaikinOscillator(Graph&, Params p) : fast(Lag::ema(p[0])), slow(Lag::ema(p[1])), volume(Fading::ema(p[1])) {}
    void update(const Bar& b, In, Out out) noexcept {
        const double step = Accumulated::of(b);
        fast.push(step);
        slow.push(step);
        volume.push(b.volume);
        if (fast.ready() && slow.ready()) out[0] = volume.level > 0 ? (slow.gap - fast.gap) / volume.level : 0;
    }
    Lag fast, slow;
    Fading volume;
};

struct ForceIndex {
    static constexpr Meta meta{
        .name = "force_index", .doc = "Elder's force index, changes times volume, as a share of its own size.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "EMA of change volume / EMA of |change| volume; 0 when neither", "-1..1", -1, 1}}, .defaults = {{13}, {50}},
        .source = "Elder 1993"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    ForceIndex(Graph& g, Params p) : change(g.part<Change>()), force(Fading::ema(p[0])), size(Fading::ema(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double x = in(change) * b.volume;
        if (!known(x)) return;
        force.push(x);
        size.push(std::fabs(x));
        if (size.ready()) out[0] = size.level > 0 ? not_above(not_below(force.level / size.level, -1), 1) : 0;
    }
    Ref<Change> change;
    Fading force, size;
};

struct EaseOfMovement {
    struct Ease {
        struct Told {
            double ease, size;
        };
        explicit Ease(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            const double move = 0.5 * ((b.high - high) + (b.low - low)), ease = b.volume > 0 ? move * (b.high - b.low) / b.volume : 0 * move;
            out[0] = ease;
            out[1] = std::fabs(ease);
            high = b.high, low = b.low;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.ease, t.size}; }
        double high = kNaN, low = kNaN;
    };
    static constexpr Meta meta{
        .name = "ease_of_movement", .doc = "Arms' ease of movement: moves of the middle times range over volume, as a share of their sizes.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "sum of move range / volume / sum of |move| range / volume; 0 when none", "-1..1", -1, 1}},
        .defaults = {{14}, {50}}, .source = "Arms 1989"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    EaseOfMovement(Graph& g, Params p) : window(g.part<Window<Ease, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Sum2 sum = in(window);
        out[0] = sum.second > 0 ? not_above(not_below(sum.first / sum.second, -1), 1) : sum.second;
    }
    Ref<Window<Ease, Sum2>> window;
};

struct PriceVolumeTrend {
    struct Flow {
        struct Told {
            double flow, volume;
        };
        explicit Flow(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            out[0] = (b.close - last) / last * b.volume;
            out[1] = b.volume;
            last = b.close;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.flow, t.volume}; }
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "price_volume_trend", .doc = "Price volume trend over the window: returns weighted by volume.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "sum (close / last close - 1) volume / sum volume; 0 without volume", "fraction per bar"}}, .defaults = {{20}, {100}},
        .source = "Markstein 1966"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PriceVolumeTrend(Graph& g, Params p) : window(g.part<Window<Flow, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        out[0] = share_of(in(window));
    }
    Ref<Window<Flow, Sum2>> window;
};

struct VolumeIndex {
    struct Split {
        struct Told {
            double quiet, lively;
        };
        explicit Split(Graph& g) : r(g.part<LogReturn>()) {}
        void update(const Bar& b, In in, Out out) noexcept {
            const double x = in(r);
            out[0] = b.volume < last ? x : 0 * x;
            out[1] = b.volume > last ? x : 0;
            last = b.volume;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.quiet, t.lively}; }
        Ref<LogReturn> r;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "volume_index", .doc = "Negative and positive volume index over the window: returns of bars with less and with more volume than the one before.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"negative", "sum of log returns where volume fell", "log"}, {"positive", "sum of log returns where volume rose", "log"}},
        .defaults = {{50}}, .source = "Fosback 1976"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    VolumeIndex(Graph& g, Params p) : window(g.part<Window<Split, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        out[0] = in(window).first;
        out[1] = in(window).second;
    }
    Ref<Window<Split, Sum2>> window;
};

struct Klinger {
    static constexpr Meta meta{
        .name = "klinger", .doc = "Klinger oscillator: a fast against a slow average of the volume force, in average volumes.",
        .params = {{"fast", 2, 10'000}, {"slow", 2, 10'000}},
        .outputs = {{"", "(EMA fast - EMA slow of side volume |2 range / (ranges since the typical price turned, and the one before) - 1|) / EMA slow of volume; 0 without volume", "number"}},
        .defaults = {{34, 55}}, .source = "Klinger 1997"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])) + 1; }
    Klinger(Graph&, Params p) : fast(Fading::ema(p[0])), slow(Fading::ema(p[1])), volume(Fading::ema(p[1])) {}
    void update(const Bar& b, In, Out out) noexcept {
        const double range = b.high - b.low, price = b.high + b.low + b.close;
        if (known(last)) {
            const double move = price - last, still = 1e-14 * price;  // sums of three are rounded
            const double now = move > still ? 1 : move < -still ? -1 : side;
            sum = now == side ? sum + range : before + range;
            side = now;
            const double force = sum > 0 ? side * b.volume * std::fabs(2 * (range / sum) - 1) : 0;
            fast.push(force);
            slow.push(force);
            volume.push(b.volume);
            if (fast.ready() && slow.ready()) out[0] = volume.level > 0 ? (fast.level - slow.level) / volume.level : 0;
        }
        last = price;
        before = range;
    }
    Fading fast, slow, volume;
    double last = kNaN, before = 0, sum = 0, side = 0;
};

struct VolumeOscillator {
    static constexpr Meta meta{
        .name = "volume_oscillator", .doc = "Percentage volume oscillator / 100: a fast average of volume against a slow one.",
        .params = {{"fast", 2, 10'000}, {"slow", 2, 10'000}, {"signal", 2, 10'000}},
        .outputs = {{"", "(EMA fast - EMA slow) / EMA slow of volume; 0 without volume", "fraction", -1}, {"histogram", "line less its EMA over `signal`", "fraction"}},
        .defaults = {{12, 26, 9}}, .source = "Achelis 1995"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1]) + p[2]) - 1; }
    VolumeOscillator(Graph&, Params p) : fast(Fading::ema(p[0])), slow(Fading::ema(p[1])), signal(Fading::ema(p[2])) {}
    void update(const Bar& b, In, Out out) noexcept {
        fast.push(b.volume);
        slow.push(b.volume);
        if (!fast.ready() || !slow.ready()) return;
        const double line = slow.level > 0 ? (fast.level - slow.level) / slow.level : 0;
        signal.push(line);
        if (!signal.ready()) return;
        out[0] = line;
        out[1] = line - signal.level;
    }
    Fading fast, slow, signal;
};

struct PriceVolumeCorrelation {
    struct Both {
        static double of(const Bar& b) noexcept { return b.close; }
        static Pair aggregate(const Bar& b) noexcept { return {b.close, b.volume}; }
    };
    static constexpr Meta meta{
        .name = "price_volume_correlation", .doc = "Whether volume comes with high or with low prices.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of close and volume; unknown when either is flat", "-1..1", -1, 1}}, .defaults = {{20}, {100}},
        .source = "Karpoff 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    PriceVolumeCorrelation(Graph& g, Params p) : window(g.part<Window<Both, Comoments>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Window<Both, Comoments>> window;
};

struct VolumeZScore {
    static constexpr Meta meta{
        .name = "volume_zscore", .doc = "Volume of the bar in standard deviations from its mean.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(volume - mean) / deviation (population) of the window; 0 when flat", "number"}}, .defaults = {{50}, {200}},
        .source = "Karpoff 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    VolumeZScore(Graph& g, Params p) : inverse(1 / p[0]), window(g.part<Window<Volume, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Moments2 m = in(window);
        const double z = m.away / std::sqrt(m.m2 * inverse);
        out[0] = m.m2 > 0 ? z : m.m2;
    }
    double inverse;
    Ref<Window<Volume, Moments2>> window;
};

constexpr Kind kinds[] = {kind<Obv>, kind<VwapDistance>, kind<RelativeVolume>, kind<Amihud>, kind<ChaikinMoneyFlow>,
                          kind<ChaikinOscillator>, kind<ForceIndex>, kind<EaseOfMovement>, kind<PriceVolumeTrend>, kind<VolumeIndex>,
                          kind<Klinger>, kind<VolumeOscillator>, kind<PriceVolumeCorrelation>, kind<VolumeZScore>};
}  // namespace

const Family volume{"volume", "technical", kinds};

}  // namespace smartcore
