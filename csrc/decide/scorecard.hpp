// How good past numbers turned out, once their outcomes were known: calls by source, VaR, slippage, regimes. Plain bytes: it is
// copied, saved with the engine, and given to decide() as it stands. All zeros are an empty record. Older calls count less
// (`half_life` calls); counts that are tested (breaches) are whole.
//
// Horizons overlap: a call a bar on what comes within 20 bars is 20 times the same news. So a call weighs the part of its
// horizon that no earlier one covered, and all counts are in whole horizons. Breaches are counted of horizons that do not overlap.
#pragma once
#include "decide/record.hpp"

namespace smartcore::decide {

// Confidence is binned finely where honest forecasts live: `kEdges` are the lower ends.
inline constexpr std::size_t kBins = 12;
inline constexpr double kEdges[kBins] = {0, 0.505, 0.51, 0.52, 0.53, 0.54, 0.55, 0.575, 0.6, 0.65, 0.7, 0.8};
inline constexpr std::size_t kHorizons = 3;  // the call's own, a quarter of it, four times it
inline constexpr double kHorizonFactors[kHorizons] = {1, 0.25, 4};
inline constexpr double kHalfLife = 500;     // calls, where the record does not say
inline constexpr double kPrior = 100;        // calls after which a record weighs as much as the belief before it

struct Tally {                            // of one source, faded
    double count, moves, hits, stated, brier;  // moves: calls with a direction and a price that moved; hits: right ones of these
};
struct Bins {                             // by confidence, faded: calls with a move, right ones, sum of confidence
    double moves[kBins], hits[kBins], stated[kBins];
};
struct Breaches {                         // of one VaR level, whole
    double count, breaches;
    double narrow;                        // breaches that would have been of the VaR before it was multiplied by `caution`
    double pairs[4];                      // no-no, no-yes, yes-no, yes-yes, one after the other (Christoffersen)
    double kupiec, christoffersen;        // p-values as of the last one; 0 of both with count 0: none yet
    std::int64_t until;                   // where the horizon of the last one counted ends, ns
    std::uint8_t last, seen, unused[6];
};

struct Scorecard {
    double half_life;                     // calls; 0: kHalfLife
    Tally by_source[kSources + 1];        // the last one: the fused call, as it was stated
    Tally by_regime[kRegimes + 1];        // the fused call, by the regime it was made in
    Tally by_horizon[kHorizons];          // the fused call, by how much later it was looked at
    Bins fused, raw;                      // the fused confidence as stated, and before recalibration
    double slope;                         // of recalibration, on log-odds, as of the last outcome; 0: none yet
    Breaches var_95, var_99;
    double caution;                       // what VaR is to be multiplied by, as of the last outcome; 0: none yet
    double slippage_count, slippage_covered, slippage_error, slippage_error2;  // faded; errors in bps
    double slippage_scale;  // log of what tolerances are widened by: moved by every miss and every cover until coverage is right
    double regime_shift;  // of the log-odds of a switch: moved by every bar until switches come as often as they are said to
    double regime_count, regime_brier, regime_stays, regime_said;  // of switch_probability at the next bar; said: sum of 1 - it
    double added[kSources];               // what each source added to the result: its contribution times the move, bps, faded
    std::int64_t seen[kHorizons];         // ts of the last call that was scored
    std::uint64_t calls;                  // ever
};

// ---- learning: once an outcome is known, in the order of the calls. A call without probabilities or with a NaN teaches nothing.

// outcome: -1, 0 or 1 by the label's rule; move: ln of the price after over the price before. `horizon`: index of
// kHorizonFactors; others than 0 fill by_horizon alone. horizon_ns: from the call to its outcome.
void observe(Scorecard& card, const Decision& decision, int outcome, double move, std::int64_t horizon_ns,
             std::size_t horizon = 0) noexcept;
// Of the decision's VaR: change of price over the policy's horizon, a fraction of the price. The loss is that of the side leant to.
void loss(Scorecard& card, const Decision& decision, double change, std::int64_t horizon_ns) noexcept;
// What walking the book at the time of arrival cost against the mid, bps.
void slippage(Scorecard& card, const Execution& said, double bps) noexcept;
// Regimes of two bars, one after the other.
void regime(Scorecard& card, const Regime& before, const Regime& after) noexcept;
// One forecast (down, flat, up) of one source (kSources: the fused), as `observe` does it; `weight`: see above.
void update(Scorecard& card, std::size_t source, const double (&forecast)[3], int outcome, double weight = 1) noexcept;

// ---- what decide() asks; an empty card answers with what was believed before ----

void track(const Scorecard& card, double prior, Track& out) noexcept;  // prior: Policy::shrinkage
double trust(const Tally& tally) noexcept;                            // 0 without a record, towards 1 with a long one
double hit_rate(const Tally& tally) noexcept;                         // 0.5 without one
double stated(const Tally& tally) noexcept;                           // mean confidence, 0.5 without one
// The weights that past calls have earned: `base` times multiplier, to the same total. What a source tells grows with the square of
// its edge over a coin flip: one that has none ends near no weight, a hit rate of 0.55 leaves it, 0.6 and more triples it.
double multiplier(const Tally& tally) noexcept;
void weights(const Scorecard& card, const double (&base)[kSources], double (&out)[kSources]) noexcept;
// How much a vote tilts the odds: 2 hit rate - 1 once measured; `prior`: 2 Policy::vote_edge. One that is wrong more often than right
// is not turned round, and keeps a hundredth: with nothing there would be no direction left by which to judge it.
double vote_reliability(const Tally& tally, double prior) noexcept;
// How much of a stated distance from a coin flip was earned, 0 to 1: what is believed for sizing.
double reliability(const Tally& tally, double prior) noexcept;
// By how much confidence was too high, below 0 too low, as far as the record is trusted: what the threshold is moved by.
double boast(const Tally& tally) noexcept;
// The fused confidence as past ones turned out, 0.5 to 1. The score and its parts are scaled by (2 of this - 1) / (2 confidence - 1).
double calibrated(const Scorecard& card, double confidence) noexcept;
// The probability of a switch of regime as past ones turned out.
double switching(const Scorecard& card, double probability) noexcept;
// What VaR and ES are to be multiplied by, 1 to 3: above 1 where there were too many breaches. By those of VaR as it was before: a
// record of VaR already multiplied would take back half of what is needed.
double caution(const Scorecard& card) noexcept;
inline const Tally& fused(const Scorecard& card) noexcept { return card.by_source[kSources]; }

// Tail probability of chi-squared with one degree of freedom.
double chi2_tail(double statistic) noexcept;
double kupiec(const Breaches& breaches, double level) noexcept;         // p-value that breaches come at this rate; NaN without any
double christoffersen(const Breaches& breaches) noexcept;               // p-value that they come independently

}  // namespace smartcore::decide
