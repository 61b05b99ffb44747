// The core's own tests, without Python: CASE registers a function, CHECK aborts with the place and the text.
//
//     CASE(ring_forgets_the_oldest) { CHECK(ring.sum() == 3.0); }
#pragma once

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace check {

struct Case {
    const char* name;
    void (*run)();
};

inline std::vector<Case>& cases() {
    static std::vector<Case> all;
    return all;
}

inline bool add(const char* name, void (*run)()) {
    cases().push_back({name, run});
    return true;
}

[[noreturn]] inline void fail(const char* file, int line, const char* text) {
    std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, text);
    std::abort();  // not exit: a sanitizer or debugger then shows the stack
}

}  // namespace check

#define CHECK(...) ((__VA_ARGS__) ? void() : check::fail(__FILE__, __LINE__, #__VA_ARGS__))
#define CASE(name)                                                   \
    static void name();                                              \
    [[maybe_unused]] static const bool name##_added = check::add(#name, name); \
    static void name()
