#include <cstring>

#include "bind/calls.hpp"
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
    BoundPanel(const py::list& list, const py::dict& symbols, std::uint32_t reference, std::int64_t interval, std::int64_t stale, double memory)
        : BoundPanel(list, bound(list), symbols, reference, interval, stale, memory) {}
    BoundPanel(const py::list& list, const std::vector<BoundEngine*>& all, const py::dict& symbols, std::uint32_t reference, std::int64_t interval,
               std::int64_t stale, double memory)
        : Panel({all.begin(), all.end()}, reference, interval, stale, memory), owners(list), symbols(symbols), engines(all) {}
    py::list owners;
    py::dict symbols;  // to their places
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

// ---- the calls made once per event, as those of an engine ----

BoundPanel* panel_of(PyObject* self) noexcept {
    auto* object = reinterpret_cast<py::detail::instance*>(self);
    if (object->simple_holder_constructed) return static_cast<BoundPanel*>(object->simple_value_holder[0]);
    PyErr_SetString(PyExc_TypeError, "Panel.__init__ was not called");
    return nullptr;
}

bool place(const BoundPanel& panel, PyObject* symbol, Event& e) {
    PyObject* found = PyDict_GetItemWithError(panel.symbols.ptr(), symbol);
    if (found) {
        e.instrument = static_cast<std::uint32_t>(PyLong_AsLong(found));
        return true;
    }
    if (PyErr_Occurred()) return false;
    std::string text = "no instrument " + py::cast<std::string>(py::repr(symbol)) + " in this panel; there are";
    for (const auto& [name, at] : panel.symbols) text += " " + py::cast<std::string>(py::str(name));
    PyErr_SetString(PyExc_KeyError, text.c_str());
    return false;
}

PyObject* feed(BoundPanel& panel, const Event& e) {
    try {
        return PyBool_FromLong(take(panel, e));
    } catch (py::error_already_set& error) {
        error.restore();
        return nullptr;
    }
}

bool side_fits(const Fault& fault) {
    if (fault) raise("InvalidEvent", "side = " + std::to_string(static_cast<std::int64_t>(fault.value)) + " " + fault.what);
    return !fault;
}

PyObject* on_bar(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"symbol", "ts", "open", "high", "low", "close", "volume", "turnover"};
    PyObject* given[8] = {};
    BoundPanel* panel = panel_of(self);
    Event e{};
    e.kind = Type::bar;
    if (!panel || !arrange("on_bar", names, 7, args, n, keywords, given) || !place(*panel, given[0], e) || !integer(given[1], e.ts) ||
        !numbers(given, 2, 6, e.v))
        return nullptr;
    return feed(*panel, e);
}

PyObject* on_trade(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"symbol", "ts", "price", "size", "side"};
    PyObject* given[5] = {};
    BoundPanel* panel = panel_of(self);
    Event e{};
    e.kind = Type::trade;
    std::int64_t side = 0;
    if (!panel || !arrange("on_trade", names, 4, args, n, keywords, given) || !place(*panel, given[0], e) || !integer(given[1], e.ts) ||
        !numbers(given, 2, 2, e.v) || (given[4] && !integer(given[4], side)) || !side_fits(check_trade_side(side)))
        return nullptr;
    e.side = static_cast<std::int8_t>(side);
    return feed(*panel, e);
}

PyObject* on_depth(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"symbol", "ts", "side", "price", "size", "last", "snapshot"};
    PyObject* given[7] = {};
    BoundPanel* panel = panel_of(self);
    Event e{};
    e.kind = Type::depth;
    std::int64_t side = 0;
    if (!panel || !arrange("on_depth", names, 5, args, n, keywords, given) || !place(*panel, given[0], e) || !integer(given[1], e.ts) ||
        !integer(given[2], side) || !numbers(given, 3, 2, e.v) || !side_fits(check_depth_side(side)))
        return nullptr;
    const int last = given[5] ? PyObject_IsTrue(given[5]) : 1, snapshot = given[6] ? PyObject_IsTrue(given[6]) : 0;
    if (last < 0 || snapshot < 0) return nullptr;
    e.side = static_cast<std::int8_t>(side);
    e.flags = static_cast<std::uint8_t>((last ? kLast : 0) | (snapshot ? kSnapshot : 0));
    return feed(*panel, e);
}

