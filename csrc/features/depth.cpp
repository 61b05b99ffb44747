// The shape of the book: how much stands at which distance on each side, against each other and against what is usual.
#include "features/book.hpp"
#include "features/families.hpp"

namespace smartcore {
namespace {

// (b - a) / (|b| + |a|)
double asymmetry(double b, double a) noexcept { return signed_share(b - a, std::fabs(b) + std::fabs(a)); }

struct LevelImbalance {
    static constexpr Meta meta{
        .name = "level_imbalance", .doc = "Bid less ask size over their sum, at one level alone.", .params = {{"level", 2, 10, 'l'}},
        .outputs = {{"", "(bid - ask) / (bid + ask), sizes at that level; 0 where unknown", "-1..1", -1, 1}},
        .defaults = {{2}, {3}, {5}, {10}}, .source = "Xu, Gould, Howison 2018"};
    static int warmup(Params) { return 1; }
    LevelImbalance(Graph&, Params p) : k(count_of(p[0]) - 1) {}
    void update(const Top& t, In, Out out) noexcept {
        const double b = t.bid_size[k], a = t.ask_size[k];
        out[0] = t.valid ? share(b - a, b + a) : kNaN;
    }
    std::uint32_t k;
};

// ---- against what is usual ----

struct RelativeDepth {
    static constexpr Meta meta{
        .name = "relative_depth", .doc = "Size down to a level on each side, in units of its own usual size.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "bids down to the level / their faded time average; unknown where sizes are", "usual depths", 0}, {"ask", "the same of asks", "usual depths", 0}},
        .defaults = {{1, 10}, {1, 60}, {5, 60}, {10, 60}}, .source = "Ranaldo 2004; Degryse, de Jong, van Ravenswaaij, Wuyts 2005"};
    static int warmup(Params) { return 1; }
    RelativeDepth(Graph& g, Params p)
        : k(count_of(p[0]) - 1), depths(g.part<Depths>()), bid(g.part<Standing<Depths>>(k, p[1])), ask(g.part<Standing<Depths>>(kDepth + k, p[1])) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? over(in.lane(depths.lane + k), in(bid).mean) : kNaN;
        out[1] = t.valid ? over(in.lane(depths.lane + kDepth + k), in(ask).mean) : kNaN;
    }
    std::uint32_t k;
    Ref<Depths> depths;
    Ref<Standing<Depths>> bid, ask;
};

struct DepthVolatility {
    static constexpr Meta meta{
        .name = "depth_volatility", .doc = "How much the size down to a level varies over time, as a share of its usual size.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded standard deviation of the bids down to the level over time / their faded mean; unknown where sizes are", "share of the mean", 0},
                    {"ask", "the same of asks", "share of the mean", 0}},
        .defaults = {{1, 60}, {10, 60}}, .source = "Chordia, Roll, Subrahmanyam 2001"};
    static int warmup(Params) { return 1; }
    DepthVolatility(Graph& g, Params p)
        : bid(g.part<Standing<Depths>>(p[0] - 1, p[1])), ask(g.part<Standing<Depths>>(kDepth + p[0] - 1, p[1])) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? over(std::sqrt(in(bid).variance), in(bid).mean) : kNaN;
        out[1] = t.valid ? over(std::sqrt(in(ask).variance), in(ask).mean) : kNaN;
    }
    Ref<Standing<Depths>> bid, ask;
};

struct DepthResilience {
    static constexpr Meta meta{
        .name = "depth_resilience", .doc = "How fast depth away from its usual size comes back.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "rate of return of the bids down to the level to their faded time average, by regression of their jumps; 0 where they never left it", "1/s"},
                    {"ask", "the same of asks", "1/s"}},
        .defaults = {{5, 60}}, .source = "Kempf, Mayston, Gehde-Trapp, Yadav 2015; Large 2007"};
    static int warmup(Params) { return 1; }
    DepthResilience(Graph& g, Params p)
        : bid(g.part<Reversion<Depths>>(p[0] - 1, p[1])), ask(g.part<Reversion<Depths>>(kDepth + p[0] - 1, p[1])) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? in(bid) : kNaN;
        out[1] = t.valid ? in(ask) : kNaN;
    }
    Ref<Reversion<Depths>> bid, ask;
};

// ---- how it is spread over levels ----

