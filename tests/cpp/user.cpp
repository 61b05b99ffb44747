// Kernels of users' own: a C function in the place of compiled Python.
#include "features/user.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include "check.hpp"
#include "engine/engine.hpp"
#include "features/catalogue.hpp"

using namespace smartcore;

namespace {

struct State {
    double sum, seen;
};

// Two columns: closes so far, and their number; the third bar says nothing. It spoils the bar that it is given.
std::int32_t on_bar(std::byte* state, void* event, void* book, double* out) {
    CHECK(book == nullptr);
    auto& s = *reinterpret_cast<State*>(state);
    auto& bar = *static_cast<Bar*>(event);
    s.sum += bar.close;
    s.seen += 1;
    bar.close = -1;
    if (s.seen == 3) return 0;
    out[0] = s.sum, out[1] = s.seen;
    return 1;
}
std::int32_t on_trade(std::byte* state, void* event, void* book, double* out) {
    auto& s = *reinterpret_cast<State*>(state);
    s.seen += 100;
    out[0] = static_cast<Trade*>(event)->price - static_cast<Top*>(book)->bid[0], out[1] = s.seen;
    return 1;
}

std::uint32_t declared() {
    static const std::uint32_t number = [] {
        UserKernel kernel;
        kernel.outputs = 2;
        kernel.warmup = 1;
        const State start{1000, 0};
        kernel.state.resize(sizeof start);
        std::memcpy(kernel.state.data(), &start, sizeof start);
        kernel.codes[waking<Bar>] = {&on_bar, false, true};
        kernel.codes[waking<Trade>] = {&on_trade, true, true};
        return declare(std::move(kernel));
    }();
    return number;
}

std::vector<Event> bars(int n) {
    std::vector<Event> events;
    for (int i = 0; i < n; ++i) {
        Event e{};
        e.ts = i, e.kind = Type::bar;
        e.v[0] = e.v[1] = e.v[2] = e.v[3] = i + 1, e.v[4] = 1;
        events.push_back(e);
    }
    return events;
}

struct Rows {
    std::size_t width;
    std::vector<double> all;
    double* rows(const Event*, std::size_t n) {
        all.resize(all.size() + n * width);
        return all.data() + all.size() - n * width;
    }
    void operator()(std::int64_t) { CHECK(false); }
};

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

CASE(a_users_kernel_is_a_node_like_any_other) {
    const std::uint32_t number = declared();
    CHECK(number >= catalogue().size() && user_kernel(number)->warmup == 1 && user_kernel(0) == nullptr);
    std::uint32_t rsi = 0;
    while (catalogue()[rsi].kind->meta->name != "rsi") ++rsi;
    const std::vector<Column> columns{{number, {}, 1}, {rsi, {7}, 0}, {number, {}, 0}};
    const std::vector<Event> events = bars(300);
    Engine live(columns, BarClock()), history(columns, BarClock());
    Rows table{3, {}};
    history.run(std::span(events), Sample::bar, 0, table);
    double sum = 1000;
    for (std::size_t i = 0; i < events.size(); ++i) {
        live.step(events[i]);
        for (std::size_t k = 0; k < 3; ++k) CHECK(same(table.all[3 * i + k], live.row()[k]));
        sum += static_cast<double>(i + 1);
        if (i != 2) CHECK(live.row()[0] == static_cast<double>(i + 1) && live.row()[2] == sum);
        else CHECK(live.row()[0] == 2 && live.row()[2] == 1003);  // as they were
    }
    CHECK(live.row()[1] == 100);  // nobody else saw the spoilt bars
    CHECK(live.snapshot("") == history.snapshot(""));
    Engine restored(columns, BarClock());
    restored.restore(live.snapshot(""));
    Event next = bars(301).back();
    restored.step(next), live.step(next);
    CHECK(restored.snapshot("") == live.snapshot("") && restored.row()[0] == 301);
}

CASE(what_reads_the_book_waits_for_it) {
    Engine engine({{declared(), {}, 0}, {declared(), {}, 1}}, BarClock());
    Event trade{};
    trade.kind = Type::trade, trade.v[0] = 101, trade.v[1] = 1;
    engine.step(bars(1)[0]);
    CHECK(engine.row()[1] == 1);
    engine.step(trade);
    CHECK(std::isnan(engine.row()[0]) && std::isnan(engine.row()[1]));
    Event quote{};
    quote.kind = Type::quote, quote.v[0] = 99, quote.v[2] = 101;
    engine.step(quote);
    engine.step(trade);
    CHECK(engine.row()[0] == 2 && engine.row()[1] == 101);
}
