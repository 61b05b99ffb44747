// The last n values in order of size: quantiles and tail means.
#pragma once
#include <cstdint>
#include <cstring>

#include "base/history.hpp"

namespace smartcore {

// A sorted array; a new value takes the place of the oldest by moving what lies between the two. One memmove of n/3
// values on average beats trees and heaps up to several thousand values, and any quantile is then one look-up.
class Sorted {
public:
    Sorted(Arena& arena, std::uint32_t n) : past_(arena, n), values_(arena.array<double>(n)), n_(n) {}

    void push(Memory m, double x) noexcept {
        double* v = m[values_];
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
    // x / quantile - 1, by differences, which are exact.
    double above_quantile(Memory m, double x, double q) const noexcept {
        const double* v = m[values_];
        const double at = q * (size_ - 1);
        const auto i = static_cast<std::uint32_t>(at);
        const double low = v[i], rise = i + 1 < size_ ? (at - i) * (v[i + 1] - low) : 0;
        return ((x - low) - rise) / (low + rise);
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
