// Arguments of the calls made per event, read and checked. Everywhere false means that a Python error is set.
#pragma once
#include "bind/bind.hpp"

namespace smartcore {

// `arrange` puts positional and keyword arguments in order, nullptr where an optional one was left out; the numbers that were
// given are read over what stands there.
bool number(PyObject* from, double& to) noexcept;
bool integer(PyObject* from, std::int64_t& to) noexcept;
bool arrange(const char* call, std::span<const char* const> names, std::size_t required, PyObject* const* args, Py_ssize_t n,
             PyObject* keywords, PyObject** given) noexcept;
bool numbers(PyObject** given, std::size_t from, std::size_t count, double* to) noexcept;

bool refuse(const Fault& fault);  // InvalidEvent; always false
// 1: take it, 0: drop it (counted), -1: OutOfOrder is set.
int in_order(BoundEngine& engine, std::int64_t ts);

// An event, all zeros before. Sides are checked, for they are cut to 8 bits; all else is check()'s.
using Read = bool(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Event& e);
Read read_bar, read_trade, read_depth, read_quote, read_score, read_aux, read_peer, read_basket, read_factor;
bool read_event(PyObject* from, Event& e);

struct Message {
    std::int64_t ts, first, last, prev;  // ids of the sequence, -1 none
    bool snapshot;
    std::vector<Event> levels;           // each checked
};
bool read_message(PyObject* const* args, Py_ssize_t n, PyObject* keywords, Message& m);

// Does a message, which is not late, follow on the book? `known`: the book already holds it. `yes`: `levels` are to be applied, which
// are a single gap where something is missing between. `empty`: there is nothing to apply.
enum class Follows { yes, known, empty };
Follows follows(Engine::State& state, Message& m);

template <class F>
PyCFunction c_function(F* f) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

}  // namespace smartcore
