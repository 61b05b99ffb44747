// What a market order slips against the mid at its decision is
//
//     what the book takes from a slice  +  a quantile of how the book moves until the order is there.
//
// The first is the visible book, walked, and beyond it the square-root law Y sigma sqrt(Q / V) (Almgren, Thum, Hauptmann, Li 2005;
// Toth et al. 2011). The second has mean zero and scales with sigma sqrt(latency); its tail is that of Student's t with three
// degrees of freedom, widened or narrowed by what past tolerances covered (Gibbs and Candes 2021). bench/slippage.py has the
// alternatives. Later slices meet the impact of earlier ones.
#include "decide/execution.hpp"

#include <algorithm>
#include <cmath>

namespace smartcore::decide {
namespace {

constexpr double kWorst = 1e6;     // bps; no cost is called larger
constexpr double kLarge = 1e100;   // sizes from here on are not known: their products would overflow
constexpr double kDay = 86'400;    // seconds; longer latencies cost no more
constexpr double kPi = 3.141592653589793;

bool sound(double x) noexcept { return x > 0 && x < kLarge; }

// Part of the edge's half-life that entering may take.
constexpr double share(Urgency urgency) noexcept {
    return urgency == Urgency::urgent ? 0.1 : urgency == Urgency::normal ? 0.25 : 0.5;
}

// The book of one side as an order sees it: distances from the mid in bps, and what is taken for granted beyond.
struct Curve {
    double distance[kDepth], size[kDepth], total = 0;
    std::uint32_t levels = 0;
    double half, pace, volume, impact;  // bps, bps per sqrt second, per second, Y

