// Intensity: when trades come, whether they bring each other on, and how long one waits.
#include "features/families.hpp"
#include "features/trades.hpp"

namespace smartcore {
namespace {

// Trades and volume per second, by a fading window, as of now.
struct TradeRates {
    struct Told {
        double trades, buys, sells, volume;  // NaN until time has passed
    };
    TradeRates(Graph& g, double half_life) : decay(g.part<Decay>(half_life)), sign(g.part<TradeSign>()) {}
    void update(const Trade& t, In in, Out out) noexcept {
        pass(in(decay).factor);
        sums[0].sum += 1;
        sums[1].sum += where(in(sign) > 0, 1);
        sums[2].sum += where(in(sign) < 0, 1);
        sums[3].sum += t.size;
        say(in(decay).span, out);
    }
    void update(const Top&, In in, Out out) noexcept {
        pass(in(decay).factor);
        say(in(decay).span, out);
    }
    void pass(double factor) noexcept {
        for (Faded& f : sums) f.fade(factor);
    }
    void say(double span, Out out) const noexcept {
        const double per_second = span > 0 ? 1 / span : kNaN;
        for (std::uint32_t i = 0; i < 4; ++i) out[i] = sums[i].sum * per_second;
    }
    Ref<Decay> decay;
    Ref<TradeSign> sign;
    Faded sums[4];
};

// (a - b) / (a + b); 0 where there is neither, NaN where they are not known.
double contrast(double a, double b) noexcept { return a + b > 0 ? (a - b) / (a + b) : a + b; }

struct IntensitySurprise {
    static constexpr Meta meta{
        .name = "intensity_surprise", .doc = "Trades per second now against usually: rates that fade with a short and with a long half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}, {"usual", 0.001, 86'400, 's'}},
        .outputs = {{"", "(rate - usual rate) / (rate + usual rate); 0 without trades", "-1..1", -1, 1},
                    {"buy", "the same of buyer-initiated trades", "-1..1", -1, 1}, {"sell", "the same of seller-initiated trades", "-1..1", -1, 1}},
        .defaults = {{1, 60}, {10, 300}}, .source = "Mueller 2001; Bauwens and Hautsch 2009"};
    static int warmup(Params) { return 2; }
    IntensitySurprise(Graph& g, Params p) : now(g.part<TradeRates>(p[0])), usual(g.part<TradeRates>(p[1])) {}
    void update(const Trade&, In in, Out out) noexcept { say(in, out); }
    void update(const Top&, In in, Out out) noexcept { say(in, out); }
    void say(In in, Out out) const noexcept {
        const auto a = in(now), b = in(usual);
        out[0] = contrast(a.trades, b.trades);
        out[1] = contrast(a.buys, b.buys);
        out[2] = contrast(a.sells, b.sells);
    }
    Ref<TradeRates> now, usual;
};

struct VolumeSurprise {
    static constexpr Meta meta{
        .name = "volume_surprise", .doc = "Traded size per second now against usually, the speed of the volume clock: rates that fade with a short and with a long half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}, {"usual", 0.001, 86'400, 's'}},
        .outputs = {{"", "(rate - usual rate) / (rate + usual rate); 0 without volume", "-1..1", -1, 1}},
        .defaults = {{1, 60}, {10, 300}}, .source = "Mueller 2001; Easley, Lopez de Prado, O'Hara 2012"};
    static int warmup(Params) { return 2; }
    VolumeSurprise(Graph& g, Params p) : now(g.part<TradeRates>(p[0])), usual(g.part<TradeRates>(p[1])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = contrast(in(now).volume, in(usual).volume); }
    void update(const Top&, In in, Out out) noexcept { out[0] = contrast(in(now).volume, in(usual).volume); }
    Ref<TradeRates> now, usual;
};

// ---- Hawkes: trades that bring on trades ----

// Counts of trades in whole bins of time, on the grid of the clock, as moments that fade from bin to bin. In a symmetric
// Hawkes process of buys and sells, variance over mean of the total count is 1 / (1 - (self + cross))^2 in long bins, that
// of buys less sells 1 / (1 - (self - cross))^2: both branching ratios follow without an iteration.
struct Branches {
    static constexpr double kBin = 10;  // half-lives of the excitation: by then it has died away
    struct Told {
        double self, cross;  // NaN before a bin is whole
    };
    Branches(Graph& g, double half_life, double memory)
        : sign(g.part<TradeSign>()), length(static_cast<std::int64_t>(kBin * half_life * 1e9)), rate(-0.6931471805599453 * kBin * half_life / memory) {}
    void update(const Trade& t, In in, Out out) noexcept {
        at(t.ts, out);
        count += 1;
        net += in(sign);
    }
    void update(const Top& t, In, Out out) noexcept { at(t.ts, out); }
    void at(std::int64_t ts, Out out) noexcept {
        if (!begun) {  // its bin began before it: that one is not whole
            begun = 1;
            end = (ts >= 0 ? ts / length : (ts - length + 1) / length) * length + length;
            return;
        }
        if (ts < end) return;
        if (whole) {
            pass(1, 1);
            counts.sum += count, squares.sum += count * count;
            nets.sum += net, net_squares.sum += net * net;
        }
        const std::int64_t empty = (ts - end) / length;
        if (empty > 0) pass(static_cast<double>(empty), std::expm1(rate * static_cast<double>(empty)) / std::expm1(rate));
        end += (empty + 1) * length;
        count = net = 0;
        whole = 1;
        if (bins > 0) tell(out);
    }
    void pass(double n, double more) noexcept {
        const double factor = std::exp(rate * n);
        bins = bins * factor + more;
        counts.fade(factor), squares.fade(factor), nets.fade(factor), net_squares.fade(factor);
    }
    void tell(Out out) const noexcept {
        const double mean = counts.sum / bins, drift = nets.sum / bins;
        const double variance = squares.sum / bins - mean * mean, of_net = net_squares.sum / bins - drift * drift;
        const double sum = ratio_of(mean, variance), difference = ratio_of(mean, of_net);
        out[0] = 0.5 * (sum + difference);
        out[1] = 0.5 * (sum - difference);
    }
    static double ratio_of(double mean, double variance) noexcept {
        return mean > 0 ? (variance > 0.25 * mean ? 1 - std::sqrt(mean / variance) : -1) : 0;
    }
    Ref<TradeSign> sign;
    std::int64_t length, end = 0, begun = 0, whole = 0;
    double rate, count = 0, net = 0, bins = 0;  // count and net of the open bin; how many bins, fading
    Faded counts, squares, nets, net_squares;
};

struct Branching {
    static constexpr Meta meta{
        .name = "branching", .doc = "How many trades a trade brings on within a time, on its own side and on the other one: from counts in bins of ten half-lives, which fade with a longer one. A symmetric Hawkes process, by its moments.",
        .params = {{"half_life", 0.001, 8'640, 's'}, {"memory", 0.001, 86'400, 's'}},
        .outputs = {{"self", "(a + b) / 2, a = 1 - sqrt(mean / variance) of counts, at least -1; b = 1 - sqrt(mean of counts / variance of buys - sells), so too; unknown until a bin is whole", "trades", -1, 1},
                    {"cross", "(a - b) / 2; below 0 where one side keeps the other away", "trades", -1, 1}},
        .defaults = {{0.1, 60}, {1, 300}}, .source = "Hawkes 1971; Hardiman and Bouchaud 2014; Da Fonseca and Zaatour 2014"};
    static int warmup(Params p) { return 1 + static_cast<int>(1000 * p[0]); }  // about: a whole bin, at a hundred events a second
    Branching(Graph& g, Params p) : branches(g.part<Branches>(p[0], p[1])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in(branches).self, out[1] = in(branches).cross; }
    void update(const Top&, In in, Out out) noexcept { out[0] = in(branches).self, out[1] = in(branches).cross; }
    Ref<Branches> branches;
};

struct Hawkes {
    static constexpr Meta meta{
        .name = "hawkes", .doc = "Intensity of buys and of sells in a symmetric Hawkes process: a base, and what recent trades of the same and of the other side bring on, which dies away with the half-life. Branching as in `branching`.",
        .params = {{"half_life", 0.001, 8'640, 's'}, {"memory", 0.001, 86'400, 's'}},
        .outputs = {{"surprise", "(intensity - mean) / (intensity + mean) of both sides; unknown until a bin is whole", "-1..1", -1, 1},
                    {"imbalance", "(buy - sell intensity) / (buy + sell intensity); 0 without trades", "-1..1", -1, 1}},
        .defaults = {{0.1, 60}, {1, 300}}, .source = "Hawkes 1971; Bacry, Mastromatteo, Muzy 2015"};
    static int warmup(Params p) { return Branching::warmup(p); }
    Hawkes(Graph& g, Params p) : branches(g.part<Branches>(p[0], p[1])), now(g.part<TradeRates>(p[0])), usual(g.part<TradeRates>(p[1])) {}
    void update(const Trade&, In in, Out out) noexcept { say(in, out); }
    void update(const Top&, In in, Out out) noexcept { say(in, out); }
    void say(In in, Out out) const noexcept {
        const auto b = in(branches);
        const auto fast = in(now), mean = in(usual);
        const double buy = mean.buys + b.self * (fast.buys - mean.buys) + b.cross * (fast.sells - mean.sells);
        const double sell = mean.sells + b.self * (fast.sells - mean.sells) + b.cross * (fast.buys - mean.buys);
        const double bought = buy < 0 ? 0 : buy, sold = sell < 0 ? 0 : sell;
        out[0] = contrast(bought + sold, mean.buys + mean.sells);
        out[1] = contrast(bought, sold);
    }
    Ref<Branches> branches;
    Ref<TradeRates> now, usual;
};

// ---- durations ----

// Time since the trade before, in ns: whole numbers, so that moments of nearly equal ones keep all digits.
struct TradeGap {
    explicit TradeGap(Graph&) {}
    void update(const Trade& t, In, Out out) noexcept {
        out[0] = begun ? static_cast<double>(t.ts - last) : kNaN;
        last = t.ts;
        begun = 1;
    }
    std::int64_t last = 0, begun = 0;
};

struct Burstiness {
    static constexpr Meta meta{
        .name = "burstiness", .doc = "How unevenly trades come: -1 like a clock, 0 at random, towards 1 in bursts.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(sd - mean) / (sd + mean) of the times between trades; unknown while all come at one time", "-1..1", -1, 1}},
        .defaults = {{100}, {500}}, .source = "Goh and Barabasi 2008"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Burstiness(Graph& g, Params p) : inverse(1 / p[0]), window(g.part<Window<TradeGap, Moments2, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const Moments2 m = in(window);
        const double sd = std::sqrt(m.m2 * inverse);
        out[0] = m.mean > 0 ? (sd - m.mean) / (sd + m.mean) : kNaN;
    }
    double inverse;
    Ref<Window<TradeGap, Moments2, Trade>> window;
};

// A time between trades beside the one before.
struct GapSteps {
    struct Told {
        double before, now;
    };
    explicit GapSteps(Graph& g) : gap(g.part<TradeGap>()) {}
    void update(const Trade&, In in, Out out) noexcept {
        out[0] = last;
        out[1] = last = in(gap);
    }
    static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
    Ref<TradeGap> gap;
    double last = kNaN;
};

struct DurationMemory {
    static constexpr Meta meta{
        .name = "duration_memory", .doc = "Whether long waits follow long waits between trades.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of successive times between trades; unknown while they are constant", "-1..1", -1, 1}},
        .defaults = {{100}, {500}}, .source = "Goh and Barabasi 2008"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    DurationMemory(Graph& g, Params p) : window(g.part<Window<GapSteps, Comoments, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in(window).correlation(); }
    Ref<Window<GapSteps, Comoments, Trade>> window;
};

