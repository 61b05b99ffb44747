// Baskets: this instrument among all those of a panel, at the ticks of its clock. Woken by Basket (the cross-section of a
// tick) and by Factor (first principal component).
#include "features/families.hpp"
#include "features/pairs.hpp"

namespace smartcore {
namespace {

using Line2 = Window<BasketStep, Regression, Basket>;  // the last n returns, own and of the others' mean
constexpr double kBps = 1e4;

struct BasketDispersion {
    static constexpr Meta meta{.name = "basket_dispersion", .doc = "How far the returns of a panel's instruments lie apart at this tick.",
                               .outputs = {{"", "1e4 standard deviation of their log returns; unknown where fewer than two had news", "bps", 0}},
                               .source = "Solnik and Roulet 2000"};
    static int warmup(Params) { return 2; }
    BasketDispersion(Graph&, Params) {}
    void update(const Basket& b, In, Out out) noexcept { out[0] = kBps * b.dispersion; }
};

struct BasketDispersionRank {
    static constexpr Meta meta{
        .name = "basket_dispersion_rank", .doc = "Rank of the dispersion among its last values.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "share of the window below it, ties half", "0..1", 0, 1}}, .defaults = {{100}, {300}}, .source = "Solnik and Roulet 2000"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BasketDispersionRank(Graph& g, Params p) : n(count_of(p[0])), past(g.arena(), count_of(p[0])) {}
    void update(const Basket& b, In in, Out out) noexcept {
        if (!known(b.dispersion)) return;
        past.push(in, b.dispersion);
        if (past.view(in).has(n)) out[0] = rank_of(b.dispersion, past.view(in).last(n), n);
    }
    std::uint32_t n, unused = 0;
    History past;
};

struct BasketRank {
    static constexpr Meta meta{
        .name = "basket_rank", .doc = "Rank of own return among the panel's, faded over ticks.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "exponential average of the rank, 0 lowest, 1 highest; begins as the plain mean of the first `window`", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Jegadeesh and Titman 1993"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BasketRank(Graph&, Params p) : smooth(Smooth::ema(p[0])) {}
    void update(const Basket& b, In, Out out) noexcept {
        if (!known(b.rank)) return;
        smooth.push(b.rank);
        if (smooth.ready()) out[0] = not_below(not_above(smooth.level, 1), 0);
    }
    Smooth smooth;
};

struct BasketBreadth {
    static constexpr Meta meta{
        .name = "basket_breadth", .doc = "How many more of the panel's instruments rise than fall.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "mean of (share that rose - share that fell) over the window", "-1..1", -1, 1}}, .defaults = {{5}, {20}},
        .source = "Zweig 1986"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BasketBreadth(Graph& g, Params p) : inverse(1 / p[0]), window(g.arena(), count_of(p[0])) {}
    void update(const Basket& b, In in, Out out) noexcept {
        if (!known(b.breadth)) return;
        const double sum = window.push(in, Sum::of(b.breadth)).sum;
        if (window.full()) out[0] = not_below(not_above(sum * inverse, 1), -1);
    }
    double inverse;
    Sliding<Sum> window;
};

struct BasketFlow {
    static constexpr Meta meta{
        .name = "basket_flow", .doc = "Cross-asset order flow: mean of the others', each in units of its own usual size.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "mean over the window", "usual flows"}}, .defaults = {{5}, {20}}, .source = "Cont, Cucuringu, Zhang 2023"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BasketFlow(Graph& g, Params p) : inverse(1 / p[0]), window(g.arena(), count_of(p[0])) {}
    void update(const Basket& b, In in, Out out) noexcept {
        if (!known(b.flow)) return;
        const double sum = window.push(in, Sum::of(b.flow)).sum;
        if (window.full()) out[0] = sum * inverse;
    }
    double inverse;
    Sliding<Sum> window;
};

struct BasketFresh {
    static constexpr Meta meta{
        .name = "basket_fresh", .doc = "How much of the panel has news: below 1 some of it is stale.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "mean share of instruments with news over the last `window` ticks", "0..1", 0, 1}}, .defaults = {{20}},
        .source = "Epps 1979"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    BasketFresh(Graph& g, Params p) : inverse(1 / p[0]), window(g.arena(), count_of(p[0])) {}
    void update(const Basket& b, In in, Out out) noexcept {
        const double sum = window.push(in, Sum::of(b.fresh)).sum;
        if (window.full()) out[0] = not_above(sum * inverse, 1);
    }
    double inverse;
    Sliding<Sum> window;
};

struct BasketReturn {
    static constexpr Meta meta{
        .name = "basket_return", .doc = "Log return of the other instruments, equally weighted.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "sum of their mean return over own last `window` refresh times", "log"}}, .defaults = {{5}, {20}},
        .source = "Moskowitz and Grinblatt 1999"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    using Sums = Window<Other<BasketStep, Basket>, Sum, Basket>;
    BasketReturn(Graph& g, Params p) : window(g.part<Sums>(p[0])) {}
    void update(const Basket&, In in, Out out) const noexcept { out[0] = in(window).sum; }
    Ref<Sums> window;
};

struct BasketCorrelation {
    static constexpr Meta meta{
        .name = "basket_correlation", .doc = "Correlation of own returns with the mean of the others'.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of the last `window` pairs; unknown when flat", "-1..1", -1, 1}}, .defaults = {{60}, {300}},
        .source = "Pollet and Wilson 2010"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BasketCorrelation(Graph& g, Params p) : window(g.part<Line2>(p[0])) {}
    void update(const Basket&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Line2> window;
};

struct BasketBeta {
    static constexpr Meta meta{
        .name = "basket_beta", .doc = "Slope of own returns on the mean of the others'.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "least-squares slope of the last `window` pairs; unknown while the others are flat", "number"}}, .defaults = {{60}, {300}},
        .source = "Sharpe 1964"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BasketBeta(Graph& g, Params p) : window(g.part<Line2>(p[0])) {}
    void update(const Basket&, In in, Out out) const noexcept { out[0] = in(window).slope(); }
    Ref<Line2> window;
};

struct BasketResidual {
    static constexpr Meta meta{
        .name = "basket_residual", .doc = "Own last return beyond what the others' mean explains.", .params = {{"window", 4, 100'000}},
        .outputs = {{"", "residual of the newest pair / deviation of all residuals of the regression over the window; unknown where the line leaves none", "number"}},
        .defaults = {{60}, {300}}, .source = "Avellaneda and Lee 2010"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BasketResidual(Graph& g, Params p) : n(p[0]), window(g.part<Line2>(p[0])) {}
    void update(const Basket&, In in, Out out) const noexcept {
        const Regression r = in(window);
        out[0] = (r.y - r.slope() * r.x) / std::sqrt(r.rest() / n);
    }
    double n;
    Ref<Line2> window;
};

struct BasketResidualMomentum {
    static constexpr Meta meta{
        .name = "basket_residual_momentum", .doc = "Own return of the last ticks beyond the others', by the usual beta, in deviations of the residual.",
        .params = {{"fast", 1, 100'000}, {"slow", 4, 100'000}},
        .outputs = {{"", "(own - beta others, summed over `fast`) / (residual deviation over `slow` sqrt(fast)); unknown where the line leaves none", "number"}},
        .defaults = {{5, 60}, {20, 300}}, .source = "Blitz, Huij, Martens 2011"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1])) + 1; }
    BasketResidualMomentum(Graph& g, Params p) : root(std::sqrt(p[0] / p[1])), step(g.part<BasketStep>()), slow(g.part<Line2>(p[1])), fast(g.arena(), count_of(p[0])) {}
    void update(const Basket&, In in, Out out) noexcept {
        const BasketStep::Told t = in(step);
        if (!known(t.own)) return;
        const Sum2 sum = fast.push(in, {t.own, t.other});
        const Regression r = in(slow);
        if (fast.full()) out[0] = (sum.first - r.slope() * sum.second) / (std::sqrt(r.rest()) * root);
    }
    double root;
    Ref<BasketStep> step;
    Ref<Line2> slow;
    Sliding<Sum2> fast;
};

struct BasketLead {
    static constexpr Meta meta{
        .name = "basket_lead", .doc = "Who leads: correlation of the others' mean return with own ones before, less the other way round.",
        .params = {{"window", 3, 100'000}},
        .outputs = {{"", "corr(others[t], own[t - 1]) - corr(own[t], others[t - 1]); above 0 this instrument leads; unknown when flat", "-2..2", -2, 2}},
        .defaults = {{60}, {300}}, .source = "Lo and MacKinlay 1990"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    using Follows = Lagged<BasketStep, Basket, true>;
    using Leads = Lagged<BasketStep, Basket, false>;
    BasketLead(Graph& g, Params p) : follows(g.arena(), count_of(p[0])), leads(g.arena(), count_of(p[0])), after(g.part<Follows>(1.0)), before(g.part<Leads>(1.0)) {}
    void update(const Basket&, In in, Out out) noexcept {
        const auto a = in(after);
        const auto b = in(before);
        if (!known(a.before)) return;
        const double gap = leads.push(in, {b.before, b.now}).correlation() - follows.push(in, {a.before, a.now}).correlation();
        if (follows.full()) out[0] = gap;
    }
    Anchored<Comoments> follows, leads;
    Ref<Follows> after;
    Ref<Leads> before;
};

struct BasketFlowLead {
    static constexpr Meta meta{
        .name = "basket_flow_lead", .doc = "How far the others' order flow leads own returns.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of own return with the others' flow up to own last refresh time; unknown when flat", "-1..1", -1, 1}},
        .defaults = {{60}, {300}}, .source = "Cont, Cucuringu, Zhang 2023"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    struct Flow {
        struct Told {
            double before, now;
        };
        explicit Flow(Graph& g) : step(g.part<BasketStep>()) {}
        void update(const Basket& b, In in, Out out) noexcept {
            const BasketStep::Told t = in(step);
            if (known(b.flow)) flow += b.flow;
            out[0] = kNaN;
            if (!known(t.own)) return;
            out[0] = last;
            out[1] = t.own;
            last = flow;
            flow = 0;
        }
        static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
        Ref<BasketStep> step;
        double flow = 0, last = kNaN;
    };
    BasketFlowLead(Graph& g, Params p) : window(g.part<Window<Flow, Comoments, Basket>>(p[0])) {}
    void update(const Basket&, In in, Out out) const noexcept { out[0] = in(window).correlation(); }
    Ref<Window<Flow, Comoments, Basket>> window;
};

struct BasketDistance {
    static constexpr Meta meta{
        .name = "basket_distance", .doc = "Own price against the basket's, in standard deviations from the mean of the window.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "z-score of the sum of (own - others' mean log return); unknown when flat", "number"}}, .defaults = {{20}, {100}},
        .source = "Avellaneda and Lee 2010"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    using Levels = Window<Gap<BasketStep, Basket>, Path, Basket>;
    BasketDistance(Graph& g, Params p) : path(g.part<Levels>(p[0] - 1)) {}
    void update(const Basket&, In in, Out out) const noexcept { out[0] = in(path).z(); }
    Ref<Levels> path;
};

struct FactorShare {
    static constexpr Meta meta{.name = "factor_share", .doc = "Share of the first principal component in the variance of the panel's returns, each in its own deviations.",
                               .outputs = {{"", "largest eigenvalue / trace of their faded second moments", "0..1", 0, 1}},
                               .source = "Kritzman, Li, Page, Rigobon 2011"};
    static int warmup(Params) { return 3; }
    FactorShare(Graph&, Params) {}
    void update(const Factor& f, In, Out out) noexcept { out[0] = f.share; }
};

struct FactorShareChange {
    static constexpr Meta meta{
        .name = "factor_share_change", .doc = "Change of the first component's share: instruments fall into step, or out of it.", .params = {{"window", 1, 10'000}},
        .outputs = {{"", "share less that `window` ticks before", "-1..1", -1, 1}}, .defaults = {{20}, {100}},
        .source = "Kritzman, Li, Page, Rigobon 2011"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 3; }
    FactorShareChange(Graph& g, Params p) : n(count_of(p[0])), past(g.arena(), count_of(p[0]) + 1) {}
    void update(const Factor& f, In in, Out out) noexcept {
        if (!known(f.share)) return;
        past.push(in, f.share);
        if (past.view(in).has(n + 1)) out[0] = f.share - past.view(in).ago(n);
    }
    std::uint32_t n, unused = 0;
    History past;
};

struct FactorLoading {
    static constexpr Meta meta{.name = "factor_loading", .doc = "Loading of this instrument on the first component: how much it moves with all.",
                               .outputs = {{"", "component of the unit eigenvector times the root of the number of instruments", "number"}},
                               .source = "Avellaneda and Lee 2010"};
    static int warmup(Params) { return 3; }
    FactorLoading(Graph&, Params) {}
    void update(const Factor& f, In, Out out) noexcept { out[0] = f.loading; }
};

struct FactorResidual {
    static constexpr Meta meta{
        .name = "factor_residual", .doc = "Own last return beyond what the first component explains.", .params = {{"window", 4, 100'000}},
        .outputs = {{"", "residual of the newest pair / deviation of all residuals of the regression over the window; unknown where the line leaves none", "number"}},
        .defaults = {{60}, {300}}, .source = "Avellaneda and Lee 2010"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    using Scores = Window<FactorStep, Regression, Factor>;
    FactorResidual(Graph& g, Params p) : n(p[0]), window(g.part<Scores>(p[0])) {}
    void update(const Factor&, In in, Out out) const noexcept {
        const Regression r = in(window);
        out[0] = (r.y - r.slope() * r.x) / std::sqrt(r.rest() / n);
    }
    double n;
    Ref<Scores> window;
};

constexpr Kind kinds[] = {
    kind<BasketDispersion>, kind<BasketDispersionRank>, kind<BasketRank>, kind<BasketBreadth>, kind<BasketFlow>, kind<BasketFresh>,
    kind<BasketReturn>, kind<BasketCorrelation>, kind<BasketBeta>, kind<BasketResidual>, kind<BasketResidualMomentum>, kind<BasketLead>,
    kind<BasketFlowLead>, kind<BasketDistance>, kind<FactorShare>, kind<FactorShareChange>, kind<FactorLoading>, kind<FactorResidual>};
}  // namespace

const Family basket{"basket", "cross-asset", kinds};

}  // namespace smartcore
