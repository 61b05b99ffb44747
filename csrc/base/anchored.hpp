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

// Blocks as in Sliding. All sums are of distances from the last value of the last block, which is in the window for as long
// as they are used: the deviation of a window is never small against the distance to the anchor by more than its length.
// So cancellation costs at most a factor n of rounding, at any level of the data, and nothing that has left the window
// leaves a trace. (Joining moments about their own means, Chan et al. 1979, is as exact and costs three times as much.)
//
// M: a Point (one or two numbers); the Sums of a window's head, to which a point at a distance is appended, and of its
// tail, to which it is prepended; and M `of` the two.
template <class M>
class Anchored {
public:
    using Point = typename M::Point;
    using Sums = typename M::Sums;

    Anchored(Arena& arena, std::uint32_t n)
        : points_(arena.array<Point>(n)), tails_(arena.array<Sums>(n)), n_(n), length_{static_cast<double>(n), 1.0 / n} {}

    // Of the last n values; it means nothing until the window is full.
    M push(Memory m, const Point& p) noexcept {
        Point* points = m[points_];
        Sums* tails = m[tails_];
        const Point d = p - anchor_;
        points[at_] = p;
        M::append(head_, d, at_);
        if (++at_ < n_) return M::of(M::join(tails[at_], head_, n_ - at_), d, anchor_, length_);
        anchor_ = p;
        rebuild(points, tails, n_, p);
        at_ = 0;
        full_ = true;
        head_ = Sums{};
        return M::of(tails[0], Point{}, p, length_);
    }
    bool full() const noexcept { return full_; }

private:
    static SMARTCORE_APART void rebuild(const Point* points, Sums* tails, std::uint32_t n, Point anchor) noexcept {
        Sums tail{};
        while (n-- > 0) {
            M::prepend(tail, points[n] - anchor);
            tails[n] = tail;
        }
    }

    Array<Point> points_;
    Array<Sums> tails_;
    std::uint32_t n_, at_ = 0;
    std::uint32_t full_ = false;
    [[maybe_unused]] std::uint32_t unused_ = 0;
    Length length_;
    Sums head_{};
    Point anchor_{};
};

struct Moments2 {
    using Point = double;
    struct Sums {
        double d, dd;
    };
    static void append(Sums& s, double d, double) noexcept { s.d += d, s.dd += d * d; }
    static void prepend(Sums& s, double d) noexcept { s.d += d, s.dd += d * d; }
    static Sums join(const Sums& a, const Sums& b, double) noexcept { return {a.d + b.d, a.dd + b.dd}; }
    static Moments2 of(const Sums& s, double d, double anchor, const Length& l) noexcept {
        const double m = s.d * l.inverse;
        return {anchor + m, d - m, not_below(s.dd - s.d * m, 0)};
    }
    double mean, away, m2;  // away: newest - mean without its rounding; m2: sum of (x - mean)^2
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
    static Sums join(const Sums& a, const Sums& b, double) noexcept { return {a.d + b.d, a.d2 + b.d2, a.d3 + b.d3, a.d4 + b.d4}; }
    static Moments4 of(const Sums& s, double, double, const Length& l) noexcept {
        const double m = s.d * l.inverse;
        return {not_below(s.d2 - s.d * m, 0), s.d3 - 3 * m * s.d2 + 2 * m * m * s.d,
                s.d4 - 4 * m * s.d3 + 6 * m * m * s.d2 - 3 * m * m * m * s.d};
    }
    // Biased (population) forms of n values, as scipy.stats with bias=True. Flat windows have neither.
    double skewness(double n) const noexcept { return m2 > 0 ? std::sqrt(n) * m3 / (m2 * std::sqrt(m2)) : kNaN; }
    double excess_kurtosis(double n) const noexcept { return m2 > 0 ? n * m4 / (m2 * m2) - 3 : kNaN; }

    double m2, m3, m4;  // sums of (x - mean)^k
};

// A line through (0, y0), (1, y1), ... (n - 1, y): `kd` is the sum of place times distance.
struct Line {
    using Point = double;
    struct Sums {
        double d, dd, kd;
    };
    static void append(Sums& s, double d, double k) noexcept { s.d += d, s.dd += d * d, s.kd += k * d; }
    static void prepend(Sums& s, double d) noexcept { s.kd += s.d, s.d += d, s.dd += d * d; }  // all others move up one
    static Sums join(const Sums& a, const Sums& b, double na) noexcept { return {a.d + b.d, a.dd + b.dd, a.kd + (b.kd + na * b.d)}; }
    static Line of(const Sums& s, double d, double anchor, const Length& l) noexcept {
        const double m = s.d * l.inverse;
        return {anchor + m, not_below(s.dd - s.d * m, 0), s.kd - 0.5 * (l.n - 1) * s.d, d - m};
    }
    static double sxx(double n) noexcept { return n * (n * n - 1) * (1.0 / 12); }  // of the places 0 .. n - 1

    // The newest value less the line's at a place counted from the newest, and less the average weighted 1, 2, ... n.
    double above(double n, double place) const noexcept { return away - sxy / sxx(n) * (0.5 * (n - 1) + place); }
    double above_weighted(double n) const noexcept { return away - 2 * sxy / (n * (n + 1)); }

    double mean, m2, sxy, away;  // away: newest - mean without its rounding
};

// The same with the sum of squared place times distance: what a parabola adds to the line.
struct Parabola {
    using Point = double;
    struct Sums {
        double d, kd, kkd;
    };
    static void append(Sums& s, double d, double k) noexcept { s.d += d, s.kd += k * d, s.kkd += k * k * d; }
    static void prepend(Sums& s, double d) noexcept { s.kkd += 2 * s.kd + s.d, s.kd += s.d, s.d += d; }
    static Sums join(const Sums& a, const Sums& b, double na) noexcept {
        return {a.d + b.d, a.kd + (b.kd + na * b.d), a.kkd + (b.kkd + na * (2 * b.kd + na * b.d))};
    }
    static Parabola of(const Sums& s, double, double anchor, const Length& l) noexcept {
        return {anchor + s.d * l.inverse, s.kkd - (l.n - 1) * s.kd + (l.n - 1) * (l.n - 2) * (1.0 / 6) * s.d};
    }
    static double norm(double n) noexcept { return n * (n * n - 1) * (n * n - 4) * (1.0 / 180); }

    double mean, bend;  // bend: sum of (second orthogonal polynomial of the place) times x; over `norm` the coefficient of place^2
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
    static Sums join(const Sums& a, const Sums& b, double) noexcept {
        return {a.x + b.x, a.y + b.y, a.xx + b.xx, a.yy + b.yy, a.xy + b.xy};
    }
    static Comoments of(const Sums& s, const Pair&, const Pair&, const Length& l) noexcept {
        return {not_below(s.xx - s.x * (s.x * l.inverse), 0), not_below(s.yy - s.y * (s.y * l.inverse), 0),
                s.xy - s.x * (s.y * l.inverse)};
    }
    double correlation() const noexcept {
        return xx > 0 && yy > 0 ? not_below(not_above(xy / std::sqrt(xx * yy), 1), -1) : kNaN;
    }
    double slope() const noexcept { return xx > 0 ? xy / xx : kNaN; }  // of y on x

    double xx, yy, xy;
};

}  // namespace smartcore
