// The order is Kelly x multiplier, drawdown cap, VaR cap, volatility target, position cap, correlated positions, contracts, exchange
// minimum. Each can only lower the size; the last that did is the bound.
#include "decide/risk.hpp"

#include <cmath>

#include "decide/execution.hpp"

namespace smartcore::decide {
namespace {

// The deepest point of a driftless path lies beyond x with twice the chance that its end does (reflection), so its 95 % quantile is
// the 97.5 % one of the end: between VaR 95 and VaR 99 on a tail that is exponential there, ln(5 / 2.5) / ln(5 / 1) of the way.
// bench/var.py: within 20 days or minutes 4 to 7 % went deeper, of 5 %; with a normal end (1.96 deviations) it was 6 to 9 %.
constexpr double kDeepest = 0.43067655807339306;

double excursion(const double* tail, double root) noexcept { return (tail[0] + kDeepest * (tail[1] - tail[0])) * root; }

// Log change of price to a fraction of it: against a long position prices fall, by all at most; against a short one they rise, and it
// may lose many times its value.
double fraction(double x, bool rise) noexcept { return known(x) ? not_above(rise ? std::expm1(x) : -std::expm1(-x), kHuge) : kNaN; }

// By the larger of two uses: of the VaR limit by a full position's ES99, and of the drawdown budget.
RiskLevel level(double es_99, double drawdown, const Policy& policy) noexcept {
    if (!known(es_99) || !known(drawdown)) return RiskLevel::unknown;
    const double use = es_99 * policy.max_position / policy.max_var, spent = drawdown / policy.max_drawdown;
    if (use >= 2 || spent >= 1) return RiskLevel::extreme;
    if (use >= 1 || spent >= 0.8) return RiskLevel::high;
    return use >= 0.5 || spent >= 0.5 ? RiskLevel::medium : RiskLevel::low;
}

}  // namespace

// A forecaster who knows nothing reaches a target before a stop with odds stop/target: moving the target away earns nothing. What
// the forecast knows multiplies those odds by p / (1 - p). Without a move the costs are lost and nothing else. Kelly is the mean
// over the mean square: exact for even bets, the first two terms of log growth otherwise. It is returned as the fraction of equity
// lost at the stop, so for stop = target and no cost it is p - (1 - p), as in the textbook.
Payoff payoff(double p, double move, double stop, double target, double cost) noexcept {
    const double right = p * stop, wrong = (1 - p) * target;
    const double hit = right / (right + wrong);
    const double win = target - cost, loss = stop + cost;
    const double mean = move * (hit * win - (1 - hit) * loss) - (1 - move) * cost;
    const double square = move * (hit * win * win + (1 - hit) * loss * loss) + (1 - move) * cost * cost;
    return {mean, mean > 0 && square > 0 ? not_above(mean / square * loss, 1) : 0};
}

// Baker and McHale 2013 (Decision Analysis 10(3):189-199, even money): who bets on a probability that is known to +-sd only does
// best with the share d^2 / (d^2 + sd^2) of Kelly's bet, d its distance from a coin flip. Kelly's even bet is twice that distance,
// so the distance is shrunk. sd is that of the posterior mean of the hit rate, with kPrior calls of a coin flip before any.
double believe(double confidence, double reliability, const Tally& record) noexcept {
    const double d = reliability * (confidence - 0.5);
    const double n = record.moves + kPrior, hits = (record.hits + kPrior / 2) / n;
    const double variance = hits * (1 - hits) / n;
    return d > 0 ? 0.5 + d * (d * d / (d * d + variance)) : 0.5;
}

// VaR grows with the square root of the horizon. bench/var.py: over 20 days or minutes it is broken by 5 to 6 %, of 5, and 0.7 to
// 1.5 %, of 1; over 20 quarters of an hour by up to 8 and 2 %. A window of returns over 20 bars does no better, for it holds few that
// do not overlap. It overstates a market that reverts (VIX): the ratio of variances over 500 bars helps there, and breaks
// all others in 6 to 8 %, of 5, and 1.4 to 2 %, of 1.
void assess(const double (&values)[std::size(kRiskColumns)], const Bet& bet, double cost_bps, const Context& context,
            const Policy& policy, Risk& out) noexcept {
    const auto [side, confidence, believed, move, calibrated] = bet;
    const bool sell = side < 0;
    const double sigma = values[0], *tail = values + (sell ? 5 : 1), *other = values + (sell ? 1 : 5);
    out = {};
    if (!known(sigma)) {
        for (double* x : {&out.var_95, &out.var_99, &out.es_95, &out.es_99, &out.adverse_excursion, &out.favourable_excursion,
                          &out.kelly, &out.contracts, &out.stop, &out.target, &out.reward_to_risk, &out.edge_bps})
            *x = kNaN;
        out.believed = believed;
        out.bound = Bound::unknown_risk, out.level = RiskLevel::unknown;
        return;
    }
    const double root = std::sqrt(bars_held(context, policy)), deviation = sigma * root;
    const double es_99 = tail[3] * root;
    out.var_95 = fraction(tail[0] * root, sell), out.var_99 = fraction(tail[1] * root, sell);
    out.es_95 = fraction(tail[2] * root, sell), out.es_99 = fraction(es_99, sell);
    out.adverse_excursion = fraction(excursion(tail, root), sell);
    out.favourable_excursion = fraction(excursion(other, root), !sell);
    out.stop = policy.stop_sigmas * deviation, out.target = policy.target_sigmas * deviation;
    out.reward_to_risk = out.target / out.stop;
    out.level = level(es_99, context.drawdown, policy);

    const double cost = cost_bps * 1e-4;
    out.edge_bps = payoff(confidence, move, out.stop, out.target, cost).mean * 1e4;
    const double kelly = payoff(believed, move, out.stop, out.target, cost).kelly;
    out.kelly = calibrated ? kelly : kNaN;
    out.believed = believed;

    double size = 0;
    Bound bound = Bound::kelly;
    if (!calibrated) {
        bound = Bound::uncalibrated;
    } else if (!known(out.var_99) || !known(context.drawdown) || (policy.max_correlated < kInf && !known(context.correlated))) {
        bound = Bound::unknown_risk;
    } else {
        const double lost = not_below(out.stop + cost, out.stop);  // a rebate does not make a stop cheaper
        size = policy.kelly_multiplier * kelly / lost;
        auto cap = [&](double most, Bound by) {
            if (most < size) size = most, bound = by;
        };
        cap(policy.drawdown_share * not_below(policy.max_drawdown - context.drawdown, 0) / lost, Bound::drawdown);
        cap(policy.max_var / out.var_99, Bound::var);
        cap(policy.target_volatility / deviation, Bound::volatility);
        cap(policy.max_position, Bound::position);
        // What moves with this instrument counts as if it were this one: a position on the other side makes room.
        if (policy.max_correlated < kInf) cap(not_below(policy.max_correlated - side * context.correlated, 0), Bound::correlated);
    }
    double contracts = kNaN;
    if (context.equity_known) {
        contracts = 0;
        const double unit = context.price * context.multiplier / context.equity;
        if (!(context.equity > 0 && context.equity < kHuge) || (size > 0 && !(unit > 1e-300 && unit < kHuge))) {
            size = 0, bound = Bound::unknown_risk;
        } else if (size > 0) {
            contracts = size / unit;
            if (policy.max_contracts < contracts) contracts = policy.max_contracts, bound = Bound::contracts;
            const double lots = contracts / context.lot;
            if (lots < 1e15) contracts = std::floor(lots + 1e-9) * context.lot;  // beyond, every double is a whole number of lots
            if (!(contracts > 0 && contracts >= context.min_size)) contracts = 0, bound = Bound::exchange;
            size = contracts * unit;
        }
    }
    out.size = size, out.contracts = contracts, out.bound = bound;
}

void assess_slipping(const double (&values)[std::size(kRiskColumns)], const Bet& bet, double spread_bps,
                     const double (&book)[std::size(kBookColumns)], const Context& context, const Policy& policy, double& cost_bps,
                     Risk& out) noexcept {
    const auto slips = [&](double contracts) {
        return not_below(2 * slippage(bet.side, contracts, values[0], spread_bps, book, context, policy) - spread_bps, 0);
    };
    assess(values, bet, cost_bps, context, policy, out);
    const double high = out.contracts, more = high > 0 ? slips(high) : 0;
    if (!(more > 1e-9)) return;

    // Size and what it slips depend on each other.
    double least = 0, most = high;
    assess(values, bet, cost_bps + more, context, policy, out);
    if (out.contracts >= most) least = most;
    for (int i = 0; i < 8 && least < most; ++i) {
        const double middle = 0.5 * (least + most);
        assess(values, bet, cost_bps + slips(middle), context, policy, out);
        (out.contracts >= middle ? least : most) = middle;
    }
    const double low = context.lot * std::floor(least / context.lot + 1e-9);
    cost_bps += low > 0 ? slips(low) : 0;  // a size of nothing slips nothing, and says that costs were too high for any
    assess(values, bet, cost_bps, context, policy, out);
    if (!(out.contracts > low)) return;
    const double kept = low >= context.min_size ? low : 0;
    if (!(kept > 0)) out.bound = Bound::exchange;
    out.size *= kept / out.contracts, out.contracts = kept;
}

void withhold(bool refused, Risk& out) noexcept {
    out.size = 0;
    if (known(out.contracts)) out.contracts = 0;
    if (!refused && out.bound != Bound::uncalibrated && out.bound != Bound::unknown_risk && out.bound != Bound::exchange)
        out.bound = Bound::none;
}

// The fraction is 0 where equity is unknown.
void close(const Context& context, Risk& out) noexcept {
    out.contracts = std::fabs(context.position);
    out.size = 0;
    if (context.equity_known && context.equity > 0 && context.equity < kHuge) {
        const double size = out.contracts * context.price * context.multiplier / context.equity;
        out.size = size < kHuge ? size : 0;
    }
    out.bound = Bound::reduce_only;
}

}  // namespace smartcore::decide
