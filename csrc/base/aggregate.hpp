// What Sliding can aggregate. Each joins an older part with a newer one. Moments are kept about the part's own mean
// (Chan, Golub and LeVeque 1979; Pebay 2008), so they do not depend on the level of the data.
#pragma once
#include "base/number.hpp"

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

// Extremum and when it was; of equal ones the newest.
struct LastMin {
    double min, when;
    friend LastMin operator+(const LastMin& a, const LastMin& b) noexcept { return b.min <= a.min ? b : a; }
};
struct LastMax {
    double max, when;
    friend LastMax operator+(const LastMax& a, const LastMax& b) noexcept { return b.max >= a.max ? b : a; }
};

struct Moments2 {
    double n, mean, m2;  // m2 = sum of (x - mean)^2
    static Moments2 of(double x) noexcept { return {1, x, 0}; }
    friend Moments2 operator+(const Moments2& a, const Moments2& b) noexcept {
        double n = a.n + b.n, d = b.mean - a.mean, w = b.n / n;
        return {n, a.mean + d * w, a.m2 + b.m2 + d * d * (a.n * w)};
    }
    double variance() const noexcept { return m2 / n; }                // population
    double sample_variance() const noexcept { return m2 / (n - 1); }
};

struct Moments4 {
    double n, mean, m2, m3, m4;
    static Moments4 of(double x) noexcept { return {1, x, 0, 0, 0}; }
    friend Moments4 operator+(const Moments4& a, const Moments4& b) noexcept {
        double n = a.n + b.n, d = b.mean - a.mean, dn = d / n, p = a.n * b.n, t = d * dn * p;
        return {n, a.mean + dn * b.n, a.m2 + b.m2 + t,
                a.m3 + b.m3 + t * dn * (a.n - b.n) + 3 * dn * (a.n * b.m2 - b.n * a.m2),
                a.m4 + b.m4 + t * dn * dn * (a.n * a.n - p + b.n * b.n) +
                    6 * dn * dn * (a.n * a.n * b.m2 + b.n * b.n * a.m2) + 4 * dn * (a.n * b.m3 - b.n * a.m3)};
    }
    // Biased (population) forms, as scipy.stats with bias=True. Flat windows have neither.
    double skewness() const noexcept { return m2 > 0 ? std::sqrt(n) * m3 / (m2 * std::sqrt(m2)) : kNaN; }
    double excess_kurtosis() const noexcept { return m2 > 0 ? n * m4 / (m2 * m2) - 3 : kNaN; }
};

// A line through (0, y0), (1, y1), ...: `sxy` is the sum of (x - mean x)(y - mean y).
struct Line {
    double n, mean, m2, sxy;
    static Line of(double y) noexcept { return {1, y, 0, 0}; }
    friend Line operator+(const Line& a, const Line& b) noexcept {
        double n = a.n + b.n, d = b.mean - a.mean, w = b.n / n, p = a.n * b.n;
        return {n, a.mean + d * w, a.m2 + b.m2 + d * d * (a.n * w), a.sxy + b.sxy + d * p / 2};
    }
    double sxx() const noexcept { return n * (n * n - 1) / 12; }
    double slope() const noexcept { return sxy / sxx(); }
    double r2() const noexcept { return m2 > 0 ? std::fmin(sxy * sxy / (sxx() * m2), 1) : kNaN; }
};

struct Comoments {
    double n, x, y, xx, yy, xy;  // means, then sums of products about them
    static Comoments of(double x, double y) noexcept { return {1, x, y, 0, 0, 0}; }
    friend Comoments operator+(const Comoments& a, const Comoments& b) noexcept {
        double n = a.n + b.n, dx = b.x - a.x, dy = b.y - a.y, w = b.n / n, p = a.n * w;
        return {n, a.x + dx * w, a.y + dy * w, a.xx + b.xx + dx * dx * p, a.yy + b.yy + dy * dy * p,
                a.xy + b.xy + dx * dy * p};
    }
    double covariance() const noexcept { return xy / n; }
    double correlation() const noexcept {
        return xx > 0 && yy > 0 ? std::fmax(-1, std::fmin(1, xy / (std::sqrt(xx) * std::sqrt(yy)))) : kNaN;
    }
    double slope() const noexcept { return xx > 0 ? xy / xx : kNaN; }  // of y on x
};

}  // namespace smartcore
