// Bytes become a feature set, a rule for bars and a stream of events; then the laws must hold, whatever the bytes:
//
//   run == step, at any chunk borders; snapshot and restore == straight on; equal states are equal bytes;
//   the book is what its levels say; nothing in the row is infinite; damaged snapshots are refused and change nothing;
//   a bot's model steps on the rows of history, and a bot that is restored goes on to the byte.
//
// With libFuzzer (clang):  clang++ -DSMARTCORE_LIBFUZZER -fsanitize=fuzzer,address,undefined ... and run it on a folder.
// Alone:                   fuzz_events [seconds] [seed]    random inputs for that long; a failing one is saved
//                          fuzz_events FILE ...            those inputs again
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>
#include <string>
#include <vector>

#include "bot/loop.hpp"
#include "engine/engine.hpp"
#include "features/catalogue.hpp"

using namespace smartcore;

#define REQUIRE(...)                                                                          \
    do {                                                                                      \
        if (!(__VA_ARGS__)) {                                                                 \
            std::fprintf(stderr, "%s:%d: REQUIRE(%s) failed\n", __FILE__, __LINE__, #__VA_ARGS__); \
            std::abort();                                                                     \
        }                                                                                     \
    } while (false)

namespace {

// The input, eaten from the front; zeros once it is empty.
struct Bytes {
    const std::uint8_t* at;
    std::size_t left;

    bool empty() const { return left == 0; }
    std::uint8_t byte() {
        if (left == 0) return 0;
        --left;
        return *at++;
    }
    std::uint64_t word() {
        std::uint64_t x = 0;
        for (int i = 0; i < 8; ++i) x = x << 8 | byte();
        return x;
    }
};

// Windows stay below about 70, so that they fill.
std::vector<Column> some_columns(Bytes& in) {
    std::vector<Column> columns;
    const std::size_t wanted = in.byte() % 25;
    for (std::size_t i = 0; i < wanted; ++i) {
        const auto kind = static_cast<std::uint32_t>(in.byte() % catalogue().size());
        const Meta& meta = *catalogue()[kind].kind->meta;
        std::vector<double> params;
        for (const Param& p : meta.params) {
            const std::uint8_t b = in.byte();
            double x = p.form == 's' ? 0.001 * std::pow(4.0, b % 10) : p.low + (b < 200 ? b % 8 : b % 64);
            if (p.form != 's' && p.low != std::floor(p.low)) x = p.low + 0.25 * (b % 8);
            params.push_back(std::min(std::max(x, p.low), p.high));
        }
        columns.push_back({kind, params, static_cast<std::uint32_t>(in.byte() % meta.outputs.size())});
    }
    return columns;
}

struct Rule {
    BarClock clock;
    std::int64_t ns;  // of bars that end by the clock, else 0
};
Rule some_clock(Bytes& in) {
    constexpr BarClock::By rules[] = {BarClock::By::none, BarClock::By::none, BarClock::By::time, BarClock::By::trades,
                                      BarClock::By::volume, BarClock::By::dollars, BarClock::By::imbalance};
    constexpr double amounts[] = {1, 2, 5, 20, 1e3, 1e6, 1e9, 6e10};
    const BarClock::By by = rules[in.byte() % std::size(rules)];
    const double amount = amounts[in.byte() % std::size(amounts)];
    const double length = by == BarClock::By::time ? std::max(amount, 1e3) : amount;
    return {BarClock(by, length), by == BarClock::By::time ? static_cast<std::int64_t>(length) : 0};
}

double some_price(Bytes& in) {
    const std::uint8_t b = in.byte();
    if (b < 200) return 100 + 0.5 * (b % 40);
    constexpr double odd[] = {1e-8, 1e-4, 1, 1e4, 1e8, 1e12, 100.00000000000001, 99.999999, 1e-100, 1e100, 0, -1, kNaN, kInf};
    if (b < 250) return odd[b % std::size(odd)];
    double x;
    const std::uint64_t bits = in.word();
    std::memcpy(&x, &bits, 8);
    return x;
}
double some_size(Bytes& in) {
    constexpr double sizes[] = {0, 0, 1, 1, 0.1, 2.5, 40, 1e-8, 1e8, 1e12, 1e100, -1, kNaN};
    const std::uint8_t b = in.byte();
    return b < 220 ? sizes[b % 8] : sizes[b % std::size(sizes)];
}

std::vector<Event> some_events(Bytes& in, bool bars) {
    constexpr std::int64_t steps[] = {0, 0, 1, 1'000, 5'000'000, 40'000'000, 1'000'000'000, 61'000'000'000, 86'400'000'000'000,
                                      31'536'000'000'000'000};
    std::vector<Event> events;
    std::int64_t ts = in.byte() % 4 ? 1'700'000'000'000'000'000 : -3'000'000'000;
    while (!in.empty() && events.size() < 600) {
        Event e{};
        const std::uint8_t what = in.byte(), b = in.byte();
        ts += steps[b % (b < 250 ? 7 : std::size(steps))];
        e.ts = ts;
        e.side = static_cast<std::int8_t>(static_cast<int>(b / 8 % 3) - 1);
        if (what < 100) {
            e.kind = Type::depth;
            if (e.side == 0) e.side = 1;
            e.flags = static_cast<std::uint8_t>((what % 4 ? kLast : 0) | (what % 25 ? 0 : kSnapshot));
            e.v[0] = some_price(in), e.v[1] = some_size(in);
        } else if (what < 160) {
            e.kind = Type::trade;
            e.v[0] = some_price(in), e.v[1] = some_size(in);
        } else if (what < 220) {
            e.kind = Type::bar;
            e.v[0] = some_price(in), e.v[3] = some_price(in);
            const double wick = 1 + 0.001 * (b % 16);
            e.v[1] = std::max(e.v[0], e.v[3]) * wick, e.v[2] = std::min(e.v[0], e.v[3]) / wick;
            e.v[4] = some_size(in), e.v[5] = b % 2 ? e.v[4] * e.v[3] : 0;
        } else if (what < 240) {
            e.kind = Type::quote;
            e.v[0] = some_price(in), e.v[1] = some_size(in), e.v[2] = some_price(in), e.v[3] = some_size(in);
        } else {
            e.kind = what < 243 ? Type::gap : what < 253 ? static_cast<Type>(5 + what % 6) : static_cast<Type>(what % 16);
            e.source = b % 13;
            e.v[0] = some_price(in), e.v[1] = some_size(in);
        }
        if (smartcore::check(e)) continue;  // the edge refuses it; the core never sees it
        if (e.kind == Type::bar && !bars) continue;
        events.push_back(e);
    }
    return events;
}

bool same(const double* a, const double* b, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
        if (std::memcmp(a + i, b + i, sizeof *a) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
    return true;
}

// A book in maps, for comparison.
struct Plain {
    std::map<double, double, std::greater<>> bids{};
    std::map<double, double> asks{};
    bool deep = false, stale = false, closed = false;

    void apply(const Event& e) {
        if (e.kind == Type::gap) stale = deep;
        if (e.kind != Type::depth || (stale && !(e.flags & kSnapshot))) return;
        deep = true, stale = false;
        if (e.flags & kSnapshot) bids.clear(), asks.clear();
        if (e.side > 0) set(bids, e.v[0], e.v[1]);
        else set(asks, e.v[0], e.v[1]);
        closed = e.flags & kLast;
    }
    template <class Side>
    static void set(Side& side, double price, double size) {
        if (size == 0) side.erase(price);
        else side[price] = size;
    }
    template <class Side>
    static void same(const Side& side, const Ladder& ladder) {
        REQUIRE(side.size() == ladder.size());
        auto it = side.begin();
        ladder.top(static_cast<std::uint32_t>(side.size()), [&](std::uint32_t, const Level& l) {
            REQUIRE(l.price == it->first && l.size == it->second);
            ++it;
        });
    }
    void same(const Book& book) const {
        same(bids, book.bids());
        same(asks, book.asks());
        REQUIRE(book.stale() == stale && (!stale || !book.top().valid));
        if (!closed) return;
        const Top& t = book.top();
        REQUIRE(t.bids == std::min<std::size_t>(kDepth, bids.size()) && t.asks == std::min<std::size_t>(kDepth, asks.size()));
        if (!bids.empty()) REQUIRE(t.bid[0] == bids.begin()->first && t.bid_size[0] == bids.begin()->second);
        if (!asks.empty()) REQUIRE(t.ask[0] == asks.begin()->first && t.ask_size[0] == asks.begin()->second);
    }
};

// A model that remembers the rows it was shown, and says something of them; now and then it fails.
class Witness final : public Speaker {
public:
    explicit Witness(std::size_t width) : width(width) {}
    Said step(const double* row, double (&to)[3], double& novelty) noexcept override {
        for (std::size_t k = 0; k < width; ++k) {
            std::uint64_t bits = 0;
            if (!std::isnan(row[k])) std::memcpy(&bits, row + k, 8);
            seen = (seen ^ bits) * 1099511628211ull;
        }
        ++steps;
        novelty = static_cast<double>(seen % 200) / 100;
        to[0] = static_cast<double>(seen >> 40) / (1 << 25), to[1] = 0.25, to[2] = 0.75 - to[0];
        return seen % 7 ? Said::yes : Said::failed;
    }
    std::string snapshot() const override { return std::string(reinterpret_cast<const char*>(&seen), 16); }
    void restore(std::string_view blob) override {
        if (blob.size() != 16) throw std::invalid_argument("not of this model");
        std::memcpy(&seen, blob.data(), 16);
    }
    std::uint64_t seen = 14695981039346656037ull, steps = 0;
    std::size_t width;
};

struct Bot {
    Bot(const std::vector<Column>& columns, BarClock clock, std::int64_t bars_ns, std::int64_t interval, std::uint64_t how)
        : engine(columns, clock), first(columns.size()), second(columns.size()), loop(engine, setup(bars_ns, interval, how)) {}
    Setup setup(std::int64_t bars_ns, std::int64_t interval, std::uint64_t how) {
        Setup s;
        const auto some = [&](std::uint64_t n) { return std::exchange(how, how / n) % n; };
        auto* at = reinterpret_cast<std::int32_t*>(&s.inputs);  // any column for any purpose
        for (std::size_t i = 0; i < sizeof s.inputs / sizeof *at; ++i) at[i] = static_cast<std::int32_t>((i + some(3)) % (engine.plan().width() + 1)) - 1;
        s.policy.horizon = 0.5 + static_cast<double>(some(40)), s.policy.half_life = 5, s.policy.participation = 0.25, s.policy.max_slices = 4;
        s.policy.weights[0] = 0.6, s.policy.weights[3] = 0.4, s.policy.max_age_s = s.policy.max_scores_age_s = 1e9;
        s.policy.shrinkage = 0.5, s.policy.max_position = 1, s.policy.max_contracts = 5, s.policy.slippage_quantile = 0.9;
        s.seats[0] = {&first, some(2) ? &second : nullptr, interval, true, true, some(2) == 1};
        s.every_bar = some(2), s.every_events = some(3) ? 0 : 1 + some(9), s.every_ns = some(2) ? interval * static_cast<std::int64_t>(1 + some(4)) : 0;
        s.bars_ns = bars_ns, s.latency_ns = static_cast<std::int64_t>(some(4)) * 1'000'000'000;
        s.outcomes = {some(2) ? interval : 0, s.policy.horizon, -1e-6, 1e-6, s.policy.horizon};
        return s;
    }
    void play(const std::vector<Event>& events, std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i) {
            if (!loop.on(events[i])) continue;
            const decide::Decision& d = loop.decision();
            REQUIRE(d.confidence >= 0 && d.confidence <= 1 && d.count > 0 && d.count <= decide::kGates);
            loop.done();
        }
    }
    Engine engine;
    Witness first, second;
    Loop loop;
};

void bot(const std::vector<Column>& columns, BarClock clock, std::int64_t bars_ns, std::int64_t interval, const std::vector<Event>& events,
         std::size_t cut, std::uint64_t how) {
    Bot whole(columns, clock, bars_ns, interval, how), before(columns, clock, bars_ns, interval, how), after(columns, clock, bars_ns, interval, how);
    whole.play(events, 0, events.size());
    before.play(events, 0, cut);
    const std::string blob = before.loop.snapshot("head");
    after.play(events, 0, std::min<std::size_t>(events.size(), 20));  // it was somewhere else
    after.loop.restore(blob);
    REQUIRE(after.loop.snapshot("head") == blob);
    after.play(events, cut, events.size());
    REQUIRE(after.loop.snapshot("head") == whole.loop.snapshot("head"));

    Engine history(columns, clock);
    Witness told(columns.size());
    history.run(events, Sample::interval, interval, [&](std::int64_t) {
        double to[3], novelty;
        told.step(history.row(), to, novelty);
    });
    REQUIRE(told.steps == whole.first.steps && told.seen == whole.first.seen);
}

void one(const std::uint8_t* data, std::size_t size) {
    Bytes in{data, size};
    const std::vector<Column> columns = some_columns(in);
    const auto [clock, bars_ns] = some_clock(in);
    const Sample sample = in.byte() % 2 ? Sample::bar : Sample::interval;
    constexpr std::int64_t intervals[] = {1, 1'000'000, 250'000'000, 1'000'000'000, 60'000'000'000};
    const std::int64_t interval = intervals[in.byte() % std::size(intervals)];
    const std::size_t chunk = 1 + in.byte() % 40;
    const std::uint64_t where = in.word();
    const std::vector<Event> events = some_events(in, clock.by() == BarClock::By::none);
    const std::size_t width = columns.size(), cut = events.empty() ? 0 : where % (events.size() + 1);

    // Straight on, one step at a time.
    Engine live(columns, clock);
    Plain plain;
    std::vector<double> rows;
    std::string at_cut = live.snapshot("head");
    for (std::size_t i = 0; i < events.size(); ++i) {
        live.step(events[i]);
        plain.apply(events[i]);
        for (std::size_t k = 0; k < width; ++k) {
            if (!std::isinf(live.row()[k])) continue;
            const Meta& meta = *catalogue()[columns[k].kind].kind->meta;
            std::fprintf(stderr, "%.*s", static_cast<int>(meta.name.size()), meta.name.data());
            for (double p : columns[k].params) std::fprintf(stderr, "_%g", p);
            std::fprintf(stderr, ", output %u, is infinite after event %zu of kind %d\n", columns[k].output, i, static_cast<int>(events[i].kind));
            REQUIRE(!std::isinf(live.row()[k]));
        }
        rows.insert(rows.end(), live.row(), live.row() + width);
        if (i % 16 == 0) plain.same(live.book());
        if (i + 1 == cut) at_cut = live.snapshot("head");
    }
    plain.same(live.book());
    const std::string end = live.snapshot("head");

    // History.
    Engine whole(columns, clock);
    std::size_t n = 0;
    whole.run(events, Sample::event, 0, [&](std::int64_t ts) {
        REQUIRE(ts == events[n].ts && same(whole.row(), rows.data() + n * width, width));
        ++n;
    });
    REQUIRE(n == events.size() && whole.snapshot("head") == end);

    // Sampled, at once and in chunks: the same rows at the same times, in order.
    std::vector<double> sampled, pieces;
    std::vector<std::int64_t> times, piece_times;
    Engine once(columns, clock), chunks(columns, clock);
    once.run(events, sample, interval, [&](std::int64_t ts) {
        REQUIRE(times.empty() || sample == Sample::bar || ts > times.back());
        times.push_back(ts);
        sampled.insert(sampled.end(), once.row(), once.row() + width);
    });
    for (std::size_t i = 0; i <= events.size(); i += chunk) {  // the last may be empty
        const std::span<const Event> part(events.data() + i, std::min(chunk, events.size() - i));
        chunks.run(part, sample, interval, [&](std::int64_t ts) {
            piece_times.push_back(ts);
            pieces.insert(pieces.end(), chunks.row(), chunks.row() + width);
        });
    }
    REQUIRE(times == piece_times && same(sampled.data(), pieces.data(), sampled.size()));
    REQUIRE(once.snapshot("head") == chunks.snapshot("head"));
    REQUIRE(same(once.row(), live.row(), width));

    // Restored in the middle, into an engine that was somewhere else.
    Engine restored(columns, clock);
    for (std::size_t i = 0; i < events.size() && i < 20; ++i) restored.step(events[events.size() - 1 - i]);
    restored.restore(at_cut);
    REQUIRE(restored.snapshot("head") == at_cut && Engine::header(at_cut) == "head");
    for (std::size_t i = cut; i < events.size(); ++i) restored.step(events[i]);
    REQUIRE(restored.snapshot("head") == end);

    // Damage.
    std::string damaged = end;
    if (where % 3 == 0) damaged.resize(where / 3 % damaged.size());
    else damaged[where / 3 % damaged.size()] ^= static_cast<char>(1 << (where >> 61));
    bool refused = false;
    try {
        restored.restore(damaged);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    REQUIRE(refused && restored.snapshot("head") == end);

    bot(columns, clock, bars_ns, interval, events, cut, where);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    one(data, size);
    return 0;
}

#ifndef SMARTCORE_LIBFUZZER
namespace {

// Saved before it is tried, so that whatever ends the process leaves it behind.
void attempt(const std::vector<std::uint8_t>& input, const char* save) {
    if (save) {
        std::FILE* file = std::fopen(save, "wb");
        if (file && !input.empty()) std::fwrite(input.data(), 1, input.size(), file);
        if (file) std::fclose(file);
    }
    one(input.data(), input.size());
}

std::vector<std::uint8_t> some_input(std::mt19937_64& random, const std::vector<std::vector<std::uint8_t>>& pool) {
    std::vector<std::uint8_t> input;
    if (pool.size() > 4 && random() % 2) {  // something seen before, changed here and there
        input = pool[random() % pool.size()];
        for (std::size_t i = 0, n = 1 + random() % 8; i < n && !input.empty(); ++i) {
            const std::size_t at = random() % input.size();
            const std::uint64_t how = random() % 3;
            if (how == 0) input[at] = static_cast<std::uint8_t>(random());
            else if (how == 1) input.erase(input.begin() + static_cast<std::ptrdiff_t>(at), input.begin() + static_cast<std::ptrdiff_t>(std::min(at + random() % 64, input.size())));
            else input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), random() % 64, static_cast<std::uint8_t>(random()));
        }
    } else {
        input.resize(random() % 3000);
        for (auto& b : input) b = static_cast<std::uint8_t>(random());
    }
    return input;
}

}  // namespace

int main(int argc, char** argv) {
    const bool files = argc > 1 && std::strspn(argv[1], "0123456789") != std::strlen(argv[1]);
    if (files) {
        for (int i = 1; i < argc; ++i) {
            std::FILE* file = std::fopen(argv[i], "rb");
            if (!file) return std::fprintf(stderr, "%s cannot be read\n", argv[i]), 1;
            std::vector<std::uint8_t> input;
            for (int c; (c = std::fgetc(file)) != EOF;) input.push_back(static_cast<std::uint8_t>(c));
            std::fclose(file);
            attempt(input, nullptr);
            std::printf("%s: %zu bytes, every law held\n", argv[i], input.size());
        }
        return 0;
    }
    const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
    const auto seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    const std::string save = "fuzz_events-" + std::to_string(seed) + ".bin";
    std::mt19937_64 random(seed);
    std::vector<std::vector<std::uint8_t>> pool;
    std::size_t n = 0;
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
        std::vector<std::uint8_t> input = some_input(random, pool);
        attempt(input, save.c_str());
        ++n;
        if (pool.size() < 200) pool.push_back(std::move(input));
        else pool[random() % pool.size()] = std::move(input);
    }
    std::remove(save.c_str());
    std::printf("%zu inputs in %.0f s, seed %llu: every law held\n", n, seconds, static_cast<unsigned long long>(seed));
    return 0;
}
#endif
