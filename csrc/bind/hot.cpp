// The calls made once per event. They are plain C functions hung on the pybind11 class, because a pybind11 method with
// six floats costs 80 ns before it does anything, and these about 35 (bench/bench_engine.py).
#include "bind/calls.hpp"

namespace smartcore {
namespace {

// The engine inside a Python object: pybind11's own layout of an object with one C++ base.
BoundEngine* engine_of(PyObject* self) noexcept {
    auto* object = reinterpret_cast<py::detail::instance*>(self);
    if (object->simple_holder_constructed) return static_cast<BoundEngine*>(object->simple_value_holder[0]);
    PyErr_SetString(PyExc_TypeError, "Engine.__init__ was not called");
    return nullptr;
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

template <Read* read>
PyObject* on(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    BoundEngine* engine = engine_of(self);
    Event e{};
    return engine && read(args, n, keywords, e) ? take(*engine, e) : nullptr;
}
PyObject* on_event(PyObject* self, PyObject* arg) {
    BoundEngine* engine = engine_of(self);
    Event e;
    return engine && read_event(arg, e) ? take(*engine, e) : nullptr;
}

PyObject* on_depth_message(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    BoundEngine* engine = engine_of(self);
    static thread_local Message message;
    if (!engine || !read_message(args, n, keywords, message)) return nullptr;
    const int order = in_order(*engine, message.ts);
    if (order <= 0) return order < 0 ? nullptr : Py_NewRef(Py_False);
    Engine::State& state = engine->state();
    switch (follows(state, message)) {
        case Follows::known: Py_RETURN_FALSE;
        case Follows::empty: return PyBool_FromLong(engine->pass(message.ts));
        default: break;
    }
    bool closed = false;
    for (const Event& e : message.levels) {
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

PyMethodDef calls[] = {
    {"on_bar", c_function(on<read_bar>), METH_FASTCALL | METH_KEYWORDS,
     "on_bar(self: smartcore._core.Engine, ts: int, open: float, high: float, low: float, close: float, volume: float, turnover: float = 0.0) -> bool\n\n"
     "A complete bar. ts: when it was complete, ns UTC; prices above 0; volume in units, turnover in quote currency (0: unknown).\n"
     "True: a bar closed. InvalidEvent, OutOfOrder."},
    {"on_trade", c_function(on<read_trade>), METH_FASTCALL | METH_KEYWORDS,
     "on_trade(self: smartcore._core.Engine, ts: int, price: float, size: float, side: int = 0) -> bool\n\nA trade. side: +1 the buyer was the aggressor, -1 the seller, 0 unknown.\n"
     "True: it, or the time until it, closed a bar. InvalidEvent, OutOfOrder."},
    {"on_depth", c_function(on<read_depth>), METH_FASTCALL | METH_KEYWORDS,
     "on_depth(self: smartcore._core.Engine, ts: int, side: int, price: float, size: float, last: bool = True, snapshot: bool = False) -> bool\n\n"
     "A price level's new total size; 0 removes it. side: +1 bid, -1 ask. last: closes the message, features of the book follow.\n"
     "snapshot: empties the book first. True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_quote", c_function(on<read_quote>), METH_FASTCALL | METH_KEYWORDS,
     "on_quote(self: smartcore._core.Engine, ts: int, bid: float, bid_size: float, ask: float, ask_size: float) -> bool\n\nBest bid and ask; a size of 0 means unknown. They are the book where no depth is fed.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_score", c_function(on<read_score>), METH_FASTCALL | METH_KEYWORDS,
     "on_score(self: smartcore._core.Engine, ts: int, value: float, weight: float = 1.0, source: int | str = 0) -> bool\n\n"
     "The sentiment of a text when it became known. source: whose, a name of smartcore.SOURCES or its number.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_aux", c_function(on<read_aux>), METH_FASTCALL | METH_KEYWORDS,
     "on_aux(self: smartcore._core.Engine, ts: int, series: int | str, value: float) -> bool\n\n"
     "A new value of an auxiliary series when it became known: funding, open interest, VIX ... series: a name of smartcore.SERIES or\n"
     "its number. True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_peer", c_function(on<read_peer>), METH_FASTCALL | METH_KEYWORDS,
     "on_peer(self: smartcore._core.Engine, ts: int, price: float, volume: float = 0.0, net: float = 0.0, flow: float = 0.0, age: float = 0.0, updates: float = 1.0, source: int = 0) -> bool\n\n"
     "What is known of another instrument now: its price (NaN: missing); volume, signed volume, order flow and number of events since\n"
     "the last call; seconds since its last event. source 0 is the reference. A Panel makes these calls.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_basket", c_function(on<read_basket>), METH_FASTCALL | METH_KEYWORDS,
     "on_basket(self: smartcore._core.Engine, ts: int, mean: float, dispersion: float, rank: float, breadth: float, flow: float, fresh: float = 1.0) -> bool\n\n"
     "What is known of all instruments of a panel now; NaN where too few are known. A Panel makes these calls.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_factor", c_function(on<read_factor>), METH_FASTCALL | METH_KEYWORDS,
     "on_factor(self: smartcore._core.Engine, ts: int, share: float, loading: float, score: float) -> bool\n\n"
     "The first principal component of a panel's returns now; NaN where it is not known. A Panel makes these calls.\n"
     "True: the time until it closed a bar. InvalidEvent, OutOfOrder."},
    {"on_event", c_function(on_event), METH_O,
     "on_event(self: smartcore._core.Engine, event: typing.Any) -> bool\n\nOne record of dtype smartcore.EVENT, whatever its kind. True: a bar closed. InvalidEvent, OutOfOrder."},
    {"on_depth_message", c_function(on_depth_message), METH_FASTCALL | METH_KEYWORDS,
     "on_depth_message(self: smartcore._core.Engine, ts: int, bids: typing.Any, asks: typing.Any, snapshot: bool = False, first_id: int | None = None, last_id: int | None = None, prev_id: int | None = None) -> bool\n\n"
     "A whole depth message: sequences of (price, size), numbers or decimal text. With ids the sequence is checked: an old message is\n"
     "dropped, a gap marks the book stale until the next snapshot. All or nothing is applied. InvalidEvent, OutOfOrder."},
    {"advance", c_function(advance), METH_O,
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
