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
        .defaults = {{25}, {100}}, .source = "Chande 1995"};
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

struct RegressionResidual {
    static constexpr Meta meta{
        .name = "regression_residual", .doc = "How far the close is above the least-squares line through the last closes.",
        .params = {{"window", 3, 100'000}}, .outputs = {{"", "(close - line at the newest bar) / deviation (population) of the closes; 0 when flat", "number"}},
        .defaults = {{20}, {100}}, .source = "Draper and Smith 1998, chapter 1"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RegressionResidual(Graph& g, Params p) : n(p[0]), line(g.part<Window<Close, Line>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Line l = in(line);
        const double residual = l.above(n, 0) / std::sqrt(l.m2 / n);
        out[0] = l.m2 > 0 ? residual : l.m2;  // 0, or unknown
    }
    double n;
    Ref<Window<Close, Line>> line;
};

struct ForecastError {
    static constexpr Meta meta{
        .name = "forecast_error", .doc = "Forecast oscillator: the close against the least-squares line through the closes before it.",
        .params = {{"window", 3, 100'000}},
        .outputs = {{"", "1 - line through the `window` closes before, drawn on to this bar / close", "fraction"}}, .defaults = {{20}, {100}},
        .source = "Chande and Kroll 1994"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    ForecastError(Graph& g, Params p) : n(p[0]), line(g.part<Window<Close, Line>>(p[0])), change(g.part<Change>()) {}
    void update(const Bar& b, In in, Out out) noexcept {
        out[0] = (in(change) + above) / b.close;
        above = in(line).above(n, 1);  // the close now less where the line will be
    }
    double n;
    Ref<Window<Close, Line>> line;
    Ref<Change> change;
    double above = kNaN;
};

struct RegressionCurvature {
    static constexpr Meta meta{
        .name = "regression_curvature", .doc = "How the trend bends: least-squares parabola through the last closes.",
        .params = {{"window", 4, 10'000}},
        .outputs = {{"", "rise of the parabola from the middle of the window to its ends, less its slope, / mean close", "fraction"}},
        .defaults = {{20}, {100}}, .source = "Draper and Smith 1998, chapter 12"};
    static int warmup(Params p) { return static_cast<int>(p[0]); }
    RegressionCurvature(Graph& g, Params p)
        : scale((p[0] - 1) * (p[0] - 1) / (4 * Parabola::norm(p[0]))), parabola(g.part<Window<Close, Parabola>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept { out[0] = in(parabola).bend * scale / in(parabola).mean; }
    double scale;
    Ref<Window<Close, Parabola>> parabola;
};

// By how much the bar reaches beyond the other end of the bar before it, upwards and downwards, beside its true range.
struct Reach {
    struct Told {
        double up, down, range;
    };
    explicit Reach(Graph& g) : range(g.part<TrueRange>()) {}
    void update(const Bar& b, In in, Out out) noexcept {
        out[0] = std::fabs(b.high - low);
        out[1] = std::fabs(b.low - high);
        out[2] = in(range);
        high = b.high;
        low = b.low;
    }
    static Sum3 aggregate(const Told& t) noexcept { return {t.up, t.down, t.range}; }
    Ref<TrueRange> range;
    double high = kNaN, low = kNaN;
};

struct Vortex {
    static constexpr Meta meta{
        .name = "vortex", .doc = "Vortex indicator: how far highs reach from the lows before them, and lows from the highs.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"plus", "sum |high - low before| / sum true range; 0 when flat", "ratio", 0},
                    {"minus", "sum |low - high before| / sum true range; 0 when flat", "ratio", 0}},
        .defaults = {{14}, {50}}, .source = "Botes and Siepman 2010"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Vortex(Graph& g, Params p) : window(g.part<Window<Reach, Sum3>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const Sum3 sum = in(window);
        out[0] = sum.third > 0 ? sum.first / sum.third : sum.third;
        out[1] = sum.third > 0 ? sum.second / sum.third : sum.third;
    }
    Ref<Window<Reach, Sum3>> window;
};

struct Choppiness {
    static constexpr Meta meta{
        .name = "choppiness", .doc = "Choppiness index: true ranges against the range of the whole window; 100 is all back and forth.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "100 log(sum true range / (highest high - lowest low)) / log(window); unknown when flat", "number"}},
        .defaults = {{14}, {50}}, .source = "Dreiss 1993"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    Choppiness(Graph& g, Params p)
        : scale(100 / std::log(p[0])), path(g.part<Window<TrueRange, Sum>>(p[0])), high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double sum = in(path).sum, range = in(high).max - in(low).min;
        out[0] = range > 0 ? scale * std::log(sum / range) : kNaN;
    }
    double scale;
    Ref<Window<TrueRange, Sum>> path;
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
};

struct VerticalHorizontal {
    static constexpr Meta meta{
        .name = "vertical_horizontal", .doc = "Vertical horizontal filter: the range of the closes over the path they took.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"", "(highest close - lowest close) of `window` closes / sum |change| over `window`; 0 when flat", "0..1", 0, 1}},
        .defaults = {{28}, {100}}, .source = "White 1991"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    VerticalHorizontal(Graph& g, Params p)
        : high(g.part<Window<Close, Max>>(p[0])), low(g.part<Window<Close, Min>>(p[0])), path(g.part<Window<AbsChange, Sum>>(p[0])) {}
    void update(const Bar&, In in, Out out) const noexcept {
        const double sum = in(path).sum;
        out[0] = sum > 0 ? not_above((in(high).max - in(low).min) / sum, 1) : sum;
    }
    Ref<Window<Close, Max>> high;
    Ref<Window<Close, Min>> low;
    Ref<Window<AbsChange, Sum>> path;
};

// Of both stops the distance is kept, not the level: so they have all their digits at any price.
struct SarDistance {
    static constexpr Meta meta{
        .name = "sar_distance", .doc = "Close relative to the parabolic stop and reverse; above 0 in a rise.",
        .params = {{"acceleration", 0.001, 0.5}, {"maximum", 0.01, 0.99}}, .outputs = {{"", "1 - SAR / close", "fraction"}},
        .defaults = {{0.02, 0.2}}, .source = "Wilder 1978"};
    static int warmup(Params) { return 2; }
    SarDistance(Graph&, Params p) : first(p[0] < p[1] ? p[0] : p[1]), most(p[1]) {}
    void update(const Bar& b, In, Out out) noexcept {
        if (!known(high)) {
            high = b.high, low = b.low;
            return;
        }
        if (side == 0) {  // falls if the first move down is the larger, and rises otherwise
            const double rise = b.high - high, fall = low - b.low;
            side = fall > 0 && fall > rise ? -1 : 1;
            speed = first;
            extreme = side > 0 ? b.high : b.low;
            gap = side > 0 ? b.high - low : high - b.low;
            high = b.high, low = b.low;
        }
        // As in a rise: a fall is one in the mirror.
        const double top = side > 0 ? b.high : -b.low, bottom = side > 0 ? b.low : -b.high;
        const double top_before = side > 0 ? high : -low, bottom_before = side > 0 ? low : -high;
        const double best = side * extreme;
        if (best - bottom >= gap - 1e-12 * b.close) {  // it touches the stop, or all but
            const double stop = not_below(not_below(best, top_before), top);
            out[0] = (b.close - side * stop) / b.close;
            side = -side;
            speed = first;
            extreme = side > 0 ? b.high : b.low;
            gap = not_below((1 - speed) * (stop - bottom), (top > top_before ? top : top_before) - bottom);
        } else {
            out[0] = side * ((side * b.close - best) + gap) / b.close;
            if (top > best) {
                gap += top - best;
                extreme = side > 0 ? b.high : b.low;
                speed = not_above(speed + first, most);
            }
            gap = not_below((1 - speed) * gap, not_below(best, top) - (bottom < bottom_before ? bottom : bottom_before));
        }
        high = b.high, low = b.low;
    }
    double first, most, speed = 0;
    double side = 0, extreme = 0, gap = 0;  // 1 in a rise, -1 in a fall; highest high of it (lowest low); from there to the stop
    double high = kNaN, low = kNaN;         // of the bar before
};

struct SupertrendDistance {
    static constexpr Meta meta{
        .name = "supertrend_distance", .doc = "Close relative to the supertrend, a stop some average ranges from the middle of the bars; above 0 in a rise.",
        .params = {{"window", 2, 10'000}, {"width", 0.1, 100}}, .outputs = {{"", "1 - supertrend / close", "fraction"}},
        .defaults = {{10, 3}, {50, 3}}, .source = "Seban 2009"};
    static int warmup(Params p) { return static_cast<int>(p[0]) + 1; }
    SupertrendDistance(Graph& g, Params p) : range(g.part<Wilder<TrueRange>>(p[0])), change(g.part<Change>()), width(p[1]) {}
    void update(const Bar& b, In in, Out out) noexcept {
        const double tr = in(range);
        if (!known(tr)) return;
        const double middle = 0.5 * ((b.high - b.close) + (b.low - b.close)), up = middle + width * tr, down = middle - width * tr;
        if (side == 0) {
            side = -1, upper = up, lower = down;
        } else {
            // Of the stops before, still seen from the close before: a stop moves towards the price, unless that has broken it.
            const double move = in(change);
            const bool free_upper = upper < 0, free_lower = lower > 0;
            upper -= move, lower -= move;
            if (up < upper || free_upper) upper = up;
            if (down > lower || free_lower) lower = down;
            side = side > 0 ? (lower > 0 ? -1 : 1) : (upper < 0 ? 1 : -1);
        }
        out[0] = -(side > 0 ? lower : upper) / b.close;
    }
    Ref<Wilder<TrueRange>> range;
    Ref<Change> change;
    double width, side = 0, upper = 0, lower = 0;  // less the close
};

struct Ichimoku {
    static constexpr double kFast = 9, kSlow = 26, kCloud = 52;
    static constexpr std::uint32_t kAhead = 25;  // the 26th bar, counted from the one that draws it
    static constexpr Meta meta{
        .name = "ichimoku", .doc = "Ichimoku lines over 9, 26 and 52 bars, each the middle of a range; the cloud as it is drawn at this bar, from the lines of 25 bars before.",
        .outputs = {{"", "(conversion line - base line) / close", "fraction"},
                    {"cloud", "close above the cloud, or below it, / close; 0 inside", "fraction"}},
        .source = "Elliott 2007"};
    static int warmup(Params) { return static_cast<int>(kCloud) + kAhead; }
    Ichimoku(Graph& g, Params)
        : high{g.part<Window<High, Max>>(kFast), g.part<Window<High, Max>>(kSlow), g.part<Window<High, Max>>(kCloud)},
          low{g.part<Window<Low, Min>>(kFast), g.part<Window<Low, Min>>(kSlow), g.part<Window<Low, Min>>(kCloud)},
          close(past<Close>(g, kAhead + 1)), first(g.arena(), kAhead + 1), second(g.arena(), kAhead + 1) {}
    void update(const Bar& b, In in, Out out) noexcept {
        if (!known(in(high[2]).max)) return;
        double line[3];  // less the close
        for (int i = 0; i < 3; ++i) line[i] = 0.5 * ((in(high[i]).max - b.close) + (in(low[i]).min - b.close));
        first.push(in, 0.5 * (line[0] + line[1]));
        second.push(in, line[2]);
        if (!first.view(in).has(kAhead + 1)) return;
        const double a = first.view(in).ago(kAhead), c = second.view(in).ago(kAhead);
        const double gone = b.close - in.past(close).ago(kAhead);
        const double above = gone - (a > c ? a : c), below = gone - (a < c ? a : c);
        out[0] = (line[0] - line[1]) / b.close;
        out[1] = (above > 0 ? above : below < 0 ? below : 0) / b.close;
    }
    Ref<Window<High, Max>> high[3];
    Ref<Window<Low, Min>> low[3];
    Ref<Past<Close>> close;
    History first, second;
};

struct Chandelier {
    static constexpr Meta meta{
        .name = "chandelier", .doc = "How far the close has come back from the extremes of the window, in average ranges (ATR 14); chandelier exits lie at 3.",
        .params = {{"window", 2, 100'000}},
        .outputs = {{"long", "(highest high - close) / ATR; 0 when nothing ever moved", "ATR", 0}, {"short", "(close - lowest low) / ATR; 0 when nothing ever moved", "ATR", 0}},
        .defaults = {{20}}, .source = "Elder 2002"};
    static int warmup(Params p) { return std::max(static_cast<int>(p[0]), 15); }
    Chandelier(Graph& g, Params p) : high(g.part<Window<High, Max>>(p[0])), low(g.part<Window<Low, Min>>(p[0])), range(usual_range(g)) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        out[0] = in_ranges(in(high).max - b.close, in(range));
        out[1] = in_ranges(b.close - in(low).min, in(range));
    }
    Ref<Window<High, Max>> high;
    Ref<Window<Low, Min>> low;
    Ref<Wilder<TrueRange>> range;
};

constexpr Kind kinds[] = {kind<LogReturnOver>, kind<SmaDistance>, kind<EmaDistance>, kind<Macd>, kind<Adx>,
                          kind<Di>, kind<Aroon>, kind<EfficiencyRatio>, kind<RegressionSlope>, kind<RegressionR2>,
                          kind<RegressionResidual>, kind<ForecastError>, kind<RegressionCurvature>, kind<Vortex>, kind<Choppiness>,
                          kind<VerticalHorizontal>, kind<SarDistance>, kind<SupertrendDistance>, kind<Ichimoku>, kind<Chandelier>};
}  // namespace

const Family trend{"trend", "technical", kinds};

}  // namespace smartcore
