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
    History(Arena& arena, std::uint32_t capacity) : values_(arena.array<double>(2 * capacity)), capacity_(capacity) {}

    void reserve(Arena& arena, std::uint32_t capacity) {  // only while the engine is being built
        if (capacity <= capacity_) return;
        values_.point(arena.array<double>(2 * capacity));
        capacity_ = capacity;
    }
    void push(double x) noexcept {
        if (++head_ >= capacity_) head_ = 0;
        values_[head_] = values_[head_ + capacity_] = x;
        ++count_;
    }
    double ago(std::uint32_t n) const noexcept { return values_[head_ + capacity_ - n]; }  // 0 is the newest
    const double* last(std::uint32_t n) const noexcept { return &values_[head_ + capacity_ + 1 - n]; }
    bool has(std::uint64_t n) const noexcept { return count_ >= n; }

private:
    Ref<double> values_;
    std::uint32_t capacity_, head_ = 0;
    std::uint64_t count_ = 0;
};

}  // namespace smartcore
