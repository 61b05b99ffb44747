#include "decide/scorecard.hpp"

#include <algorithm>
#include <cmath>

#include "base/number.hpp"
#include "decide/execution.hpp"

namespace smartcore::decide {
namespace {

constexpr double kNoSkill = 0.5;
constexpr double kLeast = 0.02;   // least slope and least multiplier: with none there would be no direction left by which to recover
constexpr double kMost = 3;
constexpr double kEdge = 0.05;    // over a coin flip, of a source that is worth its weight
constexpr double kDoubt = 0.5;    // standard deviation of the slope before any outcome
constexpr double kPace = 0.05;   // by how much one slippage moves the log of the tolerance, one bar the log-odds of a switch
constexpr double kAlarm = 0.01;   // p-value below which breaches are too many: it is looked at again and again

double half_life(const Scorecard& card) noexcept { return card.half_life > 0 ? card.half_life : kHalfLife; }

void fade(Tally& t, double by) noexcept {
    t.count *= by, t.moves *= by, t.hits *= by, t.stated *= by, t.brier *= by;
}

void fade(Bins& b, double by) noexcept {
    for (std::size_t i = 0; i < kBins; ++i) b.moves[i] *= by, b.hits[i] *= by, b.stated[i] *= by;
}

void put(Bins& b, double confidence, bool hit, double weight) noexcept {
    std::size_t i = kBins - 1;
    while (i > 0 && confidence < kEdges[i]) --i;
    b.moves[i] += weight, b.stated[i] += weight * confidence;
    if (hit) b.hits[i] += weight;
}

double square(double x) noexcept { return x * x; }

bool distribution(const double (&p)[3]) noexcept {
    return p[0] >= 0 && p[1] >= 0 && p[2] >= 0 && std::fabs(p[0] + p[1] + p[2] - 1) < 1e-3;
}

// One call in one tally; what came before fades first.
void tell(Tally& t, const double (&p)[3], int outcome, double weight, double by) noexcept {
    fade(t, by);
    t.count += weight;
    t.brier += weight * (square(p[0] - (outcome < 0)) + square(p[1] - (outcome == 0)) + square(p[2] - (outcome > 0)));
    if (outcome == 0 || p[2] == p[0]) return;
    t.moves += weight;
    t.stated += weight * (std::max(p[2], p[0]) / (p[2] + p[0]));
    if ((p[2] > p[0]) == (outcome > 0)) t.hits += weight;
}

// The part of this call's horizon that no earlier call covered, 0 to 1.
double news(std::int64_t& seen, std::int64_t ts, std::int64_t horizon_ns) noexcept {
    double part = 1;
    if (seen != 0 && horizon_ns > 0) part = static_cast<double>(ts - seen) / static_cast<double>(horizon_ns);
    if (!(part > 0)) return 0;
    seen = ts;
    return std::min(1.0, part);
}

// The factor on log-odds under which past confidences would have been right: logistic regression through the origin, for a
// direction and its opposite are the same call, with a normal belief around 1. On bins, so it costs the same at any length.
double fit(const Bins& b) noexcept {
    double x[kBins], slope = 1;
    for (std::size_t i = 0; i < kBins; ++i) {
        const double p = b.moves[i] > 0 ? std::clamp(b.stated[i] / b.moves[i], 0.5, 1 - 1e-6) : 0.5;
        x[i] = std::log(p / (1 - p));
    }
    for (int round = 0; round < 8; ++round) {  // convex and nearly quadratic: three would do
        double gradient = (slope - 1) / square(kDoubt), curve = 1 / square(kDoubt);
        for (std::size_t i = 0; i < kBins; ++i) {
            const double p = 1 / (1 + std::exp(-slope * x[i]));
            gradient += x[i] * (b.moves[i] * p - b.hits[i]);
            curve += square(x[i]) * b.moves[i] * p * (1 - p);
        }
        slope = std::clamp(slope - gradient / curve, kLeast, kMost);
    }
    return slope;
}

double xlogy(double x, double y) noexcept { return x > 0 ? x * std::log(y) : 0; }

// Quantile of the standard normal, 0 < p < 1: Abramowitz and Stegun 26.2.23, off by 4.5e-4 at most, which is plenty here.
double normal_quantile(double p) noexcept {
    const double t = std::sqrt(-2 * std::log(p < 0.5 ? p : 1 - p));
    const double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    return p < 0.5 ? -z : z;
}

// What VaR would have to be multiplied by for its rate of breaches to be the stated one, were returns normal. One breach
// is believed beforehand for as many calls as should have one.
double too_small(Breaches b, double level) noexcept {
    b.breaches = b.narrow;
    if (!(b.count > 0) || b.breaches <= level * b.count || !(kupiec(b, level) < kAlarm)) return 1;
    const double rate = (b.breaches + 1) / (b.count + 1 / level);
    if (rate >= 0.45) return 3;
    return std::clamp(normal_quantile(1 - level) / normal_quantile(1 - rate), 1.0, 3.0);
}

void count(Breaches& b, double level, bool breach, bool narrow, std::int64_t until) noexcept {
    b.count += 1, b.breaches += breach, b.narrow += narrow;
    if (b.seen) b.pairs[2 * b.last + breach] += 1;
    b.last = breach, b.seen = 1, b.until = until;
    b.kupiec = kupiec(b, level), b.christoffersen = christoffersen(b);
}

}  // namespace

// ---- learning ----

void update(Scorecard& card, std::size_t source, const double (&forecast)[3], int outcome, double weight) noexcept {
    if (source > kSources || !distribution(forecast) || !(weight > 0)) return;
    const double by = std::exp2(-weight / half_life(card));
    tell(card.by_source[source], forecast, outcome, weight, by);
    if (source != kSources) return;
    fade(card.fused, by);
    if (outcome != 0 && forecast[2] != forecast[0])
        put(card.fused, std::max(forecast[2], forecast[0]) / (forecast[2] + forecast[0]), (forecast[2] > forecast[0]) == (outcome > 0), weight);
}

void observe(Scorecard& card, const Decision& d, int outcome, double move, std::int64_t horizon_ns, std::size_t horizon) noexcept {
    if (horizon >= kHorizons || !distribution(d.probabilities) || !known(move)) return;
    const double weight = news(card.seen[horizon], d.ts, horizon_ns);
    if (!(weight > 0)) return;
    const double by = std::exp2(-weight / half_life(card));
    tell(card.by_horizon[horizon], d.probabilities, outcome, weight, by);
    if (horizon != 0) return;

    update(card, kSources, d.probabilities, outcome, weight);
    tell(card.by_regime[std::min(static_cast<std::size_t>(d.regime.name), kRegimes)], d.probabilities, outcome, weight, by);
    fade(card.raw, by);
    if (outcome != 0 && d.probabilities[2] != d.probabilities[0] && d.raw_confidence >= 0.5 && d.raw_confidence <= 1)
        put(card.raw, d.raw_confidence, (d.score > 0) == (outcome > 0), weight);
    card.slope = fit(card.raw);

    // What a source said itself is its part without its weight and without recalibration: in the linear pool; of the other ways of
    // voting only the direction is its own. The probability of a move of a single source is not in the decision; the fused one
    // stands in for it.
    const double p_move = 1 - d.probabilities[1];
    const double shrunk = 2 * d.confidence - 1, said = 2 * d.raw_confidence - 1;
    const double undo = shrunk > 0 && said > 0 ? said / shrunk : 1;
    for (std::size_t s = 0; s < kSources; ++s) {
        card.added[s] *= by;
        const double part = d.contributions[s], share = d.weights[s];
        if (!known(part) || !(share > 0)) continue;
        card.added[s] += weight * part * (move * 1e4);
        const double tilt = std::clamp(undo * part / share, -p_move, p_move);
        const double own[3] = {(p_move - tilt) / 2, d.probabilities[1], (p_move + tilt) / 2};
        update(card, s, own, outcome, weight);
    }
    ++card.calls;
}

void loss(Scorecard& card, const Decision& d, double change, std::int64_t horizon_ns) noexcept {
    if (!known(change)) return;
    const double sign = d.score < 0 ? 1 : -1, widened = std::max(1.0, d.track.caution);
    const auto tell = [&](Breaches& b, double level, double var) {
        if (!known(var) || d.ts < b.until) return;
        const bool breach = sign * change > var;
        // It is the log of the move that was multiplied.
        const bool narrow = breach || sign * std::log1p(change) > sign * std::log1p(sign * var) / widened;
        count(b, level, breach, narrow, d.ts + horizon_ns);
    };
    tell(card.var_95, 0.05, d.risk.var_95);
    tell(card.var_99, 0.01, d.risk.var_99);
    card.caution = std::max(too_small(card.var_95, 0.05), too_small(card.var_99, 0.01));
}

void slippage(Scorecard& card, const Execution& said, double bps) noexcept {
    if (!known(bps) || !known(said.slippage_bps) || !known(said.slippage_tolerance_bps)) return;
    const double by = std::exp2(-1 / half_life(card)), error = bps - slice_slippage(said);
    card.slippage_count = card.slippage_count * by + 1;
    card.slippage_covered = card.slippage_covered * by + (bps <= said.slippage_tolerance_bps);
    card.slippage_error = card.slippage_error * by + error;
    card.slippage_error2 = card.slippage_error2 * by + error * error;
    // Adaptive conformal inference (Gibbs and Candes 2021): each miss widens, each cover narrows, so that over time their shares
    // are as stated whatever the distribution.
    if (known(said.quantile))
        card.slippage_scale = std::clamp(card.slippage_scale + kPace * ((bps > said.slippage_tolerance_bps) - (1 - said.quantile)), -3.0, 3.0);
}

void regime(Scorecard& card, const Regime& before, const Regime& after) noexcept {
    if (before.name == RegimeName::unknown || after.name == RegimeName::unknown || !known(before.switch_probability)) return;
    const double by = std::exp2(-1 / half_life(card));
    const bool stays = before.name == after.name;
    card.regime_count = card.regime_count * by + 1;
    card.regime_brier = card.regime_brier * by + square(before.switch_probability - !stays);
    card.regime_shift = std::clamp(card.regime_shift + kPace * (!stays - before.switch_probability), -8.0, 8.0);
    card.regime_stays = card.regime_stays * by + stays;
    card.regime_said = card.regime_said * by + (1 - before.switch_probability);
}

// ---- what decide() asks ----

double trust(const Tally& t) noexcept { return t.moves / (t.moves + kPrior); }
double hit_rate(const Tally& t) noexcept { return t.moves > 1e-12 ? t.hits / t.moves : kNoSkill; }
double stated(const Tally& t) noexcept { return t.moves > 1e-12 ? t.stated / t.moves : kNoSkill; }

double multiplier(const Tally& t) noexcept {
    const double edge = std::max(0.0, hit_rate(t) - kNoSkill) / kEdge;
    return std::max(kLeast, 1 + trust(t) * (std::min(kMost, edge * edge) - 1));
}

void weights(const Scorecard& card, const double (&base)[kSources], double (&out)[kSources]) noexcept {
    double before = 0, after = 0;
    for (std::size_t s = 0; s < kSources; ++s) {
        out[s] = base[s] * multiplier(card.by_source[s]);
        before += base[s], after += out[s];
    }
    for (std::size_t s = 0; s < kSources; ++s) out[s] = after > 0 ? out[s] * before / after : base[s];
}

double vote_reliability(const Tally& t, double prior) noexcept {
    return std::max(0.01, prior + trust(t) * (2 * hit_rate(t) - 1 - prior));
}

double reliability(const Tally& t, double prior) noexcept {
    const double claimed = stated(t) - kNoSkill;
    const double earned = claimed <= 1e-9 ? prior : std::clamp((hit_rate(t) - kNoSkill) / claimed, 0.0, 1.0);
    return prior + trust(t) * (earned - prior);
}

double boast(const Tally& t) noexcept { return trust(t) * (stated(t) - hit_rate(t)); }

double calibrated(const Scorecard& card, double confidence) noexcept {
    if (!(card.slope > 0) || !(confidence > 0.5 && confidence < 1)) return confidence;
    return 1 / (1 + std::exp(card.slope * std::log((1 - confidence) / confidence)));
}

double switching(const Scorecard& card, double probability) noexcept {
    if (card.regime_shift == 0 || !(probability > 0 && probability < 1)) return probability;
    return 1 / (1 + std::exp(-card.regime_shift) * (1 - probability) / probability);
}

double caution(const Scorecard& card) noexcept { return std::max(1.0, card.caution); }

void track(const Scorecard& card, double prior, Track& out) noexcept {
    const Tally& t = fused(card);
    const bool any = t.count > 1e-12, moved = t.moves > 1e-12;
    out.calls = t.count;
    out.hit_rate = moved ? t.hits / t.moves : kNaN;
    out.stated = moved ? t.stated / t.moves : kNaN;
    out.brier = any ? t.brier / t.count : kNaN;
    double off = 0, noise = 0;
    for (std::size_t i = 0; i < kBins; ++i) {
        const double n = card.fused.moves[i];
        if (!(n > 0)) continue;
        const double p = card.fused.stated[i] / n;
        off += std::fabs(card.fused.hits[i] - card.fused.stated[i]);
        noise += std::sqrt(n * p * std::max(0.0, 1 - p));
    }
    // Sum of squares of faded weights over the sum of weights, from the latter: old calls count less, not with less noise.
    const double fades = -std::expm1(-0.6931471805599453 / half_life(card));  // of a call, by the next one
    const double squares = std::max(0.0, 2 - t.count * fades) / (2 - fades);
    constexpr double kMeanOfHalfNormal = 0.7978845608028654;
    out.ece = moved ? off / t.moves : kNaN;
    out.ece_floor = moved ? kMeanOfHalfNormal * noise * std::sqrt(squares) / t.moves : kNaN;
    out.reliability = reliability(t, prior);
    out.slope = card.slope > 0 ? card.slope : 1;
    auto breaches = [](const Breaches& b, double level, double& found, double& expected, double& p, double& independent) {
        const bool some = b.count > 0;
        found = b.breaches, expected = level * b.count, p = some ? b.kupiec : kNaN, independent = some ? b.christoffersen : kNaN;
    };
    breaches(card.var_95, 0.05, out.var_95_breaches, out.var_95_expected, out.var_95_p, out.var_95_independence_p);
    breaches(card.var_99, 0.01, out.var_99_breaches, out.var_99_expected, out.var_99_p, out.var_99_independence_p);
    out.caution = caution(card);
    out.slippage_calls = card.slippage_count;
    out.slippage_coverage = card.slippage_count > 0 ? card.slippage_covered / card.slippage_count : kNaN;
    out.regime_calls = card.regime_count;
    out.regime_brier = card.regime_count > 0 ? card.regime_brier / card.regime_count : kNaN;
}

// ---- tests of breaches ----

double chi2_tail(double statistic) noexcept { return statistic > 0 ? std::erfc(std::sqrt(statistic / 2)) : 1; }

double kupiec(const Breaches& b, double level) noexcept {
    if (!(b.count > 0)) return kNaN;
    const double n = b.count, x = b.breaches, rate = x / n;
    return chi2_tail(2 * (xlogy(x, rate / level) + xlogy(n - x, (1 - rate) / (1 - level))));
}

double christoffersen(const Breaches& b) noexcept {
    const double stay = b.pairs[0], in = b.pairs[1], out = b.pairs[2], again = b.pairs[3];
    const double calm = stay + in, after = out + again, all = calm + after;
    if (!(all > 0)) return kNaN;
    const double rate = (in + again) / all;
    return chi2_tail(2 * (xlogy(stay, stay / calm / (1 - rate)) + xlogy(in, in / calm / rate) +
                          xlogy(out, out / after / (1 - rate)) + xlogy(again, again / after / rate)));
}

}  // namespace smartcore::decide
