#pragma once
#include "base/number.hpp"
#include "market/event.hpp"

namespace smartcore {

// Who was the aggressor. Where the feed does not say: the tick rule of Lee and Ready 1991.
struct TickRule {
    double sign = 0, last = kNaN;  // 0 until the first trade that tells

    double next(const Trade& t) noexcept {
        if (t.side != 0) sign = t.side;
        else if (known(last) && t.price != last) sign = t.price > last ? 1 : -1;
        last = t.price;
        return sign;
    }
};

}  // namespace smartcore
