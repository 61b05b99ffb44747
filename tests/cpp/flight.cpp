// The flight recorder: what is put is taken whole and in order, by another thread too; what finds no room is counted.
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "bot/flight.hpp"
#include "check.hpp"

using namespace smartcore;

namespace {

constexpr std::size_t kWidth = 37;

struct Memory {
    explicit Memory(std::size_t size) : size(size), bytes(static_cast<std::byte*>(::operator new(size, std::align_val_t{64}))) {
        std::memset(bytes, 0xAB, size);
    }
    ~Memory() { ::operator delete(bytes, std::align_val_t{64}); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    std::span<std::byte> span() const { return {bytes, size}; }
    std::size_t size;
    std::byte* bytes;
};

struct Made {
    decide::Decision decision;
    decide::Context context;
    decide::Given given;
    decide::Scorecard card;
    double row[kWidth];
};

// The i-th decision: every part is filled from i, the card changes every third time.
void make(Made& m, std::int64_t i) {
    std::memset(static_cast<void*>(&m.decision), static_cast<int>(i % 251), sizeof m.decision);
    std::memset(static_cast<void*>(&m.context), static_cast<int>(i % 241), sizeof m.context);
    std::memset(static_cast<void*>(&m.given), static_cast<int>(i % 239), sizeof m.given);
    std::memset(static_cast<void*>(&m.card), static_cast<int>(i / 3 % 233), sizeof m.card);
    m.decision.sequence = i;
    for (std::size_t k = 0; k < kWidth; ++k) m.row[k] = static_cast<double>(i) + static_cast<double>(k) / 64;
}

bool put(Flight& flight, const Made& m) { return flight.put(m.decision, m.context, m.given, m.card, m.row, kWidth); }

Event event(std::int64_t i) {
    Event e{};
    e.ts = i, e.kind = Type::trade, e.v[0] = static_cast<double>(i);
    return e;
}

// Whether a record holds the i-th decision; the sequence in it says which.
std::int64_t check_decision(const Flight::Record& record) {
    static Made want;  // large
    std::uint32_t sizes[Flight::kParts + 1];
    std::memcpy(sizes, record.body.data(), sizeof sizes);
    const std::byte* at = record.body.data() + sizeof sizes + sizeof(std::uint64_t);  // the hash of events
    decide::Decision decision;
    CHECK(sizes[Flight::kDecision] == sizeof decision && sizes[Flight::kRow] == sizeof want.row);
    std::memcpy(&decision, at, sizeof decision);
    make(want, decision.sequence);
    CHECK(std::memcmp(at, &want.decision, sizeof want.decision) == 0);
    at += sizeof want.decision;
    CHECK(std::memcmp(at, &want.context, sizeof want.context) == 0);
    at += sizeof want.context;
    CHECK(std::memcmp(at, &want.given, sizeof want.given) == 0);
    at += sizeof want.given;
    if (sizes[Flight::kCard]) CHECK(std::memcmp(at, &want.card, sizeof want.card) == 0);
    at += sizes[Flight::kCard];
    CHECK(std::memcmp(at, want.row, sizeof want.row) == 0);
    return decision.sequence;
}

}  // namespace

CASE(flight_gives_back_what_was_put) {
    Memory memory(1 << 16);
    Flight flight(memory.span(), false, true);
    static Made made;
    std::uint64_t at = 0;
    std::int64_t next = 0, events = 0;
    Flight::Record record;
    for (std::int64_t i = 0; i < 1000; ++i) {
        make(made, i);
        for (std::int64_t k = 0; k < i % 4; ++k) flight.event(event(events++));
        CHECK(put(flight, made));
        if (i % 5) continue;
        while (Flight::next(memory.span(), at, flight.header().head, true, record)) {
            at = record.end;
            if (record.kind == Flight::Kind::decision) CHECK(check_decision(record) == next++);
        }
        CHECK(at == flight.header().head && next == i + 1);
        flight.release(at);
    }
    CHECK(flight.header().drops == 0 && flight.header().lost == 0 && flight.header().events == static_cast<std::uint64_t>(events));
}

CASE(flight_stores_a_card_only_when_it_changed) {
    Memory memory(1 << 20);
    Flight flight(memory.span(), false, true);
    static Made made;
    for (std::int64_t i = 0; i < 30; ++i) make(made, i), CHECK(put(flight, made));
    Flight::Record record;
    std::uint64_t at = 0;
    for (std::int64_t i = 0; i < 30; ++i) {
        CHECK(Flight::next(memory.span(), at, flight.header().head, true, record));
        std::uint32_t sizes[Flight::kParts];
        std::memcpy(sizes, record.body.data(), sizeof sizes);
        CHECK(sizes[Flight::kCard] == (i % 3 ? 0 : sizeof made.card));
        at = record.end;
    }
}

CASE(flight_drops_and_counts_when_full) {
    Memory memory(1 << 16);
    Flight flight(memory.span(), false, true);
    static Made made;
    std::int64_t put_ = 0;
    make(made, 0);
    while (put(flight, made)) ++put_;
    CHECK(put_ > 5 && flight.header().drops == 1);
    CHECK(!put(flight, made) && flight.header().drops == 2);
    flight.event(event(0));
    CHECK(flight.header().lost == 1 && flight.header().events == 1);
    flight.release(flight.header().head);
    CHECK(put(flight, made));
    // Events leave a quarter of the ring to decisions.
    Memory other(1 << 16);
    Flight busy(other.span(), false, true);
    for (std::int64_t i = 0; i < 10'000; ++i) busy.event(event(i));
    CHECK(busy.header().lost > 0 && put(busy, made));
}

CASE(flight_keeps_the_newest_where_asked) {
    Memory memory(1 << 16);
    Flight flight(memory.span(), true, true);
    static Made made;
    for (std::int64_t i = 0; i < 1000; ++i) make(made, i), CHECK(put(flight, made));
    CHECK(flight.header().drops == 0);
    std::uint64_t at = flight.header().tail;
    Flight::Record record;
    std::int64_t last = -1, count = 0;
    while (Flight::next(memory.span(), at, flight.header().head, true, record)) {
        const std::int64_t found = check_decision(record);
        CHECK(last < 0 || found == last + 1);
        last = found, at = record.end, ++count;
    }
    CHECK(last == 999 && count > 5);
}

CASE(flight_tells_what_came_by_a_hash) {
    Memory one(1 << 16), two(1 << 16);
    Flight a(one.span(), true, true), b(two.span(), true, false);
    for (std::int64_t i = 0; i < 1000; ++i) {
        a.event(event(i)), b.event(event(i));
        CHECK(a.header().state == b.header().state && a.header().state != 0);
    }
    const std::uint64_t state = a.header().state;
    a.event(event(1)), a.event(event(2));
    b.event(event(2)), b.event(event(1));  // another order
    CHECK(a.header().state != b.header().state);
    Memory other(1 << 16);
    Flight c(other.span(), true, true, state);  // goes on
    c.event(event(1)), c.event(event(2));
    CHECK(c.header().state == a.header().state);
    for (std::size_t i = 0; i < sizeof(Event); ++i) {  // each byte counts
        Event changed = event(5);
        reinterpret_cast<unsigned char*>(&changed)[i] ^= 1;
        Memory m(1 << 16), n(1 << 16);
        Flight x(m.span(), true, false), y(n.span(), true, false);
        x.event(event(5)), y.event(changed);
        CHECK(x.header().state != y.header().state);
    }
}

CASE(flight_may_only_count_events) {
    Memory memory(1 << 16);
    Flight flight(memory.span(), false, false);
    for (std::int64_t i = 0; i < 100'000; ++i) flight.event(event(i));
    CHECK(flight.header().events == 100'000 && flight.header().lost == 0 && flight.header().head == 0);
}

CASE(flight_notices_changed_bytes) {
    Memory memory(1 << 16);
    Flight flight(memory.span(), false, true);
    static Made made;
    make(made, 7);
    CHECK(put(flight, made));
    const std::uint64_t head = flight.header().head;
    Flight::Record record;
    CHECK(Flight::next(memory.span(), 0, head, true, record));
    for (std::size_t i = 0; i < head; ++i) {
        std::byte& b = memory.bytes[sizeof(Flight::Header) + i];
        b ^= std::byte{0x10};
        CHECK(!Flight::next(memory.span(), 0, head, true, record));
        b ^= std::byte{0x10};
    }
    CHECK(Flight::of(memory.span()));
    memory.bytes[0] ^= std::byte{1};
    CHECK(!Flight::of(memory.span()));
    CHECK(!Flight::of(memory.span().first(100)));
}

CASE(flight_takes_from_another_thread) {
    Memory memory(1 << 17);
    Flight flight(memory.span(), false, true);
    constexpr std::int64_t total = 20'000;
    std::atomic<bool> done{false};
    std::int64_t kept = 0;
    std::thread writer([&] {
        static Made made;
        for (std::int64_t i = 0; i < total; ++i) {
            make(made, i);
            flight.event(event(i));
            kept += put(flight, made);
        }
        done = true;
    });
    std::uint64_t at = 0;
    std::int64_t last = -1, found = 0, events = 0;
    Flight::Record record;
    for (bool over = false; !over;) {
        over = done;
        const std::uint64_t head = flight.header().head.load(std::memory_order_acquire);
        while (Flight::next(memory.span(), at, head, true, record)) {
            at = record.end;
            if (record.kind == Flight::Kind::decision) {
                const std::int64_t i = check_decision(record);
                CHECK(i > last && record.number == static_cast<std::uint64_t>(i) + 1);
                last = i, ++found;
            } else {
                Event e;
                std::memcpy(&e, record.body.data(), sizeof e);
                CHECK(e.ts == static_cast<std::int64_t>(record.number));
                ++events;
            }
            flight.release(at);
        }
        CHECK(at == head);
    }
    writer.join();
    CHECK(found == kept && flight.header().drops == static_cast<std::uint64_t>(total - kept));
    CHECK(events + static_cast<std::int64_t>(flight.header().lost) == total);
}
