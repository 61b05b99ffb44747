// The thin loop of one instrument: events to the engine, models on their clocks, a decision when one is due, outcomes into the
// scorecard. Live, replay and the native lane are this one class.
//
// Order within one event. First what was due *before* it is done on what was known then: bars that have ended are closed, models
// sampled on a clock ("1s") step on exactly the row that Engine::run(interval) gives, outcomes of past decisions are read off the
// price and the book. Then the event is applied, then a decision is made if one is due, on the row as it is now. Between the
// levels of a depth message nothing is decided.
//
// Most events come while nothing is due: such a one costs a comparison, the engine, and a note of what the feed is like.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "bot/clocks.hpp"
#include "bot/feed.hpp"
#include "bot/latency.hpp"
#include "bot/outcomes.hpp"
#include "bot/recorder.hpp"
#include "decide/decide.hpp"
#include "engine/engine.hpp"
#include "models/speaker.hpp"

namespace smartcore {

// Where the loop gets the time from, ns. `wall`: UTC, as events are stamped; nullptr where nobody knows how late they come.
struct Clocks {
    std::int64_t (*monotonic)(void*) noexcept;
    std::int64_t (*wall)(void*) noexcept = nullptr;
    void* of = nullptr;
};
Clocks steady_clock() noexcept;

// A model's place: what speaks there, and when. The stand-in, a simpler model of the same pace, speaks where the first failed.
struct Seat {
    static constexpr std::int64_t kBar = 0, kEvent = -1;
    Speaker* first = nullptr;
    Speaker* stand_in = nullptr;
    std::int64_t every = kBar;  // ns; or at each bar, at each event
    bool calibrated = false, stand_in_calibrated = false;
    bool stateful = false;      // the stand-in remembers: it is stepped always, else only when needed
};

// All that never changes while it runs.
struct Setup {
    decide::Policy policy{};
    decide::Inputs inputs{};
    Seat seats[decide::kModels];
    bool every_bar = false;             // when a decision is due: at bars,
    std::uint64_t every_events = 0;     // or after so many events (0: not),
    std::int64_t every_ns = 0;          // or at grid points from the epoch (0: not)
    std::int64_t bars_ns = 0;           // the length of bars that end by the clock, else 0
    std::int64_t latency_ns = -1;       // reckoned with in each decision; -1: as measured
    Outcomes::Rule outcomes;
    double lot = 1, tick = 0, multiplier = 1, min_size = 0, fee_bps = kNaN;
    Clocks clocks = steady_clock();
};

// What the bot's owner knows of its account, and monitors of its health.
struct Account {
    double position = 0, equity = kNaN, peak = 0, correlated = 0, health = kNaN;
    std::uint8_t equity_known = 0, unused[7] = {};
    double drawdown() const noexcept { return equity_known && peak > 0 ? 1 - equity / peak : 0; }
};

// A model's last word.
struct Voice {
    double triple[3] = {kNaN, kNaN, kNaN};
    double novelty = kNaN;
    std::int64_t ts = 0;                      // of the row it spoke on
    std::uint64_t faults = 0, stand_in_faults = 0;
    Said said = Said::nothing;
    bool fell_back = false;                   // the triple is the stand-in's
    std::uint8_t unused[6] = {};
    bool speaks() const noexcept { return known(triple[0]); }
};

inline constexpr std::uint8_t kDecide = 4;         // of an event of kind 0: a decision was asked for
inline constexpr std::int64_t kUnread = INT64_MIN;  // a time of arrival that the loop reads off its clock, where it needs it

class Loop {
public:
    Loop(Engine& engine, const Setup& setup);

    // What is wrong with an event, before anything is changed by it; whether it comes too late, late() says. Of kind 0 is time that
    // passes (see `on`).
    Fault refuse(const Event& e) const noexcept;
    bool late(std::int64_t ts) const noexcept { return ts < engine_.state().ts; }
    bool late(const Event& e) const noexcept { return late(e.ts) && !(e.kind == Type{} && (e.flags & kDecide)); }  // that may look back

    // One event that was not refused and is not late. `arrived` monotonic and `wall` UTC ns. True where a decision was made: see
    // decision(); call done() once it has been handed on. An event of kind 0 is advance(), with the flag kDecide decide(), so that
    // all that a recorder was given can be given again.
    bool on(const Event& e, std::int64_t arrived = kUnread, std::int64_t wall = kUnread) noexcept {
        if (e.ts >= s_.next || e.kind == Type{}) return whole(e, arrived, wall);
        if (recorder_) recorder_->event(e);
        take(e);
        return false;
    }
    // Time passes without an event. `book`: a depth message without levels came, so the book is known to be as it is.
    bool advance(std::int64_t ts, std::int64_t arrived = kUnread, bool book = false) noexcept;
    // A decision now, whether due or not.
    void decide(std::int64_t ts, std::int64_t arrived = kUnread) noexcept;
    void done() noexcept;  // the decision is with whoever asked for it: its latency is known

