// The calls made once per event. They are plain C functions hung on the pybind11 class, because a pybind11 method with
// six floats costs 80 ns before it does anything, and these about 35 (bench/bench_engine.py).
#include <algorithm>
#include <cstring>

#include "bind/bind.hpp"
#include "market/series.hpp"

namespace smartcore {

bool number(PyObject* from, double& to) noexcept {
    if (PyFloat_CheckExact(from)) {
        to = PyFloat_AS_DOUBLE(from);
        return true;
    }
    to = PyFloat_AsDouble(from);
    return to != -1.0 || !PyErr_Occurred();
}
bool integer(PyObject* from, std::int64_t& to) noexcept {
    to = PyLong_AsLongLong(from);
    return to != -1 || !PyErr_Occurred();
}

// Puts positional and keyword arguments in order. `given` holds nullptr where an optional one was left out.
bool arrange(const char* call, std::span<const char* const> names, std::size_t required, PyObject* const* args, Py_ssize_t n,
             PyObject* keywords, PyObject** given) noexcept {
    const std::size_t N = names.size();
    if (static_cast<std::size_t>(n) > N) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zu arguments (%zd given)", call, N, n);
        return false;
    }
    for (Py_ssize_t i = 0; i < n; ++i) given[i] = args[i];
    const Py_ssize_t k = keywords ? PyTuple_GET_SIZE(keywords) : 0;
    for (Py_ssize_t j = 0; j < k; ++j) {
        PyObject* name = PyTuple_GET_ITEM(keywords, j);
        std::size_t i = 0;
        while (i < N && PyUnicode_CompareWithASCIIString(name, names[i]) != 0) ++i;
        if (i == N) {
            PyErr_Format(PyExc_TypeError, "%s() has no argument '%U'", call, name);
            return false;
        }
        if (given[i]) {
            PyErr_Format(PyExc_TypeError, "%s() got '%s' twice", call, names[i]);
            return false;
        }
        given[i] = args[n + j];
    }
    for (std::size_t i = 0; i < required; ++i) {
        if (!given[i]) {
            PyErr_Format(PyExc_TypeError, "%s() misses the argument '%s'", call, names[i]);
            return false;
        }
    }
    return true;
}
bool numbers(PyObject** given, std::size_t from, std::size_t count, double* to) noexcept {
    for (std::size_t i = 0; i < count; ++i)
        if (given[from + i] && !number(given[from + i], to[i])) return false;
    return true;
}

namespace {

// The engine inside a Python object: pybind11's own layout of an object with one C++ base.
BoundEngine* engine_of(PyObject* self) noexcept {
    auto* object = reinterpret_cast<py::detail::instance*>(self);
    if (object->simple_holder_constructed) return static_cast<BoundEngine*>(object->simple_value_holder[0]);
    PyErr_SetString(PyExc_TypeError, "Engine.__init__ was not called");
    return nullptr;
}

bool refuse(const Fault& fault) {
    char value[32];
    std::snprintf(value, sizeof value, "%.17g", fault.value);
    raise("InvalidEvent", std::string(fault.field) + " = " + value + " " + fault.what);
    return false;
}

// 1: take it, 0: drop it, -1: an error is set.
int in_order(BoundEngine& engine, std::int64_t ts) {
    if (ts >= engine.state().ts) return 1;
    if (engine.drop_late) {
        ++engine.state().dropped;
        return 0;
    }
    raise("OutOfOrder", "ts = " + std::to_string(ts) + " is before the last event's " + std::to_string(engine.state().ts));
    return -1;
}

PyObject* take(BoundEngine& engine, const Event& e) {
    if (e.kind == Type::bar && engine.state().clock.by() != BarClock::By::none) {
        raise("InvalidEvent", "a bar was fed, but this engine builds its bars from trades");
        return nullptr;
    }
    if (Fault fault = check(e)) {
        refuse(fault);
        return nullptr;
    }
    switch (in_order(engine, e.ts)) {
        case 1: engine.step(e); return PyBool_FromLong(engine.state().closed_bar);
        case 0: Py_RETURN_FALSE;
        default: return nullptr;
    }
}

PyObject* on_bar(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "open", "high", "low", "close", "volume", "turnover"};
    PyObject* given[7] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::bar;
    if (!engine || !arrange("on_bar", names, 6, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 6, e.v))
        return nullptr;
    return take(*engine, e);
}

