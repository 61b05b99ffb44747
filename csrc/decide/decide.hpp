// decide(): a row, what models said, the record so far and the circumstances in; a Decision out. Pure: no clock, no memory.
#pragma once
#include "decide/context.hpp"
#include "decide/inputs.hpp"
#include "decide/policy.hpp"
#include "decide/record.hpp"
#include "decide/scorecard.hpp"

namespace smartcore::decide {

// `card`: nullptr for no record. Whatever the market or a model may deliver is answered with a gate.
void decide(const double* row, const Inputs& inputs, const Given& given, const Scorecard* card, const Policy& policy,
            const Context& context, Decision& out) noexcept;

}  // namespace smartcore::decide
