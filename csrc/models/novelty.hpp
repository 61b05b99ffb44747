// How unlike its training inputs a row is: the root mean square of its columns' robust deviations, each at most kFarthest, over
// that of the training rows at their 99 % quantile. Above 1: farther out than all but one in a hundred of what was learned from.
// A Mahalanobis distance with a diagonal matrix, which one wild column cannot fill alone (FreqAI's dissimilarity index asks for
// the distance to every training row).
#pragma once
#include <cmath>
#include <cstddef>

#include "base/number.hpp"

namespace smartcore {

inline constexpr double kFarthest = 10;  // deviations

// NaN where no column is known. `scale` NaN: the column never moved in training, and is left out.
inline double distance(const float* row, const float* median, const float* scale, std::size_t n) noexcept {
    double sum[4] = {};
    double known[4] = {};
    const auto one = [&](std::size_t i, std::size_t lane) {
        const double z = std::fabs(static_cast<double>(row[i]) - static_cast<double>(median[i])) / static_cast<double>(scale[i]);
        const double held = z < kFarthest ? z : kFarthest;  // infinity too
        const bool is = z == z;
        sum[lane] += is ? held * held : 0;
        known[lane] += is ? 1 : 0;
    };
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (std::size_t lane = 0; lane < 4; ++lane) one(i + lane, lane);
    for (; i < n; ++i) one(i, 0);
    const double count = (known[0] + known[1]) + (known[2] + known[3]);
    return count > 0 ? std::sqrt(((sum[0] + sum[1]) + (sum[2] + sum[3])) / count) : kNaN;
}

}  // namespace smartcore
