#include "decide/quality.hpp"

#include <algorithm>

namespace smartcore::decide {
namespace {

// A regime that is not known is as if all were equally likely; one that is believed at 0.8 is clear.
double clear(const Regime& regime) noexcept {
    const double best = *std::max_element(regime.probabilities, regime.probabilities + kRegimes);
    return 0.3 + 0.7 * std::clamp((best - 1.0 / kRegimes) / (0.8 - 1.0 / kRegimes), 0.0, 1.0);
}

double calm(Volatility volatility) noexcept {
    switch (volatility) {
        case Volatility::low: return 1;
        case Volatility::medium: return 0.9;
        case Volatility::high: return 0.5;
        default: return 0.7;
    }
}

double safe(RiskLevel level) noexcept {
    switch (level) {
        case RiskLevel::low: return 1;
        case RiskLevel::medium: return 0.7;
        case RiskLevel::high: return 0.35;
        default: return 0;
    }
}

}  // namespace

// The mean of a weighted mean of six doubts and the worst of them, so that one bad thing is not averaged away.
void judge(const Fusion& fusion, double age, const Policy& policy, Decision& out) noexcept {
    out.agreement = fusion.agreement, out.completeness = fusion.completeness;
    out.freshness = policy.max_age_s > 0 ? std::clamp(1 - age / policy.max_age_s, 0.0, 1.0) : age > 0 ? 0 : 1;
    out.clarity = clear(out.regime);
    out.calm = calm(out.regime.volatility);
    const double earned = out.track.reliability;  // of what confidence stated
    const double worst = std::min({out.agreement, out.completeness, out.freshness, out.clarity, out.calm, earned});
    const double mean = 0.30 * out.agreement + 0.20 * out.completeness + 0.15 * out.freshness + 0.15 * out.clarity + 0.10 * out.calm +
                        0.10 * earned;
    out.quality_score = 0.5 * (mean + worst);
    out.quality = out.quality_score >= 0.80   ? Quality::excellent
                  : out.quality_score >= 0.65 ? Quality::good
                  : out.quality_score >= 0.45 ? Quality::fair
                                              : Quality::poor;
}

double overall(const Decision& d, double cost_bps) noexcept {
    const double edge = d.risk.edge_bps, cost = not_below(cost_bps, 0);
    const double left = edge > 0 ? edge / (edge + cost) : 0;
    return 0.3 * d.confidence + 0.2 * d.quality_score + 0.2 * d.clarity + 0.15 * safe(d.risk.level) + 0.15 * left;
}

}  // namespace smartcore::decide
