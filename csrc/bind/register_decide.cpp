// The records of a decision as NumPy dtypes, and decide() itself on their bytes.
#include "bind/bind.hpp"
#include "decide/decide.hpp"
#include "decide/execution.hpp"
#include "decide/risk.hpp"

namespace smartcore {
namespace {

using namespace decide;

py::dict columns() {
    py::dict all;
    auto group = [&](const char* name, std::span<const Input> inputs) {
        py::list rows;
        for (const Input& i : inputs) rows.append(py::make_tuple(i.column, i.low, i.high));
        all[name] = py::tuple(rows);
    };
    group("technical", kTechnical);
    group("smart_money", kSmartMoney);
    group("regime", kRegimeColumns);
    group("risk", kRiskColumns);
    group("book", kBookColumns);
    group("anomaly", kAnomalyColumns);
    return all;
}

// The bytes of a record of one of the dtypes below. A buffer of another size is a mistake of ours, not of a user.
template <class T>
const T& of(const py::buffer_info& info) {
    if (static_cast<std::size_t>(info.size * info.itemsize) != sizeof(T)) throw py::value_error("a record of another size");
    return *static_cast<const T*>(info.ptr);
}

}  // namespace

void register_decide(py::module_& m) {
    PYBIND11_NUMPY_DTYPE(Reason, value, limit, margin, a, b, bits, note, gate, passed);
    PYBIND11_NUMPY_DTYPE(Regime, probabilities, switch_probability, age, name, volatility, trend, volume, condition);
    PYBIND11_NUMPY_DTYPE(Risk, var_95, var_99, es_95, es_99, adverse_excursion, favourable_excursion, kelly, believed, size,
                         contracts, stop, target, reward_to_risk, edge_bps, bound, level);
    PYBIND11_NUMPY_DTYPE(Execution, expected_cost_bps, slippage_bps, slippage_tolerance_bps, impact_bps, quantile,
                         slice, max_minutes, reservation_price, limit_price, kappa, participation, slices, method, urgency, timing, schedule);
    PYBIND11_NUMPY_DTYPE(Track, calls, hit_rate, stated, brier, ece, reliability, var_95_breaches, var_95_expected, var_95_p,
                         var_99_breaches, var_99_expected, var_99_p, slippage_calls, slippage_coverage, regime_calls, regime_brier,
                         ece_floor, var_95_independence_p, var_99_independence_p, caution, slope);
    PYBIND11_NUMPY_DTYPE(Decision, ts, as_of, age_ns, latency_ns, sequence, price, confidence, raw_confidence, score, quality_score, overall,
                         probabilities, contributions, weights, threshold, agreement, completeness, freshness, clarity, calm,
                         regime, risk, execution, track, reasons, count, signal, quality, mode);
    PYBIND11_NUMPY_DTYPE(Given, triple, vote, novelty, age_ns, calibrated, failed, fell_back);
    PYBIND11_NUMPY_DTYPE(Context, ts, as_of, sequence, bar_ns, latency_ns, price, position, equity, drawdown, correlated, bid,
                         bid_size, ask, ask_size, bids, asks, fee_bps, lot, tick, multiplier, min_size, clock_skew_s, frozen_s, silence,
                         duplicates, health, filled, book_stale, book_crossed, equity_known);
    PYBIND11_NUMPY_DTYPE(Policy, weights, min_confidence, strong_confidence, volatile_raise, threshold_low, threshold_high,
                         min_quality, min_weight, min_edge_bps, vote_edge, max_age_s, max_scores_age_s, max_latency_ms,
                         max_spread_bps, max_clock_skew_s, max_frozen_s, max_silence, max_duplicates, max_jump, max_outlier,
                         max_drift, max_turbulence, max_novelty,
                         min_health, horizon, stop_sigmas, target_sigmas, kelly_multiplier, shrinkage, max_position, max_drawdown,
                         drawdown_share, max_var, max_correlated, target_volatility, max_contracts, fee_bps, spread_bps,
                         slippage_quantile, half_life, participation, risk_aversion, impact, min_votes, max_slices,
                         uncalibrated, regimes, require_book, voting);
    PYBIND11_NUMPY_DTYPE(Tally, count, moves, hits, stated, brier);
    PYBIND11_NUMPY_DTYPE(Bins, moves, hits, stated);
    PYBIND11_NUMPY_DTYPE(Breaches, count, breaches, narrow, pairs, kupiec, christoffersen, until, last, seen);
    PYBIND11_NUMPY_DTYPE(Scorecard, half_life, by_source, by_regime, by_horizon, fused, raw, slope, var_95, var_99, caution, slippage_count,
                         slippage_covered, slippage_error, slippage_error2, slippage_scale, regime_shift, regime_count, regime_brier, regime_stays, regime_said,
                         added, seen, calls);
    PYBIND11_NUMPY_DTYPE(Inputs, technical, smart_money, regime, risk, book, anomaly);
    m.attr("DECISION") = py::dtype::of<Decision>();
    m.attr("GIVEN") = py::dtype::of<Given>();
    m.attr("CONTEXT") = py::dtype::of<Context>();
    m.attr("POLICY") = py::dtype::of<Policy>();
    m.attr("SCORECARD") = py::dtype::of<Scorecard>();
    m.attr("INPUTS") = py::dtype::of<Inputs>();
    m.attr("COLUMNS") = columns();

    m.def("_payoff", [](double p, double move, double stop, double target, double cost) {
        const Payoff made = payoff(p, move, stop, target, cost);
        return std::make_pair(made.mean, made.kelly);
    });
    // The record of a decision as bytes; each argument a record (or array of one, or bytes) of the dtype of its name.
    m.def("_decide", [](const py::array_t<double, py::array::c_style>& row, const py::buffer& inputs, const py::buffer& given,
                        const py::object& card, const py::buffer& policy, const py::buffer& context) {
        const py::buffer_info i = inputs.request(), g = given.request(), p = policy.request(), c = context.request();
        py::buffer_info s;
        if (!card.is_none()) s = card.cast<py::buffer>().request();
        Decision out;
        decide::decide(row.data(), of<Inputs>(i), of<Given>(g), card.is_none() ? nullptr : &of<Scorecard>(s), of<Policy>(p), of<Context>(c), out);
        return py::bytes(reinterpret_cast<const char*>(&out), sizeof out);
    });

    // Execution advice alone, for tests and for bench/slippage.py: the `execution` of a DECISION as bytes. `decision`: one whose risk
    // and regime are filled in; `book`: the values of COLUMNS["book"].
    m.def("_advise", [](const py::buffer& decision, int side, bool allowed, bool strong, double sigma, double spread_bps, double fee_bps,
                        double scale, const std::array<double, std::size(kBookColumns)>& book, const py::buffer& context, const py::buffer& policy) {
        const py::buffer_info d = decision.request(), c = context.request(), p = policy.request();
        double values[std::size(kBookColumns)];
        std::copy(book.begin(), book.end(), values);
        Execution out;
        advise(side, allowed, strong, sigma, spread_bps, fee_bps, scale, values, of<Decision>(d).risk, of<Decision>(d).regime,
               of<Context>(c), of<Policy>(p), out);
        return py::bytes(reinterpret_cast<const char*>(&out), sizeof out);
    });
    m.def("_student3", &student3);
}

}  // namespace smartcore
