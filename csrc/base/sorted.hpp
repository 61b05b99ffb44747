// The last n values in order of size: quantiles and tail means.
#pragma once
#include <cstdint>
#include <cstring>

#include "base/history.hpp"
#include "base/wide.hpp"

namespace smartcore {

// A sorted array; a new value takes the place of the oldest. Up to 128 values by one pass over all of them, which has
// nothing to guess wrong; beyond, by moving what lies between the two: one memmove of n/3 values on average beats trees and
// heaps up to several thousand values. Any quantile is then one look-up.
class Sorted {
public:
    Sorted(Arena& arena, std::uint32_t n) : past_(arena, n), values_(arena.array<double>(n + 4)), n_(n) {
        double* v = arena.memory()[values_];
        for (std::uint32_t i = 0; i < n + 4; ++i) v[i] = kInf;
    }

    void push(Memory m, double x) noexcept {
        double* v = m[values_];
        if (n_ <= 128) {
            const bool more = size_ < n_;
            replace_sorted(v, n_, more ? kInf : past_.view(m).ago(n_ - 1), x);
            size_ += more;
            past_.push(m, x);
            return;
        }
        std::uint32_t to = count<true>(v, size_, x);
        if (size_ < n_) {
            std::memmove(v + to + 1, v + to, (size_ - to) * sizeof(double));
            ++size_;
        } else {
            const std::uint32_t from = count<false>(v, n_, past_.view(m).ago(n_ - 1));
            if (to > from) {
                --to;
                std::memmove(v + from, v + from + 1, (to - from) * sizeof(double));
            } else {
                std::memmove(v + to + 1, v + to, (from - to) * sizeof(double));
            }
        }
        v[to] = x;
        past_.push(m, x);
    }
    std::uint32_t size() const noexcept { return size_; }
    bool full() const noexcept { return size_ == n_; }

    // Linear interpolation between order statistics: type 7 of Hyndman and Fan 1996, NumPy's default.
    double quantile(Memory m, double q) const noexcept {
        const double* v = m[values_];
        const double at = q * (size_ - 1);
        const auto i = static_cast<std::uint32_t>(at);
        if (i + 1 >= size_) return v[size_ - 1];
        return v[i] + (at - i) * (v[i + 1] - v[i]);
    }
    // What the next value is below with probability q, if it is as likely to take any place among these: type 6. Type 7 is
    // not made for that: the next of 500 is below its 1 % quantile with 1.2 %. 1 / (n + 1) <= q <= n / (n + 1).
    double next_quantile(Memory m, double q) const noexcept {
        const double* v = m[values_];
        const double at = not_below(not_above(q * (size_ + 1) - 1, size_ - 1), 0);
        const auto i = static_cast<std::uint32_t>(at);
        if (i + 1 >= size_) return v[size_ - 1];
        return v[i] + (at - i) * (v[i + 1] - v[i]);
    }
    // x / quantile - 1, by differences, which are exact.
    double above_quantile(Memory m, double x, double q) const noexcept {
        const double* v = m[values_];
        const double at = q * (size_ - 1);
        const auto i = static_cast<std::uint32_t>(at);
        const double low = v[i], rise = i + 1 < size_ ? (at - i) * (v[i + 1] - low) : 0;
        return ((x - low) - rise) / (low + rise);
    }
    // Where x lies: its distance from the median, and the median of all distances from the median (MAD). The middle value
    // or values part the others into two rows by distance, and of row and row the nearest half is wanted: i of the left and
    // half - i of the right, where i is how many of the left are nearer than their counterparts among the right.
    struct Robust {
        double distance, mad;
    };
    Robust robust(Memory m, double x) const noexcept {
        const double* v = m[values_];
        const std::uint32_t half = size_ / 2, odd = size_ % 2;
        if (half == 0) return {x - v[0], 0};
        const double a = v[half + odd - 1], b = v[half], gap = 0.5 * (b - a);  // the same value when there is a middle one
        const double* right = v + half + odd;
        const std::uint32_t i = count_nearer(v, a, right, b, half), j = half - i;  // nearest half: i of the left, j of the right
        const double last_left = i > 0 ? a - v[half - i] : -kInf, last_right = j > 0 ? right[j - 1] - b : -kInf;
        const double last = not_below(last_left, last_right);  // of the nearest half
        const double next_left = i < half ? a - v[half - 1 - i] : kInf, next_right = j < half ? right[j] - b : kInf;
        const double next = not_above(next_left, next_right);
        return {(x - a) - gap, odd ? last : gap + last + 0.5 * (next - last)};
    }
    const double* ordered(Memory m) const noexcept { return m[values_]; }  // the smallest first
    // Mean of the k smallest, and of the k largest.
    double tail_mean(Memory m, std::uint32_t k) const noexcept { return mean(m[values_], k); }
    double head_mean(Memory m, std::uint32_t k) const noexcept { return mean(m[values_] + size_ - k, k); }

private:
    static double mean(const double* v, std::uint32_t k) noexcept {
        double part[4] = {0, 0, 0, 0};  // side by side: the adds of one sum would wait for each other
        std::uint32_t i = 0;
        for (; i + 4 <= k; i += 4)
            for (std::uint32_t j = 0; j < 4; ++j) part[j] += v[i + j];
        for (; i < k; ++i) part[0] += v[i];
        return ((part[0] + part[1]) + (part[2] + part[3])) / k;
    }
    // How many of n sorted values are below x (or equal). Without branches: they would be guessed wrong half the time,
    // which cost three times the search itself.
    template <bool OrEqual>
    static std::uint32_t count(const double* v, std::uint32_t n, double x) noexcept {
        const double* p = v;
        if (n == 0) return 0;
        while (n > 1) {
            const std::uint32_t half = n / 2;
            const double y = p[half - 1];
            p += half & -static_cast<std::uint32_t>(OrEqual ? y <= x : y < x);  // a mask: `?:` compiles to a branch
            n -= half;
        }
        return static_cast<std::uint32_t>(p - v) + (OrEqual ? *p <= x : *p < x);
    }

    History past_;
    Array<double> values_;
    std::uint32_t n_, size_ = 0;
    [[maybe_unused]] std::uint32_t unused_ = 0;
};

}  // namespace smartcore
