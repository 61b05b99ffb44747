// Sub-results that several kernels share. A kernel names them in its constructor; each is computed once an event.
//
// A source tells a value first (NaN: none this event). Past, Window, Quantiles, Ema and Wilder are the last n values of a
// source, their aggregate, their order and their recursive averages.
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
struct Body {
    static double of(const Bar& b) noexcept { return b.close - b.open; }
};
struct BodyShare {  // of the range
    static double of(const Bar& b) noexcept {
        const double range = b.high - b.low;
        return range > 0 ? (b.close - b.open) / range : 0;
    }
};
struct MiddleAway {  // the middle of the bar less its close: the middle itself would be rounded
    static double of(const Bar& b) noexcept { return 0.5 * ((b.high - b.close) + (b.low - b.close)); }
};
// Close less the close before.
struct Change {
    explicit Change(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept {
        out[0] = b.close - last;
        last = b.close;
    }
    double last = kNaN;
};
struct AbsChange {
    explicit AbsChange(Graph& g) : change(g.part<Change>()) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = std::fabs(in(change)); }
    Ref<Change> change;
};
struct LogReturn {
    explicit LogReturn(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept {
        out[0] = log_ratio(b.close, last);
        last = b.close;
    }
    double last = kNaN;
};
struct SquaredReturn {
    explicit SquaredReturn(Graph& g) : r(g.part<LogReturn>()) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(r) * in(r); }
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
// Wilder's: from the second bar on.
struct TrueRange {
    explicit TrueRange(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept {
        out[0] = known(last) ? (b.high > last ? b.high : last) - (b.low < last ? b.low : last) : kNaN;
        last = b.close;
    }
    double last = kNaN;
};

// ---- what is kept of a source; E is the event that makes its values ----

// A source as its readers hold it: nothing where `of` tells, a reference to the shared node otherwise.
template <class S, class E>
struct Source {
    static constexpr bool always = false;  // every event gives a value
    explicit Source(Graph& g) : node(g.part<S>()) {}
    double operator()(const E&, In in) const noexcept { return in.lane(node.lane); }
    auto told(const E&, In in) const noexcept { return in(node); }
    Ref<S> node;
};
template <class S, class E>
    requires requires(const E& e) { S::of(e); }
struct Source<S, E> {
    static constexpr bool always = true;
    explicit Source(Graph&) {}
    double operator()(const E& e, In) const noexcept { return S::of(e); }
    const E& told(const E& e, In) const noexcept { return e; }
};

// Only of what the event itself tells: each gives one value, so that "a value ago" is "an event ago".
template <class S, class E = Bar>
    requires requires(const E& e) { S::of(e); }
struct Past {
    struct Told {};
    explicit Past(Graph& g) : values(g.arena(), 2 + kBlock) {}
    void update(const E& e, In in) noexcept { values.push(in, S::of(e)); }
    History values;
};
template <class S, class E = Bar>
Ref<Past<S, E>> past(Graph& g, double n) {
    const auto p = g.part<Past<S, E>>();
    g[p].values.reserve(g.arena(), count_of(n) + kBlock);  // a block reads from before it
    return p;
}

// The first sum as a share of the second; 0 of nothing, NaN while they are not known.
inline double share_of(const Sum2& s) noexcept { return s.second > 0 ? s.first / s.second : s.second; }

// Share of n values below x, ties counted half: 0..1.
inline double rank_of(double x, const double* values, std::uint32_t n) noexcept {
    return 0.5 * static_cast<double>(twice_below(values, n, x)) / n;
}

template <class M>
using SlidingOf = std::conditional_t<requires { typename M::Sums; }, Anchored<M>, Sliding<M>>;

inline void tell(Out out, const Sum& s) noexcept { out[0] = s.sum; }
inline void tell(Out out, const Sum2& s) noexcept { out[0] = s.first, out[1] = s.second; }
inline void tell(Out out, const Sum3& s) noexcept { out[0] = s.first, out[1] = s.second, out[2] = s.third; }
inline void tell(Out out, const Min& m) noexcept { out[0] = m.min; }
inline void tell(Out out, const Max& m) noexcept { out[0] = m.max; }
inline void tell(Out out, const Moments2& m) noexcept { out[0] = m.mean, out[1] = m.away, out[2] = m.m2; }
inline void tell(Out out, const Moments4& m) noexcept { out[0] = m.m2, out[1] = m.m3, out[2] = m.m4; }
inline void tell(Out out, const Line& l) noexcept { out[0] = l.mean, out[1] = l.m2, out[2] = l.sxy, out[3] = l.away; }
inline void tell(Out out, const Parabola& p) noexcept { out[0] = p.mean, out[1] = p.bend; }
inline void tell(Out out, const Comoments& c) noexcept { out[0] = c.xx, out[1] = c.yy, out[2] = c.xy; }

// Tells nothing until it is full.
template <class S, class M, class E = Bar>
struct Window {
    using Told = M;
    Window(Graph& g, double n) : source(g), window(g.arena(), count_of(n)) {}
    void update(const E& e, In in, Out out) noexcept {
        const double x = source(e, in);
        if (!source.always && !known(x)) return;
        M m;
        if constexpr (requires { S::aggregate(source.told(e, in)); }) m = window.push(in, S::aggregate(source.told(e, in)));
        else if constexpr (requires { M::of(x); }) m = window.push(in, M::of(x));
        else m = window.push(in, x);
        if (window.full()) tell(out, m);
    }
    [[no_unique_address]] Source<S, E> source;
    SlidingOf<M> window;
};

// Distances of the newest value from quantiles, each of which a reader has asked for and finds in its lane.
template <class S, class E = Bar>
struct Quantiles {
    static constexpr std::uint32_t kMost = 4;
    struct Told {
        double away[kMost], robust;
    };
    Quantiles(Graph& g, double n, double) : source(g), values(g.arena(), count_of(n)) {}
    void update(const E& e, In in, Out out) noexcept {
        const double x = source(e, in);
        if (!source.always && !known(x)) return;
        values.push(in, x);
        if (!values.full()) return;
        for (std::uint32_t i = 0; i < kMost; ++i)
            if (i < wanted) out[i] = values.above_quantile(in, x, quantile[i]);
        if (!robust) return;
        const auto [distance, mad] = values.robust(in, x);
        out[kMost] = ratio(distance, mad);
    }
    [[no_unique_address]] Source<S, E> source;
    Sorted values;
    double quantile[kMost] = {};
    std::uint32_t wanted = 0, robust = false;  // robust: distance from the median in median absolute deviations is wanted
};
// The lane of one quantile.
template <class S, class E = Bar>
std::uint32_t quantile(Graph& g, double n, double q) {
    for (double more = 0;; ++more) {
        const auto p = g.part<Quantiles<S, E>>(n, more);
        auto& part = g[p];
        if (part.wanted == part.kMost) continue;
        part.quantile[part.wanted] = q;
        return p.lane + part.wanted++;
    }
}

template <class S, class E = Bar>
struct Ema {
    struct Told {
        double value, low;
        double below(double x) const noexcept { return (x - value) - low; }  // x - value, to more digits than it has
    };
    Ema(Graph& g, double n) : source(g), smooth(Smooth::ema(n)) {}
    void update(const E& e, In in, Out out) noexcept {
        const double x = source(e, in);
        if (!source.always && !known(x)) return;
        smooth.push(x);
        if (smooth.ready()) out[0] = smooth.level, out[1] = smooth.low;
    }
    [[no_unique_address]] Source<S, E> source;
    Smooth smooth;
};

template <class S, class E = Bar>
struct Wilder {
    Wilder(Graph& g, double n) : source(g), smooth(Smooth::wilder(n)) {}
    void update(const E& e, In in, Out out) noexcept {
        const double x = source(e, in);
        if (!source.always && !known(x)) return;
        smooth.push(x);
        if (smooth.ready()) out[0] = smooth.level;
    }
    [[no_unique_address]] Source<S, E> source;
    Smooth smooth;
};

// What is measured in average ranges is measured in these.
inline auto usual_range(Graph& g) { return g.part<Wilder<TrueRange>>(14); }
// x of these; 0 where nothing ever moved, NaN while either is not known.
inline double in_ranges(double x, double range) noexcept { return range > 0 ? x / range : range * x; }

// ---- real time ----

// The factor 2^(-dt/half_life) since the event before, on every trade and every book message, and how much time its
// exponential window has seen so far (seconds; grows to half_life / ln 2), which makes rates unbiased from the start.
struct Decay {
    Decay(Graph&, double half_life) : rate(-0.6931471805599453 / (half_life * 1e9)), tau(half_life / 0.6931471805599453) {}
    struct Told {
        double factor, span;
    };
    void update(const Trade& t, In, Out out) noexcept { at(t.ts), out[0] = factor, out[1] = span; }
    void update(const Top& t, In, Out out) noexcept { at(t.ts), out[0] = factor, out[1] = span; }
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
