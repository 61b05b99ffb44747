// A model as the loop sees it: a row in, three probabilities out. It may be ONNX Runtime by its C interface, or a Python object.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace smartcore {

enum class Said : std::uint8_t { yes, nothing, failed };  // nothing: not warm yet, or too few columns known

class Speaker {
public:
    virtual ~Speaker() = default;
    // One row. `to` is (down, flat, up); `novelty` how unlike its training inputs the row is (1: as far as 99 % of them), NaN unknown.
    // Never throws: what goes wrong is `failed`, and the state is then as before the step.
    virtual Said step(const double* row, double (&to)[3], double& novelty) noexcept = 0;
    virtual std::string snapshot() const = 0;  // state only; empty where there is none
    virtual void restore(std::string_view blob) = 0;
    virtual void rehearse() noexcept {}  // a pause: bring what a step needs back into the caches, and change nothing
};

}  // namespace smartcore
