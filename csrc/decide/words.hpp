// The vocabulary of a decision: every enumeration, in the order in which Python names its members (src/smartcore/decide/words.py).
#pragma once
#include <cstddef>
#include <cstdint>

namespace smartcore::decide {

enum class Signal : std::uint8_t { strong_buy, buy, hold, sell, strong_sell };
enum class Quality : std::uint8_t { excellent, good, fair, poor };
enum class Mode : std::uint8_t { normal, reduce_only, hold_only };
enum class Volatility : std::uint8_t { low, medium, high, unknown };
enum class Trend : std::uint8_t { strong_bearish, moderate_bearish, sideways, moderate_bullish, strong_bullish, unknown };
enum class Volume : std::uint8_t { low, normal, high, unknown };
enum class RegimeName : std::uint8_t { trending_up, trending_down, breakout, reversal, ranging, volatile_, quiet, unknown };
enum class Condition : std::uint8_t { trending_stable, trending_volatile, choppy, consolidating, illiquid, unknown };
enum class Bound : std::uint8_t {
    none, uncalibrated, unknown_risk, kelly, drawdown, var, volatility, position, correlated, contracts, exchange, reduce_only
};
enum class RiskLevel : std::uint8_t { low, medium, high, extreme, unknown };
enum class EntryMethod : std::uint8_t { market, limit, passive, none };
enum class Urgency : std::uint8_t { urgent, normal, patient };
enum class Timing : std::uint8_t { immediate, wait_for_volume, wait_for_spread };
enum class Schedule : std::uint8_t { once, twap, vwap, pov };
enum class Voting : std::uint8_t { confidence_weighted, majority, stacked };
enum class Source : std::uint8_t { sequence, ensemble, smart_money, technical };

inline constexpr std::size_t kSources = 4, kModels = 2, kRegimes = 7;  // the first two sources are models: they give probabilities

// Every gate there is, in the order in which they are asked.
enum class Gate : std::uint8_t {
    data_age, clock, book_fresh, book_uncrossed, feed, price, health,  // is what we know fresh and sound?
    model, calibrated, sources, novelty, anomaly,                      // who spoke, and may they be believed?
    risk_known, equity, drawdown,                                      // may we lose what this could cost?
    spread, latency, regime, quality, confidence, edge,                // is it good enough?
    reduce_only, size,                                                 // what is permitted?
};
inline constexpr std::size_t kGates = 23;

// Why a gate says what it says, where its numbers alone do not: a sentence with the reason's `a`, `b` and `bits` in it, made in
// src/smartcore/decide/notes.py. Append; a number once given is for good, for journals hold it.
enum class Note : std::uint16_t {
    none,
    from_the_future,     // data_age: data from after now
    message_lost,        // book_fresh: waits for a snapshot
    not_a_price,         // price
    old_scores,          // model: scores are `a` seconds old
    no_scores,           // model
    fell_back,           // model: `bits` of models that failed, whose stand-in speaks
    uncalibrated,        // calibrated: `bits` of models
    missing_sources,     // sources: `bits` of sources, whose weight went to the others
    unknown_columns,     // risk_known: `bits` of inputs.RISK
    assumed_spread,      // spread: no book, `a` bps assumed
    raised,              // confidence: bits 1 raised by `a` for high volatility, 2 by `b` for past overconfidence, 4 lowered by -`b` for modesty
    costs,               // edge: costs are `a` bps
    of_equity,           // size: of equity, set by bound `bits`; `a`: VaR was widened so many times for its record, 0 was not
    in_contracts,        // size: contracts, likewise
    duplicate,           // feed: share of the last events that came twice
    frozen,              // feed: seconds for which the price has not moved while events came
    gap,                 // feed: time since the last event, in usual gaps between events
    clock_ahead,         // clock: events are stamped `a` s after now
    jump,                // anomaly: a move of `a` deviations
    outlier,             // anomaly: the price is `a` robust deviations from its median
    forbidden_regime,    // regime: `bits` of RegimeName
    failed_model,        // model: `bits` of models that raised, or gave what is no forecast
    drift,               // anomaly: a cumulative sum of moves of `a` deviations: the market has begun to drift
    turbulence,          // anomaly: Page-Hinkley sum of `a` deviations: moves have become larger
};

}  // namespace smartcore::decide
