// What Sliding can aggregate: each joins an older part with a newer one.
#pragma once
#include <cstdint>

namespace smartcore {

struct Sum {
    double sum;
    static Sum of(double x) noexcept { return {x}; }
    friend Sum operator+(const Sum& a, const Sum& b) noexcept { return {a.sum + b.sum}; }
};

struct Sum2 {
    double first, second;
    friend Sum2 operator+(const Sum2& a, const Sum2& b) noexcept { return {a.first + b.first, a.second + b.second}; }
};

struct Sum3 {
    double first, second, third;
    friend Sum3 operator+(const Sum3& a, const Sum3& b) noexcept { return {a.first + b.first, a.second + b.second, a.third + b.third}; }
};

struct Min {
    double min;
    static Min of(double x) noexcept { return {x}; }
    friend Min operator+(const Min& a, const Min& b) noexcept { return {b.min < a.min ? b.min : a.min}; }
};

struct Max {
    double max;
    static Max of(double x) noexcept { return {x}; }
    friend Max operator+(const Max& a, const Max& b) noexcept { return {b.max > a.max ? b.max : a.max}; }
};

// Extremum and when it was; of equal ones the newest. The choice is by mask: a branch would be guessed wrong half the time.
struct LastMin {
    double min;
    std::int64_t when;
    friend LastMin operator+(const LastMin& a, const LastMin& b) noexcept {
        const std::int64_t newer = -static_cast<std::int64_t>(b.min <= a.min);
        return {b.min < a.min ? b.min : a.min, (b.when & newer) | (a.when & ~newer)};
    }
};
struct LastMax {
    double max;
    std::int64_t when;
    friend LastMax operator+(const LastMax& a, const LastMax& b) noexcept {
        const std::int64_t newer = -static_cast<std::int64_t>(b.max >= a.max);
        return {b.max > a.max ? b.max : a.max, (b.when & newer) | (a.when & ~newer)};
    }
};

}  // namespace smartcore
