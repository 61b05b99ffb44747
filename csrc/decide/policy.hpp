// What the owner of the bot decides. smartcore.Policy checks and fills it; the meaning of each number is documented there.
#pragma once
#include "decide/words.hpp"

namespace smartcore::decide {

struct Policy {
    double weights[kSources];
    double min_confidence, strong_confidence, volatile_raise;
    double threshold_low, threshold_high;      // how far outcomes may move min_confidence
    double min_quality, min_weight, min_edge_bps, vote_edge;
    double max_age_s, max_scores_age_s;
    double max_latency_ms, max_spread_bps;     // infinity: no limit
    double max_clock_skew_s, max_frozen_s, max_silence, max_duplicates;  // silence: multiples of the usual time between events
    double max_jump, max_outlier, max_drift, max_turbulence, max_novelty, min_health;
    double horizon;                            // bars
    double stop_sigmas, target_sigmas;
    double kelly_multiplier, shrinkage;
    double max_position, max_drawdown, drawdown_share, max_var, max_correlated;
    double target_volatility;                  // of the position over the horizon, fraction of equity; infinity: none
    double max_contracts;
    double fee_bps, spread_bps;
    double slippage_quantile;
    double half_life;                          // of the edge, bars
    double participation, risk_aversion, impact;  // impact: Y of the square-root law
    std::int32_t min_votes, max_slices;
    std::uint8_t uncalibrated;                 // bits of models that may speak uncalibrated
    std::uint8_t regimes;                      // bits of RegimeName in which trades may be opened
    std::uint8_t require_book;
    Voting voting;
    std::uint8_t unused[4];
};

}  // namespace smartcore::decide