struct LocalVariation {
    struct Term {
        explicit Term(Graph& g) : steps(g.part<GapSteps>()) {}
        void update(const Trade&, In in, Out out) noexcept {
            const auto s = in(steps);
            const double sum = s.now + s.before, share = sum > 0 ? (s.now - s.before) / sum : sum;  // both 0: no variation
            out[0] = 3 * share * share;
        }
        Ref<GapSteps> steps;
    };
    static constexpr Meta meta{
        .name = "local_variation", .doc = "How irregular waits between trades are from one to the next, whatever the pace: 0 like a clock, 1 at random.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "mean of 3 ((wait - wait before) / (wait + wait before))^2", "ratio", 0, 3}},
        .defaults = {{100}, {500}}, .source = "Shinomoto, Shima, Tanji 2003"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    LocalVariation(Graph& g, Params p) : n(p[0]), window(g.part<Window<Term, Sum, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const double mean = in(window).sum / n;
        out[0] = mean > 3 ? 3 : mean;
    }
    double n;
    Ref<Window<Term, Sum, Trade>> window;
};

struct Wait {
    static constexpr Meta meta{
        .name = "trade_wait", .doc = "Time since the last trade, and since the last of each side, in mean waits as they were then; unknown until there was one.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "seconds since x trades per second, by a fading window", "waits", 0}, {"buy", "the same of buyer-initiated trades", "waits", 0},
                    {"sell", "the same of seller-initiated trades", "waits", 0}},
        .defaults = {{60}}, .source = "Engle and Russell 1998"};
    static int warmup(Params) { return 50; }  // about: until a trade of each side
    Wait(Graph& g, Params p) : sign(g.part<TradeSign>()), rates(g.part<TradeRates>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const auto r = in(rates);
        const double s = in(sign);
        since[0] = {t.ts, r.trades};
        if (s > 0) since[1] = {t.ts, r.buys};
        if (s < 0) since[2] = {t.ts, r.sells};
        say(t.ts, out);
    }
    void update(const Top& t, In, Out out) noexcept { say(t.ts, out); }
    void say(std::int64_t ts, Out out) const noexcept {
        for (std::uint32_t i = 0; i < 3; ++i) out[i] = 1e-9 * static_cast<double>(ts - since[i].ts) * since[i].rate;
    }
    struct Last {
        std::int64_t ts = 0;
        double rate = kNaN;
    };
    Ref<TradeSign> sign;
    Ref<TradeRates> rates;
    Last since[3];
};

