// The lane: a loop on a thread of its own, fed and read from Python (smartcore.bot.lane).
#include <map>
#include <optional>

#include "bind/calls.hpp"
#include "bind/loop.hpp"
#include "bot/lane.hpp"

namespace smartcore {
namespace {

struct BoundLane {
    py::object bot;
    BoundLoop* bound = nullptr;
    std::unique_ptr<Lane> lane;
    py::object events, due;  // of what plays
    bool has = false;        // the bot
    std::mutex ends;         // one thread at a time stops or plays; nobody waits for it with the GIL

    static void* operator new(std::size_t n) { return std::memset(::operator new(n), 0, n); }
    static void operator delete(void* p) noexcept { ::operator delete(p); }

    void stop() {  // a model that asks for the interpreter must get it meanwhile
        if (!lane) return;
        without_gil([this] {
            const std::lock_guard lock(ends);
            lane->stop_playing();
            lane->stop();
            return true;
        });
        if (lane->runs()) return;  // started anew by another thread meanwhile
        if (has) bound->away = nullptr, has = false;
        if (lane->played()) events = due = py::object();
    }
    void leave() {  // after a fork, in the child
        std::unique_ptr<Lane> fresh = lane->anew();
        (void)lane.release();
        lane = std::move(fresh);
        new (&ends) std::mutex;  // a thread that is not here may have held it
        stop();
    }
    ~BoundLane() { stop(); }
};

std::unique_ptr<BoundLane> make(const py::object& bot, std::size_t room, std::size_t kept, std::int64_t spin_ns, std::int64_t rehearse_ns,
                                std::int64_t advance_ns, int core, int priority) {
    auto made = std::make_unique<BoundLane>();
    made->bot = bot;
    made->bound = &bot.cast<BoundLoop&>();
    std::vector<Speaker*> models;
    for (const std::shared_ptr<Speaker>& speaker : made->bound->speakers) models.push_back(speaker.get());
    made->lane = std::make_unique<Lane>(*made->bound->loop, std::move(models), Lane::Options{room, kept, spin_ns, rehearse_ns, advance_ns, core, priority});
    return made;
}

BoundLane* lane_of(PyObject* self) noexcept {
    auto* object = reinterpret_cast<py::detail::instance*>(self);
    if (object->simple_holder_constructed) {
        auto* bound = static_cast<BoundLane*>(object->simple_value_holder[0]);
        if (bound->lane) return bound;
    }
    PyErr_SetString(PyExc_TypeError, "Lane.__init__ was not called");
    return nullptr;
}

PyObject* told(Lane::Pushed pushed) {
    if (pushed == Lane::Pushed::stopped) {
        PyErr_SetString(PyExc_RuntimeError, "the lane does not run: start() it");
        return nullptr;
    }
    return PyBool_FromLong(pushed == Lane::Pushed::yes);
}

PyObject* push(BoundLane& bound, const Event& e) {
    if (Fault fault = bound.bound->loop->refuse(e)) {
        refuse(fault);
        return nullptr;
    }
    return told(bound.lane->push(e, Lane::now()));
}

template <Read* read>
PyObject* on(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    BoundLane* bound = lane_of(self);
    Event e{};
    return bound && read(args, n, keywords, e) ? push(*bound, e) : nullptr;
}
PyObject* on_event(PyObject* self, PyObject* arg) {
    BoundLane* bound = lane_of(self);
    Event e;
    return bound && read_event(arg, e) ? push(*bound, e) : nullptr;
}
PyObject* advance(PyObject* self, PyObject* arg) {
    BoundLane* bound = lane_of(self);
    Event e{};
    return bound && integer(arg, e.ts) ? push(*bound, e) : nullptr;
}

// (bytes of the decision, arrived, ready, gates that began to fail, preemptions until then), or None.
PyObject* poll(PyObject* self, PyObject*) {
    BoundLane* bound = lane_of(self);
    if (!bound) return nullptr;
    Verdict verdict;
    if (!bound->lane->poll(verdict)) Py_RETURN_NONE;
    PyObject* raw = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&verdict.decision), sizeof verdict.decision);
    return raw ? Py_BuildValue("(NLLKK)", raw, static_cast<long long>(verdict.arrived), static_cast<long long>(verdict.ready),
                               static_cast<unsigned long long>(verdict.newly), static_cast<unsigned long long>(verdict.preempted))
               : nullptr;
}

#define SELF "self: smartcore._core.Lane"
PyMethodDef calls[] = {
    {"on_bar", c_function(on<read_bar>), METH_FASTCALL | METH_KEYWORDS,
     "on_bar(" SELF ", ts: int, open: float, high: float, low: float, close: float, volume: float, turnover: float = 0.0) -> bool\n\n"
     "A complete bar, known at ``ts`` (ns UTC). False: there was no room, and it was dropped."},
    {"on_trade", c_function(on<read_trade>), METH_FASTCALL | METH_KEYWORDS,
     "on_trade(" SELF ", ts: int, price: float, size: float, side: int = 0) -> bool\n\n"
     "A trade; ``side`` +1 the buyer was the aggressor, -1 the seller, 0 unknown."},
    {"on_depth", c_function(on<read_depth>), METH_FASTCALL | METH_KEYWORDS,
     "on_depth(" SELF ", ts: int, side: int, price: float, size: float, last: bool = True, snapshot: bool = False) -> bool\n\n"
     "A price level's new total. Nothing is decided before ``last``."},
    {"on_quote", c_function(on<read_quote>), METH_FASTCALL | METH_KEYWORDS,
     "on_quote(" SELF ", ts: int, bid: float, bid_size: float, ask: float, ask_size: float) -> bool\n\n"
     "Best bid and ask; a size of 0 is unknown."},
    {"on_score", c_function(on<read_score>), METH_FASTCALL | METH_KEYWORDS,
     "on_score(" SELF ", ts: int, value: float, weight: float = 1.0, source: int | str = 0) -> bool\n\n"
     "The sentiment of a text when it became known; ``source`` a name of SOURCES."},
    {"on_aux", c_function(on<read_aux>), METH_FASTCALL | METH_KEYWORDS,
     "on_aux(" SELF ", ts: int, series: int | str, value: float) -> bool\n\n"
     "A new value of an auxiliary series, a name of SERIES: funding, open interest ..."},
    {"on_event", c_function(on_event), METH_O,
     "on_event(" SELF ", event: typing.Any) -> bool\n\n"
     "One record of dtype ``EVENT``, or its 64 bytes; kind 0 is time that passes, as :meth:`advance`."},
    {"advance", c_function(advance), METH_O, "advance(" SELF ", ts: int) -> bool\n\nTime passes without an event."},
    {"_poll", c_function(poll), METH_NOARGS,
     "_poll(" SELF ") -> tuple[bytes, int, int, int, int] | None\n\n"
     "The oldest decision not read yet: its bytes, when the event arrived and when it was ready (monotonic ns), gates\nthat began to fail, preemptions of the thread until then."},
    {nullptr, nullptr, 0, nullptr},
};
#undef SELF

