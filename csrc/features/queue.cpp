// The life of the queues: what is added, cancelled and executed, how best prices fall and come back, and the rhythm of it.
#include "features/book.hpp"
#include "features/families.hpp"

namespace smartcore {
namespace {

// What one message did to both sides. Only prices that both messages show count: a level that comes into view because a
// better one is gone was there before. The touch: prices no worse than the worse of the best prices before and after.
// Of what the touch lost, as much as was traded against it is executed, the rest cancelled; a trade that no loss has
// explained yet waits for one with a half-life of 100 ms, for feeds send trades ahead of the book.
struct Moves {
    struct Told {
        double add_bid, add_ask, cut_bid, cut_ask, cancel_bid, cancel_ask, executed_bid, executed_ask, touch_add_bid, touch_add_ask,
            touch_cut_bid, touch_cut_ask, more_bid, more_ask, less_bid, less_ask, up_bid, up_ask, down_bid, down_ask, touched, messages;
    };
    explicit Moves(Graph& g) : pace(g.part<Pace>(0.1)), between(g.part<Between>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const bool follows = t.valid && !t.fresh;
        const auto traded = in(between);
        const double factor = in(pace).factor;
        Change b, a;
        if (follows) b = bid.next(t.bid, t.bid_size, t.bids, 1), a = ask.next(t.ask, t.ask_size, t.asks, -1);
        else bid.set(t.bid, t.bid_size, t.bids), ask.set(t.ask, t.ask_size, t.asks);
        const double executed_bid = bid.execute(factor, traded.bid, b.touch_cut), executed_ask = ask.execute(factor, traded.ask, a.touch_cut);
        out[0] = b.add, out[1] = a.add, out[2] = b.cut, out[3] = a.cut;
        out[4] = b.cut - executed_bid, out[5] = a.cut - executed_ask, out[6] = executed_bid, out[7] = executed_ask;
        out[8] = b.touch_add, out[9] = a.touch_add, out[10] = b.touch_cut, out[11] = a.touch_cut;
        out[12] = b.more, out[13] = a.more, out[14] = b.less, out[15] = a.less;
        out[16] = b.best > 0, out[17] = a.best > 0, out[18] = b.best < 0, out[19] = a.best < 0;
        out[20] = b.touched || a.touched, out[21] = follows;
    }
    struct Change {
        double add = 0, cut = 0, touch_add = 0, touch_cut = 0, more = 0, less = 0;
        int best = 0;  // the best price is better, worse
        bool touched = false;
    };
    struct Side {
        Change next(const double* now, const double* now_size, std::uint32_t n, double sign) noexcept {
            Change c;
            // Most messages leave a side alone, or its prices.
            if (n == count && std::memcmp(now, price, sizeof(double) * n) == 0) {
                if (std::memcmp(now_size, size, sizeof(double) * n) == 0) return c;
                for (std::uint32_t i = 0; i < n; ++i) {
                    const double change = now_size[i] - size[i], more = where(change > 0, change), less = where(change < 0, -change);
                    c.add += more, c.cut += less, c.more += change > 0, c.less += change < 0;
                    if (i == 0) c.touch_add = more, c.touch_cut = less, c.touched = change != 0;
                }
                std::memcpy(size, now_size, sizeof size);
                return c;
            }
            c.best = (sign * now[0] > sign * price[0]) - (sign * now[0] < sign * price[0]);
            c.touched = c.best != 0 || now_size[0] != size[0];
            const double touch = c.best > 0 ? sign * price[0] : sign * now[0];
            std::uint32_t i = 0, j = 0;  // both sorted, best first
            while (i < count || j < n) {
                if (i == count && count == kDepth) break;  // what is now behind was out of view
                if (j == n && n == kDepth) break;
                const double old_key = i < count ? sign * price[i] : -kInf, new_key = j < n ? sign * now[j] : -kInf;
                const double key = old_key > new_key ? old_key : new_key;
                const double change = (new_key == key ? now_size[j] : 0) - (old_key == key ? size[i] : 0);
                i += old_key == key, j += new_key == key;
                const double more = where(change > 0, change), less = where(change < 0, -change);
                c.add += more, c.cut += less, c.more += change > 0, c.less += change < 0;
                c.touch_add += where(key >= touch, more), c.touch_cut += where(key >= touch, less);
            }
            set(now, now_size, n);
            return c;
        }
        void set(const double* now, const double* now_size, std::uint32_t n) noexcept {
            std::memcpy(price, now, sizeof price), std::memcpy(size, now_size, sizeof size);
            count = n;
        }
        double execute(double factor, double traded, double lost) noexcept {
            waiting = faded(waiting, factor) + traded;
            const double executed = waiting < lost * (1 - 1e-6) ? waiting : lost;  // of equal ones a rounding is not left
            waiting = waiting - executed > 1e-6 * executed ? waiting - executed : 0;
            return executed;
        }
        double price[kDepth] = {}, size[kDepth] = {}, waiting = 0;
        std::uint32_t count = 0, unused = 0;
    };
    Ref<Pace> pace;
    Ref<Between> between;
    Side bid, ask;
};
using Sums = Fading<Moves>;

// ---- adds and cancels ----

struct AddRate {
    static constexpr Meta meta{
        .name = "add_rate", .doc = "Size added to the visible book per second, as a share of what usually stands there.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded sum of sizes added to the ten best bids / faded time / their faded time average; unknown where sizes are", "1/s", 0},
                    {"ask", "the same of asks", "1/s", 0}},
        .defaults = {{10}, {60}}, .source = "Biais, Hillion, Spatt 1995; Cont, Stoikov, Talreja 2010"};
    static int warmup(Params) { return 2; }
    AddRate(Graph& g, Params p)
        : pace(g.part<Pace>(p[0])), sums(g.part<Sums>(p[0])), bid(g.part<Standing<Depths>>(kDepth - 1, p[0])), ask(g.part<Standing<Depths>>(2 * kDepth - 1, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double span = in(pace).span;
        out[0] = t.valid ? over(in(sums).add_bid, span * in(bid).mean) : kNaN;
        out[1] = t.valid ? over(in(sums).add_ask, span * in(ask).mean) : kNaN;
    }
    Ref<Pace> pace;
    Ref<Sums> sums;
    Ref<Standing<Depths>> bid, ask;
};

struct CancelRate {
    static constexpr Meta meta{
        .name = "cancel_rate", .doc = "Size taken from the visible book without a trade per second, as a share of what usually stands there.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded sum of sizes lost by the ten best bids and not executed / faded time / their faded time average; unknown where sizes are", "1/s", 0},
                    {"ask", "the same of asks", "1/s", 0}},
        .defaults = {{10}, {60}}, .source = "Biais, Hillion, Spatt 1995; Cont, Stoikov, Talreja 2010"};
    static int warmup(Params) { return 2; }
    CancelRate(Graph& g, Params p)
        : pace(g.part<Pace>(p[0])), sums(g.part<Sums>(p[0])), bid(g.part<Standing<Depths>>(kDepth - 1, p[0])), ask(g.part<Standing<Depths>>(2 * kDepth - 1, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double span = in(pace).span;
        out[0] = t.valid ? over(in(sums).cancel_bid, span * in(bid).mean) : kNaN;
        out[1] = t.valid ? over(in(sums).cancel_ask, span * in(ask).mean) : kNaN;
    }
    Ref<Pace> pace;
    Ref<Sums> sums;
    Ref<Standing<Depths>> bid, ask;
};

