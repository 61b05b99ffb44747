// Moments of the last n values in O(1) amortised: power sums about a value of the window itself.
#pragma once
#include <cstdint>

#include "base/arena.hpp"
#include "base/number.hpp"

namespace smartcore {

// How many values, and one over it: a division costs ten multiplications.
struct Length {
    double n, inverse;
};

// Blocks as in Sliding: the sums of this block are kept about its first value, those of the last block's tails about its
// last value. Either is inside the window for as long as its sums are used, so the deviation of the window is never small
// against the distance to the anchor by more than its length: cancellation costs at most a factor n of rounding, at any
// level of the data, and nothing that has left the window leaves a trace. (Joining moments about their own means, Chan
// et al. 1979, is as exact and costs twice the instructions.)
//
// M: a Point (one or two numbers), its Sums, append and prepend of a point at distance d, and join of two blocks.
template <class M>
class Anchored {
public:
    using Point = typename M::Point;
    using Sums = typename M::Sums;

    Anchored(Arena& arena, std::uint32_t n)
        : points_(arena.array<Point>(n)), tails_(arena.array<Sums>(n)), length_{static_cast<double>(n), 1.0 / n}, n_(n) {}

    void push(const Point& p) noexcept {
        if (at_ == 0) {
            first_ = p;
            head_ = Sums{};
        }
        M::append(head_, p - first_, at_);
        points_[at_] = p;
        if (++at_ < n_) {
            if (full_) value_ = {M::join(tails_[at_], head_, n_ - at_, at_, first_ - last_), last_, length_};
            return;
        }
        value_ = {head_, first_, length_};
        last_ = p;
        Sums tail{};
        for (std::uint32_t i = n_; i-- > 0;) {
            M::prepend(tail, points_[i] - last_);
            tails_[i] = tail;
        }
        at_ = 0;
        full_ = true;
    }
    bool full() const noexcept { return full_; }
    const M& value() const noexcept { return value_; }  // of the last n values; only when full

private:
    Ref<Point> points_;
    Ref<Sums> tails_;
    M value_{};
    Sums head_{};
    Point first_{}, last_{};
    Length length_;
    std::uint32_t n_, at_ = 0;
    bool full_ = false;
};

struct Moments2 {
    using Point = double;
    struct Sums {
        double d, dd;
    };
    static void append(Sums& s, double d, double) noexcept { s.d += d, s.dd += d * d; }
    static void prepend(Sums& s, double d) noexcept { s.d += d, s.dd += d * d; }
    // b moved by `by`, then added to a.
    static Sums join(const Sums& a, const Sums& b, double, double nb, double by) noexcept {
        return {a.d + (b.d + nb * by), a.dd + (b.dd + by * (2 * b.d + nb * by))};
    }
    Sums s;
    double anchor;
    Length l;

    double mean() const noexcept { return anchor + s.d * l.inverse; }
    double from_mean(double x) const noexcept { return (x - anchor) - s.d * l.inverse; }  // x - mean() without its rounding
    double m2() const noexcept { return not_below(s.dd - s.d * (s.d * l.inverse), 0); }  // sum of (x - mean)^2
    double variance() const noexcept { return m2() * l.inverse; }                        // population
    double sample_variance() const noexcept { return m2() / (l.n - 1); }
};

struct Moments4 {
    using Point = double;
    struct Sums {
        double d, d2, d3, d4;
    };
    static void append(Sums& s, double d, double) noexcept { prepend(s, d); }
    static void prepend(Sums& s, double d) noexcept {
        const double d2 = d * d;
        s.d += d, s.d2 += d2, s.d3 += d2 * d, s.d4 += d2 * d2;
    }
    static Sums join(const Sums& a, const Sums& b, double, double nb, double by) noexcept {
        const double by2 = by * by;
        return {a.d + (b.d + nb * by), a.d2 + (b.d2 + by * (2 * b.d + nb * by)),
                a.d3 + (b.d3 + by * (3 * b.d2 + by * (3 * b.d + nb * by))),
                a.d4 + (b.d4 + by * (4 * b.d3 + 6 * by * b.d2 + by2 * (4 * b.d + nb * by)))};
    }
    Sums s;
    double anchor;
    Length l;