using Times = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

}  // namespace

void register_lane(py::module_& m) {
    py::class_<BoundLane> lane(m, "Lane", "A loop on a thread of its own. Use smartcore.bot.lane.Lane.");
    lane.def(py::init(&make), py::arg("bot"), py::arg("room"), py::arg("kept"), py::arg("spin_ns"), py::arg("rehearse_ns"),
             py::arg("advance_ns"), py::arg("core"), py::arg("priority"))
        .def("_start", [](BoundLane& b) {
            if (b.has) return;
            if (b.bound->away) throw std::runtime_error("another lane has this bot");
            b.lane->start();
            b.bound->away = b.lane.get(), b.has = true;
        })
        .def("_stop", &BoundLane::stop)
        .def("_leave", &BoundLane::leave)
        .def("_account", [](BoundLane& b, double position, std::optional<double> equity, double correlated, std::optional<double> health) {
            Account a;
            a.position = position, a.correlated = correlated, a.health = health.value_or(kNaN);
            a.equity = equity.value_or(kNaN), a.equity_known = equity.has_value();
            if (a.equity < kInf) a.peak = a.equity;  // NaN is below nothing; the lane keeps the higher one
            return b.lane->account(a) == Lane::Pushed::yes;
        })
        // How many were taken: fewer than there are where the lane stops.
        .def("_feed", [](BoundLane& b, const py::array& array) {
            std::vector<Event> aligned;
            const std::span<const Event> events = events_of(array, aligned);
            for (std::size_t i = 0; i < events.size(); ++i)
                if (Fault fault = b.bound->loop->refuse(events[i])) {
                    raise("InvalidEvent", fault_text(fault, i));
                    throw py::error_already_set();
                }
            static const std::atomic<bool> never{false};
            return without_gil([&] { return b.lane->feed(events, {}, never); });
        })
        .def("_play", [](BoundLane& b, const py::array& array, const Times& due) {
            std::vector<Event> aligned;
            const std::span<const Event> events = events_of(array, aligned);
            if (!aligned.empty()) throw py::value_error("events begin at an odd address: copy() them");
            if (due.size() != 0 && due.size() != static_cast<py::ssize_t>(events.size())) throw py::value_error("as many times as events");
            for (std::size_t i = 0; i < events.size(); ++i)
                if (Fault fault = b.bound->loop->refuse(events[i])) {
                    raise("InvalidEvent", fault_text(fault, i));
                    throw py::error_already_set();
                }
            py::object before[] = {array, due};  // until the mutex is let go: what ends with them may be anything
            std::unique_lock<std::mutex> lock(b.ends, std::defer_lock);
            without_gil([&] {
                lock.lock();
                b.lane->stop_playing();
                return true;
            });
            std::swap(b.events, before[0]), std::swap(b.due, before[1]);
            b.lane->play(events, {due.data(), static_cast<std::size_t>(due.size())});
        })
        .def("_stop_playing", [](BoundLane& b) {
            without_gil([&] {
                const std::lock_guard lock(b.ends);
                b.lane->stop_playing();
                return true;
            });
        })
        .def("_wait", [](BoundLane& b, std::int64_t ns) {
            return without_gil([&] { return b.lane->wait(ns); });
        })
        .def("_settle", [](BoundLane& b, std::int64_t ns) {
            return without_gil([&] { return b.lane->settle(ns); });
        })
        .def("_signal", [](BoundLane& b) { return b.lane->signal(); })
        .def("_counts", [](const BoundLane& b) {
            const Lane::Counts c = b.lane->counts();
            return std::map<std::string, std::uint64_t>{{"pushed", c.pushed}, {"taken", c.taken}, {"refused", c.refused}, {"late", c.late},
                                                        {"dropped", c.dropped}, {"decisions", c.decisions}, {"lost", c.lost}};
        })
        .def_property_readonly("runs", [](const BoundLane& b) { return b.lane->runs(); }, "Whether the thread is there.")
        .def_property_readonly("has_priority", [](const BoundLane& b) { return b.lane->has_priority(); },
                               "Whether the system allowed the priority that was asked for.")
        .def_property_readonly("plays", [](const BoundLane& b) { return !b.lane->played(); }, "Whether a recording still plays.")
        .def_property_readonly("fault", [](const BoundLane& b) { return b.lane->fault(); }, "Of the last event that was refused; empty: none.");
    add_calls(reinterpret_cast<PyTypeObject*>(lane.ptr()), calls);
}

}  // namespace smartcore
