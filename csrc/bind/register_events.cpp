#include <cstddef>

#include "bind/bind.hpp"
#include "market/series.hpp"

namespace smartcore {
namespace {

// The record with its payload under other names.
py::dtype record(std::initializer_list<const char*> payload) {
    py::list names, formats, offsets;
    auto field = [&](const char* name, const char* format, std::size_t offset) {
        names.append(name), formats.append(format), offsets.append(offset);
    };
    field("ts", "<i8", offsetof(Event, ts));
    field("kind", "u1", offsetof(Event, kind));
    field("side", "i1", offsetof(Event, side));
    field("flags", "u1", offsetof(Event, flags));
    field("source", "u1", offsetof(Event, source));
    field("instrument", "<u4", offsetof(Event, instrument));
    std::size_t at = offsetof(Event, v);
    for (const char* name : payload) field(name, "<f8", at), at += sizeof(double);
    return py::dtype(names, formats, offsets, sizeof(Event));
}

py::tuple texts(std::span<const std::string_view> names) {
    py::list all;
    for (std::string_view name : names) all.append(std::string(name));
    return all;
}

py::dtype best_levels() {
    py::list names, formats, offsets;
    auto field = [&](const char* name, const py::object& format, std::size_t offset) {
        names.append(name), formats.append(format), offsets.append(offset);
    };
    const py::tuple levels = py::make_tuple("<f8", py::make_tuple(kDepth));
    field("ts", py::str("<i8"), offsetof(Top, ts));
    field("bids", py::str("<u4"), offsetof(Top, bids));
    field("asks", py::str("<u4"), offsetof(Top, asks));
    field("fresh", py::str("?"), offsetof(Top, fresh));
    field("bid", levels, offsetof(Top, bid));
    field("bid_size", levels, offsetof(Top, bid_size));
    field("ask", levels, offsetof(Top, ask));
    field("ask_size", levels, offsetof(Top, ask_size));
    return py::dtype(names, formats, offsets, sizeof(Top));
}

}  // namespace

void register_events(py::module_& m) {
    m.attr("EVENT") = record({"v0", "v1", "v2", "v3", "v4", "v5"});
    m.attr("BAR") = record({"open", "high", "low", "close", "volume", "turnover"});
    m.attr("TRADE") = record({"price", "size", "v2", "v3", "v4", "v5"});
    m.attr("DEPTH") = record({"price", "size", "v2", "v3", "v4", "v5"});
    m.attr("QUOTE") = record({"bid", "bid_size", "ask", "ask_size", "v4", "v5"});
    m.attr("SCORE") = record({"value", "weight", "v2", "v3", "v4", "v5"});
    m.attr("BOOK") = best_levels();
    m.attr("AUX") = record({"value", "v1", "v2", "v3", "v4", "v5"});
    m.attr("PEER") = record({"price", "volume", "net", "flow", "age", "updates"});
    m.attr("BASKET") = record({"mean", "dispersion", "rank", "breadth", "flow", "fresh"});
    m.attr("FACTOR") = record({"share", "loading", "score", "v3", "v4", "v5"});
    m.attr("SOURCES") = texts(kSources);
    m.attr("SERIES") = texts(kSeries);
}

}  // namespace smartcore
