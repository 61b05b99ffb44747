// Sources on the order book, shared by the families book, depth, ofi and queue.
//
// What stands (a spread, a depth) is averaged over the time it stood; what happens (a move, an order) is summed, and both
// fade with half-lives. Only book messages wake them: a trade leaves the book's columns as they are.
#pragma once
#include <cmath>
#include <cstring>
#include <type_traits>

#include "features/parts.hpp"
#include "features/trades.hpp"

namespace smartcore {

// Size on each side down to level k, for every k.
struct Depths {
    struct Told {
        double bid[kDepth], ask[kDepth];
    };
    explicit Depths(Graph&) {}
    void update(const Top& t, In, Out out) noexcept {
        double b = 0, a = 0;
        for (std::uint32_t i = 0; i < kDepth; ++i) {
            out[i] = b += t.bid_size[i];
            out[kDepth + i] = a += t.ask_size[i];
        }
    }
};

// Bid less ask size over their sum, down to a level; 0 where sizes are unknown.
struct Imbalance {
    Imbalance(Graph& g, double level) : k(count_of(level) - 1), depths(g.part<Depths>()) {}
    void update(const Top&, In in, Out out) noexcept {
        const double b = in.lane(depths.lane + k), a = in.lane(depths.lane + kDepth + k);
        out[0] = a + b > 0 ? (b - a) / (b + a) : 0;
    }
    std::uint32_t k;
    Ref<Depths> depths;
};

// |ask - bid|. A crossed book is as far from fair as a wide one, and an average of sizes cannot cancel to nothing.
struct Width {
    explicit Width(Graph&) {}
    void update(const Top& t, In, Out out) noexcept { out[0] = std::fabs(t.ask[0] - t.bid[0]); }
};

// Distance of each level from the mid, and the sum of size times distance down to it. Distances are sums of differences of
// prices, which cost no digits at any price.
struct Distances {
    struct Told {
        double bid[kDepth], ask[kDepth], bid_sum[kDepth], ask_sum[kDepth];
    };
    explicit Distances(Graph&) {}
    void update(const Top& t, In, Out out) noexcept {
        const double half = 0.5 * (t.ask[0] - t.bid[0]);
        double b = 0, a = 0;
        for (std::uint32_t i = 0; i < kDepth; ++i) {
            const double db = half + (t.bid[0] - t.bid[i]), da = half + (t.ask[i] - t.ask[0]);
            out[i] = db, out[kDepth + i] = da;
            out[2 * kDepth + i] = b += i < t.bids ? t.bid_size[i] * db : 0;
            out[3 * kDepth + i] = a += i < t.asks ? t.ask_size[i] * da : 0;
        }
    }
};

// Log move of the mid since the message before, in bps; 0 where there is nothing to compare with. The mid is a sum of two
// decimals, so a widening on both sides may move it by a rounding: that is no move.
struct MidMove {
    explicit MidMove(Graph&) {}
    void update(const Top& t, In, Out out) noexcept {
        double move = 0;
        if (t.valid && !t.fresh) {
            const double change = 0.5 * ((t.bid[0] - bid) + (t.ask[0] - ask)), mid = t.mid();
            if (std::fabs(change) > 1e-14 * mid) move = 1e4 * log_step(change, 0.5 * (bid + ask), mid);
        }
        bid = t.bid[0], ask = t.ask[0];
        out[0] = move;
    }
    // ln(now / before) as log_ratio has it, to all digits of the change.
    static double log_step(double change, double before, double now) noexcept {
        const double s = change / (before + now), q = s * s;
        if (q < 0.00025) return 2 * s * (1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11))))));
        return std::log(now / before);
    }
    double bid = 0, ask = 0;
};

// Order-flow imbalance of one message at every level: what the bid queue gained less what the ask queue gained, where a
// better price counts as a whole new queue and a worse one as a lost one.
struct OrderFlow {
    struct Told {
        double flow[kDepth], size[kDepth];
    };
    explicit OrderFlow(Graph&) {}
    void update(const Top& t, In, Out out) noexcept {
        const std::uint32_t n = std::min(t.bids, t.asks);
        const bool follows = t.valid && !t.fresh;
        double* flow = &out[0];
        double* size = &out[kDepth];
        SMARTCORE_INDEPENDENT
        for (std::uint32_t i = 0; i < kDepth; ++i) {
            const double pb = t.bid[i], pa = t.ask[i], qb = t.bid_size[i], qa = t.ask_size[i];
            const double e = where(pb >= bid[i], qb) - where(pb <= bid[i], bid_size[i]) -
                             where(pa <= ask[i], qa) + where(pa >= ask[i], ask_size[i]);
            // a level that did not exist before, or does not now, says nothing
            flow[i] = where(follows & (i < n) & (i < levels), e);
            size[i] = where(t.valid, 0.5 * (qb + qa));
        }
        std::memcpy(bid, t.bid, sizeof bid), std::memcpy(ask, t.ask, sizeof ask);
        std::memcpy(bid_size, t.bid_size, sizeof bid_size), std::memcpy(ask_size, t.ask_size, sizeof ask_size);
        levels = n;
    }
    std::uint32_t levels = 0, unused = 0;
    double bid[kDepth] = {}, ask[kDepth] = {}, bid_size[kDepth] = {}, ask_size[kDepth] = {};
};

// What was traded since the message (or gap) before, by the side of the book that it was taken from.
struct Between {
    struct Told {
        double bid, ask, bid_count, ask_count;
    };
    explicit Between(Graph& g) : sign(g.part<TradeSign>()) {}
    void update(const Trade& t, In in) noexcept {
        const double s = in(sign);
        sum[0] += where(s < 0, t.size), sum[1] += where(s > 0, t.size);
        sum[2] += where(s < 0, 1), sum[3] += where(s > 0, 1);
    }
    void update(const Top&, In, Out out) noexcept {
        for (std::uint32_t i = 0; i < 4; ++i) out[i] = sum[i], sum[i] = 0;
    }
    Ref<TradeSign> sign;
    double sum[4] = {};
};

