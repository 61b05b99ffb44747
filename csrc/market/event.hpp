// One thing that happened, in 64 bytes. The NumPy dtypes are made from these structs (bind/register_events.cpp).
#pragma once
#include <cmath>
#include <cstdint>

namespace smartcore {

enum class Type : std::uint8_t { bar = 1, trade, depth, quote, score, aux, gap };

inline constexpr std::uint8_t kLast = 1;      // closes a depth message
inline constexpr std::uint8_t kSnapshot = 2;  // first level of a snapshot: the book is emptied first

struct Event {
    std::int64_t ts;  // when it became known to us, ns UTC
    Type kind;
    std::int8_t side;  // trade: +1 the buyer was the aggressor, -1 the seller, 0 unknown; depth: +1 bid, -1 ask
    std::uint8_t flags, source;
    std::uint32_t instrument;
    double v[6];
};

struct Head {
    std::int64_t ts;
    Type kind;
    std::int8_t side;
    std::uint8_t flags, source;
    std::uint32_t instrument;
};
struct Bar : Head { double open, high, low, close, volume, turnover; };       // turnover 0: unknown
struct Trade : Head { double price, size, spare[4]; };
struct Depth : Head { double price, size, spare[4]; };                        // size: the level's new total, 0 removes it
struct Quote : Head { double bid, bid_size, ask, ask_size, spare[2]; };       // a size of 0: unknown
struct Score : Head { double value, weight, spare[4]; };
struct Aux : Head { double value, spare[5]; };

static_assert(sizeof(Event) == 64 && sizeof(Bar) == 64 && sizeof(Trade) == 64 && sizeof(Depth) == 64 &&
              sizeof(Quote) == 64 && sizeof(Score) == 64 && sizeof(Aux) == 64);

// What is wrong with an event, or nullptr. `field` and `value` then name the culprit.
struct Fault {
    const char* what = nullptr;
    const char* field = nullptr;
    double value = 0;
    explicit operator bool() const noexcept { return what != nullptr; }
};

namespace detail {
// Far beyond any market, and near enough to 1 that no product of two of them overflows.
inline bool positive(double x) noexcept { return x >= 1e-100 && x <= 1e100; }
inline bool size_ok(double x) noexcept { return x >= 0 && x <= 1e100; }
}  // namespace detail

inline Fault check_bar(double open, double high, double low, double close, double volume, double turnover) noexcept {
    using namespace detail;
    constexpr const char* price = "must be a price above 0";
    if (!positive(open)) return {price, "open", open};
    if (!positive(high)) return {price, "high", high};
    if (!positive(low)) return {price, "low", low};
    if (!positive(close)) return {price, "close", close};
    if (!size_ok(volume)) return {"must be a size of 0 or more", "volume", volume};
    if (!size_ok(turnover)) return {"must be a size of 0 or more", "turnover", turnover};
    if (high < low) return {"is below low", "high", high};
    if (open > high || open < low) return {"is outside low..high", "open", open};
    if (close > high || close < low) return {"is outside low..high", "close", close};
    return {};
}
inline Fault check_trade_side(std::int64_t side) noexcept {
    if (side < -1 || side > 1) return {"must be 1 (buyer), -1 (seller) or 0 (unknown)", "side", static_cast<double>(side)};
    return {};
}
inline Fault check_depth_side(std::int64_t side) noexcept {
    if (side != 1 && side != -1) return {"must be 1 (bid) or -1 (ask)", "side", static_cast<double>(side)};
    return {};
}
inline Fault check_trade(double price, double size, int side) noexcept {
    if (!detail::positive(price)) return {"must be a price above 0", "price", price};
    if (!detail::size_ok(size)) return {"must be a size of 0 or more", "size", size};
    return check_trade_side(side);
}
inline Fault check_depth(int side, double price, double size) noexcept {
    if (Fault fault = check_depth_side(side)) return fault;
    if (!detail::positive(price)) return {"must be a price above 0", "price", price};
    if (!detail::size_ok(size)) return {"must be a size of 0 or more", "size", size};
    return {};
}
inline Fault check_quote(double bid, double bid_size, double ask, double ask_size) noexcept {
    if (!detail::positive(bid)) return {"must be a price above 0", "bid", bid};
    if (!detail::positive(ask)) return {"must be a price above 0", "ask", ask};
    if (!detail::size_ok(bid_size)) return {"must be a size of 0 or more", "bid_size", bid_size};
    if (!detail::size_ok(ask_size)) return {"must be a size of 0 or more", "ask_size", ask_size};
    return {};
}
// Within 146 years of 1970, so that differences of times cannot overflow.
inline Fault check_ts(std::int64_t ts) noexcept {
    constexpr std::int64_t limit = std::int64_t{1} << 62;
    if (ts < -limit || ts > limit) return {"is no time in ns UTC", "ts", static_cast<double>(ts)};
    return {};
}
inline Fault check(const Event& e) noexcept {
    if (Fault fault = check_ts(e.ts)) return fault;
    const double* v = e.v;
    switch (e.kind) {
        case Type::bar: return check_bar(v[0], v[1], v[2], v[3], v[4], v[5]);
        case Type::trade: return check_trade(v[0], v[1], e.side);
        case Type::depth: return check_depth(e.side, v[0], v[1]);
        case Type::quote: return check_quote(v[0], v[1], v[2], v[3]);
        case Type::score:
            if (!std::isfinite(v[0])) return {"must be finite", "value", v[0]};
            if (!detail::size_ok(v[1])) return {"must be a size of 0 or more", "weight", v[1]};
            return {};
        case Type::aux:
            if (!std::isfinite(v[0])) return {"must be finite", "value", v[0]};
            return {};
        case Type::gap: return {};
    }
    return {"is none of the kinds of event", "kind", static_cast<double>(e.kind)};
}

}  // namespace smartcore
