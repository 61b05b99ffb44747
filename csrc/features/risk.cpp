// Risk: what may be lost on the next bar.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Drawdown {
    static constexpr Meta meta{
        .name = "drawdown", .doc = "Close against the highest close of the window.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "close / highest close - 1", "fraction", -1, 0}}, .defaults = {{100}}, .source = "Magdon-Ismail and Atiya 2004"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    Drawdown(Graph& g, Params p) : window(g.part<Window<Close, Max>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double top = in(window).max;
        out[0] = (b.close - top) / top;
    }
    Ref<Window<Close, Max>> window;
};

// Filtered historical simulation: returns over the volatility that was forecast for them keep their own shape (fat tail,
// skew), and are scaled by the volatility forecast for the next bar.
struct Fhs {
    static constexpr double kLambda = 0.94;          // RiskMetrics 1996, daily
    static constexpr std::uint32_t kSeed = 20;       // returns whose mean square begins the filter
    static constexpr std::uint32_t kLeast = 100;     // residuals before anything is said
    static constexpr double kMost = 20;              // after a long standstill the first move is no 1e9-sigma event
    static constexpr Meta meta{
        .name = "fhs", .doc = "Value at risk and expected shortfall of a long position over the next bar by filtered historical simulation: quantiles of returns over their EWMA forecast (begun with 20 returns; at most 20 deviations), once there are 100.",
        .params = {{"window", 100, 10'000}},
        .outputs = {{"sigma", "EWMA (0.94) forecast of the next bar's volatility", "log per bar", 0},
                    {"var95", "log loss not exceeded with 95 %", "log"}, {"var99", "log loss not exceeded with 99 %", "log"},
                    {"es95", "mean log loss of the worst 5 %", "log"}, {"es99", "mean log loss of the worst 1 %", "log"}},
        .defaults = {{500}}, .source = "Barone-Adesi, Giannopoulos, Vosper 1999; RiskMetrics 1996"};
    static int warmup(Params) { return 1 + kSeed + kLeast; }
    Fhs(Graph& g, Params p) : r(g.part<LogReturn>()), residuals(g.arena(), count_of(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r);
        if (!known(x)) return;
        if (seen < kSeed) {
            variance += x * x / kSeed;
            ++seen;
            return;
        }
        if (variance > 0) residuals.push(in, not_below(not_above(x / std::sqrt(variance), kMost), -kMost));  // before it is learnt
        variance = kLambda * variance + (1 - kLambda) * x * x;
        if (variance < 1e-300) variance = 0;
        const std::uint32_t n = residuals.size();
        if (n < kLeast) return;
        const double sigma = std::sqrt(variance);
        out[0] = sigma;
        out[1] = -sigma * residuals.quantile(in, 0.05);
        out[2] = -sigma * residuals.quantile(in, 0.01);
        out[3] = -sigma * residuals.tail_mean(in, (n + 19) / 20);
        out[4] = -sigma * residuals.tail_mean(in, (n + 99) / 100);
    }
    Ref<LogReturn> r;
    Sorted residuals;
    double variance = 0;
    std::uint32_t seen = 0;
};

constexpr Kind kinds[] = {kind<Drawdown>, kind<Fhs>};
}  // namespace

const Family risk{"risk", "regime", kinds};

}  // namespace smartcore
