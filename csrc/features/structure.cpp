// Structure: swings, breaks, zones and pools, as "smart money" traders see them, each told when it is known and never rewritten.
//
// A swing high is known only when `side` bars behind it were lower. Whoever marks it on the bar where it happened shows what
// nobody saw then. Zones live until the price has traded through them, for `life` bars at the most, and 16 of a kind.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

constexpr double kSlack = 1e-9;     // a value that is a threshold but for its rounding has not passed it
constexpr double kLongest = 1000;   // ages are counted up to here
constexpr double kFar = 50;         // and distances, in mean true ranges, also that of what there is none of
constexpr double kBars = 20;        // of the mean true range

using MeanRange = Window<TrueRange, Sum>;
inline double ranges(double distance, double sum) noexcept {
    return distance == 0 ? 0 : not_below(not_above(distance * kBars / sum, kFar), -kFar);
}
inline int warm(Params p) { return static_cast<int>(std::fmax(2 * p[0] + 1, kBars + 1)); }

// The last swings that are known: level, and the bar where it was. Until there is one, the extreme of the first 2 side + 1
// bars stands for it. Of equal extremes the newest.
struct Swings {
    struct Told {
        double high, high_at, low, low_at, new_high, new_low, bars;
    };
    Swings(Graph& g, double n)
        : side(static_cast<std::int64_t>(n)), highs(g.arena(), 2 * count_of(n) + 1), lows(g.arena(), 2 * count_of(n) + 1) {}
    void update(const Bar& b, In in, Out out) noexcept {
        ++bars;
        const LastMax h = highs.push(in, {b.high, bars});
        const LastMin l = lows.push(in, {b.low, bars});
        if (!highs.full()) return;
        const bool up = h.when == bars - side, down = l.when == bars - side;
        if (up || high_at == 0) high = h.max, high_at = h.when;
        if (down || low_at == 0) low = l.min, low_at = l.when;
        out[0] = high, out[1] = static_cast<double>(high_at);
        out[2] = low, out[3] = static_cast<double>(low_at);
        out[4] = up, out[5] = down;
        out[6] = static_cast<double>(bars);
    }
    std::int64_t side, bars = 0, high_at = 0, low_at = 0;
    double high = kNaN, low = kNaN;
    Sliding<LastMax> highs;
    Sliding<LastMin> lows;
};

struct Swing {
    static constexpr Meta meta{
        .name = "swing", .doc = "Close against the last swing high and low: extremes above (below) `side` bars on either side, known `side` bars after they happened.",
        .params = {{"side", 1, 500}},
        .outputs = {{"high", "(close - last swing high) / mean true range of 20 bars, from -50 to 50", "ranges", -kFar, kFar},
                    {"low", "(close - last swing low) / mean true range, from -50 to 50", "ranges", -kFar, kFar},
                    {"high_age", "bars since the swing high happened (it has been known for `side` less), 1000 at most", "bars", 0, kLongest},
                    {"low_age", "bars since the swing low happened, 1000 at most", "bars", 0, kLongest}},
        .defaults = {{5}, {20}}, .source = "Williams 1998 (fractals)"};
    static int warmup(Params p) { return warm(p); }
    Swing(Graph& g, Params p) : swings(g.part<Swings>(p[0])), range(g.part<MeanRange>(kBars)) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const auto s = in(swings);
        const double range = in(this->range).sum, both = s.bars + range;
        out[0] = known(both) ? ranges(b.close - s.high, range) : kNaN;
        out[1] = known(both) ? ranges(b.close - s.low, range) : kNaN;
        out[2] = known(both) ? not_above(s.bars - s.high_at, kLongest) : kNaN;
        out[3] = known(both) ? not_above(s.bars - s.low_at, kLongest) : kNaN;
    }
    Ref<Swings> swings;
    Ref<MeanRange> range;
};

struct DealingRange {
    static constexpr Meta meta{
        .name = "dealing_range", .doc = "Premium or discount: where between the last swing low and the last swing high the close stands.",
        .params = {{"side", 1, 500}},
        .outputs = {{"", "(close - lower) / (higher - lower) of the two, from -2 to 3; 0.5 where they are one", "number", -2, 3}},
        .defaults = {{5}, {20}}, .source = "Williams 1998 (fractals); Steidlmayer and Hawkins 2003"};
    static int warmup(Params p) { return static_cast<int>(2 * p[0] + 1); }
    DealingRange(Graph& g, Params p) : swings(g.part<Swings>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const auto s = in(swings);
        const double low = s.high < s.low ? s.high : s.low, width = std::fabs(s.high - s.low);
        const double at = (b.close - low) / width;
        out[0] = width > 0 ? not_below(not_above(at, 3), -2) : width + 0.5;
    }
    Ref<Swings> swings;
};

