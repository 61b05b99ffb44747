// What a market order would pay: the book walked, best level first.
#pragma once
#include <algorithm>

#include "market/book.hpp"

namespace smartcore::decide {

// Mean price paid against `mid` by an order of `size` that takes `side`'s other side (+1 buys asks), bps of the mid, positive is worse;
// NaN where the book or the arguments are not known. What the whole book does not hold is paid at its worst price: a lower bound.
inline double walked(const Book& book, int side, double size, double mid) noexcept {
    const Top& t = book.top();
    if (!t.valid || !(size > 0 && size < kInf && mid > 0 && mid < kInf)) return kNaN;
    double left = size, paid = 0, price = kNaN;
    auto take = [&](double p, double q) {
        const double part = std::min(left, std::max(q, 0.0));
        paid += part * (p - mid), left -= part, price = p;
    };
    if (book.deep()) {
        const Ladder& levels = side > 0 ? book.asks() : book.bids();
        std::uint32_t seen = 0;
        for (std::uint32_t n = 16; left > 0 && seen < levels.size(); n *= 4) {  // orders that eat more than 16 levels are rare
            left = size, paid = 0;
            seen = levels.top(n, [&](std::uint32_t, const Level& l) { take(l.price, l.size); });
        }
    } else {
        take((side > 0 ? t.ask : t.bid)[0], (side > 0 ? t.ask_size : t.bid_size)[0]);
    }
    return 1e4 * side * (paid + left * (price - mid)) / (size * mid);
}

}  // namespace smartcore::decide
