// Sources on trades, shared by the families flow and impact.
#pragma once
#include "features/parts.hpp"

namespace smartcore {

// Who was the aggressor. Where the feed does not say: the tick rule of Lee and Ready 1991.
struct TradeSign {
    explicit TradeSign(Graph&) {}
    void update(const Trade& t) noexcept {
        if (t.side != 0) value = t.side;
        else if (known(last) && t.price != last) value = t.price > last ? 1 : -1;
        last = t.price;
    }
    double value = 0, last = kNaN;  // 0 until the first trade that tells
};

// Price change from the trade before, and the signed size of this trade.
struct TradeStep {
    explicit TradeStep(Graph& g) : sign(g.part<TradeSign>()) {}
    void update(const Trade& t) noexcept {
        value = t.price - last;
        size = t.size;
        last = t.price;
    }
    Pair aggregate() const noexcept { return {sign->value * size, value}; }
    Ref<TradeSign> sign;
    double value = kNaN, last = kNaN, size = 0;
};

}  // namespace smartcore
