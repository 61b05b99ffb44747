// The regime as the engine's columns have it, and the market condition that follows from it.
#pragma once
#include <cmath>

#include "decide/inputs.hpp"
#include "decide/policy.hpp"
#include "decide/record.hpp"

namespace smartcore::decide {

// The market as execution sees it. `wide`: the spread is.
inline Condition condition(RegimeName name, Volatility volatility, Volume volume, bool wide) noexcept {
    if (wide) return Condition::illiquid;
    switch (name) {
        case RegimeName::unknown: return Condition::unknown;
        case RegimeName::breakout: return Condition::trending_volatile;
        case RegimeName::trending_up:
        case RegimeName::trending_down:
            return volatility == Volatility::high ? Condition::trending_volatile : Condition::trending_stable;
        case RegimeName::quiet: return Condition::consolidating;
        case RegimeName::ranging: return volume == Volume::low ? Condition::consolidating : Condition::choppy;
        default: return Condition::choppy;
    }
}

// `values`: those of kRegimeColumns. The name is unknown, and every regime as likely as any other, until all of them are known.
inline void read_regime(const double (&values)[std::size(kRegimeColumns)], double spread_bps, const Policy& policy, Regime& out) noexcept {
    const auto& [up, down, breakout, reversal, ranging, wild, quiet, name, age, change, volatility, trend, volume] = values;
    out = {};
    double total = 0;
    for (std::size_t i = 0; i < kRegimes; ++i) total += values[i];
    if (total > 0.5 && known(name) && known(age) && known(change)) {
        for (std::size_t i = 0; i < kRegimes; ++i) out.probabilities[i] = values[i] / total;
        out.name = static_cast<RegimeName>(name), out.age = std::floor(age), out.switch_probability = change;
    } else {
        for (double& p : out.probabilities) p = 1.0 / kRegimes;
        out.name = RegimeName::unknown, out.age = 0, out.switch_probability = 1 - 1.0 / kRegimes;
    }
    out.volatility = known(volatility) ? static_cast<Volatility>(volatility) : Volatility::unknown;
    out.trend = known(trend) ? static_cast<Trend>(static_cast<int>(trend) + 2) : Trend::unknown;
    out.volume = known(volume) ? static_cast<Volume>(volume) : Volume::unknown;
    out.condition = condition(out.name, out.volatility, out.volume, spread_bps > policy.max_spread_bps / 2);
}

}  // namespace smartcore::decide