PyObject* on_trade(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "price", "size", "side"};
    PyObject* given[4] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::trade;
    std::int64_t side = 0;
    if (!engine || !arrange("on_trade", names, 3, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 2, e.v) ||
        (given[3] && !integer(given[3], side)))
        return nullptr;
    if (Fault fault = check_trade_side(side)) {  // before it is cut to 8 bits
        refuse(fault);
        return nullptr;
    }
    e.side = static_cast<std::int8_t>(side);
    return take(*engine, e);
}

PyObject* on_depth(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "side", "price", "size", "last", "snapshot"};
    PyObject* given[6] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::depth;
    std::int64_t side = 0;
    if (!engine || !arrange("on_depth", names, 4, args, n, keywords, given) || !integer(given[0], e.ts) || !integer(given[1], side) ||
        !numbers(given, 2, 2, e.v))
        return nullptr;
    if (Fault fault = check_depth_side(side)) {
        refuse(fault);
        return nullptr;
    }
    e.side = static_cast<std::int8_t>(side);
    const int last = given[4] ? PyObject_IsTrue(given[4]) : 1, snapshot = given[5] ? PyObject_IsTrue(given[5]) : 0;
    if (last < 0 || snapshot < 0) return nullptr;
    e.flags = static_cast<std::uint8_t>((last ? kLast : 0) | (snapshot ? kSnapshot : 0));
    return take(*engine, e);
}

PyObject* on_quote(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "bid", "bid_size", "ask", "ask_size"};
    PyObject* given[5] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::quote;
    if (!engine || !arrange("on_quote", names, 5, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 4, e.v))
        return nullptr;
    return take(*engine, e);
}

// A source or series: its number, or its name.
bool named(const char* field, std::span<const std::string_view> names, PyObject* from, std::uint8_t& to) {
    std::int64_t number = 0;
    if (PyUnicode_Check(from)) {
        Py_ssize_t length = 0;
        const char* text = PyUnicode_AsUTF8AndSize(from, &length);
        if (!text) return false;
        const auto found = std::find(names.begin(), names.end(), std::string_view(text, static_cast<std::size_t>(length)));
        number = found == names.end() ? -1 : found - names.begin();
    } else if (!integer(from, number)) {
        return false;
    }
    if (number < 0 || number > 255) {
        std::string message = std::string(field) + " = " + py::cast<std::string>(py::repr(from)) + " must be 0..255 or one of";
        for (std::string_view name : names) message += " " + std::string(name);
        raise("InvalidEvent", message);
        return false;
    }
    to = static_cast<std::uint8_t>(number);
    return true;
}

PyObject* on_score(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "value", "weight", "source"};
    PyObject* given[4] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::score;
    e.v[1] = 1;
    if (!engine || !arrange("on_score", names, 2, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 2, e.v) ||
        (given[3] && !named("source", kSources, given[3], e.source)))
        return nullptr;
    return take(*engine, e);
}

PyObject* on_aux(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "series", "value"};
    PyObject* given[3] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::aux;
    if (!engine || !arrange("on_aux", names, 3, args, n, keywords, given) || !integer(given[0], e.ts) ||
        !named("series", kSeries, given[1], e.source) || !numbers(given, 2, 1, e.v))
        return nullptr;
    return take(*engine, e);
}

PyObject* on_peer(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "price", "volume", "net", "flow", "age", "updates", "source"};
    PyObject* given[8] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::peer;
    e.v[5] = 1;
    if (!engine || !arrange("on_peer", names, 2, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 6, e.v) ||
        (given[7] && !named("source", {}, given[7], e.source)))
        return nullptr;
    return take(*engine, e);
}