// Closes beyond the last swing. The first against the trend so far is its change of character, those with it are breaks of
// structure. A swing is broken once. Beside it, the bar where the move began that broke it: the lowest between the swing high
// and the break, or the highest between the swing low and the break.
struct Breaks {
    struct Told {
        double trend, break_at, flip_at, streak, broke, zone_low, zone_high, bars;
    };
    struct Lowest {
        double low, high;
        friend Lowest operator+(const Lowest& a, const Lowest& b) noexcept { return b.low <= a.low ? b : a; }
    };
    struct Highest {
        double low, high;
        friend Highest operator+(const Highest& a, const Highest& b) noexcept { return b.high >= a.high ? b : a; }
    };
    Breaks(Graph& g, double n) : swings(g.part<Swings>(n)), lowest(g.arena(), count_of(n)), highest(g.arena(), count_of(n)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const Lowest low = lowest.push(in, {b.low, b.high});
        const Highest high = highest.push(in, {b.low, b.high});
        const auto s = in(swings);
        if (!known(s.bars)) return;
        const bool first = break_at == 0;
        if (first) {
            break_at = flip_at = s.bars;
            dip = {kInf, kNaN}, peak = {kNaN, -kInf};
            high_stands = low_stands = 1;
        }
        if (s.new_high > 0) high_stands = 1, dip = low;  // the bars behind the swing; this one cannot break it
        if (s.new_low > 0) low_stands = 1, peak = high;
        double broke = 0, zone_low = kNaN, zone_high = kNaN;
        if (high_stands && b.close > s.high) {
            broke = 1, high_stands = 0;
            if (dip.low < kInf) zone_low = dip.low, zone_high = dip.high;
        } else if (low_stands && b.close < s.low) {
            broke = -1, low_stands = 0;
            if (peak.high > -kInf) zone_low = peak.low, zone_high = peak.high;
        }
        if (broke != 0) {
            if (broke != trend) trend = broke, flip_at = s.bars, streak = 0;
            ++streak;
            break_at = s.bars;
        }
        if (!first && !(s.new_high > 0)) dip = dip + Lowest{b.low, b.high};
        if (!first && !(s.new_low > 0)) peak = peak + Highest{b.low, b.high};
        out[0] = trend, out[1] = break_at, out[2] = flip_at, out[3] = streak;
        out[4] = broke, out[5] = zone_low, out[6] = zone_high, out[7] = s.bars;
    }
    Ref<Swings> swings;
    double trend = 0, break_at = 0, flip_at = 0, streak = 0;
    Lowest dip{};
    Highest peak{};
    std::uint32_t high_stands = 0, low_stands = 0;
    Sliding<Lowest> lowest;
    Sliding<Highest> highest;
};

struct MarketStructure {
    static constexpr Meta meta{
        .name = "market_structure", .doc = "Closes beyond the last swing high or low: breaks of structure with the trend, a change of character against it.",
        .params = {{"side", 1, 500}},
        .outputs = {{"", "direction of the last break: 1 up, -1 down, 0 before the first", "-1..1", -1, 1},
                    {"break_age", "bars since the last break, 1000 at most", "bars", 0, kLongest},
                    {"flip_age", "bars since the last change of character, 1000 at most", "bars", 0, kLongest},
                    {"streak", "breaks since then, itself too", "number", 0}},
        .defaults = {{5}, {20}}, .source = "Edwards and Magee 1948 (Dow theory)"};
    static int warmup(Params p) { return static_cast<int>(2 * p[0] + 1); }
    MarketStructure(Graph& g, Params p) : breaks(g.part<Breaks>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const auto s = in(breaks);
        out[0] = s.trend;
        out[1] = known(s.bars) ? not_above(s.bars - s.break_at, kLongest) : kNaN;
        out[2] = known(s.bars) ? not_above(s.bars - s.flip_at, kLongest) : kNaN;
        out[3] = s.streak;
    }
    Ref<Breaks> breaks;
};

// ---- zones: a few are alive at a time, and each bar looks at all of them ----

