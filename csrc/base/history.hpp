// The last n values of something, always contiguous in memory.
#pragma once
#include <cstdint>

#include "base/arena.hpp"
#include "base/number.hpp"

namespace smartcore {

// Every value is written twice, one capacity apart, so that the last n are one plain array, oldest first, for any n up
// to the capacity: loops over a window need no wrap-around and vectorise.
class History {
public:
    // As it is, or as it was some pushes ago.
    struct View {
        const double* newest;
        std::uint64_t count;
        double ago(std::uint32_t n) const noexcept { return newest[-static_cast<std::ptrdiff_t>(n)]; }  // 0 is the newest
        const double* last(std::uint32_t n) const noexcept { return newest + 1 - n; }
        bool has(std::uint64_t n) const noexcept { return count >= n; }
    };

    History(Arena& arena, std::uint32_t capacity) : values_(arena.array<double>(2 * std::size_t{capacity})), capacity_(capacity) {}

    void reserve(Arena& arena, std::uint32_t capacity) {  // only while the engine is being built
        if (capacity > capacity_) *this = History(arena, capacity);
    }
    void push(Memory m, double x) noexcept {
        double* values = m[values_];
        if (++head_ >= capacity_) head_ = 0;
        values[head_] = values[head_ + capacity_] = x;
        ++count_;
    }
    View view(Memory m, std::size_t age = 0) const noexcept { return {m[values_] + head_ + capacity_ - age, count_ - age}; }

private:
    Array<double> values_;
    std::uint32_t capacity_, head_ = 0;
    [[maybe_unused]] std::uint32_t unused_ = 0;  // no padding: equal states are equal bytes
    std::uint64_t count_ = 0;
};

}  // namespace smartcore
