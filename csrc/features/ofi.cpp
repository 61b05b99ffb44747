// Order-flow imbalance: what was added to the bids less what was added to the asks, at one level or at many, and what it
// does to the mid.
#include "features/book.hpp"
#include "features/families.hpp"

namespace smartcore {
namespace {

struct Ofi {
    static constexpr Meta meta{
        .name = "ofi", .doc = "Order-flow imbalance at a level, fading with a half-life, in units of the level's mean size.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of e / (faded mean of (bid + ask size) / 2); 0 where sizes are unknown", "queues"}},
        .defaults = {{1, 1}, {1, 10}, {2, 10}, {3, 10}, {4, 10}, {5, 10}, {10, 10}, {1, 60}, {1, 300}},
        .source = "Cont, Kukanov, Stoikov 2014; Xu, Gould, Howison 2018"};
    static int warmup(Params) { return 1; }
    Ofi(Graph& g, Params p) : k(count_of(p[0]) - 1), decay(g.part<Decay>(p[1])), order(g.part<OrderFlow>()) {}
    void update(const Trade&, In in) noexcept { fade(in(decay).factor); }
    void update(const Top& t, In in, Out out) noexcept {
        fade(in(decay).factor);
        if (!t.valid) {
            out[0] = kNaN;
            return;
        }
        flow.sum += in.lane(order.lane + k);
        size.sum += in.lane(order.lane + kDepth + k);
        messages.sum += 1;
        out[0] = size.sum > kNothing ? flow.sum * messages.sum / size.sum : 0;
    }
    void fade(double factor) noexcept { flow.fade(factor), size.fade(factor), messages.fade(factor); }
    std::uint32_t k;
    Ref<Decay> decay;
    Ref<OrderFlow> order;
    Faded flow, size, messages;
};

// Flow and size of all levels down to one.
struct Levels {
    struct Told {
        double flow, size;
    };
    Levels(Graph& g, double level) : k(count_of(level)), order(g.part<OrderFlow>()) {}
    void update(const Top&, In in, Out out) noexcept {
        double e = 0, q = 0;
        for (std::uint32_t i = 0; i < k; ++i) e += in.lane(order.lane + i), q += in.lane(order.lane + kDepth + i);
        out[0] = e, out[1] = q;
    }
    std::uint32_t k;
    Ref<OrderFlow> order;
};

struct IntegratedOfi {
    static constexpr Meta meta{
        .name = "integrated_ofi", .doc = "Order-flow imbalance of all levels down to one, fading with a half-life, in units of the mean size of a level.",
        .params = {{"level", 2, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "mean over levels of the faded sum of e / (mean over levels and faded mean of (bid + ask size) / 2); 0 where sizes are unknown. "
                         "Levels weigh alike: the first component's loadings, which the source takes, are nearly equal", "queues"}},
        .defaults = {{5, 10}, {10, 1}, {10, 10}, {10, 60}}, .source = "Cont, Cucuringu, Zhang 2023"};
    static int warmup(Params) { return 1; }
    IntegratedOfi(Graph& g, Params p) : pace(g.part<Pace>(p[1])), levels(g.part<Levels>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double factor = in(pace).factor;
        flow = faded(flow, factor) + in(levels).flow;
        size = faded(size, factor) + in(levels).size;
        messages = faded(messages, factor) + t.valid;
        out[0] = t.valid ? (size > kNothing ? flow * messages / size : 0) : kNaN;
    }
    Ref<Pace> pace;
    Ref<Levels> levels;
    double flow = 0, size = 0, messages = 0;
};

struct OfiStrength {
    static constexpr Meta meta{
        .name = "ofi_strength", .doc = "Order-flow imbalance at a level over what flows of random sign would have added up to.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of e / sqrt(faded sum of e^2); 0 before any flow", "standard deviations"}},
        .defaults = {{5, 10}, {10, 60}}, .source = "Cont, Kukanov, Stoikov 2014"};
    static int warmup(Params) { return 1; }
    OfiStrength(Graph& g, Params p) : k(count_of(p[0]) - 1), pace(g.part<Pace>(p[1])), order(g.part<OrderFlow>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double factor = in(pace).factor, e = in.lane(order.lane + k);
        flow = faded(flow, factor) + e;
        square = faded(square, factor) + e * e;
        out[0] = t.valid ? share(flow, std::sqrt(square)) : kNaN;
    }
    std::uint32_t k, unused = 0;
    Ref<Pace> pace;
    Ref<OrderFlow> order;
    double flow = 0, square = 0;
};

// Flow at the best level in one message, beside the flow before it and the move of the mid.
struct TouchFlow {
    struct Told {
        double flow, gross, square, pair, square_before, cross, move, move_square, size, messages;
        double slope() const noexcept { return square > kNothing ? cross / square : 0; }  // of moves on flow, through 0
    };
    explicit TouchFlow(Graph& g) : order(g.part<OrderFlow>()), mid(g.part<MidMove>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double e = in.lane(order.lane), r = in(mid);
        if (!t.valid || t.fresh) last = 0;
        out[0] = e, out[1] = std::fabs(e), out[2] = e * e;
        out[3] = e * last, out[4] = where(e != 0, last * last);
        out[5] = r * e, out[6] = r, out[7] = r * r;
        out[8] = in.lane(order.lane + kDepth), out[9] = t.valid;
        if (e != 0) last = e;
    }
    Ref<OrderFlow> order;
    Ref<MidMove> mid;
    double last = 0;
};