struct Zone {
    double low, high, since, reach;  // since: the bar it became known on
};
class Zones {
public:
    static constexpr std::uint32_t kMost = 16;
    explicit Zones(Arena& arena) : zones_(arena.array<Zone>(kMost)) {}
    void add(Memory m, const Zone& z) noexcept {
        Zone* zones = m[zones_];
        if (n_ == kMost) {  // the oldest goes
            for (std::uint32_t i = 1; i < kMost; ++i) zones[i - 1] = zones[i];
            --n_;
        }
        zones[n_++] = z;
    }
    // Of those for which f(zone) is true, the others are forgotten. Oldest first.
    template <class F>
    void keep(Memory m, F&& f) noexcept {
        Zone* zones = m[zones_];
        std::uint32_t kept = 0;
        for (std::uint32_t i = 0; i < n_; ++i) {
            Zone z = zones[i];
            if (f(z)) zones[kept++] = z;
        }
        n_ = kept;
    }
    Zone* begin(Memory m) const noexcept { return m[zones_]; }
    std::uint32_t size() const noexcept { return n_; }

private:
    Array<Zone> zones_;
    std::uint32_t n_ = 0;
};
inline double balance(std::uint32_t a, std::uint32_t b) noexcept {
    return a + b ? (static_cast<double>(a) - static_cast<double>(b)) / static_cast<double>(a + b) : 0;
}

struct OrderBlock {
    static constexpr Meta meta{
        .name = "order_block", .doc = "Order blocks: the bar where a move began that broke the structure. Alive until a bar trades beyond its far end, for `life` bars at most, the last 16 of each kind.",
        .params = {{"side", 1, 500}, {"life", 10, 2500}},
        .outputs = {{"below", "(close - top of the nearest bullish block) / mean true range of 20 bars, 0 inside, 50 at most or where there is none", "ranges", 0, kFar},
                    {"above", "(bottom of the nearest bearish block - close) / mean true range, likewise", "ranges", 0, kFar},
                    {"below_age", "bars since the break that made the nearest bullish block; `life` where there is none", "bars", 0},
                    {"above_age", "likewise of the nearest bearish block", "bars", 0},
                    {"balance", "(bullish - bearish) / all blocks alive; 0 without any", "-1..1", -1, 1}},
        .defaults = {{5, 500}}, .source = "Edwards and Magee 1948 (support and resistance); smartmoneyconcepts 2023"};
    static int warmup(Params p) { return warm(p); }
    OrderBlock(Graph& g, Params p)
        : life(p[1]), breaks(g.part<Breaks>(p[0])), range(g.part<MeanRange>(kBars)), bulls(g.arena()), bears(g.arena()) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto s = in(breaks);
        if (!known(s.bars)) return;
        double top = -kInf, bottom = kInf, bull = s.bars - life, bear = bull;
        const auto below = [&](const Zone& z) { if (z.high >= top) top = z.high, bull = z.since; };
        const auto above = [&](const Zone& z) { if (z.low <= bottom) bottom = z.low, bear = z.since; };
        bulls.keep(in, [&](const Zone& z) { return s.bars - z.since <= life && !(b.low < z.low); });
        bears.keep(in, [&](const Zone& z) { return s.bars - z.since <= life && !(b.high > z.high); });
        if (known(s.zone_low)) (s.broke > 0 ? bulls : bears).add(in, {s.zone_low, s.zone_high, s.bars, 0});
        for (std::uint32_t i = 0; i < bulls.size(); ++i) below(bulls.begin(in)[i]);
        for (std::uint32_t i = 0; i < bears.size(); ++i) above(bears.begin(in)[i]);
        const double range = in(this->range).sum;
        if (!known(range)) return;
        out[0] = bulls.size() ? ranges(not_below(b.close - top, 0), range) : kFar;
        out[1] = bears.size() ? ranges(not_below(bottom - b.close, 0), range) : kFar;
        out[2] = s.bars - bull;
        out[3] = s.bars - bear;
        out[4] = balance(bulls.size(), bears.size());
    }
    double life;
    Ref<Breaks> breaks;
    Ref<MeanRange> range;
    Zones bulls, bears;
};

