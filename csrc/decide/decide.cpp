#include "decide/decide.hpp"

#include <cstring>

namespace smartcore::decide {

void decide(const double*, const Inputs&, const Given&, const Scorecard*, const Policy&, const Context& context, Decision& out) noexcept {
    std::memset(static_cast<void*>(&out), 0, sizeof out);
    out.ts = context.ts, out.as_of = context.as_of, out.sequence = context.sequence, out.price = context.price;
    out.signal = Signal::hold;
}

}  // namespace smartcore::decide
