// What can be told of a feed from its events alone: has it fallen silent, does its price stand still, does it repeat itself?
#pragma once
#include <cstdint>
#include <cstring>

#include "base/number.hpp"
#include "market/event.hpp"

namespace smartcore {

class Feed {
public:
    // An event that was applied, and the price after it (NaN unknown).
    void take(const Event& e, double price) noexcept {
        if (e.ts != ts_) {
            if (e.ts > ts_ && ts_ != INT64_MIN) {
                const auto gap = static_cast<double>(e.ts - ts_);
                gaps_ += gaps_ < kUsual;
                usual_ += (gap - usual_) / gaps_;
                // Nobody traded: that the price stands still says nothing of the feed.
                if (e.kind == Type::bar && e.v[4] == 0 && moved_ != INT64_MIN) moved_ += e.ts - ts_;
            }
            ts_ = e.ts;
            kept_ = 0;  // times never go back, so equal bytes can only be among those of one time
        }
        if (price != price_ && price == price) price_ = price, moved_ = e.ts;
        const bool again = known(e);
        taken_ += taken_ < kLately;
        twice_ += ((again ? 1.0 : 0.0) - twice_) / taken_;
    }
    // Time since the last event, in usual times between events that are not simultaneous; NaN until these are known.
    double silence(std::int64_t now) const noexcept {
        return gaps_ < 16 || now < ts_ ? kNaN : static_cast<double>(now - ts_) / usual_;
    }
    // Seconds for which the price has stood still while events came, bars without volume aside; NaN without a price.
    double frozen() const noexcept { return moved_ == INT64_MIN ? kNaN : static_cast<double>(ts_ - moved_) * 1e-9; }
    // Share of the last events, faded over 64, that were equal to the byte to one of the eight before them; NaN of fewer than 64.
    double twice() const noexcept { return taken_ < kLately ? kNaN : twice_; }

private:
    bool known(const Event& e) noexcept {
        std::uint64_t words[8], h = 0;
        std::memcpy(words, &e, sizeof words);
        for (int i = 1; i < 8; ++i) h = (h ^ words[i]) * 0x9e3779b97f4a7c15ull, h ^= h >> 32;
        const std::uint32_t n = kept_ < 8 ? kept_ : 8;
        bool found = false;
        for (std::uint32_t i = 0; i < n; ++i) found |= recent_[i] == h;
        recent_[kept_++ % 8] = h;
        return found;
    }
    static constexpr double kUsual = 256, kLately = 64;
    std::int64_t ts_ = INT64_MIN, moved_ = INT64_MIN;
    double price_ = kNaN, usual_ = 0, gaps_ = 0, twice_ = 0, taken_ = 0;
    std::uint64_t recent_[8] = {};
    std::uint32_t kept_ = 0, unused_ = 0;
};

}  // namespace smartcore
