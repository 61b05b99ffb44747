// Order book: what stands at the best levels and how it changes. Woken by a whole depth message, or by a quote where
// there is no depth.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

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

struct Spread {
    static constexpr Meta meta{.name = "spread", .doc = "Quoted spread relative to the mid price.",
                               .outputs = {{"", "1e4 (ask - bid) / mid; negative when crossed", "bps"}}, .source = "Hasbrouck 2007, 2.1"};
    static int warmup(Params) { return 1; }
    Spread(Graph&, Params) {}
    void update(const Top& t, In, Out out) noexcept { out[0] = t.valid ? 1e4 * (t.ask[0] - t.bid[0]) / t.mid() : kNaN; }
};

struct Microprice {
    static constexpr Meta meta{.name = "microprice", .doc = "Mid weighted by the opposite sides' sizes, relative to the mid.",
                               .outputs = {{"", "1e4 (microprice / mid - 1); 0 where sizes are unknown", "bps"}},
                               .source = "Gatheral and Oomen 2010; Stoikov 2018"};
    static int warmup(Params) { return 1; }
    Microprice(Graph&, Params) {}
    void update(const Top& t, In, Out out) noexcept {
        if (!t.valid) {
            out[0] = kNaN;
            return;
        }
        const double b = t.bid_size[0], a = t.ask_size[0];
        out[0] = a + b > 0 ? 1e4 * (0.5 * (t.ask[0] - t.bid[0]) * ((b - a) / (b + a))) / t.mid() : 0;
    }
};

struct QueueImbalance {
    static constexpr Meta meta{
        .name = "queue_imbalance", .doc = "Bid less ask size over their sum, down to a level.", .params = {{"level", 1, 10, 'l'}},
        .outputs = {{"", "(bids - asks) / (bids + asks), sizes summed over the best `level` levels; 0 where unknown", "-1..1", -1, 1}},
        .defaults = {{1}, {2}, {3}, {4}, {5}, {10}}, .source = "Gould and Bonart 2016"};
    static int warmup(Params) { return 1; }
    QueueImbalance(Graph& g, Params p) : k(count_of(p[0]) - 1), depths(g.part<Depths>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double b = in.lane(depths.lane + k), a = in.lane(depths.lane + kDepth + k);
        out[0] = t.valid ? (a + b > 0 ? (b - a) / (b + a) : 0) : kNaN;
    }
    std::uint32_t k;
    Ref<Depths> depths;
};

struct DepthSlope {
    static constexpr Meta meta{
        .name = "depth_slope", .doc = "How fast depth accumulates away from the mid.", .params = {{"level", 2, 10, 'l'}},
        .outputs = {{"bid", "least-squares slope of the cumulative share of size on the distance from the mid in bps", "1/bps"},
                    {"ask", "the same for asks", "1/bps"}},
        .defaults = {{10}}, .source = "Naes and Skjeltorp 2006"};
    static int warmup(Params) { return 1; }
    DepthSlope(Graph& g, Params p) : k(count_of(p[0])), depths(g.part<Depths>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double scale = 1e4 / t.mid();
        out[0] = t.valid ? slope(t.bid, in, depths.lane, std::min(k, t.bids), t.mid(), -scale) : kNaN;
        out[1] = t.valid ? slope(t.ask, in, depths.lane + kDepth, std::min(k, t.asks), t.mid(), scale) : kNaN;
    }
    static double slope(const double* price, const In& in, std::uint32_t sums, std::uint32_t n, double mid, double scale) noexcept {
        if (n < 2 || !(in.lane(sums + n - 1) > 0)) return kNaN;
        double x = 0, y = 0;
        for (std::uint32_t i = 0; i < n; ++i) x += price[i] - mid, y += in.lane(sums + i);
        x /= n, y /= n;
        double xx = 0, xy = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
            const double dx = price[i] - mid - x;
            xx += dx * dx, xy += dx * (in.lane(sums + i) - y);
        }
        return xy / (xx * scale * in.lane(sums + n - 1));
    }
    std::uint32_t k;
    Ref<Depths> depths;
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
        for (std::uint32_t i = 0; i < kDepth; ++i) {
            const double pb = i < n ? t.bid[i] : kNaN, pa = i < n ? t.ask[i] : kNaN, qb = t.bid_size[i], qa = t.ask_size[i];
            double e = 0;  // a level that did not exist before, or does not now, says nothing
            if (t.valid && !t.fresh && known(pb) && known(bid[i])) {
                e = (pb >= bid[i] ? qb : 0) - (pb <= bid[i] ? bid_size[i] : 0) -
                    (pa <= ask[i] ? qa : 0) + (pa >= ask[i] ? ask_size[i] : 0);
            }
            out[i] = e;
            out[kDepth + i] = t.valid ? 0.5 * (qb + qa) : 0;
            bid[i] = pb, ask[i] = pa, bid_size[i] = qb, ask_size[i] = qa;
        }
    }
    double bid[kDepth] = {}, ask[kDepth] = {}, bid_size[kDepth] = {}, ask_size[kDepth] = {};
};

