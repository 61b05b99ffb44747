// Momentum: oscillators, position within the recent range.
#include "base/lag.hpp"
#include "base/wide.hpp"
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

// Wilder averages of rises and falls, compared.
struct Strength {
    Strength(Graph& g, double n) : change(g.part<Change>()), up(Smooth::wilder(n)), down(Smooth::wilder(n)) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double d = in(change);
        if (!known(d)) return;
        up.push(not_below(d, 0));
        down.push(not_below(-d, 0));
        if (!up.ready()) return;
        const double sum = up.level + down.level;
        out[0] = sum > 0 ? 100 * (up.level / sum) : 50;
    }
    Ref<Change> change;
    Smooth up, down;
};

struct Rsi {
    static constexpr Meta meta{
        .name = "rsi", .doc = "Relative strength index of the close.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "100 up / (up + down), Wilder averages of rises and falls; 50 when nothing moved", "0..100", 0, 100}},
        .defaults = {{7}, {14}, {28}}, .source = "Wilder 1978"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Rsi(Graph& g, Params p) : strength(g.part<Strength>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(strength); }
    Ref<Strength> strength;
};

struct Stochastic {
    static constexpr Meta meta{
        .name = "stochastic", .doc = "Stochastic oscillator: where the close lies in the range of the window, smoothed.",
        .params = {{"window", 2, 10'000}, {"smooth", 2, 1'000}},
        .outputs = {{"k", "mean over `smooth` of 100 (close - lowest low) / (highest high - lowest low)", "0..100", 0, 100},
                    {"d", "mean of k over `smooth`", "0..100", 0, 100}},
        .defaults = {{14, 3}}, .source = "Lane 1984"};
    static int warmup(Params p) { return static_cast<int>(p[0] + 2 * p[1]) - 2; }
    Stochastic(Graph& g, Params p)
        : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])), ks(g.arena(), count_of(p[1])), ds(g.arena(), count_of(p[1])), n(p[1]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double top = in(high).max, bottom = in(low).min;
        if (!known(top)) return;
        const double fast = ks.push(in, {top > bottom ? 100 * ((b.close - bottom) / (top - bottom)) : 50}).sum / n;
        if (!ks.full()) return;
        const double slow = ds.push(in, {fast}).sum / n;
        if (!ds.full()) return;
        out[0] = fast;
        out[1] = slow;
    }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
    Sliding<Sum> ks, ds;
    double n;
};

struct Cci {
    static constexpr Meta meta{
        .name = "cci", .doc = "Commodity channel index: typical price against its mean, in mean absolute deviations.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "(typical - mean) / (0.015 mean |deviation|); 0 when flat", "number"}},
        .defaults = {{20}, {50}}, .source = "Lambert 1980"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Cci(Graph& g, Params p) : n(count_of(p[0])), typical(past<Typical>(g, p[0])), sum(g.part<Window<Typical, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double mean = in(sum).sum / n;
        if (!known(mean)) return;
        const auto past = in.past(typical);
        const double deviation = sum_distance(past.last(n), n, mean);
        // A flat window's mean may miss its values by a rounding; that is not a deviation.
        out[0] = deviation > 1e-14 * n * mean ? n * (past.ago(0) - mean) / (0.015 * deviation) : 0;
    }
    std::uint32_t n;
    Ref<Past<Typical>> typical;
    Ref<Window<Typical, Sum>> sum;
};

struct Mfi {
    // Turnover of bars whose typical price rose, and of those whose fell.
    struct Flow {
        struct Told {
            double change, up, down;
        };
        explicit Flow(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            const double price = (b.high + b.low + b.close) / 3, money = price * b.volume;
            const double change = out[0] = price - last;
            const double still = 1e-14 * price;  // equal prices may differ by the rounding of the sum of three
            out[1] = where(change > still, money);
            out[2] = where(change < -still, money);
            last = price;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.up, t.down}; }
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "mfi", .doc = "Money flow index: the share of turnover in bars whose typical price rose.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "100 rising / (rising + falling); 50 when neither", "0..100", 0, 100}},
        .defaults = {{14}, {28}}, .source = "Quong and Soudack 1989"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Mfi(Graph& g, Params p) : flow(g.part<Window<Flow, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double up = in(flow).first, sum = up + in(flow).second;
        out[0] = sum > 0 ? 100 * (up / sum) : sum + 50;  // or unknown
    }
    Ref<Window<Flow, Sum2>> flow;
};

struct Donchian {
    static constexpr Meta meta{
        .name = "donchian", .doc = "Where the close lies in the Donchian channel.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(close - lowest low) / (highest high - lowest low); 0.5 when flat", "0..1", 0, 1}},
        .defaults = {{20}, {100}}, .source = "Donchian 1960"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Donchian(Graph& g, Params p) : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double bottom = in(low).min, range = in(high).max - bottom;
        out[0] = range > 0 ? (b.close - bottom) / range : range + 0.5;
    }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
};

