// Where the loop leaves what a journal is written from. Neither waits nor allocates; what finds no room is dropped and counted.
#pragma once
#include <cstddef>

#include "decide/context.hpp"
#include "decide/record.hpp"
#include "decide/scorecard.hpp"
#include "market/event.hpp"

namespace smartcore {

class Recorder {
public:
    virtual ~Recorder() = default;
    // `card` is the one that decide() was given, `row` too; time that passes without an event, and a decision
    // that was asked for, are events of kind 0 (Loop::on takes them).
    virtual bool put(const decide::Decision& decision, const decide::Context& context, const decide::Given& given,
                     const decide::Scorecard& card, const double* row, std::size_t width) noexcept = 0;
    virtual void event(const Event& e) noexcept = 0;  // every event that the engine took, before it is applied
};

}  // namespace smartcore
