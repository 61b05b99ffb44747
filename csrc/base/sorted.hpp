// The last n values in order of size: ranks, quantiles and tail means.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/history.hpp"

namespace smartcore {

// A sorted array; a new value takes the place of the oldest by moving what lies between the two. One memmove of n/3
// values on average beats trees and heaps up to several thousand values, and any quantile is then one look-up.
class Sorted {
public:
    Sorted(Arena& arena, std::uint32_t n) : past_(arena, n), values_(arena.array<double>(n)), n_(n) {}

    void push(double x) noexcept {
        double* v = values_.get();
        if (size_ < n_) {
            double* to = std::upper_bound(v, v + size_, x);
            std::memmove(to + 1, to, static_cast<std::size_t>(v + size_ - to) * sizeof(double));
            *to = x;
            ++size_;
        } else {
            double* from = std::lower_bound(v, v + size_, past_.ago(n_ - 1));
            double* to = std::upper_bound(v, v + size_, x);
            if (to > from) {
                std::memmove(from, from + 1, static_cast<std::size_t>(--to - from) * sizeof(double));
            } else {
                std::memmove(to + 1, to, static_cast<std::size_t>(from - to) * sizeof(double));
            }
            *to = x;
        }
        past_.push(x);
    }
    std::uint32_t size() const noexcept { return size_; }
    bool full() const noexcept { return size_ == n_; }
    double operator[](std::uint32_t i) const noexcept { return values_[i]; }

    // Linear interpolation between order statistics: type 7 of Hyndman and Fan 1996, NumPy's default.
    double quantile(double q) const noexcept {
        double at = q * (size_ - 1);
        auto i = static_cast<std::uint32_t>(at);
        if (i + 1 >= size_) return values_[size_ - 1];
        return values_[i] + (at - i) * (values_[i + 1] - values_[i]);
    }
    // Share of the values below x, ties counted half: 0..1.
    double rank(double x) const noexcept {
        const double* v = values_.get();
        auto [low, high] = std::equal_range(v, v + size_, x);
        return (static_cast<double>(low - v) + static_cast<double>(high - v)) / (2.0 * size_);
    }
    // Mean of the k smallest.
    double tail_mean(std::uint32_t k) const noexcept {
        double sum = 0;
        for (std::uint32_t i = 0; i < k; ++i) sum += values_[i];
        return sum / k;
    }

private:
    History past_;
    Ref<double> values_;
    std::uint32_t n_, size_ = 0;
};

}  // namespace smartcore
