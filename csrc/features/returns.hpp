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

struct AbsReturn {
    explicit AbsReturn(Graph& g) : r(g.part<LogReturn>()) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::fabs(in(r)); }
    Ref<LogReturn> r;
};
// ln(high / low)^2.
struct SquaredRange {
    explicit SquaredRange(Graph&) {}
    void update(const Bar& b, In, Out out) const noexcept {
        const double x = log_ratio(b.high, b.low);
        out[0] = x * x;
    }
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

}  // namespace smartcore
