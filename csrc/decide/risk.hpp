// How much may be lost, and how much to hold.
#pragma once
#include "decide/context.hpp"
#include "decide/inputs.hpp"
#include "decide/policy.hpp"
#include "decide/record.hpp"
#include "decide/scorecard.hpp"

namespace smartcore::decide {

struct Payoff {
    double mean;   // return, a fraction of price
    double kelly;  // fraction of equity lost at the stop
};
// Of a trade with these distances, fractions of price. `p`: probability that the direction is right given a move; `move`: of a
// move; `cost`: of both sides.
Payoff payoff(double p, double move, double stop, double target, double cost) noexcept;

// The probability that sizes a trade: `confidence` pulled towards a coin flip by what of past confidence was earned (`reliability`,
// 0 to 1) and by how little is known of that.
double believe(double confidence, double reliability, const Tally& record) noexcept;

// Everything about risk as if the trade leant to were allowed. `values`: those of kRiskColumns; `side` +1, -1, 0. `confidence`
// prices the edge, `believed` (shrunk) sizes it; `cost_bps` is that of both sides.
void assess(const double (&values)[std::size(kRiskColumns)], int side, double confidence, double believed, double move, double cost_bps,
            bool calibrated, const Context& context, const Policy& policy, Risk& out) noexcept;

// Nothing to hold, for a decision that is HOLD. `refused`: the size itself is what refused it.
void withhold(bool refused, Risk& out) noexcept;
// The size of a trade that may only reduce: the position held, all of it.
void close(const Context& context, Risk& out) noexcept;

}  // namespace smartcore::decide
