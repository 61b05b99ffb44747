// The loop inside a Python object: what it refers to lives as long as it does.
#pragma once
#include <memory>

#include "bind/bind.hpp"
#include "bot/lane.hpp"

namespace smartcore {

// A Python error that nobody could be told of where it arose: KeyboardInterrupt within a model's step.
class Interrupt {
public:
    void keep() noexcept {  // the error that is set; the first one counts
        if (type_) return PyErr_Clear();
        PyErr_Fetch(&type_, &value_, &trace_);
    }
    bool set() const noexcept { return type_; }
    void restore() noexcept {
        PyErr_Restore(type_, value_, trace_);
        type_ = value_ = trace_ = nullptr;
    }
    Interrupt() = default;
    Interrupt(const Interrupt&) = delete;
    ~Interrupt() { Py_XDECREF(type_), Py_XDECREF(value_), Py_XDECREF(trace_); }

private:
    PyObject *type_ = nullptr, *value_ = nullptr, *trace_ = nullptr;
};

struct BoundLoop {
    py::object engine_object;
    BoundEngine* engine = nullptr;
    py::object monotonic, wall;                        // callables, or none
    std::vector<std::shared_ptr<Speaker>> speakers;
    std::shared_ptr<Loop> loop;                         // arrays over its memory hold it too: held by this they would never be collected
    std::shared_ptr<Interrupt> interrupt = std::make_shared<Interrupt>();
    std::string engine_header;
    py::object recorder;                               // the one it puts into, or none
    Lane* away = nullptr;                              // that has it (register_lane.cpp)
    bool native = true;                                // nothing in it asks for the interpreter: it may run without the GIL

    static void* operator new(std::size_t n) { return std::memset(::operator new(n), 0, n); }
    static void operator delete(void* p) noexcept { ::operator delete(p); }
};

}  // namespace smartcore