struct StochRsi {
    static constexpr Meta meta{
        .name = "stoch_rsi", .doc = "Stochastic of the relative strength index: where it lies in its own range.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "(RSI - lowest) / (highest - lowest RSI of the window); 0.5 when they are within 1e-9", "0..1", 0, 1}},
        .defaults = {{14}, {28}}, .source = "Chande and Kroll 1994"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]); }
    StochRsi(Graph& g, Params p) : strength(g.part<Strength>(p[0])), highs(g.arena(), count_of(p[0])), lows(g.arena(), count_of(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double rsi = in(strength);
        if (!known(rsi)) return;
        const double high = highs.push(in, {rsi}).max, low = lows.push(in, {rsi}).min;
        if (highs.full()) out[0] = high - low > 1e-9 ? (rsi - low) / (high - low) : 0.5;
    }
    Ref<Strength> strength;
    Sliding<Max> highs;
    Sliding<Min> lows;
};

struct Cmo {
    static constexpr Meta meta{
        .name = "cmo", .doc = "Chande momentum oscillator over plain sums: net move of the close over the path it took, with its sign.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "100 (rises - falls) / (rises + falls); 0 when flat", "-100..100", -100, 100}},
        .defaults = {{20}, {100}}, .source = "Chande 1994"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Cmo(Graph& g, Params p) : n(count_of(p[0])), close(past<Close>(g, p[0] + 1)), path(g.part<Window<AbsChange, Sum>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double sum = in(path).sum, net = (b.close - in.past(close).ago(n)) / sum;
        out[0] = sum > 0 ? 100 * not_above(not_below(net, -1), 1) : sum;
    }
    std::uint32_t n;
    Ref<Past<Close>> close;
    Ref<Window<AbsChange, Sum>> path;
};

struct Tsi {
    static constexpr Meta meta{
        .name = "tsi", .doc = "True strength index: changes smoothed twice over their sizes smoothed twice.",
        .params = {{"slow", 2, 1'000}, {"fast", 2, 1'000}},
        .outputs = {{"", "100 EMA fast of EMA slow of changes / the same of |changes|; 0 when flat", "-100..100", -100, 100}},
        .defaults = {{25, 13}}, .source = "Blau 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    Tsi(Graph& g, Params p)
        : change(g.part<Change>()), net{Fading::ema(p[0]), Fading::ema(p[1])}, path{Fading::ema(p[0]), Fading::ema(p[1])} {}
    void update(const Bar&, In in, Out out) noexcept {
        const double d = in(change);
        if (!known(d)) return;
        net[0].push(d);
        path[0].push(std::fabs(d));
        if (!net[0].ready()) return;
        net[1].push(net[0].level);
        path[1].push(path[0].level);
        if (!net[1].ready()) return;
        const double sum = path[1].level;
        out[0] = sum > 0 ? 100 * not_above(not_below(net[1].level / sum, -1), 1) : 0;
    }
    Ref<Change> change;
    Fading net[2], path[2];
};

struct Trix {
    static constexpr Meta meta{
        .name = "trix", .doc = "Relative change of the close smoothed three times.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "EMA of EMA of EMA / the one a bar before - 1", "fraction per bar"}}, .defaults = {{15}, {50}},
        .source = "Hutson 1983"};
    static int warmup(Params p) { return 3 * static_cast<int>(p[0]) - 1; }
    Trix(Graph& g, Params p) : change(g.part<Change>()), ema(p[0]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const bool begun = ema.ready();
        ema.push(in(change));
        if (!begun) return;
        const double before = b.close - (ema.gap(0) + ema.gap(1) + ema.gap(2)) - ema.last;
        out[0] = before > 0 ? ema.last / before : kNaN;  // a price of 1e16 times the others rounds them away
    }
    Ref<Change> change;
    Lags<3> ema;
};

struct UltimateOscillator {
    struct Pressure {  // how far the close is above the low, or the close before, and the true range
        struct Told {
            double range, buying;
        };
        explicit Pressure(Graph& g) : range(g.part<TrueRange>()) {}
        void update(const Bar& b, In in, Out out) noexcept {
            out[0] = in(range);
            out[1] = b.close - (b.low < last ? b.low : last);
            last = b.close;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.buying, t.range}; }
        Ref<TrueRange> range;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "ultimate_oscillator", .doc = "Ultimate oscillator: buying pressure over true range, over three windows at once.",
        .params = {{"fast", 2, 10'000}, {"middle", 2, 10'000}, {"slow", 2, 10'000}},
        .outputs = {{"", "100 (4 fast + 2 middle + slow) / 7 of sum(close - lower of low and last close) / sum true range; 50 when flat", "0..100", 0, 100}},
        .defaults = {{7, 14, 28}}, .source = "Williams 1985"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(std::fmax(p[0], p[1]), p[2])) + 1; }
    UltimateOscillator(Graph& g, Params p)
        : fast(g.part<Window<Pressure, Sum2>>(p[0])), middle(g.part<Window<Pressure, Sum2>>(p[1])), slow(g.part<Window<Pressure, Sum2>>(p[2])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double all = (4 * share(in(fast)) + 2 * share(in(middle)) + share(in(slow))) * (100.0 / 7);
        out[0] = all > 100 ? 100 : all;
    }
    static double share(const Sum2& sum) noexcept { return sum.second > 0 ? sum.first / sum.second : sum.second + 0.5; }
    Ref<Window<Pressure, Sum2>> fast, middle, slow;
};

struct AwesomeOscillator {
    static constexpr std::uint32_t kSmooth = 5;
    static constexpr Meta meta{
        .name = "awesome_oscillator", .doc = "Awesome oscillator: the middles of the bars, a fast mean against a slow one, in average ranges (ATR 14).",
        .params = {{"fast", 2, 10'000}, {"slow", 2, 10'000}},
        .outputs = {{"", "(mean middle over `fast` - over `slow`) / ATR; 0 when nothing ever moved", "ATR"},
                    {"acceleration", "(the same difference - its mean over 5 bars) / ATR", "ATR"}},
        .defaults = {{5, 34}}, .source = "Williams 1995"};
    static int warmup(Params p) { return std::max(static_cast<int>(std::fmax(p[0], p[1])) + static_cast<int>(kSmooth) - 1, 15); }
    AwesomeOscillator(Graph& g, Params p)
        : fast(g, p[0]), slow(g, p[1]), range(usual_range(g)), smooth(g.arena(), kSmooth) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double ao = slow.below(in) - fast.below(in);
        if (!known(ao)) return;
        const double mean = smooth.push(in, {ao}).sum / kSmooth, atr = in(range);
        if (!smooth.full() || !known(atr)) return;
        out[0] = in_ranges(ao, atr);
        out[1] = in_ranges(ao - mean, atr);
    }
    struct Mean {  // of the middles
        Mean(Graph& g, double n) : n(n), close(g.part<Window<Close, Moments2>>(n)), middle(g.part<Window<MiddleAway, Sum>>(n)) {}
        double below(In in) const noexcept { return in(close).away - in(middle).sum / n; }  // close - mean
        double n;
        Ref<Window<Close, Moments2>> close;
        Ref<Window<MiddleAway, Sum>> middle;
    };
    Mean fast, slow;
    Ref<Wilder<TrueRange>> range;
    Sliding<Sum> smooth;
};

struct Fisher {
    struct Middle {
        static double of(const Bar& b) noexcept { return 0.5 * (b.high + b.low); }
    };
    static constexpr Meta meta{
        .name = "fisher", .doc = "Fisher transform of where the middle of the bar lies in its recent range: turns stand out.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"", "x = 0.66 (place in the range - 0.5) + 0.67 x before, within 0.999; 0.5 ln((1 + x) / (1 - x)) + 0.5 of the value before", "number"}},
        .defaults = {{10}, {50}}, .source = "Ehlers 2002"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Fisher(Graph& g, Params p) : high(g.part<Window<Middle, Max>>(p[0])), low(g.part<Window<Middle, Min>>(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double bottom = in(low).min, range = in(high).max - bottom;
        if (!known(range)) return;
        const double place = range > 1e-14 * bottom ? (Middle::of(b) - bottom) / range - 0.5 : 0;  // equal middles may differ by a rounding
        x = faded(not_above(not_below(0.66 * place + 0.67 * x, -0.999), 0.999));
        value = faded(0.5 * log_ratio(1 + x, 1 - x) + 0.5 * value);
        out[0] = value;
    }
    Ref<Window<Middle, Max>> high;
    Ref<Window<Middle, Min>> low;
    double x = 0, value = 0;
};

struct RelativeVigor {
    static constexpr Meta meta{
        .name = "relative_vigor", .doc = "Relative vigor index: bodies over ranges, each weighted 1 2 2 1 over four bars.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"", "sum of weighted (close - open) / sum of weighted (high - low); 0 when flat", "-1..1", -1, 1}}, .defaults = {{10}, {50}},
        .source = "Ehlers 2002"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 3; }
    RelativeVigor(Graph& g, Params p) : sums(g.arena(), count_of(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const Sum2 now{b.close - b.open, b.high - b.low};
        const Sum2 four{now.first + 2 * (last[0].first + last[1].first) + last[2].first, now.second + 2 * (last[0].second + last[1].second) + last[2].second};
        last[2] = last[1], last[1] = last[0], last[0] = now;
        if (!known(four.first)) return;
        const Sum2 sum = sums.push(in, four);
        if (sums.full()) out[0] = sum.second > 0 ? not_above(not_below(sum.first / sum.second, -1), 1) : 0;
    }
    Sum2 last[3] = {{kNaN, kNaN}, {kNaN, kNaN}, {kNaN, kNaN}};
    Sliding<Sum2> sums;
};

struct Streak {
    static constexpr Meta meta{
        .name = "streak", .doc = "For how many bars in a row the close has risen, or fallen.",
        .outputs = {{"", "bars, below 0 if they fell; 0 after a close equal to the one before", "bars"}}, .source = "Connors and Alvarez 2012"};
    static int warmup(Params) { return 2; }
    Streak(Graph& g, Params) : change(g.part<Change>()) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double d = in(change);
        if (!known(d)) return;
        run = d > 0 ? not_below(run, 0) + 1 : d < 0 ? not_above(run, 0) - 1 : 0;
        out[0] = run;
    }
    Ref<Change> change;
    double run = 0;
};

struct Demarker {
    struct Push {  // beyond the high and the low of the bar before
        struct Told {
            double up, down;
        };
        explicit Push(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            out[0] = b.high > high ? b.high - high : 0 * high;
            out[1] = b.low < low ? low - b.low : 0;
            high = b.high, low = b.low;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.up, t.down}; }
        double high = kNaN, low = kNaN;
    };
    static constexpr Meta meta{
        .name = "demarker", .doc = "DeMarker: how far highs rose against how far lows fell.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "rises of the high / (rises of the high + falls of the low); 0.5 when neither", "0..1", 0, 1}}, .defaults = {{14}, {50}},
        .source = "DeMark 1994"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Demarker(Graph& g, Params p) : window(g.part<Window<Push, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double up = in(window).first, sum = up + in(window).second;
        out[0] = sum > 0 ? up / sum : sum + 0.5;
    }
    Ref<Window<Push, Sum2>> window;
};

struct IntradayMomentum {
    struct Bodies {
        static double of(const Bar& b) noexcept { return b.close - b.open; }
        static Sum2 aggregate(const Bar& b) noexcept {
            const double d = b.close - b.open;
            return {where(d > 0, d), where(d < 0, -d)};
        }
    };
    static constexpr Meta meta{
        .name = "intraday_momentum", .doc = "Intraday momentum index: bodies of bars that rose over all bodies.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "100 rising / (rising + falling) of close - open; 50 when neither", "0..100", 0, 100}}, .defaults = {{14}, {50}},
        .source = "Chande and Kroll 1994"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    IntradayMomentum(Graph& g, Params p) : window(g.part<Window<Bodies, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double up = in(window).first, sum = up + in(window).second;
        out[0] = sum > 0 ? 100 * (up / sum) : sum + 50;
    }
    Ref<Window<Bodies, Sum2>> window;
};

struct BalanceOfPower {
    static constexpr Meta meta{
        .name = "balance_of_power", .doc = "Balance of power: where bars close against where they open, as a share of their ranges.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "mean (close - open) / (high - low), 0 of a bar without range", "-1..1", -1, 1}},
        .defaults = {{14}, {50}}, .source = "Livshin 2001"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    BalanceOfPower(Graph& g, Params p) : n(p[0]), window(g.part<Window<BodyShare, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).sum / n; }
    double n;
    Ref<Window<BodyShare, Sum>> window;
};

struct Qstick {
    static constexpr Meta meta{
        .name = "qstick", .doc = "Mean body of the bars in average ranges (ATR 14).", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean (close - open) / ATR; 0 when nothing ever moved", "ATR"}}, .defaults = {{14}, {50}}, .source = "Chande and Kroll 1994"};
    static int warmup(Params p) { return std::max(static_cast<int>(p[0]), 15); }
    Qstick(Graph& g, Params p) : n(p[0]), window(g.part<Window<Body, Sum>>(p[0])), range(usual_range(g)) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in_ranges(in(window).sum / n, in(range)); }
    double n;
    Ref<Window<Body, Sum>> window;
    Ref<Wilder<TrueRange>> range;
};

struct ElderRay {
    static constexpr Meta meta{
        .name = "elder_ray", .doc = "Elder ray: how far the bar reaches above and below the exponential average, in average ranges (ATR 14).",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"bull", "(high - EMA) / ATR; 0 when nothing ever moved", "ATR"}, {"bear", "(low - EMA) / ATR; 0 when nothing ever moved", "ATR"}},
        .defaults = {{13}}, .source = "Elder 1993"};
    static int warmup(Params p) { return std::max(static_cast<int>(p[0]), 15); }
    ElderRay(Graph& g, Params p) : change(g.part<Change>()), range(usual_range(g)), ema(Lag::ema(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        ema.push(in(change));
        const double atr = in(range);
        if (!ema.ready() || !known(atr)) return;
        out[0] = in_ranges(ema.gap + (b.high - b.close), atr);
        out[1] = in_ranges(ema.gap + (b.low - b.close), atr);
    }
    Ref<Change> change;
    Ref<Wilder<TrueRange>> range;
    Lag ema;
};

struct StochasticMomentum {
    static constexpr Meta meta{
        .name = "stochastic_momentum", .doc = "Stochastic momentum index: the close against the middle of the window's range, smoothed twice.",
        .params = {{"window", 2, 10'000}, {"first", 2, 1'000}, {"second", 2, 1'000}},
        .outputs = {{"", "100 EMA of EMA of (close - middle of the range) / half the EMA of EMA of the range; 0 when flat", "-100..100", -100, 100}},
        .defaults = {{13, 25, 2}}, .source = "Blau 1993"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1] + p[2]) - 2; }
    StochasticMomentum(Graph& g, Params p)
        : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])), away{Fading::ema(p[1]), Fading::ema(p[2])},
          range{Fading::ema(p[1]), Fading::ema(p[2])} {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double top = in(high).max, bottom = in(low).min;
        if (!known(top)) return;
        away[0].push((b.close - top) + (b.close - bottom));
        range[0].push(top - bottom);
        if (!away[0].ready()) return;
        away[1].push(away[0].level);
        range[1].push(range[0].level);
        if (!away[1].ready()) return;
        const double all = range[1].level;
        out[0] = all > 0 ? 100 * not_above(not_below(away[1].level / all, -1), 1) : 0;
    }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
    Fading away[2], range[2];
};