struct DepthConcentration {
    static constexpr Meta meta{
        .name = "depth_concentration", .doc = "Share of the size down to a level that stands at the best price.", .params = {{"level", 2, 10, 'l'}},
        .outputs = {{"bid", "best bid's size / bids down to the level; unknown where sizes are", "0..1", 0, 1}, {"ask", "the same of asks", "0..1", 0, 1}},
        .defaults = {{10}}, .source = "Ranaldo 2004"};
    static int warmup(Params) { return 1; }
    DepthConcentration(Graph& g, Params p) : k(count_of(p[0]) - 1), depths(g.part<Depths>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? over(t.bid_size[0], in.lane(depths.lane + k)) : kNaN;
        out[1] = t.valid ? over(t.ask_size[0], in.lane(depths.lane + kDepth + k)) : kNaN;
    }
    std::uint32_t k;
    Ref<Depths> depths;
};

struct DepthEntropy {
    static constexpr Meta meta{
        .name = "depth_entropy", .doc = "How evenly size is spread over the ten best levels.",
        .outputs = {{"bid", "entropy of the bids' shares of their sum / ln(number of levels); 0 for one level, unknown where sizes are", "0..1", 0, 1},
                    {"ask", "the same of asks", "0..1", 0, 1}},
        .source = "Shannon 1948; Huang and Polak 2011"};
    static int warmup(Params) { return 1; }
    explicit DepthEntropy(Graph& g, Params) : depths(g.part<Depths>()) {
        for (std::uint32_t i = 0; i < kDepth; ++i) per_log[i] = i == 0 ? 0 : 1 / std::log(i + 1.0);
    }
    void update(const Top& t, In in, Out out) noexcept {
        const double b = in.lane(depths.lane + kDepth - 1), a = in.lane(depths.lane + 2 * kDepth - 1);
        const double bid_sum = bid.sum(t.bid_size), ask_sum = ask.sum(t.ask_size);
        out[0] = t.valid && b > 0 ? not_below(not_above((std::log(b) - bid_sum / b) * per_log[t.bids - 1], 1), 0) : kNaN;
        out[1] = t.valid && a > 0 ? not_below(not_above((std::log(a) - ask_sum / a) * per_log[t.asks - 1], 1), 0) : kNaN;
    }
    // Sum of size ln(size). Most sizes are those of the message before, often a level away, and their logarithms are kept.
    struct Side {
        double sum(const double* now) noexcept {
            double total = 0, before = 0, term_before = 0;
            for (std::uint32_t i = 0; i < kDepth; ++i) {
                const double q = now[i], old = size[i], old_term = term[i];
                if (q != old) {
                    size[i] = q;
                    term[i] = q == before ? term_before : i + 1 < kDepth && q == size[i + 1] ? term[i + 1] : q > 0 ? q * std::log(q) : 0;
                }
                before = old, term_before = old_term;
                total += term[i];
            }
            return total;
        }
        double size[kDepth] = {}, term[kDepth] = {};
    };
    Ref<Depths> depths;
    double per_log[kDepth];
    Side bid, ask;
};

struct DepthConvexity {
    static constexpr Meta meta{
        .name = "depth_convexity", .doc = "Whether size stands in front or far back, over the ten best levels.",
        .outputs = {{"bid", "mean over levels of the share of bids down to it, 1 if all stand at the best; unknown where sizes are", "0..1", 0, 1},
                    {"ask", "the same of asks", "0..1", 0, 1}},
        .source = "Naes and Skjeltorp 2006; Cao, Hansch, Wang 2009"};
    static int warmup(Params) { return 1; }
    DepthConvexity(Graph& g, Params) : depths(g.part<Depths>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? mean_share(in, depths.lane, t.bids) : kNaN;
        out[1] = t.valid ? mean_share(in, depths.lane + kDepth, t.asks) : kNaN;
    }
    static double mean_share(const In& in, std::uint32_t sums, std::uint32_t n) noexcept {
        double sum = 0;
        for (std::uint32_t i = 0; i < n; ++i) sum += in.lane(sums + i);
        const double mean = over(sum, n * in.lane(sums + n - 1));
        return mean > 1 ? 1 : mean;
    }
    Ref<Depths> depths;
};

// ---- how far it stands ----

