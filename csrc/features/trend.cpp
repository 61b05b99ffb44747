// Trend: returns, distance to averages, direction, regression on bars.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct LogReturnOver {
    static constexpr Meta meta{
        .name = "log_return", .doc = "Log return of the close over the window.", .params = {{"window", 1, 100'000}},
        .outputs = {{"", "ln(close / close `window` bars before)", "log"}}, .defaults = {{1}, {5}, {20}, {60}},
        .source = "Campbell, Lo, MacKinlay 1997, 1.4"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    LogReturnOver(Graph& g, Params p) : n(count_of(p[0])), close(past<Close>(g, p[0] + 1)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const auto past = in.past(close);
        if (past.has(n + 1)) out[0] = log_ratio(b.close, past.ago(n));
    }
    std::uint32_t n;
    Ref<Past<Close>> close;
};

struct SmaDistance {
    static constexpr Meta meta{
        .name = "sma_distance", .doc = "Close relative to its simple moving average.", .params = {{"window", 2, 100'000}},
        .outputs = {{"", "close / mean of the last `window` closes - 1", "fraction", -1}}, .defaults = {{20}, {50}, {200}},
        .source = "Murphy 1999, chapter 9"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    SmaDistance(Graph& g, Params p) : window(g.part<Window<Close, Moments2>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(window).away / in(window).mean; }
    Ref<Window<Close, Moments2>> window;
};

struct EmaDistance {
    static constexpr Meta meta{
        .name = "ema_distance", .doc = "Close relative to its exponential moving average, which begins as the plain mean of the first `window` closes.",
        .params = {{"window", 2, 100'000}}, .outputs = {{"", "close / EMA - 1", "fraction", -1}},
        .defaults = {{10}, {30}, {100}}, .source = "Murphy 1999, chapter 9"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    EmaDistance(Graph& g, Params p) : ema(g.part<Ema<Close>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = in(ema).below(b.close) / in(ema).value; }
    Ref<Ema<Close>> ema;
};

struct Macd {
    static constexpr Meta meta{
        .name = "macd", .doc = "Moving average convergence divergence as a share of the slow average (percentage price oscillator / 100).",
        .params = {{"fast", 2, 10'000}, {"slow", 2, 10'000}, {"signal", 2, 10'000}},
        .outputs = {{"", "(EMA fast - EMA slow) / EMA slow", "fraction"},
                    {"histogram", "line less its EMA over `signal`", "fraction"}},
        .defaults = {{12, 26, 9}}, .source = "Appel 2005"};
    static int warmup(Params p) { return static_cast<int>(std::fmax(p[0], p[1]) + p[2]) - 1; }
    Macd(Graph& g, Params p) : fast(g.part<Ema<Close>>(p[0])), slow(g.part<Ema<Close>>(p[1])), signal(Smooth::ema(p[2])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const auto f = in(fast), s = in(slow);
        const double line = (s.below(f.value) + f.low) / s.value;
        if (!known(line)) return;
        signal.push(line);
        if (!signal.ready()) return;
        out[0] = line;
        out[1] = signal.below(line);
    }
    Ref<Ema<Close>> fast, slow;
    Smooth signal;
};

// Plus and minus directional movement over true range, by Wilder averages.
struct Direction {
    struct Told {
        double plus, minus;
    };
    Direction(Graph& g, double n) : range(g.part<Wilder<TrueRange>>(n)), up(Smooth::wilder(n)), down(Smooth::wilder(n)) {}
    void update(const Bar& b, In in, Out out) noexcept {
        if (known(high)) {
            const double rise = not_below(b.high - high, 0), fall = not_below(low - b.low, 0);
            up.push(where(rise > fall, rise));
            down.push(where(fall > rise, fall));
        }
        high = b.high;
        low = b.low;
        const double tr = in(range);
        if (!known(tr)) return;
        out[0] = tr > 0 ? 100 * (up.level / tr) : 0;
        out[1] = tr > 0 ? 100 * (down.level / tr) : 0;
    }
    Ref<Wilder<TrueRange>> range;
    Smooth up, down;
    double high = kNaN, low = kNaN;
};

struct Adx {
    static constexpr Meta meta{
        .name = "adx", .doc = "Average directional index: strength of a trend, whatever its direction.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "Wilder average of 100 |+DI - -DI| / (+DI + -DI)", "0..100", 0, 100}},
        .defaults = {{14}, {28}}, .source = "Wilder 1978"};
    static int warmup(Params p) { return 2 * static_cast<int>(p[0]); }
    Adx(Graph& g, Params p) : direction(g.part<Direction>(p[0])), smooth(Smooth::wilder(p[0])) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double plus = in(direction).plus, minus = in(direction).minus, sum = plus + minus;
        if (!known(sum)) return;
        smooth.push(sum > 0 ? 100 * (std::fabs(plus - minus) / sum) : 0);
        out[0] = smooth.value();
    }
    Ref<Direction> direction;
    Smooth smooth;
};

struct Di {
    static constexpr Meta meta{
        .name = "di", .doc = "Directional balance: plus less minus directional indicator.", .params = {{"window", 2, 10'000}},
        .outputs = {{"", "+DI - -DI", "-100..100", -100, 100}}, .defaults = {{14}, {28}}, .source = "Wilder 1978"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Di(Graph& g, Params p) : direction(g.part<Direction>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(direction).plus - in(direction).minus; }
    Ref<Direction> direction;
};

struct Aroon {
    static constexpr Meta meta{
        .name = "aroon", .doc = "Aroon oscillator: which came later, the highest high or the lowest low.",
        .params = {{"window", 2, 10'000}},
        .outputs = {{"", "100 (bars since the low - bars since the high) / window, over window + 1 bars", "-100..100", -100, 100}},
        .defaults = {{25}}, .source = "Chande 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Aroon(Graph& g, Params p) : scale(100 / p[0]), highs(g.arena(), count_of(p[0]) + 1), lows(g.arena(), count_of(p[0]) + 1) {}
    void update(const Bar& b, In in, Out out) noexcept {
        ++bars;
        const LastMax high = highs.push(in, {b.high, bars});
        const LastMin low = lows.push(in, {b.low, bars});
        if (highs.full()) out[0] = scale * static_cast<double>(high.when - low.when);
    }
    double scale;
    std::int64_t bars = 0;
    Sliding<LastMax> highs;  // of equal extrema the newest, as TA-Lib
    Sliding<LastMin> lows;
};

struct EfficiencyRatio {
    static constexpr Meta meta{
        .name = "efficiency_ratio", .doc = "Net move of the close over the path it took; 1 is a straight line, 0 a flat window.",
        .params = {{"window", 2, 10'000}}, .outputs = {{"", "|close - close `window` before| / sum |change|", "0..1", 0, 1}},
        .defaults = {{10}, {50}}, .source = "Kaufman 1995"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    EfficiencyRatio(Graph& g, Params p) : n(count_of(p[0])), close(past<Close>(g, p[0] + 1)), path(g.part<Window<AbsChange, Sum>>(p[0])) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const double sum = in(path).sum;
        out[0] = sum > 0 ? not_above(std::fabs(b.close - in.past(close).ago(n)) / sum, 1) : sum;
    }
    std::uint32_t n;
    Ref<Past<Close>> close;
    Ref<Window<AbsChange, Sum>> path;
};

struct RegressionSlope {
    static constexpr Meta meta{
        .name = "regression_slope", .doc = "Slope of the least-squares line through the last closes.", .params = {{"window", 3, 100'000}},
        .outputs = {{"", "slope per bar / mean close", "fraction per bar"}}, .defaults = {{20}, {100}},
        .source = "Draper and Smith 1998, chapter 1"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RegressionSlope(Graph& g, Params p) : sxx(Line::sxx(p[0])), line(g.part<Window<Close, Line>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(line).sxy / sxx / in(line).mean; }
    double sxx;
    Ref<Window<Close, Line>> line;
};

struct RegressionR2 {
    static constexpr Meta meta{
        .name = "regression_r2", .doc = "How straight the last closes run: share of their variance that a line explains; unknown when flat.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "squared correlation of close and time", "0..1", 0, 1}},
        .defaults = {{20}, {100}}, .source = "Draper and Smith 1998, chapter 1"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RegressionR2(Graph& g, Params p) : sxx(Line::sxx(p[0])), line(g.part<Window<Close, Line>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Line l = in(line);
        out[0] = l.m2 > 0 ? not_above(l.sxy * l.sxy / (sxx * l.m2), 1) : kNaN;
    }
    double sxx;
    Ref<Window<Close, Line>> line;
};

constexpr Kind kinds[] = {kind<LogReturnOver>, kind<SmaDistance>, kind<EmaDistance>, kind<Macd>, kind<Adx>,
                          kind<Di>, kind<Aroon>, kind<EfficiencyRatio>, kind<RegressionSlope>, kind<RegressionR2>};
}  // namespace

const Family trend{"trend", "technical", kinds};

}  // namespace smartcore
