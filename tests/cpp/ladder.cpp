// One side of a book against std::map: any order of prices, thousands of levels, pages that split and vanish.
#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "check.hpp"
#include "market/ladder.hpp"

using namespace smartcore;

namespace {

struct Naive {
    int sign;
    std::map<double, double> levels{};  // by price * sign: the best last

    void set(double price, double size) {
        if (size == 0) levels.erase(price * sign);
        else levels[price * sign] = size;
    }
};

double best(const Ladder& ladder) {
    double price = 0;
    ladder.top(1, [&](std::uint32_t, const Level& l) { price = l.price; });
    return price;
}

void same(const Ladder& ladder, const Naive& naive, std::uint32_t n) {
    CHECK(ladder.size() == naive.levels.size() && ladder.empty() == naive.levels.empty());
    std::vector<Level> got;
    const std::uint32_t k = ladder.top(n, [&](std::uint32_t i, const Level& l) {
        CHECK(i == got.size());
        got.push_back(l);
    });
    CHECK(k == got.size() && k == std::min<std::size_t>(n, naive.levels.size()));
    auto it = naive.levels.rbegin();
    for (const Level& l : got) {
        CHECK(l.price * naive.sign == it->first && l.size == it->second);
        ++it;
    }
}

// What the book makes of the answer of `set` is tested with the book.
void set_both(Ladder& ladder, Naive& naive, double price, double size) {
    ladder.set(price, size);
    naive.set(price, size);
}

}  // namespace

CASE(ladder_at_random) {
    for (int sign : {1, -1}) {
        for (unsigned width : {5u, 70u, 500u, 6000u}) {
            for (double step : {1e-8, 0.1, 1.0, 1e6}) {
                std::mt19937 random(width);
                Ladder ladder(sign);
                Naive naive{sign};
                for (unsigned i = 0; i < 4 * std::min(width, 3000u); ++i) {
                    const double price = step * (1 + random() % width);
                    set_both(ladder, naive, price, random() % 3 == 0 ? 0 : 1 + random() % 3);
                    same(ladder, naive, 12);
                    if (i % 97 == 0) same(ladder, naive, 1u << 30);
                }
                same(ladder, naive, 1u << 30);
            }
        }
    }
}

CASE(ladder_filled_and_emptied_in_any_order) {
    constexpr int n = 3000;
    std::vector<int> up(n);
    for (int i = 0; i < n; ++i) up[i] = i + 1;
    std::vector<int> down(up.rbegin(), up.rend()), mixed = up;
    std::shuffle(mixed.begin(), mixed.end(), std::mt19937(1));
    const std::vector<int>* orders[] = {&up, &down, &mixed};
    for (int sign : {1, -1}) {
        for (auto* come : orders) {
            for (auto* go : orders) {
                Ladder ladder(sign);
                Naive naive{sign};
                for (int p : *come) set_both(ladder, naive, p, p);
                same(ladder, naive, n + 1);
                for (int p : *go) {
                    set_both(ladder, naive, p, 0);
                    if (p % 100 == 0) same(ladder, naive, n + 1);
                }
                same(ladder, naive, 10);
                CHECK(ladder.empty());
            }
        }
    }
}

CASE(ladder_copies_are_apart) {
    Ladder a(1);
    for (int i = 1; i <= 500; ++i) a.set(i, 1);
    Ladder b(a), c(1);
    c.set(7, 7);
    c = a;
    a.set(500, 0), b.set(501, 2);
    a.clear();
    CHECK(a.size() == 0 && b.size() == 501 && c.size() == 500 && best(b) == 501 && best(c) == 500);
    const Ladder& self = c;
    c = self;
    CHECK(c.size() == 500);
    for (int i = 1; i <= 700; ++i) a.set(i, 1);  // on recycled pages
    CHECK(a.size() == 700 && best(a) == 700);
}
