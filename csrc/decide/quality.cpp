#include "decide/quality.hpp"

#include <algorithm>

namespace smartcore::decide {

// 0 to 1: the mean of a weighted mean of four doubts and the worst of them, so that one bad thing is not averaged away.
void judge(const Fusion& fusion, const Regime& regime, double age, const Policy& policy, Decision& out) noexcept {
    out.agreement = fusion.agreement, out.completeness = fusion.completeness;
    out.freshness = policy.max_age_s > 0 ? 1 - age / policy.max_age_s : age > 0 ? 0 : 1;
    const double best = *std::max_element(regime.probabilities, regime.probabilities + kRegimes);
    out.clarity = 0.3 + 0.7 * not_above(not_below((best - 1.0 / 7) / (0.8 - 1.0 / 7), 0), 1);
    const double worst = std::min({out.agreement, out.completeness, out.freshness, out.clarity});
    out.quality_score = 0.5 * (0.35 * out.agreement + 0.25 * out.completeness + 0.20 * out.freshness + 0.20 * out.clarity + worst);
    out.quality = out.quality_score >= 0.80   ? Quality::excellent
                  : out.quality_score >= 0.65 ? Quality::good
                  : out.quality_score >= 0.45 ? Quality::fair
                                              : Quality::poor;
}

}  // namespace smartcore::decide
