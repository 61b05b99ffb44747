// Momentum: oscillators, position within the recent range.
#include "base/wide.hpp"
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Rsi {
    static constexpr Meta meta{
        .name = "rsi", .doc = "Relative strength index of the close.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "100 up / (up + down), Wilder averages of rises and falls; 50 when nothing moved", "0..100", 0, 100}},
        .defaults = {{7}, {14}, {28}}, .source = "Wilder 1978"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Rsi(Graph& g, Params p) : change(g.part<Change>()), up(Smooth::wilder(p[0])), down(Smooth::wilder(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double d = in(change);
        if (!known(d)) return;
        up.push(not_below(d, 0));
        down.push(not_below(-d, 0));
        if (!up.ready()) return;
        const double sum = up.level + down.level;
        out[0] = sum > 0 ? 100 * (up.level / sum) : 50;
    }
    Ref<Change> change;
    Smooth up, down;
};

struct Stochastic {
    static constexpr Meta meta{
        .name = "stochastic", .doc = "Stochastic oscillator: where the close lies in the range of the window, smoothed.",
        .params = {{"window", 2, 10'000}, {"smooth", 2, 1'000}},
        .outputs = {{"k", "mean over `smooth` of 100 (close - lowest low) / (highest high - lowest low)", "0..100", 0, 100},
                    {"d", "mean of k over `smooth`", "0..100", 0, 100}},
        .defaults = {{14, 3}}, .source = "Lane 1984"};
    static int warmup(Params p) { return static_cast<int>(p[0] + 2 * p[1]) - 2; }
    Stochastic(Graph& g, Params p)
        : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])), ks(g.arena(), count_of(p[1])), ds(g.arena(), count_of(p[1])), n(p[1]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double top = in(high).max, bottom = in(low).min;
        if (!known(top)) return;
        const double fast = ks.push(in, {top > bottom ? 100 * ((b.close - bottom) / (top - bottom)) : 50}).sum / n;
        if (!ks.full()) return;
        const double slow = ds.push(in, {fast}).sum / n;
        if (!ds.full()) return;
        out[0] = fast;
        out[1] = slow;
    }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
    Sliding<Sum> ks, ds;
    double n;
};

struct Cci {
    static constexpr Meta meta{
        .name = "cci", .doc = "Commodity channel index: typical price against its mean, in mean absolute deviations.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "(typical - mean) / (0.015 mean |deviation|); 0 when flat", "number"}},
        .defaults = {{20}, {50}}, .source = "Lambert 1980"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Cci(Graph& g, Params p) : n(count_of(p[0])), typical(past<Typical>(g, p[0])), sum(g.part<Window<Typical, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double mean = in(sum).sum / n;
        if (!known(mean)) return;
        const auto past = in.past(typical);
        const double deviation = sum_distance(past.last(n), n, mean);
        // A flat window's mean may miss its values by a rounding; that is not a deviation.
        out[0] = deviation > 1e-14 * n * mean ? n * (past.ago(0) - mean) / (0.015 * deviation) : 0;
    }
    std::uint32_t n;
    Ref<Past<Typical>> typical;
    Ref<Window<Typical, Sum>> sum;
};

struct Mfi {
    // Turnover of bars whose typical price rose, and of those whose fell.
    struct Flow {
        struct Told {
            double change, up, down;
        };
        explicit Flow(Graph&) {}
        void update(const Bar& b, In, Out out) noexcept {
            const double price = (b.high + b.low + b.close) / 3, money = price * b.volume;
            const double change = out[0] = price - last;
            const double still = 1e-14 * price;  // equal prices may differ by the rounding of the sum of three
            out[1] = where(change > still, money);
            out[2] = where(change < -still, money);
            last = price;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.up, t.down}; }
        double last = kNaN;
    };
    static constexpr Meta meta{
        .name = "mfi", .doc = "Money flow index: the share of turnover in bars whose typical price rose.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "100 rising / (rising + falling); 50 when neither", "0..100", 0, 100}},
        .defaults = {{14}, {28}}, .source = "Quong and Soudack 1989"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Mfi(Graph& g, Params p) : flow(g.part<Window<Flow, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double up = in(flow).first, sum = up + in(flow).second;
        out[0] = sum > 0 ? 100 * (up / sum) : sum + 50;  // or unknown
    }
    Ref<Window<Flow, Sum2>> flow;
};

struct Donchian {
    static constexpr Meta meta{
        .name = "donchian", .doc = "Where the close lies in the Donchian channel.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(close - lowest low) / (highest high - lowest low); 0.5 when flat", "0..1", 0, 1}},
        .defaults = {{20}, {100}}, .source = "Donchian 1960"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Donchian(Graph& g, Params p) : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double bottom = in(low).min, range = in(high).max - bottom;
        out[0] = range > 0 ? (b.close - bottom) / range : range + 0.5;
    }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
};

constexpr Kind kinds[] = {kind<Rsi>, kind<Stochastic>, kind<Cci>, kind<Mfi>, kind<Donchian>};
}  // namespace

const Family momentum{"momentum", "technical", kinds};

}  // namespace smartcore