struct OfiShare {
    static constexpr Meta meta{
        .name = "ofi_share", .doc = "Order-flow imbalance at the best level as a share of the flow either way.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded sum of e / faded sum of |e|; 0 before any flow", "-1..1", -1, 1}},
        .defaults = {{1}, {10}, {60}}, .source = "Cont, Kukanov, Stoikov 2014; Kolm, Turiel, Westray 2023"};
    static int warmup(Params) { return 1; }
    OfiShare(Graph& g, Params p) : sums(g.part<Fading<TouchFlow>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? signed_share(in(sums).flow, in(sums).gross) : kNaN; }
    Ref<Fading<TouchFlow>> sums;
};

struct OfiAutocorrelation {
    static constexpr Meta meta{
        .name = "ofi_autocorrelation", .doc = "Whether order flow at the best level goes on as it was, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded correlation about 0 of a flow e with the flow before it, messages without flow left out; 0 before two", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Xu, Gould, Howison 2018; Lillo and Farmer 2004"};
    static int warmup(Params) { return 1; }
    OfiAutocorrelation(Graph& g, Params p) : sums(g.part<Fading<TouchFlow>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? signed_share(s.pair, std::sqrt(s.square) * std::sqrt(s.square_before)) : kNaN;
    }
    Ref<Fading<TouchFlow>> sums;
};

struct OfiAcceleration {
    static constexpr Meta meta{
        .name = "ofi_acceleration", .doc = "Order flow at the best level over a short half-life less that over a long one.",
        .params = {{"fast", 0.001, 86'400, 's'}, {"slow", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of e per second of the window, fast less slow, / slow faded mean of (bid + ask size) / 2; 0 where sizes are unknown",
                     "queues per second"}},
        .defaults = {{1, 10}, {10, 60}}, .source = "Cont, Kukanov, Stoikov 2014; Mueller 2001"};
    static int warmup(Params) { return 1; }
    OfiAcceleration(Graph& g, Params p)
        : fast(g.part<Fading<TouchFlow>>(p[0])), slow(g.part<Fading<TouchFlow>>(p[1])), per_fast(kLn2 / p[0]), per_slow(kLn2 / p[1]) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(slow);
        out[0] = t.valid ? (s.size > kNothing ? (per_fast * in(fast).flow - per_slow * s.flow) * s.messages / s.size : 0) : kNaN;
    }
    static constexpr double kLn2 = 0.6931471805599453;
    Ref<Fading<TouchFlow>> fast, slow;
    double per_fast, per_slow;
};

struct OfiImpact {
    static constexpr Meta meta{
        .name = "ofi_impact", .doc = "What order flow of one mean queue moves the mid, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded regression through 0 of log moves of the mid on e, times the faded mean of (bid + ask size) / 2; 0 before any flow", "bps per queue"}},
        .defaults = {{60}, {300}}, .source = "Cont, Kukanov, Stoikov 2014"};
    static int warmup(Params) { return 1; }
    OfiImpact(Graph& g, Params p) : sums(g.part<Fading<TouchFlow>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? s.slope() * (s.size / s.messages) : kNaN;
    }
    Ref<Fading<TouchFlow>> sums;
};

struct OfiResidual {
    static constexpr Meta meta{
        .name = "ofi_residual", .doc = "Move of the mid that order flow does not explain, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}, {"slow", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of log moves of the mid - slope (faded sum of e), the slope that of ofi_impact over `slow`", "bps"}},
        .defaults = {{10, 300}, {60, 300}}, .source = "Cont, Kukanov, Stoikov 2014"};
    static int warmup(Params) { return 1; }
    OfiResidual(Graph& g, Params p) : fast(g.part<Fading<TouchFlow>>(p[0])), slow(g.part<Fading<TouchFlow>>(p[1])) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? in(fast).move - in(slow).slope() * in(fast).flow : kNaN;
    }
    Ref<Fading<TouchFlow>> fast, slow;
};

struct OfiCorrelation {
    static constexpr Meta meta{
        .name = "ofi_correlation", .doc = "How closely the mid follows order flow at the best level, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded correlation about 0 of log moves of the mid with e; 0 before any of both", "-1..1", -1, 1}}, .defaults = {{10}, {60}},
        .source = "Cont, Kukanov, Stoikov 2014"};
    static int warmup(Params) { return 1; }
    OfiCorrelation(Graph& g, Params p) : sums(g.part<Fading<TouchFlow>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? signed_share(s.cross, std::sqrt(s.square) * std::sqrt(s.move_square)) : kNaN;
    }
    Ref<Fading<TouchFlow>> sums;
};

constexpr Kind kinds[] = {kind<Ofi>, kind<IntegratedOfi>, kind<OfiStrength>, kind<OfiShare>, kind<OfiAutocorrelation>,
                          kind<OfiAcceleration>, kind<OfiImpact>, kind<OfiResidual>, kind<OfiCorrelation>};
}  // namespace

const Family ofi{"ofi", "microstructure", kinds};

}  // namespace smartcore
