// Volume: how much traded, on which side of the price.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Obv {
    struct Flow {
        struct Told {
            double change, net, volume;
        };
        explicit Flow(Graph& g) : change(g.part<Change>()) {}
        void update(const Bar& b, In in, Out out) const noexcept {
            const double move = out[0] = in(change);
            out[1] = where(move > 0, b.volume) - where(move < 0, b.volume);
            out[2] = b.volume;
        }
        static Sum2 aggregate(const Told& t) noexcept { return {t.net, t.volume}; }
        Ref<Change> change;
    };
    static constexpr Meta meta{
        .name = "obv", .doc = "Change of on-balance volume over the window as a share of the volume traded.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "sum sign(change) volume / sum volume; 0 without volume", "-1..1", -1, 1}},
        .defaults = {{20}, {100}}, .source = "Granville 1963"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Obv(Graph& g, Params p) : flow(g.part<Window<Flow, Sum2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Sum2 sum = in(flow);
        out[0] = sum.second > 0 ? sum.first / sum.second : sum.second;
    }
    Ref<Window<Flow, Sum2>> flow;
};

struct VwapDistance {
    struct Money {
        static double of(const Bar& b) noexcept { return b.volume; }
        static Sum2 aggregate(const Bar& b) noexcept { return {b.volume * Typical::of(b), b.volume}; }
    };
    static constexpr Meta meta{
        .name = "vwap_distance", .doc = "Close relative to the volume-weighted average price of the window.",
        .params = {{"window", 1, 100'000}}, .outputs = {{"", "close / (sum typical volume / sum volume) - 1; unknown without volume", "fraction", -1}},
        .defaults = {{20}, {100}}, .source = "Berkowitz, Logue, Noser 1988"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    VwapDistance(Graph& g, Params p) : window(g.part<Window<Money, Sum2>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const Sum2 sum = in(window);
        out[0] = sum.first > 0 ? b.close * sum.second / sum.first - 1 : kNaN;
    }
    Ref<Window<Money, Sum2>> window;
};

struct RelativeVolume {
    static constexpr Meta meta{
        .name = "relative_volume", .doc = "Volume of the bar relative to its mean.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "volume / mean volume of the last `window` bars; unknown without volume", "ratio", 0}}, .defaults = {{20}, {100}},
        .source = "Karpoff 1987"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RelativeVolume(Graph& g, Params p) : n(p[0]), window(g.part<Window<Volume, Sum>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = ratio(b.volume * n, in(window).sum); }
    double n;
    Ref<Window<Volume, Sum>> window;
};

struct Amihud {
    struct Illiquidity {
        explicit Illiquidity(Graph& g) : r(g.part<LogReturn>()) {}
        void update(const Bar& b, In in, Out out) const noexcept {
            const double turnover = b.turnover > 0 ? b.turnover : b.volume * b.close;
            out[0] = turnover > 0 ? std::fabs(in(r)) / turnover : kNaN;
        }
        Ref<LogReturn> r;
    };
    static constexpr Meta meta{
        .name = "amihud", .doc = "Amihud illiquidity: price move per unit of turnover. Bars without turnover do not count.",
        .params = {{"window", 1, 100'000}}, .outputs = {{"", "log10 of mean |log return| / turnover; unknown while the price stands", "log10"}},
        .defaults = {{20}, {100}}, .source = "Amihud 2002"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Amihud(Graph& g, Params p) : n(p[0]), window(g.part<Window<Illiquidity, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double sum = in(window).sum;
        out[0] = sum > 0 ? std::log10(sum / n) : kNaN;
    }
    double n;
    Ref<Window<Illiquidity, Sum>> window;
};

constexpr Kind kinds[] = {kind<Obv>, kind<VwapDistance>, kind<RelativeVolume>, kind<Amihud>};
}  // namespace

const Family volume{"volume", "technical", kinds};

}  // namespace smartcore
