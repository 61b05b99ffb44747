// A slow scale of returns that a bad print hardly moves, and returns in units of it.
#pragma once
#include "features/parts.hpp"

namespace smartcore {

// Returns in units of a slow scale that was known before them. The scale is the power mean of exponent 1/2, over the root
// of its value for a normal distribution: as long a memory as a deviation over the window, but one print of 16 (a price of
// 1e9) among 500 returns of 0.001 moves it by a quarter, where it would make the deviation 700 times as large.
struct Standardised {
    static constexpr double kNormal = 0.675978240067284727;  // (E sqrt|z|)^2 of a normal z
    static constexpr double kMost = 20;
    struct Told {
        double z, scale;  // scale: with the return itself, that of the next
    };
    struct Root {
        explicit Root(Graph& g) : r(g.part<LogReturn>()) {}
        void update(const Bar&, In in, Out out) const noexcept { out[0] = std::sqrt(std::fabs(in(r))); }
        Ref<LogReturn> r;
    };
    Standardised(Graph& g, double n) : inverse(1 / n), r(g.part<LogReturn>()), window(g.part<Window<Root, Sum>>(n)) {}
    void update(const Bar&, In in, Out out) noexcept {
        const double x = in(r), mean = in(window).sum * inverse;
        if (known(scale)) out[0] = x == 0 ? 0 : not_below(not_above(x / scale, kMost), -kMost);
        out[1] = scale = mean * mean / kNormal;
    }
    double inverse;
    Ref<LogReturn> r;
    Ref<Window<Root, Sum>> window;
    double scale = kNaN;
};

}  // namespace smartcore
