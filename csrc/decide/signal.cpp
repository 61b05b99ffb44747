#include "decide/signal.hpp"

#include <cmath>

namespace smartcore::decide {
namespace {

constexpr double kGrid = 1099511627776.0;  // 2**40
constexpr double kSurest = 1 - 2e-6;       // of a direction: log-odds of more than 14 are nobody's knowledge

double clip(double x, double least, double most) noexcept { return x > most ? most : x < least ? least : x; }

// The mean of (vote, weight), each vote cut off at one; NaN where fewer than `least` are known.
template <std::size_t N>
double mean(const double (&votes)[N][2], int least) noexcept {
    double total = 0, weight = 0;
    int count = 0;
    for (const auto& [vote, w] : votes)
        if (known(vote)) ++count, weight += w, total += w * clip(vote, -1, 1);
    return count >= least ? total / weight : kNaN;
}

// Parts are whole multiples of 2**-40, so that any sum of them, in any order and any language, is exact.
void split(const double (&parts)[kSources], double scale, Fusion& out) noexcept {
    out.score = 0;
    for (std::size_t s = 0; s < kSources; ++s) {
        out.contributions[s] = kNaN;
        if (!known(parts[s])) continue;
        out.contributions[s] = std::nearbyint(scale * parts[s] * kGrid) / kGrid + 0.0;  // no -0: equal numbers, equal bytes
        out.score += out.contributions[s];
    }
}

// Each has its weight for its direction, however sure it is itself; how sure they are is the mean of all.
void count_heads(const double (&weights)[kSources], const double (&tilts)[kSources], double (&parts)[kSources]) noexcept {
    double sure = 0;
    for (std::size_t s = 0; s < kSources; ++s)
        if (known(tilts[s])) sure += weights[s] * std::fabs(tilts[s]);
    for (std::size_t s = 0; s < kSources; ++s)
        if (known(tilts[s])) parts[s] = weights[s] * ((tilts[s] > 0) - (tilts[s] < 0)) * sure;
}

// The logarithmic pool: log-odds of the direction add up by weight. What the sum comes to is shared out by what each put in.
void add_log_odds(const double (&weights)[kSources], const double (&tilts)[kSources], const double (&moves)[kSources], double pooled,
                  double (&parts)[kSources]) noexcept {
    double sum = 0;
    for (std::size_t s = 0; s < kSources; ++s) {
        if (!known(tilts[s])) continue;
        const double lean = moves[s] > 0 ? clip(tilts[s] / moves[s], -kSurest, kSurest) : 0;
        parts[s] = weights[s] * 2 * std::atanh(lean);
        sum += parts[s];
    }
    const double scale = pooled * (sum != 0 ? std::tanh(sum / 2) / sum : 0.5);
    for (double& part : parts) part *= scale;
}

// Scores leave a model as float32: a sum within 1e-3 of 1 is rounding, anything else is no distribution.
bool normal(const double (&triple)[3], double (&to)[3]) noexcept {
    const double total = triple[0] + triple[1] + triple[2];
    if (!(triple[0] >= 0 && triple[1] >= 0 && triple[2] >= 0 && total >= 0.999 && total <= 1.001)) return false;
    for (std::size_t i = 0; i < 3; ++i) to[i] = triple[i] / total;
    return true;
}

}  // namespace

double technical(const double (&values)[std::size(kTechnical)], double sigma, double trending, int min_votes) noexcept {
    const auto& [macd, ema, di, aroon, rsi, bollinger, stochastic, mfi, flow, queue, ofi] = values;
    const double follow = 0.25 + 0.75 * trending, revert = 1 - 0.75 * trending;
    const double votes[][2] = {
        {macd / (0.5 * sigma), follow}, {ema / (4 * sigma), follow}, {di / 30, follow}, {aroon / 100, follow},
        {(50 - rsi) / 30, revert}, {1 - 2 * bollinger, revert}, {(50 - stochastic) / 50, revert}, {(50 - mfi) / 40, revert},
        {flow, 1}, {queue, 1}, {ofi / 3, 1}};  // ofi is in mean queues at the touch
    return mean(votes, min_votes);
}

// Breaks are followed; zones where large orders began, and gaps, are taken to hold; a pool of stops that was traded through is taken
// to have been the move's purpose, and the less so the longer ago; a price low in its range is cheap.
double smart_money(const double (&values)[std::size(kSmartMoney)], int min_votes) noexcept {
    const auto& [minor, major, blocks, below, above, gaps, sweep, sweep_age, range] = values;
    const double votes[][2] = {
        {major, 1}, {minor, 0.5}, {blocks, 0.5}, {1 / (1 + below) - 1 / (1 + above), 0.5}, {gaps, 0.5},
        {-sweep / (1 + 0.1 * sweep_age), 1}, {1 - 2 * range, 0.5}};
    return mean(votes, min_votes);
}

void fuse(const Given& given, const double (&votes)[kSources - kModels], const Scorecard* card, const Policy& policy, bool stale,
          Fusion& out) noexcept {
    double base[kSources];
    for (std::size_t s = 0; s < kSources; ++s) base[s] = policy.weights[s];
    if (card) weights(*card, policy.weights, base);
    double tilts[kSources], moves[kSources];  // of those that spoke
    double total = 0, modelled = 0, moving = 0;
    out = {};
    for (std::size_t s = 0; s < kSources; ++s) {
        out.contributions[s] = out.weights[s] = tilts[s] = moves[s] = kNaN;
        if (!(base[s] > 0)) continue;
        const auto bit = static_cast<std::uint8_t>(1u << s);
        if (s < kModels) {
            double triple[3];
            if (stale || !normal(given.triple[s], triple)) {
                out.missing |= bit;
                continue;
            }
            if (!((given.calibrated | policy.uncalibrated) & bit)) out.uncalibrated |= bit;
            tilts[s] = triple[2] - triple[0], moves[s] = triple[0] + triple[2];
            modelled += base[s], moving += base[s] * moves[s];
            ++out.models;
        } else {
            const double vote = votes[s - kModels];
            if (!(vote >= -1 && vote <= 1)) {
                out.missing |= bit;
                continue;
            }
            const double prior = 2 * policy.vote_edge;
            tilts[s] = vote * (card ? vote_reliability(card->by_source[s], prior) : prior);
        }
        total += base[s];
        out.completeness += policy.weights[s];
    }
    for (double& p : out.probabilities) p = kNaN;
    if (!(total > 0)) return;

    // A vote has no opinion on whether the price moves: it tilts the odds of the direction and leaves P(flat) as the models have it.
    const double pooled = modelled > 0 ? moving / modelled : 1;
    auto confidence = [&] { return 0.5 + 0.5 * (pooled > 0 ? not_above(std::fabs(out.score) / pooled, 1) : 0); };
    double parts[kSources];
    for (std::size_t s = 0; s < kSources; ++s) {
        out.weights[s] = known(tilts[s]) ? base[s] / total : kNaN;
        if (!known(moves[s])) tilts[s] *= pooled, moves[s] = pooled;
        parts[s] = out.weights[s] * tilts[s];
    }
    if (policy.voting == Voting::majority) count_heads(out.weights, tilts, parts);
    if (policy.voting == Voting::stacked) add_log_odds(out.weights, tilts, moves, pooled, parts);
    split(parts, 1, out);
    out.confidence = out.raw_confidence = confidence();
    if (card) {
        // As past calls that were as sure turned out: all parts shrink, or grow, alike.
        const double earned = calibrated(*card, out.raw_confidence);
        if (earned != out.raw_confidence && out.raw_confidence > 0.5) {
            split(parts, (2 * earned - 1) / (2 * out.raw_confidence - 1), out);
            out.confidence = confidence();
        }
    }
    for (std::size_t s = 0; s < kSources; ++s)
        if (out.contributions[s] * out.score > 0) out.agreement += out.weights[s];
    out.completeness = not_above(out.completeness, 1);
    if (modelled > 0) {
        const double half = clip(out.score, -pooled, pooled);
        out.probabilities[0] = (pooled - half) / 2;
        out.probabilities[1] = not_below(1 - pooled, 0);
        out.probabilities[2] = (pooled + half) / 2;
    }
}

}  // namespace smartcore::decide