struct LaguerreRsi {
    static constexpr Meta meta{
        .name = "laguerre_rsi", .doc = "Relative strength of four Laguerre filters of the close, each later than the one before.",
        .params = {{"gamma", 0.1, 0.95}},
        .outputs = {{"", "rises from a filter to the one before it / (rises + falls); 0.5 when equal", "0..1", 0, 1}}, .defaults = {{0.5}, {0.8}},
        .source = "Ehlers 2004, chapter 14"};
    static int warmup(Params) { return 4; }
    LaguerreRsi(Graph& g, Params p) : change(g.part<Change>()), gamma(p[0]) {}
    void update(const Bar&, In in, Out out) noexcept {
        // Filters less the close; they begin at the first one.
        if (++bars > 1) {
            const double step = in(change);
            const double old[3] = {away[0] - step, away[1] - step, away[2] - step};
            away[0] = faded(gamma * old[0]);
            away[1] = faded(old[0] + gamma * (old[1] - away[0]));
            away[2] = faded(old[1] + gamma * (old[2] - away[1]));
            away[3] = faded(old[2] + gamma * ((away[3] - step) - away[2]));
        }
        if (bars < 4) return;
        double up = 0, sum = 0;
        for (int i = 0; i < 3; ++i) {
            const double d = away[i] - away[i + 1];
            up += not_below(d, 0), sum += std::fabs(d);
        }
        out[0] = sum > 0 ? not_above(up / sum, 1) : 0.5;
    }
    Ref<Change> change;
    double gamma, away[4] = {};
    std::uint64_t bars = 0;
};

