// The best quote: spread, mid, micro-price, imbalance, and how they change. Woken by a whole depth message, or by a quote
// where there is no depth.
#include "features/book.hpp"
#include "features/families.hpp"

namespace smartcore {
namespace {

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

// ---- spread ----

struct SpreadMean {
    static constexpr Meta meta{
        .name = "spread_mean", .doc = "Quoted spread averaged over the time it stood, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "1e4 faded time average of |ask - bid| / mid", "bps", 0}},
        .defaults = {{10}, {60}}, .source = "McInish and Wood 1992"};
    static int warmup(Params) { return 1; }
    SpreadMean(Graph& g, Params p) : width(g.part<Standing<Width>>(0, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? 1e4 * in(width).mean / t.mid() : kNaN; }
    Ref<Standing<Width>> width;
};

struct SpreadRatio {
    static constexpr Meta meta{
        .name = "spread_ratio", .doc = "Spread in units of its own usual size.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "(ask - bid) / faded time average of |ask - bid|; unknown where that is below 1e-12 of the mid", "usual spreads"}},
        .defaults = {{10}, {60}}, .source = "Biais, Hillion, Spatt 1995"};
    static int warmup(Params) { return 1; }
    SpreadRatio(Graph& g, Params p) : width(g.part<Standing<Width>>(0, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double usual = in(width).mean;
        out[0] = t.valid && usual > 1e-12 * t.mid() ? (t.ask[0] - t.bid[0]) / usual : kNaN;
    }
    Ref<Standing<Width>> width;
};

struct SpreadVolatility {
    static constexpr Meta meta{
        .name = "spread_volatility", .doc = "How much the spread varies, as a share of its usual size.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded standard deviation of |ask - bid| over time / its faded mean; unknown where that is below 1e-12 of the mid", "share of the mean", 0}},
        .defaults = {{10}, {60}}, .source = "Chordia, Roll, Subrahmanyam 2001"};
    static int warmup(Params) { return 1; }
    SpreadVolatility(Graph& g, Params p) : width(g.part<Standing<Width>>(0, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double usual = in(width).mean;
        out[0] = t.valid && usual > 1e-12 * t.mid() ? std::sqrt(in(width).variance) / usual : kNaN;
    }
    Ref<Standing<Width>> width;
};

struct TightShare {
    struct Tight {  // 1 while the spread is the smallest of the last messages
        static constexpr std::uint32_t kRecent = 1000;
        explicit Tight(Graph& g) : recent(g.arena(), kRecent) {}
        void update(const Top& t, In in, Out out) noexcept {
            out[0] = 0;
            if (!t.valid) return;
            const double spread = t.ask[0] - t.bid[0];
            const Min m = recent.push(in, Min{spread});
            if (!recent.full()) least = not_above(least, spread);
            out[0] = spread - (recent.full() ? m.min : least) <= 1e-4 * std::fabs(spread);  // prices are decimals
        }
        Sliding<Min> recent;
        double least = kInf;
    };
    static constexpr Meta meta{
        .name = "tight_share", .doc = "Share of time with the smallest spread there is.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded share of time in which the spread was the smallest of the last 1000 messages", "0..1", 0, 1}},
        .defaults = {{60}}, .source = "Biais, Hillion, Spatt 1995"};
    static int warmup(Params) { return 1; }
    TightShare(Graph& g, Params p) : tight(g.part<Standing<Tight>>(0, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? not_above(in(tight).mean, 1) : kNaN; }
    Ref<Standing<Tight>> tight;
};

struct SpreadResilience {
    static constexpr Meta meta{
        .name = "spread_resilience", .doc = "How fast a spread away from its usual size comes back.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "rate of return of |ask - bid| to its faded time average, by regression of its jumps; 0 where it never left it", "1/s"}},
        .defaults = {{60}}, .source = "Kempf, Mayston, Gehde-Trapp, Yadav 2015"};
    static int warmup(Params) { return 1; }
    SpreadResilience(Graph& g, Params p) : speed(g.part<Reversion<Width>>(0, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? in(speed) : kNaN; }
    Ref<Reversion<Width>> speed;
};

// ---- imbalance ----

struct DeepMicroprice {
    static constexpr Meta meta{
        .name = "deep_microprice", .doc = "Micro-price of several levels: prices weighted by the opposite side's sizes, relative to the mid.",
        .params = {{"level", 2, 10, 'l'}},
        .outputs = {{"", "1e4 (sum over levels of bid ask_size + ask bid_size, over the sum of sizes) / mid - 1e4; 0 where sizes are unknown", "bps"}},
        .defaults = {{5}, {10}}, .source = "Stoikov 2018"};
    static int warmup(Params) { return 1; }
    DeepMicroprice(Graph& g, Params p) : k(count_of(p[0])), distances(g.part<Distances>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const std::uint32_t n = std::min(k, std::min(t.bids, t.asks));
        double sum = 0, size = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
            sum += t.bid_size[i] * in.lane(distances.lane + kDepth + i) - t.ask_size[i] * in.lane(distances.lane + i);
            size += t.bid_size[i] + t.ask_size[i];
        }
        out[0] = t.valid ? 1e4 * share(sum, size) / t.mid() : kNaN;
    }
    std::uint32_t k;
    Ref<Distances> distances;
};

struct QueueImbalanceMean {
    static constexpr Meta meta{
        .name = "queue_imbalance_mean", .doc = "Queue imbalance averaged over the time it stood, fading with a half-life.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded time average of queue_imbalance", "-1..1", -1, 1}}, .defaults = {{1, 10}, {5, 10}, {1, 60}},
        .source = "Cartea, Donnelly, Jaimungal 2018"};
    static int warmup(Params) { return 1; }
    QueueImbalanceMean(Graph& g, Params p) : usual(g.part<Standing<Imbalance>>(p[0], p[1])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? in(usual).mean : kNaN; }
    Ref<Standing<Imbalance>> usual;
};