    void level(int side, double price, double contracts, double mid) noexcept {
        distance[levels] = not_above(not_below(1e4 * side * (price / mid - 1), 0), kWorst);
        size[levels++] = contracts;
        total += contracts;
    }
    // Mean price paid against the mid, bps.
    double cost(double contracts) const noexcept {
        double left = contracts, paid = 0, reach = levels ? distance[0] : half;
        if (!(left > 0) || !levels) return reach;
        for (std::uint32_t i = 0; i < levels && left > 0; ++i) {
            const double part = not_above(left, size[i]);
            reach = distance[i], paid += part * reach, left -= part;
        }
        if (left > 0) {
            if (sound(pace) && volume > 1e-30) paid += left * (reach + 2.0 / 3 * impact * pace * std::sqrt(left / volume));
            else paid += reach * (2.0 / 3) * (contracts * std::sqrt(contracts / total) - total);  // as if prices went on like sqrt(Q)
        }
        return not_above(paid / contracts, kWorst);
    }
};

// Mean of sqrt(k / n) over k from 0 to n - 1: the impact that slices meet, of the impact of all. By Euler and Maclaurin.
double met(double n) noexcept { return n < 2 ? 0 : 2.0 / 3 - 0.5 / n - 0.2078862249773545 / (n * std::sqrt(n)); }

// The market as an order of one side meets it.
struct Market {
    Curve curve{};
    double mid;
    bool touched;  // the touch is known
};

Market meet(int way, double sigma, double spread_bps, const double (&book)[std::size(kBookColumns)], const Context& context,
            const Policy& policy) noexcept {
    Market m{};
    Curve& curve = m.curve;
    const double bar_s = static_cast<double>(context.bar_ns) * 1e-9, per_bar = 1e4 * sigma / std::sqrt(bar_s / filled(context));
    double pace = known(book[5]) ? not_below(book[5], known(book[4]) ? book[4] : 0) : book[4];  // of the mid, bps per sqrt second
    if (!(pace > 0) && sound(per_bar)) pace = per_bar;
    curve.half = spread_bps / 2, curve.pace = pace, curve.volume = book[6], curve.impact = policy.impact;
    m.touched = context.bid > 0 && context.bid < kLarge && context.ask > 0 && context.ask < kLarge;
    m.mid = m.touched ? 0.5 * (context.bid + context.ask) : context.price > 0 && context.price < kLarge ? context.price : kNaN;
    const auto& levels = way > 0 ? context.asks : context.bids;
    for (std::uint32_t i = 0; m.touched && i < kDepth && sound(levels[i][0]) && sound(levels[i][1]); ++i)
        curve.level(way, levels[i][0], levels[i][1], m.mid);
    const double at_best = way > 0 ? context.ask_size : context.bid_size;
    if (!curve.levels && sound(at_best)) curve.distance[0] = curve.half, curve.size[0] = curve.total = at_best, curve.levels = 1;
    return m;
}

// An order in slices, and what they pay.
struct Cut {
    std::int32_t slices;
    double slice, taken, impact;  // taken: by one slice, impact: of earlier ones on later ones, bps
    double all;                   // impact of all by the square-root law, NaN unknown
};

Cut cut(const Curve& curve, double wanted, const Context& context, const Policy& policy) noexcept {
    Cut c{1, kNaN, 0, 0, kNaN};
    if (curve.levels && wanted > 0) {
        const double lots = sound(context.lot) ? not_below(std::floor(wanted / context.lot + 1e-9), 1) : policy.max_slices;
        const double slices = std::ceil(not_above(wanted / (policy.participation * curve.size[0]), 1e9));
        c.slices = static_cast<std::int32_t>(not_below(std::min({slices, static_cast<double>(policy.max_slices), lots}), 1));
    }
    const double n = c.slices;
    if (wanted > 0) c.slice = wanted / n;
    else if (curve.levels) c.slice = policy.participation * curve.size[0];
    if (!sound(c.slice)) c.slice = kNaN;
    c.taken = curve.cost(known(c.slice) ? c.slice : 0);
    if (sound(curve.pace) && curve.volume > 1e-30 && wanted > 0)
        c.all = not_above(policy.impact * curve.pace * std::sqrt(wanted / curve.volume), kWorst);
    if (n > 1) c.impact = known(c.all) ? met(n) * c.all : not_below(curve.cost(wanted) - c.taken, 0);
    return c;
}

double sized(double contracts) noexcept { return sound(contracts) ? contracts : 0; }

}  // namespace

double student3(double p) noexcept {
    const double tail = 1 - p;
    if (!(tail < 0.5)) return 0;
    // Newton, from the power law of the tail, or from where the distribution is a straight line.
    double x = tail < 0.05 ? 0.93 * std::cbrt(2 * std::sqrt(3.0) / kPi / tail) : 2.72 * (p - 0.5);
    for (int i = 0; i < 8; ++i) {
        const double u = x / std::sqrt(3.0), w = 1 + u * u;
        x -= (0.5 + (u / w + std::atan(u)) / kPi - p) * kPi * std::sqrt(3.0) * w * w / 2;
    }
    return x;
}

double slippage(int side, double contracts, double sigma, double spread_bps, const double (&book)[std::size(kBookColumns)],
                const Context& context, const Policy& policy) noexcept {
    const Market market = meet(side < 0 ? -1 : 1, sigma, spread_bps, book, context, policy);
    const Cut made = cut(market.curve, sized(contracts), context, policy);
    return made.taken + made.impact;
}

void advise(int side, bool allowed, bool strong, double sigma, double spread_bps, double fee_bps, double scale,
            const double (&book)[std::size(kBookColumns)], const Risk& risk, const Regime& regime, const Context& context,
            const Policy& policy, Execution& out) noexcept {
    out = {};
    out.reservation_price = out.limit_price = out.participation = out.slice = out.kappa = kNaN;
    const int way = side < 0 ? -1 : 1;
    const double half = spread_bps / 2, queue = book[1], spread_mean = book[2], spread_varies = book[3], volume = book[6];
    const double bar_s = static_cast<double>(context.bar_ns) * 1e-9;

    // What the book takes.
    const Market market = meet(way, sigma, spread_bps, book, context, policy);
    const Curve& curve = market.curve;
    const double mid = market.mid, pace = curve.pace, wanted = sized(risk.contracts);
    const auto [slices, slice, taken, impact, all] = cut(curve, wanted, context, policy);
    out.slices = slices, out.slice = slice, out.impact_bps = impact, out.slippage_bps = taken + impact;

    // How it moves on the way. Of what is not known, a whole spread is believed.
    const double latency = not_above(static_cast<double>(latency_of(context)) * 1e-9, kDay);
    const double drift = known(pace) ? not_above(pace * std::sqrt(latency), kWorst) : spread_bps;
    const double blind = curve.levels ? 0 : half;
    out.quantile = policy.slippage_quantile;
    const double width = student3(out.quantile) * std::exp(scale > -3 ? not_above(scale, 3) : scale <= -3 ? -3 : 0);
    // A book that has not moved must not miss for the last digits of whoever walks it.
    out.slippage_tolerance_bps = not_above(taken + width * std::sqrt(drift * drift + blind * blind), kWorst) + 1e-9;

    // Almgren and Chriss (2000): E + lambda Var is least on sinh(kappa (T - t)) / sinh(kappa T), kappa^2 = lambda sigma^2 / eta. Here
    // Var is of the cost in fractions of equity, lambda half the relative risk aversion (1: log utility), and eta makes an order
    // traded at the policy's participation pay the square-root law. kappa T then is the root of what risk costs over impact.
    const double held = risk.size > 0 && risk.size < kLarge ? risk.size : 0;
    const double lambda = 0.5e-4 * policy.risk_aversion * held;  // per bps
    double rush = 0;
    if (all > 0) {
        const double seconds = wanted / (policy.participation * volume);
        rush = std::sqrt(lambda * pace * pace * seconds / all);
        out.kappa = rush / seconds;
    }
    // Avellaneda and Stoikov (2008): the price at which the position held is worth no change, s - q gamma sigma^2 (T - t), over the
    // policy's horizon; gamma is the relative risk aversion over equity.
    const double variance = sound(sigma) ? sigma * sigma * bars_held(context, policy) : 1e-8 * pace * pace * bar_s * policy.horizon;
    const double exposed = context.position == 0 || policy.risk_aversion == 0 ? 0
                         : context.equity_known && sound(context.equity) ? context.position * mid * context.multiplier / context.equity : kNaN;
    const double shift = exposed == 0 ? 0 : exposed * policy.risk_aversion * variance;
    if (shift > -1 && shift < 1) out.reservation_price = mid * (1 - shift);
    const double inventory = known(out.reservation_price) ? -1e4 * way * shift : 0;  // above 0: the position held wants this trade

    const double decay = 1 - std::exp2(-1 / policy.half_life);
    double waiting = inventory + (risk.edge_bps > 0 ? decay * risk.edge_bps : 0);  // what a bar of waiting costs, bps
    if (known(pace)) waiting += lambda * pace * pace * bar_s;
    const double pressure = known(queue) ? way * queue : 0;
    const bool illiquid = regime.condition == Condition::illiquid;
    out.urgency = Urgency::patient;
    if (!allowed || side == 0) {
        out.method = EntryMethod::none;
    } else if (strong || waiting > 2 * half || pressure > 0.6 || rush > 2) {
        out.urgency = Urgency::urgent;
        out.method = illiquid ? EntryMethod::limit : EntryMethod::market;
    } else if (waiting > half || pressure > 0.2 || rush > 0.5) {
        out.urgency = Urgency::normal;
        out.method = EntryMethod::limit;
    } else {
        // An order that cannot be pulled before the market has moved a half-spread is picked off: do not rest it.
        out.method = drift > half ? EntryMethod::limit : EntryMethod::passive;
    }
    out.timing = Timing::immediate;
    if (out.urgency != Urgency::urgent) {
        const bool wide = known(spread_mean) && spread_bps > spread_mean * (1 + (spread_varies > 0.5 ? spread_varies : 0.5));
        if (illiquid || wide) out.timing = Timing::wait_for_spread;
        else if (regime.volume == Volume::low) out.timing = Timing::wait_for_volume;
    }
    // A passive fill saves the half-spread and pays it back in adverse selection: on average nothing is earned.
    out.expected_cost_bps = fee_bps + (out.method == EntryMethod::passive ? 0 : out.slippage_bps);
    // By 3 / kappa the trajectory of Almgren and Chriss has done nineteen twentieths.
    double seconds = share(out.urgency) * policy.half_life * bar_s;
    if (out.kappa > 0) seconds = not_above(seconds, not_below(3 / out.kappa, wanted / (policy.participation * volume)));
    out.max_minutes = seconds / 60;
    if (wanted > 0 && volume > 1e-30) out.participation = not_above(wanted / (volume * seconds), policy.participation);
    if (out.slices > 1) out.schedule = !known(out.participation) ? Schedule::twap : seconds < 3600 ? Schedule::pov : Schedule::vwap;

    // On the grid of ticks, never worse than meant.
    double price = kNaN;
    if (out.method == EntryMethod::limit) price = mid * (1 + 1e-4 * way * out.slippage_tolerance_bps);
    if (out.method == EntryMethod::passive && market.touched) {
        price = way > 0 ? context.bid : context.ask;
        if (known(out.reservation_price)) price = way > 0 ? not_above(price, out.reservation_price) : not_below(price, out.reservation_price);
    }
    if (known(price) && sound(context.tick)) {
        const double ticks = price / context.tick;
        price = context.tick * (way > 0 ? std::floor(ticks + 1e-6) : std::ceil(ticks - 1e-6));
    }
    if (price > 0 && price < kLarge) out.limit_price = price;
}

}  // namespace smartcore::decide
