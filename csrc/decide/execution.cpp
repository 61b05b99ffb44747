// One-sided slippage is half the spread, plus what the size eats beyond the touch, plus the move during the latency, which has
// mean zero and a deviation of sigma x sqrt(latency). The tolerance is a quantile of that sum.
#include "decide/execution.hpp"

#include <cmath>

namespace smartcore::decide {
namespace {

// Part of the edge's half-life that entering may take.
constexpr double share(Urgency urgency) noexcept {
    return urgency == Urgency::urgent ? 0.1 : urgency == Urgency::normal ? 0.25 : 0.5;
}

}  // namespace

void advise(int side, bool strong, double sigma, double spread_bps, double fee_bps, const double (&book)[std::size(kBookColumns)],
            const Risk& risk, const Regime& regime, const Context& context, const Policy& policy, Execution& out) noexcept {
    out = {};
    out.reservation_price = out.limit_price = out.participation = kNaN;
    const double half = spread_bps / 2, queue = book[1];
    double drift = 0;
    if (context.latency_ns > 0 && known(sigma))
        drift = 1e4 * sigma * std::sqrt(not_above(static_cast<double>(context.latency_ns) / static_cast<double>(context.bar_ns), 1e6));
    const double touch = side > 0 ? context.ask_size : side < 0 ? context.bid_size : kNaN;
    const double wanted = known(risk.contracts) ? risk.contracts : 0;
    double beyond = 0;
    out.slices = 1;
    if (touch > 0 && touch < kHuge && wanted > 0) {
        const double slices = std::ceil(not_above(wanted / (policy.participation * touch), 1e9));
        out.slices = static_cast<std::int32_t>(not_below(not_above(slices, policy.max_slices), 1));
        // Each level beyond the touch is taken to be as deep as the touch, half a spread further on.
        beyond = half * not_above(not_below(wanted / out.slices / touch - 1, 0), 100);
    }
    out.slippage_bps = half + beyond;
    out.impact_bps = beyond;
    // The spread itself moves between quote and fill: allow a deviation of half of its half.
    out.slippage_tolerance_bps = out.slippage_bps + policy.z * std::sqrt(drift * drift + 0.25 * half * half);

    const double decay = 1 - std::pow(0.5, 1 / policy.half_life);
    const double waiting = risk.edge_bps > 0 ? decay * risk.edge_bps : 0;
    const double pressure = known(queue) ? side * queue : 0;
    const bool illiquid = regime.condition == Condition::illiquid;
    out.urgency = Urgency::patient;
    if (side == 0) {
        out.method = EntryMethod::none;
    } else if (strong || waiting > 2 * half || pressure > 0.6) {
        out.urgency = Urgency::urgent;
        out.method = illiquid ? EntryMethod::limit : EntryMethod::market;
    } else if (waiting > half || pressure > 0.2) {
        out.urgency = Urgency::normal;
        out.method = EntryMethod::limit;
    } else {
        // An order that cannot be pulled before the market has moved a half-spread is picked off: do not rest it.
        out.method = drift > half ? EntryMethod::limit : EntryMethod::passive;
    }
    out.timing = Timing::immediate;
    if (out.urgency != Urgency::urgent) {
        if (illiquid) out.timing = Timing::wait_for_spread;
        else if (regime.volume == Volume::low) out.timing = Timing::wait_for_volume;
    }
    // A passive fill saves the half-spread and pays it back in adverse selection: on average nothing is earned.
    out.expected_cost_bps = fee_bps + (out.method == EntryMethod::passive ? 0 : out.slippage_bps);
    out.max_minutes = share(out.urgency) * policy.half_life * static_cast<double>(context.bar_ns) / 6e10;
    out.schedule = out.slices > 1 ? Schedule::twap : Schedule::once;
}

}  // namespace smartcore::decide
