// The loop as smartcore.Orchestrator inherits it. Calls per event are plain C functions, as the engine's are (hot.cpp).
#include <chrono>

#include "bind/calls.hpp"
#include "bind/loop.hpp"

namespace smartcore {
namespace {

// ---- a model that a Python object steps ----

// Its `step(row)` gives None (not warm, too few columns known) or (down, flat, up), or these and a novelty; what it raises is a failure.
class PySpeaker final : public Speaker {
public:
    PySpeaker(py::object model, py::object row, std::shared_ptr<Interrupt> interrupt)
        : model_(std::move(model)), row_(std::move(row)), step_(model_.attr("step")), interrupt_(std::move(interrupt)) {}
    ~PySpeaker() override {
        py::gil_scoped_acquire gil;
        step_ = row_ = model_ = py::object();
    }
    Said step(const double*, double (&to)[3], double& novelty) noexcept override {
        const PyGILState_STATE gil = PyGILState_Ensure();
        const Said said = ask(to, novelty);
        PyGILState_Release(gil);
        return said;
    }
    std::string snapshot() const override {
        py::gil_scoped_acquire gil;
        return py::cast<std::string>(py::bytes(model_.attr("snapshot")()));
    }
    void restore(std::string_view blob) override {
        py::gil_scoped_acquire gil;
        model_.attr("restore")(py::bytes(blob.data(), blob.size()));
    }

private:
    Said ask(double (&to)[3], double& novelty) noexcept {
        PyObject* said = PyObject_CallOneArg(step_.ptr(), row_.ptr());
        if (said == Py_None) {
            Py_DECREF(said);
            return Said::nothing;
        }
        bool read = said != nullptr;
        if (read && PyTuple_Check(said) && PyTuple_GET_SIZE(said) == 2) {
            PyObject* triple = Py_NewRef(PyTuple_GET_ITEM(said, 0));
            read = number(PyTuple_GET_ITEM(said, 1), novelty);
            Py_DECREF(said);
            said = triple;
        }
        read = read && triple(said, to);
        Py_XDECREF(said);
        if (read) return Said::yes;
        // Whatever a runtime may raise: the bot goes on without this model and says so. Not so where somebody wants it to stop.
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)) interrupt_->keep();
        else PyErr_Clear();
        return Said::failed;
    }
    static bool triple(PyObject* from, double (&to)[3]) noexcept {
        Py_buffer view;
        if (PyObject_CheckBuffer(from) && PyObject_GetBuffer(from, &view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) == 0) {
            const bool doubles = view.len == sizeof to && view.format && std::strcmp(view.format, "d") == 0;
            if (doubles) std::memcpy(to, view.buf, sizeof to);
            PyBuffer_Release(&view);
            if (doubles) return true;
        }
        PyErr_Clear();
        PyObject* all = PySequence_Fast(from, "scores must be three numbers");
        bool read = all && PySequence_Fast_GET_SIZE(all) == 3;
        for (Py_ssize_t i = 0; read && i < 3; ++i) read = number(PySequence_Fast_GET_ITEM(all, i), to[i]);
        Py_XDECREF(all);
        return read;
    }
    py::object model_, row_, step_;
    std::shared_ptr<Interrupt> interrupt_;
};

// ---- clocks ----

std::int64_t utc(void*) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}
std::int64_t told(BoundLoop& bound, const py::object& clock) noexcept {
    const PyGILState_STATE gil = PyGILState_Ensure();
    PyObject* ns = PyObject_CallNoArgs(clock.ptr());
    std::int64_t ts = 0;
    if (!ns || !integer(ns, ts)) bound.interrupt->keep();
    Py_XDECREF(ns);
    PyGILState_Release(gil);
    return ts;
}
std::int64_t monotonic(void* of) noexcept {
    auto& bound = *static_cast<BoundLoop*>(of);
    return bound.monotonic ? told(bound, bound.monotonic) : steady_clock().monotonic(nullptr);
}
std::int64_t wall(void* of) noexcept {
    auto& bound = *static_cast<BoundLoop*>(of);
    return told(bound, bound.wall);
}

