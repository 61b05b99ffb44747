// Sources on trades, shared by the families flow and impact.
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

}  // namespace smartcore