struct DepthCenter {
    static constexpr Meta meta{
        .name = "depth_center", .doc = "Mean distance from the mid of what stands down to a level.", .params = {{"level", 2, 10, 'l'}},
        .outputs = {{"bid", "1e4 (mean of mid - price by bid size) / mid; unknown where sizes are", "bps"}, {"ask", "the same of asks, price - mid", "bps"},
                    {"asymmetry", "(bid - ask) / (|bid| + |ask|); 0 where both are 0", "-1..1", -1, 1}},
        .defaults = {{10}}, .source = "Cao, Hansch, Wang 2009; Harris and Panchapagesan 2005"};
    static int warmup(Params) { return 1; }
    DepthCenter(Graph& g, Params p) : k(count_of(p[0]) - 1), depths(g.part<Depths>()), distances(g.part<Distances>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double b = over(in.lane(distances.lane + 2 * kDepth + k), in.lane(depths.lane + k));
        const double a = over(in.lane(distances.lane + 3 * kDepth + k), in.lane(depths.lane + kDepth + k));
        const double scale = 1e4 / t.mid();
        out[0] = t.valid ? scale * b : kNaN;
        out[1] = t.valid ? scale * a : kNaN;
        out[2] = t.valid && known(a) && known(b) ? asymmetry(b, a) : kNaN;
    }
    std::uint32_t k;
    Ref<Depths> depths;
    Ref<Distances> distances;
};

struct DepthWidth {
    static constexpr Meta meta{
        .name = "depth_width", .doc = "How far apart stands what stands on the ten best levels.",
        .outputs = {{"bid", "1e4 (standard deviation of price by bid size) / mid; unknown where sizes are", "bps", 0}, {"ask", "the same of asks", "bps", 0}},
        .source = "Harris and Panchapagesan 2005"};
    static int warmup(Params) { return 1; }
    DepthWidth(Graph& g, Params) : depths(g.part<Depths>()), distances(g.part<Distances>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double scale = 1e4 / t.mid();
        out[0] = t.valid ? scale * width(in, 0, t.bid_size, t.bids) : kNaN;
        out[1] = t.valid ? scale * width(in, kDepth, t.ask_size, t.asks) : kNaN;
    }
    double width(const In& in, std::uint32_t side, const double* size, std::uint32_t n) const noexcept {
        const double all = in.lane(depths.lane + side + kDepth - 1), center = in.lane(distances.lane + 2 * kDepth + side + kDepth - 1) / all;
        double sum = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
            const double d = in.lane(distances.lane + side + i) - center;
            sum += size[i] * d * d;
        }
        return std::sqrt(over(sum, all));
    }
    Ref<Depths> depths;
    Ref<Distances> distances;
};

// Gaps between the prices of a side's ten best levels; NaN where there is one level.
struct Gaps {
    struct Told {
        double mean_bid, mean_ask, first_bid, first_ask, largest_bid, largest_ask;
    };
    explicit Gaps(Graph&) {}
    void update(const Top& t, In, Out out) noexcept {
        out[0] = mean(t.bid, t.bids), out[1] = mean(t.ask, t.asks);
        out[2] = t.bids > 1 ? std::fabs(t.bid[0] - t.bid[1]) : kNaN, out[3] = t.asks > 1 ? std::fabs(t.ask[0] - t.ask[1]) : kNaN;
        out[4] = largest(t.bid, t.bids), out[5] = largest(t.ask, t.asks);
    }
    static double mean(const double* price, std::uint32_t n) noexcept {
        return n > 1 ? std::fabs(price[n - 1] - price[0]) / (n - 1) : kNaN;
    }
    static double largest(const double* price, std::uint32_t n) noexcept {
        double most = n > 1 ? 0 : kNaN;
        for (std::uint32_t i = 1; i < n; ++i) most = not_below(std::fabs(price[i] - price[i - 1]), most);
        return most;
    }
};

// At most as many as there are gaps, whatever the rounding.
double in_gaps(double gap, double mean) noexcept {
    const double n = gap / mean;
    return n > kDepth - 1 ? kDepth - 1 : n;
}