// ---- making one ----

template <class T>
T record(const py::buffer& from, const char* what) {
    const py::buffer_info info = from.request();
    if (static_cast<std::size_t>(info.size * info.itemsize) != sizeof(T)) throw py::value_error(std::string(what) + ": a record of another size");
    T to;
    std::memcpy(static_cast<void*>(&to), info.ptr, sizeof to);
    return to;
}

Speaker* speaker_of(BoundLoop& bound, const py::object& model) {
    if (model.is_none()) return nullptr;
    if (py::isinstance<Speaker>(model)) {
        bound.speakers.push_back(model.cast<std::shared_ptr<Speaker>>());
    } else {
        bound.speakers.push_back(std::make_shared<PySpeaker>(model, bound.engine_object.attr("row"), bound.interrupt));
        bound.native = false;
    }
    return bound.speakers.back().get();
}

std::unique_ptr<BoundLoop> make(const py::object& engine, const py::dict& given) {
    auto bound = std::make_unique<BoundLoop>();
    bound->engine_object = engine;
    bound->engine = &engine.cast<BoundEngine&>();
    Setup setup;
    setup.policy = record<decide::Policy>(given["policy"], "policy");
    setup.inputs = record<decide::Inputs>(given["inputs"], "inputs");
    for (const py::handle item : given["seats"]) {
        const auto [at, every, first, calibrated, stand_in, stand_in_calibrated, stateful] =
            item.cast<std::tuple<std::size_t, std::int64_t, py::object, bool, py::object, bool, bool>>();
        if (at >= decide::kModels) throw py::index_error("seat");
        Seat& seat = setup.seats[at];
        seat.first = speaker_of(*bound, first), seat.stand_in = speaker_of(*bound, stand_in);
        seat.every = every, seat.calibrated = calibrated, seat.stand_in_calibrated = stand_in_calibrated, seat.stateful = stateful;
    }
    setup.every_bar = given["every_bar"].cast<bool>();
    setup.every_events = given["every_events"].cast<std::uint64_t>();
    setup.every_ns = given["every_ns"].cast<std::int64_t>();
    setup.bars_ns = given["bars_ns"].cast<std::int64_t>();
    setup.latency_ns = given["latency_ns"].cast<std::int64_t>();
    const auto [horizon_ns, bars, low, high, var_bars] = given["outcomes"].cast<std::tuple<std::int64_t, double, double, double, double>>();
    setup.outcomes = {horizon_ns, bars, low, high, var_bars};
    const auto [lot, tick, multiplier, min_size, fee_bps] = given["instrument"].cast<std::tuple<double, double, double, double, double>>();
    setup.lot = lot, setup.tick = tick, setup.multiplier = multiplier, setup.min_size = min_size, setup.fee_bps = fee_bps;
    bound->engine_header = given["engine_header"].cast<std::string>();
    const py::object clock = given["clock"], wall_clock = given["wall"];
    const py::module_ time = py::module_::import("time");
    if (!clock.is_none() && !clock.is(time.attr("perf_counter_ns"))) bound->monotonic = clock, bound->native = false;
    setup.clocks.of = bound.get();
    setup.clocks.monotonic = &monotonic;
    if (wall_clock.is(time.attr("time_ns"))) setup.clocks.wall = &utc;
    else if (!wall_clock.is_none()) bound->wall = wall_clock, bound->native = false, setup.clocks.wall = &wall;
    bound->loop = std::make_shared<Loop>(*bound->engine, setup);
    return bound;
}

BoundLoop* loop_of(PyObject* self) noexcept {
    auto* object = reinterpret_cast<py::detail::instance*>(self);
    if (object->simple_holder_constructed) {
        auto* bound = static_cast<BoundLoop*>(object->simple_value_holder[0]);
        if (bound->away) {
            PyErr_SetString(PyExc_RuntimeError, "a lane has this bot: feed that, or stop() it");
            return nullptr;
        }
        if (bound->loop) return bound;
    }
    PyErr_SetString(PyExc_TypeError, "Loop.__init__ was not called");
    return nullptr;
}

