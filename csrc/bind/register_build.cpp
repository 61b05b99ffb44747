#include "bind/bind.hpp"

namespace smartcore {

void raise(const char* name, const std::string& text) {
    py::object type = py::module_::import("smartcore.errors").attr(name);
    PyErr_SetString(type.ptr(), text.c_str());
}

// How this binary was built, for bug reports and benchmark results.
void register_build(py::module_& m) {
    m.attr("__version__") = SMARTCORE_VERSION;
    m.def("build_config", [] {
        py::dict d;
        d["version"] = SMARTCORE_VERSION;
#if defined(_MSC_VER)
        d["compiler"] = "MSVC " + std::to_string(_MSC_FULL_VER);
#else
        d["compiler"] = __VERSION__;
#endif
        d["cplusplus"] = static_cast<long>(__cplusplus);
#ifdef NDEBUG
        d["asserts"] = false;
#else
        d["asserts"] = true;
#endif
#if defined(__SANITIZE_ADDRESS__)
        d["sanitizer"] = "address,undefined";
#else
        d["sanitizer"] = py::none();
#endif
        d["pybind11"] = std::to_string(PYBIND11_VERSION_MAJOR) + "." + std::to_string(PYBIND11_VERSION_MINOR);
        return d;
    }, "How this binary was built: version, compiler, asserts, sanitizer.");
}

}  // namespace smartcore
