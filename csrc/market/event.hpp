// One thing that happened, in 64 bytes. The NumPy dtypes are made from these structs (bind/register_events.cpp).
#pragma once
#include <cmath>
#include <cstdint>

namespace smartcore {

enum class Type : std::uint8_t { bar = 1, trade, depth, quote, score, aux, gap, peer, basket, factor };
inline constexpr std::size_t kTypes = 11;  // and nothing

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
struct Score : Head { double value, weight, spare[4]; };                      // of a text; `source`: whose (series.hpp)
struct Aux : Head { double value, spare[5]; };                                // of a series; `source`: which (series.hpp)
// What a panel tells an engine of the other instruments, at a tick of the panel's clock (engine/panel.hpp). NaN: not known.
//
// Another leg: its price (NaN: missing, or stale), then of the time since the last Peer its volume, volume signed by the
// aggressor and order flow; seconds since its last event; how many events it had since the last Peer.
struct Peer : Head { double price, volume, net, flow, age, updates; };
// All legs that had news since the last tick: mean log return and mean flow (in usual sizes) of the others, standard deviation
// of all returns, rank of this one's (0 lowest .. 1), share that rose less share that fell; share of all that had news.
struct Basket : Head { double mean, dispersion, rank, breadth, flow, fresh; };
// First principal component of the legs' returns, each in its own usual deviations: its share of their variance, the loading
// of this leg (1 where all are alike), and its return at this tick, which is theirs weighted by loading.
struct Factor : Head { double share, loading, score, spare[3]; };

static_assert(sizeof(Event) == 64 && sizeof(Bar) == 64 && sizeof(Trade) == 64 && sizeof(Depth) == 64 &&
              sizeof(Quote) == 64 && sizeof(Score) == 64 && sizeof(Aux) == 64 && sizeof(Peer) == 64 && sizeof(Basket) == 64 &&
              sizeof(Factor) == 64);

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
inline bool known_within(double x, double low, double high) noexcept { return std::isnan(x) || (x >= low && x <= high); }
inline bool number_ok(double x) noexcept { return x >= -1e100 && x <= 1e100; }
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
inline Fault check_score(double value, double weight) noexcept {
    if (!detail::number_ok(value)) return {"must be a finite number", "value", value};
    if (!detail::size_ok(weight)) return {"must be a size of 0 or more", "weight", weight};
    return {};
}
inline Fault check_aux(double value) noexcept {
    if (!detail::number_ok(value)) return {"must be a finite number", "value", value};
    return {};
}
inline Fault check_peer(const double (&v)[6]) noexcept {
    if (!detail::positive(v[0]) && !std::isnan(v[0])) return {"must be a price above 0, or NaN", "price", v[0]};
    if (!detail::size_ok(v[1])) return {"must be a size of 0 or more", "volume", v[1]};
    if (!detail::number_ok(v[2])) return {"must be a finite number", "net", v[2]};
    if (!detail::number_ok(v[3])) return {"must be a finite number", "flow", v[3]};
    if (!detail::size_ok(v[4]) && !std::isnan(v[4])) return {"must be 0 seconds or more, or NaN", "age", v[4]};
    if (!detail::size_ok(v[5])) return {"must be a count of 0 or more", "updates", v[5]};
    return {};
}
inline Fault check_basket(const double (&v)[6]) noexcept {
    using detail::known_within;
    if (!known_within(v[0], -1e3, 1e3)) return {"must be a log return, or NaN", "mean", v[0]};
    if (!known_within(v[1], 0, 1e3)) return {"must be 0 or more, or NaN", "dispersion", v[1]};
    if (!known_within(v[2], 0, 1)) return {"must be within 0..1, or NaN", "rank", v[2]};
    if (!known_within(v[3], -1, 1)) return {"must be within -1..1, or NaN", "breadth", v[3]};
    if (!known_within(v[4], -1e100, 1e100)) return {"must be a finite number, or NaN", "flow", v[4]};
    if (!(v[5] >= 0 && v[5] <= 1)) return {"must be within 0..1", "fresh", v[5]};
    return {};
}
inline Fault check_factor(double share, double loading, double score) noexcept {
    using detail::known_within;
    if (!known_within(share, 0, 1)) return {"must be within 0..1, or NaN", "share", share};
    if (!known_within(loading, -1e6, 1e6)) return {"must be a finite number, or NaN", "loading", loading};
    if (!known_within(score, -1e100, 1e100)) return {"must be a finite number, or NaN", "score", score};
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
        case Type::score: return check_score(v[0], v[1]);
        case Type::aux: return check_aux(v[0]);
        case Type::gap: return {};
        case Type::peer: return check_peer(e.v);
        case Type::basket: return check_basket(e.v);
        case Type::factor: return check_factor(v[0], v[1], v[2]);
    }
    return {"is none of the kinds of event", "kind", static_cast<double>(e.kind)};
}

}  // namespace smartcore
