#include <cmath>
#include <cstddef>
#include <vector>

#include "base/aggregate.hpp"
#include "base/arena.hpp"
#include "base/sliding.hpp"
#include "check.hpp"

using namespace smartcore;

// Once a print of 1e9 has left the window, nothing of it is left in the variance.
CASE(sliding_moments_forget_a_bad_print) {
    constexpr std::uint32_t n = 7;
    std::vector<std::byte> memory(4096);
    Arena arena(memory.data(), memory.size());
    auto* window = new (arena.take(sizeof(Sliding<Moments2>), alignof(Sliding<Moments2>))) Sliding<Moments2>(arena, n);

    std::vector<double> past;
    for (int i = 0; i < 100; ++i) {
        past.push_back(i == 40 ? 1e9 : 100 + std::sin(i));
        window->push(Moments2::of(past.back()));
        CHECK(window->full() == (past.size() >= n));
        if (!window->full() || (i >= 40 && i < 40 + static_cast<int>(n))) continue;
        double mean = 0, m2 = 0;
        for (std::size_t k = past.size() - n; k < past.size(); ++k) mean += past[k] / n;
        for (std::size_t k = past.size() - n; k < past.size(); ++k) m2 += (past[k] - mean) * (past[k] - mean);
        CHECK(std::abs(window->value().mean - mean) < 1e-12 * mean);
        CHECK(std::abs(window->value().m2 - m2) < 1e-11 * m2);
    }
}
