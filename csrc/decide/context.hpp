// What decide() is given beside the row: what models said, and the circumstances of the moment.
#pragma once
#include "decide/policy.hpp"
#include "decide/words.hpp"
#include "market/book.hpp"

namespace smartcore::decide {

// Larger numbers are treated as infinite: their products would be.
inline constexpr double kHuge = 1e300;

// What was said. A triple is (down, flat, up); NaN where there is none. A vote is -1 to 1, NaN: none (then the row's own is used).
struct Given {
    double triple[kModels][3];
    double vote[kSources - kModels];  // smart money, technical
    double novelty;                   // how unlike its training inputs the row is: 1 as far as 99 % of them are at most; NaN unknown
    std::int64_t age_ns;              // of the oldest triple
    std::uint8_t calibrated, failed, fell_back;  // bits of models
    std::uint8_t unused[5];
};

// Whoever holds the clock, the account and the book fills it in.
struct Context {
    std::int64_t ts, as_of;
    std::int64_t sequence;
    std::int64_t bar_ns;        // usual length of a bar
    std::int64_t latency_ns;    // -1 unknown
    double price;
    double position;            // signed contracts
    double equity;              // quote currency, NaN unknown
    double drawdown;            // from the peak, a fraction
    double correlated;          // signed value over equity of positions in instruments that move with this one
    double bid, bid_size, ask, ask_size;  // the touch; NaN unknown
    double bids[kDepth][2], asks[kDepth][2];  // price and size of the best levels, best first; a size of 0 or NaN: no more
    double fee_bps;             // one side; NaN: the policy's
    double lot, tick, multiplier, min_size;
    double clock_skew_s;        // events stamped this far after the receiver's clock; NaN unknown
    double frozen_s;            // the price has stood still for so long while events came; NaN unknown
    double silence;             // time since the last event in usual gaps between events; NaN unknown
    double duplicates;          // share of the last events that came twice; NaN unknown
    double health;              // 0 to 100; NaN unknown
    double filled;              // share of the intervals of the clock that had a bar: one without a trade has none. 1: all, or unknown
    std::uint8_t book_stale, book_crossed, equity_known, unused[5];
};

// Records from before there was such a field have no number here.
inline double filled(const Context& context) noexcept { return context.filled > 0 && context.filled < 1 ? context.filled : 1; }

// Bars to be expected within the policy's horizon, which counts the intervals of the clock. Below half a bar it is whether there will
// be one that counts, not the root: bench/var.py, on bars of seconds, a second ahead, VaR 99 was broken by 1.4 to 1.8 %.
inline double bars_held(const Context& context, const Policy& policy) noexcept {
    return not_below(policy.horizon * filled(context), not_above(policy.horizon, 0.5));
}

}  // namespace smartcore::decide