struct LevelGap {
    static constexpr Meta meta{
        .name = "level_gap", .doc = "Mean gap between the prices of the ten best levels.",
        .outputs = {{"bid", "1e4 (best - worst price) / (number of bid levels - 1) / mid; unknown for one level", "bps", 0}, {"ask", "the same of asks", "bps", 0},
                    {"asymmetry", "(bid - ask) / (bid + ask)", "-1..1", -1, 1}},
        .source = "Farmer, Gillemot, Lillo, Mike, Sen 2004"};
    static int warmup(Params) { return 1; }
    LevelGap(Graph& g, Params) : gaps(g.part<Gaps>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(gaps);
        const double scale = t.valid ? 1e4 / t.mid() : kNaN;
        out[0] = scale * s.mean_bid;
        out[1] = scale * s.mean_ask;
        out[2] = t.valid ? (s.mean_bid - s.mean_ask) / (s.mean_bid + s.mean_ask) : kNaN;
    }
    Ref<Gaps> gaps;
};

struct FirstGap {
    static constexpr Meta meta{
        .name = "first_gap", .doc = "Gap behind the best price, in units of the mean gap of the ten best levels.",
        .outputs = {{"bid", "first - second bid price, / mean gap of bids; unknown for one level", "mean gaps", 0, 9}, {"ask", "the same of asks", "mean gaps", 0, 9}},
        .source = "Farmer, Gillemot, Lillo, Mike, Sen 2004"};
    static int warmup(Params) { return 1; }
    FirstGap(Graph& g, Params) : gaps(g.part<Gaps>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(gaps);
        out[0] = t.valid ? in_gaps(s.first_bid, s.mean_bid) : kNaN;
        out[1] = t.valid ? in_gaps(s.first_ask, s.mean_ask) : kNaN;
    }
    Ref<Gaps> gaps;
};

struct LargestGap {
    static constexpr Meta meta{
        .name = "largest_gap", .doc = "Largest gap between the prices of the ten best levels, in units of their mean gap.",
        .outputs = {{"bid", "largest / mean gap of bids; unknown for one level", "mean gaps", 1, 9}, {"ask", "the same of asks", "mean gaps", 1, 9}},
        .source = "Farmer, Gillemot, Lillo, Mike, Sen 2004"};
    static int warmup(Params) { return 1; }
    LargestGap(Graph& g, Params) : gaps(g.part<Gaps>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(gaps);
        out[0] = t.valid ? in_gaps(not_below(s.largest_bid, s.mean_bid), s.mean_bid) : kNaN;
        out[1] = t.valid ? in_gaps(not_below(s.largest_ask, s.mean_ask), s.mean_ask) : kNaN;
    }
    Ref<Gaps> gaps;
};

