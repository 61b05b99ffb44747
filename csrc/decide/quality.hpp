// How well founded a call is. Not a probability.
#pragma once
#include "decide/signal.hpp"

namespace smartcore::decide {

// Fills in quality_score, its grade and its parts. `age`: of the data, seconds; regime and track are there already.
void judge(const Fusion& fusion, double age, const Policy& policy, Decision& out) noexcept;

// The whole answer at a glance, 0 to 1: 0.3 confidence + 0.2 quality_score + 0.2 clarity + 0.15 risk + 0.15 execution, where risk is 1,
// 0.7, 0.35, 0 by its level (unknown: 0), and execution the share of the gross edge that costs leave.
double overall(const Decision& decision, double cost_bps) noexcept;

}  // namespace smartcore::decide
