// The thin loop of one instrument: events to the engine, models on their clocks, a decision when one is due, outcomes into the
// scorecard. Live, replay and the native lane are this one class.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "bot/recorder.hpp"
#include "models/speaker.hpp"
#include "decide/decide.hpp"
#include "engine/engine.hpp"

namespace smartcore {

class Loop {
public:
    // What is wrong with an event, before anything is changed by it; and whether it comes too late.
    Fault refuse(const Event& e) const noexcept;
    // One event that was not refused. `arrived`: monotonic ns. True where a decision was made: see decision().
    bool on(const Event& e, std::int64_t arrived) noexcept;
    bool advance(std::int64_t ts, std::int64_t arrived) noexcept;  // time passes without an event
    const decide::Decision& decision() const noexcept;
    const decide::Scorecard& scorecard() const noexcept;
    void record(Recorder* recorder) noexcept;                      // nullptr: none
    std::string snapshot() const;                                  // engine, models, clocks, pending outcomes, scorecard
    void restore(std::string_view blob);                           // throws std::invalid_argument, changing nothing
};

}  // namespace smartcore
