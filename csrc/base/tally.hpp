// How often each of a few things was among the last n, and the entropy of that in O(1).
#pragma once
#include <cmath>
#include <cstdint>

#include "base/arena.hpp"

namespace smartcore {

// Counts are whole numbers, so taking one away again leaves nothing behind. So are the sums of c ln c over the counts: they
// are kept in units of 2^-44, and of 2^-56 where they are of shares.
class Tally {
public:
    // kinds: how many different things. uneven: also how far their shares are from being all alike.
    Tally(Arena& arena, std::uint32_t n, std::uint32_t kinds, bool uneven = false)
        : last_(arena.array<std::uint32_t>(n)), counts_(arena.array<std::uint32_t>(kinds)), terms_(arena.array<std::int64_t>(n + 1)),
          mixed_(arena.array<std::int64_t>(uneven ? n + 1 : 0)), n_(n), uneven_(uneven), log_n_(std::log(n)), log_kinds_(std::log(kinds)),
          scale_(kUnit / n) {
        for (std::uint32_t c = 2; c <= n; ++c) arena.memory()[terms_][c] = whole(c * std::log(static_cast<double>(c)));
        if (!uneven) return;
        for (std::uint32_t c = 0; c <= n; ++c) {
            const double p = 0.5 * (static_cast<double>(c) / n + 1.0 / kinds);
            arena.memory()[mixed_][c] = std::llround(-p * std::log(p) / kFine);
        }
        mixture_ = arena.memory()[mixed_][0] * static_cast<std::int64_t>(kinds);  // of counts that are all 0
    }

    void push(Memory m, std::uint32_t what) noexcept {
        std::uint32_t *last = m[last_], *counts = m[counts_];
        if (full_) change(m, counts[last[at_]], -1);
        last[at_] = what;
        change(m, counts[what], 1);
        if (++at_ == n_) at_ = 0, full_ = true;
    }
    bool full() const noexcept { return full_; }
    // In nats, of a full window.
    double entropy() const noexcept {
        const double h = log_n_ - static_cast<double>(sum_) * scale_;
        return h > 0 ? h : 0;
    }
    // Jensen-Shannon divergence of the shares from all alike.
    double divergence() const noexcept {
        return static_cast<double>(mixture_) * kFine - 0.5 * (entropy() + log_kinds_);
    }

private:
    static constexpr double kUnit = 1.0 / (std::int64_t{1} << 44);
    static constexpr double kFine = 1.0 / (std::int64_t{1} << 56);
    static std::int64_t whole(double x) { return std::llround(x / kUnit); }
    void change(Memory m, std::uint32_t& count, int by) noexcept {
        const std::int64_t* terms = m[terms_];
        const std::uint32_t before = count, after = before + static_cast<std::uint32_t>(by);
        sum_ += terms[after] - terms[before];
        if (uneven_) {
            const std::int64_t* mixed = m[mixed_];
            mixture_ += mixed[after] - mixed[before];
        }
        count = after;
    }

    Array<std::uint32_t> last_, counts_;
    Array<std::int64_t> terms_, mixed_;
    std::uint32_t n_, at_ = 0, full_ = false, uneven_;
    double log_n_, log_kinds_, scale_;
    std::int64_t sum_ = 0, mixture_ = 0;
};

}  // namespace smartcore
