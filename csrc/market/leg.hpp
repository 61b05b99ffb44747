// One instrument as others see it at the ticks of a clock: its price, and what it traded since the last tick.
#pragma once
#include "base/number.hpp"
#include "market/book.hpp"
#include "market/event.hpp"
#include "market/tick_rule.hpp"

namespace smartcore {

struct Leg {
    // The mid while there is a valid book, else the last trade or close. Volume is that of the trades where trades are fed,
    // else of the bars, of which the share (close - open) / (high - low) is taken for net buying. Order flow is the
    // order-flow imbalance of the best level (Cont, Kukanov, Stoikov 2014) where there is a book, else net volume.
    void bar(const Bar& b) noexcept {
        if (traded) return;  // its bars say again what its trades said
        if (!valid) price = b.close;
        const double signed_volume = b.high > b.low ? b.volume * ((b.close - b.open) / (b.high - b.low)) : 0;
        volume += b.volume;
        net += signed_volume;
        if (!booked) flow += signed_volume;
        told(b.ts);
    }
    void trade(const Trade& t) noexcept {
        traded = true;
        if (!valid) price = t.price;
        const double signed_size = rule.next(t) * t.size;
        volume += t.size;
        net += signed_size;
        if (!booked) flow += signed_size;
        told(t.ts);
    }
    void top(const Top& t) noexcept {
        booked = true;
        if (t.valid && valid && !t.fresh)
            flow += where(t.bid[0] >= bid, t.bid_size[0]) - where(t.bid[0] <= bid, bid_size) -
                    where(t.ask[0] <= ask, t.ask_size[0]) + where(t.ask[0] >= ask, ask_size);
        valid = t.valid;
        if (!valid) return;
        bid = t.bid[0], bid_size = t.bid_size[0], ask = t.ask[0], ask_size = t.ask_size[0];
        price = t.mid();
        told(t.ts);
    }
    void take() noexcept { volume = net = flow = updates = 0; }  // a tick: what comes now is for the next one

    double price = kNaN, volume = 0, net = 0, flow = 0, updates = 0;
    double seen = 0;  // updates since it began
    std::int64_t ts = INT64_MIN;

private:
    void told(std::int64_t at) noexcept { ts = at, updates += 1, seen += 1; }

    TickRule rule;
    double bid = 0, bid_size = 0, ask = 0, ask_size = 0;
    std::uint32_t traded = false, booked = false, valid = false;
    [[maybe_unused]] std::uint32_t unused = 0;  // no padding: equal states are equal bytes
};

}  // namespace smartcore
