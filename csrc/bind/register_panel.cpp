#include <cstring>

#include "bind/bind.hpp"
#include "engine/panel.hpp"

namespace smartcore {
namespace {

std::vector<BoundEngine*> bound(const py::list& engines) {
    std::vector<BoundEngine*> all;
    for (py::handle engine : engines) all.push_back(engine.cast<BoundEngine*>());
    return all;
}

// A panel and the Python objects that own its engines.
struct BoundPanel : Panel {
    BoundPanel(const py::list& list, std::uint32_t reference, std::int64_t interval, std::int64_t stale, double memory)
        : BoundPanel(list, bound(list), reference, interval, stale, memory) {}
    BoundPanel(const py::list& list, const std::vector<BoundEngine*>& all, std::uint32_t reference, std::int64_t interval, std::int64_t stale, double memory)
        : Panel({all.begin(), all.end()}, reference, interval, stale, memory), owners(list), engines(all) {}
    py::list owners;
    std::vector<BoundEngine*> engines;
};

void fail(const char* name, const std::string& text) {
    raise(name, text);
    throw py::error_already_set();
}

Fault check(const BoundPanel& panel, const Event& e) noexcept {
    if (e.instrument >= panel.size()) return {"is not the number of an instrument of this panel", "instrument", static_cast<double>(e.instrument)};
    if (Fault fault = check(e)) return fault;
    if (e.kind == Type::bar && panel.engines[e.instrument]->state().clock.by() != BarClock::By::none)
        return {"is a bar, but this panel builds its bars from trades", "kind", 1};
    if (e.kind == Type::peer || e.kind == Type::basket || e.kind == Type::factor)
        return {"is what a panel itself tells its engines", "kind", static_cast<double>(e.kind)};
    return {};
}

// True: time passed a tick of the clock, which was fired before the event was applied.
bool take(BoundPanel& panel, const Event& e) {
    if (Fault fault = check(panel, e)) {
        char value[32];
        std::snprintf(value, sizeof value, "%.17g", fault.value);
        fail("InvalidEvent", std::string(fault.field) + " = " + value + " " + fault.what);
    }
    BoundEngine& engine = *panel.engines[e.instrument];
    if (e.ts < engine.state().ts) {
        if (!engine.drop_late)
            fail("OutOfOrder", "instrument " + std::to_string(e.instrument) + ": ts = " + std::to_string(e.ts) +
                                   " is before its last event or tick, " + std::to_string(engine.state().ts));
        ++engine.state().dropped;
        return false;
    }
    const bool ticks = panel.due(e.ts);
    if (ticks) panel.tick();
    panel.apply(e.instrument, e);
    return ticks;
}

Event blank(std::uint32_t i, std::int64_t ts, Type kind) noexcept {
    Event e{};
    e.ts = ts, e.kind = kind, e.instrument = i;
    return e;
}

void write(const BoundPanel& panel, double* to) noexcept {
    for (const BoundEngine* engine : panel.engines) {
        const std::size_t width = engine->plan().width();
        std::memcpy(to, engine->plan().row(), width * sizeof(double));
        to += width;
    }
}

// All is checked before anything is applied, and the ticks are counted: what is late depends on them. `begin(ticks)` is
// called between the two, `took(ts)` when a tick has fired.
template <class Begin, class Take>
void walk(BoundPanel& panel, const py::array& array, Begin&& begin, Take&& took) {
    if (!holds_events(array)) throw py::type_error("run() takes a contiguous one-dimensional array of dtype smartcore.EVENT");
    std::span<const Event> events(static_cast<const Event*>(array.data()), static_cast<std::size_t>(array.shape(0)));
    std::vector<Event> aligned;  // bytes from a file or a socket may begin anywhere
    if (!events.empty() && reinterpret_cast<std::uintptr_t>(array.data()) % alignof(Event) != 0) {
        aligned.resize(events.size());
        std::memcpy(static_cast<void*>(aligned.data()), array.data(), events.size_bytes());
        events = aligned;
    }
    const bool drop = panel.engines[0]->drop_late;
    std::vector<std::int64_t> known(panel.size());
    for (std::size_t i = 0; i < panel.size(); ++i) known[i] = panel.engines[i]->state().ts;
    std::vector<bool> late;
    std::size_t ticks = 0, culprit = 0;
    Fault fault;
    bool disorder = false;
    {
        py::gil_scoped_release release;
        std::int64_t due = panel.next(), last = panel.last();
        for (std::size_t n = 0; n < events.size(); ++n) {
            const Event& e = events[n];
            culprit = n;
            if ((fault = check(panel, e))) break;
            if (e.ts < known[e.instrument] || (ticks && e.ts < last)) {
                if ((disorder = !drop)) break;
                if (late.empty()) late.resize(events.size());
                late[n] = true;
                continue;
            }
            if (due != INT64_MIN && e.ts > due) ++ticks, last = due, due = INT64_MIN;
            known[e.instrument] = e.ts;
            if (due == INT64_MIN) due = Panel::due_after(e.ts, last, panel.interval());
        }
    }
    if (fault) fail("InvalidEvent", fault_text(fault, culprit));
    if (disorder)
        fail("OutOfOrder", "event " + std::to_string(culprit) + ": ts = " + std::to_string(events[culprit].ts) +
                               " is before the last event or tick of instrument " + std::to_string(events[culprit].instrument));
    begin(ticks);
    py::gil_scoped_release release;
    for (std::size_t i = 0; i < events.size(); ++i) {
        const Event& e = events[i];
        if (!late.empty() && late[i]) {
            ++panel.engines[e.instrument]->state().dropped;
            continue;
        }
        if (panel.due(e.ts)) took(panel.tick());
        panel.apply(e.instrument, e);
    }
}

py::tuple run(BoundPanel& panel, const py::array& array) {
    const auto n = static_cast<py::ssize_t>(panel.size()), k = static_cast<py::ssize_t>(panel.engines[0]->plan().width());
    py::array_t<std::int64_t> ts;
    py::array_t<double> table;
    std::int64_t* when = nullptr;
    double* rows = nullptr;
    walk(panel, array,
         [&](std::size_t ticks) {
             ts = py::array_t<std::int64_t>(static_cast<py::ssize_t>(ticks));
             table = py::array_t<double>({static_cast<py::ssize_t>(ticks), n, k});
             when = ts.mutable_data(), rows = table.mutable_data();
         },
         [&](std::int64_t at) {
             *when++ = at;
             write(panel, rows);
             rows += n * k;
         });
    return py::make_tuple(ts, table);
}

py::bytes told(BoundPanel& panel, const py::array& array) {
    std::vector<Event> log;
    panel.log = &log;
    try {
        walk(panel, array, [](std::size_t) {}, [](std::int64_t) {});
    } catch (...) {
        panel.log = nullptr;
        throw;
    }
    panel.log = nullptr;
    return py::bytes(reinterpret_cast<const char*>(log.data()), log.size() * sizeof(Event));
}

}  // namespace

void register_panel(py::module_& m) {
    using Index = std::uint32_t;
    using Time = std::int64_t;
    py::class_<BoundPanel>(m, "Panel", "Several engines on one clock. Use smartcore.Panel.")
        .def(py::init<const py::list&, Index, Time, Time, double>(), py::arg("engines"), py::arg("reference"), py::arg("interval"),
             py::arg("stale"), py::arg("memory"))
        .def("_bar", [](BoundPanel& p, Index i, Time ts, double open, double high, double low, double close, double volume, double turnover) {
            Event e = blank(i, ts, Type::bar);
            e.v[0] = open, e.v[1] = high, e.v[2] = low, e.v[3] = close, e.v[4] = volume, e.v[5] = turnover;
            return take(p, e);
        })
        .def("_trade", [](BoundPanel& p, Index i, Time ts, double price, double size, Time side) {
            if (Fault fault = check_trade_side(side)) fail("InvalidEvent", "side = " + std::to_string(side) + " " + fault.what);
            Event e = blank(i, ts, Type::trade);
            e.v[0] = price, e.v[1] = size, e.side = static_cast<std::int8_t>(side);
            return take(p, e);
        })
        .def("_depth", [](BoundPanel& p, Index i, Time ts, Time side, double price, double size, bool last, bool snapshot) {
            if (Fault fault = check_depth_side(side)) fail("InvalidEvent", "side = " + std::to_string(side) + " " + fault.what);
            Event e = blank(i, ts, Type::depth);
            e.v[0] = price, e.v[1] = size, e.side = static_cast<std::int8_t>(side);
            e.flags = static_cast<std::uint8_t>((last ? kLast : 0) | (snapshot ? kSnapshot : 0));
            return take(p, e);
        })
        .def("_quote", [](BoundPanel& p, Index i, Time ts, double bid, double bid_size, double ask, double ask_size) {
            Event e = blank(i, ts, Type::quote);
            e.v[0] = bid, e.v[1] = bid_size, e.v[2] = ask, e.v[3] = ask_size;
            return take(p, e);
        })
        .def("_event", [](BoundPanel& p, const py::buffer& record) {
            const py::buffer_info view = record.request();
            Event e;
            if (static_cast<std::size_t>(view.size * view.itemsize) != sizeof e) throw py::type_error("on_event() takes one record of smartcore.EVENT, 64 bytes");
            std::memcpy(&e, view.ptr, sizeof e);
            return take(p, e);
        })
        .def("_advance", [](BoundPanel& p, Time ts) {
            if (check_ts(ts)) fail("InvalidEvent", "ts = " + std::to_string(ts) + " is no time in ns UTC");
            const bool ticks = p.next() != INT64_MIN && ts >= p.next();
            if (ticks) p.tick();
            for (BoundEngine* engine : p.engines)
                if (ts > engine->state().ts) engine->pass(ts);
            return ticks;
        })
        .def("_run", &run)
        .def("_told", &told)
        .def("_state", [](const BoundPanel& p) { return py::bytes(p.state()); })
        .def("_restore", [](BoundPanel& p, const py::bytes& bytes) { return p.restore(std::string_view(bytes)); })
        .def_property_readonly("ticks", [](const BoundPanel& p) { return p.ticks(); }, "Ticks of the clock so far.")
        .def_property_readonly("ts", [](const BoundPanel& p) { return p.last(); }, "Time of the last tick, ns UTC.");
}

}  // namespace smartcore
