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

// Twice how many of n values are below x, ties half. Counting beats a search in a sorted array up to about 300 values: it has
// nothing to guess wrong and nothing to keep in order.
std::int64_t twice_below(const double* values, std::uint32_t n, double x) noexcept;

// The same of two numbers in one pass.
struct Both {
    std::int64_t x, y;
};
Both twice_below(const double* values, std::uint32_t n, double x, double y) noexcept;

// In n sorted values, x takes the place of one that equals `old`. All of them are passed over, without a search: each is
// kept or takes its right neighbour's value, and is then put between x and its left neighbour. Behind the values there is
// infinity, up to a multiple of four and one more; with `old` infinite too, x is added.
void replace_sorted(double* values, std::uint32_t n, double old, double x) noexcept;

double sum_of(const double* values, std::uint32_t n) noexcept;  // in eight interleaved sums

// Sums of values times weights; row by row, n weights each.
struct Three {
    double a, b, c;
};
Three weighted_sums(const double* values, std::uint32_t n, const double* weights) noexcept;

// How many k below n have a - left[k] < right[k] - b.
std::uint32_t count_nearer(const double* left, double a, const double* right, double b, std::uint32_t n) noexcept;

// Of a path of n + 1 values, less the straight line from its first to its last: how high and how low it goes, and the
// largest square of it times the weight of its place (n + 1 weights).
struct Bridge {
    double high, low, most;
};
Bridge bridge(const double* path, std::uint32_t n, const double* weights) noexcept;

// Each run goes on by one, to `most`, where the value equals `value`, and ends elsewhere; the longest of them.
std::uint8_t longest_run(std::uint8_t* runs, const std::uint8_t* values, std::uint32_t n, std::uint8_t value, std::uint8_t most) noexcept;

// Natural logarithms of n values of 1 or more, and exponentials of n values from -700 to 0, in place: within two units of the
// last digit, and many times as fast as one call each.
void log_each(double* values, std::uint32_t n) noexcept;
void exp_each(double* values, std::uint32_t n) noexcept;

// Runs of normal values about 0, each of one precision that is not known (gamma prior, shape and rate 1), and what they weigh.
// There is room for a multiple of four. `height`: the logarithm of the constant of each age's Student-t density.
struct Runs {
    double *weight, *beta, *log_beta, *age;
    std::uint32_t n;
};
// One more value x in each: weights in proportion to the likelihood that each gave it, `share` together, none below `least`.
// The logarithm of that likelihood, weighed, is best + ln(all). `room`: twice as many numbers as there are runs.
struct Likelihood {
    double best, all;
};
Likelihood next_value(const Runs& runs, double x, double share, double least, const double* height, double* room) noexcept;
struct Average {
    double age, young, variance;  // young: the weight of those that are at most that old
};
Average average(const Runs& runs, double young) noexcept;

// Sum of |value - x|, in four interleaved sums.
double sum_distance(const double* values, std::uint32_t n, double x) noexcept;

}  // namespace smartcore
