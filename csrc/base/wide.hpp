// Loops over a whole window, written so that they use vector registers and give the same bits at any width.
#pragma once
#include <cstdint>
#include <cstring>

// Chosen when the library is loaded, by what the processor has. The sanitizers cannot run before that choice.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define SMARTCORE_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define SMARTCORE_WIDE
#endif

namespace smartcore {

struct Below {
    std::int64_t less, equal;
};
// How many of n values are below x, and how many equal it. Counting beats a search in a sorted array up to about 300
// values: it has nothing to guess wrong and nothing to keep in order.
Below count_below(const double* values, std::uint32_t n, double x) noexcept;

// Sum of |value - x|, in four interleaved sums.
double sum_distance(const double* values, std::uint32_t n, double x) noexcept;

}  // namespace smartcore
