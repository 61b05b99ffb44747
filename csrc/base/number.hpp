#pragma once
#include <cmath>
#include <limits>

namespace smartcore {

// "Not known yet". Never stands for zero.  (Called kNaN because math.h already has a function nan.)
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

inline bool known(double x) noexcept { return x == x; }

inline double ratio(double a, double b) noexcept { return b != 0 ? a / b : kNaN; }

}  // namespace smartcore