PyObject* on_basket(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "mean", "dispersion", "rank", "breadth", "flow", "fresh"};
    PyObject* given[7] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::basket;
    e.v[5] = 1;
    if (!engine || !arrange("on_basket", names, 6, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 6, e.v))
        return nullptr;
    return take(*engine, e);
}

PyObject* on_factor(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "share", "loading", "score"};
    PyObject* given[4] = {};
    BoundEngine* engine = engine_of(self);
    Event e{};
    e.kind = Type::factor;
    if (!engine || !arrange("on_factor", names, 4, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 3, e.v))
        return nullptr;
    return take(*engine, e);
}

// Any event as its 64 bytes: one record of an array of dtype EVENT, or anything that gives them as a buffer.
PyObject* on_event(PyObject* self, PyObject* arg) {
    BoundEngine* engine = engine_of(self);
    if (!engine) return nullptr;
    Py_buffer view;
    if (PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) != 0) return nullptr;
    Event e;
    const bool fits = view.len == sizeof(Event);
    if (fits) std::memcpy(&e, view.buf, sizeof e);
    const Py_ssize_t length = view.len;
    PyBuffer_Release(&view);
    if (!fits) {
        PyErr_Format(PyExc_TypeError, "on_event() takes one record of smartcore.EVENT, 64 bytes (%zd given)", length);
        return nullptr;
    }
    return take(*engine, e);
}

// ---- a whole depth message ----

// A price or size: a number, or decimal text as exchanges send it.
bool decimal(const char* field, PyObject* from, double& to) {
    if (!PyUnicode_Check(from)) return number(from, to);
    PyObject* parsed = PyFloat_FromString(from);
    if (!parsed) {
        PyErr_Clear();
        raise("InvalidEvent", std::string(field) + " = " + py::cast<std::string>(py::repr(from)) + " is no number");
        return false;
    }
    to = PyFloat_AS_DOUBLE(parsed);
    Py_DECREF(parsed);
    return true;
}

bool side_of(PyObject* levels, int side, std::int64_t ts, std::vector<Event>& to) {
    PyObject* rows = PySequence_Fast(levels, "bids and asks must be sequences of (price, size)");
    if (!rows) return false;
    bool ok = true;
    for (Py_ssize_t i = 0; ok && i < PySequence_Fast_GET_SIZE(rows); ++i) {
        PyObject* row = PySequence_Fast_GET_ITEM(rows, i);
        PyObject* pair = PyUnicode_Check(row) ? nullptr : PySequence_Fast(row, "a level must be (price, size)");
        if (!pair) {
            if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a level must be (price, size), not a text");
            ok = false;
            break;
        }
        Event e{};
        e.ts = ts;
        e.kind = Type::depth;
        e.side = static_cast<std::int8_t>(side);
        if (PySequence_Fast_GET_SIZE(pair) < 2) {
            raise("InvalidEvent", "a level must be (price, size)");
            ok = false;
        } else {
            ok = decimal("price", PySequence_Fast_GET_ITEM(pair, 0), e.v[0]) &&
                 decimal("size", PySequence_Fast_GET_ITEM(pair, 1), e.v[1]);
        }
        Py_DECREF(pair);
        if (ok) {
            if (Fault fault = check(e)) ok = refuse(fault);
        }
        to.push_back(e);
    }
    Py_DECREF(rows);
    return ok;
}

