// What the families pair and basket share: this instrument beside others, at the ticks of a clock.
//
// Two legs are compared where both have news (refresh times: Barndorff-Nielsen, Hansen, Lunde, Shephard 2011): a return
// is that since the last tick at which both had. A tick at which one has none gives no sample; nothing is filled in.
#pragma once
#include "features/parts.hpp"
#include "market/leg.hpp"

namespace smartcore {

// This instrument's own leg, in the terms in which a Peer tells of another one.
struct Own {
    struct Told {
        double price, seen;  // seen: how often it had news; a reader that remembers it knows whether there is more
        double volume, net, flow;  // since the last Peer, as of this one
    };
    explicit Own(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept { leg.bar(b), tell(out); }
    void update(const Trade& t, In, Out out) noexcept { leg.trade(t), tell(out); }
    void update(const Top& t, In, Out out) noexcept { leg.top(t), tell(out); }
    void update(const Peer&, In, Out out) noexcept {
        out[2] = leg.volume, out[3] = leg.net, out[4] = leg.flow;
        leg.take();
    }
    void tell(Out out) const noexcept { out[0] = leg.price, out[1] = leg.seen; }
    Leg leg;
};

// Returns of both legs between refresh times. `own` is NaN where this tick is none; `mask` is 0 while both prices are
// known, NaN otherwise: added to a column it hides it.
struct PairStep {
    struct Told {
        double own, peer, mask;
    };
    explicit PairStep(Graph& g) : own(g.part<Own>()) {}
    void update(const Peer& e, In in, Out out) noexcept {
        const Own::Told o = in(own);
        const bool live = known(e.price) && known(o.price);
        out[0] = out[1] = kNaN;
        out[2] = live ? 0 : kNaN;
        if (e.updates > 0) news = true;
        if (!live || !news || o.seen == seen) return;
        out[0] = log_ratio(o.price, last_own);
        out[1] = log_ratio(e.price, last_peer);
        last_own = o.price, last_peer = e.price, seen = o.seen, news = false;
    }
    static Pair aggregate(const Told& t) noexcept { return {t.peer, t.own}; }
    Ref<Own> own;
    double last_own = kNaN, last_peer = kNaN, seen = 0;
    std::uint64_t news = false;
};

// The same against a number that comes with each tick, and adds up until this instrument has news.
template <class E>
double addend(const E& e) noexcept;
template <>
inline double addend(const Basket& e) noexcept { return e.mean; }
template <>
inline double addend(const Factor& e) noexcept { return e.score; }

template <class E>
struct Step {
    struct Told {
        double own, other;
    };
    explicit Step(Graph& g) : own(g.part<Own>()) {}
    void update(const E& e, In in, Out out) noexcept {
        const Own::Told o = in(own);
        const double x = addend(e);
        out[0] = out[1] = kNaN;
        if (known(x)) sum += x, news = begun = true;
        if (o.seen == seen || !known(o.price) || (known(last) && begun && !news)) return;
        if (known(last) && begun) out[0] = log_ratio(o.price, last), out[1] = sum;
        last = o.price, seen = o.seen, sum = 0, news = false;
    }
    static Pair aggregate(const Told& t) noexcept { return {t.other, t.own}; }
    Ref<Own> own;
    double last = kNaN, seen = 0, sum = 0;
    std::uint32_t news = false, begun = false;
};
using BasketStep = Step<Basket>;
using FactorStep = Step<Factor>;

inline double own_of(const PairStep::Told& t) noexcept { return t.own; }
inline double other_of(const PairStep::Told& t) noexcept { return t.peer; }
template <class T>
double own_of(const T& t) noexcept { return t.own; }
template <class T>
double other_of(const T& t) noexcept { return t.other; }

// Own return less the other's.
template <class S, class E>
struct Gap {
    explicit Gap(Graph& g) : step(g.part<S>()) {}
    void update(const E&, In in, Out out) const noexcept { out[0] = own_of(in(step)) - other_of(in(step)); }
    Ref<S> step;
};
template <class S, class E>
struct Other {
    explicit Other(Graph& g) : step(g.part<S>()) {}
    void update(const E&, In in, Out out) const noexcept { out[0] = other_of(in(step)); }
    Ref<S> step;
};

// One leg's return beside the other's `lag` samples before.
template <class S, class E, bool OtherFirst>
struct Lagged {
    struct Told {
        double before, now;
    };
    Lagged(Graph& g, double lag) : step(g.part<S>()), past(g.arena(), count_of(lag) + 1), lag(count_of(lag)) {}
    void update(const E&, In in, Out out) noexcept {
        const auto t = in(step);
        out[0] = kNaN;
        if (!known(own_of(t))) return;
        past.push(in, OtherFirst ? other_of(t) : own_of(t));
        if (!past.view(in).has(lag + 1)) return;
        out[0] = past.view(in).ago(lag);
        out[1] = OtherFirst ? own_of(t) : other_of(t);
    }
    static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
    Ref<S> step;
    History past;
    std::uint32_t lag, unused = 0;
};

// Comoments, and how far the newest point is from the means. y: own, x: the other.
struct Regression {
    using Point = Pair;
    using Sums = Comoments::Sums;
    static void append(Sums& s, const Pair& d, double) noexcept { Comoments::prepend(s, d); }
    static void prepend(Sums& s, const Pair& d) noexcept { Comoments::prepend(s, d); }
    static Sums join(const Sums& a, const Sums& b, double) noexcept { return Comoments::join(a, b, 0); }
    static Regression of(const Sums& s, const Pair& d, const Pair&, const Length& l) noexcept {
        const double x = s.x * l.inverse, y = s.y * l.inverse;
        return {not_below(s.xx - s.x * x, 0), not_below(s.yy - s.y * y, 0), s.xy - s.x * y, d.x - x, d.y - y};
    }
    double correlation() const noexcept {
        return xx > 0 && yy > 0 ? not_below(not_above(xy / std::sqrt(xx * yy), 1), -1) : kNaN;
    }
    double slope() const noexcept { return xx > 0 ? xy / xx : kNaN; }
    // Sum of squares that the line leaves; NaN where it leaves nothing but rounding.
    double rest() const noexcept {
        const double r = yy - xy * (xy / xx);
        return xx > 0 && r > 1e-9 * yy ? r : kNaN;
    }
    double xx, yy, xy, x, y;
};
inline void tell(Out out, const Regression& r) noexcept {
    out[0] = r.xx, out[1] = r.yy, out[2] = r.xy, out[3] = r.x, out[4] = r.y;
}

// Levels of a sum of steps, by how they join: steps d[1] .. d[k] lead from level 0 to `end`; `level` is the level before a
// step. Told of the last k steps it is a window of k + 1 levels, measured from the oldest of them.
struct Path {
    static Path of(double d) noexcept { return {1, d, 0, 0, 0, d * d}; }
    friend Path operator+(const Path& a, const Path& b) noexcept {
        return {a.k + b.k, a.end + b.end, a.level + (b.level + b.k * a.end),
                a.level2 + (b.level2 + a.end * (2 * b.level + b.k * a.end)), a.cross + (b.cross + a.end * b.end), a.step2 + b.step2};
    }
    // The newest level in standard deviations from the mean of the k + 1.
    double z() const noexcept {
        const double n = k + 1, mean = (level + end) / n, m2 = level2 + end * end - n * mean * mean;
        return m2 > 1e-12 * (level2 + end * end) ? (end - mean) / std::sqrt(m2 / n) : kNaN;
    }
    // Slope of a step on the level before it.
    double slope() const noexcept {
        const double xx = level2 - level * (level / k);
        return xx > 1e-12 * level2 ? (cross - level * (end / k)) / xx : kNaN;
    }
    double k, end, level, level2, cross, step2;
};
inline void tell(Out out, const Path& p) noexcept {
    out[0] = p.k, out[1] = p.end, out[2] = p.level, out[3] = p.level2, out[4] = p.cross, out[5] = p.step2;
}

struct Sum4 {
    double a, b, c, d;
    friend Sum4 operator+(const Sum4& x, const Sum4& y) noexcept { return {x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d}; }
};

}  // namespace smartcore
