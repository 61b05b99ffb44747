#include "decide/decide.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#include "decide/execution.hpp"
#include "decide/quality.hpp"
#include "decide/regime.hpp"
#include "decide/risk.hpp"
#include "decide/signal.hpp"

namespace smartcore::decide {
namespace {

constexpr Scorecard kNoRecord{};

// What a failed gate does: nothing is allowed, only trades that shrink the position are, or this decision is HOLD.
enum class Kind : std::uint8_t { hold, reduce, block };
constexpr Kind kind(Gate gate) noexcept {
    switch (gate) {
        case Gate::data_age:
        case Gate::clock:
        case Gate::book_fresh:
        case Gate::book_uncrossed:
        case Gate::feed:
        case Gate::price: return Kind::hold;
        case Gate::health:
        case Gate::model:
        case Gate::novelty:
        case Gate::anomaly:
        case Gate::risk_known:
        case Gate::equity:
        case Gate::drawdown: return Kind::reduce;
        default: return Kind::block;
    }
}

// The gates asked so far.
struct Gates {
    Decision& to;
    bool failed[3] = {};  // by kind

    Reason& ask(Gate gate, bool passed, double value, double limit, double margin, Note note = Note::none) noexcept {
        Reason& r = to.reasons[to.count++];
        r.value = value, r.limit = limit, r.margin = margin;
        r.note = note, r.gate = gate, r.passed = passed;
        if (!passed) failed[static_cast<std::size_t>(kind(gate))] = true;
        return r;
    }
    Reason& fact(Gate gate, bool passed, Note note = Note::none) noexcept {
        return ask(gate, passed, passed, 1, passed ? 0 : -1, passed ? Note::none : note);
    }
    Reason& at_most(Gate gate, double value, double limit, Note note = Note::none) noexcept {
        return ask(gate, value <= limit, value, limit, limit - value, note);
    }
    Reason& at_least(Gate gate, double value, double limit, Note note = Note::none) noexcept {
        return ask(gate, value >= limit, value, limit, value - limit, note);
    }
};

// A margin whose sign cannot disagree with the verdict, where rounding or a second condition had a say.
double agreed(double margin, bool passed) noexcept { return passed ? not_below(margin, 0) : not_above(margin, 0); }

// One NaN for all: the sign that a machine gives its own would make equal decisions differ. `bytes`: of the doubles in front.
template <class Part>
void tidy(Part& part, std::size_t bytes) noexcept {
    unsigned char* at = reinterpret_cast<unsigned char*>(&part);
    for (unsigned char* end = at + bytes; at != end; at += sizeof kNaN) {
        double x;
        std::memcpy(&x, at, sizeof x);
        if (!known(x)) std::memcpy(at, &kNaN, sizeof kNaN);
    }
}

std::int64_t difference(std::int64_t a, std::int64_t b) noexcept {  // a - b, or the nearest there is
    if (b < 0 && a > INT64_MAX + b) return INT64_MAX;
    if (b > 0 && a < INT64_MIN + b) return INT64_MIN;
    return a - b;
}

// Feed faults that show in the stream alone: the one that is furthest beyond its limit, or nearest to it.
void ask_feed(const Context& context, const Policy& policy, Gates& gates) noexcept {
    // A market of slow bars stands still for several of them now and then.
    const double bars = 10e-9 * static_cast<double>(context.bar_ns);
    const struct {
        double value, limit;
        Note note;
    } faults[] = {{context.silence, policy.max_silence, Note::gap},
                  {context.frozen_s, not_below(policy.max_frozen_s, bars), Note::frozen},
                  {context.duplicates, policy.max_duplicates, Note::duplicate}};
    double worst = -1;
    Reason said{};
    for (const auto& [value, limit, note] : faults) {
        if (!(value >= 0)) continue;  // not known
        const double use = limit > 0 ? value / limit : value > 0 ? kInf : 0;
        if (use > worst) worst = use, said.value = not_above(value, kHuge), said.limit = limit, said.note = note;
    }
    if (worst < 0) return;
    gates.at_most(Gate::feed, said.value, said.limit, said.note);
}

// Is what we know fresh and sound? `age`: of the data, seconds.
void ask_data(double age, double spread, const Context& context, const Policy& policy, Gates& gates) noexcept {
    if (age < 0) gates.ask(Gate::data_age, false, age, policy.max_age_s, age, Note::from_the_future);
    else gates.at_most(Gate::data_age, age, policy.max_age_s);
    if (const double skew = context.clock_skew_s; known(skew) && std::fabs(skew) < kHuge)
        gates.at_most(Gate::clock, skew, policy.max_clock_skew_s, skew > policy.max_clock_skew_s ? Note::clock_ahead : Note::none).a = skew;
    gates.fact(Gate::book_fresh, !context.book_stale, Note::message_lost);
    gates.fact(Gate::book_uncrossed, !(context.book_crossed || spread < 0));
    ask_feed(context, policy, gates);
    gates.fact(Gate::price, known(gates.to.price), Note::not_a_price);
}

// Moves and prices that no model has learnt from, and changes of the market itself: the one furthest beyond its limit, or nearest.
void ask_anomaly(const double (&values)[std::size(kAnomalyColumns)], const Policy& policy, Gates& gates) noexcept {
    const auto& [jump, outlier, up, down, turbulence, age] = values;
    const double drift = age == 0 ? kCusumLimit : known(up) && known(down) ? not_below(up, down) : kNaN;
    const struct {
        double value, limit;
        Note note;
    } odd[] = {{std::fabs(jump), policy.max_jump, Note::jump},
               {std::fabs(outlier), policy.max_outlier, Note::outlier},
               {drift, policy.max_drift, Note::drift},
               {turbulence, policy.max_turbulence, Note::turbulence}};
    double worst = -1;
    Reason said{};
    for (const auto& [value, limit, note] : odd) {
        if (!known(value)) continue;
        const double use = limit > 0 ? value / limit : value > 0 ? kInf : 0;
        if (use > worst) worst = use, said.value = value, said.limit = limit, said.note = note;
    }
    if (worst >= 0) gates.at_most(Gate::anomaly, said.value, said.limit, said.note).a = said.value;
}

void ask_models(const Fusion& fusion, const Given& given, double age, bool stale, Gates& gates) noexcept {
    bool said = false;
    for (const auto& triple : given.triple) said = said || known(triple[0]);
    Note note = given.failed ? Note::failed_model : Note::none;
    std::uint32_t bits = given.failed;
    if (fusion.models && given.fell_back) note = Note::fell_back, bits = given.fell_back;
    if (!fusion.models && !given.failed) note = stale && said ? Note::old_scores : Note::no_scores;
    Reason& r = gates.at_least(Gate::model, fusion.models, 1, note);
    r.bits = bits;
    if (note == Note::old_scores) r.a = age;

    const double strangers = std::popcount(fusion.uncalibrated);
    gates.at_most(Gate::calibrated, strangers, 0, strangers > 0 ? Note::uncalibrated : Note::none).bits = fusion.uncalibrated;
}

// Outcomes move what is asked of confidence, between bounds; a wild market adds to it.
void ask_confidence(double confidence, int side, const Scorecard* card, const Policy& policy, Gates& gates) noexcept {
    double limit = policy.min_confidence;
    Reason raised{};
    if (card) {
        const double moved = not_below(not_above(limit + boast(fused(*card)), policy.threshold_high), policy.threshold_low);
        if (moved != limit) raised.b = moved - limit, raised.bits |= moved > limit ? 2 : 4;
        limit = moved;
    }
    if (gates.to.regime.volatility == Volatility::high && policy.volatile_raise > 0) limit += raised.a = policy.volatile_raise, raised.bits |= 1;
    limit = not_above(limit, 1);
    gates.to.threshold = limit;
    const bool sure = confidence >= limit && side != 0;
    Reason& asked = gates.ask(Gate::confidence, sure, confidence, limit, agreed(confidence - limit, sure), raised.bits ? Note::raised : Note::none);
    asked.a = raised.a, asked.b = raised.b, asked.bits = raised.bits;
}

}  // namespace

void decide(const double* row, const Inputs& inputs, const Given& given, const Scorecard* card, const Policy& policy,
            const Context& context, Decision& out) noexcept {
    double technicals[std::size(kTechnical)], structure[std::size(kSmartMoney)], regimes[std::size(kRegimeColumns)],
        risks[std::size(kRiskColumns)], book[std::size(kBookColumns)], anomalies[std::size(kAnomalyColumns)];
    Inputs::read(row, inputs.technical, kTechnical, technicals);
    Inputs::read(row, inputs.smart_money, kSmartMoney, structure);
    Inputs::read(row, inputs.regime, kRegimeColumns, regimes);
    Inputs::read(row, inputs.risk, kRiskColumns, risks);
    Inputs::read(row, inputs.book, kBookColumns, book);
    Inputs::read(row, inputs.anomaly, kAnomalyColumns, anomalies);
    const double sigma = risks[0], spread = book[0], price = context.price;

    out = {};
    Gates gates{out};
    out.ts = context.ts, out.as_of = context.as_of, out.sequence = context.sequence;
    out.age_ns = difference(context.ts, context.as_of);
    out.latency_ns = context.latency_ns < 0 ? -1 : context.latency_ns;
    const bool priced = price > 0 && price < kHuge;
    out.price = priced ? price : kNaN;

    const double age = static_cast<double>(out.age_ns) * 1e-9;
    ask_data(age, spread, context, policy, gates);
    const double aged = gates.failed[static_cast<std::size_t>(Kind::hold)] ? policy.max_age_s : age;
    if (context.health >= 0 && context.health <= 100) gates.at_least(Gate::health, context.health, policy.min_health);

    Regime& regime = out.regime;
    read_regime(regimes, spread, policy, regime);
    if (card && regime.name != RegimeName::unknown) regime.switch_probability = switching(*card, regime.switch_probability);

    // Sources: who spoke, and may they be believed?
    const double scores_age = static_cast<double>(given.age_ns) * 1e-9;
    const bool stale = !(scores_age >= 0 && scores_age <= policy.max_scores_age_s);
    const double* chances = regime.probabilities;
    double votes[kSources - kModels] = {given.vote[0], given.vote[1]};
    if (!known(votes[0])) votes[0] = smart_money(structure, policy.min_votes);
    if (!known(votes[1])) votes[1] = technical(technicals, sigma, chances[0] + chances[1] + chances[2], policy.min_votes);
    Fusion fusion;
    fuse(given, votes, card, policy, stale, fusion);
    ask_models(fusion, given, scores_age, stale, gates);
    const bool enough = fusion.completeness >= policy.min_weight - 1e-12;
    gates.ask(Gate::sources, enough, fusion.completeness, policy.min_weight, agreed(fusion.completeness - policy.min_weight, enough),
              fusion.missing ? Note::missing_sources : Note::none).bits = fusion.missing;
    if (given.novelty >= 0) gates.at_most(Gate::novelty, not_above(given.novelty, kHuge), policy.max_novelty);
    ask_anomaly(anomalies, policy, gates);

    const double confidence = fusion.confidence, score = fusion.score;
    const int side = (score > 0) - (score < 0);
    out.confidence = confidence, out.raw_confidence = fusion.raw_confidence, out.score = score;
    for (std::size_t s = 0; s < kSources; ++s) out.contributions[s] = fusion.contributions[s], out.weights[s] = fusion.weights[s];
    for (std::size_t i = 0; i < 3; ++i) out.probabilities[i] = fusion.probabilities[i];

    // Risk: may we lose what this could cost?
    const double widened = card ? caution(*card) : 1;
    for (std::size_t i = 1; i < std::size(kRiskColumns); ++i) risks[i] *= widened;
    std::uint32_t unknown = 0;
    for (std::size_t i = 0; i < std::size(kRiskColumns); ++i) {
        const bool other = i > 0 && (i > 4) != (side < 0);  // of the side not leant to
        if (!other && !known(risks[i])) unknown |= 1u << i;
    }
    gates.at_most(Gate::risk_known, std::popcount(unknown), 0, unknown ? Note::unknown_columns : Note::none).bits = unknown;
    if (context.equity_known) {
        const double equity = context.equity;
        const bool good = equity > 0 && equity < kHuge;
        const double number = good || (equity > -kHuge && equity <= 0) ? equity : kNaN;
        gates.ask(Gate::equity, good, number, 0, number);
    }
    const double drawdown = context.drawdown, budget = policy.max_drawdown;
    const double number = drawdown >= 0 && drawdown < kHuge ? drawdown : kNaN;
    gates.ask(Gate::drawdown, number < budget, number, budget, budget - number);

    // Costs.
    double spread_bps = not_below(spread, 0);
    if (known(spread)) {
        gates.at_most(Gate::spread, spread, policy.max_spread_bps);
    } else {
        const double tick = priced ? 1e4 * context.tick / price : 0;
        const double assumed = not_below(policy.spread_bps, tick);
        spread_bps = assumed >= 0 && assumed < 1e4 ? assumed : policy.spread_bps;
        gates.ask(Gate::spread, !policy.require_book, kNaN, policy.max_spread_bps, kNaN, Note::assumed_spread).a = spread_bps;
    }
    if (policy.max_latency_ms < kInf && out.latency_ns >= 0)
        gates.at_most(Gate::latency, static_cast<double>(out.latency_ns) * 1e-6, policy.max_latency_ms);
    const double fee_bps = context.fee_bps > -1e4 && context.fee_bps < 1e4 ? context.fee_bps : policy.fee_bps;
    double cost_bps = 2 * fee_bps + spread_bps;  // in and out, each half a spread

    // Signal: is it good enough?
    const auto bit = 1u << static_cast<unsigned>(regime.name);
    const bool permitted = (policy.regimes & bit) != 0;
    gates.fact(Gate::regime, permitted, Note::forbidden_regime).bits = permitted ? 0 : static_cast<std::uint32_t>(regime.name);
    track(card ? *card : kNoRecord, policy.shrinkage, out.track);
    judge(fusion, aged, policy, out);
    gates.at_least(Gate::quality, out.quality_score, policy.min_quality);

    ask_confidence(confidence, side, card, policy, gates);

    const double confident = not_below(confidence, 0.5);
    const Bet bet{side, confident, believe(confident, out.track.reliability, fused(card ? *card : kNoRecord)),
                  fusion.models ? fusion.probabilities[0] + fusion.probabilities[2] : 0, !fusion.uncalibrated};
    Risk& risk = out.risk;
    assess_slipping(risks, bet, spread_bps, book, context, policy, cost_bps, risk);
    const double edge = risk.edge_bps;
    if (known(edge)) gates.at_least(Gate::edge, edge, policy.min_edge_bps, Note::costs).a = cost_bps;

    // Permission.
    const bool stopped = gates.failed[0], reducing = gates.failed[1], blocked = gates.failed[2];
    bool allowed = !(stopped || blocked), refused = false;
    out.mode = stopped ? Mode::hold_only : reducing ? Mode::reduce_only : Mode::normal;
    if (out.mode == Mode::reduce_only) {
        const double held = context.position * side;
        const bool shrinks = held < 0 && held > -kHuge;
        const double position = held > -kHuge && held < kHuge ? held : kNaN;
        gates.ask(Gate::reduce_only, shrinks, position, 0, 0 - position);
        allowed = allowed && shrinks;
        if (allowed) close(context, risk);
    } else if (allowed) {
        bool some = risk.size > 0;
        if (known(risk.contracts)) {
            const double least = not_below(context.min_size, context.lot);
            some = some && risk.contracts > 0;
            gates.ask(Gate::size, some, risk.contracts, least, agreed(risk.contracts - least, some), Note::in_contracts);
        } else {
            gates.ask(Gate::size, some, risk.size, 0, risk.size, Note::of_equity);
        }
        out.reasons[out.count - 1].a = widened > 1 ? widened : 0;
        out.reasons[out.count - 1].bits = static_cast<std::uint32_t>(risk.bound);
        allowed = some, refused = true;
    }
    if (!allowed) withhold(refused, risk);

    const bool strong = allowed && confidence >= policy.strong_confidence && out.quality <= Quality::good;
    out.signal = !allowed   ? Signal::hold
                 : side > 0 ? (strong ? Signal::strong_buy : Signal::buy)
                            : (strong ? Signal::strong_sell : Signal::sell);
    advise(side, allowed, strong, sigma, spread_bps, fee_bps, card ? card->slippage_scale : 0, book, risk, regime, context, policy, out.execution);
    out.overall = overall(out, cost_bps);
    tidy(out.risk, offsetof(Risk, bound));
    tidy(out.execution, offsetof(Execution, slices));
    tidy(out.track, sizeof out.track);
}

}  // namespace smartcore::decide