struct CancelShare {
    static constexpr Meta meta{
        .name = "cancel_share", .doc = "Cancelled size as a share of what is added and cancelled, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded sum of bids cancelled / (added + cancelled); 0 before any", "0..1", 0, 1}, {"ask", "the same of asks", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Hasbrouck and Saar 2013"};
    static int warmup(Params) { return 1; }
    CancelShare(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? share(s.cancel_bid, s.cancel_bid + s.add_bid) : kNaN;
        out[1] = t.valid ? share(s.cancel_ask, s.cancel_ask + s.add_ask) : kNaN;
    }
    Ref<Sums> sums;
};

struct AddImbalance {
    static constexpr Meta meta{
        .name = "add_imbalance", .doc = "On which side of the visible book size is added, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded (bids - asks added) / (bids + asks added); 0 before any", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Biais, Hillion, Spatt 1995"};
    static int warmup(Params) { return 1; }
    AddImbalance(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? signed_share(s.add_bid - s.add_ask, s.add_bid + s.add_ask) : kNaN;
    }
    Ref<Sums> sums;
};

struct CancelImbalance {
    static constexpr Meta meta{
        .name = "cancel_imbalance", .doc = "On which side of the visible book size is cancelled, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded (bids - asks cancelled) / (bids + asks cancelled); 0 before any", "-1..1", -1, 1}}, .defaults = {{10}, {60}},
        .source = "Biais, Hillion, Spatt 1995"};
    static int warmup(Params) { return 1; }
    CancelImbalance(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? signed_share(s.cancel_bid - s.cancel_ask, s.cancel_bid + s.cancel_ask) : kNaN;
    }
    Ref<Sums> sums;
};

