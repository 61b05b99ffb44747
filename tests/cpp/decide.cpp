// decide() on anything: whatever doubles the market, a model, the account or the record deliver, the answer is a valid record, the same
// twice, and its parts add up exactly. Under the sanitizers it is also free of undefined casts and reads.
#include "decide/decide.hpp"

#include <cstring>
#include <iterator>
#include <random>
#include <utility>

#include "check.hpp"

using namespace smartcore;
using namespace smartcore::decide;

namespace {

constexpr int kWidth = 160;

struct Any {
    std::mt19937_64 bits{7};

    std::uint64_t below(std::uint64_t n) { return bits() % n; }
    double part() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    // Now and then any bits at all, else something near what is meant.
    double number(double near) {
        static constexpr double odd[] = {kNaN, -kNaN, kInf, -kInf, 0, -0.0, 1e308, -1e308, 5e-324, 1e300, -1, 1e-300};
        switch (below(20)) {
            case 0: return std::bit_cast<double>(bits());
            case 1: return odd[below(std::size(odd))];
            default: return near * (0.5 + part());
        }
    }
    double from(double low, double high) { return low + part() * (high - low); }
    template <class T>
    void fill(T& record) {  // any numbers in a record of doubles
        unsigned char* at = reinterpret_cast<unsigned char*>(&record);
        for (std::size_t i = 0; i + sizeof(double) <= sizeof record; i += sizeof(double)) {
            const double x = number(1);
            std::memcpy(at + i, &x, sizeof x);
        }
    }
};

// Within the ranges that smartcore.Policy checks.
Policy policy_of(Any& any) {
    Policy p{};
    double total = 0;
    for (double& w : p.weights) total += w = any.below(4) ? any.part() : 0;
    for (double& w : p.weights) w = total > 0 ? w / total : 0.25;
    p.min_confidence = any.from(0.5, 0.7), p.strong_confidence = any.from(0.7, 1), p.volatile_raise = any.from(0, 0.5);
    p.threshold_low = any.from(0.5, p.min_confidence), p.threshold_high = any.from(p.min_confidence, 1);
    p.min_quality = any.from(0, 0.6), p.min_weight = any.part(), p.min_edge_bps = any.from(-1e4, 10), p.vote_edge = any.from(0, 0.5);
    p.max_age_s = any.from(0, 100), p.max_scores_age_s = any.from(0, 100);
    p.max_latency_ms = any.below(2) ? kInf : any.from(0, 100), p.max_spread_bps = any.from(0, 1e4);
    p.max_clock_skew_s = any.from(0, 10), p.max_frozen_s = any.from(0, 1e3), p.max_silence = any.from(0, 1e3);
    p.max_duplicates = any.part(), p.max_jump = any.from(0, 20), p.max_outlier = any.from(0, 20), p.max_novelty = any.from(0, 5);
    p.max_drift = any.from(0, 5), p.max_turbulence = any.from(0, 10);
    p.min_health = any.from(0, 100), p.horizon = std::exp2(any.from(-20, 20));
    p.stop_sigmas = any.from(0.01, 100), p.target_sigmas = any.from(0.01, 100);
    p.kelly_multiplier = any.part(), p.shrinkage = any.part(), p.max_position = any.from(0, 1000), p.max_drawdown = any.from(1e-6, 1);
    p.drawdown_share = any.part(), p.max_var = any.from(1e-6, 1);
    p.max_correlated = any.below(2) ? kInf : any.from(0, 1000), p.target_volatility = any.below(2) ? kInf : any.from(1e-6, 10);
    p.max_contracts = std::exp2(any.from(-10, 40)), p.fee_bps = any.from(-100, 1e4), p.spread_bps = any.from(0, 1e4);
    p.slippage_quantile = any.from(0.5, 0.9999), p.half_life = std::exp2(any.from(-30, 40));
    p.participation = any.from(1e-6, 1), p.risk_aversion = std::exp2(any.from(-20, 30)), p.impact = any.from(0, 100);
    p.min_votes = static_cast<std::int32_t>(1 + any.below(12)), p.max_slices = static_cast<std::int32_t>(1 + any.below(1000));
    p.uncalibrated = static_cast<std::uint8_t>(any.below(4)), p.regimes = static_cast<std::uint8_t>(any.bits());
    p.require_book = any.below(8) == 0, p.voting = static_cast<Voting>(any.below(3));
    return p;
}

Context context_of(Any& any) {
    Context c{};
    any.fill(c);
    c.ts = 1'700'000'000'000'000'000, c.as_of = any.below(8) ? c.ts - static_cast<std::int64_t>(any.below(1'000'000'000)) : static_cast<std::int64_t>(any.bits());
    if (any.below(16) == 0) c.ts = static_cast<std::int64_t>(any.bits());
    c.sequence = 1, c.bar_ns = static_cast<std::int64_t>(1 + (any.bits() >> (1 + any.below(62))));
    c.latency_ns = any.below(3) ? static_cast<std::int64_t>(any.below(10'000'000)) : static_cast<std::int64_t>(any.bits());
    c.price = any.number(100), c.drawdown = any.number(0.05), c.equity = any.number(1e5), c.position = any.number(any.below(2) ? 1 : -1);
    for (double* x : {&c.clock_skew_s, &c.frozen_s, &c.silence, &c.duplicates, &c.health})
        if (any.below(2)) *x = kNaN;
    // What smartcore.Context refuses otherwise.
    c.lot = std::exp2(any.from(-900, 900)), c.multiplier = std::exp2(any.from(-900, 900));
    if (any.below(2)) c.lot = 0.001, c.multiplier = 1;
    c.tick = any.below(2) ? 0 : any.from(0, 1), c.min_size = any.below(2) ? 0 : any.from(0, 1);
    c.book_stale = any.below(16) == 0, c.book_crossed = any.below(16) == 0, c.equity_known = any.below(2) == 0;
    return c;
}

Given given_of(Any& any) {
    Given g{};
    any.fill(g);
    for (auto& triple : g.triple) {
        if (any.below(6) == 0) continue;
        const double down = any.part(), flat = any.from(0, 1 - down);
        triple[0] = down, triple[1] = flat, triple[2] = 1 - down - flat;
        if (any.below(2)) std::swap(triple[0], triple[2]);
    }
    g.age_ns = any.below(8) ? 0 : static_cast<std::int64_t>(any.bits());
    g.calibrated = any.below(4) ? 3 : 0, g.failed = static_cast<std::uint8_t>(any.below(8) ? 0 : any.bits() & 3);
    g.fell_back = g.failed & static_cast<std::uint8_t>(any.bits());
    return g;
}

// What observing calls leaves behind: counts that fit together.
Scorecard card_of(Any& any) {
    Scorecard s{};
    s.half_life = any.from(1, 1e3);
    auto tally = [&](Tally& t) {
        t.count = any.from(0, 300), t.moves = t.count * any.part(), t.hits = t.moves * any.part(), t.stated = t.moves * any.from(0.5, 1);
        t.brier = t.count * any.part();
    };
    for (Tally& t : s.by_source) tally(t);
    for (Tally& t : s.by_regime) tally(t);
    s.slope = any.below(2) ? 0 : any.from(0, 3), s.caution = any.below(2) ? 0 : any.from(1, 3), s.slippage_scale = any.from(-3, 3);
    return s;
}

}  // namespace

CASE(decide_answers_anything) {
    Any any;
    std::int64_t seen[5] = {};
    for (int n = 0; n < 200'000; ++n) {
        double row[kWidth];
        Inputs inputs;
        std::int32_t* at = reinterpret_cast<std::int32_t*>(&inputs);
        for (std::size_t i = 0; i < sizeof inputs / sizeof *at; ++i) at[i] = any.below(10) ? static_cast<std::int32_t>(i) : -1;
        static_assert(sizeof inputs / sizeof(std::int32_t) <= kWidth);
        for (double& x : row) x = any.number(1);
        for (std::size_t i = 0; i < std::size(kRiskColumns); ++i)
            if (inputs.risk[i] >= 0) row[inputs.risk[i]] = any.number(i == 0 ? 5e-4 : 1e-3);
        if (any.below(2))  // a clear regime
            for (std::size_t i = 0; i < kRegimes; ++i)
                if (inputs.regime[i] >= 0) row[inputs.regime[i]] = i == 0 ? 0.9 : 0.01;
        const Policy policy = policy_of(any);
        const Context context = context_of(any);
        const Given given = given_of(any);
        const Scorecard card = card_of(any);
        const Scorecard* record = any.below(3) ? &card : nullptr;

        Decision d, again;
        std::memset(static_cast<void*>(&d), 0xFF, sizeof d), std::memset(static_cast<void*>(&again), 0x55, sizeof again);
        decide::decide(row, inputs, given, record, policy, context, d);
        decide::decide(row, inputs, given, record, policy, context, again);
        CHECK(std::memcmp(&d, &again, sizeof d) == 0);

        double sum = 0, back = 0, total = 0;
        for (std::size_t s = 0; s < kSources; ++s) {
            if (known(d.contributions[s])) sum += d.contributions[s], total += d.weights[s];
            if (known(d.contributions[kSources - 1 - s])) back += d.contributions[kSources - 1 - s];
        }
        CHECK(sum == d.score && back == d.score && std::fabs(d.score) <= 1);
        CHECK(total == 0 || std::fabs(total - 1) < 1e-12);
        for (const double x : {d.confidence, d.raw_confidence, d.quality_score, d.overall, d.threshold, d.clarity, d.freshness})
            CHECK(x >= 0 && x <= 1);
        if (known(d.probabilities[0])) {
            const double all = d.probabilities[0] + d.probabilities[1] + d.probabilities[2];
            CHECK(std::fabs(all - 1) < 1e-9 && d.probabilities[0] >= 0 && d.probabilities[1] >= 0 && d.probabilities[2] >= 0);
        }
        CHECK(d.count >= 8 && d.count <= kGates);
        for (std::uint32_t i = 0; i < d.count; ++i) {
            const Reason& r = d.reasons[i];
            CHECK(i == 0 || d.reasons[i - 1].gate < r.gate);
            CHECK(!known(r.margin) || r.margin == 0 || (r.margin > 0) == (r.passed != 0));
            for (const double x : {r.value, r.limit, r.margin, r.a, r.b}) CHECK(!std::isinf(x));
        }
        CHECK(d.signal <= Signal::strong_sell && d.regime.name <= RegimeName::unknown && d.regime.trend <= Trend::unknown);
        CHECK(d.risk.size >= 0 && d.risk.level <= RiskLevel::unknown && d.risk.bound <= Bound::reduce_only);
        CHECK(d.execution.slices >= 1 && d.execution.method <= EntryMethod::none);
        const double* costs = &d.execution.expected_cost_bps;
        for (std::size_t i = 0; i < offsetof(Execution, slices) / sizeof(double); ++i) CHECK(!std::isinf(costs[i]));
        const double* losses = &d.risk.var_95;
        for (std::size_t i = 0; i < offsetof(Risk, bound) / sizeof(double); ++i) CHECK(!std::isinf(losses[i]));
        CHECK((d.signal == Signal::hold) == (d.execution.method == EntryMethod::none));
        if (d.signal == Signal::hold) CHECK(d.risk.size == 0);
        if (d.mode == Mode::hold_only) CHECK(d.signal == Signal::hold);
        ++seen[static_cast<std::size_t>(d.signal)];
    }
    for (const std::int64_t count : seen) CHECK(count > 0);
}