PyObject* on_quote(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"symbol", "ts", "bid", "bid_size", "ask", "ask_size"};
    PyObject* given[6] = {};
    BoundPanel* panel = panel_of(self);
    Event e{};
    e.kind = Type::quote;
    if (!panel || !arrange("on_quote", names, 6, args, n, keywords, given) || !place(*panel, given[0], e) || !integer(given[1], e.ts) ||
        !numbers(given, 2, 4, e.v))
        return nullptr;
    return feed(*panel, e);
}

PyObject* on_event(PyObject* self, PyObject* arg) {
    BoundPanel* panel = panel_of(self);
    Py_buffer view;
    if (!panel || PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) != 0) return nullptr;
    Event e;
    const Py_ssize_t length = view.len;
    if (length == sizeof e) std::memcpy(&e, view.buf, sizeof e);
    PyBuffer_Release(&view);
    if (length == sizeof e) return feed(*panel, e);
    PyErr_Format(PyExc_TypeError, "on_event() takes one record of smartcore.EVENT, 64 bytes (%zd given)", length);
    return nullptr;
}

template <class F>
PyCFunction c(F* f) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

#define SAYS "True: the clock ticked before it was applied. KeyError, InvalidEvent, OutOfOrder."
PyMethodDef calls[] = {
    {"on_bar", c(on_bar), METH_FASTCALL | METH_KEYWORDS,
     "on_bar(self: smartcore._core.Panel, symbol: str, ts: int, open: float, high: float, low: float, close: float, volume: float, turnover: float = 0.0) -> bool\n\n"
     "A complete bar, as Engine.on_bar. " SAYS},
    {"on_trade", c(on_trade), METH_FASTCALL | METH_KEYWORDS,
     "on_trade(self: smartcore._core.Panel, symbol: str, ts: int, price: float, size: float, side: int = 0) -> bool\n\n"
     "A trade, as Engine.on_trade. " SAYS},
    {"on_depth", c(on_depth), METH_FASTCALL | METH_KEYWORDS,
     "on_depth(self: smartcore._core.Panel, symbol: str, ts: int, side: int, price: float, size: float, last: bool = True, snapshot: bool = False) -> bool\n\n"
     "A price level's new total size, as Engine.on_depth. " SAYS},
    {"on_quote", c(on_quote), METH_FASTCALL | METH_KEYWORDS,
     "on_quote(self: smartcore._core.Panel, symbol: str, ts: int, bid: float, bid_size: float, ask: float, ask_size: float) -> bool\n\n"
     "Best bid and ask, as Engine.on_quote. " SAYS},
    {"on_event", c(on_event), METH_O,
     "on_event(self: smartcore._core.Panel, event: typing.Any) -> bool\n\n"
     "One record of dtype smartcore.EVENT; its instrument is the place of the symbol in symbols. " SAYS},
    {nullptr, nullptr, 0, nullptr},
};
#undef SAYS

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
    std::vector<Event> aligned;
    const std::span<const Event> events = events_of(array, aligned);
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
    py::class_<BoundPanel> panel(m, "Panel", "Several engines on one clock. Use smartcore.Panel.");
    panel
        .def(py::init<const py::list&, const py::dict&, Index, Time, Time, double>(), py::arg("engines"), py::arg("places"), py::arg("reference"), py::arg("interval"),
             py::arg("stale"), py::arg("memory"))
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
        .def_property_readonly("_ts", [](const BoundPanel& p) { return p.last(); }, "Time of the last tick, ns UTC.");
    add_calls(reinterpret_cast<PyTypeObject*>(panel.ptr()), calls);
}

}  // namespace smartcore
