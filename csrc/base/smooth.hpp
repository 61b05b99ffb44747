// Recursive averages.
#pragma once
#include <cstdint>

#include "base/number.hpp"

namespace smartcore {

// level += alpha * (x - level), begun as the plain mean of the first n values, like TA-Lib; unknown before.
struct Smooth {
    static Smooth ema(double n) noexcept { return {2 / (n + 1), static_cast<std::uint64_t>(n)}; }
    static Smooth wilder(double n) noexcept { return {1 / n, static_cast<std::uint64_t>(n)}; }

    void push(double x) noexcept {
        if (count >= n) {
            level += alpha * (x - level);
            return;
        }
        sum += x;
        if (++count == n) level = sum / static_cast<double>(n);
    }
    bool ready() const noexcept { return count == n; }
    double value() const noexcept { return ready() ? level : kNaN; }

    double alpha;
    std::uint64_t n, count = 0;
    double level = 0, sum = 0;
};

}  // namespace smartcore
