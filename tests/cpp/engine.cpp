// Plan and engine with every kernel of the catalogue: history is the live step, and a snapshot is all there is.
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "engine/engine.hpp"
#include "features/catalogue.hpp"

using namespace smartcore;

namespace {

// All outputs of all kernels, with the parameters of their defaults.
std::vector<Column> everything() {
    std::vector<Column> columns;
    for (std::uint32_t kind = 0; kind < catalogue().size(); ++kind) {
        const Meta& meta = *catalogue()[kind].kind->meta;
        const std::size_t sets = meta.params.size() ? meta.defaults.size() : 1;
        for (std::size_t s = 0; s < sets; ++s) {
            std::vector<double> params;
            if (meta.params.size()) params.assign(meta.defaults[s].begin(), meta.defaults[s].end());
            for (std::uint32_t o = 0; o < meta.outputs.size(); ++o) columns.push_back({kind, params, o});
        }
    }
    return columns;
}

// A book of few levels with gaps, snapshots, crossings and half messages; trades, bars, quotes, scores; equal times.
std::vector<Event> stream(unsigned seed, int n, bool bars) {
    std::mt19937 random(seed);
    std::vector<Event> events;
    std::int64_t ts = 1'700'000'000'000'000'000;
    double price = 100;
    for (int i = 0; i < n; ++i) {
        ts += static_cast<std::int64_t>(random() % 4) * 40'000'000;
        price *= 1 + 0.001 * (static_cast<int>(random() % 21) - 10);
        Event e{};
        e.ts = ts;
        const unsigned what = random() % 100;
        if (what < 50) {
            e.kind = Type::depth;
            e.side = random() % 2 ? 1 : -1;
            e.flags = (random() % 3 ? kLast : 0) | (random() % 200 ? 0 : kSnapshot);
            e.v[0] = 100 - e.side * 0.5 * (static_cast<int>(random() % 12) - 1), e.v[1] = random() % 3;
        } else if (what < 75) {
            e.kind = Type::trade;
            e.side = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
            e.v[0] = price, e.v[1] = 0.1 * (random() % 30);
        } else if (what < 95 && bars) {
            e.kind = Type::bar;
            e.v[0] = price, e.v[1] = price * 1.01, e.v[2] = price * 0.99, e.v[3] = price * (random() % 2 ? 1.005 : 0.995);
            e.v[4] = random() % 100, e.v[5] = random() % 2 ? e.v[4] * price : 0;
        } else if (what < 97) {
            e.kind = Type::quote;
            e.v[0] = 99, e.v[1] = 1, e.v[2] = 101, e.v[3] = 2;
        } else {
            constexpr Type others[] = {Type::score, Type::aux, Type::peer, Type::basket, Type::factor};
            e.kind = what == 97 ? Type::gap : others[random() % 5];
            e.source = random() % 3;
            e.v[0] = e.kind == Type::factor ? 0.5 : price;
            for (int k = 1; k < 6 && e.kind != Type::gap; ++k) e.v[k] = 0.01 * static_cast<double>(random() % 100);
        }
        CHECK(!smartcore::check(e));
        events.push_back(e);
    }
    return events;
}

bool equal(const double* a, const double* b, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
        if (std::memcmp(a + i, b + i, 8) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
    return true;
}

const struct {
    BarClock::By by;
    double amount;
} rules[] = {{BarClock::By::none, 0}, {BarClock::By::time, 1e9}, {BarClock::By::trades, 5}, {BarClock::By::volume, 4},
             {BarClock::By::dollars, 900}, {BarClock::By::imbalance, 2}};

// Calls it with every rule, and events that go with the rule.
template <class F>
void with_rules(int n, F&& f) {
    for (const auto& rule : rules) f(BarClock(rule.by, rule.amount), stream(7, n, rule.by == BarClock::By::none));
}

}  // namespace

CASE(run_is_the_step_in_a_loop) {
    const std::vector<Column> columns = everything();
    with_rules(3000, [&](BarClock clock, const std::vector<Event>& events) {
        Engine live(columns, clock), whole(columns, clock), chunks(columns, clock);
        std::vector<double> rows;
        for (const Event& e : events) {
            live.step(e);
            rows.insert(rows.end(), live.row(), live.row() + columns.size());
            for (std::size_t i = 0; i < columns.size(); ++i) CHECK(!std::isinf(live.row()[i]));
        }
        std::size_t n = 0;
        whole.run(events, Sample::event, 0, [&](std::int64_t ts) {
            CHECK(ts == events[n].ts && equal(whole.row(), rows.data() + n * columns.size(), columns.size()));
            ++n;
        });
        CHECK(n == events.size());
        for (std::size_t i = 0; i < events.size(); i += 13)
            chunks.run({events.data() + i, std::min<std::size_t>(13, events.size() - i)}, Sample::bar, 0, [](std::int64_t) {});
        CHECK(whole.snapshot("") == live.snapshot("") && chunks.snapshot("") == live.snapshot(""));
        CHECK(live.state().bars > 100);
    });
}

// Stretches of bars of every length, alone and between other events: what `run` does in blocks is the live step.
CASE(a_block_of_bars_is_the_step_in_a_loop) {
    const std::vector<Column> columns = everything();
    const std::size_t width = columns.size();
    std::vector<Event> events, bars, others;
    for (const Event& e : stream(21, 6000, true)) (e.kind == Type::bar ? bars : others).push_back(e);
    std::mt19937 random(23);
    for (std::size_t b = 0, o = 0; b < bars.size();) {
        for (std::size_t n = random() % 4 ? random() % 9 : 60 + random() % 140; n > 0 && b < bars.size(); --n) events.push_back(bars[b++]);
        for (std::size_t n = random() % 40; n > 0 && o < others.size(); --n) events.push_back(others[o++]);
    }
    for (std::size_t i = 0; i < events.size(); ++i) events[i].ts = bars[0].ts + static_cast<std::int64_t>(i) * 50'000'000;
    struct Table {
        const double* row;
        std::size_t width;
        std::vector<double> values{};
        std::vector<std::int64_t> ts{};
        double* rows(const Event* e, std::size_t n) {
            for (std::size_t i = 0; i < n; ++i) ts.push_back(e[i].ts);
            values.resize(values.size() + n * width);
            return values.data() + values.size() - n * width;
        }
        void operator()(std::int64_t at) {
            ts.push_back(at);
            values.insert(values.end(), row, row + width);
        }
    };
    for (const Sample sample : {Sample::bar, Sample::event}) {
        Engine live(columns, BarClock()), history(columns, BarClock());
        Table table{history.row(), width};
        for (std::size_t i = 0, n; i < events.size(); i += n) {
            n = std::min<std::size_t>(1 + random() % 300, events.size() - i);
            Table wanted{live.row(), width};
            for (std::size_t k = i; k < i + n; ++k) {
                live.step(events[k]);
                if (sample == Sample::event || events[k].kind == Type::bar) wanted(events[k].ts);
            }
            table.values.clear(), table.ts.clear();
            history.run({events.data() + i, n}, sample, 0, table);
            CHECK(table.ts == wanted.ts && equal(table.values.data(), wanted.values.data(), wanted.values.size()));
            CHECK(history.snapshot("") == live.snapshot(""));
        }
        CHECK(live.state().bars == bars.size());
    }
}

CASE(a_snapshot_is_all_there_is) {
    const std::vector<Column> columns = everything();
    with_rules(1500, [&](BarClock clock, const std::vector<Event>& events) {
        Engine whole(columns, clock);
        std::vector<std::string> at;
        for (std::size_t i = 0; i < events.size(); ++i) {
            if (i % 300 == 0) at.push_back(whole.snapshot("head"));
            whole.step(events[i]);
        }
        for (std::size_t k = 0; k < at.size(); ++k) {
            Engine copy(columns, clock);
            for (std::size_t i = 0; i < 50; ++i) copy.step(events[i]);  // whatever it was before is gone
            copy.restore(at[k]);
            CHECK(copy.snapshot("head") == at[k] && Engine::header(at[k]) == "head");
            for (std::size_t i = 300 * k; i < events.size(); ++i) copy.step(events[i]);
            CHECK(copy.snapshot("") == whole.snapshot("") && equal(copy.row(), whole.row(), columns.size()));
        }
    });
}

CASE(a_copy_is_apart) {
    const std::vector<Column> columns = everything();
    const std::vector<Event> events = stream(9, 1200, true);
    Engine a(columns, BarClock());
    for (std::size_t i = 0; i < 600; ++i) a.step(events[i]);
    auto b = std::make_unique<Engine>(a);
    const std::string then = a.snapshot("");
    for (std::size_t i = 600; i < events.size(); ++i) b->step(events[i]);
    CHECK(a.snapshot("") == then);
    for (std::size_t i = 600; i < events.size(); ++i) a.step(events[i]);
    CHECK(a.snapshot("") == b->snapshot(""));
    b.reset();
    a.step(events.back());
}

// Whatever the memory held before: two engines in the same state are the same bytes.
CASE(equal_states_are_equal_bytes) {
    const std::vector<Column> columns = everything();
    const std::vector<Event> events = stream(11, 700, true);
    std::string first;
    for (int fill : {0x00, 0xff, 0x5a}) {
        const std::unique_ptr<std::byte[]> memory(new std::byte[sizeof(Engine) + alignof(Engine)]);
        std::memset(memory.get(), fill, sizeof(Engine) + alignof(Engine));
        void* place = memory.get();
        std::size_t room = sizeof(Engine) + alignof(Engine);
        std::align(alignof(Engine), sizeof(Engine), place, room);
        auto* engine = new (place) Engine(columns, BarClock());
        for (const Event& e : events) engine->step(e);
        const std::string blob = engine->snapshot("");
        if (first.empty()) first = blob;
        CHECK(blob == first);
        engine->~Engine();
    }
}

CASE(damaged_snapshots_change_nothing) {
    const std::vector<Column> columns = everything();
    Engine engine(columns, BarClock());
    for (const Event& e : stream(13, 400, true)) engine.step(e);
    const std::string blob = engine.snapshot("head");
    std::mt19937 random(1);
    auto refused = [&](const std::string& bytes) {
        try {
            engine.restore(bytes);
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    for (int i = 0; i < 300; ++i) {
        std::string damaged = blob;
        const std::size_t at = i < 40 ? static_cast<std::size_t>(i) : random() % blob.size();
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
        CHECK(refused(damaged));
        CHECK(refused(blob.substr(0, i < 40 ? static_cast<std::size_t>(i) : random() % blob.size())));
    }
    CHECK(refused(blob + '\0') && refused(""));
    std::vector<Column> fewer = columns;
    fewer.pop_back();
    CHECK(refused(Engine(fewer, BarClock()).snapshot("head")));
    CHECK(engine.snapshot("head") == blob);
}

CASE(large_windows_find_room) {
    std::vector<Column> columns;
    for (std::uint32_t kind = 0; kind < catalogue().size(); ++kind) {
        const Meta& meta = *catalogue()[kind].kind->meta;
        if (meta.params.size() != 1 || meta.params[0].form != 'n') continue;
        columns.push_back({kind, {meta.params[0].high}, 0});
    }
    CHECK(columns.size() > 10);
    Engine engine(columns, BarClock());
    CHECK(engine.plan().state_size() > std::size_t{1} << 20);
    for (const Event& e : stream(15, 500, true)) engine.step(e);
    Engine copy(columns, BarClock());
    copy.restore(engine.snapshot(""));
    CHECK(copy.snapshot("") == engine.snapshot(""));
}

CASE(no_columns_are_a_book_and_a_clock) {
    Engine engine({}, BarClock(BarClock::By::trades, 5));
    for (const Event& e : stream(17, 500, false)) engine.step(e);
    CHECK(engine.state().bars > 10 && engine.plan().width() == 0 && engine.plan().nodes() == 0);
    Engine copy({}, BarClock());
    copy.restore(engine.snapshot(""));
    CHECK(copy.snapshot("") == engine.snapshot(""));
}

CASE(columns_of_one_kernel_share_its_node) {
    const std::vector<Column> all = everything();
    Engine together(all, BarClock());
    std::size_t apart = 0;
    for (const Column& c : all) apart += Engine({c}, BarClock()).plan().nodes();
    CHECK(together.plan().nodes() < apart);
    const std::vector<Event> events = stream(19, 800, true);
    for (const Event& e : events) together.step(e);
    for (std::size_t i = 0; i < all.size(); ++i) {
        Engine alone({all[i]}, BarClock());
        for (const Event& e : events) alone.step(e);
        CHECK(equal(alone.row(), together.row() + i, 1));
    }
}
