// Whose scores and which auxiliary series there are, by the number in an event's `source`.
#pragma once
#include <string_view>

namespace smartcore {

// 0 is none of the others. As a parameter of a feature 0 means all of them together.
inline constexpr std::string_view kSources[] = {"all", "news", "social", "analyst", "onchain"};

inline constexpr std::string_view kSeries[] = {
    "other",                // anything that is none of the others
    "funding",              // rate of a perpetual's funding, a fraction per interval
    "basis",                // future over spot - 1
    "open_interest",        // contracts or currency
    "long_short_ratio",     // accounts or positions, long over short
    "taker_ratio",          // taker buy volume over taker sell volume
    "liquidations",         // signed size: long positions closed by force are negative
    "implied_volatility",   // VIX-like, annualised, in percent
    "skew",                 // implied volatility of puts less that of calls
    "fear_greed",           // an index of 0 .. 100
    "exchange_flow",        // coins into exchanges less out of them
    "rate",                 // an interest rate or yield, in percent
};

}  // namespace smartcore