PyObject* on_depth_message(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    static constexpr const char* names[] = {"ts", "bids", "asks", "snapshot", "first_id", "last_id", "prev_id"};
    PyObject* given[7] = {};
    BoundEngine* engine = engine_of(self);
    std::int64_t ts, ids[3] = {-1, -1, -1};
    if (!engine || !arrange("on_depth_message", names, 3, args, n, keywords, given) || !integer(given[0], ts)) return nullptr;
    const int snapshot = given[3] ? PyObject_IsTrue(given[3]) : 0;
    if (snapshot < 0) return nullptr;
    for (int i = 0; i < 3; ++i)
        if (given[4 + i] && given[4 + i] != Py_None && !integer(given[4 + i], ids[i])) return nullptr;
    if (Fault fault = check_ts(ts)) {
        refuse(fault);
        return nullptr;
    }
    static thread_local std::vector<Event> message;
    message.clear();
    if (!side_of(given[1], 1, ts, message) || !side_of(given[2], -1, ts, message)) return nullptr;
    const int order = in_order(*engine, ts);
    if (order <= 0) return order < 0 ? nullptr : Py_NewRef(Py_False);

    const std::int64_t first = ids[0], last = ids[1], prev = ids[2];
    Engine::State& state = engine->state();
    if (!snapshot && last >= 0 && state.last_id >= 0) {
        if (last <= state.last_id) {  // older than what the book already holds
            ++state.dropped;
            Py_RETURN_FALSE;
        }
        // The first message after a snapshot may begin before it (Binance's rule); later ones must follow on.
        const bool follows = prev >= 0 ? prev == state.last_id : first < 0 || first == state.last_id + 1;
        // Ids of futures have holes: there it may also build on something before the snapshot and begin after it.
        const bool bridges = state.bridge && ((first >= 0 && first <= state.last_id + 1) || (prev >= 0 && prev <= state.last_id));
        if (!follows && !bridges) {
            Event gap{};
            gap.ts = ts;
            gap.kind = Type::gap;
            engine->step(gap);
            state.last_id = last;
            return PyBool_FromLong(state.closed_bar);
        }
    }
    if (last >= 0 || snapshot) state.last_id = last;  // after a snapshot without an id whatever comes follows on
    state.bridge = snapshot;
    if (snapshot && message.empty()) {  // an empty book is a snapshot too: removing what is not there says so
        Event none{};
        none.ts = ts;
        none.kind = Type::depth;
        none.side = 1;
        none.v[0] = 1;
        message.push_back(none);
    }
    if (message.empty()) return PyBool_FromLong(engine->pass(ts));  // nothing to apply
    if (snapshot) message.front().flags |= kSnapshot;
    message.back().flags |= kLast;
    bool closed = false;
    for (const Event& e : message) {
        engine->step(e);
        closed |= state.closed_bar;
    }
    state.closed_bar = closed;
    return PyBool_FromLong(closed);
}

PyObject* advance(PyObject* self, PyObject* arg) {
    BoundEngine* engine = engine_of(self);
    std::int64_t ts;
    if (!engine || !integer(arg, ts)) return nullptr;
    if (Fault fault = check_ts(ts)) {
        refuse(fault);
        return nullptr;
    }
    switch (in_order(*engine, ts)) {
        case 1: return PyBool_FromLong(engine->pass(ts));
        case 0: Py_RETURN_FALSE;
        default: return nullptr;
    }
}