struct Acceleration {
    static constexpr Meta meta{
        .name = "acceleration", .doc = "Change of momentum: the log return over the window less the one over the window before.",
        .params = {{"window", 1, 10'000}}, .outputs = {{"", "ln(close / close `window` before) - ln(close `window` before / close 2 `window` before)", "log"}},
        .defaults = {{5}, {20}}, .source = "Gettleman and Marks 2006"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]) + 1; }
    Acceleration(Graph& g, Params p) : n(count_of(p[0])), close(past<Close>(g, 2 * p[0] + 1)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(close);
        if (past.has(2 * n + 1)) out[0] = log_ratio(b.close, past.ago(n)) - log_ratio(past.ago(n), past.ago(2 * n));
    }
    std::uint32_t n;
    Ref<Past<Close>> close;
};

struct Kst {
    static constexpr std::uint32_t kBack[4] = {10, 15, 20, 30}, kSmooth[4] = {10, 10, 10, 15};
    static constexpr Meta meta{
        .name = "kst", .doc = "Know sure thing: rates of change over 10, 15, 20 and 30 bars, smoothed over 10, 10, 10 and 15, weighted 1 to 4.",
        .outputs = {{"", "sum of weight times mean of (close / close before - 1)", "fraction"}}, .source = "Pring 1992"};
    static int warmup(Params) { return 45; }
    Kst(Graph& g, Params)
        : close(past<Close>(g, 31)), means{{g.arena(), kSmooth[0]}, {g.arena(), kSmooth[1]}, {g.arena(), kSmooth[2]}, {g.arena(), kSmooth[3]}} {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(close);
        double sum = 0;
        for (std::uint32_t i = 0; i < 4; ++i) {
            if (!past.has(kBack[i] + 1)) return;
            const double before = past.ago(kBack[i]);
            sum += (i + 1) * means[i].push(in, {(b.close - before) / before}).sum / kSmooth[i];
        }
        if (means[3].full()) out[0] = sum;
    }
    Ref<Past<Close>> close;
    Sliding<Sum> means[4];
};