struct QueueImbalanceChange {
    static constexpr Meta meta{
        .name = "queue_imbalance_change", .doc = "Queue imbalance less its average over time.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "queue_imbalance - its faded time average", "-2..2", -2, 2}}, .defaults = {{1, 1}, {1, 10}, {5, 10}},
        .source = "Gould and Bonart 2016"};
    static int warmup(Params) { return 1; }
    QueueImbalanceChange(Graph& g, Params p) : now(g.part<Imbalance>(p[0])), usual(g.part<Standing<Imbalance>>(p[0], p[1])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? in(now) - in(usual).mean : kNaN; }
    Ref<Imbalance> now;
    Ref<Standing<Imbalance>> usual;
};

struct QueueImbalanceVolatility {
    static constexpr Meta meta{
        .name = "queue_imbalance_volatility", .doc = "How much the queue imbalance varies over time.",
        .params = {{"level", 1, 10, 'l'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded standard deviation of queue_imbalance over time", "0..1", 0, 1}}, .defaults = {{1, 10}, {5, 10}},
        .source = "Gould and Bonart 2016"};
    static int warmup(Params) { return 1; }
    QueueImbalanceVolatility(Graph& g, Params p) : usual(g.part<Standing<Imbalance>>(p[0], p[1])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? not_above(std::sqrt(in(usual).variance), 1) : kNaN; }
    Ref<Standing<Imbalance>> usual;
};

struct WeightedImbalance {
    static constexpr Meta meta{
        .name = "weighted_imbalance", .doc = "Imbalance of ten levels that weigh less the deeper they are.",
        .params = {{"half_life", 0.1, 100}},
        .outputs = {{"", "(bids - asks) / (bids + asks), sizes weighted 2^(-i / half_life) at level i from 0; 0 where unknown", "-1..1", -1, 1}},
        .defaults = {{2}}, .source = "Lipton, Pesavento, Sotiropoulos 2013; Cartea, Donnelly, Jaimungal 2018"};
    static int warmup(Params) { return 1; }
    WeightedImbalance(Graph&, Params p) {
        for (std::uint32_t i = 0; i < kDepth; ++i) weight[i] = std::exp2(-static_cast<double>(i) / p[0]);
    }
    void update(const Top& t, In, Out out) noexcept {
        double b = 0, a = 0;
        for (std::uint32_t i = 0; i < kDepth; ++i) b += weight[i] * t.bid_size[i], a += weight[i] * t.ask_size[i];
        out[0] = t.valid ? signed_share(b - a, b + a) : kNaN;
    }
    double weight[kDepth];
};

struct BookPressure {
    static constexpr Meta meta{
        .name = "book_pressure", .doc = "Imbalance of ten levels that weigh less the farther they are from the best price.",
        .outputs = {{"", "(bids - asks) / (bids + asks), sizes weighted g / (g + distance from the side's best), g the mean gap between levels; 0 where unknown",
                     "-1..1", -1, 1}},
        .source = "Cao, Hansch, Wang 2009"};
    static int warmup(Params) { return 1; }
    BookPressure(Graph&, Params) {}
    void update(const Top& t, In, Out out) noexcept {
        if (!t.valid) {
            out[0] = kNaN;
            return;
        }
        const std::uint32_t gaps = t.bids + t.asks - 2;
        double b = t.bid_size[0], a = t.ask_size[0];
        if (gaps > 0) {
            const double gap = ((t.bid[0] - t.bid[t.bids - 1]) + (t.ask[t.asks - 1] - t.ask[0])) / gaps;
            for (std::uint32_t i = 1; i < t.bids; ++i) b += t.bid_size[i] * (gap / (gap + (t.bid[0] - t.bid[i])));
            for (std::uint32_t i = 1; i < t.asks; ++i) a += t.ask_size[i] * (gap / (gap + (t.ask[i] - t.ask[0])));
        }
        out[0] = signed_share(b - a, b + a);
    }
};

// ---- mid ----

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

// What the mid did in one message.
struct MidSteps {
    struct Told {
        double net, gross, up, down, pair, square, square_before;
    };
    explicit MidSteps(Graph& g) : move(g.part<MidMove>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double r = in(move);
        if (!t.valid || t.fresh) last = 0;
        out[0] = r, out[1] = std::fabs(r), out[2] = r > 0, out[3] = r < 0;
        out[4] = r * last, out[5] = r * r, out[6] = where(r != 0, last * last);
        if (r != 0) last = r;
    }
    Ref<MidMove> move;
    double last = 0;
};

struct MidDirection {
    static constexpr Meta meta{
        .name = "mid_direction", .doc = "Balance of moves of the mid up and down, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "(faded ups - downs) / (ups + downs); 0 before any", "-1..1", -1, 1}},
        .defaults = {{1}, {10}, {60}}, .source = "Bacry, Delattre, Hoffmann, Muzy 2013"};
    static int warmup(Params) { return 1; }
    MidDirection(Graph& g, Params p) : steps(g.part<Fading<MidSteps>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(steps);
        out[0] = t.valid ? signed_share(s.up - s.down, s.up + s.down) : kNaN;
    }
    Ref<Fading<MidSteps>> steps;
};

struct MidEfficiency {
    static constexpr Meta meta{
        .name = "mid_efficiency", .doc = "How much of the way that the mid went took it somewhere, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of log moves of the mid / faded sum of their sizes; 0 before any", "-1..1", -1, 1}}, .defaults = {{10}, {60}},
        .source = "Kaufman 1995"};
    static int warmup(Params) { return 1; }
    MidEfficiency(Graph& g, Params p) : steps(g.part<Fading<MidSteps>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(steps);
        out[0] = t.valid ? signed_share(s.net, s.gross) : kNaN;
    }
    Ref<Fading<MidSteps>> steps;
};

