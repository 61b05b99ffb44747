// What decide() fills in: plain bytes, so that a decision can be kept, compared and sent without being understood.
// A number that is not known is NaN here and None in Python. NumPy dtypes are made from these structs
// (bind/register_decide.cpp); no padding, so that equal decisions are equal bytes.
#pragma once
#include "decide/words.hpp"

namespace smartcore::decide {

// One gate: what was measured, what was asked, by how much it passed (margin >= 0) or failed (< 0).
struct Reason {
    double value, limit, margin;
    double a, b;         // numbers of the note
    std::uint32_t bits;  // a set, or an index, of the note
    Note note;
    Gate gate;
    std::uint8_t passed;
};

struct Regime {
    double probabilities[kRegimes];
    double switch_probability;  // that of another name at the next bar, as past ones turned out
    double age;                 // bars since the name last changed
    RegimeName name;
    Volatility volatility;
    Trend trend;
    Volume volume;
    Condition condition;
    std::uint8_t unused[3];
};

// Fractions of price or of equity. VaR and ES are losses per unit of position value over the policy's horizon, of the side leant to
// (of a long position where there is none).
struct Risk {
    double var_95, var_99, es_95, es_99;
    double adverse_excursion, favourable_excursion;  // 95 % quantiles of the worst and the best on the way
    double kelly;            // full Kelly on the believed probability: fraction of equity put at risk at the stop
    double believed;         // the probability that sized it: shrunk for the forecast's uncertainty
    double size;             // position value over equity after all caps
    double contracts;        // whole lots, unsigned; NaN: equity unknown
    double stop, target, reward_to_risk;
    double edge_bps;         // expected gain after costs
    Bound bound;
    RiskLevel level;
    std::uint8_t unused[6];
};

struct Execution {
    double expected_cost_bps;      // of getting in, fees included, one side
    double slippage_bps;           // predicted mean slippage against the mid: half spread, walking the book, impact
    double slippage_tolerance_bps; // quantile `quantile` of what one slice slips against the mid at its decision
    double impact_bps;             // square-root impact of earlier slices on later ones, part of slippage_bps
    double quantile;               // Policy::slippage_quantile
    double slice;                  // contracts of one slice; where none is advised: of the slice that slippage is predicted for
    double max_minutes;
    double reservation_price;      // Avellaneda-Stoikov
    double limit_price;            // where a limit or passive order goes
    double kappa;                  // Almgren-Chriss: how fast to trade, 1/s; 0: evenly over the time there is
    double participation;          // share of the market's volume, of a POV schedule
    std::int32_t slices;
    EntryMethod method;
    Urgency urgency;
    Timing timing;
    Schedule schedule;
};

// How past numbers of this bot turned out, as far as outcomes are known.
struct Track {
    double calls, hit_rate, stated, brier, ece;       // of the fused confidence, faded
    double reliability;                               // 0 to 1: what confidence and size are shrunk by
    double var_95_breaches, var_95_expected, var_95_p;  // Kupiec p-value
    double var_99_breaches, var_99_expected, var_99_p;
    double slippage_calls, slippage_coverage;         // share of fills within the tolerance
    double regime_calls, regime_brier;
    double ece_floor;                                 // the ece that a perfectly calibrated forecaster would show
    double var_95_independence_p, var_99_independence_p;  // Christoffersen p-value
    double caution;                                   // what VaR and ES are multiplied by for past breaches
    double slope;                                     // of recalibration, 1: none
};

struct Decision {
    std::int64_t ts, as_of, age_ns;
    std::int64_t latency_ns;   // -1: nobody holds a clock
    std::int64_t sequence;
    double price;
    double confidence, raw_confidence;                 // raw: of the pool, before recalibration by the scorecard
    double score, quality_score, overall;              // overall: the origin's 0 to 1 quality of the whole answer
    double probabilities[3];                           // fused (down, flat, up); NaN where no model spoke
    double contributions[kSources], weights[kSources]; // NaN where the source did not speak
    double threshold;                                  // the confidence that was asked
    double agreement, completeness, freshness, clarity, calm;  // what quality is made of
    Regime regime;
    Risk risk;
    Execution execution;
    Track track;
    Reason reasons[kGates];
    std::uint32_t count;       // of reasons
    Signal signal;
    Quality quality;
    Mode mode;
    std::uint8_t unused;
};

static_assert(sizeof(Reason) == 48 && sizeof(Regime) == 80 && sizeof(Risk) == 120 && sizeof(Execution) == 96 && sizeof(Track) == 168);

}  // namespace smartcore::decide
