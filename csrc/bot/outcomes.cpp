#include "bot/outcomes.hpp"

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "base/number.hpp"
#include "decide/walk.hpp"

namespace smartcore {

using namespace decide;

namespace {

// Of times that are added up: so long that none of them matters, so short that no sum overflows.
std::int64_t span(double ns) noexcept { return ns < 5e17 ? ns > 0 ? static_cast<std::int64_t>(ns) : 0 : 500'000'000'000'000'000; }

}  // namespace

Outcomes::Outcomes(const Rule& rule) : rule_(rule), calls_(ring<Call>(kCalls)), fills_(ring<Fill>(kFills)) {}

void Outcomes::expect(const Decision& d, std::int64_t bar_ns, std::int64_t bars, std::int64_t arrival, double mid) noexcept {
    if (s_.regime_bar >= 0 && bars == s_.regime_bar + 1) decide::regime(s_.card, s_.regime, d.regime);
    s_.regime = d.regime, s_.regime_bar = bars;
    if (!(d.price > 0)) return;

    if (known(d.probabilities[0])) {
        const std::int64_t horizon = span(rule_.horizon_ns ? static_cast<double>(rule_.horizon_ns) : rule_.bars * static_cast<double>(bar_ns));
        if (s_.last - s_.first == kCalls && s_.seen[0] > s_.first) {  // room before the last look of the oldest
            ++s_.first;
            for (std::uint64_t& at : s_.seen) at = std::max(at, s_.first);
        }
        if (s_.last - s_.first < kCalls) {
            Call& c = calls_[s_.last++ % kCalls];
            c = {d.ts, horizon, d.price, d.confidence, d.raw_confidence, d.score, {}, {}, {}, d.regime.name, {}};
            std::memcpy(c.probabilities, d.probabilities, sizeof c.probabilities);
            std::memcpy(c.contributions, d.contributions, sizeof c.contributions);
            std::memcpy(c.weights, d.weights, sizeof c.weights);
        } else {
            ++s_.missed;
        }
    }
    const std::int64_t var_horizon = span(rule_.var_bars * static_cast<double>(bar_ns));
    if (s_.var_due == kFar && var_horizon > 0 && (known(d.risk.var_95) || known(d.risk.var_99)))
        s_.var = d, s_.var_due = d.ts + var_horizon + 1, s_.var_horizon = var_horizon;

    const int side = d.score > 0 ? 1 : d.score < 0 ? -1 : 0;
    if (side != 0 && mid > 0 && arrival >= 0 && d.execution.slice > 0 && known(d.execution.slippage_tolerance_bps)) {
        if (s_.fill - s_.filled < kFills) {
            Fill& f = fills_[s_.fill++ % kFills];
            f.due = d.ts + span(static_cast<double>(arrival)) + 1, f.said = d.execution, f.side = side, f.mid = mid;
        } else {
            ++s_.missed;
        }
    }
    schedule();
}

void Outcomes::settle(std::int64_t ts, double price, std::int64_t seen, const Book& book) noexcept {
    const bool priced = price > 0 && price < 1e300;
    for (; s_.filled < s_.fill; ++s_.filled) {
        const Fill& f = fills_[s_.filled % kFills];
        if (f.due > ts) break;
        decide::slippage(s_.card, f.said, walked(book, static_cast<int>(f.side), f.said.slice, f.mid));
    }
    for (std::size_t h = 0; h < kHorizons; ++h) {
        for (; s_.seen[h] < s_.last; ++s_.seen[h]) {
            const Call& c = calls_[s_.seen[h] % kCalls];
            if (c.due(h) > ts) break;
            if (!priced || seen <= c.ts) continue;
            const double move = log_ratio(price, c.price);
            scratch_.ts = c.ts, scratch_.confidence = c.confidence, scratch_.raw_confidence = c.raw_confidence, scratch_.score = c.score;
            scratch_.regime.name = c.regime;
            std::memcpy(scratch_.probabilities, c.probabilities, sizeof c.probabilities);
            std::memcpy(scratch_.contributions, c.contributions, sizeof c.contributions);
            std::memcpy(scratch_.weights, c.weights, sizeof c.weights);
            decide::observe(s_.card, scratch_, move < rule_.low ? -1 : move > rule_.high ? 1 : 0, move, c.horizon_of(h), h);
        }
    }
    s_.first = s_.seen[0];
    for (std::uint64_t at : s_.seen) s_.first = std::min(s_.first, at);
    if (s_.var_due <= ts) {
        if (priced && seen > s_.var.ts) decide::loss(s_.card, s_.var, price / s_.var.price - 1, s_.var_horizon);
        s_.var_due = kFar;
    }
    schedule();
}

void Outcomes::schedule() noexcept {
    s_.next = s_.var_due;
    if (s_.filled < s_.fill) s_.next = std::min(s_.next, fills_[s_.filled % kFills].due);
    for (std::size_t h = 0; h < kHorizons; ++h) {
        if (s_.seen[h] == s_.last) continue;
        s_.next = std::min(s_.next, calls_[s_.seen[h] % kCalls].due(h));
    }
}

void Outcomes::save(std::string& to) const {
    const auto put = [&](const auto& x) { to.append(reinterpret_cast<const char*>(&x), sizeof x); };
    put(s_);
    for (std::uint64_t i = s_.first; i < s_.last; ++i) put(calls_[i % kCalls]);
    for (std::uint64_t i = s_.filled; i < s_.fill; ++i) put(fills_[i % kFills]);
}

void Outcomes::load(std::string_view& from) {
    const auto take = [&](auto& x) {
        if (from.size() < sizeof x) throw std::invalid_argument("it ends too early");
        std::memcpy(static_cast<void*>(&x), from.data(), sizeof x);
        from.remove_prefix(sizeof x);
    };
    State s;
    take(s);
    if (s.last - s.first > kCalls || s.fill - s.filled > kFills) throw std::invalid_argument("its outcomes are damaged");
    if (from.size() < (s.last - s.first) * sizeof(Call) + (s.fill - s.filled) * sizeof(Fill)) throw std::invalid_argument("it ends too early");
    std::memcpy(static_cast<void*>(&s_), &s, sizeof s);
    for (std::uint64_t i = s.first; i < s.last; ++i) take(calls_[i % kCalls]);
    for (std::uint64_t i = s.filled; i < s.fill; ++i) take(fills_[i % kFills]);
}

}  // namespace smartcore
