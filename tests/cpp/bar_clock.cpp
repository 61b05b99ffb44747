#include <cstdint>

#include "check.hpp"
#include "market/bar_clock.hpp"

using namespace smartcore;
using By = BarClock::By;

namespace {
Trade trade(std::int64_t ts, double price, double size) {
    Trade t{};
    t.ts = ts, t.kind = Type::trade, t.price = price, t.size = size;
    return t;
}
}  // namespace

CASE(time_bars_end_on_the_grid) {
    BarClock clock(By::time, 1e9);
    CHECK(!clock.due(5));
    CHECK(!clock.push(trade(1'500'000'000, 10, 1), 1));
    CHECK(!clock.push(trade(1'999'999'999, 12, 2), 1));
    CHECK(!clock.due(1'999'999'999) && clock.due(2'000'000'000));
    const Bar bar = clock.close_due();
    CHECK(bar.ts == 2'000'000'000 && bar.kind == Type::bar);
    CHECK(bar.open == 10 && bar.high == 12 && bar.low == 10 && bar.close == 12 && bar.volume == 3 && bar.turnover == 34);
    CHECK(!clock.due(INT64_MAX));  // nothing is open
    CHECK(!clock.push(trade(-1, 5, 1), 1));
    CHECK(!clock.due(-1) && clock.due(0));
    CHECK(clock.close_due().ts == 0);
    clock.push(trade(-1'000'000'000, 5, 1), 1);  // on the grid: the interval it begins
    CHECK(!clock.due(-1) && clock.due(0));
}

CASE(bars_by_count_volume_dollars_and_imbalance) {
    const struct {
        By by;
        double amount;
        int trades;  // of 0.1 at 100, all buys: how many fill a bar
    } rules[] = {{By::trades, 7, 7}, {By::trades, 6.5, 7}, {By::volume, 1, 10}, {By::volume, 0.25, 3},
                 {By::dollars, 100, 10}, {By::imbalance, 4, 4}};
    for (const auto& rule : rules) {
        BarClock clock(rule.by, rule.amount);
        for (int i = 1; i <= 50; ++i) {
            const bool closes = clock.push(trade(i, 100, 0.1), 1);
            CHECK(closes == (i % rule.trades == 0));
            if (closes) CHECK(clock.bar().ts == i);
        }
    }
}

CASE(imbalance_of_both_signs) {
    BarClock clock(By::imbalance, 2);
    const int signs[] = {1, -1, -1, 0, -1, 1, 1};
    const bool closes[] = {false, false, false, false, true, false, true};
    for (int i = 0; i < 7; ++i) CHECK(clock.push(trade(i, 100, 1), signs[i]) == closes[i]);
}

CASE(no_clock_makes_no_bars) {
    BarClock clock;
    CHECK(clock.by() == By::none && !clock.due(INT64_MAX) && !clock.push(trade(1, 1, 1), 1) && !clock.due(INT64_MAX));
}