struct Coppock {
    static constexpr Meta meta{
        .name = "coppock", .doc = "Coppock curve: two rates of change added, in a linearly weighted average.",
        .params = {{"long", 1, 10'000}, {"short", 1, 10'000}, {"smooth", 2, 1'000}},
        .outputs = {{"", "WMA over `smooth` of the relative changes over `long` and over `short` bars", "fraction"}}, .defaults = {{14, 11, 10}},
        .source = "Coppock 1962"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1]) + p[2]); }
    Coppock(Graph& g, Params p)
        : slow(count_of(p[0])), fast(count_of(p[1])), n(p[2]), close(past<Close>(g, std::fmax(p[0], p[1]) + 1)), line(g.arena(), count_of(p[2])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(close);
        if (!past.has((slow > fast ? slow : fast) + 1)) return;
        const double a = past.ago(slow), c = past.ago(fast), change = (b.close - a) / a + (b.close - c) / c;
        const Line l = line.push(in, change);
        if (line.full()) out[0] = change - l.above_weighted(n);
    }
    std::uint32_t slow, fast;
    double n;
    Ref<Past<Close>> close;
    Anchored<Line> line;
};

struct SchaffTrendCycle {
    static constexpr Meta meta{
        .name = "schaff_trend_cycle", .doc = "Schaff trend cycle: MACD through a stochastic and an average by half, twice.",
        .params = {{"window", 2, 1'000}, {"fast", 2, 10'000}, {"slow", 2, 10'000}},
        .outputs = {{"", "place in its range of (the average of the place in its range of EMA fast - EMA slow), averaged; places stand where a range is none (of the second: below 1e-4)", "0..100", 0, 100}},
        .defaults = {{10, 23, 50}}, .source = "Schaff 2008"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[1], p[2]) + 2 * p[0]) - 2; }
    SchaffTrendCycle(Graph& g, Params p)
        : change(g.part<Change>()), fast(Lag::ema(p[1])), slow(Lag::ema(p[2])), first(g.arena(), count_of(p[0]), 0), second(g.arena(), count_of(p[0]), 1e-4) {}
    void update(const Bar&, In in, Out out) noexcept {
        fast.push(in(change));
        slow.push(in(change));
        if (!fast.ready() || !slow.ready() || !first.push(in, slow.gap - fast.gap) || !second.push(in, first.value)) return;
        out[0] = second.value;
    }
    struct Place {
        Place(Arena& arena, std::uint32_t n, double least) : highs(arena, n), lows(arena, n), least(least) {}
        bool push(In in, double x) noexcept {
            const double high = highs.push(in, {x}).max, low = lows.push(in, {x}).min;
            if (!highs.full()) return false;
            if (high - low > least) place = 100 * ((x - low) / (high - low));
            value = begun > 0 ? value + 0.5 * (place - value) : place;
            begun = 1;
            return true;
        }
        Sliding<Max> highs;
        Sliding<Min> lows;
        double least, place = 50, value = 50, begun = 0;
    };
    Ref<Change> change;
    Lag fast, slow;
    Place first, second;
};

