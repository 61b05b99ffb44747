// Fusion of the sources that spoke into one score, whose parts add up to it exactly.
#pragma once
#include "decide/context.hpp"
#include "decide/inputs.hpp"
#include "decide/policy.hpp"
#include "decide/scorecard.hpp"

namespace smartcore::decide {

struct Fusion {
    double score, confidence, raw_confidence, agreement, completeness;
    double probabilities[3];                            // NaN where no model spoke
    double contributions[kSources], weights[kSources];  // NaN where the source did not speak
    int models;
    std::uint8_t uncalibrated, missing;                 // bits of sources
};

// The mean vote, -1 to 1, of kTechnical; NaN where fewer than `min_votes` are known. `sigma`: deviation of a bar's return, NaN
// unknown; `trending`: probability that the market trends. Trend followers count for little in a range, oscillators in a trend.
double technical(const double (&values)[std::size(kTechnical)], double sigma, double trending, int min_votes) noexcept;

// The mean vote, -1 to 1, of kSmartMoney; NaN where fewer than `min_votes` are known.
double smart_money(const double (&values)[std::size(kSmartMoney)], int min_votes) noexcept;

// One score of all that spoke. `votes`: of the sources that are no models, NaN missing; `stale` triples are missing too.
void fuse(const Given& given, const double (&votes)[kSources - kModels], const Scorecard* card, const Policy& policy, bool stale,
          Fusion& out) noexcept;

}  // namespace smartcore::decide
