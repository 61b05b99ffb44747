// Trade flow: who trades, how much and how often.
#include "features/families.hpp"
#include "features/trades.hpp"

namespace smartcore {
namespace {

struct TradeImbalance {
    static constexpr Meta meta{
        .name = "trade_imbalance", .doc = "Signed volume as a share of volume, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded sum of sign size / faded sum of size; 0 once nothing is left", "-1..1", -1, 1}},
        .defaults = {{1}, {10}, {60}}, .source = "Chordia, Roll, Subrahmanyam 2002"};
    static int warmup(Params) { return 1; }
    TradeImbalance(Graph& g, Params p) : decay(g.part<Decay>(p[0])), sign(g.part<TradeSign>()) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double factor = in(decay).factor;
        net.fade(factor), all.fade(factor);
        net.sum += in(sign) * t.size;
        all.sum += t.size;
        out[0] = all.sum > 0 ? not_below(not_above(net.sum / all.sum, 1), -1) : 0;
    }
    void update(const Top&, In in) noexcept { net.fade(in(decay).factor), all.fade(in(decay).factor); }  // their ratio stands
    Ref<Decay> decay;
    Ref<TradeSign> sign;
    Faded net, all;
};

// Something a trade adds, per second.
struct FadedRate {
    void pass(const Decay::Told& decay) noexcept { total.fade(decay.factor); }
    double value(const Decay::Told& decay) const noexcept { return decay.span > 0 ? total.sum / decay.span : kNaN; }
    Faded total;
};

template <int Side>
struct SideRate {
    SideRate(Graph& g, Params p) : decay(g.part<Decay>(p[0])), sign(g.part<TradeSign>()) {}
    static int warmup(Params) { return 2; }
    void update(const Trade&, In in, Out out) noexcept {
        rate.pass(in(decay));
        if (in(sign) == Side) rate.total.sum += 1;
        out[0] = rate.value(in(decay));
    }
    void update(const Top&, In in, Out out) noexcept {
        rate.pass(in(decay));
        out[0] = rate.value(in(decay));
    }
    Ref<Decay> decay;
    Ref<TradeSign> sign;
    FadedRate rate;
};
struct BuyRate : SideRate<1> {
    static constexpr Meta meta{
        .name = "buy_rate", .doc = "Intensity of buyer-initiated trades, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded count / faded time", "1/s", 0}}, .defaults = {{1}, {10}, {60}}, .source = "Hawkes 1971; Mueller 2001"};
    using SideRate::SideRate;
};
struct SellRate : SideRate<-1> {
    static constexpr Meta meta{
        .name = "sell_rate", .doc = "Intensity of seller-initiated trades, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded count / faded time", "1/s", 0}}, .defaults = {{1}, {10}, {60}}, .source = "Hawkes 1971; Mueller 2001"};
    using SideRate::SideRate;
};

struct VolumeRate {
    static constexpr Meta meta{
        .name = "volume_rate", .doc = "Traded size per second, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of size / faded time", "size per second", 0}}, .defaults = {{10}, {60}}, .source = "Mueller 2001"};
    static int warmup(Params) { return 2; }
    VolumeRate(Graph& g, Params p) : decay(g.part<Decay>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        rate.pass(in(decay));
        rate.total.sum += t.size;
        out[0] = rate.value(in(decay));
    }
    void update(const Top&, In in, Out out) noexcept {
        rate.pass(in(decay));
        out[0] = rate.value(in(decay));
    }
    Ref<Decay> decay;
    FadedRate rate;
};

