// Several instruments on one clock: an engine each, and what they are told of one another at its ticks.
//
// Engines know nothing of each other. At a tick each is stepped with a Peer, a Basket and a Factor event, made from what is
// known of the others then; so a column about other instruments obeys the laws of all columns, and may be fed by hand.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "market/leg.hpp"

namespace smartcore {

class Panel {
public:
    // interval: of the clock, ns; stale: a leg whose last event is older (ns) is missing; memory: ticks over which usual
    // sizes and the first component are remembered.
    Panel(std::vector<Engine*> engines, std::uint32_t reference, std::int64_t interval, std::int64_t stale, double memory);

    // A tick stands on the grid of the clock, counted from the epoch, and fires when time passes it: what is stamped with
    // the tick itself, or earlier, and comes before that is in. A stretch without events has no ticks.
    bool due(std::int64_t ts) const noexcept { return s_.due != INT64_MIN && ts > s_.due; }
    std::int64_t tick() noexcept;  // fires the one that is due; returns its time

    // One event of one instrument, after the tick that it makes due. It has been checked and is in order for its engine.
    void apply(std::uint32_t i, const Event& e) noexcept;

    std::size_t size() const noexcept { return engines_.size(); }
    Engine& engine(std::size_t i) const noexcept { return *engines_[i]; }
    std::int64_t next() const noexcept { return s_.due; }
    std::int64_t last() const noexcept { return s_.last; }
    std::uint64_t ticks() const noexcept { return s_.ticks; }
    // When a tick would be due that an event at ts, with no tick waiting, belongs to.
    static std::int64_t due_after(std::int64_t ts, std::int64_t last, std::int64_t interval) noexcept {
        if (last != INT64_MIN && ts <= last) ts = last + 1;
        const std::int64_t rest = ts % interval;
        return rest == 0 ? ts : rest > 0 ? ts - rest + interval : ts - rest;
    }
    std::vector<Event>* log = nullptr;  // where what engines are told is written down, if anywhere
    std::int64_t interval() const noexcept { return interval_; }

    // All that is not in the engines, as bytes.
    std::string state() const;
    bool restore(std::string_view bytes) noexcept;  // false, changing nothing, if they are not this panel's

private:
    struct Member {
        Leg leg;
        double base = kNaN;                    // price at the last tick at which it had news
        double usual = 0, flows = 0;           // mean |flow| and of how many
        double variance = 0, returns = 0;      // mean squared return and of how many
        double axis = 0, trace = 0, turns = 0; // its part of the first component (CCIPCA), its own second moment, of how many
        double move = kNaN, flow = kNaN, z = kNaN;  // at this tick
    };
    struct State {
        std::int64_t due = INT64_MIN, last = INT64_MIN;
        std::uint64_t ticks = 0, begun = 0;
    };
    Peer peer(std::size_t i, std::int64_t ts) const noexcept;
    void measure(std::int64_t ts) noexcept;
    void rank() noexcept;
    void turn() noexcept;
    bool fresh(const Member& m, std::int64_t ts) const noexcept {
        return m.leg.updates > 0 && known(m.leg.price) && ts - m.leg.ts <= stale_;
    }

    std::vector<Engine*> engines_;
    std::vector<Member> members_;
    std::vector<std::uint32_t> order_;  // of instruments that moved, by their returns
    std::vector<double> ranks_;
    std::uint32_t reference_;
    std::int64_t interval_, stale_;
    double memory_;
    Basket basket_{};  // of all; what is each one's own is put in as it is sent
    double sum_ = 0, flow_ = 0, share_ = kNaN, score_ = kNaN, length_ = 0;
    std::uint32_t moved_ = 0, flowed_ = 0;
    State s_;
};

}  // namespace smartcore
