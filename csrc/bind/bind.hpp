#pragma once
#include <cstring>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "engine/engine.hpp"

namespace smartcore {
namespace py = pybind11;

void register_build(py::module_& m);
void register_events(py::module_& m);
void register_catalogue(py::module_& m);
void register_book(py::module_& m);
void register_engine(py::module_& m);
void register_panel(py::module_& m);
void register_decide(py::module_& m);
void register_flight(py::module_& m);
void register_scorecard(py::module_& m);
void register_models(py::module_& m);
void register_loop(py::module_& m);
void register_lane(py::module_& m);

// The calls that a bot makes per event, as plain C functions on the class: see hot.cpp.
void add_hot_calls(PyTypeObject* engine);
void add_calls(PyTypeObject* type, PyMethodDef* calls);

// An event of an array that is refused, in words.
std::string fault_text(const Fault& fault, std::size_t i);
// The events of an array, or a Python TypeError. Bytes from a file or a socket may begin anywhere: they are then copied.
std::span<const Event> events_of(const py::array& array, std::vector<Event>& aligned);

// Runs `f`, which does not throw, without the GIL. Not gil_scoped_release: its destructor would end the process where a thread comes
// back to an interpreter that is gone by then (CPython ends the thread there, by unwinding it).
template <class F>
auto without_gil(F&& f) {
    PyThreadState* const state = PyEval_SaveThread();
    auto made = f();
    PyEval_RestoreThread(state);
    return made;
}

// Sets a Python error of the class `name` in smartcore.errors.
void raise(const char* name, const std::string& text);

// An engine and what its owner chose about bad input.
struct BoundEngine : Engine {
    using Engine::Engine;
    // pybind11 also takes memory here for an object whose __init__ never ran: zeros are an engine without features.
    static void* operator new(std::size_t n) { return std::memset(::operator new(n), 0, n); }
    static void operator delete(void* p) noexcept { ::operator delete(p); }
    bool drop_late = false;  // out_of_order="drop"
};

}  // namespace smartcore