struct Ofi {
    static constexpr Meta meta{
        .name = "ofi", .doc = "Order-flow imbalance at a level, fading with a half-life, in units of the level's mean size.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of e / (faded mean of (bid + ask size) / 2); 0 where sizes are unknown", "queues"}},
        .defaults = {{1, 1}, {1, 10}, {2, 10}, {3, 10}, {4, 10}, {5, 10}, {1, 60}},
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
        out[0] = size.sum > 0 ? flow.sum * messages.sum / size.sum : 0;
    }
    void fade(double factor) noexcept { flow.fade(factor), size.fade(factor), messages.fade(factor); }
    std::uint32_t k;
    Ref<Decay> decay;
    Ref<OrderFlow> order;
    Faded flow, size, messages;
};

struct MidDistance {
    static constexpr Meta meta{
        .name = "mid_distance", .doc = "Mid relative to its own average over time, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "1e4 ln(mid / faded time average of the mid)", "bps"}},
        .defaults = {{1}, {10}, {60}}, .source = "Mueller 2001, operators on inhomogeneous series"};
    static int warmup(Params) { return 1; }
    MidDistance(Graph& g, Params p) : decay(g.part<Decay>(p[0])) {}
    void update(const Trade&, In in) noexcept { pass(in(decay).factor); }
    void update(const Top& t, In in, Out out) noexcept {
        pass(in(decay).factor);
        if (!t.valid) {
            out[0] = kNaN;
            return;
        }
        mid = t.mid();
        if (!known(level)) level = mid;
        out[0] = 1e4 * log_ratio(mid, level);
    }
    // The mid stood since the event before. Begun from whichever weighs more, so that a mid of 1e9 leaves nothing behind.
    void pass(double f) noexcept {
        if (known(level)) level = f > 0.5 ? level + (1 - f) * (mid - level) : mid + f * (level - mid);
    }
    Ref<Decay> decay;
    double level = kNaN, mid = kNaN;
};

struct MidVolatility {
    struct Move {  // squared log move of the mid, in bps
        explicit Move(Graph&) {}
        void update(const Top& t, In, Out out) noexcept {
            out[0] = 0;
            const double mid = t.valid ? t.mid() : kNaN;
            if (mid == last) return;
            const double r = known(mid) && known(last) ? 1e4 * log_ratio(mid, last) : 0;
            out[0] = r * r;
            last = mid;
        }
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "mid_volatility", .doc = "Volatility of the mid in real time, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "sqrt(faded sum of squared log moves / faded time)", "bps per sqrt second", 0}}, .defaults = {{10}, {60}, {300}},
        .source = "Andersen and Bollerslev 1998; Mueller 2001"};
    static int warmup(Params) { return 2; }
    MidVolatility(Graph& g, Params p) : decay(g.part<Decay>(p[0])), move(g.part<Move>()) {}
    void update(const Trade&, In in) noexcept { squares.fade(in(decay).factor); }
    void update(const Top& t, In in, Out out) noexcept {
        squares.fade(in(decay).factor);
        squares.sum += in(move);
        out[0] = t.valid && in(decay).span > 0 ? std::sqrt(squares.sum / in(decay).span) : kNaN;
    }
    Ref<Decay> decay;
    Ref<Move> move;
    Faded squares;
};

struct BookRate {
    static constexpr Meta meta{
        .name = "book_rate", .doc = "Depth messages (or quotes) per second that leave the book known, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded count / faded time", "1/s", 0}}, .defaults = {{1}, {10}, {60}}, .source = "Mueller 2001"};
    static int warmup(Params) { return 2; }
    BookRate(Graph& g, Params p) : decay(g.part<Decay>(p[0])) {}
    void update(const Trade&, In in) noexcept { messages.fade(in(decay).factor); }
    void update(const Top& t, In in, Out out) noexcept {
        messages.fade(in(decay).factor);
        if (t.valid) messages.sum += 1;
        out[0] = t.valid && in(decay).span > 0 ? messages.sum / in(decay).span : kNaN;
    }
    Ref<Decay> decay;
    Faded messages;
};

constexpr Kind kinds[] = {kind<Spread>, kind<Microprice>, kind<QueueImbalance>, kind<DepthSlope>, kind<Ofi>,
                          kind<MidDistance>, kind<MidVolatility>, kind<BookRate>};
}  // namespace

const Family book{"book", "microstructure", kinds};

}  // namespace smartcore
