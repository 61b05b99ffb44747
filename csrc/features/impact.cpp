// Impact and cost: what a trade moves, what it pays, how informed the flow is.
#include "features/families.hpp"
#include "features/trades.hpp"

namespace smartcore {
namespace {

struct TradeSize {
    static double of(const Trade& t) noexcept { return t.size; }
};

// Volume in buckets of 50 mean trades, the mean being that of the last 500; the trade that fills a bucket belongs to it
// whole. So nothing depends on how large one print is, nor for longer than the buckets last.
struct Vpin {
    static constexpr double kTrades = 50, kMean = 500;
    static constexpr double kFull = 1 - 1e-10;  // decimal sizes add up to a hair less than their sum
    static constexpr Meta meta{
        .name = "vpin", .doc = "Volume-synchronised probability of informed trading, over the last buckets. A bucket is full with 50 times the mean size of the last 500 trades (of all, before there are 500).",
        .params = {{"buckets", 2, 10'000}}, .outputs = {{"", "sum |buys - sells| / sum volume", "0..1", 0, 1}}, .defaults = {{50}, {20}},
        .source = "Easley, Lopez de Prado, O'Hara 2012"};
    static int warmup(Params p) { return static_cast<int>(p[0] * kTrades); }  // about
    Vpin(Graph& g, Params p) : sign(g.part<TradeSign>()), sizes(g.part<Window<TradeSize, Sum, Trade>>(kMean)), window(g.arena(), count_of(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double sum = in(sizes).sum;
        if (!known(sum)) {
            seen += 1;
            mean += (t.size - mean) / seen;
        }
        volume += t.size;
        net += in(sign) * t.size;
        if (volume == 0 || volume < kTrades * kFull * (known(sum) ? sum / kMean : mean)) return;
        const Sum2 all = window.push(in, {std::fabs(net), volume});
        volume = net = 0;
        if (window.full()) out[0] = not_above(all.first / all.second, 1);
    }
    Ref<TradeSign> sign;
    Ref<Window<TradeSize, Sum, Trade>> sizes;
    Sliding<Sum2> window;
    double seen = 0, mean = 0, volume = 0, net = 0;
};

struct Kyle {
    static constexpr Meta meta{
        .name = "kyle", .doc = "Kyle's lambda: price move per mean trade size, by regression of trade-to-trade moves on signed size.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "1e4 slope mean size / price; unknown while sizes are constant", "bps"}},
        .defaults = {{100}, {500}}, .source = "Kyle 1985; Hasbrouck 2007, 7.1"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    struct Size {
        explicit Size(Graph& g) : step(g.part<TradeStep>()) {}
        void update(const Trade&, In in, Out out) noexcept { out[0] = known(in(step).change) ? in(step).size : kNaN; }
        Ref<TradeStep> step;
    };
    Kyle(Graph& g, Params p) : n(p[0]), steps(g.part<Window<TradeStep, Comoments, Trade>>(p[0])), sizes(g.part<Window<Size, Sum, Trade>>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept { out[0] = 1e4 * in(steps).slope() * (in(sizes).sum / n) / t.price; }
    double n;
    Ref<Window<TradeStep, Comoments, Trade>> steps;
    Ref<Window<Size, Sum, Trade>> sizes;
};

struct RollSpread {
    struct Steps {  // a price change beside the one before
        struct Told {
            double before, now;
        };
        explicit Steps(Graph& g) : step(g.part<TradeStep>()) {}
        void update(const Trade&, In in, Out out) noexcept {
            out[0] = last;
            out[1] = last = in(step).change;
        }
        static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
        Ref<TradeStep> step;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "roll_spread", .doc = "Roll's effective spread from the bounce of trade prices.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "2e4 sqrt(max(0, -cov(dp[t-1], dp[t]))) / price", "bps", 0}}, .defaults = {{100}, {500}}, .source = "Roll 1984"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    RollSpread(Graph& g, Params p) : inverse(1 / p[0]), window(g.part<Window<Steps, Comoments, Trade>>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double xy = in(window).xy;
        if (known(xy)) out[0] = 2e4 * std::sqrt(not_below(-(xy * inverse), 0)) / t.price;
    }
    double inverse;
    Ref<Window<Steps, Comoments, Trade>> window;
};

struct EffectiveSpread {
    static constexpr Meta meta{
        .name = "effective_spread", .doc = "What trades paid around the mid, weighted by size, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded mean of 2e4 |price - mid| / mid, by size", "bps", 0}},
        .defaults = {{10}, {60}}, .source = "Hasbrouck 2007, 2.2"};
    static int warmup(Params) { return 1; }  // a trade while the book is known
    EffectiveSpread(Graph& g, Params p) : decay(g.part<Decay>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        fade(in(decay).factor);
        const Top& top = in.top;
        if (top.valid) {
            const double mid = top.mid();
            cost.sum += 2e4 * std::fabs(t.price - mid) / mid * t.size;
            size.sum += t.size;
        }
        out[0] = top.valid && size.sum > 0 ? cost.sum / size.sum : kNaN;
    }
    void update(const Top& top, In in, Out out) noexcept {
        fade(in(decay).factor);
        out[0] = top.valid && size.sum > 0 ? cost.sum / size.sum : kNaN;
    }
    void fade(double factor) noexcept { cost.fade(factor), size.fade(factor); }
    Ref<Decay> decay;
    Faded cost, size;
};

// ---- what a trade moves ----

// Log return from the trade before.
struct TradeReturn {
    explicit TradeReturn(Graph&) {}
    void update(const Trade& t, In, Out out) noexcept {
        out[0] = log_ratio(t.price, last);
        last = t.price;
    }
    double last = kNaN;
};

struct HasbrouckLambda {
    struct Root {  // signed root of size beside the log return of the trade
        struct Told {
            double flow, move;
        };
        explicit Root(Graph& g) : sign(g.part<TradeSign>()), r(g.part<TradeReturn>()) {}
        void update(const Trade& t, In in, Out out) noexcept {
            out[0] = known(in(r)) ? in(sign) * std::sqrt(t.size) : kNaN;
            out[1] = in(r);
        }
        static Pair aggregate(const Told& t) noexcept { return {t.flow, t.move}; }
        Ref<TradeSign> sign;
        Ref<TradeReturn> r;
    };
    struct Size {  // root of size, where Root has a value
        explicit Size(Graph& g) : root(g.part<Root>()) {}
        void update(const Trade&, In in, Out out) noexcept { out[0] = std::fabs(in(root).flow); }
        Ref<Root> root;
    };
    static constexpr Meta meta{
        .name = "hasbrouck_lambda", .doc = "Price move per trade of usual root size, by regression of log returns on the signed root of size: impact grows slower than size.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "1e4 slope mean root size; unknown while sizes are constant", "bps"}},
        .defaults = {{100}, {500}}, .source = "Hasbrouck 2009"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    HasbrouckLambda(Graph& g, Params p) : n(p[0]), steps(g.part<Window<Root, Comoments, Trade>>(p[0])), sizes(g.part<Window<Size, Sum, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = 1e4 * in(steps).slope() * (in(sizes).sum / n); }
    double n;
    Ref<Window<Root, Comoments, Trade>> steps;
    Ref<Window<Size, Sum, Trade>> sizes;
};

struct FlowPriceCorrelation {
    static constexpr Meta meta{
        .name = "flow_price_correlation", .doc = "How well signed sizes explain the moves from trade to trade: the R of Kyle's regression, with its sign.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "correlation of price changes with signed sizes; 0 while the price stands, unknown while sizes are constant", "-1..1", -1, 1}},
        .defaults = {{100}, {500}}, .source = "Kyle 1985; Evans and Lyons 2002"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    FlowPriceCorrelation(Graph& g, Params p) : steps(g.part<Window<TradeStep, Comoments, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const Comoments c = in(steps);
        out[0] = c.xx > 0 && c.yy == 0 ? 0 : c.correlation();
    }
    Ref<Window<TradeStep, Comoments, Trade>> steps;
};

struct TradeAmihud {
    struct Cost {  // |log return| per turnover, and turnover, of a trade
        struct Told {
            double per_money, money;
        };
        explicit Cost(Graph& g) : r(g.part<TradeReturn>()) {}
        void update(const Trade& t, In in, Out out) noexcept {
            const double money = t.price * t.size;
            out[0] = money > 0 ? std::fabs(in(r)) / money : kNaN;
            out[1] = money;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.per_money, t.money}; }
        Ref<TradeReturn> r;
    };
    static constexpr Meta meta{
        .name = "trade_amihud", .doc = "Amihud illiquidity from trade to trade, for the mean turnover of a trade. Trades without size do not count.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "1e4 mean(|log return| / turnover) mean(turnover)", "bps", 0}}, .defaults = {{100}, {500}},
        .source = "Amihud 2002; Goyenko, Holden, Trzcinka 2009"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TradeAmihud(Graph& g, Params p) : inverse(1 / p[0]), window(g.part<Window<Cost, Sum2, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const Sum2 sum = in(window);
        out[0] = 1e4 * (sum.first * inverse) * (sum.second * inverse);
    }
    double inverse;
    Ref<Window<Cost, Sum2, Trade>> window;
};

// A vector autoregression of order one of log return (bps) and trade sign, by the equations of Yule and Walker, and what a
// trade has then moved after fifteen more. By least squares a jump that has just come would be the work of the small return before
// it. A hundredth is added to the diagonal of the moments: it can always be solved.
struct HasbrouckImpact {
    static constexpr double kRidge = 1.01;
    struct Steps {  // return and sign of a trade, and of the one before
        struct Told {
            double r, x, r1, x1;
        };
        explicit Steps(Graph& g) : sign(g.part<TradeSign>()), move(g.part<TradeReturn>()) {}
        void update(const Trade&, In in, Out out) noexcept {
            const double r = 1e4 * in(move), x = in(sign) != 0 ? in(sign) : kNaN;
            out[0] = known(x) && known(x1) && known(r1) ? r : kNaN;
            out[1] = x, out[2] = r1, out[3] = x1;
            r1 = r, x1 = x;
        }
        Ref<TradeSign> sign;
        Ref<TradeReturn> move;
        double r1 = kNaN, x1 = kNaN;
    };
    struct Products {  // the mean of both trades' moments (that of the sign is 1), and those across
        double rr, rx, r_r1, r_x1, x_r1, x_x1;
        friend Products operator+(const Products& a, const Products& b) noexcept {
            return {a.rr + b.rr, a.rx + b.rx, a.r_r1 + b.r_r1, a.r_x1 + b.r_x1, a.x_r1 + b.x_r1, a.x_x1 + b.x_x1};
        }
    };
    static constexpr Meta meta{
        .name = "hasbrouck_impact", .doc = "What an unexpected trade moves the price by in the end: the response of log returns to a trade sign at that trade and at fifteen more, in a vector autoregression of order one (Yule-Walker, ridge of 0.01); 0 while the price stands.",
        .params = {{"window", 10, 100'000}}, .outputs = {{"", "cumulated response of the log return to an innovation of 1 of the trade sign", "bps"}},
        .defaults = {{100}, {500}}, .source = "Hasbrouck 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    HasbrouckImpact(Graph& g, Params p) : n(p[0]), steps(g.part<Steps>()), window(g.arena(), count_of(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const auto s = in(steps);
        if (!known(s.r)) return;
        const Products m = window.push(in, {0.5 * (s.r * s.r + s.r1 * s.r1), 0.5 * (s.r * s.x + s.r1 * s.x1), s.r * s.r1, s.r * s.x1, s.x * s.r1, s.x * s.x1});
        if (!window.full()) return;
        if (m.rr == 0) {
            out[0] = 0;
            return;
        }
        const double a = kRidge * m.rr, b = m.rx, c = kRidge * n, inverse = 1 / (a * c - b * b);
        // Of each on each of the trade before.
        double rr = (m.r_r1 * c - m.r_x1 * b) * inverse, rx = (m.r_x1 * a - m.r_r1 * b) * inverse;
        double xr = (m.x_r1 * c - m.x_x1 * b) * inverse, xx = (m.x_x1 * a - m.x_r1 * b) * inverse;
        // What is left of both has this covariance, and that variance of the sign.
        const double both = m.rx - rr * m.x_r1 - rx * m.x_x1, sign = not_below(n - xr * m.x_r1 - xx * m.x_x1, (kRidge - 1) * n);
        double move = both / sign, flow = 1;
        for (int k = 0;; ++k) {  // the sum of 2, 4, 8, 16 responses: (1 + A) (1 + A^2) (1 + A^4) (1 + A^8)
            const double more = rr * move + rx * flow;
            flow += xr * move + xx * flow;
            move += more;
            if (k == 3) break;
            const double rr2 = rr * rr + rx * xr, rx2 = rr * rx + rx * xx, xr2 = xr * rr + xx * xr, xx2 = xr * rx + xx * xx;
            rr = rr2, rx = rx2, xr = xr2, xx = xx2;
        }
        out[0] = move;
    }
    double n;
    Ref<Steps> steps;
    Sliding<Products> window;
};

struct BounceShare {
    struct Turn {  // 1 for a change against the last one, and 1 for any change
        struct Told {
            double back, moved;
        };
        explicit Turn(Graph& g) : step(g.part<TradeStep>()) {}
        void update(const Trade&, In in, Out out) noexcept {
            const double change = in(step).change, way = where(change > 0, 1) - where(change < 0, 1);
            out[0] = known(change) ? where(way * last < 0, 1) : kNaN;
            out[1] = where(way != 0, 1);
            if (way != 0) last = way;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.back, t.moved}; }
        Ref<TradeStep> step;
        double last = 0;
    };
    static constexpr Meta meta{
        .name = "bounce_share", .doc = "Share of price changes that take back the one before: trades bouncing between bid and ask.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "changes against the change before / changes, over the last `window` trades; 0 while the price stands", "0..1", 0, 1}},
        .defaults = {{100}, {500}}, .source = "Roll 1984; Hasbrouck and Ho 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BounceShare(Graph& g, Params p) : window(g.part<Window<Turn, Sum2, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        out[0] = share_of(in(window));
    }
    Ref<Window<Turn, Sum2, Trade>> window;
};

struct Response {
    static constexpr Meta meta{
        .name = "response", .doc = "How far the mid has gone the way of a trade some trades later. Unknown while the book is; trades without book or side do not count.",
        .params = {{"lag", 1, 10'000}, {"window", 2, 100'000}}, .outputs = {{"", "mean of sign[t - lag] 1e4 ln(mid[t] / mid[t - lag])", "bps"}},
        .defaults = {{1, 100}, {10, 500}, {50, 500}}, .source = "Bouchaud, Gefen, Potters, Wyart 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    Response(Graph& g, Params p)
        : lag(count_of(p[0])), n(p[1]), sign(g.part<TradeSign>()), signs(g.arena(), lag + 1), mids(g.arena(), lag + 1), window(g.arena(), count_of(p[1])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const double mid = in.top.valid ? in.top.mid() : kNaN;
        signs.push(in, in(sign));
        mids.push(in, mid);
        const auto before = mids.view(in);
        if (before.has(lag + 1)) {
            const double x = 1e4 * log_ratio(mid, before.ago(lag)), side = signs.view(in).ago(lag);
            if (known(x) && side != 0) {
                const Sum sum = window.push(in, {side * x});
                if (window.full()) value = sum.sum / n;
            }
        }
        out[0] = in.top.valid ? value : kNaN;
    }
    void update(const Top& top, In, Out out) noexcept { out[0] = top.valid ? value : kNaN; }
    std::uint32_t lag, unused = 0;
    double n;
    Ref<TradeSign> sign;
    History signs, mids;
    Sliding<Sum> window;
    double value = kNaN;
};

// ---- what a trade paid, and to whom it went ----

// A mean over trades with a book, by size, that fades from trade to trade; unknown while the book is.
struct FadedMean {
    FadedMean(Graph& g, double half_life) : decay(g.part<TradeDecay>(half_life)) {}
    void push(const In& in, bool counts, double x, double weight, Out out) noexcept {
        sum.fade(in(decay)), weights.fade(in(decay));
        if (counts) sum.sum += x * weight, weights.sum += weight;
        say(in.top, out);
    }
    void say(const Top& top, Out out) const noexcept { out[0] = top.valid && weights.sum > 0 ? sum.sum / weights.sum : kNaN; }
    Ref<TradeDecay> decay;
    Faded sum, weights;
};

struct EffectiveToQuoted {
    static constexpr Meta meta{
        .name = "effective_to_quoted", .doc = "Effective over quoted spread: below 1 trades got better prices than the best quotes, above 1 worse. By size, fading with a half-life; unknown while the book is.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded sum of size |2 price - bid - ask| / faded sum of size (ask - bid), where ask > bid", "ratio", 0}},
        .defaults = {{60}}, .source = "SEC Rule 605, 2000; Bessembinder 2003"};
    static int warmup(Params) { return 1; }
    EffectiveToQuoted(Graph& g, Params p) : mean(g, p[0]) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double bid = in.top.bid[0], ask = in.top.ask[0], wide = ask - bid;
        mean.push(in, in.top.valid && wide > 0, std::fabs((t.price - bid) - (ask - t.price)) / wide, t.size * wide, out);
    }
    void update(const Top& top, In, Out out) noexcept { mean.say(top, out); }
    FadedMean mean;
};

struct TradeThrough {
    static constexpr Meta meta{
        .name = "trade_through", .doc = "Share of volume traded beyond the best quotes that stood: more than there was at the touch, or quotes that came late. Fades with a half-life; unknown while the book is.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "volume above the ask or below the bid / volume", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Hasbrouck 2007, 2.2"};
    static int warmup(Params) { return 1; }
    TradeThrough(Graph& g, Params p) : mean(g, p[0]) {}
    void update(const Trade& t, In in, Out out) noexcept {
        mean.push(in, in.top.valid, where(t.price > in.top.ask[0] || t.price < in.top.bid[0], 1), t.size, out);
    }
    void update(const Top& top, In, Out out) noexcept { mean.say(top, out); }
    FadedMean mean;
};

struct TouchConsumption {
    static constexpr Meta meta{
        .name = "touch_consumption", .doc = "How much of what stands at the best price on its other side a trade takes, fading with a half-life; unknown while the book is.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded mean of min(1, size / size at the touch), where both the side and the size are known", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Farmer, Gillemot, Lillo, Mike, Sen 2004"};
    static int warmup(Params) { return 1; }  // a trade of known side while the book is known
    TouchConsumption(Graph& g, Params p) : sign(g.part<TradeSign>()), mean(g, p[0]) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double s = in(sign), stands = s > 0 ? ask_size : bid_size;
        mean.push(in, in.top.valid && s != 0 && stands > 0, not_above(t.size / stands, 1), 1, out);
    }
    void update(const Top& top, In, Out out) noexcept {
        bid_size = top.bid_size[0], ask_size = top.ask_size[0];  // a message that is still open may have changed those of in.top
        mean.say(top, out);
    }
    Ref<TradeSign> sign;
    FadedMean mean;
    double bid_size = 0, ask_size = 0;
};

struct TradeToQuote {
    static constexpr Meta meta{
        .name = "trade_to_quote", .doc = "Trades as a share of trades and book messages, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded trades / (faded trades + messages that leave the book known); 0 once nothing is left", "0..1", 0, 1}}, .defaults = {{10}, {60}},
        .source = "Hendershott, Jones, Menkveld 2011"};
    static int warmup(Params) { return 1; }
    TradeToQuote(Graph& g, Params p) : decay(g.part<Decay>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { add(in, 1, 0, out); }
    void update(const Top& top, In in, Out out) noexcept { add(in, 0, top.valid, out); }
    void add(const In& in, double trade, double message, Out out) noexcept {
        trades.fade(in(decay).factor), messages.fade(in(decay).factor);
        trades.sum += trade, messages.sum += message;
        out[0] = trades.sum + messages.sum > 0 ? trades.sum / (trades.sum + messages.sum) : 0;
    }
    Ref<Decay> decay;
    Faded trades, messages;
};

// What became of the mid some time after each trade: known late, and told when it is. Trades within 1/256 of the horizon
// of the first of them wait together, until as long after that one, so that never more than 257 wait, however many there
// are. The mid that counts is the one that stood when the time was over: the last before the first event then.
struct Aftermath {
    static constexpr std::uint32_t kParts = 256, kRoom = kParts + 4;
    static constexpr double kSame = 1e-12;  // two mids that are alike may differ by a rounding
    struct Told {
        double realised, impact, adverse;  // faded means by size
    };
    struct Waiting {
        std::int64_t start;
        double mid, bought, sold, cost, ahead;  // cost: sum of sign size ln(price / mid), ahead: of sign size ln(mid / first mid)
    };
    Aftermath(Graph& g, double horizon, double half_life)
        : sign(g.part<TradeSign>()), waiting(g.arena().array<Waiting>(kRoom)), horizon(static_cast<std::int64_t>(horizon * 1e9)),
          rate(-0.6931471805599453 / (half_life * 1e9)) {}
    void update(const Trade& t, In in, Out out) noexcept {
        pass(t.ts, in, out);
        const double s = in(sign);
        if (!in.top.valid || s == 0) return;
        Waiting* all = in.memory[waiting];
        if (n == 0 || t.ts - all[(first + n - 1) % kRoom].start > horizon / kParts) {
            all[(first + n) % kRoom] = {t.ts, mid, 0, 0, 0, 0};
            ++n;
        }
        Waiting& w = all[(first + n - 1) % kRoom];
        (s > 0 ? w.bought : w.sold) += t.size;
        w.cost += s * t.size * log_ratio(t.price, mid);
        w.ahead += s * t.size * log_ratio(mid, w.mid);
    }
    void update(const Top& top, In in, Out out) noexcept {
        pass(top.ts, in, out);
        mid = top.valid ? top.mid() : kNaN;
    }
    void pass(std::int64_t ts, const In& in, Out out) noexcept {
        if (n == 0 || ts - in.memory[waiting][first].start < horizon) return;
        const double factor = begun ? std::exp(rate * static_cast<double>(ts - last)) : 1;
        begun = 1;
        sizes.fade(factor), realised.fade(factor), impact.fade(factor), adverse.fade(factor);
        last = ts;
        for (; n > 0; --n, first = (first + 1) % kRoom) {
            const Waiting& w = in.memory[waiting][first];
            if (ts - w.start < horizon) break;
            if (!known(mid)) continue;
            const double gone = log_ratio(mid, w.mid), moved = (w.bought - w.sold) * gone - w.ahead;
            sizes.sum += w.bought + w.sold;
            realised.sum += 2e4 * (w.cost - moved);
            impact.sum += 2e4 * moved;
            adverse.sum += gone > kSame ? w.bought : gone < -kSame ? w.sold : 0;
        }
        const bool any = sizes.sum > 0;
        out[0] = any ? realised.sum / sizes.sum : kNaN;
        out[1] = any ? impact.sum / sizes.sum : kNaN;
        out[2] = any ? not_above(adverse.sum / sizes.sum, 1) : kNaN;
    }
    Ref<TradeSign> sign;
    Array<Waiting> waiting;
    std::uint32_t first = 0, n = 0, begun = 0;
    std::int64_t horizon, last = 0;
    double rate, mid = kNaN;
    Faded sizes, realised, impact, adverse;
};

struct RealisedSpread {
    static constexpr Meta meta{
        .name = "realised_spread", .doc = "What is left of the effective spread once the mid has moved for a while, and what it moved: earned by whoever quoted, and lost to whoever knew more. By size, fading with a half-life; known late, and unknown while the book is.",
        .params = {{"horizon", 0.001, 86'400, 's'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded mean of 2e4 sign ln(price / mid after the horizon)", "bps"}, {"impact", "faded mean of 2e4 sign ln(mid after the horizon / mid)", "bps"}},
        .defaults = {{1, 60}, {5, 60}, {10, 60}}, .source = "Huang and Stoll 1996; Goyenko, Holden, Trzcinka 2009"};
    static int warmup(Params p) { return 1 + static_cast<int>(100 * p[0]); }  // about: the horizon, at a hundred events a second
    RealisedSpread(Graph& g, Params p) : after(g.part<Aftermath>(p[0], p[1])) {}
    void update(const Trade&, In in, Out out) noexcept { say(in, out); }
    void update(const Top&, In in, Out out) noexcept { say(in, out); }
    void say(const In& in, Out out) const noexcept {
        const auto a = in(after);
        out[0] = in.top.valid ? a.realised : kNaN;
        out[1] = in.top.valid ? a.impact : kNaN;
    }
    Ref<Aftermath> after;
};

struct AdverseShare {
    static constexpr Meta meta{
        .name = "adverse_share", .doc = "Share of volume after which the mid had moved the trade's way, against whoever quoted. Fades with a half-life; known late, and unknown while the book is.",
        .params = {{"horizon", 0.001, 86'400, 's'}, {"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded volume bought before a rise or sold before a fall / volume", "0..1", 0, 1}},
        .defaults = {{1, 60}, {10, 60}}, .source = "Glosten and Milgrom 1985; Huang and Stoll 1996"};
    static int warmup(Params p) { return RealisedSpread::warmup(p); }
    AdverseShare(Graph& g, Params p) : after(g.part<Aftermath>(p[0], p[1])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in.top.valid ? in(after).adverse : kNaN; }
    void update(const Top& top, In in, Out out) noexcept { out[0] = top.valid ? in(after).adverse : kNaN; }
    Ref<Aftermath> after;
};

struct ImpactDecay {
    static constexpr Meta meta{
        .name = "impact_decay", .doc = "Whether impact goes on or is taken back: the price impact of trades after a long against that after a short time. Known late, and unknown while the book is.",
        .params = {{"short", 0.001, 86'400, 's'}, {"long", 0.001, 86'400, 's'}, {"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "(long - short) / (|long| + |short|); 0 while there is no impact", "-1..1", -1, 1}}, .defaults = {{1, 10, 60}},
        .source = "Bouchaud, Farmer, Lillo 2009"};
    static int warmup(Params p) { return 1 + static_cast<int>(100 * p[1]); }  // about
    ImpactDecay(Graph& g, Params p) : soon(g.part<Aftermath>(p[0], p[2])), late(g.part<Aftermath>(p[1], p[2])) {}
    void update(const Trade&, In in, Out out) noexcept { say(in, out); }
    void update(const Top&, In in, Out out) noexcept { say(in, out); }
    void say(const In& in, Out out) const noexcept {
        const double a = in(soon).impact, b = in(late).impact, sum = std::fabs(a) + std::fabs(b);
        out[0] = in.top.valid ? (sum > 0 ? (b - a) / sum : sum) : kNaN;
    }
    Ref<Aftermath> soon, late;
};

// ---- from bars alone ----

struct CorwinSchultz {
    // A range of one day grows with its variance, that of two days with twice; the spread is in both once.
    struct TwoBars {
        explicit TwoBars(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            const double range = log_ratio(b.high, b.low);
            const double both = log_ratio(b.high > high ? b.high : high, b.low < low ? b.low : low);
            const double alpha = 2.414213562373095 * (std::sqrt(range * range + last * last) - both);  // 1 + sqrt 2
            out[0] = known(last) ? (alpha > 0 ? 2e4 * std::tanh(0.5 * alpha) : 0) : kNaN;
            high = b.high, low = b.low, last = range;
        }
        double high = kNaN, low = kNaN, last = kNaN;
    };
    static constexpr Meta meta{
        .name = "corwin_schultz", .doc = "Bid-ask spread from the highs and lows of bars, one by one and by twos.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "mean of max(0, 2e4 tanh(a / 2)), a = (1 + sqrt 2) (sqrt(sum of both squared log ranges) - log range of the two bars)", "bps", 0}},
        .defaults = {{20}, {100}}, .source = "Corwin and Schultz 2012"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    CorwinSchultz(Graph& g, Params p) : n(p[0]), window(g.part<Window<TwoBars, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).sum / n; }
    double n;
    Ref<Window<TwoBars, Sum>> window;
};

struct AbdiRanaldo {
    struct TwoBars {  // of the bar before: its close against its own and against this bar's middle
        explicit TwoBars(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            const double product = away * -(log_ratio(b.high, close) + log_ratio(b.low, close));
            out[0] = known(close) ? 1e4 * std::sqrt(not_below(product, 0)) : kNaN;
            close = b.close;
            away = -(log_ratio(b.high, close) + log_ratio(b.low, close));
        }
        double close = kNaN, away = kNaN;
    };
    static constexpr Meta meta{
        .name = "abdi_ranaldo", .doc = "Bid-ask spread from closes against the middles of the high and low of their own and of the next bar.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "mean of 1e4 sqrt(max(0, 4 (c - m) (c - m next))), c the log close and m the mean of log high and log low", "bps", 0}},
        .defaults = {{20}, {100}}, .source = "Abdi and Ranaldo 2017"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    AbdiRanaldo(Graph& g, Params p) : n(p[0]), window(g.part<Window<TwoBars, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).sum / n; }
    double n;
    Ref<Window<TwoBars, Sum>> window;
};

// Volume with the sign of the bar's return beside that return, and beside the next one.
struct BarFlow {
    struct Told {
        double net, r;
    };
    explicit BarFlow(Graph& g) : r(g.part<LogReturn>()) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double move = in(r);
        out[0] = known(move) ? where(move > 0, b.volume) - where(move < 0, b.volume) : kNaN;
        out[1] = move;
    }
    static Pair aggregate(const Told& t) noexcept { return {t.net, t.r}; }
    Ref<LogReturn> r;
};
struct BarFlowBefore {
    struct Told {
        double net, r;
    };
    explicit BarFlowBefore(Graph& g) : flow(g.part<BarFlow>()) {}
    void update(const Bar&, In in, Out out) noexcept {
        out[0] = last;
        out[1] = in(flow).r;
        last = in(flow).net;
    }
    static Pair aggregate(const Told& t) noexcept { return {t.net, t.r}; }
    Ref<BarFlow> flow;
    double last = kNaN;
};

struct BarKyle {
    static constexpr Meta meta{
        .name = "bar_kyle", .doc = "Kyle's lambda from bars: move per mean volume, by regression of log returns on volume with their sign.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "1e4 slope mean volume; unknown while signed volume is constant", "bps"}}, .defaults = {{20}, {100}},
        .source = "Kyle 1985; Lopez de Prado 2018, 19.4"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    BarKyle(Graph& g, Params p) : n(p[0]), flow(g.part<Window<BarFlow, Comoments>>(p[0])), volume(g.part<Window<Volume, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = 1e4 * in(flow).slope() * (in(volume).sum / n); }
    double n;
    Ref<Window<BarFlow, Comoments>> flow;
    Ref<Window<Volume, Sum>> volume;
};

struct PastorStambaugh {
    static constexpr Meta meta{
        .name = "pastor_stambaugh", .doc = "Return reversal: move of the next bar per mean volume of a bar, by regression on the volume of a bar with the sign of its return. Below 0 where liquidity is thin.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "1e4 slope mean volume; unknown while signed volume is constant", "bps"}},
        .defaults = {{50}, {200}}, .source = "Pastor and Stambaugh 2003"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    PastorStambaugh(Graph& g, Params p) : n(p[0]), flow(g.part<Window<BarFlowBefore, Comoments>>(p[0])), volume(g.part<Window<Volume, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = 1e4 * in(flow).slope() * (in(volume).sum / n); }
    double n;
    Ref<Window<BarFlowBefore, Comoments>> flow;
    Ref<Window<Volume, Sum>> volume;
};

struct BulkImbalance {
    static constexpr Meta meta{
        .name = "bulk_imbalance", .doc = "Order imbalance of bars by bulk volume classification: a bar's volume is shared between buyers and sellers by how unusual its return is.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "sum of volume (2 Phi(log return / sd of log returns) - 1) / sum of volume; 0 without volume or moves", "-1..1", -1, 1}},
        .defaults = {{20}, {100}}, .source = "Easley, Lopez de Prado, O'Hara 2012"};
    static int warmup(Params p) { return static_cast<int>(2 * p[0]); }  // returns, then imbalances
    BulkImbalance(Graph& g, Params p) : n(p[0]), r(g.part<LogReturn>()), returns(g.part<Window<LogReturn, Moments2>>(p[0])), window(g.arena(), count_of(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double m2 = in(returns).m2;
        if (!known(m2)) return;
        const double net = m2 > 0 ? b.volume * std::erf(in(r) / std::sqrt(2 * m2 / (n - 1))) : 0;
        const Sum2 sum = window.push(in, {net, b.volume});
        if (window.full()) out[0] = sum.second > 0 ? not_below(not_above(sum.first / sum.second, 1), -1) : 0;
    }
    double n;
    Ref<LogReturn> r;
    Ref<Window<LogReturn, Moments2>> returns;
    Sliding<Sum2> window;
};

constexpr Kind kinds[] = {
    kind<Vpin>, kind<Kyle>, kind<RollSpread>, kind<EffectiveSpread>,
    kind<HasbrouckLambda>, kind<FlowPriceCorrelation>, kind<TradeAmihud>, kind<HasbrouckImpact>, kind<BounceShare>, kind<Response>,
    kind<EffectiveToQuoted>, kind<TradeThrough>, kind<TouchConsumption>, kind<TradeToQuote>, kind<RealisedSpread>, kind<AdverseShare>, kind<ImpactDecay>,
    kind<CorwinSchultz>, kind<AbdiRanaldo>, kind<BarKyle>, kind<PastorStambaugh>, kind<BulkImbalance>};
}  // namespace

const Family impact{"impact", "microstructure", kinds};

}  // namespace smartcore