struct TradeSignAutocorrelation {
    struct Pair {
        struct Told {
            double before, product;
        };
        explicit Pair(Graph& g) : sign(g.part<TradeSign>()) {}
        void update(const Trade&, In in, Out out) noexcept {
            const double now = in(sign) != 0 ? in(sign) : kNaN;
            out[0] = last;
            out[1] = last * now;
            last = now;
        }
        static Sum aggregate(const Told& t) noexcept { return {t.product}; }
        Ref<TradeSign> sign;
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "trade_sign_autocorrelation", .doc = "How often a trade goes the way of the one before.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "mean product of successive trade signs", "-1..1", -1, 1}}, .defaults = {{100}, {500}},
        .source = "Lillo and Farmer 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TradeSignAutocorrelation(Graph& g, Params p) : n(p[0]), window(g.part<Window<Pair, Sum, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in(window).sum / n; }
    double n;
    Ref<Window<Pair, Sum, Trade>> window;
};

// ---- who is ahead, and by how large trades ----

struct FlowZscore {
    static constexpr Meta meta{
        .name = "flow_zscore", .doc = "Signed volume, fading, against what signs at random would give.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded sum of sign size / sqrt(sum of (weight size)^2); 0 once nothing is left", "standard deviations"}},
        .defaults = {{10}, {60}}, .source = "Hasbrouck and Seppi 2001"};
    static int warmup(Params) { return 1; }
    FlowZscore(Graph& g, Params p) : decay(g.part<TradeDecay>(p[0])), sums(g.part<TradeSums>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double factor = in(decay);
        squares.fade(factor * factor);
        squares.sum += t.size * t.size;
        const auto s = in(sums);
        out[0] = squares.sum > 0 ? (s.bought - s.sold) / std::sqrt(squares.sum) : 0;
    }
    Ref<TradeDecay> decay;
    Ref<TradeSums> sums;
    Faded squares;
};

struct CountImbalance {
    static constexpr Meta meta{
        .name = "count_imbalance", .doc = "Buyer- less seller-initiated trades as a share of both, whatever their size, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "(faded buys - sells) / (buys + sells); 0 while no side is known", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Jones, Kaul, Lipson 1994; Chordia, Roll, Subrahmanyam 2002"};
    static int warmup(Params) { return 1; }
    CountImbalance(Graph& g, Params p) : sums(g.part<TradeSums>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = s.buys + s.sells > 0 ? (s.buys - s.sells) / (s.buys + s.sells) : 0;
    }
    Ref<TradeSums> sums;
};

struct SizeAsymmetry {
    static constexpr Meta meta{
        .name = "size_asymmetry", .doc = "Mean size of buyer- against seller-initiated trades, fading with a half-life; unknown until both sides have traded.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "(mean buy - mean sell) / (mean buy + mean sell); 0 where nothing has a size", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Easley and O'Hara 1987"};
    static int warmup(Params) { return 2; }  // about: a trade of each side
    SizeAsymmetry(Graph& g, Params p) : sums(g.part<TradeSums>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const auto s = in(sums);
        if (!(s.buys > 0 && s.sells > 0)) {
            out[0] = kNaN;
            return;
        }
        const double buy = s.bought / s.buys, sell = s.sold / s.sells;
        out[0] = buy + sell > 0 ? (buy - sell) / (buy + sell) : 0;
    }
    Ref<TradeSums> sums;
};

struct TradeSizeTrend {
    static constexpr Meta meta{
        .name = "trade_size", .doc = "Mean size of a trade now against its usual one: means that fade with a short and with a long half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}, {"usual", 0.001, 86'400, 's'}},
        .outputs = {{"", "ln(mean size / usual mean size); unknown while nothing has a size", "log"}}, .defaults = {{1, 60}, {10, 300}},
        .source = "Easley and O'Hara 1987; Mueller 2001"};
    static int warmup(Params) { return 1; }
    TradeSizeTrend(Graph& g, Params p) : now(g.part<TradeSums>(p[0])), usual(g.part<TradeSums>(p[1])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const auto a = in(now), b = in(usual);
        out[0] = a.volume > 0 && b.volume > 0 ? std::log((a.volume / a.trades) / (b.volume / b.trades)) : kNaN;
    }
    Ref<TradeSums> now, usual;
};

struct TradeConcentration {
    static constexpr Meta meta{
        .name = "trade_concentration", .doc = "How unequal trades are in size: 1 when all are alike, N when one of N has it all. Fades with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded mean of size^2 / (faded mean size)^2; unknown while nothing has a size", "ratio", 0}},
        .defaults = {{10}, {60}}, .source = "Herfindahl 1950"};
    static int warmup(Params) { return 1; }
    TradeConcentration(Graph& g, Params p) : sums(g.part<TradeSums>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const auto s = in(sums);
        const double mean = s.volume / s.trades;
        out[0] = mean > 0 ? s.squares / s.trades / mean / mean : kNaN;
    }
    Ref<TradeSums> sums;
};

