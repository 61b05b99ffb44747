// What the statistical families share: returns beside earlier ones, and many sums over one window.
#pragma once
#include "base/tally.hpp"
#include "features/parts.hpp"

namespace smartcore {

// Sums side by side: one window for all of them costs little more than one for one of them.
template <std::uint32_t N>
struct Totals {
    double sum[N];
    friend Totals operator+(const Totals& a, const Totals& b) noexcept {
        Totals c;
        for (std::uint32_t i = 0; i < N; ++i) c.sum[i] = a.sum[i] + b.sum[i];
        return c;
    }
};
template <std::uint32_t N>
void tell(Out out, const Totals<N>& t) noexcept {
    for (std::uint32_t i = 0; i < N; ++i) out[i] = t.sum[i];
}

// |log return|, to the last bit the same for a move and for the same move back.
struct AbsReturn {
    explicit AbsReturn(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept {
        out[0] = b.close > last ? log_ratio(b.close, last) : log_ratio(last, b.close);
        last = b.close;
    }
    double last = kNaN;
};
// What orders moves up and down alike: it is the same number for a move and for the same move back.
struct MoveSize {
    explicit MoveSize(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept {
        out[0] = std::fabs(b.close - last) / (b.close + last);
        last = b.close;
    }
    double last = kNaN;
};

// The last values of a node that tells one number every bar; the first may be NaN.
template <class S>
struct Kept {
    struct Told {};
    explicit Kept(Graph& g) : source(g.part<S>()), values(g.arena(), 2 + kBlock) {}
    void update(const Bar&, In in) noexcept { values.push(in, in.lane(source.lane)); }
    Ref<S> source;
    History values;
};
template <class S>
Ref<Kept<S>> kept(Graph& g, double n) {
    const auto p = g.part<Kept<S>>();
    g[p].values.reserve(g.arena(), count_of(n) + 1 + kBlock);  // a block reads from before it
    return p;
}

// What X told some bars ago beside what Y tells now. X and Y are nodes that tell one number every bar, NaN at first.
template <class X, class Y, std::uint32_t Lag>
struct Beside {
    struct Told {
        double before, now;
    };
    explicit Beside(Graph& g) : x(g), y(g) {
        for (double& p : past) p = kNaN;
    }
    void update(const Bar& b, In in, Out out) noexcept {
        double before = x(b, in);
        for (std::uint32_t i = 0; i < Lag; ++i) std::swap(before, past[i]);
        const double now = y(b, in);
        out[0] = known(now) ? before : kNaN;
        out[1] = now;
    }
    static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
    [[no_unique_address]] Source<X, Bar> x;
    [[no_unique_address]] Source<Y, Bar> y;
    double past[Lag ? Lag : 1];
};

// The closes of n bars and the one before them, less the line from the first to the last, in deviations of their changes.
struct CloseBridge {
    struct Told {
        double range, most;  // highest less lowest / (deviation sqrt(n)); largest |distance| / (deviation sqrt(k (n - k) / n))
    };
    CloseBridge(Graph& g, double n)
        : closes(past<Close>(g, n + 1)), changes(g.part<Window<Change, Moments2>>(n)), weights(g.arena().array<double>(count_of(n) + 1)), n(count_of(n)) {
        double* w = g.arena().memory()[weights];
        for (std::uint32_t k = 1; k < count_of(n); ++k) w[k] = n / (k * (n - k));
    }
    void update(const Bar&, In in, Out out) const noexcept {
        const auto past = in.past(closes);
        const Moments2 c = in(changes);
        const double m2 = c.m2;
        // Of a straight line a rounding is left, which is no distance.
        if (!past.has(n + 1) || !(m2 > 1e-12 * n * (c.mean * c.mean))) {
            out[0] = out[1] = kNaN;
            return;
        }
        const Bridge b = bridge(past.last(n + 1), n, in.memory[weights]);
        out[0] = (b.high - b.low) / std::sqrt(m2);
        out[1] = std::sqrt(b.most * n / m2);
    }
    Ref<Past<Close>> closes;
    Ref<Window<Change, Moments2>> changes;
    Array<double> weights;
    std::uint32_t n;
};

}  // namespace smartcore
