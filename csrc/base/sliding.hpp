// The aggregate of the last n values in O(1) amortised, for anything that can be added up: sums, extrema, moments.
#pragma once
#include <cstdint>

#include "base/arena.hpp"

namespace smartcore {

// Nothing is ever subtracted. Values come in blocks of n; a window is the tail of the last block plus the head of this
// one, and both are kept as partial aggregates. So a bad print of 1e9 leaves no residue once it is out of the window
// (running sums, even compensated ones, keep some), a price level of 1e8 costs no digits, and minimum and maximum need
// no queue. Cost: three additions a value on average; once per n values the tails are rebuilt in one sweep.
//
// M: an aggregate; `a + b` joins an older and a newer one. Order is kept, so M need not be commutative.
template <class M>
class Sliding {
public:
    Sliding(Arena& arena, std::uint32_t n) : slots_(arena.array<M>(n)), n_(n) {}

    void push(const M& x) noexcept {
        slots_[at_] = x;  // slots up to at_ hold this block's values, those behind it tails of the last block
        head_ = at_ == 0 ? x : head_ + x;
        if (at_ + 1 < n_) {
            if (full_) value_ = slots_[at_ + 1] + head_;
            ++at_;
            return;
        }
        value_ = head_;
        full_ = true;
        at_ = 0;
        for (std::uint32_t i = n_ - 1; i-- > 0;) slots_[i] = slots_[i] + slots_[i + 1];
    }
    bool full() const noexcept { return full_; }
    const M& value() const noexcept { return value_; }  // of the last n values; only when full

private:
    Ref<M> slots_;
    M head_{}, value_{};
    std::uint32_t n_, at_ = 0;
    bool full_ = false;
};

}  // namespace smartcore