// ---- real time ----

// Like Decay, but from book message to book message: the factor 2^(-dt/half_life), what is lost (1 - factor, to all its
// digits also where dt is a microsecond), and the faded time since the first message in seconds.
struct Pace {
    struct Told {
        double factor, lost, span;
    };
    Pace(Graph&, double half_life) : rate(0.6931471805599453 / (half_life * 1e9)), tau(half_life / 0.6931471805599453) {}
    void update(const Top& t, In, Out out) noexcept {
        const double x = last == INT64_MIN ? 0 : rate * static_cast<double>(t.ts - last);
        double factor, lost;
        if (x < 0.03125) {  // by its series, a third of the time
            lost = x * (1 - x * (1.0 / 2) * (1 - x * (1.0 / 3) * (1 - x * (1.0 / 4) * (1 - x * (1.0 / 5) * (1 - x * (1.0 / 6) *
                   (1 - x * (1.0 / 7) * (1 - x * (1.0 / 8))))))));
            factor = 1 - lost;
        } else if (x < 0.5) {
            lost = -std::expm1(-x);
            factor = 1 - lost;
        } else {
            factor = std::exp(-x);
            lost = 1 - factor;
        }
        span = factor * span + tau * lost;
        last = t.ts;
        out[0] = factor, out[1] = lost, out[2] = span;
    }
    double rate, tau, span = 0;
    std::int64_t last = INT64_MIN;
};

inline double faded(double sum, double factor) noexcept {
    const double left = sum * factor;
    return where(std::fabs(left) >= 1e-300, left);
}

// One of the numbers that a source tells: by its place, or by the argument that the source is made with.
template <class S>
std::uint32_t lane_of(Graph& g, double which) {
    if constexpr (std::is_constructible_v<S, Graph&, double>) return g.part<S>(which).lane;
    else return g.part<S>().lane + count_of(which);
}

// Mean and variance over time of what a source tells: each value counts for as long as it stood. The first stands since
// for ever, and what stood before a gap stands through it.
template <class S>
struct Standing {
    struct Told {
        double mean, variance;
    };
    Standing(Graph& g, double which, double half_life) : pace(g.part<Pace>(half_life)), lane(lane_of<S>(g, which)) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto [factor, lost, span] = in(pace);
        if (known(x)) {
            const double away = mean - x;
            variance = faded(variance + lost * away * away, factor);
            mean = factor > 0.5 ? mean - lost * away : x + factor * away;  // from whichever weighs more
        }
        if (t.valid) {
            if (!known(x)) mean = in.lane(lane);
            x = in.lane(lane);
        }
        out[0] = mean, out[1] = variance;
    }
    Ref<Pace> pace;
    std::uint32_t lane, unused = 0;
    double x = kNaN, mean = kNaN, variance = 0;
};

// How fast what a source tells goes back to its own mean over time, as a rate per second: the regression of its jumps on
// the distance from the mean that they start from, over the time spent there. 0 where it never leaves its mean; a distance
// of less than a ten-thousandth of the value, or from a value of 0, of which rounding would be a part, is none.
template <class S>
struct Reversion {
    Reversion(Graph& g, double which, double half_life)
        : pace(g.part<Pace>(half_life)), tau(half_life / 0.6931471805599453), lane(lane_of<S>(g, which)) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto [factor, lost, span] = in(pace);
        const double before = faded(away, factor), jump = t.valid && known(x) ? in.lane(lane) - x : 0;
        const double least = x == 0 ? kInf : 1e-4 * std::fabs(x);  // of nothing, any rounding would be a distance
        squares = faded(squares, factor) + where(std::fabs(away) > least, away * away * lost * (1 + factor) * (0.5 * tau));
        jumps = faded(jumps, factor) - where(std::fabs(before) > least, jump * before);
        away = before + jump;  // x less its mean is the faded sum of its jumps
        if (t.valid) x = in.lane(lane);
        out[0] = squares > 1e-200 ? jumps / squares : 0;
    }
    Ref<Pace> pace;
    double tau, x = kNaN, away = 0, squares = 0, jumps = 0;
    std::uint32_t lane, unused = 0;
};

// Everything that a source tells, summed and fading. What happens to be 0 is 0.
template <class S>
struct Fading {
    using Told = typename ToldBy<S>::type;
    static constexpr std::uint32_t n = lanes_of<S>;
    Fading(Graph& g, double half_life) : source(g.part<S>()), pace(g.part<Pace>(half_life)) {}
    void update(const Top&, In in, Out out) noexcept {
        const double factor = in(pace).factor;
        const double* from = in.lanes + source.lane;  // lanes of a part lie side by side: two sums at once
        double* to = &out[0];
        SMARTCORE_INDEPENDENT
        for (std::uint32_t i = 0; i < n; ++i) to[i] = sum[i] = faded(sum[i], factor) + from[i];
    }
    Ref<S> source;
    Ref<Pace> pace;
    double sum[n] = {};
};

// What half-lives left of sizes is nothing: a flow in units of it would be without bounds.
inline constexpr double kNothing = 1e-180;
inline double share(double a, double b) noexcept { return b > 0 ? a / b : 0; }
inline double signed_share(double a, double b) noexcept { return b > 0 ? not_below(not_above(a / b, 1), -1) : 0; }
// In units of something positive; unknown where there is nothing of it, or only what half-lives left of it.
inline double over(double a, double unit) noexcept { return unit > 1e-100 ? a / unit : kNaN; }

}  // namespace smartcore
