// How good past numbers turned out, once their outcomes were known: calls by source, VaR, slippage, regimes. Plain bytes: it is
// copied, saved with the engine, and given to decide() as it stands. Older calls count less (`half_life` calls); counts that are
// tested (breaches) are whole.
#pragma once
#include "decide/record.hpp"

namespace smartcore::decide {

inline constexpr std::size_t kBins = 10;  // of reliability, equal widths of confidence from 0.5 to 1

struct Tally {                            // of one source, faded
    double count, moves, hits, stated, brier;
    double bin_moves[kBins], bin_hits[kBins], bin_stated[kBins];  // confidence binned: calls with a move, right ones, sum of confidence
};
struct Breaches {                         // of one VaR level, whole
    double count, breaches;
    double pairs[4];                      // no-no, no-yes, yes-no, yes-yes, one after the other (Christoffersen)
    std::uint8_t last, seen, unused[6];
};

struct Scorecard {
    double half_life;                     // calls
    Tally by_source[kSources + 1];        // the last one: the fused call
    Tally by_regime[kRegimes + 1];        // the fused call, by the regime it was made in
    Breaches var_95, var_99;
    double slippage_count, slippage_covered, slippage_error, slippage_error2;  // faded; errors in bps
    double slippage_scale;  // log of what tolerances are widened by: moved by every miss and every cover until coverage is right
    double regime_count, regime_brier, regime_stays, regime_said;              // of switch_probability at the next bar
    double added[kSources];               // what each source added to the result: its contribution times the move, bps, faded
    std::uint64_t calls;                  // ever
};

}  // namespace smartcore::decide