struct MidAcceleration {
    static constexpr Meta meta{
        .name = "mid_acceleration", .doc = "Velocity of the mid over a short half-life less that over a long one.",
        .params = {{"fast", 0.001, 86'400, 's'}, {"slow", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of log moves per second of the window, fast less slow", "bps per second"}}, .defaults = {{1, 10}, {10, 60}},
        .source = "Mueller 2001, differentials on inhomogeneous series"};
    static int warmup(Params) { return 1; }
    MidAcceleration(Graph& g, Params p)
        : fast(g.part<Fading<MidSteps>>(p[0])), slow(g.part<Fading<MidSteps>>(p[1])), per_fast(kLn2 / p[0]), per_slow(kLn2 / p[1]) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? per_fast * in(fast).net - per_slow * in(slow).net : kNaN;
    }
    static constexpr double kLn2 = 0.6931471805599453;
    Ref<Fading<MidSteps>> fast, slow;
    double per_fast, per_slow;
};

struct MidChangeRate {
    static constexpr Meta meta{
        .name = "mid_change_rate", .doc = "Moves of the mid per second, up and down, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"up", "faded count of moves up / faded time", "1/s", 0}, {"down", "the same of moves down", "1/s", 0}},
        .defaults = {{1}, {10}, {60}}, .source = "Bacry, Delattre, Hoffmann, Muzy 2013"};
    static int warmup(Params) { return 2; }
    MidChangeRate(Graph& g, Params p) : pace(g.part<Pace>(p[0])), steps(g.part<Fading<MidSteps>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double span = in(pace).span;
        out[0] = t.valid ? over(in(steps).up, span) : kNaN;
        out[1] = t.valid ? over(in(steps).down, span) : kNaN;
    }
    Ref<Pace> pace;
    Ref<Fading<MidSteps>> steps;
};

struct MidAutocorrelation {
    static constexpr Meta meta{
        .name = "mid_autocorrelation", .doc = "Whether a move of the mid goes on or is taken back by the next, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded correlation about 0 of a log move with the move before it; 0 before two moves", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Cont 2001; Hasbrouck 2007"};
    static int warmup(Params) { return 1; }
    MidAutocorrelation(Graph& g, Params p) : steps(g.part<Fading<MidSteps>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(steps);
        out[0] = t.valid ? signed_share(s.pair, std::sqrt(s.square) * std::sqrt(s.square_before)) : kNaN;
    }
    Ref<Fading<MidSteps>> steps;
};

struct MidAge {
    static constexpr Meta meta{.name = "mid_age", .doc = "Time for which the mid has stood.",
                               .outputs = {{"", "time since the last move of the mid", "s", 0}}, .source = "Engle and Russell 1998"};
    static int warmup(Params) { return 1; }
    MidAge(Graph& g, Params) : move(g.part<MidMove>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        if (t.fresh || in(move) != 0) since = t.ts;
        out[0] = t.valid ? 1e-9 * static_cast<double>(t.ts - since) : kNaN;
    }
    Ref<MidMove> move;
    std::int64_t since = 0;
};

struct QuoteAge {
    static constexpr Meta meta{
        .name = "quote_age", .doc = "Time for which the best prices have stood.",
        .outputs = {{"bid", "time since the best bid's price changed", "s", 0}, {"ask", "the same of the best ask", "s", 0}},
        .source = "Biais, Hillion, Spatt 1995"};
    static int warmup(Params) { return 1; }
    QuoteAge(Graph&, Params) {}
    void update(const Top& t, In, Out out) noexcept {
        if (t.fresh || t.bid[0] != bid) since_bid = t.ts;
        if (t.fresh || t.ask[0] != ask) since_ask = t.ts;
        bid = t.bid[0], ask = t.ask[0];
        out[0] = t.valid ? 1e-9 * static_cast<double>(t.ts - since_bid) : kNaN;
        out[1] = t.valid ? 1e-9 * static_cast<double>(t.ts - since_ask) : kNaN;
    }
    double bid = kNaN, ask = kNaN;
    std::int64_t since_bid = 0, since_ask = 0;
};

constexpr Kind kinds[] = {kind<Spread>, kind<SpreadMean>, kind<SpreadRatio>, kind<SpreadVolatility>, kind<TightShare>,
                          kind<SpreadResilience>, kind<Microprice>, kind<DeepMicroprice>, kind<QueueImbalance>,
                          kind<QueueImbalanceMean>, kind<QueueImbalanceChange>, kind<QueueImbalanceVolatility>,
                          kind<WeightedImbalance>, kind<BookPressure>, kind<MidDistance>, kind<MidVolatility>,
                          kind<MidDirection>, kind<MidEfficiency>, kind<MidAcceleration>, kind<MidChangeRate>,
                          kind<MidAutocorrelation>, kind<MidAge>, kind<QuoteAge>, kind<BookRate>};
}  // namespace

const Family book{"book", "microstructure", kinds};

}  // namespace smartcore
