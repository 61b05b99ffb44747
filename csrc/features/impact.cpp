// Impact and cost: what a trade moves, what it pays, how informed the flow is.
#include "features/families.hpp"
#include "features/trades.hpp"

namespace smartcore {
namespace {

struct TradeSize {
    static double of(const Trade& t) noexcept { return t.size; }
};

// Volume in buckets of 50 mean trades, the mean being that of the last 500; the trade that fills a bucket belongs to it
// whole. So nothing depends on how large one print is, nor for longer than the buckets last.
struct Vpin {
    static constexpr double kTrades = 50, kMean = 500;
    static constexpr double kFull = 1 - 1e-10;  // decimal sizes add up to a hair less than their sum
    static constexpr Meta meta{
        .name = "vpin", .doc = "Volume-synchronised probability of informed trading, over the last buckets. A bucket is full with 50 times the mean size of the last 500 trades (of all, before there are 500).",
        .params = {{"buckets", 2, 10'000}}, .outputs = {{"", "sum |buys - sells| / sum volume", "0..1", 0, 1}}, .defaults = {{50}},
        .source = "Easley, Lopez de Prado, O'Hara 2012"};
    static int warmup(Params p) { return static_cast<int>(p[0] * kTrades); }  // about
    Vpin(Graph& g, Params p) : sign(g.part<TradeSign>()), sizes(g.part<Window<TradeSize, Sum, Trade>>(kMean)), window(g.arena(), count_of(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double sum = in(sizes).sum;
        if (!known(sum)) {
            seen += 1;
            mean += (t.size - mean) / seen;
        }
        volume += t.size;
        net += in(sign) * t.size;
        if (volume == 0 || volume < kTrades * kFull * (known(sum) ? sum / kMean : mean)) return;
        const Sum2 all = window.push(in, {std::fabs(net), volume});
        volume = net = 0;
        if (window.full()) out[0] = not_above(all.first / all.second, 1);
    }
    Ref<TradeSign> sign;
    Ref<Window<TradeSize, Sum, Trade>> sizes;
    Sliding<Sum2> window;
    double seen = 0, mean = 0, volume = 0, net = 0;
};

struct Kyle {
    static constexpr Meta meta{
        .name = "kyle", .doc = "Kyle's lambda: price move per mean trade size, by regression of trade-to-trade moves on signed size.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "1e4 slope mean size / price; unknown while sizes are constant", "bps"}},
        .defaults = {{100}, {500}}, .source = "Kyle 1985; Hasbrouck 2007, 7.1"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    struct Size {
        explicit Size(Graph& g) : step(g.part<TradeStep>()) {}
        void update(const Trade&, In in, Out out) noexcept { out[0] = known(in(step).change) ? in(step).size : kNaN; }
        Ref<TradeStep> step;
    };
    Kyle(Graph& g, Params p) : n(p[0]), steps(g.part<Window<TradeStep, Comoments, Trade>>(p[0])), sizes(g.part<Window<Size, Sum, Trade>>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept { out[0] = 1e4 * in(steps).slope() * (in(sizes).sum / n) / t.price; }
    double n;
    Ref<Window<TradeStep, Comoments, Trade>> steps;
    Ref<Window<Size, Sum, Trade>> sizes;
};

struct RollSpread {
    struct Steps {  // a price change beside the one before
        struct Told {
            double before, now;
        };
        explicit Steps(Graph& g) : step(g.part<TradeStep>()) {}
        void update(const Trade&, In in, Out out) noexcept {
            out[0] = last;
            out[1] = last = in(step).change;
        }
        static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
        Ref<TradeStep> step;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "roll_spread", .doc = "Roll's effective spread from the bounce of trade prices.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "2e4 sqrt(max(0, -cov(dp[t-1], dp[t]))) / price", "bps", 0}}, .defaults = {{100}, {500}}, .source = "Roll 1984"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    RollSpread(Graph& g, Params p) : inverse(1 / p[0]), window(g.part<Window<Steps, Comoments, Trade>>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double xy = in(window).xy;
        if (known(xy)) out[0] = 2e4 * std::sqrt(not_below(-(xy * inverse), 0)) / t.price;
    }
    double inverse;
    Ref<Window<Steps, Comoments, Trade>> window;
};

struct EffectiveSpread {
    static constexpr Meta meta{
        .name = "effective_spread", .doc = "What trades paid around the mid, weighted by size, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded mean of 2e4 |price - mid| / mid, by size", "bps", 0}},
        .defaults = {{10}, {60}}, .source = "Hasbrouck 2007, 2.2"};
    static int warmup(Params) { return 1; }  // a trade while the book is known
    EffectiveSpread(Graph& g, Params p) : decay(g.part<Decay>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        fade(in(decay).factor);
        const Top& top = in.top;
        if (top.valid) {
            const double mid = top.mid();
            cost.sum += 2e4 * std::fabs(t.price - mid) / mid * t.size;
            size.sum += t.size;
        }
        out[0] = top.valid && size.sum > 0 ? cost.sum / size.sum : kNaN;
    }
    void update(const Top& top, In in, Out out) noexcept {
        fade(in(decay).factor);
        out[0] = top.valid && size.sum > 0 ? cost.sum / size.sum : kNaN;
    }
    void fade(double factor) noexcept { cost.fade(factor), size.fade(factor); }
    Ref<Decay> decay;
    Faded cost, size;
};

constexpr Kind kinds[] = {kind<Vpin>, kind<Kyle>, kind<RollSpread>, kind<EffectiveSpread>};
}  // namespace

const Family impact{"impact", "microstructure", kinds};

}  // namespace smartcore