struct NetAddImbalance {
    static constexpr Meta meta{
        .name = "net_add_imbalance", .doc = "To which side of the visible book size moves, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "faded ((added - lost) of bids - the same of asks) / all added and lost; 0 before any", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Xu, Gould, Howison 2018"};
    static int warmup(Params) { return 1; }
    NetAddImbalance(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? signed_share((s.add_bid - s.cut_bid) - (s.add_ask - s.cut_ask), (s.add_bid + s.cut_bid) + (s.add_ask + s.cut_ask)) : kNaN;
    }
    Ref<Sums> sums;
};

struct AddSize {
    static constexpr Meta meta{
        .name = "add_size", .doc = "Mean size added to a level at a time, in units of a level's usual size.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded sum of bid sizes added / count of levels that grew / (faded time average of the ten best bids / 10); "
                            "0 before any, unknown where sizes are", "usual levels", 0},
                    {"ask", "the same of asks", "usual levels", 0}},
        .defaults = {{60}}, .source = "Bouchaud, Mezard, Potters 2002"};
    static int warmup(Params) { return 1; }
    AddSize(Graph& g, Params p)
        : sums(g.part<Sums>(p[0])), bid(g.part<Standing<Depths>>(kDepth - 1, p[0])), ask(g.part<Standing<Depths>>(2 * kDepth - 1, p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? over(kDepth * share(s.add_bid, s.more_bid), in(bid).mean) : kNaN;
        out[1] = t.valid ? over(kDepth * share(s.add_ask, s.more_ask), in(ask).mean) : kNaN;
    }
    Ref<Sums> sums;
    Ref<Standing<Depths>> bid, ask;
};

struct UpdateRate {
    static constexpr Meta meta{
        .name = "update_rate", .doc = "Visible levels that change per second, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded count of bid levels that grew or shrank / faded time", "1/s", 0}, {"ask", "the same of asks", "1/s", 0}},
        .defaults = {{10}}, .source = "Hasbrouck and Saar 2013"};
    static int warmup(Params) { return 2; }
    UpdateRate(Graph& g, Params p) : pace(g.part<Pace>(p[0])), sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        const double span = in(pace).span;
        out[0] = t.valid ? over(s.more_bid + s.less_bid, span) : kNaN;
        out[1] = t.valid ? over(s.more_ask + s.less_ask, span) : kNaN;
    }
    Ref<Pace> pace;
    Ref<Sums> sums;
};

