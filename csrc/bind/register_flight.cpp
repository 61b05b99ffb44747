// The flight recorder as Python has it: made over a buffer, put into by a loop, emptied by the journal.
#include "bind/bind.hpp"
#include "bot/flight.hpp"

namespace smartcore {
namespace {

struct BoundFlight : Flight {
    BoundFlight(py::buffer_info buffer, bool newest, bool capture, std::uint64_t state)
        : Flight(bytes(buffer), newest, capture, state), info(std::move(buffer)) {}
    static std::span<std::byte> bytes(const py::buffer_info& info) {
        return {static_cast<std::byte*>(info.ptr), static_cast<std::size_t>(info.size * info.itemsize)};
    }
    py::buffer_info info;  // keeps the memory where it is
};

py::bytes bytes(std::span<const std::byte> from) { return {reinterpret_cast<const char*>(from.data()), from.size()}; }

template <class T>
const T& of(const py::buffer& buffer, py::buffer_info& info, const char* name) {
    info = buffer.request();
    if (static_cast<std::size_t>(info.size * info.itemsize) != sizeof(T)) throw py::value_error(std::string(name) + ": a record of another size");
    return *static_cast<const T*>(info.ptr);
}

// The parts of a decision's record; false where its sizes contradict each other.
bool split(std::span<const std::byte> body, std::uint64_t& state, std::span<const std::byte> (&parts)[Flight::kParts]) noexcept {
    std::uint32_t sizes[Flight::kParts + 1];
    if (body.size() < sizeof sizes + sizeof state) return false;
    std::memcpy(sizes, body.data(), sizeof sizes);
    std::memcpy(&state, body.data() + sizeof sizes, sizeof state);
    std::size_t at = sizeof sizes + sizeof state;
    for (std::size_t i = 0; i < Flight::kParts; ++i) {
        if (sizes[i] > body.size() - at) return false;
        parts[i] = body.subspan(at, sizes[i]);
        at += sizes[i];
    }
    return true;
}

constexpr std::size_t kLight = 64;  // events are as much work to write as one decision

// Up to `limit` decisions' worth of records from `after` on: a decision as (end, number and hash of events before it, decision, context, given, card or
// None, row), events one after the other as (end, number of the first, their bytes). And where the next one begins.
py::tuple records(std::span<const std::byte> memory, std::uint64_t after, std::uint64_t head, std::size_t limit, bool checked) {
    py::list found;
    Flight::Record record;
    std::string events;
    std::uint64_t first = 0;
    auto flush = [&] {
        if (!events.empty()) found.append(py::make_tuple(after, first, py::bytes(events)));
        events.clear();
    };
    for (std::size_t n = 0; n / kLight < limit && Flight::next(memory, after, head, checked, record);) {
        if (record.kind == Flight::Kind::event && record.body.size() >= sizeof(Event)) {
            ++n;
            if (!events.empty() && record.number != first + events.size() / sizeof(Event)) flush();
            if (events.empty()) first = record.number;
            events.append(reinterpret_cast<const char*>(record.body.data()), sizeof(Event));
            after = record.end;
            continue;
        }
        n += kLight;
        flush();
        after = record.end;
        std::span<const std::byte> part[Flight::kParts];
        std::uint64_t state;
        if (record.kind != Flight::Kind::decision || !split(record.body, state, part)) continue;
        found.append(py::make_tuple(after, record.number, state, bytes(part[Flight::kDecision]), bytes(part[Flight::kContext]), bytes(part[Flight::kGiven]),
                                    part[Flight::kCard].empty() ? py::object(py::none()) : py::object(bytes(part[Flight::kCard])),
                                    bytes(part[Flight::kRow])));
    }
    flush();
    return py::make_tuple(found, after);
}

py::dict standing(const Flight::Header& h) {
    py::dict d;
    d["capacity"] = h.capacity;
    d["head"] = h.head.load(std::memory_order_acquire);
    d["tail"] = h.tail.load(std::memory_order_acquire);
    d["events"] = h.events.load(std::memory_order_relaxed);
    d["drops"] = h.drops.load(std::memory_order_relaxed);
    d["lost"] = h.lost.load(std::memory_order_relaxed);
    return d;
}

}  // namespace

void register_flight(py::module_& m) {
    using Header = Flight::Header;
    auto counter = [](std::atomic<std::uint64_t> Header::* member) {
        return [member](const BoundFlight& f) { return (f.header().*member).load(std::memory_order_acquire); };
    };
    py::class_<Recorder>(m, "Recorder", "Where a loop leaves what a journal is written from.");
    py::class_<BoundFlight, Recorder>(m, "Flight", R"(A ring of decisions and events over `memory`, which it lays out anew.

One thread puts, another takes; neither waits. What finds no room is dropped and counted, or with `newest` the oldest
make room. Without `capture` events are counted, not kept. Over a memory-mapped file, what was put outlives the process:
see `read`.)")
        .def(py::init([](const py::buffer& memory, bool newest, bool capture, std::uint64_t state) {
            return std::make_unique<BoundFlight>(memory.request(true), newest, capture, state);
        }), py::arg("memory"), py::arg("newest") = false, py::arg("capture") = true, py::arg("state") = 0)
        .def("put", [](BoundFlight& f, const py::buffer& decision, const py::buffer& context, const py::buffer& given,
                       const py::buffer& card, const py::array_t<double, py::array::c_style>& row) {
            py::buffer_info d, c, g, s;
            return f.put(of<decide::Decision>(decision, d, "decision"), of<decide::Context>(context, c, "context"), of<decide::Given>(given, g, "given"),
                         of<decide::Scorecard>(card, s, "card"), row.data(), static_cast<std::size_t>(row.size()));
        }, "One decision as the bytes of its records. False: no room, dropped and counted.",
           py::arg("decision"), py::arg("context"), py::arg("given"), py::arg("card"), py::arg("row"))
        .def("event", [](BoundFlight& f, const py::buffer& event) {
            py::buffer_info e;
            f.event(of<Event>(event, e, "event"));
        }, "One event, 64 bytes, before the engine takes it.", py::arg("event"))
        .def("take", [](const BoundFlight& f, std::uint64_t after, std::size_t limit) -> py::object {
            return records(f.memory(), after, f.header().head.load(std::memory_order_acquire), limit, false);
        }, R"(Up to `limit` decisions from `after` on, with the events between them, 64 of which count as one; and where the next
record begins.

A decision is (end, number of events before it, their hash, decision, context, given, card or None where it is the one's
before, row); events that follow each other are (end, number of the first, bytes).)", py::arg("after"), py::arg("limit"))
        .def("release", [](BoundFlight& f, std::uint64_t to) {
            if (to < f.header().tail.load() || to > f.header().head.load()) throw py::value_error("to: not between tail and head");
            f.release(to);
        }, "Records before `to` are taken care of: their room is free again.", py::arg("to"))
        .def("leave", [](BoundFlight& f) { f.leave(); }, "As close, and nothing is counted in the memory either: it is another process's.")
        .def("close", [](BoundFlight& f) { f.close(); }, "From now on decisions are dropped and counted, events counted.")
        .def_property_readonly("capacity", [](const BoundFlight& f) { return f.header().capacity; }, "Bytes for records.")
        .def_property_readonly("head", counter(&Header::head), "Bytes ever put.")
        .def_property_readonly("tail", counter(&Header::tail), "Bytes ever released.")
        .def_property_readonly("events", counter(&Header::events), "Events that came.")
        .def_property_readonly("state", counter(&Header::state), "Hash of the events that came, and of what it began with.")
        .def_property_readonly("drops", counter(&Header::drops), "Decisions that found no room.")
        .def_property_readonly("lost", counter(&Header::lost), "Events that found no room.")
        .def_static("read", [](const py::buffer& image, const py::object& after, std::size_t limit) -> py::object {
            const py::buffer_info info = image.request();
            const auto memory = BoundFlight::bytes(info);
            const Header* header = Flight::of(memory);
            if (!header) return py::none();
            const std::uint64_t head = header->head.load(), tail = header->tail.load(), capacity = header->capacity;
            std::uint64_t from = after.is_none() ? tail : after.cast<std::uint64_t>();
            if (from > head) from = head;  // the copy is older than the mark
            if (head - from > capacity) from = tail;
            py::tuple found = records(memory, from, head, limit, true);
            if (from < tail && found[0].cast<py::list>().empty()) found = records(memory, tail, head, limit, true);
            return py::make_tuple(found[0], found[1], standing(*header));
        }, R"(What is in a copy or a left-over file of a ring: the whole records from `after` on (None: from its tail), where the
next one would begin, and how it stood (head, tail, events, drops, lost). None where there is no ring.)",
           py::arg("image"), py::arg("after") = py::none(), py::arg("limit") = std::size_t{1} << 60);
}

}  // namespace smartcore
