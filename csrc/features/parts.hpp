// Sub-results that several kernels share. A kernel names them in its constructor; each is computed once an event.
//
// A source has a `value` (NaN: none this event). Past, Window, Ordered and Smoothed are the last n values of a source,
// their aggregate, their order and their recursive average.
#pragma once
#include <cmath>

#include "base/aggregate.hpp"
#include "base/anchored.hpp"
#include "base/history.hpp"
#include "base/sliding.hpp"
#include "base/smooth.hpp"
#include "base/sorted.hpp"
#include "base/wide.hpp"
#include "features/feature.hpp"

namespace smartcore {

inline std::uint32_t count_of(double n) noexcept { return static_cast<std::uint32_t>(n); }

// ---- sources on bars: `of` where the bar alone tells, a node with a `value` where there is a past ----

struct Close {
    static double of(const Bar& b) noexcept { return b.close; }
};
struct High {
    static double of(const Bar& b) noexcept { return b.high; }
};
struct Low {
    static double of(const Bar& b) noexcept { return b.low; }
};
struct Volume {
    static double of(const Bar& b) noexcept { return b.volume; }
};
struct Typical {
    static double of(const Bar& b) noexcept { return (b.high + b.low + b.close) / 3; }
};
// Close less the close before.
struct Change {
    explicit Change(Graph&) {}
    void update(const Bar& b) noexcept {
        value = b.close - last;
        last = b.close;
    }
    double value = kNaN, last = kNaN;
};
struct AbsChange {
    explicit AbsChange(Graph& g) : change(g.part<Change>()) {}
    void update(const Bar&) noexcept { value = std::fabs(change->value); }
    Ref<Change> change;
    double value = kNaN;
};
struct LogReturn {
    explicit LogReturn(Graph&) {}
    void update(const Bar& b) noexcept {
        value = log_ratio(b.close, last);
        last = b.close;
    }
    double value = kNaN, last = kNaN;
};
struct SquaredReturn {
    explicit SquaredReturn(Graph& g) : r(g.part<LogReturn>()) {}
    void update(const Bar&) noexcept { value = r->value * r->value; }
    Ref<LogReturn> r;
    double value = kNaN;
};
// Wilder's: from the second bar on.
struct TrueRange {
    explicit TrueRange(Graph&) {}
    void update(const Bar& b) noexcept {
        value = known(last) ? (b.high > last ? b.high : last) - (b.low < last ? b.low : last) : kNaN;
        last = b.close;
    }
    double value = kNaN, last = kNaN;
};

// ---- what is kept of a source; E is the event that makes its values ----

// A source as its readers hold it: nothing where `of` tells, a reference to the shared node otherwise.
template <class S, class E>
struct Source {
    explicit Source(Graph& g) : node(g.part<S>()) {}
    double operator()(const E&) const noexcept { return node->value; }
    Ref<S> node;
};
template <class S, class E>
    requires requires(const E& e) { S::of(e); }
struct Source<S, E> {
    explicit Source(Graph&) {}
    double operator()(const E& e) const noexcept { return S::of(e); }
};

template <class S, class E = Bar>
struct Past {
    explicit Past(Graph& g) : source(g), values(g.arena(), 2) {}
    void update(const E& e) noexcept {
        const double x = source(e);
        if (known(x)) values.push(x);
    }
    bool has(std::uint64_t n) const noexcept { return values.has(n); }
    double ago(std::uint32_t n) const noexcept { return values.ago(n); }

    [[no_unique_address]] Source<S, E> source;
    History values;
};
template <class S, class E = Bar>
Past<S, E>* past(Graph& g, double n) {
    auto* p = g.part<Past<S, E>>();
    p->values.reserve(g.arena(), count_of(n));
    return p;
}

// Share of n values below x, ties counted half: 0..1.
inline double rank_of(double x, const double* values, std::uint32_t n) noexcept {
    const Below b = count_below(values, n, x);
    return (static_cast<double>(b.less) + 0.5 * static_cast<double>(b.equal)) / n;
}

template <class M>
using SlidingOf = std::conditional_t<requires { typename M::Sums; }, Anchored<M>, Sliding<M>>;

template <class S, class M, class E = Bar>
struct Window {
    Window(Graph& g, double n) : source(g), window(g.arena(), count_of(n)) {}
    void update(const E& e) noexcept {
        const double x = source(e);
        if (!known(x)) return;
        if constexpr (requires { S::aggregate(e); }) window.push(S::aggregate(e));
        else if constexpr (requires { source.node->aggregate(); }) window.push(source.node->aggregate());
        else if constexpr (requires { M::of(x); }) window.push(M::of(x));
        else window.push(x);
    }
    bool full() const noexcept { return window.full(); }
    const M& value() const noexcept { return window.value(); }

    [[no_unique_address]] Source<S, E> source;
    SlidingOf<M> window;
};

template <class S, class E = Bar>
struct Ordered {
    Ordered(Graph& g, double n) : source(g), values(g.arena(), count_of(n)) {}
    void update(const E& e) noexcept {
        const double x = source(e);
        if (known(x)) values.push(x);
    }
    [[no_unique_address]] Source<S, E> source;
    Sorted values;
};

template <class S, class E = Bar>
struct Ema {
    Ema(Graph& g, double n) : source(g), smooth(Smooth::ema(n)) {}
    void update(const E& e) noexcept {
        const double x = source(e);
        if (known(x)) smooth.push(x);
    }
    double value() const noexcept { return smooth.value(); }
    double below(double x) const noexcept { return smooth.ready() ? smooth.below(x) : kNaN; }  // x - value
    [[no_unique_address]] Source<S, E> source;
    Smooth smooth;
};

template <class S, class E = Bar>
struct Wilder {
    Wilder(Graph& g, double n) : source(g), smooth(Smooth::wilder(n)) {}
    void update(const E& e) noexcept {
        const double x = source(e);
        if (known(x)) smooth.push(x);
    }
    double value() const noexcept { return smooth.value(); }
    [[no_unique_address]] Source<S, E> source;
    Smooth smooth;
};

// ---- real time ----

// The factor 2^(-dt/half_life) since the event before, on every trade and every book message, and how much time its
// exponential window has seen so far (seconds; grows to half_life / ln 2), which makes rates unbiased from the start.
struct Decay {
    Decay(Graph&, double half_life) : rate(-0.6931471805599453 / (half_life * 1e9)), tau(half_life / 0.6931471805599453) {}
    void update(const Trade& t) noexcept { at(t.ts); }
    void update(const Top& t) noexcept { at(t.ts); }
    void at(std::int64_t ts) noexcept {
        if (ts == last) {
            factor = 1;
            return;
        }
        if (!begun) first = last = ts;
        factor = std::exp(rate * static_cast<double>(ts - last));
        unseen = unseen * factor < 1e-300 ? 0 : unseen * factor;
        span = tau * (unseen > 0.5 ? -std::expm1(rate * static_cast<double>(ts - first)) : 1 - unseen);
        last = ts;
        begun = true;
    }
    double rate, tau, factor = 1, unseen = 1, span = 0;
    std::int64_t first = 0, last = INT64_MIN;
    bool begun = false;
};
// A sum whose addends fade with a Decay.
struct Faded {
    void fade(double factor) noexcept { sum = std::fabs(sum * factor) < 1e-300 ? 0 : sum * factor; }
    double sum = 0;
};

}  // namespace smartcore
