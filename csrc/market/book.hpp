// The order book of one instrument (L2), and its best levels laid out for features.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>

#include "base/number.hpp"
#include "market/event.hpp"
#include "market/ladder.hpp"

namespace smartcore {

inline constexpr std::uint32_t kDepth = 10;

// The best levels as features see them: after a whole depth message, or after a quote where there is no depth.
// Levels that do not exist have price NaN and size 0.
struct Top {
    std::int64_t ts = 0;
    std::uint32_t bids = 0, asks = 0;  // how many of the levels exist
    bool fresh = true;                 // nothing before this is comparable: first message, or a snapshot
    bool valid = false;                // both sides exist and the sequence is whole
    std::uint8_t unused[6] = {};       // no padding: equal states are equal bytes
    double bid[kDepth], bid_size[kDepth], ask[kDepth], ask_size[kDepth];

    Top() noexcept {
        for (std::uint32_t i = 0; i < kDepth; ++i) bid[i] = ask[i] = kNaN, bid_size[i] = ask_size[i] = 0;
    }
    double mid() const noexcept { return 0.5 * (bid[0] + ask[0]); }
};

class Book {
public:
    // One level of a message. The best levels (`top`) follow when the message closes.
    void apply(const Depth& d) {
        if (d.flags & kSnapshot) {
            bids_.clear();
            asks_.clear();
            s_.stale = false;
            s_.snapshot = s_.dirty[0] = s_.dirty[1] = true;
        }
        if (!s_.deep) s_.deep = s_.snapshot = s_.dirty[0] = s_.dirty[1] = true;  // nothing of the quotes so far remains
        const int side = d.side < 0;
        const Ladder::Change change = (side ? asks_ : bids_).set(d.price, d.size);
        if (change.better >= kDepth || change.what == Ladder::Change::nothing) return;
        if (change.what == Ladder::Change::moved) s_.dirty[side] = true;
        else (side ? s_.top.ask_size : s_.top.bid_size)[change.better] = d.size;
    }
    const Top& close(std::int64_t ts) {
        if (s_.dirty[0]) s_.top.bids = fill(bids_, s_.top.bid, s_.top.bid_size);
        if (s_.dirty[1]) s_.top.asks = fill(asks_, s_.top.ask, s_.top.ask_size);
        s_.dirty[0] = s_.dirty[1] = false;
        return settle(ts);
    }
    // Best bid and ask. They are the book where no depth was ever seen; beside depth they are only remembered.
    bool quote(const Quote& q) noexcept {
        s_.quote = q;
        if (s_.deep) return false;
        Top& t = s_.top;
        t.bid[0] = q.bid, t.bid_size[0] = q.bid_size, t.ask[0] = q.ask, t.ask_size[0] = q.ask_size;
        t.bids = t.asks = 1;
        settle(q.ts);
        return true;
    }
    // The depth sequence broke: nothing is known until the next snapshot.
    const Top& gap(std::int64_t ts) noexcept {
        if (s_.deep) s_.stale = true, s_.top.valid = false;
        s_.top.ts = ts;
        return s_.top;
    }

    const Top& top() const noexcept { return s_.top; }
    const Ladder& bids() const noexcept { return bids_; }
    const Ladder& asks() const noexcept { return asks_; }
    const Quote& last_quote() const noexcept { return s_.quote; }
    bool stale() const noexcept { return s_.stale; }
    bool deep() const noexcept { return s_.deep; }
    bool crossed() const noexcept { return s_.top.bids > 0 && s_.top.asks > 0 && s_.top.bid[0] >= s_.top.ask[0]; }
    std::uint64_t crossings() const noexcept { return s_.crossings; }  // messages that left bid >= ask

    // All that is not in the ladders, as bytes.
    struct State {
        Top top;
        Quote quote{};
        std::uint64_t crossings = 0;
        bool deep = false, stale = false, snapshot = false, dirty[2] = {false, false};
        std::uint8_t unused[3] = {};
    };
    const State& state() const noexcept { return s_; }
    void restore(const State& s, std::span<const Level> bids, std::span<const Level> asks) {
        bids_.clear();
        asks_.clear();
        for (const Level& l : bids) bids_.set(l.price, l.size);
        for (const Level& l : asks) asks_.set(l.price, l.size);
        std::memcpy(static_cast<void*>(&s_), &s, sizeof s);
    }

private:
    static std::uint32_t fill(const Ladder& side, double* price, double* size) {
        std::uint32_t n = side.top(kDepth, [&](std::uint32_t i, const Level& l) { price[i] = l.price, size[i] = l.size; });
        for (std::uint32_t i = n; i < kDepth; ++i) price[i] = kNaN, size[i] = 0;
        return n;
    }
    const Top& settle(std::int64_t ts) noexcept {
        Top& t = s_.top;
        const bool valid = !s_.stale && t.bids > 0 && t.asks > 0;
        t.fresh = s_.snapshot || !t.valid;
        t.ts = ts;
        t.valid = valid;
        if (valid) s_.snapshot = false;
        s_.crossings += crossed();
        return t;
    }

    Ladder bids_{+1}, asks_{-1};
    State s_;
};

}  // namespace smartcore
