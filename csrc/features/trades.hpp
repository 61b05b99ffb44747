// Sources on trades, shared by the families flow and impact.
#pragma once
#include "features/parts.hpp"

namespace smartcore {

// Who was the aggressor. Where the feed does not say: the tick rule of Lee and Ready 1991.
struct TradeSign {
    explicit TradeSign(Graph&) {}
    void update(const Trade& t, In, Out out) noexcept {
        if (t.side != 0) sign = t.side;
        else if (known(last) && t.price != last) sign = t.price > last ? 1 : -1;
        last = t.price;
        out[0] = sign;
    }
    double sign = 0, last = kNaN;  // 0 until the first trade that tells
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
