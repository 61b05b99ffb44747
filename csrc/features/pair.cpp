// Pairs: this instrument beside a reference leg, at the ticks of a clock. Woken by Peer. While a leg's price is unknown
// (missing, or stale) the columns are.
#include "features/families.hpp"
#include "features/pairs.hpp"

namespace smartcore {
namespace {

using Line2 = Window<PairStep, Regression, Peer>;  // the last n returns of both
constexpr double kBps = 1e4;

struct PairCorrelation {
    static constexpr Meta meta{
        .name = "pair_correlation", .doc = "Correlation of own and reference returns at refresh times.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of the last `window` pairs of log returns; unknown when flat", "-1..1", -1, 1}}, .defaults = {{60}, {300}},
        .source = "Barndorff-Nielsen, Hansen, Lunde, Shephard 2011"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PairCorrelation(Graph& g, Params p) : step(g.part<PairStep>()), window(g.part<Line2>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(window).correlation() + in(step).mask; }
    Ref<PairStep> step;
    Ref<Line2> window;
};

struct PairBeta {
    static constexpr Meta meta{
        .name = "pair_beta", .doc = "Slope of own on reference returns at refresh times.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "least-squares slope of the last `window` pairs of log returns; unknown while the reference is flat", "number"}},
        .defaults = {{60}, {300}}, .source = "Barndorff-Nielsen and Shephard 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PairBeta(Graph& g, Params p) : step(g.part<PairStep>()), window(g.part<Line2>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(window).slope() + in(step).mask; }
    Ref<PairStep> step;
    Ref<Line2> window;
};

struct PairResidual {
    static constexpr Meta meta{
        .name = "pair_residual", .doc = "Own last return beyond what the reference's explains.", .params = {{"window", 4, 100'000}},
        .outputs = {{"", "residual of the newest pair / deviation of all residuals of the regression over the window; unknown where the line leaves none", "number"}},
        .defaults = {{60}, {300}}, .source = "Avellaneda and Lee 2010"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PairResidual(Graph& g, Params p) : n(p[0]), step(g.part<PairStep>()), window(g.part<Line2>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept {
        const Regression r = in(window);
        out[0] = (r.y - r.slope() * r.x) / std::sqrt(r.rest() / n) + in(step).mask;
    }
    double n;
    Ref<PairStep> step;
    Ref<Line2> window;
};

struct PairResidualVolatility {
    static constexpr Meta meta{
        .name = "pair_residual_volatility", .doc = "Idiosyncratic volatility: deviation of own returns around what the reference's explain.",
        .params = {{"window", 4, 100'000}}, .outputs = {{"", "1e4 sqrt(sum of squared residuals / window); unknown where the line leaves none", "bps", 0}},
        .defaults = {{60}, {300}}, .source = "Ang, Hodrick, Xing, Zhang 2006"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PairResidualVolatility(Graph& g, Params p) : inverse(1 / p[0]), step(g.part<PairStep>()), window(g.part<Line2>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = kBps * std::sqrt(in(window).rest() * inverse) + in(step).mask; }
    double inverse;
    Ref<PairStep> step;
    Ref<Line2> window;
};

struct PairVolatilityRatio {
    static constexpr Meta meta{
        .name = "pair_volatility_ratio", .doc = "Volatility of own returns against the reference's.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "ln(own deviation / reference deviation) over the window; unknown while one is flat", "log"}}, .defaults = {{60}, {300}},
        .source = "Alexander 2008, II.3"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PairVolatilityRatio(Graph& g, Params p) : step(g.part<PairStep>()), window(g.part<Line2>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept {
        const Regression r = in(window);
        out[0] = (r.xx > 0 && r.yy > 0 ? 0.5 * std::log(r.yy / r.xx) : kNaN) + in(step).mask;
    }
    Ref<PairStep> step;
    Ref<Line2> window;
};

struct PairCorrelationChange {
    static constexpr Meta meta{
        .name = "pair_correlation_change", .doc = "Recent correlation with the reference against the usual one.",
        .params = {{"fast", 3, 100'000}, {"slow", 3, 100'000}}, .outputs = {{"", "correlation over `fast` less that over `slow`; unknown when flat", "-2..2", -2, 2}},
        .defaults = {{20, 100}, {60, 300}}, .source = "Engle 2002"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])) + 1; }
    PairCorrelationChange(Graph& g, Params p) : step(g.part<PairStep>()), fast(g.part<Line2>(p[0])), slow(g.part<Line2>(p[1])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(fast).correlation() - in(slow).correlation() + in(step).mask; }
    Ref<PairStep> step;
    Ref<Line2> fast, slow;
};

struct PairStrength {
    static constexpr Meta meta{
        .name = "pair_strength", .doc = "Relative strength: own return less the reference's.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sum of (own - reference log return) over the window", "log"}}, .defaults = {{20}, {100}}, .source = "Levy 1967"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    using Sums = Window<Gap<PairStep, Peer>, Sum, Peer>;
    PairStrength(Graph& g, Params p) : step(g.part<PairStep>()), window(g.part<Sums>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(window).sum + in(step).mask; }
    Ref<PairStep> step;
    Ref<Sums> window;
};

struct PeerReturn {
    static constexpr Meta meta{
        .name = "peer_return", .doc = "Log return of the reference at refresh times.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sum of the reference's last `window` log returns", "log"}}, .defaults = {{5}, {20}, {100}},
        .source = "Moskowitz, Ooi, Pedersen 2012"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    using Sums = Window<Other<PairStep, Peer>, Sum, Peer>;
    PeerReturn(Graph& g, Params p) : step(g.part<PairStep>()), window(g.part<Sums>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(window).sum + in(step).mask; }
    Ref<PairStep> step;
    Ref<Sums> window;
};

struct PairConcordance {
    static constexpr Meta meta{
        .name = "pair_concordance", .doc = "How often both legs move the same way.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean of sign(own return) sign(reference return)", "-1..1", -1, 1}}, .defaults = {{20}, {100}}, .source = "Kendall 1938"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    struct Signs {
        explicit Signs(Graph& g) : step(g.part<PairStep>()) {}
        void update(const Peer&, In in, Out out) const noexcept {
            const double xy = in(step).own * in(step).peer;
            out[0] = known(xy) ? static_cast<double>(sign(in(step).own) * sign(in(step).peer)) : kNaN;
        }
        static int sign(double x) noexcept { return (x > 0) - (x < 0); }
        Ref<PairStep> step;
    };
    PairConcordance(Graph& g, Params p) : inverse(1 / p[0]), step(g.part<PairStep>()), window(g.part<Window<Signs, Sum, Peer>>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(window).sum * inverse + in(step).mask; }
    double inverse;
    Ref<PairStep> step;
    Ref<Window<Signs, Sum, Peer>> window;
};

struct PairLeadLag {
    static constexpr Meta meta{
        .name = "pair_lead_lag", .doc = "Who leads: correlation of own returns with earlier ones of the reference, less the other way round.",
        .params = {{"window", 3, 100'000}, {"lag", 1, 1'000}},
        .outputs = {{"", "corr(own[t], reference[t - lag]) - corr(reference[t], own[t - lag]); above 0 the reference leads; unknown when flat", "-2..2", -2, 2}},
        .defaults = {{60, 1}, {300, 1}, {300, 5}}, .source = "Lo and MacKinlay 1990"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]) + 1; }
    using Follows = Lagged<PairStep, Peer, true>;
    using Leads = Lagged<PairStep, Peer, false>;
    PairLeadLag(Graph& g, Params p) : step(g.part<PairStep>()), follows(g.arena(), count_of(p[0])), leads(g.arena(), count_of(p[0])),
                                      after(g.part<Follows>(p[1])), before(g.part<Leads>(p[1])) {}
    void update(const Peer&, In in, Out out) noexcept {
        const auto a = in(after);
        const auto b = in(before);
        if (known(a.before)) {
            const double gap = follows.push(in, {a.before, a.now}).correlation() - leads.push(in, {b.before, b.now}).correlation();
            if (follows.full()) value = gap;
        }
        out[0] = value + in(step).mask;
    }
    Ref<PairStep> step;
    Anchored<Comoments> follows, leads;
    Ref<Follows> after;
    Ref<Leads> before;
    double value = kNaN;
};

// A pair of intervals between observations counts when the later of them ends, that is at the Peer event then or next.
// Each end costs a few operations: an interval that ends overlaps with all that the other leg moved since this one began.
struct PairHayashiYoshida {
    static constexpr Meta meta{
        .name = "pair_hayashi_yoshida", .doc = "Correlation from asynchronous observations: own ones at every event, the reference's at its Peer events.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "sum of products of returns whose intervals overlap / sqrt(sum own^2 sum reference^2), by the Peer events of the window; unknown when flat", "number"}},
        .defaults = {{60}, {300}}, .source = "Hayashi and Yoshida 2005"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PairHayashiYoshida(Graph& g, Params p) : own(g.part<Own>()), window(g.arena(), count_of(p[0])) {}
    void update(const Bar& e, In in) noexcept { observe(e.ts, in(own)); }
    void update(const Trade& e, In in) noexcept { observe(e.ts, in(own)); }
    void update(const Top& e, In in) noexcept { observe(e.ts, in(own)); }
    void observe(std::int64_t ts, const Own::Told& o) noexcept {
        if (!known(o.price) || o.seen == seen) return;
        seen = o.seen;
        if (ts != own_ts && known(price)) peer_then = peer_mark;
        if (known(price)) {
            const double r = log_ratio(o.price, price);
            rr += r * r;
            if (known(peer_then)) c += r * log_ratio(peer, peer_then);
        } else {
            own_first = ts;
        }
        price = o.price, own_ts = ts, peer_mark = peer;
        // At one moment: two intervals that only touch do not overlap. At first: what was open before overlaps from here on.
        if (ts == peer_ts || ts == own_first) price_mark = price;
    }
    void update(const Peer& e, In in, Out out) noexcept {
        if (known(e.price) && e.updates > 0) {
            if (e.ts != peer_ts && known(peer)) price_then = price_mark;
            if (known(peer)) {
                const double r = log_ratio(e.price, peer);
                qq += r * r;
                if (known(price_then)) c += r * log_ratio(price, price_then);
                if (known(price)) begun = true;
            } else {
                peer_first = e.ts;
            }
            peer = e.price, peer_ts = e.ts, price_mark = price;
            if (e.ts == own_ts || e.ts == peer_first) peer_mark = peer;
            if (!begun) c = rr = qq = 0;
        }
        const bool live = known(e.price) && known(in(own).price);
        if (live && begun) {
            const Sum3 all = window.push(in, {c, rr, qq});
            c = rr = qq = 0;
            if (window.full()) value = all.second > 0 && all.third > 0 ? all.first / std::sqrt(all.second * all.third) : kNaN;
        }
        out[0] = live ? value : kNaN;
    }
    Ref<Own> own;
    Sliding<Sum3> window;
    // Own price: now, when the reference was last observed, and when it was at a time before that; and the other way round.
    double price = kNaN, price_mark = kNaN, price_then = kNaN;
    double peer = kNaN, peer_mark = kNaN, peer_then = kNaN;
    double c = 0, rr = 0, qq = 0, seen = 0, value = kNaN;
    std::int64_t own_ts = INT64_MIN, peer_ts = INT64_MIN, own_first = 0, peer_first = 0;
    std::uint64_t begun = false;
};

// Levels of ln(own / reference), by their steps.
using Spread = Window<Gap<PairStep, Peer>, Path, Peer>;

struct PairSpread {
    static constexpr Meta meta{
        .name = "pair_spread", .doc = "Log price ratio in standard deviations from its mean.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "(ln(own / reference) - mean) / deviation of the last `window` refresh times; unknown when flat", "number"}},
        .defaults = {{100}, {300}}, .source = "Gatev, Goetzmann, Rouwenhorst 2006"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    PairSpread(Graph& g, Params p) : step(g.part<PairStep>()), path(g.part<Spread>(p[0] - 1)) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(path).z() + in(step).mask; }
    Ref<PairStep> step;
    Ref<Spread> path;
};

struct PairReversion {
    static constexpr Meta meta{
        .name = "pair_reversion", .doc = "How fast the log price ratio returns to its mean; ln 2 over it is the half-life.", .params = {{"window", 4, 100'000}},
        .outputs = {{"", "- slope of its change on its level before, 1 - AR(1) coefficient, over the last `window` refresh times; unknown when flat", "1/tick"}},
        .defaults = {{100}, {300}}, .source = "Chan 2013, chapter 2"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    PairReversion(Graph& g, Params p) : step(g.part<PairStep>()), path(g.part<Spread>(p[0] - 1)) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(step).mask - in(path).slope(); }
    Ref<PairStep> step;
    Ref<Spread> path;
};

// Two paths at once, as Path: of the reference (x) and of own less reference (s), which stays small where they move
// together. Sums over the steps, of levels before them and of steps.
struct Paths {
    static Paths of(double dx, double ds) noexcept { return {1, dx, ds, 0, 0, 0, 0, 0, 0, 0, 0, 0, dx * dx, dx * ds, ds * ds}; }
    friend Paths operator+(const Paths& a, const Paths& b) noexcept {
        const double x = a.x, s = a.s, k = b.k;
        return {a.k + k, x + b.x, s + b.s,
                a.lx + (b.lx + k * x), a.ls + (b.ls + k * s),
                a.lxx + (b.lxx + x * (2 * b.lx + k * x)),
                a.lxs + (b.lxs + x * b.ls + s * b.lx + k * x * s),
                a.lss + (b.lss + s * (2 * b.ls + k * s)),
                a.xdx + (b.xdx + x * b.x), a.xds + (b.xds + x * b.s), a.sdx + (b.sdx + s * b.x), a.sds + (b.sds + s * b.s),
                a.dxx + b.dxx, a.dxs + b.dxs, a.dss + b.dss};
    }
    double k, x, s;            // steps; where they lead
    double lx, ls, lxx, lxs, lss;  // of levels before a step
    double xdx, xds, sdx, sds;     // of a level and the step from it
    double dxx, dxs, dss;          // of steps
};
struct BothPaths {
    using Told = Paths;
    BothPaths(Graph& g, double n) : step(g.part<PairStep>()), window(g.arena(), count_of(n) - 1) {}
    void update(const Peer&, In in, Out out) noexcept {
        const PairStep::Told t = in(step);
        if (!known(t.own)) return;
        const Paths p = window.push(in, Paths::of(t.peer, t.own - t.peer));
        if (!window.full()) return;
        const double all[] = {p.k, p.x, p.s, p.lx, p.ls, p.lxx, p.lxs, p.lss, p.xdx, p.xds, p.sdx, p.sds, p.dxx, p.dxs, p.dss};
        for (std::uint32_t i = 0; i < 15; ++i) out[i] = all[i];
    }
    Ref<PairStep> step;
    Sliding<Paths> window;
};

struct PairCointegration {
    static constexpr Meta meta{
        .name = "pair_cointegration", .doc = "Engle-Granger: whether what a line on the reference leaves of own log price returns to 0.", .params = {{"window", 10, 100'000}},
        .outputs = {{"", "Dickey-Fuller t of the residuals (no lags) over the last `window` refresh times: -3.3 is significant at 5 %; unknown where the line leaves none", "t"}},
        .defaults = {{100}, {300}}, .source = "Engle and Granger 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    PairCointegration(Graph& g, Params p) : step(g.part<PairStep>()), paths(g.part<BothPaths>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept {
        const Paths p = in(paths);
        const double n = p.k + 1, mx = (p.lx + p.x) / n, ms = (p.ls + p.s) / n;  // over all levels
        const double xx = p.lxx + p.x * p.x - n * mx * mx, xs = p.lxs + p.x * p.s - n * mx * ms, ss = p.lss + p.s * p.s - n * ms * ms;
        const double b = xs / xx, c = ms - b * mx;
        // w = s - b x, u = w - c; the change e of u on u before
        const double w = p.ls - b * p.lx, ww = p.lss - b * (2 * p.lxs - b * p.lxx), we = p.sds - b * (p.sdx + p.xds - b * p.xdx);
        const double e = p.s - b * p.x, ee = p.dss - b * (2 * p.dxs - b * p.dxx);
        const double uu = ww - c * (2 * w - c * p.k), ue = we - c * e, slope = ue / uu;
        const double error = (ee - slope * ue) / ((p.k - 1) * uu);
        const bool left = xx > 0 && ss - b * xs > 1e-9 * ss && uu > 1e-9 * (ss - b * xs) && ee > 0 && error > 0;
        out[0] = (left ? slope / std::sqrt(error) : kNaN) + in(step).mask;
    }
    Ref<PairStep> step;
    Ref<BothPaths> paths;
};

struct PairDiscovery {
    static constexpr Meta meta{
        .name = "pair_discovery", .doc = "Share of this instrument in price discovery: the leg that does not give way to their spread leads.",
        .params = {{"window", 10, 100'000}},
        .outputs = {{"", "|a reference| / (|a own| + |a reference|), a: slope of a leg's return on ln(own / reference) before; unknown when flat", "0..1", 0, 1}},
        .defaults = {{100}, {300}}, .source = "Gonzalo and Granger 1995; Hasbrouck 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    PairDiscovery(Graph& g, Params p) : step(g.part<PairStep>()), paths(g.part<BothPaths>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept {
        const Paths p = in(paths);
        const double sx = p.sdx - p.ls * (p.x / p.k), ss = p.sds - p.ls * (p.s / p.k);
        const double other = std::fabs(sx), own = std::fabs(ss + sx);
        const bool moves = p.lss - p.ls * (p.ls / p.k) > 1e-12 * p.lss && other + own > 0;
        out[0] = (moves ? other / (own + other) : kNaN) + in(step).mask;
    }
    Ref<PairStep> step;
    Ref<BothPaths> paths;
};

// own = b reference + noise, b a random walk whose steps have the deviation of b's own error after one tick over `memory`:
// its variance a tick is (noise variance / mean squared reference return) / memory^2, so that the filter forgets in about
// `memory` ticks. Noise and reference variance are averages over `memory` too. It begins as the regression through the
// origin of the first `memory` returns; a return of 0 of the reference tells nothing of b and is passed over.
struct PairKalman {
    static constexpr Meta meta{
        .name = "pair_kalman", .doc = "Hedge ratio by a Kalman filter on returns.", .params = {{"memory", 10, 100'000}},
        .outputs = {{"", "state of the filter after the newest pair of returns", "number"},
                    {"innovation", "newest own return less forecast, in deviations of the forecast", "number"}},
        .defaults = {{100}, {300}}, .source = "Chan 2013, chapter 3; Kalman 1960"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    PairKalman(Graph& g, Params p) : step(g.part<PairStep>()), n(p[0]), inverse(1 / p[0]) {}
    void update(const Peer&, In in, Out out) noexcept {
        const PairStep::Told t = in(step);
        if (known(t.own) && t.peer != 0) {
            if (count < n) begin(t.peer, t.own);
            else next(t.peer, t.own);
        }
        out[0] = (known(z) ? b : kNaN) + t.mask;
        out[1] = z + t.mask;
    }
    void begin(double x, double y) noexcept {
        count += 1;
        xx += x * x * inverse, xy += x * y * inverse, yy += y * y * inverse;
        if (count < n) return;
        b = xy / xx;
        noise = yy - xy * b;
        error = noise * inverse / xx;
        if (!(noise > 1e-12 * yy)) count = xx = xy = yy = 0;  // nothing to filter: begin again
    }
    void next(double x, double y) noexcept {
        const double before = error + noise / xx * (inverse * inverse);
        const double s = x * x * before + noise, e = y - b * x;
        if (!(s > 1e-280)) return;
        z = e / std::sqrt(s);
        b += before * x / s * e;
        error = before * (noise / s);
        noise += (e * e - noise) * inverse;
        xx += (x * x - xx) * inverse;
    }
    Ref<PairStep> step;
    double n, inverse, count = 0, xx = 0, xy = 0, yy = 0, b = 0, error = 0, noise = 0, z = kNaN;
};

struct PairSemiBeta {
    static constexpr Meta meta{
        .name = "pair_semi_beta", .doc = "Slope of own on reference returns, apart where the reference falls and where it rises.", .params = {{"window", 5, 100'000}},
        .outputs = {{"down", "sum own reference / sum reference^2 where the reference fell; unknown where it never did", "number"},
                    {"up", "the same where it rose", "number"}},
        .defaults = {{60}, {300}}, .source = "Ang, Chen, Xing 2006"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    PairSemiBeta(Graph& g, Params p) : step(g.part<PairStep>()), window(g.arena(), count_of(p[0])) {}
    void update(const Peer&, In in, Out out) noexcept {
        const PairStep::Told t = in(step);
        if (known(t.own)) {
            const double xx = t.peer * t.peer, xy = t.peer * t.own;
            const bool fell = t.peer < 0;
            const Sum4 s = window.push(in, {where(fell, xx), where(fell, xy), where(!fell, xx), where(!fell, xy)});
            if (window.full()) down = s.a > 0 ? s.b / s.a : kNaN, up = s.c > 0 ? s.d / s.c : kNaN;
        }
        out[0] = down + t.mask;
        out[1] = up + t.mask;
    }
    Ref<PairStep> step;
    Sliding<Sum4> window;
    double down = kNaN, up = kNaN;
};

struct PairCoexceedance {
    static constexpr Meta meta{
        .name = "pair_coexceedance", .doc = "How often large moves are shared. Large: further than 1.645 deviations from the mean of the window that ends with it.",
        .params = {{"window", 5, 100'000}},
        .outputs = {{"", "ticks at which both moves were large, the same way / ticks at which one was; unknown where none was", "0..1", 0, 1}},
        .defaults = {{100}, {300}}, .source = "Bae, Karolyi, Stulz 2003"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]); }
    PairCoexceedance(Graph& g, Params p) : least(1.645 * 1.645 / p[0]), step(g.part<PairStep>()), line(g.part<Line2>(p[0])), window(g.arena(), count_of(p[0])) {}
    void update(const Peer&, In in, Out out) noexcept {
        const Regression r = in(line);
        if (known(in(step).own) && known(r.xx)) {
            const bool own = r.y * r.y > least * r.yy, other = r.x * r.x > least * r.xx;
            const Sum2 all = window.push(in, {where(own && other && (r.x > 0) == (r.y > 0), 1), where(own || other, 1)});
            if (window.full()) value = all.second > 0 ? all.first / all.second : kNaN;
        }
        out[0] = value + in(step).mask;
    }
    double least;
    Ref<PairStep> step;
    Ref<Line2> line;
    Sliding<Sum2> window;
    double value = kNaN;
};

// Common jumps are what quadratic covariation has and bipower covariation has not.
struct PairCoJump {
    static constexpr Meta meta{
        .name = "pair_co_jump", .doc = "What common jumps add to the covariation of own and reference returns, as a correlation.", .params = {{"window", 5, 100'000}},
        .outputs = {{"", "(sum own reference - bipower covariation) / sqrt(sum own^2 sum reference^2); unknown when flat", "number"}},
        .defaults = {{60}, {300}}, .source = "Barndorff-Nielsen and Shephard 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    PairCoJump(Graph& g, Params p) : step(g.part<PairStep>()), window(g.arena(), count_of(p[0])) {}
    void update(const Peer&, In in, Out out) noexcept {
        const PairStep::Told t = in(step);
        if (known(t.own)) {
            const double plus = std::fabs(t.own + t.peer), minus = std::fabs(t.own - t.peer);
            if (known(last_plus)) {
                const Sum4 s = window.push(in, {t.own * t.peer, kEighthPi * (plus * last_plus - minus * last_minus), t.own * t.own, t.peer * t.peer});
                if (window.full()) value = s.c > 0 && s.d > 0 ? (s.a - s.b) / std::sqrt(s.c * s.d) : kNaN;
            }
            last_plus = plus, last_minus = minus;
        }
        out[0] = value + t.mask;
    }
    static constexpr double kEighthPi = 0.39269908169872414;
    Ref<PairStep> step;
    Sliding<Sum4> window;
    double last_plus = kNaN, last_minus = kNaN, value = kNaN;
};

// Volumes of a tick at which both prices are known.
struct Volumes {
    struct Told {
        double own, peer;
    };
    explicit Volumes(Graph& g) : own(g.part<Own>()), step(g.part<PairStep>()) {}
    void update(const Peer& e, In in, Out out) noexcept {
        out[0] = in(own).volume + in(step).mask;
        out[1] = e.volume;
    }
    static Sum2 aggregate(const Told& t) noexcept { return {t.own, t.peer}; }
    Ref<Own> own;
    Ref<PairStep> step;
};

struct PairVolumeRatio {
    static constexpr Meta meta{
        .name = "pair_volume_ratio", .doc = "Own volume against the reference's, recent against usual.", .params = {{"fast", 1, 100'000}, {"slow", 1, 100'000}},
        .outputs = {{"", "ln((own / reference volume of `fast` ticks) / (the same of `slow` ticks)); unknown where one did not trade", "log"}},
        .defaults = {{5, 60}, {20, 300}}, .source = "Lo and Wang 2000"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])); }
    using Sums = Window<Volumes, Sum2, Peer>;
    PairVolumeRatio(Graph& g, Params p) : step(g.part<PairStep>()), fast(g.part<Sums>(p[0])), slow(g.part<Sums>(p[1])) {}
    void update(const Peer&, In in, Out out) const noexcept {
        const Sum2 f = in(fast), s = in(slow);
        const bool traded = f.first > 0 && f.second > 0 && s.first > 0 && s.second > 0;
        out[0] = (traded ? (std::log(f.first) - std::log(f.second)) - (std::log(s.first) - std::log(s.second)) : kNaN) + in(step).mask;
    }
    Ref<PairStep> step;
    Ref<Sums> fast, slow;
};

struct PairFlowCorrelation {
    static constexpr Meta meta{
        .name = "pair_flow_correlation", .doc = "Correlation of own and reference net volume, tick by tick.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of net volume of the last `window` ticks; unknown when flat", "-1..1", -1, 1}}, .defaults = {{60}, {300}},
        .source = "Hasbrouck and Seppi 2001"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    struct Flows {
        struct Told {
            double peer, own;
        };
        explicit Flows(Graph& g) : own(g.part<Own>()), step(g.part<PairStep>()) {}
        void update(const Peer& e, In in, Out out) noexcept { out[0] = e.net + in(step).mask, out[1] = in(own).net; }
        static Pair aggregate(const Told& t) noexcept { return {t.peer, t.own}; }
        Ref<Own> own;
        Ref<PairStep> step;
    };
    PairFlowCorrelation(Graph& g, Params p) : step(g.part<PairStep>()), window(g.part<Window<Flows, Comoments, Peer>>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(window).correlation() + in(step).mask; }
    Ref<PairStep> step;
    Ref<Window<Flows, Comoments, Peer>> window;
};

struct PairFlowLead {
    static constexpr Meta meta{
        .name = "pair_flow_lead", .doc = "How far the reference's order flow leads own returns. Order flow: order-flow imbalance where it has a book, net volume elsewhere.",
        .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of own return with the reference's flow of the refresh interval before; unknown when flat", "-1..1", -1, 1}},
        .defaults = {{60}, {300}}, .source = "Cont, Cucuringu, Zhang 2023"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    struct Flow {
        struct Told {
            double before, now;
        };
        explicit Flow(Graph& g) : step(g.part<PairStep>()) {}
        void update(const Peer& e, In in, Out out) noexcept {
            const PairStep::Told t = in(step);
            flow += e.flow;
            out[0] = kNaN;
            if (!known(t.own)) return;
            out[0] = last;
            out[1] = t.own;
            last = flow;
            flow = 0;
        }
        static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
        Ref<PairStep> step;
        double flow = 0, last = kNaN;
    };
    PairFlowLead(Graph& g, Params p) : step(g.part<PairStep>()), window(g.part<Window<Flow, Comoments, Peer>>(p[0])) {}
    void update(const Peer&, In in, Out out) const noexcept { out[0] = in(window).correlation() + in(step).mask; }
    Ref<PairStep> step;
    Ref<Window<Flow, Comoments, Peer>> window;
};

struct PeerAge {
    static constexpr Meta meta{.name = "peer_age", .doc = "How old the reference's last event is.",
                               .outputs = {{"", "seconds at the tick; unknown before its first", "s", 0}}, .source = "Hasbrouck 2007, 2.1"};
    static int warmup(Params) { return 1; }
    PeerAge(Graph&, Params) {}
    void update(const Peer& e, In, Out out) noexcept { out[0] = e.age; }
};

struct RefreshShare {
    static constexpr Meta meta{
        .name = "refresh_share", .doc = "How often both legs had news: at the other ticks no return was sampled.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "share of the last `window` ticks that were refresh times", "0..1", 0, 1}}, .defaults = {{20}, {100}},
        .source = "Barndorff-Nielsen, Hansen, Lunde, Shephard 2011"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    RefreshShare(Graph& g, Params p) : inverse(1 / p[0]), step(g.part<PairStep>()), window(g.arena(), count_of(p[0])) {}
    void update(const Peer&, In in, Out out) noexcept {
        if (begun) {
            const double sum = window.push(in, Sum::of(where(known(in(step).own), 1))).sum;
            if (window.full()) out[0] = sum * inverse;
        }
        begun = true;
    }
    double inverse;
    Ref<PairStep> step;
    Sliding<Sum> window;
    std::uint64_t begun = false;
};

constexpr Kind kinds[] = {
    kind<PairCorrelation>, kind<PairBeta>, kind<PairResidual>, kind<PairResidualVolatility>, kind<PairVolatilityRatio>,
    kind<PairCorrelationChange>, kind<PairStrength>, kind<PeerReturn>, kind<PairConcordance>, kind<PairLeadLag>,
    kind<PairHayashiYoshida>, kind<PairSpread>, kind<PairReversion>, kind<PairCointegration>, kind<PairDiscovery>,
    kind<PairKalman>, kind<PairSemiBeta>, kind<PairCoexceedance>, kind<PairCoJump>, kind<PairVolumeRatio>,
    kind<PairFlowCorrelation>, kind<PairFlowLead>, kind<PeerAge>, kind<RefreshShare>};
}  // namespace

const Family pair{"pair", "cross-asset", kinds};

}  // namespace smartcore
