// How long things take, in a histogram of fixed size. The bins are those of HdrHistogram: 64 to an octave, so a quantile is right to
// 0.8 % whatever the range. smartcore.bot.latency.Latency reads it in place.
#pragma once
#include <bit>
#include <cstdint>

namespace smartcore {

struct Latency {
    static constexpr int kBits = 6, kOctaves = 31;
    static constexpr std::int64_t kMost = (std::int64_t{1} << (kOctaves + kBits)) - 1;  // longer ones (137 s) count as this long

    std::int64_t count = 0, total = 0, most = 0, least = kMost;
    std::int64_t bins[(std::size_t{1} << kBits) * (kOctaves + 1)] = {};

    void record(std::int64_t ns) noexcept {
        if (ns > most) most = ns;
        if (ns < least) least = ns > 0 ? ns : 0;
        ++bins[bin(ns)];
        ++count;
        total += ns;
    }
    static std::size_t bin(std::int64_t ns) noexcept {
        if (ns < (1 << kBits)) return ns > 0 ? static_cast<std::size_t>(ns) : 0;
        if (ns > kMost) ns = kMost;
        const int shift = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(ns))) - kBits - 1;
        return (static_cast<std::size_t>(shift) << kBits) + static_cast<std::size_t>(ns >> shift);
    }
};

}  // namespace smartcore
