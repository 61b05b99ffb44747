// How to enter: what crossing costs against what waiting costs, with the latency that was measured.
#pragma once
#include "decide/context.hpp"
#include "decide/inputs.hpp"
#include "decide/policy.hpp"
#include "decide/record.hpp"

namespace smartcore::decide {

// `side` +1 buy, -1 sell, 0 HOLD (then only costs and timing say something). `book`: values of kBookColumns; `spread_bps` the
// spread reckoned with, known or assumed, not below 0; `sigma` deviation of a bar's return, NaN unknown.
void advise(int side, bool strong, double sigma, double spread_bps, double fee_bps, const double (&book)[std::size(kBookColumns)],
            const Risk& risk, const Regime& regime, const Context& context, const Policy& policy, Execution& out) noexcept;

}  // namespace smartcore::decide
