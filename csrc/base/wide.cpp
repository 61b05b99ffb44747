#include "base/wide.hpp"

#include <cmath>

namespace smartcore {

#if defined(__GNUC__)
namespace {
using Four = double __attribute__((vector_size(32)));  // two registers where there are only halves
using Mask = std::int64_t __attribute__((vector_size(32)));
}  // namespace
#endif

SMARTCORE_WIDE
Below count_below(const double* values, std::uint32_t n, double x) noexcept {
    std::int64_t less = 0, equal = 0;
    std::uint32_t i = 0;
#if defined(__GNUC__)
    const Four middle = {x, x, x, x};
    Mask l0{}, l1{}, e0{}, e1{};
    for (; i + 8 <= n; i += 8) {
        Four a, b;
        std::memcpy(&a, values + i, sizeof a);
        std::memcpy(&b, values + i + 4, sizeof b);
        l0 -= a < middle, l1 -= b < middle, e0 -= a == middle, e1 -= b == middle;  // true is -1
    }
    l0 += l1, e0 += e1;
    for (int k = 0; k < 4; ++k) less += l0[k], equal += e0[k];
#endif
    for (; i < n; ++i) {
        less += values[i] < x;
        equal += values[i] == x;
    }
    return {less, equal};
}

SMARTCORE_WIDE
double sum_distance(const double* values, std::uint32_t n, double x) noexcept {
    std::uint32_t i = 0;
#if defined(__GNUC__)
    const Four center = {x, x, x, x};
    const Mask magnitude = Mask{} + INT64_MAX;
    Four sum = {0, 0, 0, 0};
    for (; i + 4 <= n; i += 4) {
        Four v;
        std::memcpy(&v, values + i, sizeof v);
        sum += reinterpret_cast<Four>(reinterpret_cast<Mask>(v - center) & magnitude);
    }
#else
    double sum[4] = {0, 0, 0, 0};
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; ++j) sum[j] += std::fabs(values[i + j] - x);
#endif
    double rest = 0;
    for (; i < n; ++i) rest += std::fabs(values[i] - x);
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
}

}  // namespace smartcore
