// Several engines on one clock: what they are told is bounded, ticks stand on the grid, and saved state is all there is.
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "check.hpp"
#include "engine/panel.hpp"
#include "features/catalogue.hpp"

using namespace smartcore;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::vector<Column> others() {
    std::vector<Column> columns;
    for (std::uint32_t kind = 0; kind < catalogue().size(); ++kind) {
        const Meta& meta = *catalogue()[kind].kind->meta;
        if (catalogue()[kind].family->group != "cross-asset") continue;
        std::vector<double> params;
        if (meta.params.size()) params.assign(meta.defaults[0].begin(), meta.defaults[0].end());
        for (std::uint32_t o = 0; o < meta.outputs.size(); ++o) columns.push_back({kind, params, o});
    }
    return columns;
}

// A panel and its engines, fed as bind/ feeds it.
struct Fed {
    explicit Fed(std::uint32_t n, std::uint32_t reference = 0) {
        const std::vector<Column> columns = others();
        std::vector<Engine*> all;
        for (std::uint32_t i = 0; i < n; ++i) {
            engines.push_back(std::make_unique<Engine>(columns, i == 0 ? BarClock(BarClock::By::time, 2e9) : BarClock()));
            all.push_back(engines.back().get());
        }
        panel = std::make_unique<Panel>(all, reference, kSecond, 5 * kSecond, 30);
    }
    bool feed(const Event& e) {
        const bool due = panel->due(e.ts);
        if (due) {
            const std::int64_t at = panel->tick();
            CHECK(at % kSecond == 0 && at < e.ts);
        }
        panel->apply(e.instrument, e);
        return due;
    }
    std::string state() const {
        std::string all = panel->state();
        for (const auto& engine : engines) all += engine->snapshot("");
        return all;
    }
    std::vector<std::unique_ptr<Engine>> engines;
    std::unique_ptr<Panel> panel;
};

std::vector<Event> stream(unsigned seed, int n, std::uint32_t instruments) {
    std::mt19937 random(seed);
    std::vector<Event> events;
    std::vector<double> price(instruments, 100);
    std::int64_t ts = 1'700'000'000 * kSecond;
    for (int i = 0; i < n; ++i) {
        ts += static_cast<std::int64_t>(random() % 5) * 60'000'000 + (random() % 500 ? 0 : 20 * kSecond);
        Event e{};
        e.ts = ts;
        e.instrument = random() % instruments;
        double& p = price[e.instrument];
        p *= 1 + 0.0005 * (static_cast<int>(random() % 21) - 10);
        if (random() % 3000 == 0) p *= 1e5;  // a bad print, which may stay
        const unsigned what = e.instrument == 2 ? 2 : random() % 2;
        if (what == 2) {
            e.kind = Type::quote;
            e.v[0] = p * 0.999, e.v[1] = random() % 5, e.v[2] = p * (random() % 9 ? 1.001 : 0.998), e.v[3] = random() % 5;
        } else {
            e.kind = Type::trade;
            e.side = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
            e.v[0] = p, e.v[1] = 0.1 * (random() % 30);
        }
        CHECK(!smartcore::check(e));
        events.push_back(e);
    }
    return events;
}

}  // namespace

CASE(what_a_panel_tells_passes_the_checks_of_the_edge) {
    for (const std::uint32_t n : {2u, 3u, 7u}) {
        Fed fed(n, n - 1);
        std::vector<Event> told;
        fed.panel->log = &told;
        for (const Event& e : stream(n, 20'000, n)) {
            if (!fed.feed(e)) continue;
            for (const auto& engine : fed.engines)
                for (std::size_t i = 0; i < engine->plan().width(); ++i) CHECK(!std::isinf(engine->row()[i]));
        }
        CHECK(fed.panel->ticks() > 1000 && told.size() == 3 * n * fed.panel->ticks());
        for (const Event& e : told) CHECK(!smartcore::check(e) && e.instrument < n);
    }
}

CASE(saved_state_of_a_panel_is_all_there_is) {
    const std::vector<Event> events = stream(5, 6000, 4);
    Fed whole(4), copy(4);
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (i == 3000) {
            for (std::size_t k = 0; k < 900; ++k) copy.feed(events[k]);  // whatever it was before is gone
            CHECK(copy.panel->restore(whole.panel->state()));
            for (std::size_t k = 0; k < 4; ++k) copy.engines[k]->restore(whole.engines[k]->snapshot(""));
        }
        const bool ticked = whole.feed(events[i]);
        if (i >= 3000) CHECK(copy.feed(events[i]) == ticked);
    }
    CHECK(whole.state() == copy.state());
    CHECK(!copy.panel->restore("") && !copy.panel->restore(Fed(3).panel->state()));
    CHECK(whole.state() == copy.state());
}

CASE(ticks_stand_on_the_grid) {
    CHECK(Panel::due_after(0, INT64_MIN, 10) == 0);
    CHECK(Panel::due_after(1, INT64_MIN, 10) == 10);
    CHECK(Panel::due_after(10, INT64_MIN, 10) == 10);
    CHECK(Panel::due_after(-1, INT64_MIN, 10) == 0);
    CHECK(Panel::due_after(-10, INT64_MIN, 10) == -10);
    CHECK(Panel::due_after(-11, INT64_MIN, 10) == -10);
    CHECK(Panel::due_after(10, 10, 10) == 20);
}
