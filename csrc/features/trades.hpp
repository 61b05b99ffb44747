// Sources on trades, shared by the families flow, impact and intensity.
#pragma once
#include "features/parts.hpp"
#include "market/tick_rule.hpp"

namespace smartcore {

struct TradeSign {
    explicit TradeSign(Graph&) {}
    void update(const Trade& t, In, Out out) noexcept { out[0] = rule.next(t); }
    TickRule rule;
};

// Price change from the trade before, and the size of this trade, plain and signed.
struct TradeStep {
    struct Told {
        double change, size, net;
    };
    explicit TradeStep(Graph& g) : sign(g.part<TradeSign>()) {}
    void update(const Trade& t, In in, Out out) noexcept {
        out[0] = t.price - last;
        out[1] = t.size;
        out[2] = in(sign) * t.size;
        last = t.price;
    }
    static Pair aggregate(const Told& t) noexcept { return {t.net, t.change}; }
    Ref<TradeSign> sign;
    double last = kNaN;
};

// The factor 2^(-dt / half_life) since the trade before. A ratio of sums that fade alike stands between trades, so that what
// is one need not wake for the book.
struct TradeDecay {
    TradeDecay(Graph&, double half_life) : rate(-0.6931471805599453 / (half_life * 1e9)) {}
    void update(const Trade& t, In, Out out) noexcept {
        out[0] = begun && t.ts != last ? std::exp(rate * static_cast<double>(t.ts - last)) : 1;
        last = t.ts;
        begun = 1;
    }
    double rate;
    std::int64_t last = 0, begun = 0;
};

// How many and how much, fading, as it stands after a trade.
struct TradeSums {
    struct Told {
        double trades, buys, sells, volume, bought, sold, squares;  // squares: of sizes
    };
    TradeSums(Graph& g, double half_life) : decay(g.part<TradeDecay>(half_life)), sign(g.part<TradeSign>()) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double s = in(sign), q = t.size;
        const double added[7] = {1, where(s > 0, 1), where(s < 0, 1), q, where(s > 0, q), where(s < 0, q), q * q};
        const double factor = in(decay);
        for (std::uint32_t i = 0; i < 7; ++i) {
            sums[i].fade(factor);
            out[i] = sums[i].sum += added[i];
        }
    }
    Ref<TradeDecay> decay;
    Ref<TradeSign> sign;
    Faded sums[7];
};

}  // namespace smartcore