struct LargeTrades {
    static constexpr double kLarge = 3.1622776601683795;  // half a decade above the mean; no two decimal sizes are so far apart
    static constexpr Meta meta{
        .name = "large_trades", .doc = "Volume of trades of more than sqrt(10) = 3.16 times the mean size, which fades with the same half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"share", "large volume / volume; 0 while nothing has a size", "0..1", 0, 1}, {"net", "signed large volume / volume", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Barclay and Warner 1993"};
    static int warmup(Params) { return 1; }
    LargeTrades(Graph& g, Params p) : decay(g.part<TradeDecay>(p[0])), sign(g.part<TradeSign>()), sums(g.part<TradeSums>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const auto s = in(sums);
        large.fade(in(decay)), net.fade(in(decay));
        const double q = where(t.size * s.trades > kLarge * s.volume, t.size);
        large.sum += q;
        net.sum += q * in(sign);
        out[0] = s.volume > 0 ? not_above(large.sum / s.volume, 1) : 0;
        out[1] = s.volume > 0 ? not_below(not_above(net.sum / s.volume, 1), -1) : 0;
    }
    Ref<TradeDecay> decay;
    Ref<TradeSign> sign;
    Ref<TradeSums> sums;
    Faded large, net;
};

// ---- at what prices ----

// Volume-weighted average prices of all trades, of buys and of sells, less the last price. As distances they keep all digits.
struct TradeVwap {
    struct Told {
        double all, buys, sells;
    };
    TradeVwap(Graph& g, double half_life) : sign(g.part<TradeSign>()), sums(g.part<TradeSums>(half_life)) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const auto w = in(sums);
        const double s = in(sign), change = known(last) ? t.price - last : 0;
        last = t.price;
        out[0] = all = w.volume > 0 ? (all - change) * (1 - t.size / w.volume) : 0;
        out[1] = buys = w.bought > 0 ? (buys - change) * (1 - where(s > 0, t.size) / w.bought) : 0;
        out[2] = sells = w.sold > 0 ? (sells - change) * (1 - where(s < 0, t.size) / w.sold) : 0;
    }
    Ref<TradeSign> sign;
    Ref<TradeSums> sums;
    double last = kNaN, all = 0, buys = 0, sells = 0;
};

struct TradeVwapDistance {
    static constexpr Meta meta{
        .name = "trade_vwap_distance", .doc = "Last price against the volume-weighted average price of trades, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "1e4 (price - vwap) / price; unknown while nothing has a size", "bps"}},
        .defaults = {{10}, {60}}, .source = "Berkowitz, Logue, Noser 1988"};
    static int warmup(Params) { return 1; }
    TradeVwapDistance(Graph& g, Params p) : sums(g.part<TradeSums>(p[0])), vwap(g.part<TradeVwap>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept { out[0] = in(sums).volume > 0 ? -1e4 * in(vwap).all / t.price : kNaN; }
    Ref<TradeSums> sums;
    Ref<TradeVwap> vwap;
};

struct BuySellVwap {
    static constexpr Meta meta{
        .name = "buy_sell_vwap", .doc = "Average price that buyers paid against what sellers got, by size, fading with a half-life; unknown until both sides have traded.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "1e4 (vwap of buys - vwap of sells) / price", "bps"}},
        .defaults = {{10}, {60}}, .source = "Berkowitz, Logue, Noser 1988; Stoll 1989"};
    static int warmup(Params) { return 2; }  // about: a trade of each side
    BuySellVwap(Graph& g, Params p) : sums(g.part<TradeSums>(p[0])), vwap(g.part<TradeVwap>(p[0])) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const auto s = in(sums);
        const auto v = in(vwap);
        out[0] = s.bought > 0 && s.sold > 0 ? 1e4 * (v.buys - v.sells) / t.price : kNaN;
    }
    Ref<TradeSums> sums;
    Ref<TradeVwap> vwap;
};

