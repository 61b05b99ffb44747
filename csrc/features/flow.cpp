// Trade flow: who trades, how much and how often.
#include "features/families.hpp"
#include "features/trades.hpp"

namespace smartcore {
namespace {

struct TradeImbalance {
    static constexpr Meta meta{
        .name = "trade_imbalance", .doc = "Signed volume as a share of volume, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded sum of sign size / faded sum of size; 0 once nothing is left", "-1..1", -1, 1}},
        .defaults = {{1}, {10}, {60}}, .source = "Chordia, Roll, Subrahmanyam 2002"};
    static int warmup(Params) { return 1; }
    TradeImbalance(Graph& g, Params p) : decay(g.part<Decay>(p[0])), sign(g.part<TradeSign>()) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double factor = in(decay).factor;
        net.fade(factor), all.fade(factor);
        net.sum += in(sign) * t.size;
        all.sum += t.size;
        out[0] = all.sum > 0 ? not_below(not_above(net.sum / all.sum, 1), -1) : 0;
    }
    void update(const Top&, In in) noexcept { net.fade(in(decay).factor), all.fade(in(decay).factor); }  // their ratio stands
    Ref<Decay> decay;
    Ref<TradeSign> sign;
    Faded net, all;
};

// Something a trade adds, per second.
struct FadedRate {
    void pass(const Decay::Told& decay) noexcept { total.fade(decay.factor); }
    double value(const Decay::Told& decay) const noexcept { return decay.span > 0 ? total.sum / decay.span : kNaN; }
    Faded total;
};

template <int Side>
struct SideRate {
    SideRate(Graph& g, Params p) : decay(g.part<Decay>(p[0])), sign(g.part<TradeSign>()) {}
    static int warmup(Params) { return 2; }
    void update(const Trade&, In in, Out out) noexcept {
        rate.pass(in(decay));
        if (in(sign) == Side) rate.total.sum += 1;
        out[0] = rate.value(in(decay));
    }
    void update(const Top&, In in, Out out) noexcept {
        rate.pass(in(decay));
        out[0] = rate.value(in(decay));
    }
    Ref<Decay> decay;
    Ref<TradeSign> sign;
    FadedRate rate;
};
struct BuyRate : SideRate<1> {
    static constexpr Meta meta{
        .name = "buy_rate", .doc = "Intensity of buyer-initiated trades, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded count / faded time", "1/s", 0}}, .defaults = {{1}, {10}, {60}}, .source = "Hawkes 1971; Mueller 2001"};
    using SideRate::SideRate;
};
struct SellRate : SideRate<-1> {
    static constexpr Meta meta{
        .name = "sell_rate", .doc = "Intensity of seller-initiated trades, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded count / faded time", "1/s", 0}}, .defaults = {{1}, {10}, {60}}, .source = "Hawkes 1971; Mueller 2001"};
    using SideRate::SideRate;
};

struct VolumeRate {
    static constexpr Meta meta{
        .name = "volume_rate", .doc = "Traded size per second, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of size / faded time", "size per second", 0}}, .defaults = {{10}, {60}}, .source = "Mueller 2001"};
    static int warmup(Params) { return 2; }
    VolumeRate(Graph& g, Params p) : decay(g.part<Decay>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        rate.pass(in(decay));
        rate.total.sum += t.size;
        out[0] = rate.value(in(decay));
    }
    void update(const Top&, In in, Out out) noexcept {
        rate.pass(in(decay));
        out[0] = rate.value(in(decay));
    }
    Ref<Decay> decay;
    FadedRate rate;
};

struct TradeSignAutocorrelation {
    struct Pair {
        struct Told {
            double before, product;
        };
        explicit Pair(Graph& g) : sign(g.part<TradeSign>()) {}
        void update(const Trade&, In in, Out out) noexcept {
            const double now = in(sign) != 0 ? in(sign) : kNaN;
            out[0] = last;
            out[1] = last * now;
            last = now;
        }
        static Sum aggregate(const Told& t) noexcept { return {t.product}; }
        Ref<TradeSign> sign;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "trade_sign_autocorrelation", .doc = "How often a trade goes the way of the one before.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean product of successive trade signs", "-1..1", -1, 1}}, .defaults = {{100}, {500}},
        .source = "Lillo and Farmer 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TradeSignAutocorrelation(Graph& g, Params p) : n(p[0]), window(g.part<Window<Pair, Sum, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in(window).sum / n; }
    double n;
    Ref<Window<Pair, Sum, Trade>> window;
};

constexpr Kind kinds[] = {kind<TradeImbalance>, kind<BuyRate>, kind<SellRate>, kind<VolumeRate>, kind<TradeSignAutocorrelation>};
}  // namespace

const Family flow{"flow", "microstructure", kinds};

}  // namespace smartcore
