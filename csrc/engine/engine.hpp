// A feature set made live for one instrument: book, bar clock, plan and row.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan.hpp"
#include "market/bar_clock.hpp"
#include "market/book.hpp"
#include "market/tick_rule.hpp"

namespace smartcore {

enum class Sample { bar, event, interval };

class Engine {
public:
    Engine(const std::vector<Column>& columns, BarClock clock) : plan_(columns) { s_.clock = clock; }

    // The live step. The event has been checked and is not older than the one before.
    void step(const Event& e) noexcept {
        pass(e.ts);
        apply(e);
    }
    // Time passes without an event: a time bar that has ended is closed. True if one was.
    bool pass(std::int64_t ts) noexcept {
        s_.ts = ts;
        s_.closed_bar = false;
        if (!s_.clock.due(ts)) return false;
        close(s_.clock.close_due());
        return true;
    }
    // History: the same step in a loop. `take(ts)` is called when a row is due, which then holds what was known at ts.
    // Intervals are counted from the epoch; one without events gives no row. Where bars follow bars they are taken in
    // blocks, and `take.rows(events, n)` says where their n rows go.
    template <class F>
    void run(std::span<const Event> events, Sample sample, std::int64_t interval, F&& take) noexcept {
        if (sample == Sample::interval) {
            if (s_.interval != interval) s_.interval = interval, s_.next_sample = INT64_MIN;
            // Events that came in some other way may have passed the grid point: its row would know them.
            if (s_.next_sample != INT64_MIN && s_.ts >= s_.next_sample) s_.next_sample = next_after(s_.ts, interval);
        }
        for (std::size_t i = 0; i < events.size(); ++i) {
            if constexpr (requires { take.rows(events.data(), 1); }) {
                if (const std::uint32_t n = sample == Sample::interval ? 0 : block(events.subspan(i)); n > 1) {
                    close(events.data() + i, n, take.rows(events.data() + i, n));
                    i += n - 1;
                    continue;
                }
            }
            const Event& e = events[i];
            if (sample == Sample::interval && e.ts >= s_.next_sample) {
                if (s_.next_sample != INT64_MIN) {
                    pass(s_.next_sample);
                    take(s_.next_sample);
                }
                s_.next_sample = next_after(e.ts, interval);
            }
            if (pass(e.ts) && sample == Sample::bar) take(s_.bar.ts);
            if (apply(e) && sample == Sample::bar) take(e.ts);
            if (sample == Sample::event) take(e.ts);
        }
    }
    static std::int64_t next_after(std::int64_t ts, std::int64_t interval) noexcept {
        const std::int64_t rest = ts % interval;
        return ts - rest + (rest < 0 ? 0 : interval);
    }

    // All that is neither plan nor ladder; plain bytes, so that a snapshot cannot forget a field.
    struct State {
        std::int64_t ts = INT64_MIN, next_sample = INT64_MIN, interval = 0;
        std::uint64_t counts[kTypes] = {}, bars = 0;
        std::uint64_t dropped = 0;                // events that came too late, under the policy "drop"
        std::int64_t last_id = -1;                // last sequence number of the depth feed, where one is given
        double last_price = kNaN;
        TickRule tick;                            // of the trades that bars are built from
        BarClock clock;
        Bar bar{};
        Trade trade{};
        bool closed_bar = false;
        bool bridge = false;                      // the last depth message was a snapshot
        std::uint8_t unused[6] = {};              // no padding: equal states are equal bytes
    };
    State& state() noexcept { return s_; }
    const State& state() const noexcept { return s_; }
    double* row() noexcept { return plan_.row(); }
    const Plan& plan() const noexcept { return plan_; }
    const Book& book() const noexcept { return book_; }

    std::string snapshot(std::string_view header) const;
    static std::string_view header(std::string_view blob);  // both throw std::invalid_argument, changing nothing
    void restore(std::string_view blob);

private:
    bool close(const Bar& b) noexcept {
        s_.bar = b;
        ++s_.bars;
        s_.last_price = b.close;
        plan_.wake(b, book_.top());
        return s_.closed_bar = true;
    }
    void wake(const Top& top) noexcept { plan_.wake(top, top); }
    bool apply(const Event& e) noexcept;  // true if the event is, or completes, a bar
    std::uint32_t block(std::span<const Event> events) const noexcept {  // how many bars come next
        std::uint32_t n = 0;
        if (s_.clock.by() != BarClock::By::none || !plan_.takes_blocks()) return 0;
        while (n < kBlock && n < events.size() && events[n].kind == Type::bar) ++n;
        return n;
    }
    void close(const Event* events, std::uint32_t n, double* table) noexcept;

    Plan plan_;
    Book book_;
    State s_;
};

}  // namespace smartcore
