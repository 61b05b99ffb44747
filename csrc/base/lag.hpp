// Recursive averages of what has a level, without the level.
#pragma once
#include <cmath>
#include <cstdint>

#include "base/number.hpp"

namespace smartcore {

// Where x fades for ever it would end among numbers that processors are slow with.
inline double faded(double x) noexcept { return std::fabs(x) < 1e-300 ? 0 : x; }

// average += alpha * (x - average), begun as the plain mean of the first n values, like TA-Lib; unknown before. Only x less
// the average is kept, and moved by the steps of x: at any level it has all its digits, and so has the average's own step,
// which an average of the average takes in turn.
struct Lag {
    static Lag ema(double n) noexcept { return {2 / (n + 1), 1 - 2 / (n + 1), static_cast<std::uint64_t>(n)}; }

    // By how much x has moved (nobody asks of its first value); returns by how much the average has, once it is ready.
    double push(double step) noexcept {
        if (count >= n) [[likely]] {
            const double v = gap + step;
            gap = faded(keep * v);
            return alpha * v;
        }
        if (count > 0) gap += step * static_cast<double>(count);  // the distances to the values before, summed
        if (++count == n) gap /= static_cast<double>(n);
        return 0;
    }
    bool ready() const noexcept { return count == n; }

    double alpha, keep;
    std::uint64_t n, count = 0;
    double gap = 0;  // x - average
};

// The same of what has no level (changes, shares, volumes): the average itself.
struct Fading {
    static Fading ema(double n) noexcept { return {2 / (n + 1), static_cast<std::uint64_t>(n)}; }

    void push(double x) noexcept {
        if (count >= n) [[likely]] {
            level = faded(level + alpha * (x - level));
            return;
        }
        level += x;
        if (++count == n) level /= static_cast<double>(n);
    }
    bool ready() const noexcept { return count == n; }

    double alpha;
    std::uint64_t n, count = 0;
    double level = 0;
};

// K averages in a row, each of the one before.
template <int K>
struct Lags {
    explicit Lags(double n) noexcept {
        for (Lag& lag : stage) lag = Lag::ema(n);
    }
    void push(double step) noexcept {
        for (Lag& lag : stage) {
            step = lag.push(step);
            if (!lag.ready()) return;
        }
        last = step;
    }
    bool ready() const noexcept { return stage[K - 1].ready(); }
    double gap(int i) const noexcept { return stage[i].gap; }

    Lag stage[K];
    double last = 0;  // step of the last average
};

}  // namespace smartcore