struct AcdDuration {
    static constexpr double kNews = 0.1, kKeep = 0.85;
    static constexpr Meta meta{
        .name = "acd_duration", .doc = "Expected wait for the next trade against the mean one: an autoregressive conditional duration of weights 0.1 on the last wait and 0.85 on the last expectation.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "ln(expected / mean); expected = 0.05 mean + 0.1 wait + 0.85 expected; unknown while all trades come at one time", "log"}},
        .defaults = {{100}, {500}}, .source = "Engle and Russell 1998"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    AcdDuration(Graph& g, Params p) : gap(g.part<TradeGap>()), window(g.part<Window<TradeGap, Moments2, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const double mean = in(window).mean;
        if (!known(mean)) return;
        if (!known(expected)) expected = mean;
        expected = (1 - kNews - kKeep) * mean + kNews * in(gap) + kKeep * expected;
        out[0] = mean > 0 ? std::log(expected / mean) : kNaN;
    }
    Ref<TradeGap> gap;
    Ref<Window<TradeGap, Moments2, Trade>> window;
    double expected = kNaN;
};

constexpr Kind kinds[] = {kind<IntensitySurprise>, kind<VolumeSurprise>, kind<Branching>, kind<Hawkes>, kind<Burstiness>,
                          kind<DurationMemory>, kind<LocalVariation>, kind<Wait>, kind<AcdDuration>};
}  // namespace

const Family intensity{"intensity", "microstructure", kinds};

}  // namespace smartcore
