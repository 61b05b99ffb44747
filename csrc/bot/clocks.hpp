// Time for a bot: grid points on which models step, bars end and decisions fall due, and how long a bar usually is.
#pragma once
#include <algorithm>
#include <cstdint>

namespace smartcore {

inline constexpr std::int64_t kNever = INT64_MIN, kFar = INT64_MAX;  // before and after every time, ns

// Grid points from the epoch every `every` ns. `idle`: they pass also where nothing happens, as bars end and decisions fall due
// in silence. A model steps only after an event, for Engine::run gives no rows of silence.
struct Clock {
    std::int64_t every, next = kFar, done = kNever;
    std::uint8_t seats = 0;        // bits of the models that step there
    bool idle, decides = false;    // decides: a decision falls due there
    std::uint8_t unused[5] = {};

    Clock() noexcept : every(1), idle(false) {}
    Clock(std::int64_t every, bool idle) noexcept : every(every), idle(idle) {}

    // `next` from the time of the last event, or where silence counts, from now; kFar where it has passed.
    void arm(std::int64_t seen, std::int64_t now) noexcept {
        const std::int64_t ts = idle ? std::max(now, done) : seen, rest = ts % every;
        const std::int64_t following = ts - rest + (rest < 0 ? 0 : every);
        next = following > done ? following : kFar;
    }
};

// The usual time from one bar to the next.
struct BarLength {
    std::int64_t ns = 0;           // 0: not known yet
    std::int64_t before = 0;
    double wait = 1;               // of bars by the clock: mean time from one to the next, in lengths
    bool fixed = false, fed = false;
    std::uint8_t waits = 0, unused[5] = {};

    void closed(std::int64_t ts) noexcept {
        const std::int64_t gap = ts - before;
        before = ts;
        if (gap <= 0 || gap >= ts) return;
        if (fixed) {  // an interval without a trade has no bar; much longer than usual are nights and halts
            const double waited = static_cast<double>(gap) / static_cast<double>(ns);
            if (waits && waited > 8 * wait) return;
            waits = static_cast<std::uint8_t>(std::min(waits + 1, 64));
            wait += (waited - wait) / waits;
            return;
        }
        if (!ns) ns = gap;
        else if (fed) ns = std::min(ns, gap);  // nights and missing bars make longer gaps, nothing makes shorter ones
        else ns = std::max<std::int64_t>(1, ns + ((gap - ns) >> 4));
    }
    // Share of the intervals that had a bar.
    double filled() const noexcept { return waits < 16 ? 1 : std::min(1.0, 1 / wait); }
};

}  // namespace smartcore
