// Session: what the clock and the UTC day say. A day ends at midnight UTC and holds the bars stamped after the midnight before
// and at the latest at its own: a bar is stamped with its end, so that of 23:59 to 00:00 belongs to the day that it ends.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

constexpr std::int64_t kMinute = 60'000'000'000, kDay = 1440 * kMinute, kWeek = 7 * kDay;

// The day of the bars so far.
struct Today {
    bool enter(std::int64_t ts) noexcept {  // true for the first bar of a day
        if (ts <= end) return false;
        end = (ts / kDay + (ts % kDay > 0)) * kDay;
        return true;
    }
    std::int64_t end = INT64_MIN;
};

inline double minutes(std::int64_t ns) noexcept { return static_cast<double>(ns) / static_cast<double>(kMinute); }

// Share of a period since it began, 0 up to 1.
inline double phase(std::int64_t ts, std::int64_t period) noexcept {
    const std::int64_t rest = ts % period;
    return static_cast<double>(rest < 0 ? rest + period : rest) / static_cast<double>(period);
}
constexpr double kTurn = 6.283185307179586;

struct TimeOfDay {
    static constexpr Meta meta{
        .name = "time_of_day", .doc = "Where in the UTC day the bar ended, as a point on a circle.",
        .outputs = {{"sin", "sin(2 pi (time since midnight / 24 h))", "-1..1", -1, 1},
                    {"cos", "cos(2 pi (time since midnight / 24 h))", "-1..1", -1, 1}},
        .source = "Andersen and Bollerslev 1997"};
    static int warmup(Params) { return 1; }
    TimeOfDay(Graph&, Params) {}
    void update(const Bar& b, In, Out out) const noexcept {
        const double angle = kTurn * phase(b.ts, kDay);
        out[0] = std::sin(angle);
        out[1] = std::cos(angle);
    }
};

struct TimeOfWeek {
    static constexpr Meta meta{
        .name = "time_of_week", .doc = "Where in the UTC week, from Monday on, the bar ended, as a point on a circle.",
        .outputs = {{"sin", "sin(2 pi (time since Monday 00:00 / 7 days))", "-1..1", -1, 1},
                    {"cos", "cos(2 pi (time since Monday 00:00 / 7 days))", "-1..1", -1, 1}},
        .source = "French 1980"};
    static int warmup(Params) { return 1; }
    TimeOfWeek(Graph&, Params) {}
    void update(const Bar& b, In, Out out) const noexcept {
        const double angle = kTurn * phase(b.ts - 4 * kDay, kWeek);  // 1970 began on a Thursday
        out[0] = std::sin(angle);
        out[1] = std::cos(angle);
    }
};

