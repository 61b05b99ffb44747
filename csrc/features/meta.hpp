// What a feature says about itself.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/number.hpp"

namespace smartcore {

using Params = std::span<const double>;

// A short list that can stand in a constant.
template <class T, std::size_t N>
struct List {
    T items[N] = {};
    std::size_t n = 0;
    constexpr List() = default;
    constexpr List(std::initializer_list<T> from) {
        for (const T& x : from) items[n++] = x;
    }
    constexpr const T* begin() const { return items; }
    constexpr const T* end() const { return items + n; }
    constexpr std::size_t size() const { return n; }
    constexpr const T& operator[](std::size_t i) const { return items[i]; }
};

struct Param {
    std::string_view name;
    double low, high;
    char form = 'n';  // how it reads in a column's name: n a number, l a level ("l5"), s seconds ("10s", "250ms"), x one of `names`
    std::span<const std::string_view> names = {};
};
struct Output {
    std::string_view suffix, doc, unit;
    double low = -kInf, high = kInf;
};
// A number that was fitted to data: what ships, and the bounds of what a feature set may give instead.
struct Fitted {
    std::string_view name;
    double value, low, high;
};
struct Meta {
    std::string_view name, doc;
    List<Param, 4> params = {};
    List<Output, 13> outputs = {};          // each is a column: name_params[_suffix]
    List<List<double, 4>, 12> defaults = {};  // parameter sets of the default columns
    std::string_view source = "";
    int version = 1;                        // raised when its numbers change
    std::span<const Fitted> fitted = {};    // stand behind the parameters where an engine is given its own
    const char* (*wrong)(Params) = nullptr; // what is wrong with fitted numbers that are each within their bounds
};

}  // namespace smartcore