struct FairValueGap {
    static constexpr Meta meta{
        .name = "fair_value_gap", .doc = "Fair value gaps: prices between the first and the third of three bars that the second, with a body towards it, skipped over. Alive until traded through, for `life` bars at most, the last 16 of each kind.",
        .params = {{"life", 10, 2500}},
        .outputs = {{"below", "(close - top of what is left of the nearest bullish gap) / mean true range of 20 bars, 50 at most or where there is none", "ranges", 0, kFar},
                    {"above", "(bottom of what is left of the nearest bearish gap - close) / mean true range, likewise", "ranges", 0, kFar},
                    {"below_filled", "share of the nearest bullish gap that was traded since; 1 where there is none", "0..1", 0, 1},
                    {"above_filled", "likewise of the nearest bearish gap", "0..1", 0, 1},
                    {"balance", "(bullish - bearish) / all gaps alive; 0 without any", "-1..1", -1, 1},
                    {"size", "size of the nearest of all (of two, the bullish) / mean true range, 50 at most; 0 without any", "ranges", 0, kFar}},
        .defaults = {{500}}, .source = "smartmoneyconcepts 2023"};
    static int warmup(Params) { return static_cast<int>(kBars) + 1; }
    FairValueGap(Graph& g, Params p) : life(p[0]), range(g.part<MeanRange>(kBars)), bulls(g.arena()), bears(g.arena()) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double now = ++bars;
        bulls.keep(in, [&](Zone& z) {
            z.reach = not_above(z.reach, b.low);
            return now - z.since <= life && z.reach > z.low;
        });
        bears.keep(in, [&](Zone& z) {
            z.reach = not_below(z.reach, b.high);
            return now - z.since <= life && z.reach < z.high;
        });
        if (body > 0 && first_high < b.low) bulls.add(in, {first_high, b.low, now, b.low});
        if (body < 0 && first_low > b.high) bears.add(in, {b.high, first_low, now, b.high});
        first_high = high, first_low = low;
        high = b.high, low = b.low, body = b.close - b.open;
        const double range = in(this->range).sum;
        if (!known(range)) return;
        Zone bull{0, 1, 0, -kInf}, bear{0, 1, 0, kInf};
        for (std::uint32_t i = 0; i < bulls.size(); ++i)
            if (bulls.begin(in)[i].reach >= bull.reach) bull = bulls.begin(in)[i];
        for (std::uint32_t i = 0; i < bears.size(); ++i)
            if (bears.begin(in)[i].reach <= bear.reach) bear = bears.begin(in)[i];
        const double under = b.close - bull.reach, over = bear.reach - b.close;
        out[0] = bulls.size() ? ranges(under, range) : kFar;
        out[1] = bears.size() ? ranges(over, range) : kFar;
        out[2] = bulls.size() ? (bull.high - bull.reach) / (bull.high - bull.low) : 1;
        out[3] = bears.size() ? (bear.reach - bear.low) / (bear.high - bear.low) : 1;
        out[4] = balance(bulls.size(), bears.size());
        const Zone& nearest = under <= over ? bull : bear;
        out[5] = bulls.size() + bears.size() ? ranges(nearest.high - nearest.low, range) : 0;
    }
    double life, bars = 0;
    Ref<MeanRange> range;
    Zones bulls, bears;
    double first_high = kNaN, first_low = kNaN, high = kNaN, low = kNaN, body = 0;
};