    // Time of the last event; kNever before the first one.
    std::int64_t ts() const noexcept;
    const decide::Decision& decision() const noexcept { return decision_; }
    const decide::Context& context() const noexcept { return context_; }
    const decide::Given& given() const noexcept { return given_; }
    const decide::Scorecard& scorecard() const noexcept { return outcomes_.card(); }
    decide::Scorecard& scorecard() noexcept { return outcomes_.card(); }
    std::uint64_t decisions() const noexcept { return s_.sequence; }
    // Gates that failed at the last decision and did not at the one before, as bits of decide::Gate.
    std::uint32_t newly_failed() const noexcept { return s_.newly; }
    const Voice& voice(std::size_t seat) const noexcept { return s_.voices[seat]; }
    Account& account() noexcept { return s_.account; }
    const Latency& latency() const noexcept { return latency_; }
    Latency& latency() noexcept { return latency_; }
    const Setup& setup() const noexcept { return setup_; }
    Engine& engine() noexcept { return engine_; }
    std::uint64_t missed() const noexcept { return outcomes_.missed(); }

    void record(Recorder* recorder) noexcept { recorder_ = recorder; }  // nullptr: none
    // The next decision takes from here what events do not say: latency, account, clock skew, health. For making one again.
    void outside(const decide::Context& context) noexcept { outside_ = context, has_outside_ = true; }

    // Engine (with its header), models, clocks, pending outcomes, scorecard: a loop restored from it is one that never stopped.
    std::string snapshot(std::string_view engine_header) const;
    void restore(std::string_view blob);                        // throws std::invalid_argument, changing nothing
    static std::string_view engine_of(std::string_view blob);   // the engine's own snapshot within

private:
    static constexpr std::size_t kClocks = decide::kModels + 2;  // of models, of bars, of decisions

    void take(const Event& e) noexcept {
        engine_.step(e);
        if (engine_.state().closed_bar) bar();
        s_.last[static_cast<std::size_t>(e.kind)] = e.ts;
        s_.feed.take(e, price());
    }
    double price() const noexcept {
        const Top& top = engine_.book().top();
        return top.valid ? top.mid() : engine_.state().last_price;
    }
    std::int64_t now() const noexcept { return setup_.clocks.monotonic(setup_.clocks.of); }
    bool whole(const Event& e, std::int64_t arrived, std::int64_t wall) noexcept;
    void catch_up(std::int64_t ts, std::int64_t start) noexcept;
    void arm() noexcept;
    void bar() noexcept;
    void step(std::size_t seat, std::int64_t ts) noexcept;
    void step(std::uint8_t seats, std::int64_t ts) noexcept {
        for (std::size_t i = 0; i < decide::kModels; ++i)
            if (seats >> i & 1) step(i, ts);
    }
    void conclude(std::int64_t ts, std::int64_t start, std::int64_t wall) noexcept;

    // What changes from event to event, as plain bytes.
    struct State {
        std::int64_t next = kNever;  // an event from here on is more than an event for the engine
        std::int64_t grid = kNever;  // the next point of a clock; kNever: to be worked out from the last event the engine took
        std::int64_t since = 0;      // arrival of the event that made a decision due
        std::int64_t decide_ns = 0;  // what deciding took the last time, where latency is measured
        std::int64_t last[kTypes];   // time of the last event by kind; of kind 0: of what the engine knew before
        std::uint64_t events = 0;    // since the last decision
        std::uint64_t sequence = 0;
        BarLength bar_length;
        Clock clocks[kClocks];
        Voice voices[decide::kModels];
        Account account;
        Feed feed;
        std::uint32_t failed = 0, newly = 0;  // gates, as bits
        bool due = false;
        std::uint8_t unused[7] = {};
    };
    Engine& engine_;
    Setup setup_;
    std::size_t clocks_ = 0;               // of State::clocks
    std::uint8_t at_bars_ = 0, at_events_ = 0;  // bits of seats
    bool each_ = false;                    // anything may be due at any event: each, or each trade may close a bar on which to decide
    State s_;
    Outcomes outcomes_;
    Recorder* recorder_ = nullptr;
    decide::Context outside_{};
    bool has_outside_ = false;
    decide::Decision decision_{};
    decide::Context context_{};
    decide::Given given_{};
    std::int64_t start_ = 0, before_ = 0;  // of the last decision
    Latency latency_;
};

}  // namespace smartcore