template <class F>
PyCFunction c(F* f) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef calls[] = {
    {"on_bar", c(on_bar), METH_FASTCALL | METH_KEYWORDS,
     "on_bar(self: smartcore._core.Engine, ts: int, open: float, high: float, low: float, close: float, volume: float, turnover: float = 0.0) -> bool\n\n"
     "A complete bar. ts: when it was complete, ns UTC; prices above 0; volume in units, turnover in quote currency (0: unknown).\n"
     "True: a bar closed. InvalidEvent, OutOfOrder."},
    {"on_trade", c(on_trade), METH_FASTCALL | METH_KEYWORDS,
     "on_trade(self: smartcore._core.Engine, ts: int, price: float, size: float, side: int = 0) -> bool\n\nA trade. side: +1 the buyer was the aggressor, -1 the seller, 0 unknown.\n"
     "True: it, or the time until it, closed a bar. InvalidEvent, OutOfOrder."},
    {"on_depth", c(on_depth), METH_FASTCALL | METH_KEYWORDS,
     "on_depth(self: smartcore._core.Engine, ts: int, side: int, price: float, size: float, last: bool = True, snapshot: bool = False) -> bool\n\n"
     "A price level's new total size; 0 removes it. side: +1 bid, -1 ask. last: closes the message, features of the book follow.\n"
     "snapshot: empties the book first. True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_quote", c(on_quote), METH_FASTCALL | METH_KEYWORDS,
     "on_quote(self: smartcore._core.Engine, ts: int, bid: float, bid_size: float, ask: float, ask_size: float) -> bool\n\nBest bid and ask; a size of 0 means unknown. They are the book where no depth is fed.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_score", c(on_score), METH_FASTCALL | METH_KEYWORDS,
     "on_score(self: smartcore._core.Engine, ts: int, value: float, weight: float = 1.0, source: int | str = 0) -> bool\n\n"
     "The sentiment of a text when it became known. source: whose, a name of smartcore.SOURCES or its number.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_aux", c(on_aux), METH_FASTCALL | METH_KEYWORDS,
     "on_aux(self: smartcore._core.Engine, ts: int, series: int | str, value: float) -> bool\n\n"
     "A new value of an auxiliary series when it became known: funding, open interest, VIX ... series: a name of smartcore.SERIES or\n"
     "its number. True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_peer", c(on_peer), METH_FASTCALL | METH_KEYWORDS,
     "on_peer(self: smartcore._core.Engine, ts: int, price: float, volume: float = 0.0, net: float = 0.0, flow: float = 0.0, age: float = 0.0, updates: float = 1.0, source: int = 0) -> bool\n\n"
     "What is known of another instrument now: its price (NaN: missing); volume, signed volume, order flow and number of events since\n"
     "the last call; seconds since its last event. source 0 is the reference. A Panel makes these calls.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_basket", c(on_basket), METH_FASTCALL | METH_KEYWORDS,
     "on_basket(self: smartcore._core.Engine, ts: int, mean: float, dispersion: float, rank: float, breadth: float, flow: float, fresh: float = 1.0) -> bool\n\n"
     "What is known of all instruments of a panel now; NaN where too few are known. A Panel makes these calls.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_factor", c(on_factor), METH_FASTCALL | METH_KEYWORDS,
     "on_factor(self: smartcore._core.Engine, ts: int, share: float, loading: float, score: float) -> bool\n\n"
     "The first principal component of a panel's returns now; NaN where it is not known. A Panel makes these calls.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_event", c(on_event), METH_O,
     "on_event(self: smartcore._core.Engine, event: typing.Any) -> bool\n\nOne record of dtype smartcore.EVENT, whatever its kind. True: a bar closed. InvalidEvent, OutOfOrder."},
    {"on_depth_message", c(on_depth_message), METH_FASTCALL | METH_KEYWORDS,
     "on_depth_message(self: smartcore._core.Engine, ts: int, bids: typing.Any, asks: typing.Any, snapshot: bool = False, first_id: int | None = None, last_id: int | None = None, prev_id: int | None = None) -> bool\n\n"
     "A whole depth message: sequences of (price, size), numbers or decimal text. With ids the sequence is checked: an old message is\n"
     "dropped, a gap marks the book stale until the next snapshot. All or nothing is applied. InvalidEvent, OutOfOrder."},
    {"advance", c(advance), METH_O,
     "advance(self: smartcore._core.Engine, ts: int) -> bool\n\nTime passes without an event: a time bar that has ended is closed (True). OutOfOrder."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void add_calls(PyTypeObject* type, PyMethodDef* calls) {
    for (PyMethodDef* call = calls; call->ml_name; ++call) {
        py::object method = py::reinterpret_steal<py::object>(PyDescr_NewMethod(type, call));
        if (!method) throw py::error_already_set();
        py::setattr(reinterpret_cast<PyObject*>(type), call->ml_name, method);
    }
}
void add_hot_calls(PyTypeObject* engine) { add_calls(engine, calls); }

}  // namespace smartcore
