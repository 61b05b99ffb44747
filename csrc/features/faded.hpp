// What scores and auxiliary series share: sums and moments of their values that fade in real time, and what prices did
// meanwhile.
//
// Their events are few, so every sum keeps the time it was last added to and fades then: the part `Decay`, which ticks on
// each trade, would cost more than it saves. What stands between events is a ratio of sums that fade alike. Only kernels
// that say how much time has passed, or that follow prices, are woken by bars too.
#pragma once
#include <cmath>
#include <cstdint>

#include "features/parts.hpp"
#include "market/series.hpp"

namespace smartcore {

inline constexpr double kHalfLife = 0.001, kLongest = 31'536'000;  // bounds of a half-life, in seconds: up to a year
inline constexpr double kYear = 31'536'000;                       // 365 days

struct Fading {
    explicit Fading(double half_life) : rate(-0.6931471805599453 / (half_life * 1e9)) {}
    double left(std::int64_t since, std::int64_t now) const noexcept {
        return now > since ? std::exp(rate * static_cast<double>(now - since)) : 1;
    }
    // Seconds of it that a window begun at `first` has seen; grows to half_life / ln 2.
    double span(std::int64_t first, std::int64_t now) const noexcept {
        return now > first ? std::expm1(rate * static_cast<double>(now - first)) / (rate * 1e9) : 0;
    }
    double rate;
};
inline double none_of_nothing(double sum) noexcept { return std::fabs(sum) < 1e-300 ? 0 : sum; }
inline double share(double part, double whole) noexcept { return whole > 0 ? not_below(not_above(part / whole, 1), -1) : 0; }

// Mean, variance and third moment of values with weights. Updated as moments, never as sums of powers.
struct FadedMoments {
    explicit FadedMoments(double half_life) : fading(half_life) {}
    void push(std::int64_t ts, double x, double w = 1) noexcept {
        if (n > 0) weight = none_of_nothing(weight * fading.left(last, ts));
        const double all = weight + w, a = w / all, b = weight / all, d = x - mean;
        m3 = b * (m3 - 3 * a * d * m2 + a * (b - a) * d * d * d);
        m2 = b * (m2 + a * d * d);
        mean += a * d;
        weight = all, last = ts, n += 1;
    }
    double level() const noexcept { return n > 0 ? mean : kNaN; }
    // Of values that do not differ there is none. Below a millionth of their size it would be made of the rounding of the mean.
    double deviation() const noexcept { return n > 1 && m2 > 1e-12 * (mean * mean + m2) ? std::sqrt(m2) : kNaN; }
    Fading fading;
    std::int64_t last = 0;
    double weight = 0, mean = 0, m2 = 0, m3 = 0, n = 0;
};

// A signed sum beside the sum of sizes.
struct FadedBalance {
    explicit FadedBalance(double half_life) : fading(half_life) {}
    void push(std::int64_t ts, double x, double size) noexcept {
        const double f = n > 0 ? fading.left(last, ts) : 1;
        net = none_of_nothing(net * f) + x;
        all = none_of_nothing(all * f) + size;
        last = ts, n += 1;
    }
    void push(std::int64_t ts, double x) noexcept { push(ts, x, std::fabs(x)); }
    double value() const noexcept { return n > 0 ? share(net, all) : kNaN; }
    Fading fading;
    std::int64_t last = 0;
    double net = 0, all = 0, n = 0;
};

// The way a series went: its net change as a share of the way it made. From its second value on.
struct FadedTrend {
    explicit FadedTrend(double half_life) : moves(half_life) {}
    void push(std::int64_t ts, double x) noexcept {
        if (known(before)) moves.push(ts, x - before);
        before = x;
    }
    double value() const noexcept { return moves.value(); }
    FadedBalance moves;
    double before = kNaN;
};

// Something that events add, per second. The first event begins the time and adds nothing: what came before is unknown.
struct FadedArrivals {
    explicit FadedArrivals(double half_life) : fading(half_life) {}
    void push(std::int64_t ts, double x) noexcept {
        if (n > 0) sum = none_of_nothing(sum * fading.left(last, ts)) + x;
        else first = ts;
        last = ts, n += 1;
    }
    double value(std::int64_t now) const noexcept {
        const double span = n > 1 ? fading.span(first, now) : 0;
        return span > 0 ? sum * fading.left(last, now) / span : kNaN;
    }
    Fading fading;
    std::int64_t first = 0, last = 0;
    double sum = 0, n = 0;
};
// How two rates compare: -1 only the second, 1 only the first.
inline double contrast(double a, double b) noexcept {
    return known(a) && known(b) ? share(a - b, a + b) : kNaN;
}

// How long ago the last of some events was, against the mean of the last n gaps between them (of all while there are fewer).
struct Silence {
    Silence(Arena& arena, double n) : times(arena.array<std::int64_t>(count_of(n) + 1)), most(count_of(n) + 1) {}
    void push(Memory m, std::int64_t ts) noexcept {
        m[times][at] = ts;
        if (++at == most) at = 0;
        if (seen < most) ++seen;
        last = ts;
    }
    double value(Memory m, std::int64_t now) const noexcept {
        if (seen < 2) return kNaN;
        const std::int64_t oldest = m[times][seen < most ? 0 : at];
        const double usual = static_cast<double>(last - oldest) / (seen - 1), age = now > last ? static_cast<double>(now - last) : 0;
        return age > 0 ? age / (age + usual) : 0;
    }
    Array<std::int64_t> times;
    std::uint32_t most, at = 0, seen = 0;
    std::int64_t last = 0;
};

// What closes did: net log return as a share of the way made (0 while they stand), and realised variance per second.
struct PriceMoves {
    struct Told {
        double balance, variance;
    };
    PriceMoves(Graph&, double half_life) : moves(half_life) {}
    void update(const Bar& b, In, Out out) noexcept {
        if (known(close)) {
            const double r = log_ratio(b.close, close), f = moves.n > 0 ? moves.fading.left(moves.last, b.ts) : 1;
            squares = none_of_nothing(squares * f) + r * r;
            moves.push(b.ts, r);
            const double span = moves.fading.span(first, b.ts);
            out[0] = moves.value();
            out[1] = span > 0 ? squares / span : kNaN;
        } else {
            first = b.ts;
        }
        close = b.close;
    }
    FadedBalance moves;
    std::int64_t first = 0;
    double close = kNaN, squares = 0;
};

}  // namespace smartcore
