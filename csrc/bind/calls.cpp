// Arguments of the calls made per event, read and checked; shared by the engine (hot.cpp) and the loop (register_loop.cpp).
#include "bind/calls.hpp"

#include <algorithm>
#include <cstring>

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

bool refuse(const Fault& fault) {
    char value[32];
    std::snprintf(value, sizeof value, "%.17g", fault.value);
    raise("InvalidEvent", std::string(fault.field) + " = " + value + " " + fault.what);
    return false;
}

int in_order(BoundEngine& engine, std::int64_t ts) {
    if (ts >= engine.state().ts) return 1;
    if (engine.drop_late) {
        ++engine.state().dropped;
        return 0;
    }
    raise("OutOfOrder", "ts = " + std::to_string(ts) + " is before the last event's " + std::to_string(engine.state().ts));
    return -1;
}

namespace {

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

}  // namespace

bool read_bar(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "open", "high", "low", "close", "volume", "turnover"};
    PyObject* given[7] = {};
    e.kind = Type::bar;
    if (!arrange("on_bar", names, 6, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 6, e.v))
        return false;
    return true;
}

bool read_trade(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "price", "size", "side"};
    PyObject* given[4] = {};
    e.kind = Type::trade;
    std::int64_t side = 0;
    if (!arrange("on_trade", names, 3, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 2, e.v) ||
        (given[3] && !integer(given[3], side)))
        return false;
    if (Fault fault = check_trade_side(side)) return refuse(fault);  // before it is cut to 8 bits
    e.side = static_cast<std::int8_t>(side);
    return true;
}

bool read_depth(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "side", "price", "size", "last", "snapshot"};
    PyObject* given[6] = {};
    e.kind = Type::depth;
    std::int64_t side = 0;
    if (!arrange("on_depth", names, 4, args, n, keywords, given) || !integer(given[0], e.ts) || !integer(given[1], side) ||
        !numbers(given, 2, 2, e.v))
        return false;
    if (Fault fault = check_depth_side(side)) return refuse(fault);
    e.side = static_cast<std::int8_t>(side);
    const int last = given[4] ? PyObject_IsTrue(given[4]) : 1, snapshot = given[5] ? PyObject_IsTrue(given[5]) : 0;
    if (last < 0 || snapshot < 0) return false;
    e.flags = static_cast<std::uint8_t>((last ? kLast : 0) | (snapshot ? kSnapshot : 0));
    return true;
}

bool read_quote(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "bid", "bid_size", "ask", "ask_size"};
    PyObject* given[5] = {};
    e.kind = Type::quote;
    if (!arrange("on_quote", names, 5, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 4, e.v))
        return false;
    return true;
}

bool read_score(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "value", "weight", "source"};
    PyObject* given[4] = {};
    e.kind = Type::score;
    e.v[1] = 1;
    if (!arrange("on_score", names, 2, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 2, e.v) ||
        (given[3] && !named("source", kSources, given[3], e.source)))
        return false;
    return true;
}

bool read_aux(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "series", "value"};
    PyObject* given[3] = {};
    e.kind = Type::aux;
    if (!arrange("on_aux", names, 3, args, n, keywords, given) || !integer(given[0], e.ts) ||
        !named("series", kSeries, given[1], e.source) || !numbers(given, 2, 1, e.v))
        return false;
    return true;
}

bool read_peer(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "price", "volume", "net", "flow", "age", "updates", "source"};
    PyObject* given[8] = {};
    e.kind = Type::peer;
    e.v[5] = 1;
    if (!arrange("on_peer", names, 2, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 6, e.v) ||
        (given[7] && !named("source", {}, given[7], e.source)))
        return false;
    return true;
}

bool read_basket(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "mean", "dispersion", "rank", "breadth", "flow", "fresh"};
    PyObject* given[7] = {};
    e.kind = Type::basket;
    e.v[5] = 1;
    if (!arrange("on_basket", names, 6, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 6, e.v))
        return false;
    return true;
}

bool read_factor(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e) {
    static constexpr const char* names[] = {"ts", "share", "loading", "score"};
    PyObject* given[4] = {};
    e.kind = Type::factor;
    if (!arrange("on_factor", names, 4, args, n, keywords, given) || !integer(given[0], e.ts) || !numbers(given, 1, 3, e.v))
        return false;
    return true;
}

// Any event as its 64 bytes: one record of an array of dtype EVENT, or anything that gives them as a buffer.
bool read_event(PyObject* from, Event& e) {
    Py_buffer view;
    if (PyObject_GetBuffer(from, &view, PyBUF_SIMPLE) != 0) return false;
    const bool fits = view.len == sizeof(Event);
    if (fits) std::memcpy(&e, view.buf, sizeof e);
    const Py_ssize_t length = view.len;
    PyBuffer_Release(&view);
    if (!fits) PyErr_Format(PyExc_TypeError, "on_event() takes one record of smartcore.EVENT, 64 bytes (%zd given)", length);
    return fits;
}

// ---- a whole depth message ----

namespace {

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

}  // namespace

bool read_message(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Message& m) {
    static constexpr const char* names[] = {"ts", "bids", "asks", "snapshot", "first_id", "last_id", "prev_id"};
    PyObject* given[7] = {};
    if (!arrange("on_depth_message", names, 3, args, n, keywords, given) || !integer(given[0], m.ts)) return false;
    const int snapshot = given[3] ? PyObject_IsTrue(given[3]) : 0;
    if (snapshot < 0) return false;
    m.snapshot = snapshot;
    std::int64_t* const ids[] = {&m.first, &m.last, &m.prev};
    for (int i = 0; i < 3; ++i) {
        *ids[i] = -1;
        if (given[4 + i] && given[4 + i] != Py_None && !integer(given[4 + i], *ids[i])) return false;
    }
    if (Fault fault = check_ts(m.ts)) return refuse(fault);
    m.levels.clear();
    return side_of(given[1], 1, m.ts, m.levels) && side_of(given[2], -1, m.ts, m.levels);
}

Follows follows(Engine::State& state, Message& m) {
    if (!m.snapshot && m.last >= 0 && state.last_id >= 0) {
        if (m.last <= state.last_id) {  // older than what the book already holds
            ++state.dropped;
            return Follows::known;
        }
        // The first message after a snapshot may begin before it (Binance's rule); later ones must follow on.
        const bool follows = m.prev >= 0 ? m.prev == state.last_id : m.first < 0 || m.first == state.last_id + 1;
        // Ids of futures have holes: there it may also build on something before the snapshot and begin after it.
        const bool bridges = state.bridge && ((m.first >= 0 && m.first <= state.last_id + 1) || (m.prev >= 0 && m.prev <= state.last_id));
        if (!follows && !bridges) {
            Event gap{};
            gap.ts = m.ts;
            gap.kind = Type::gap;
            m.levels.assign(1, gap);
            state.last_id = m.last;
            return Follows::yes;
        }
    }
    if (m.last >= 0 || m.snapshot) state.last_id = m.last;  // after a snapshot without an id whatever comes follows on
    state.bridge = m.snapshot;
    if (m.snapshot && m.levels.empty()) {  // an empty book is a snapshot too: removing what is not there says so
        Event none{};
        none.ts = m.ts;
        none.kind = Type::depth;
        none.side = 1;
        none.v[0] = 1;
        m.levels.push_back(none);
    }
    if (m.levels.empty()) return Follows::empty;
    if (m.snapshot) m.levels.front().flags |= kSnapshot;
    m.levels.back().flags |= kLast;
    return Follows::yes;
}

}  // namespace smartcore