// Stops gather beyond swings, the more of them are at one price the more.
struct Liquidity {
    static constexpr double kNear = 0.25;
    static constexpr Meta meta{
        .name = "liquidity", .doc = "Liquidity pools: swing highs and lows that no bar has traded beyond; those within a quarter of a mean true range are one pool. Alive for `life` bars after their last swing at most, the last 16 of each kind.",
        .params = {{"side", 1, 500}, {"life", 10, 2500}},
        .outputs = {{"above", "(nearest pool of highs - close) / mean true range of 20 bars, 50 at most or where there is none", "ranges", 0, kFar},
                    {"below", "(close - nearest pool of lows) / mean true range, likewise", "ranges", 0, kFar},
                    {"above_touches", "swings in that pool of highs; 0 where there is none", "number", 0},
                    {"below_touches", "swings in that pool of lows", "number", 0},
                    {"sweep", "the last pool of two or more swings that was traded beyond: 1 of highs, -1 of lows, 0 before any", "-1..1", -1, 1},
                    {"sweep_age", "bars since then, 1000 at most or before any", "bars", 0, kLongest}},
        .defaults = {{5, 500}}, .source = "Osler 2003; smartmoneyconcepts 2023"};
    static int warmup(Params p) { return warm(p); }
    Liquidity(Graph& g, Params p)
        : life(p[1]), swings(g.part<Swings>(p[0])), range(g.part<MeanRange>(kBars)), highs(g.arena()), lows(g.arena()) {}
    // Of a pool `reach` is the number of swings; `low` and `high` are both its price.
    void update(const Bar& b, In in, Out out) noexcept {
        const auto s = in(swings);
        const double range = in(this->range).sum;
        if (!known(s.bars)) return;
        const double now = s.bars, tolerance = known(range) ? kNear * (1 + kSlack) * range / kBars : 0;
        highs.keep(in, [&](const Zone& z) {
            const bool swept = b.high > z.high;
            if (swept && z.reach > 1) sweep = 1, swept_at = now;
            return !swept && now - z.since <= life;
        });
        lows.keep(in, [&](const Zone& z) {
            const bool swept = b.low < z.low;
            if (swept && z.reach > 1) sweep = -1, swept_at = now;
            return !swept && now - z.since <= life;
        });
        if (s.new_high > 0) touch(in, highs, s.high, now, tolerance, 1);
        if (s.new_low > 0) touch(in, lows, s.low, now, tolerance, -1);
        if (!known(range)) return;
        Zone above{0, kInf, 0, 0}, below{-kInf, 0, 0, 0};
        for (std::uint32_t i = 0; i < highs.size(); ++i)
            if (highs.begin(in)[i].high <= above.high) above = highs.begin(in)[i];
        for (std::uint32_t i = 0; i < lows.size(); ++i)
            if (lows.begin(in)[i].low >= below.low) below = lows.begin(in)[i];
        out[0] = highs.size() ? ranges(above.high - b.close, range) : kFar;
        out[1] = lows.size() ? ranges(b.close - below.low, range) : kFar;
        out[2] = above.reach;
        out[3] = below.reach;
        out[4] = sweep;
        out[5] = sweep != 0 ? not_above(now - swept_at, kLongest) : kLongest;
    }
    // A swing joins the nearest pool (of two as near, the newer), which then stands at the farther price; or is a pool of its own.
    static void touch(Memory m, Zones& pools, double price, double now, double tolerance, double side) noexcept {
        Zone* nearest = nullptr;
        for (Zone* z = pools.begin(m), *end = z + pools.size(); z < end; ++z)
            if (std::fabs(z->high - price) <= tolerance && (!nearest || std::fabs(z->high - price) <= std::fabs(nearest->high - price))) nearest = z;
        if (!nearest) {
            pools.add(m, {price, price, now, 1});
            return;
        }
        if (side * (price - nearest->high) > 0) nearest->low = nearest->high = price;
        nearest->since = now;
        ++nearest->reach;
    }
    double life, sweep = 0, swept_at = 0;
    Ref<Swings> swings;
    Ref<MeanRange> range;
    Zones highs, lows;
};

struct Displacement {
    static constexpr double kLarge = 2.5;
    struct Body {
        static double of(const Bar& b) noexcept { return std::fabs(b.close - b.open); }
    };
    static constexpr Meta meta{
        .name = "displacement", .doc = "Impulse: the body of the bar against usual ones, and the last that was more than 2.5 times as large.",
        .params = {{"window", 3, 10'000}},
        .outputs = {{"", "(close - open) / mean |close - open| of the window; 0 when flat", "ratio"},
                    {"direction", "of the last bar beyond 2.5: 1 up, -1 down, 0 before any", "-1..1", -1, 1},
                    {"age", "bars since then, 1000 at most or before any", "bars", 0, kLongest}},
        .defaults = {{20}}, .source = "Nison 1991; smartmoneyconcepts 2023"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Displacement(Graph& g, Params p) : n(p[0]), window(g.part<Window<Body, Sum>>(p[0])) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double sum = in(window).sum;
        if (!known(sum)) return;
        const double size = sum > 0 ? (b.close - b.open) * n / sum : 0;
        age = not_above(age + 1, kLongest);
        if (std::fabs(size) > kLarge * (1 + kSlack)) direction = size > 0 ? 1 : -1, age = 0;
        out[0] = size;
        out[1] = direction;
        out[2] = age;
    }
    double n, direction = 0, age = kLongest;
    Ref<Window<Body, Sum>> window;
};

constexpr Kind kinds[] = {kind<Swing>, kind<DealingRange>, kind<MarketStructure>, kind<OrderBlock>,
                          kind<FairValueGap>, kind<Liquidity>, kind<Displacement>};
}  // namespace

const Family structure{"structure", "regime", kinds};

}  // namespace smartcore