struct TickEfficiency {
    struct Path {
        explicit Path(Graph& g) : step(g.part<TradeStep>()) {}
        void update(const Trade&, In in, Out out) noexcept { out[0] = in(step).change; }
        static Sum2 aggregate(double change) noexcept { return {change, std::fabs(change)}; }
        Ref<TradeStep> step;
    };
    static constexpr Meta meta{
        .name = "tick_efficiency", .doc = "How straight the price went over the last trades, and which way.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "sum of price changes / sum of their sizes; 0 while the price stands", "-1..1", -1, 1}}, .defaults = {{100}, {500}},
        .source = "Kaufman 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TickEfficiency(Graph& g, Params p) : window(g.part<Window<Path, Sum2, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        out[0] = share_of(in(window));
    }
    Ref<Window<Path, Sum2, Trade>> window;
};

// Up or down from the trade before: 1, -1, 0.
struct Tick {
    explicit Tick(Graph& g) : step(g.part<TradeStep>()) {}
    void update(const Trade&, In in, Out out) noexcept {
        const double change = in(step).change;
        out[0] = known(change) ? where(change > 0, 1) - where(change < 0, 1) : kNaN;
    }
    static Sum2 aggregate(double tick) noexcept { return {tick, tick * tick}; }
    Ref<TradeStep> step;
};

struct TickBalance {
    static constexpr Meta meta{
        .name = "tick_balance", .doc = "Upticks less downticks as a share of both.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(up - down) / (up + down) over the last `window` trades; 0 while the price stands", "-1..1", -1, 1}},
        .defaults = {{100}, {500}}, .source = "Lee and Ready 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    TickBalance(Graph& g, Params p) : window(g.part<Window<Tick, Sum2, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        out[0] = share_of(in(window));
    }
    Ref<Window<Tick, Sum2, Trade>> window;
};

struct ZeroTicks {
    static constexpr Meta meta{
        .name = "zero_ticks", .doc = "Share of trades at the price of the trade before.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "trades without a change / trades", "0..1", 0, 1}}, .defaults = {{100}, {500}},
        .source = "Lesmond, Ogden, Trzcinka 1999, on trades"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    ZeroTicks(Graph& g, Params p) : n(p[0]), window(g.part<Window<Tick, Sum2, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = (n - in(window).second) / n; }
    double n;
    Ref<Window<Tick, Sum2, Trade>> window;
};

// ---- in which order ----

// How many trades of one side have come in a row.
struct RunLength {
    explicit RunLength(Graph& g) : sign(g.part<TradeSign>()) {}
    void update(const Trade&, In in, Out out) noexcept {
        const double s = in(sign);
        length = s == last ? length + 1 : 1;
        last = s;
        out[0] = s != 0 ? length : kNaN;
    }
    Ref<TradeSign> sign;
    double last = 0, length = 0;
};

struct SignRun {
    static constexpr Meta meta{
        .name = "sign_run", .doc = "How many trades of the last one's side have come in a row; negative for sales.",
        .outputs = {{"", "sign x length of the run; unknown until a side is known", "trades"}}, .source = "Wald and Wolfowitz 1940; Lillo and Farmer 2004"};
    static int warmup(Params) { return 1; }
    SignRun(Graph& g, Params) : sign(g.part<TradeSign>()), run(g.part<RunLength>()) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in(sign) * in(run); }
    Ref<TradeSign> sign;
    Ref<RunLength> run;
};