// Slopes of both sides down to a level, as depth_slope shows them.
struct Slopes {
    struct Told {
        double bid, ask;
    };
    Slopes(Graph& g, double level) : k(count_of(level)), depths(g.part<Depths>()) {}
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

struct DepthSlope {
    static constexpr Meta meta{
        .name = "depth_slope", .doc = "How fast depth accumulates away from the mid.", .params = {{"level", 2, 10, 'l'}},
        .outputs = {{"bid", "least-squares slope of the cumulative share of size on the distance from the mid in bps", "1/bps"},
                    {"ask", "the same for asks", "1/bps"}},
        .defaults = {{10}}, .source = "Naes and Skjeltorp 2006"};
    static int warmup(Params) { return 1; }
    DepthSlope(Graph& g, Params p) : slopes(g.part<Slopes>(p[0])) {}
    void update(const Top&, In in, Out out) noexcept { out[0] = in(slopes).bid, out[1] = in(slopes).ask; }
    Ref<Slopes> slopes;
};

struct DepthSlopeAsymmetry {
    static constexpr Meta meta{
        .name = "depth_slope_asymmetry", .doc = "On which side depth accumulates faster.", .params = {{"level", 2, 10, 'l'}},
        .outputs = {{"", "(bid - ask) / (|bid| + |ask|) of depth_slope; unknown where one is", "-1..1", -1, 1}}, .defaults = {{10}},
        .source = "Naes and Skjeltorp 2006; Cao, Hansch, Wang 2009"};
    static int warmup(Params) { return 1; }
    DepthSlopeAsymmetry(Graph& g, Params p) : slopes(g.part<Slopes>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double b = in(slopes).bid, a = in(slopes).ask;
        out[0] = t.valid && known(a) && known(b) ? asymmetry(b, a) : kNaN;
    }
    Ref<Slopes> slopes;
};

// ---- what it would cost ----

// Mean over a minute of the size at the best prices: what an ordinary order would find.
struct UsualQueue {
    explicit UsualQueue(Graph& g) : bid(g.part<Standing<Depths>>(0, 60)), ask(g.part<Standing<Depths>>(kDepth, 60)) {}
    void update(const Top&, In in, Out out) noexcept { out[0] = 0.5 * (in(bid).mean + in(ask).mean); }
    Ref<Standing<Depths>> bid, ask;
};

struct SweepCost {
    static constexpr Meta meta{
        .name = "sweep_cost", .doc = "What a market order of a multiple of the usual best queue would pay against the mid.",
        .params = {{"multiple", 0.1, 1000}},
        .outputs = {{"buy", "1e4 (mean price - mid) / mid of asks for multiple (time average over 60 s of (bid + ask size) / 2); "
                            "what is beyond the tenth level at its price; unknown where sizes are", "bps"},
                    {"sell", "the same of bids, mid - mean price", "bps"}, {"asymmetry", "(buy - sell) / (|buy| + |sell|)", "-1..1", -1, 1}},
        .defaults = {{2}, {10}}, .source = "Irvine, Benston, Kandel 2000"};
    static int warmup(Params) { return 1; }
    SweepCost(Graph& g, Params p) : multiple(p[0]), queue(g.part<UsualQueue>()), depths(g.part<Depths>()), distances(g.part<Distances>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double size = multiple * in(queue), scale = 1e4 / t.mid();
        const double buy = cost(in, kDepth, t.asks, size), sell = cost(in, 0, t.bids, size);
        out[0] = t.valid ? scale * buy : kNaN;
        out[1] = t.valid ? scale * sell : kNaN;
        out[2] = t.valid && known(buy) && known(sell) ? asymmetry(buy, sell) : kNaN;
    }
    double cost(const In& in, std::uint32_t side, std::uint32_t n, double size) const noexcept {
        if (!(size > 1e-100) || n == 0) return kNaN;  // nothing, or what half-lives left of it
        std::uint32_t i = 0;
        for (std::uint32_t k = 0; k < kDepth; ++k) i += in.lane(depths.lane + side + k) < size;
        i = std::min(i, n - 1);
        const double distance = in.lane(distances.lane + side + i);
        if (i == 0) return distance;
        return (in.lane(distances.lane + 2 * kDepth + side + i - 1) + (size - in.lane(depths.lane + side + i - 1)) * distance) / size;
    }
    double multiple;
    Ref<UsualQueue> queue;
    Ref<Depths> depths;
    Ref<Distances> distances;
};

struct NearImbalance {
    static constexpr Meta meta{
        .name = "near_imbalance", .doc = "Imbalance of what stands within some usual spreads of the best prices.", .params = {{"spreads", 0.1, 1000}},
        .outputs = {{"", "(bids - asks) / (bids + asks), sizes weighted 1 - distance from the side's best / (spreads times the time average of |ask - bid| over "
                         "60 s), down to 0; 0 where sizes are unknown", "-1..1", -1, 1}},
        .defaults = {{3}, {10}}, .source = "Cao, Hansch, Wang 2009; Cartea, Donnelly, Jaimungal 2018"};
    static int warmup(Params) { return 1; }
    NearImbalance(Graph& g, Params p) : spreads(p[0]), width(g.part<Standing<Width>>(0, 60)) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double reach = spreads * in(width).mean, per = reach > 0 ? 1 / reach : 0;
        double b = t.bid_size[0], a = t.ask_size[0];
        for (std::uint32_t i = 1; per > 0 && i < kDepth; ++i) {  // a level that does not exist has no size, and no weight
            b += t.bid_size[i] * not_below(1 - (t.bid[0] - t.bid[i]) * per, 0);
            a += t.ask_size[i] * not_below(1 - (t.ask[i] - t.ask[0]) * per, 0);
        }
        out[0] = t.valid ? signed_share(b - a, b + a) : kNaN;
    }
    double spreads;
    Ref<Standing<Width>> width;
};

constexpr Kind kinds[] = {kind<LevelImbalance>, kind<RelativeDepth>, kind<DepthVolatility>, kind<DepthResilience>,
                          kind<DepthConcentration>, kind<DepthEntropy>, kind<DepthConvexity>, kind<DepthCenter>,
                          kind<DepthWidth>, kind<LevelGap>, kind<FirstGap>, kind<LargestGap>, kind<DepthSlope>,
                          kind<DepthSlopeAsymmetry>, kind<SweepCost>, kind<NearImbalance>};
}  // namespace

const Family depth{"depth", "microstructure", kinds};

}  // namespace smartcore