struct TimeLeft {
    static constexpr Meta meta{
        .name = "time_left", .doc = "Time until the next multiple of a period since 1970: the full hour, the next funding of a perpetual (8 h).",
        .params = {{"period", 60, 604'800, 's'}},
        .outputs = {{"", "minutes to the next boundary; the whole period on it", "minutes", 0}}, .defaults = {{3600}, {28'800}},
        .source = "He, Manela, Ross, von Wachter 2022"};
    static int warmup(Params) { return 1; }
    TimeLeft(Graph&, Params p) : period(static_cast<std::int64_t>(std::llround(p[0] * 1e9))) {}
    void update(const Bar& b, In, Out out) const noexcept {
        const std::int64_t rest = b.ts % period;
        out[0] = minutes(period - (rest < 0 ? rest + period : rest));
    }
    std::int64_t period;
};

// The day so far and the one before. Where none was before, the first bar stands for it.
struct Day {
    struct Told {
        double high, low, before, high_before, low_before, since_high, since_low;
    };
    explicit Day(Graph&) {}
    void update(const Bar& b, In, Out out) noexcept {
        if (today.enter(b.ts)) {
            const bool first = !known(high);
            out[2] = first ? b.open : close;
            out[3] = first ? b.high : high;
            out[4] = first ? b.low : low;
            high = b.high, low = b.low;
            high_at = low_at = b.ts;
        }
        if (b.high >= high) high = b.high, high_at = b.ts;
        if (b.low <= low) low = b.low, low_at = b.ts;
        close = b.close;
        out[0] = high;
        out[1] = low;
        out[5] = minutes(b.ts - high_at);
        out[6] = minutes(b.ts - low_at);
    }
    Today today;
    double high = kNaN, low = kNaN, close = kNaN;
    std::int64_t high_at = 0, low_at = 0;
};

struct SessionRange {
    static constexpr Meta meta{
        .name = "session_range", .doc = "The range of the UTC day so far, and where in it the close stands.",
        .outputs = {{"position", "(close - low) / (high - low) since midnight; 0.5 while there is no range", "0..1", 0, 1},
                    {"width", "ln(high / low) since midnight", "log", 0}},
        .source = "Corwin and Schultz 2012"};
    static int warmup(Params) { return 1; }
    SessionRange(Graph& g, Params) : day(g.part<Day>()) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        const auto d = in(day);
        const double range = d.high - d.low;
        out[0] = range > 0 ? (b.close - d.low) / range : 0.5;
        out[1] = log_ratio(d.high, d.low);
    }
    Ref<Day> day;
};

struct SessionReturn {
    static constexpr Meta meta{
        .name = "session_return", .doc = "Log return since midnight UTC.",
        .outputs = {{"", "ln(close / last close of the day before); of the first day, its first open", "log"}},
        .source = "Lou, Polk, Skouras 2019"};
    static int warmup(Params) { return 1; }
    SessionReturn(Graph& g, Params) : day(g.part<Day>()) {}
    void update(const Bar& b, In in, Out out) const noexcept { out[0] = log_ratio(b.close, in(day).before); }
    Ref<Day> day;
};

struct SessionExtremes {
    static constexpr Meta meta{
        .name = "session_extremes", .doc = "How long ago the UTC day had its high and its low; the newest of equals counts.",
        .outputs = {{"high", "minutes since the high of the day so far", "minutes", 0, 1440},
                    {"low", "minutes since the low of the day so far", "minutes", 0, 1440}},
        .source = "Chande 1995"};
    static int warmup(Params) { return 1; }
    SessionExtremes(Graph& g, Params) : day(g.part<Day>()) {}
    void update(const Bar&, In in, Out out) const noexcept {
        out[0] = in(day).since_high;
        out[1] = in(day).since_low;
    }
    Ref<Day> day;
};

struct PreviousDay {
    static constexpr Meta meta{
        .name = "previous_day", .doc = "Close against the high and the low of the UTC day before; of the first day, against its first bar.",
        .outputs = {{"high", "ln(close / high of the day before)", "log"}, {"low", "ln(close / low of the day before)", "log"}},
        .source = "Crabel 1990"};
    static int warmup(Params) { return 1; }
    PreviousDay(Graph& g, Params) : day(g.part<Day>()) {}
    void update(const Bar& b, In in, Out out) const noexcept {
        out[0] = log_ratio(b.close, in(day).high_before);
        out[1] = log_ratio(b.close, in(day).low_before);
    }
    Ref<Day> day;
};

struct SessionVwap {
    static constexpr double kRounding = 1e-12;  // a deviation below this share of the price is none
    static constexpr Meta meta{
        .name = "session_vwap", .doc = "Close against the volume-weighted average of the typical prices since midnight UTC; unknown until volume has traded.",
        .outputs = {{"", "close / VWAP - 1", "fraction", -1},
                    {"deviations", "(close - VWAP) / volume-weighted deviation of the typical prices; 0 while they are all one", "number"}},
        .source = "Berkowitz, Logue, Noser 1988"};
    static int warmup(Params) { return 1; }
    SessionVwap(Graph&, Params) {}
    // Sums within a day only grow, and begin anew with it: nothing is subtracted. Distances are from the day's first close.
    void update(const Bar& b, In, Out out) noexcept {
        if (today.enter(b.ts)) anchor = b.close, volume = mean = m2 = 0;
        const double x = ((b.high - anchor) + (b.low - anchor) + (b.close - anchor)) / 3, away = x - mean;
        if (b.volume > 0) {
            volume += b.volume;
            mean += away * (b.volume / volume);
            m2 += b.volume * away * (x - mean);
        }
        const double distance = (b.close - anchor) - mean, deviation = std::sqrt(m2 / volume);
        out[0] = volume > 0 && anchor + mean > 0 ? distance / (anchor + mean) : kNaN;  // 1e16 times another price rounds it away
        out[1] = volume > 0 ? (deviation > kRounding * b.close ? distance / deviation : 0) : kNaN;
    }
    Today today;
    double anchor = 0, volume = 0, mean = 0, m2 = 0;
};

struct OpeningRange {
    static constexpr Meta meta{
        .name = "opening_range", .doc = "Close against the range of the first minutes of the UTC day, counted from its first bar.",
        .params = {{"minutes", 1, 1440}},
        .outputs = {{"high", "ln(close / highest high of the bars within `minutes` of the day's first)", "log"},
                    {"low", "ln(close / lowest low of those bars)", "log"}},
        .defaults = {{30}}, .source = "Crabel 1990"};
    static int warmup(Params) { return 1; }
    OpeningRange(Graph&, Params p) : length(static_cast<std::int64_t>(p[0]) * kMinute) {}
    void update(const Bar& b, In, Out out) noexcept {
        if (today.enter(b.ts)) until = b.ts + length, high = b.high, low = b.low;
        if (b.ts < until) high = b.high > high ? b.high : high, low = b.low < low ? b.low : low;
        out[0] = log_ratio(b.close, high);
        out[1] = log_ratio(b.close, low);
    }
    std::int64_t length, until = 0;
    Today today;
    double high = kNaN, low = kNaN;
};

constexpr Kind kinds[] = {kind<TimeOfDay>, kind<TimeOfWeek>, kind<TimeLeft>, kind<SessionRange>, kind<SessionReturn>,
                          kind<SessionExtremes>, kind<PreviousDay>, kind<SessionVwap>, kind<OpeningRange>};
}  // namespace

const Family session{"session", "regime", kinds};

}  // namespace smartcore