struct LongestRun {
    static constexpr Meta meta{
        .name = "longest_run", .doc = "The longest run of one side that was seen during the last trades.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "maximum of the length of the run, as it stood at each of the trades", "trades", 1}}, .defaults = {{100}, {500}},
        .source = "Mood 1940; Lillo and Farmer 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    LongestRun(Graph& g, Params p) : window(g.part<Window<RunLength, Max, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in(window).max; }
    Ref<Window<RunLength, Max, Trade>> window;
};

struct SignMemory {
    static constexpr Meta meta{
        .name = "sign_memory", .doc = "How often a trade goes the way of the one some trades before: long memory is split orders.",
        .params = {{"lag", 2, 10'000}, {"window", 2, 100'000}}, .outputs = {{"", "mean product of trade signs `lag` trades apart", "-1..1", -1, 1}},
        .defaults = {{2, 100}, {5, 100}, {10, 500}, {20, 500}}, .source = "Lillo and Farmer 2004; Toth, Palit, Lillo, Farmer 2015"};
    static int warmup(Params p) { return static_cast<int>(p[0] + p[1]); }
    SignMemory(Graph& g, Params p) : lag(count_of(p[0])), n(p[1]), sign(g.part<TradeSign>()), signs(g.arena(), lag + 1), window(g.arena(), count_of(p[1])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const double s = in(sign);
        if (s == 0) return;
        signs.push(in, s);
        const auto past = signs.view(in);
        if (!past.has(lag + 1)) return;
        const Sum sum = window.push(in, {s * past.ago(lag)});
        if (window.full()) out[0] = sum.sum / n;
    }
    std::uint32_t lag, unused = 0;
    double n;
    Ref<TradeSign> sign;
    History signs;
    Sliding<Sum> window;
};

// Counts of words are whole numbers: what leaves the window is taken off again, exactly.
struct SignEntropy {
    static constexpr std::uint32_t kWords = 8;
    static constexpr Meta meta{
        .name = "sign_entropy", .doc = "How unpredictable the order of buys and sells is: entropy of words of three successive signs.",
        .params = {{"window", 8, 100'000}}, .outputs = {{"", "-sum p ln p / ln 8 over the 8 words, p the share among the last `window` words", "0..1", 0, 1}},
        .defaults = {{100}, {500}}, .source = "Shannon 1948; Easley, Lopez de Prado, O'Hara 2016"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 2; }
    SignEntropy(Graph& g, Params p)
        : n(count_of(p[0])), sign(g.part<TradeSign>()), words(g.arena().array<std::uint32_t>(n)), weights(g.arena().array<double>(n + 1)) {
        double* weight = g.arena().memory()[weights];
        for (std::uint32_t c = 1; c <= n; ++c) weight[c] = c / static_cast<double>(n) * std::log(n / static_cast<double>(c)) / std::log(8.0);
    }
    void update(const Trade&, In in, Out out) noexcept {
        const double s = in(sign);
        if (s == 0) return;
        word = (2 * word + (s > 0)) % kWords;
        if (seen < n + 2) ++seen;
        if (seen < 3) return;
        std::uint32_t& slot = in.memory[words][at];
        if (full) --counts[slot];
        ++counts[slot = word];
        if (++at == n) at = 0, full = 1;
        if (!full) return;
        const double* weight = in.memory[weights];
        double sum = 0;
        for (std::uint32_t c : counts) sum += weight[c];
        out[0] = not_above(sum, 1);
    }
    std::uint32_t n;
    Ref<TradeSign> sign;
    Array<std::uint32_t> words;
    Array<double> weights;  // -p ln p / ln 8 of each count
    std::uint32_t counts[kWords] = {};
    std::uint32_t word = 0, seen = 0, at = 0, full = 0;
};

struct SizeClustering {
    struct Steps {  // log size of a trade beside that of the one before
        struct Told {
            double before, now;
        };
        explicit Steps(Graph&) {}
        void update(const Trade& t, In, Out out) noexcept {
            const double now = t.size > 0 ? std::log(t.size) : kNaN;
            out[0] = known(now) ? last : kNaN;
            out[1] = last = now;
        }
        static Pair aggregate(const Told& t) noexcept { return {t.before, t.now}; }
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "size_clustering", .doc = "Whether large trades follow large ones; trades without size do not count.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "correlation of the log sizes of successive trades; unknown while sizes are constant", "-1..1", -1, 1}},
        .defaults = {{100}, {500}}, .source = "Gopikrishnan, Plerou, Gabaix, Stanley 2000"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    SizeClustering(Graph& g, Params p) : window(g.part<Window<Steps, Comoments, Trade>>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept { out[0] = in(window).correlation(); }
    Ref<Window<Steps, Comoments, Trade>> window;
};

// ---- orders behind trades: a large order is reported as its fills ----

// Successive trades of one side, each within a millisecond of the one before, are one order; it sweeps the book once it
// has traded at more than one price.
struct Orders {
    static constexpr std::int64_t kTogether = 1'000'000;
    struct Told {
        double begun, swept;  // orders begun with this trade; volume now known to be of a sweep
    };
    explicit Orders(Graph& g) : sign(g.part<TradeSign>()) {}
    void update(const Trade& t, In in, Out out) noexcept {
        const double s = in(sign);
        const bool same = s != 0 && s == side && t.ts - ts <= kTogether;
        if (!same) unknown = sweeps = 0;
        else if (t.price != price) sweeps = 1;
        unknown += t.size;
        out[0] = !same;
        out[1] = sweeps != 0 ? unknown : 0;
        if (sweeps != 0) unknown = 0;
        side = s, ts = t.ts, price = t.price;
    }
    Ref<TradeSign> sign;
    std::int64_t ts = 0;
    double side = 0, price = 0, unknown = 0, sweeps = 0;
};

struct Sweeps {
    static constexpr Meta meta{
        .name = "sweeps", .doc = "Volume of orders that traded at more than one price. Successive trades of one side, each within 1 ms of the one before, are one order. Fades with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"share", "volume of sweeps / volume; 0 while nothing has a size", "0..1", 0, 1}, {"net", "signed volume of sweeps / volume", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Chakravarty, Jain, Upson, Wood 2012"};
    static int warmup(Params) { return 1; }
    Sweeps(Graph& g, Params p) : decay(g.part<TradeDecay>(p[0])), sign(g.part<TradeSign>()), orders(g.part<Orders>()), sums(g.part<TradeSums>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        const double volume = in(sums).volume;
        swept.fade(in(decay)), net.fade(in(decay));
        swept.sum += in(orders).swept;
        net.sum += in(orders).swept * in(sign);
        out[0] = volume > 0 ? not_above(swept.sum / volume, 1) : 0;
        out[1] = volume > 0 ? not_below(not_above(net.sum / volume, 1), -1) : 0;
    }
    Ref<TradeDecay> decay;
    Ref<TradeSign> sign;
    Ref<Orders> orders;
    Ref<TradeSums> sums;
    Faded swept, net;
};

struct FillsPerOrder {
    static constexpr Meta meta{
        .name = "fills_per_order", .doc = "Trades that an order gives. Successive trades of one side, each within 1 ms of the one before, are one order. Fades with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded trades / faded orders", "trades", 1}}, .defaults = {{10}, {60}},
        .source = "Bouchaud, Bonart, Donier, Gould 2018, 10.3"};
    static int warmup(Params) { return 1; }
    FillsPerOrder(Graph& g, Params p) : decay(g.part<TradeDecay>(p[0])), orders(g.part<Orders>()), sums(g.part<TradeSums>(p[0])) {}
    void update(const Trade&, In in, Out out) noexcept {
        begun.fade(in(decay));
        begun.sum += in(orders).begun;
        out[0] = begun.sum > 0 ? not_below(in(sums).trades / begun.sum, 1) : kNaN;
    }
    Ref<TradeDecay> decay;
    Ref<Orders> orders;
    Ref<TradeSums> sums;
    Faded begun;
};

constexpr Kind kinds[] = {
    kind<TradeImbalance>, kind<BuyRate>, kind<SellRate>, kind<VolumeRate>, kind<TradeSignAutocorrelation>,
    kind<FlowZscore>, kind<CountImbalance>, kind<SizeAsymmetry>, kind<TradeSizeTrend>, kind<TradeConcentration>, kind<LargeTrades>,
    kind<TradeVwapDistance>, kind<BuySellVwap>, kind<TickEfficiency>, kind<TickBalance>, kind<ZeroTicks>,
    kind<SignRun>, kind<LongestRun>, kind<SignMemory>, kind<SignEntropy>, kind<SizeClustering>, kind<Sweeps>, kind<FillsPerOrder>};
}  // namespace

const Family flow{"flow", "microstructure", kinds};

}  // namespace smartcore