    double m2() const noexcept { return not_below(s.d2 - s.d * (s.d * l.inverse), 0); }
    // Biased (population) forms, as scipy.stats with bias=True. Flat windows have neither.
    double skewness() const noexcept {
        const double m = s.d * l.inverse, v = m2(), m3 = s.d3 - 3 * m * s.d2 + 2 * m * m * s.d;
        return v > 0 ? std::sqrt(l.n) * m3 / (v * std::sqrt(v)) : kNaN;
    }
    double excess_kurtosis() const noexcept {
        const double m = s.d * l.inverse, v = m2(), m4 = s.d4 - 4 * m * s.d3 + 6 * m * m * s.d2 - 3 * m * m * m * s.d;
        return v > 0 ? l.n * m4 / (v * v) - 3 : kNaN;
    }
};

// A line through (0, y0), (1, y1), ... (n - 1, y): `kd` is the sum of place times distance.
struct Line {
    using Point = double;
    struct Sums {
        double d, dd, kd;
    };
    static void append(Sums& s, double d, double k) noexcept { s.d += d, s.dd += d * d, s.kd += k * d; }
    static void prepend(Sums& s, double d) noexcept { s.kd += s.d, s.d += d, s.dd += d * d; }  // all others move up one
    static Sums join(const Sums& a, const Sums& b, double na, double nb, double by) noexcept {
        const double d = b.d + nb * by;
        return {a.d + d, a.dd + (b.dd + by * (2 * b.d + nb * by)), a.kd + (b.kd + by * (0.5 * nb * (nb - 1)) + na * d)};
    }
    Sums s;
    double anchor;
    Length l;

    double mean() const noexcept { return anchor + s.d * l.inverse; }
    double m2() const noexcept { return not_below(s.dd - s.d * (s.d * l.inverse), 0); }
    double sxy() const noexcept { return s.kd - 0.5 * (l.n - 1) * s.d; }
    double sxx() const noexcept { return l.n * (l.n * l.n - 1) * (1.0 / 12); }
    double slope() const noexcept { return sxy() / sxx(); }
    double r2() const noexcept {
        const double v = m2(), c = sxy();
        return v > 0 ? not_above(c * c / (sxx() * v), 1) : kNaN;
    }
};

struct Pair {
    double x, y;
    friend Pair operator-(const Pair& a, const Pair& b) noexcept { return {a.x - b.x, a.y - b.y}; }
};
struct Comoments {
    using Point = Pair;
    struct Sums {
        double x, y, xx, yy, xy;
    };
    static void append(Sums& s, const Pair& d, double) noexcept { prepend(s, d); }
    static void prepend(Sums& s, const Pair& d) noexcept {
        s.x += d.x, s.y += d.y, s.xx += d.x * d.x, s.yy += d.y * d.y, s.xy += d.x * d.y;
    }
    static Sums join(const Sums& a, const Sums& b, double, double nb, const Pair& by) noexcept {
        return {a.x + (b.x + nb * by.x), a.y + (b.y + nb * by.y), a.xx + (b.xx + by.x * (2 * b.x + nb * by.x)),
                a.yy + (b.yy + by.y * (2 * b.y + nb * by.y)), a.xy + (b.xy + by.x * b.y + by.y * (b.x + nb * by.x))};
    }
    Sums s;
    Pair anchor;
    Length l;

    double xx() const noexcept { return not_below(s.xx - s.x * (s.x * l.inverse), 0); }
    double yy() const noexcept { return not_below(s.yy - s.y * (s.y * l.inverse), 0); }
    double xy() const noexcept { return s.xy - s.x * (s.y * l.inverse); }
    double covariance() const noexcept { return xy() * l.inverse; }
    double correlation() const noexcept {
        const double vx = xx(), vy = yy();
        return vx > 0 && vy > 0 ? not_below(not_above(xy() / std::sqrt(vx * vy), 1), -1) : kNaN;
    }
    double slope() const noexcept {  // of y on x
        const double v = xx();
        return v > 0 ? xy() / v : kNaN;
    }
};

}  // namespace smartcore