struct UpdateBalance {
    static constexpr Meta meta{
        .name = "update_balance", .doc = "Whether visible levels grow or shrink, by count, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded (levels grown - shrunk) / (grown + shrunk) of bids; 0 before any", "-1..1", -1, 1}, {"ask", "the same of asks", "-1..1", -1, 1}},
        .defaults = {{10}}, .source = "Bacry, Jaisson, Muzy 2016"};
    static int warmup(Params) { return 1; }
    UpdateBalance(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? signed_share(s.more_bid - s.less_bid, s.more_bid + s.less_bid) : kNaN;
        out[1] = t.valid ? signed_share(s.more_ask - s.less_ask, s.more_ask + s.less_ask) : kNaN;
    }
    Ref<Sums> sums;
};

// ---- at the best prices ----

struct ExecutionShare {
    static constexpr Meta meta{
        .name = "execution_share", .doc = "Of what the best prices lose, how much was traded and not cancelled, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded sum of size executed / lost at the best bids, trades matched with losses of the same side; 0 before any", "0..1", 0, 1},
                    {"ask", "the same of asks", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Hasbrouck and Saar 2013; Cont, Stoikov, Talreja 2010"};
    static int warmup(Params) { return 1; }
    ExecutionShare(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? not_above(share(s.executed_bid, s.touch_cut_bid), 1) : kNaN;
        out[1] = t.valid ? not_above(share(s.executed_ask, s.touch_cut_ask), 1) : kNaN;
    }
    Ref<Sums> sums;
};

struct Replenishment {
    static constexpr Meta meta{
        .name = "replenishment", .doc = "Whether the best prices gain more than they lose, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded (added - lost) / (added + lost) at the best bids; 0 before any", "-1..1", -1, 1}, {"ask", "the same of asks", "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Large 2007; Bouchaud, Mezard, Potters 2002"};
    static int warmup(Params) { return 1; }
    Replenishment(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? signed_share(s.touch_add_bid - s.touch_cut_bid, s.touch_add_bid + s.touch_cut_bid) : kNaN;
        out[1] = t.valid ? signed_share(s.touch_add_ask - s.touch_cut_ask, s.touch_add_ask + s.touch_cut_ask) : kNaN;
    }
    Ref<Sums> sums;
};

struct DepletionRate {
    static constexpr Meta meta{
        .name = "depletion_rate", .doc = "How often a best queue is used up and the best price falls back, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded count of messages after which the best bid is lower / faded time", "1/s", 0}, {"ask", "the same of the best ask, higher", "1/s", 0}},
        .defaults = {{10}, {60}}, .source = "Cont and de Larrard 2013; Huang, Lehalle, Rosenbaum 2015"};
    static int warmup(Params) { return 2; }
    DepletionRate(Graph& g, Params p) : pace(g.part<Pace>(p[0])), sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? over(in(sums).down_bid, in(pace).span) : kNaN;
        out[1] = t.valid ? over(in(sums).down_ask, in(pace).span) : kNaN;
    }
    Ref<Pace> pace;
    Ref<Sums> sums;
};

struct ImprovementRate {
    static constexpr Meta meta{
        .name = "improvement_rate", .doc = "How often a better price is quoted, fading with a half-life.", .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded count of messages after which the best bid is higher / faded time", "1/s", 0}, {"ask", "the same of the best ask, lower", "1/s", 0}},
        .defaults = {{10}, {60}}, .source = "Biais, Hillion, Spatt 1995"};
    static int warmup(Params) { return 2; }
    ImprovementRate(Graph& g, Params p) : pace(g.part<Pace>(p[0])), sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        out[0] = t.valid ? over(in(sums).up_bid, in(pace).span) : kNaN;
        out[1] = t.valid ? over(in(sums).up_ask, in(pace).span) : kNaN;
    }
    Ref<Pace> pace;
    Ref<Sums> sums;
};

