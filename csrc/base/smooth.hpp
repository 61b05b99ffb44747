// Recursive averages.
#pragma once
#include <cstdint>

#include "base/number.hpp"

namespace smartcore {

// level += alpha * (x - level), begun as the plain mean of the first n values, like TA-Lib; unknown before. The level has
// a low part: its own rounding, at a price of 1e8, would be a millionth of its distance to the price.
struct Smooth {
    static Smooth ema(double n) noexcept { return {2 / (n + 1), static_cast<std::uint64_t>(n)}; }
    static Smooth wilder(double n) noexcept { return {1 / n, static_cast<std::uint64_t>(n)}; }

    void push(double x) noexcept {
        if (count >= n) [[likely]] {
            const double step = low + alpha * below(x), next = level + step;
            low = step - (next - level);
            level = next;
            return;
        }
        if (count == 0) level = x;  // the first mean is taken about the first value
        low += x - level;
        if (++count < n) return;
        const double step = low / static_cast<double>(n), next = level + step;
        low = step - (next - level);
        level = next;
    }
    bool ready() const noexcept { return count == n; }
    double below(double x) const noexcept { return (x - level) - low; }  // x - value
    double value() const noexcept { return ready() ? level : kNaN; }

    double alpha;
    std::uint64_t n, count = 0;
    double level = 0, low = 0;
};

}  // namespace smartcore
