// The aggregate of the last n values in O(1) amortised, for anything that can be added up: sums and extrema.
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

    // The aggregate of the last n values; it means nothing until the window is full.
    M push(Memory m, const M& x) noexcept {
        M* slots = m[slots_];
        slots[at_] = x;  // slots up to at_ hold this block's values, those behind it tails of the last block
        head_ = at_ == 0 ? x : head_ + x;
        if (++at_ < n_) return slots[at_] + head_;
        full_ = true;
        at_ = 0;
        rebuild(slots, n_ - 1, x);
        return head_;
    }
    bool full() const noexcept { return full_; }

private:
    static SMARTCORE_APART void rebuild(M* slots, std::uint32_t n, M tail) noexcept {
        while (n-- > 0) slots[n] = tail = slots[n] + tail;
    }

    Array<M> slots_;
    std::uint32_t n_, at_ = 0;
    std::uint32_t full_ = false;
    M head_{};
};

}  // namespace smartcore