struct WaveTrend {
    static constexpr std::uint32_t kSignal = 4;
    static constexpr Meta meta{
        .name = "wave_trend", .doc = "Wave trend: typical price against its exponential average, in averaged distances from it, averaged.",
        .params = {{"channel", 2, 1'000}, {"average", 2, 1'000}},
        .outputs = {{"", "EMA over `average` of distance / (0.015 EMA over `channel` of |distance|), distance = typical - EMA over `channel`; 0 when flat", "number"},
                    {"histogram", "line less its mean over 4 bars", "number"}},
        .defaults = {{10, 21}}, .source = "LazyBear 2014"};
    static int warmup(Params p) { return static_cast<int>(2 * p[0] + p[1]) + static_cast<int>(kSignal) - 3; }
    WaveTrend(Graph& g, Params p) : typical(Lag::ema(p[0])), size(Fading::ema(p[0])), line(Fading::ema(p[1])), signal(g.arena(), kSignal) {}
    void update(const Bar& b, In in, Out out) noexcept {
        typical.push(((b.high - high) + (b.low - low) + (b.close - close)) / 3);
        high = b.high, low = b.low, close = b.close;
        if (!typical.ready()) return;
        size.push(std::fabs(typical.gap));
        if (!size.ready()) return;
        line.push(size.level > 0 ? typical.gap / (0.015 * size.level) : 0);
        if (!line.ready()) return;
        const double mean = signal.push(in, {line.level}).sum / kSignal;
        if (!signal.full()) return;
        out[0] = line.level;
        out[1] = line.level - mean;
    }
    double high = kNaN, low = kNaN, close = kNaN;
    Lag typical;
    Fading size, line;
    Sliding<Sum> signal;
};

constexpr Kind kinds[] = {kind<Rsi>, kind<Stochastic>, kind<Cci>, kind<Mfi>, kind<Donchian>,
                          kind<StochRsi>, kind<Cmo>, kind<Tsi>, kind<Trix>, kind<UltimateOscillator>,
                          kind<AwesomeOscillator>, kind<Fisher>, kind<RelativeVigor>, kind<Streak>, kind<Demarker>,
                          kind<IntradayMomentum>, kind<BalanceOfPower>, kind<Qstick>, kind<ElderRay>, kind<StochasticMomentum>,
                          kind<LaguerreRsi>, kind<Acceleration>, kind<Kst>, kind<Coppock>, kind<SchaffTrendCycle>,
                          kind<WaveTrend>};
}  // namespace

const Family momentum{"momentum", "technical", kinds};

}  // namespace smartcore