// ---- events ----

// The decision that was made, as the Python object that `_made` makes of its bytes.
PyObject* made(PyObject* self, BoundLoop& bound) {
    static PyObject* const name = PyUnicode_InternFromString("_made");
    PyObject* bytes = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&bound.loop->decision()), sizeof(decide::Decision));
    PyObject* decision = bytes ? PyObject_CallMethodOneArg(self, name, bytes) : nullptr;
    Py_XDECREF(bytes);
    bound.loop->done();
    if (bound.interrupt->set() && decision) {
        Py_DECREF(decision);
        bound.interrupt->restore();
        return nullptr;
    }
    return decision;
}
PyObject* answer(PyObject* self, BoundLoop& bound, bool decided) {
    if (decided) return made(self, bound);
    if (bound.interrupt->set()) {
        bound.interrupt->restore();
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyObject* take(PyObject* self, BoundLoop& bound, const Event& e) {
    if (Fault fault = bound.loop->refuse(e)) {
        refuse(fault);
        return nullptr;
    }
    if (bound.loop->late(e) && in_order(*bound.engine, e.ts) <= 0) return PyErr_Occurred() ? nullptr : Py_NewRef(Py_None);
    return answer(self, bound, bound.loop->on(e));
}

template <Read* read>
PyObject* on(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    BoundLoop* bound = loop_of(self);
    Event e{};
    return bound && read(args, n, keywords, e) ? take(self, *bound, e) : nullptr;
}
PyObject* on_event(PyObject* self, PyObject* arg) {
    BoundLoop* bound = loop_of(self);
    Event e;
    return bound && read_event(arg, e) ? take(self, *bound, e) : nullptr;
}

PyObject* on_depth_message(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    BoundLoop* bound = loop_of(self);
    if (!bound) return nullptr;
    Message message;  // of its own: a model's step may feed another bot meanwhile
    if (!read_message(args, n, keywords, message)) return nullptr;
    const int order = in_order(*bound->engine, message.ts);
    if (order <= 0) return order < 0 ? nullptr : Py_NewRef(Py_None);
    Loop& loop = *bound->loop;
    switch (follows(bound->engine->state(), message)) {
        case Follows::known: Py_RETURN_NONE;
        case Follows::empty: return answer(self, *bound, loop.advance(message.ts, kUnread, true));
        default: break;
    }
    bool decided = false;
    for (const Event& e : message.levels) decided = loop.on(e);  // nothing is decided before the last
    return answer(self, *bound, decided);
}

PyObject* advance(PyObject* self, PyObject* arg) {
    BoundLoop* bound = loop_of(self);
    Event e{};
    return bound && integer(arg, e.ts) ? take(self, *bound, e) : nullptr;
}

PyObject* decide_now(PyObject* self, PyObject* arg) {
    BoundLoop* bound = loop_of(self);
    std::int64_t ts;
    if (!bound || !integer(arg, ts)) return nullptr;
    bound->loop->decide(ts);
    return made(self, *bound);
}

// (decision or None, where to go on): events of an array from `at` on, until a decision is made or they end.
PyObject* feed(PyObject* self, PyObject* const* args, Py_ssize_t n) {
    BoundLoop* bound = loop_of(self);
    std::int64_t at = 0, end = 0;
    if (!bound) return nullptr;
    if (n != 3 || !integer(args[1], at) || !integer(args[2], end)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "_feed(events, begin, end)");
        return nullptr;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(args[0], &view, PyBUF_C_CONTIGUOUS) != 0) return nullptr;
    const auto size = static_cast<std::int64_t>(view.len / static_cast<Py_ssize_t>(sizeof(Event)));
    const char* bytes = static_cast<const char*>(view.buf);
    Loop& loop = *bound->loop;
    bool decided = false, late = false;
    Fault fault;
    end = std::min(end, size);
    const auto run = [&] {
        for (; at < end && !decided && !late && !fault && !bound->interrupt->set(); ++at) {
            Event e;  // a copy: the array may begin anywhere
            std::memcpy(&e, bytes + at * static_cast<std::int64_t>(sizeof e), sizeof e);
            if ((fault = loop.refuse(e))) break;
            if (loop.late(e)) {
                if ((late = !bound->engine->drop_late)) break;
                ++bound->engine->state().dropped;
                continue;
            }
            decided = loop.on(e);
        }
        return true;
    };
    if (bound->native) {
        without_gil(run);
    } else {
        run();
    }
    std::int64_t ts = 0;
    if (late) std::memcpy(&ts, bytes + at * static_cast<std::int64_t>(sizeof(Event)), sizeof ts);
    PyBuffer_Release(&view);
    if (fault) refuse(fault);
    if (late) in_order(*bound->engine, ts);
    if (fault || late) return nullptr;
    PyObject* decision = answer(self, *bound, decided);
    return decision ? Py_BuildValue("(NL)", decision, static_cast<long long>(at)) : nullptr;
}

#define SELF "self: smartcore._core.Loop"
PyMethodDef calls[] = {
    {"on_bar", c_function(on<read_bar>), METH_FASTCALL | METH_KEYWORDS,
     "on_bar(" SELF ", ts: int, open: float, high: float, low: float, close: float, volume: float, turnover: float = 0.0) -> smartcore.decide.Decision | None\n\n"
     "A complete bar, known at ``ts`` (ns UTC); as ``Engine.on_bar``. A Decision where the policy asks for one."},
    {"on_trade", c_function(on<read_trade>), METH_FASTCALL | METH_KEYWORDS,
     "on_trade(" SELF ", ts: int, price: float, size: float, side: int = 0) -> smartcore.decide.Decision | None\n\n"
     "A trade; ``side`` +1 the buyer was the aggressor, -1 the seller, 0 unknown. As ``Engine.on_trade``."},
    {"on_depth", c_function(on<read_depth>), METH_FASTCALL | METH_KEYWORDS,
     "on_depth(" SELF ", ts: int, side: int, price: float, size: float, last: bool = True, snapshot: bool = False) -> smartcore.decide.Decision | None\n\n"
     "A price level's new total; as ``Engine.on_depth``. Nothing is decided before ``last``."},
    {"on_quote", c_function(on<read_quote>), METH_FASTCALL | METH_KEYWORDS,
     "on_quote(" SELF ", ts: int, bid: float, bid_size: float, ask: float, ask_size: float) -> smartcore.decide.Decision | None\n\n"
     "Best bid and ask; a size of 0 is unknown. As ``Engine.on_quote``."},
    {"on_score", c_function(on<read_score>), METH_FASTCALL | METH_KEYWORDS,
     "on_score(" SELF ", ts: int, value: float, weight: float = 1.0, source: int | str = 0) -> smartcore.decide.Decision | None\n\n"
     "The sentiment of a text when it became known; ``source`` a name of SOURCES. As ``Engine.on_score``."},
    {"on_aux", c_function(on<read_aux>), METH_FASTCALL | METH_KEYWORDS,
     "on_aux(" SELF ", ts: int, series: int | str, value: float) -> smartcore.decide.Decision | None\n\n"
     "A new value of an auxiliary series, a name of SERIES: funding, open interest ... As ``Engine.on_aux``."},
    {"on_peer", c_function(on<read_peer>), METH_FASTCALL | METH_KEYWORDS,
     "on_peer(" SELF ", ts: int, price: float, volume: float = 0.0, net: float = 0.0, flow: float = 0.0, age: float = 0.0, updates: float = 1.0, source: int = 0) -> smartcore.decide.Decision | None\n\n"
     "What is known of another instrument now. As ``Engine.on_peer``."},
    {"on_basket", c_function(on<read_basket>), METH_FASTCALL | METH_KEYWORDS,
     "on_basket(" SELF ", ts: int, mean: float, dispersion: float, rank: float, breadth: float, flow: float, fresh: float = 1.0) -> smartcore.decide.Decision | None\n\n"
     "What is known of all instruments of a panel now. As ``Engine.on_basket``."},
    {"on_factor", c_function(on<read_factor>), METH_FASTCALL | METH_KEYWORDS,
     "on_factor(" SELF ", ts: int, share: float, loading: float, score: float) -> smartcore.decide.Decision | None\n\n"
     "The first principal component of a panel's returns now. As ``Engine.on_factor``."},
    {"on_event", c_function(on_event), METH_O,
     "on_event(" SELF ", event: typing.Any) -> smartcore.decide.Decision | None\n\n"
     "One record of dtype ``EVENT``, or its 64 bytes. As ``Engine.on_event``; kind 0 is time that passes, as :meth:`advance`."},
    {"on_depth_message", c_function(on_depth_message), METH_FASTCALL | METH_KEYWORDS,
     "on_depth_message(" SELF ", ts: int, bids: typing.Any, asks: typing.Any, snapshot: bool = False, first_id: int | None = None, last_id: int | None = None, prev_id: int | None = None) -> smartcore.decide.Decision | None\n\n"
     "A whole depth message, levels as (price, size); ids are checked for gaps. As ``Engine.on_depth_message``."},
    {"advance", c_function(advance), METH_O,
     "advance(" SELF ", ts: int) -> smartcore.decide.Decision | None\n\n"
     "Time passes without an event. Call it from a timer: bars end, decisions fall due and data grow old on time, also where the\n"
     "feed is silent."},
    {"_decide", c_function(decide_now), METH_O, "_decide(" SELF ", ts: int) -> smartcore.decide.Decision\n\nA decision now."},
    {"_feed", c_function(feed), METH_FASTCALL,
     "_feed(" SELF ", events: typing.Any, begin: int, end: int) -> tuple[smartcore.decide.Decision | None, int]\n\n"
     "Events of an array until one decides or they end, and where to go on; without the GIL where no model asks for it."},
    {nullptr, nullptr, 0, nullptr},
};
#undef SELF

// pybind11 also makes memory for an object whose __init__ never ran.
Loop& in(const BoundLoop& bound) {
    if (!bound.loop) throw py::type_error("Loop.__init__ was not called");
    return *bound.loop;
}
// The same, where no lane's thread is in it.
Loop& still(const BoundLoop& bound) {
    if (bound.away) throw std::runtime_error("a lane has this bot: stop() it first");
    return in(bound);
}
template <class T>
py::bytes bytes_of(const T& value) {
    return py::bytes(reinterpret_cast<const char*>(&value), sizeof value);
}
py::capsule owner(const BoundLoop& bound) {
    return py::capsule(new std::shared_ptr<Loop>(bound.loop), [](void* p) { delete static_cast<std::shared_ptr<Loop>*>(p); });
}
py::object known_or_none(bool is, double value) { return is ? py::object(py::float_(value)) : py::none(); }

}  // namespace