struct BestUpdateShare {
    static constexpr Meta meta{
        .name = "best_update_share", .doc = "Share of messages that change a best price or its size, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}}, .outputs = {{"", "faded count of such messages / faded count of messages; 0 before two", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Gould and Bonart 2016"};
    static int warmup(Params) { return 1; }
    BestUpdateShare(Graph& g, Params p) : sums(g.part<Sums>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept { out[0] = t.valid ? share(in(sums).touched, in(sums).messages) : kNaN; }
    Ref<Sums> sums;
};

// A best price that was lost, until it is quoted again: what of it a message tells.
struct Refills {
    struct Told {
        double lost_bid, lost_ask, back_bid, back_ask, time_bid, time_ask;  // of the price that came back: 1, and after how long
    };
    explicit Refills(Graph&) {}
    void update(const Top& t, In, Out out) noexcept {
        for (std::uint32_t i = 0; i < 6; ++i) out[i] = 0;
        bid.next(t, t.bid[0], out[0], out[2], out[4]);
        ask.next(t, -t.ask[0], out[1], out[3], out[5]);
    }
    struct Side {
        void next(const Top& t, double best, double& lost, double& back, double& time) noexcept {
            if (!t.valid || t.fresh) {
                waits = 0;
            } else if (best < last) {
                lost = waits = 1, price = last, since = t.ts;
            } else if (waits != 0 && best >= price) {
                waits = 0;
                back = 1, time = 1e-9 * static_cast<double>(t.ts - since);
            }
            last = best;
        }
        double last = 0, price = 0;
        std::int64_t since = 0, waits = 0;
    };
    Side bid, ask;
};

// Share of things begun that have ended since, each counted from its beginning on; a new one takes the place of the last.
struct Ended {
    double next(double factor, double begun, double ended) noexcept {
        waiting = faded(waiting, factor), all = faded(all, factor), done = faded(done, factor);
        if (ended > 0) done += waiting;
        if (begun > 0) waiting = 1, all += 1;
        return all > 0 ? not_above(done / all, 1) : 0;
    }
    double waiting = 0, all = 0, done = 0;
};

struct RefillShare {
    static constexpr Meta meta{
        .name = "refill_share", .doc = "Share of the best prices used up that were quoted again, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded count of best bids lost and back since, before a further one was lost / faded count lost; each counts from its loss on; 0 before any",
                     "0..1", 0, 1},
                    {"ask", "the same of asks", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Biais, Hillion, Spatt 1995; Large 2007"};
    static int warmup(Params) { return 1; }
    RefillShare(Graph& g, Params p) : pace(g.part<Pace>(p[0])), refills(g.part<Refills>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double factor = in(pace).factor;
        const auto r = in(refills);
        const double b = bid.next(factor, r.lost_bid, r.back_bid), a = ask.next(factor, r.lost_ask, r.back_ask);
        out[0] = t.valid ? b : kNaN;
        out[1] = t.valid ? a : kNaN;
    }
    Ref<Pace> pace;
    Ref<Refills> refills;
    Ended bid, ask;
};

struct RefillTime {
    static constexpr Meta meta{
        .name = "refill_time", .doc = "How long it takes until a best price that was used up is quoted again, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded mean time from the loss of a best bid to its return; 0 before any", "s", 0}, {"ask", "the same of asks", "s", 0}},
        .defaults = {{60}}, .source = "Large 2007; Foucault, Kadan, Kandel 2005"};
    static int warmup(Params) { return 1; }
    RefillTime(Graph& g, Params p) : sums(g.part<Fading<Refills>>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto s = in(sums);
        out[0] = t.valid ? share(s.time_bid, s.back_bid) : kNaN;
        out[1] = t.valid ? share(s.time_ask, s.back_ask) : kNaN;
    }
    Ref<Fading<Refills>> sums;
};

