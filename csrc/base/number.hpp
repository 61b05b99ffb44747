#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace smartcore {

// "Not known yet". Never stands for zero.  (Called kNaN because math.h already has a function nan.)
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

inline bool known(double x) noexcept { return x == x; }

inline double not_below(double x, double least) noexcept { return x > least ? x : least; }  // std::fmax is a call
inline double not_above(double x, double most) noexcept { return x < most ? x : most; }

// ln(b / a). Near 1 by the series of 2 artanh((b - a) / (b + a)), where b - a is exact: the rounding of b / a alone would
// cost eight digits of the return of a price of 1e8, and the series is also the faster way.
inline double log_ratio(double b, double a) noexcept {
    const double s = (b - a) / (b + a), q = s * s;
    if (q < 0.00025) [[likely]] return 2 * s * (1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11))))));
    return std::log(b / a);
}

// x where the condition holds, else 0. A mask: of signs of price changes a branch would guess every other one wrong.
inline double where(bool holds, double x) noexcept {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & -static_cast<std::uint64_t>(holds));
}

inline double ratio(double a, double b) noexcept { return b != 0 ? a / b : kNaN; }

}  // namespace smartcore
