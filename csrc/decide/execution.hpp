// How to enter: what crossing costs against what waiting costs, with the latency that was measured.
#pragma once
#include "decide/context.hpp"
#include "decide/inputs.hpp"
#include "decide/policy.hpp"
#include "decide/record.hpp"

namespace smartcore::decide {

// Where nobody measured: about what a bot on the internet sees.
inline constexpr std::int64_t kAssumedLatency = 10'000'000;

// After this long the book is walked to see what the advice of a decision was worth; also what the advice reckons with.
inline std::int64_t latency_of(const Context& context) noexcept { return context.latency_ns >= 0 ? context.latency_ns : kAssumedLatency; }
// The side that slippage is predicted for, also where nothing is advised: the one leant to.
inline int side_of(const Decision& decision) noexcept { return decision.score < 0 ? -1 : 1; }
// What one slice is predicted to slip, bps.
inline double slice_slippage(const Execution& execution) noexcept { return execution.slippage_bps - execution.impact_bps; }

// `side` leant to: +1 buy, -1 sell, 0 neither; `allowed`: the decision is not HOLD (else only costs say something). `book`: values of
// kBookColumns; `spread_bps` the spread reckoned with, known or assumed, not below 0; `sigma` deviation of a bar's return, NaN
// unknown; `scale`: Scorecard::slippage_scale.
void advise(int side, bool allowed, bool strong, double sigma, double spread_bps, double fee_bps, double scale,
            const double (&book)[std::size(kBookColumns)], const Risk& risk, const Regime& regime, const Context& context,
            const Policy& policy, Execution& out) noexcept;

// What an order of so many contracts, in slices, is predicted to slip against the mid on average, bps; arguments as above.
double slippage(int side, double contracts, double sigma, double spread_bps, const double (&book)[std::size(kBookColumns)],
                const Context& context, const Policy& policy) noexcept;

// Quantile of Student's t with three degrees of freedom, of p from 0.5 to below 1.
double student3(double p) noexcept;

}  // namespace smartcore::decide