// Better prices quoted, and those taken back within two seconds without a trade.
struct Fleeting {
    struct Told {
        double better_bid, better_ask, gone_bid, gone_ask;
    };
    explicit Fleeting(Graph& g) : between(g.part<Between>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const auto traded = in(between);
        for (std::uint32_t i = 0; i < 4; ++i) out[i] = 0;
        bid.next(t, t.bid[0], traded.bid_count, out[0], out[2]);
        ask.next(t, -t.ask[0], traded.ask_count, out[1], out[3]);
    }
    struct Side {
        void next(const Top& t, double best, double trades, double& better, double& gone) noexcept {
            if (!t.valid || t.fresh) {
                open = 0;
            } else if (best > last) {
                better = 1, price = last, since = t.ts, open = 1;
            } else if (open != 0 && (trades > 0 || best <= price)) {
                gone = trades == 0 && t.ts - since <= 2'000'000'000;
                open = 0;
            }
            last = best;
        }
        double last = 0, price = 0;
        std::int64_t since = 0, open = 0;
    };
    Ref<Between> between;
    Side bid, ask;
};

struct FleetingShare {
    static constexpr Meta meta{
        .name = "fleeting_share", .doc = "Share of the better prices quoted that are taken back within two seconds without a trade, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"bid", "faded count of better bids quoted and gone since, back to the price before / faded count quoted; each counts from its quote on; 0 before any",
                     "0..1", 0, 1},
                    {"ask", "the same of asks", "0..1", 0, 1}},
        .defaults = {{10}, {60}}, .source = "Hasbrouck and Saar 2009"};
    static int warmup(Params) { return 1; }
    FleetingShare(Graph& g, Params p) : pace(g.part<Pace>(p[0])), quotes(g.part<Fleeting>()) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double factor = in(pace).factor;
        const auto q = in(quotes);
        const double b = bid.next(factor, q.better_bid, q.gone_bid), a = ask.next(factor, q.better_ask, q.gone_ask);
        out[0] = t.valid ? b : kNaN;
        out[1] = t.valid ? a : kNaN;
    }
    Ref<Pace> pace;
    Ref<Fleeting> quotes;
    Ended bid, ask;
};

// ---- rhythm ----

struct MessageBurstiness {
    static constexpr Meta meta{
        .name = "message_burstiness", .doc = "Whether depth messages come in bursts or by the clock, fading with a half-life.",
        .params = {{"half_life", 0.001, 86'400, 's'}},
        .outputs = {{"", "(sd - mean) / (sd + mean) of the times between messages, faded: -1 by the clock, 0 at random, 1 in bursts; -1 before two",
                     "-1..1", -1, 1}},
        .defaults = {{10}, {60}}, .source = "Goh and Barabasi 2008"};
    static int warmup(Params) { return 1; }
    MessageBurstiness(Graph& g, Params p) : pace(g.part<Pace>(p[0])) {}
    void update(const Top& t, In in, Out out) noexcept {
        const double factor = in(pace).factor;
        weight = faded(weight, factor), total = faded(total, factor), squares = faded(squares, factor);
        if (t.valid && !t.fresh) {
            const double gap = 1e-9 * static_cast<double>(t.ts - last), away = gap - share(total, weight), before = weight;
            weight += 1, total += gap;
            squares += before / weight * away * away;
        }
        last = t.ts;
        const double mean = share(total, weight), deviation = std::sqrt(share(squares, weight)), sum = deviation + mean;
        out[0] = t.valid ? (sum > 1e-12 ? (deviation - mean) / sum : -1) : kNaN;
    }
    Ref<Pace> pace;
    double weight = 0, total = 0, squares = 0;
    std::int64_t last = 0;
};

constexpr Kind kinds[] = {kind<AddRate>, kind<CancelRate>, kind<CancelShare>, kind<AddImbalance>, kind<CancelImbalance>,
                          kind<NetAddImbalance>, kind<AddSize>, kind<UpdateRate>, kind<UpdateBalance>, kind<ExecutionShare>,
                          kind<Replenishment>, kind<DepletionRate>, kind<ImprovementRate>, kind<BestUpdateShare>, kind<RefillShare>,
                          kind<RefillTime>, kind<FleetingShare>, kind<MessageBurstiness>};
}  // namespace

const Family queue{"queue", "microstructure", kinds};

}  // namespace smartcore
