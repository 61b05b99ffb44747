// Bars from trades: by time, trades, volume, dollars or tick imbalance (Lopez de Prado 2018, chapter 2).
#pragma once
#include <algorithm>
#include <cstdint>

#include "market/event.hpp"

namespace smartcore {

class BarClock {
public:
    enum class By : std::uint8_t { none, time, trades, volume, dollars, imbalance };

    BarClock() = default;
    // A bar is full a hair early: decimal sizes add up to less than their sum (ten times 0.1 to 0.9999999999999999).
    BarClock(By by, double amount) noexcept
        : by_(by), amount_(amount * (1 - 1e-10)), step_(static_cast<std::int64_t>(amount)) {}

    By by() const noexcept { return by_; }

    // Time bars: does a bar end at or before this moment? Asked before the event is applied. The bar is stamped with its
    // end. An interval without trades gives no bar.
    bool due(std::int64_t ts) const noexcept { return open_ && by_ == By::time && ts >= end_; }
    Bar close_due() noexcept {
        open_ = false;
        bar_.ts = end_;
        return bar_;
    }

    // Takes a trade; true when it completes a bar (never for time bars), which is then `bar()`.
    bool push(const Trade& t, int sign) noexcept {
        if (!open_) {
            open_ = true;
            bar_ = Bar{};
            bar_.kind = Type::bar;
            bar_.instrument = t.instrument;
            bar_.open = bar_.high = bar_.low = t.price;
            done_ = 0;
            if (by_ == By::time) end_ = (t.ts >= 0 ? t.ts / step_ : (t.ts - step_ + 1) / step_) * step_ + step_;
        }
        bar_.high = std::max(bar_.high, t.price);
        bar_.low = std::min(bar_.low, t.price);
        bar_.close = t.price;
        bar_.volume += t.size;
        bar_.turnover += t.size * t.price;
        switch (by_) {
            case By::trades: done_ += 1; break;
            case By::volume: done_ = bar_.volume; break;
            case By::dollars: done_ = bar_.turnover; break;
            case By::imbalance: done_ += sign; break;
            default: return false;
        }
        if ((done_ < 0 ? -done_ : done_) < amount_) return false;
        open_ = false;
        bar_.ts = t.ts;
        return true;
    }
    const Bar& bar() const noexcept { return bar_; }

private:
    By by_ = By::none;
    bool open_ = false;
    [[maybe_unused]] std::uint8_t unused_[6] = {};  // no padding: equal states are equal bytes
    double amount_ = 0, done_ = 0;
    std::int64_t step_ = 0, end_ = 0;
    Bar bar_{};
};

}  // namespace smartcore
