// How well founded a call is. Not a probability.
#pragma once
#include "decide/signal.hpp"

namespace smartcore::decide {

// Fills in quality_score, its grade and its parts. `age`: of the data, seconds; regime and confidence are there already.
void judge(const Fusion& fusion, const Regime& regime, double age, const Policy& policy, Decision& out) noexcept;

}  // namespace smartcore::decide