void register_loop(py::module_& m) {
    py::class_<BoundLoop> loop(m, "Loop", "The loop of one instrument. Use smartcore.Orchestrator.");
    loop.def(py::init(&make), py::arg("engine"), py::arg("setup"))
        .def_property_readonly("ts", [](const BoundLoop& b) { return in(b).ts(); },
                               "Time of the last event, ns UTC; before the first one far in the past.")
        .def_property_readonly("decisions", [](const BoundLoop& b) { return in(b).decisions(); }, "Decisions so far.")
        .def_property("position", [](const BoundLoop& b) { return in(b).account().position; },
                      [](BoundLoop& b, double x) { still(b).account().position = x; }, "Signed contracts held.")
        .def_property("correlated", [](const BoundLoop& b) { return in(b).account().correlated; },
                      [](BoundLoop& b, double x) { still(b).account().correlated = x; },
                      "Signed value over equity of positions in instruments that move with this one.")
        .def_property("health", [](const BoundLoop& b) { return known_or_none(known(in(b).account().health), in(b).account().health); },
                      [](BoundLoop& b, const py::object& x) {
                          const double health = x.is_none() ? kNaN : x.cast<double>();
                          if (b.away) b.away->health(health);
                          else in(b).account().health = health;
                      }, "0 to 100 as monitors see it, None unknown. In a lane it counts for events pushed from now on.")
        .def_property("equity", [](const BoundLoop& b) { return known_or_none(in(b).account().equity_known, in(b).account().equity); },
                      [](BoundLoop& b, const py::object& x) {
                          Account& a = still(b).account();
                          a.equity_known = !x.is_none();
                          a.equity = x.is_none() ? kNaN : x.cast<double>();
                          if (a.equity > a.peak && a.equity < kInf) a.peak = a.equity;
                      }, "Account value in quote currency, None unknown; its peak is remembered for ``drawdown``.")
        .def_property_readonly("drawdown", [](const BoundLoop& b) { return in(b).account().drawdown(); },
                               "Fraction by which equity is below its peak.")
        .def_property_readonly("_newly_failed", [](const BoundLoop& b) { return in(b).newly_failed(); })
        .def_property_readonly("_missed", [](const BoundLoop& b) { return in(b).missed(); })
        .def_property_readonly("_native", [](const BoundLoop& b) { return b.native; })
        .def("_context", [](const BoundLoop& b) { return bytes_of(in(b).context()); })
        .def("_given", [](const BoundLoop& b) { return bytes_of(in(b).given()); })
        .def("_card", [](const BoundLoop& b) { return bytes_of(in(b).scorecard()); })
        // (scores or None, what it did at its last step: 0 spoke, 1 nothing, 2 failed; failures; whether and how often the stand-in ...)
        .def("_voice", [](const BoundLoop& b, std::size_t seat) {
            if (seat >= decide::kModels) throw py::index_error("seat");
            const Voice& v = in(b).voice(seat);
            py::object scores = py::none();
            if (v.speaks()) scores = py::array_t<double>(3, v.triple);
            return py::make_tuple(scores, static_cast<int>(v.said), v.faults, v.fell_back, v.stand_in_faults, v.novelty);
        })
        .def("_memory", [](const BoundLoop& b) {  // of the scorecard
            return py::array(py::dtype::of<decide::Scorecard>(), 1, &in(b).scorecard(), owner(b));
        })
        .def("_record", [](BoundLoop& b, std::optional<Recorder*> recorder) {
            still(b).record(recorder.value_or(nullptr));
            b.recorder = recorder ? py::cast(*recorder, py::return_value_policy::reference) : py::none();
        }, py::arg("recorder"))
        .def("_latency", [](const BoundLoop& b) {
            static_assert(sizeof(Latency) % sizeof(std::int64_t) == 0);
            return py::array_t<std::int64_t>(sizeof(Latency) / sizeof(std::int64_t), &in(b).latency().count, owner(b));
        })
        .def("_outside", [](BoundLoop& b, const py::bytes& context) {
            still(b).outside(record<decide::Context>(context, "context"));
        })
        .def("_snapshot", [](const BoundLoop& b) { return py::bytes(still(b).snapshot(b.engine_header)); })
        .def("_restore", [](BoundLoop& b, const py::bytes& blob) { still(b).restore(std::string_view(blob)); })
        .def_static("_engine_of", [](const py::bytes& blob) { return py::bytes(Loop::engine_of(std::string_view(blob)).data(),
                                                                               Loop::engine_of(std::string_view(blob)).size()); });
    add_calls(reinterpret_cast<PyTypeObject*>(loop.ptr()), calls);
}

}  // namespace smartcore
