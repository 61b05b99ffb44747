// The loop without Python: nothing is allocated once it runs, and whatever a model says is judged.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bot/loop.hpp"
#include "check.hpp"
#include "features/catalogue.hpp"

using namespace smartcore;

namespace {

std::int64_t allocations = 0;
bool counting = false;

std::vector<Column> columns(std::initializer_list<const char*> names) {
    std::vector<Column> all;
    for (const char* name : names)
        for (std::uint32_t kind = 0; kind < catalogue().size(); ++kind) {
            const Meta& meta = *catalogue()[kind].kind->meta;
            if (std::string_view(meta.name) != name) continue;
            std::vector<double> params;
            if (meta.params.size()) params.assign(meta.defaults[0].begin(), meta.defaults[0].end());
            for (std::uint32_t o = 0; o < meta.outputs.size(); ++o) all.push_back({kind, params, o});
        }
    return all;
}

// Remembers how often it was asked; now and then it fails, or says what is no forecast.
class Odd final : public Speaker {
public:
    Said step(const double* row, double (&to)[3], double& novelty) noexcept override {
        ++steps;
        novelty = steps % 3 ? 0.5 : kNaN;
        const double x = row[0] == row[0] ? 0.1 * std::tanh(row[0]) : 0;
        to[0] = 0.3 - x, to[1] = 0.4, to[2] = 0.3 + x;
        switch (steps % 11) {
            case 3: return Said::failed;
            case 5: to[0] = kNaN; return Said::yes;
            case 7: to[2] = -0.1; return Said::yes;
            case 8: to[1] = kInf; return Said::yes;
            case 9: return Said::nothing;
            default: return Said::yes;
        }
    }
    std::string snapshot() const override { return std::string(reinterpret_cast<const char*>(&steps), sizeof steps); }
    void restore(std::string_view blob) override {
        if (blob.size() != sizeof steps) throw std::invalid_argument("not of this model");
        std::memcpy(&steps, blob.data(), sizeof steps);
    }
    std::uint64_t steps = 0;
};

struct Bot {
    explicit Bot(BarClock clock = BarClock(BarClock::By::time, 1e9))
        : engine(columns({"log_return", "spread", "rsi", "queue_imbalance"}), clock), loop(engine, setup()) {}
    Setup setup() {
        Setup s;
        std::memset(static_cast<void*>(&s.inputs), 0xff, sizeof s.inputs);  // -1: no column is read
        s.policy.horizon = 3, s.policy.half_life = 5, s.policy.participation = 0.25, s.policy.max_slices = 4;
        s.policy.min_confidence = 0.5, s.policy.weights[0] = s.policy.weights[1] = 0.5, s.policy.max_age_s = s.policy.max_scores_age_s = 5;
        s.seats[0] = {&first, &second, 250'000'000, true, true, true};
        s.seats[1] = {&third, nullptr, Seat::kBar, true, false, false};
        s.every_ns = 500'000'000, s.bars_ns = 1'000'000'000, s.latency_ns = 1'000'000;
        s.outcomes = {2'000'000'000, 3, -1e-5, 1e-5, 3};
        return s;
    }
    Odd first, second, third;
    Engine engine;
    Loop loop;
};

std::vector<Event> stream(int n) {
    std::mt19937 random(7);
    std::vector<Event> events;
    std::int64_t ts = 1'700'000'000'000'000'000;
    for (int i = 0; i < n; ++i) {
        ts += static_cast<std::int64_t>(random() % 5) * 20'000'000;
        Event e{};
        e.ts = ts;
        switch (random() % 8) {
            case 0: e.kind = Type::trade, e.side = 1, e.v[0] = 100 + 0.01 * (random() % 9), e.v[1] = 1; break;
            case 1: e.kind = Type::quote, e.v[0] = 99.9, e.v[1] = 2, e.v[2] = 100.1, e.v[3] = 3; break;
            case 2: break;  // time that passes
            default:
                e.kind = Type::depth, e.side = random() % 2 ? 1 : -1, e.flags = random() % 3 ? kLast : 0;
                e.v[0] = 100 - e.side * 0.01 * (1 + random() % 12), e.v[1] = random() % 4;
        }
        if (i % 997 == 0) e.kind = Type::gap;
        if (i % 997 == 5) e.kind = Type::depth, e.flags = kLast | kSnapshot, e.side = 1, e.v[0] = 99.99, e.v[1] = 3;
        events.push_back(e);
    }
    return events;
}

int play(Bot& bot, const std::vector<Event>& events, std::size_t from, std::size_t to) {
    int decisions = 0;
    for (std::size_t i = from; i < to; ++i) {
        CHECK(!bot.loop.refuse(events[i]) && !bot.loop.late(events[i]));
        if (!bot.loop.on(events[i])) continue;
        ++decisions;
        bot.loop.done();
    }
    return decisions;
}

}  // namespace

// Every way to ask for memory, so that a sanitizer sees each given back the way it came.
static void* given(std::size_t n) noexcept {
    if (counting) ++allocations;
    return std::malloc(n ? n : 1);
}
void* operator new(std::size_t n) {
    if (void* p = given(n)) return p;
    throw std::bad_alloc();
}
void* operator new[](std::size_t n) { return operator new(n); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return given(n); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return given(n); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }

CASE(loop_allocates_nothing_once_it_runs) {
    Bot bot;
    const std::vector<Event> events = stream(40000);
    play(bot, events, 0, 10000);  // the book has asked for its memory by then
    allocations = 0, counting = true;
    const int decisions = play(bot, events, 10000, events.size());
    counting = false;
    CHECK(decisions > 500);
    CHECK(allocations == 0);
    CHECK(bot.loop.scorecard().calls > 100);
}

CASE(loop_judges_what_models_say) {
    Bot bot;
    const std::vector<Event> events = stream(20000);
    int fell_back = 0;
    for (const Event& e : events) {
        if (!bot.loop.on(e)) continue;
        bot.loop.done();
        for (std::size_t i = 0; i < decide::kModels; ++i) {
            const Voice& voice = bot.loop.voice(i);
            const double sum = voice.triple[0] + voice.triple[1] + voice.triple[2];
            CHECK(voice.speaks() ? std::fabs(sum - 1) < 1e-9 : std::isnan(voice.triple[2]));
            CHECK(voice.said != Said::failed || voice.fell_back || !voice.speaks());
            fell_back += voice.fell_back;
        }
        CHECK((bot.loop.given().failed & 1) == (bot.loop.voice(0).said == Said::failed));
    }
    CHECK(bot.first.steps == bot.second.steps);  // a stand-in that remembers is stepped always
    CHECK(bot.loop.voice(0).faults > 0 && fell_back == 0);  // both fail on the same steps
}

CASE(loop_restored_at_any_event_goes_on_to_the_byte) {
    const std::vector<Event> events = stream(3000);
    Bot whole;
    play(whole, events, 0, events.size());
    for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{700}, std::size_t{1001}, std::size_t{2999}}) {
        Bot before, after;
        play(before, events, 0, cut);
        const std::string blob = before.loop.snapshot("header");
        CHECK(Loop::engine_of(blob).size() > 100);
        after.loop.restore(blob);
        CHECK(after.loop.snapshot("header") == blob);
        play(after, events, cut, events.size());
        CHECK(after.loop.snapshot("header") == whole.loop.snapshot("header"));
    }
}

CASE(loop_refuses_damaged_snapshots_and_changes_nothing) {
    const std::vector<Event> events = stream(2000);
    Bot bot, other;
    play(bot, events, 0, events.size());
    play(other, events, 0, 500);
    const std::string blob = bot.loop.snapshot({}), kept = other.loop.snapshot({});
    for (std::size_t at = 0; at < blob.size(); at += blob.size() / 50) {
        std::string damaged = blob;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        for (const std::string& bad : {damaged, blob.substr(0, at)}) {
            bool refused = false;
            try {
                other.loop.restore(bad);
            } catch (const std::invalid_argument&) {
                refused = true;
            }
            CHECK(refused);
        }
    }
    CHECK(other.loop.snapshot({}) == kept);
}
