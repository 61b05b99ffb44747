// The book: messages, snapshots, gaps and quotes, against maps that are read anew.
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "check.hpp"
#include "market/book.hpp"

using namespace smartcore;

namespace {

Depth depth(std::int64_t ts, int side, double price, double size, unsigned flags) {
    Depth d{};
    d.ts = ts, d.kind = Type::depth, d.side = static_cast<std::int8_t>(side), d.flags = static_cast<std::uint8_t>(flags);
    d.price = price, d.size = size;
    return d;
}
Quote quote(std::int64_t ts, double bid, double ask) {
    Quote q{};
    q.ts = ts, q.kind = Type::quote, q.bid = bid, q.bid_size = 1, q.ask = ask, q.ask_size = 2;
    return q;
}

struct Naive {
    std::map<double, double, std::greater<>> bids{};
    std::map<double, double> asks{};
};

template <class Side>
void same_side(const double* price, const double* size, std::uint32_t n, const Side& side) {
    CHECK(n == std::min<std::size_t>(kDepth, side.size()));
    auto it = side.begin();
    for (std::uint32_t i = 0; i < kDepth; ++i) {
        if (i >= n) {
            CHECK(std::isnan(price[i]) && size[i] == 0);
            continue;
        }
        CHECK(price[i] == it->first && size[i] == it->second);
        ++it;
    }
}

}  // namespace

CASE(book_top_follows_each_message) {
    std::mt19937 random(3);
    Book book;
    Naive naive;
    bool stale = false, fresh = true, was_valid = false;
    std::uint64_t crossings = 0;
    for (int i = 0; i < 30'000; ++i) {
        if (i > 100 && random() % 50 == 0) {
            book.gap(i);
            stale = true;
            CHECK(book.stale() && !book.top().valid);
            was_valid = false;
            continue;
        }
        const int levels = 1 + static_cast<int>(random() % 4);
        const bool snapshot = random() % 40 == 0;
        for (int k = 0; k < levels; ++k) {
            const int side = random() % 2 ? 1 : -1;
            const double price = 1000 - side * (static_cast<int>(random() % 40) - 1), size = random() % 3;
            if (snapshot && k == 0) naive.bids.clear(), naive.asks.clear(), stale = false, fresh = true;
            if (size == 0) side > 0 ? naive.bids.erase(price) : naive.asks.erase(price);
            else if (side > 0) naive.bids[price] = size;
            else naive.asks[price] = size;
            const double before = book.top().bid[0];
            book.apply(depth(i, side, price, size, snapshot && k == 0 ? kSnapshot : 0));
            CHECK(before == book.top().bid[0] || std::isnan(before));  // nothing is seen before the message closes
        }
        const Top& top = book.close(i);
        same_side(top.bid, top.bid_size, top.bids, naive.bids);
        same_side(top.ask, top.ask_size, top.asks, naive.asks);
        const bool valid = !stale && !naive.bids.empty() && !naive.asks.empty();
        CHECK(top.ts == i && top.valid == valid && book.stale() == stale);
        CHECK(top.fresh == (fresh || !was_valid));
        was_valid = valid;
        if (valid) fresh = false;
        const bool crossed = !naive.bids.empty() && !naive.asks.empty() && naive.bids.begin()->first >= naive.asks.begin()->first;
        crossings += crossed;
        CHECK(book.crossed() == crossed && book.crossings() == crossings);
    }
    CHECK(crossings > 100);
}

CASE(book_of_quotes_gives_way_to_depth) {
    Book book;
    CHECK(book.quote(quote(1, 99, 101)) && book.top().valid && book.top().fresh && !book.deep());
    CHECK(book.quote(quote(2, 99, 100)) && !book.top().fresh && book.top().mid() == 99.5);
    book.gap(3);
    CHECK(!book.stale() && book.top().valid);
    book.apply(depth(4, 1, 90, 1, 0));
    const Top& top = book.close(4);
    CHECK(top.bid[0] == 90 && std::isnan(top.ask[0]) && top.ask_size[0] == 0 && top.asks == 0 && !top.valid);
    book.apply(depth(5, -1, 95, 1, 0));
    CHECK(book.close(5).valid && book.top().fresh);
    CHECK(!book.quote(quote(6, 99, 100)) && book.top().bid[0] == 90 && book.last_quote().bid == 99);
}

CASE(book_restored_goes_on_alike) {
    std::mt19937 random(5);
    Book a;
    for (int i = 0; i < 2000; ++i) {
        const int side = random() % 2 ? 1 : -1;
        a.apply(depth(i, side, 5000 - side * static_cast<int>(random() % 800), random() % 3, 0));
        if (i % 3 == 0) a.close(i);
    }
    std::vector<Level> bids, asks;
    a.bids().top(1u << 20, [&](std::uint32_t, const Level& l) { bids.push_back(l); });
    a.asks().top(1u << 20, [&](std::uint32_t, const Level& l) { asks.push_back(l); });
    Book b;
    b.apply(depth(1, 1, 1, 1, 0));
    b.restore(a.state(), bids, asks);
    for (int i = 2000; i < 4000; ++i) {
        const int side = random() % 2 ? 1 : -1;
        const Depth d = depth(i, side, 5000 - side * static_cast<int>(random() % 800), random() % 3, i % 500 ? 0 : kSnapshot);
        a.apply(d), b.apply(d);
        const Top &x = a.close(i), &y = b.close(i);
        CHECK(std::memcmp(&x, &y, sizeof x) == 0);
    }
}
