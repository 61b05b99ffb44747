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

// What is believed of a trade, whatever its size.
struct Bet {
    int side;           // leant to: +1, -1, 0
    double confidence;  // prices the edge
    double believed;    // the same, shrunk: sizes it
    double move;        // probability of a move
    bool calibrated;
};

// Everything about risk as if the trade leant to were allowed. `values`: those of kRiskColumns; `cost_bps` is that of both sides.
void assess(const double (&values)[std::size(kRiskColumns)], const Bet& bet, double cost_bps, const Context& context,
            const Policy& policy, Risk& out) noexcept;

// The same at the largest size that is still asked for when what it slips beyond the spread, in and out, is among its costs: it is
// added to `cost_bps`. `book`: values of kBookColumns.
void assess_slipping(const double (&values)[std::size(kRiskColumns)], const Bet& bet, double spread_bps,
                     const double (&book)[std::size(kBookColumns)], const Context& context, const Policy& policy, double& cost_bps,
                     Risk& out) noexcept;

// Nothing to hold, for a decision that is HOLD. `refused`: the size itself is what refused it.
void withhold(bool refused, Risk& out) noexcept;
// The size of a trade that may only reduce: the position held, all of it.
void close(const Context& context, Risk& out) noexcept;

}  // namespace smartcore::decide
