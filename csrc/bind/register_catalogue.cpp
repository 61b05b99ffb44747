#include <algorithm>
#include <iterator>
#include <map>

#include "bind/bind.hpp"
#include "features/catalogue.hpp"
#include "features/user.hpp"

namespace smartcore {
namespace {

std::string text(std::string_view s) { return std::string(s); }

std::string wakes(const NodeType& t) {
    std::string names;
    t.each([&](std::size_t event, bool, bool writes) {
        if (writes) names += (names.empty() ? "" : ",") + text(kWaking[event]);
    });
    return names;
}

py::dict describe(const Entry& entry) {
    const Meta& meta = *entry.kind->meta;
    py::dict d;
    d["name"] = text(meta.name);
    d["doc"] = text(meta.doc);
    d["family"] = text(entry.family->name);
    d["group"] = text(entry.family->group);
    d["source"] = text(meta.source);
    d["version"] = meta.version;
    d["wakes"] = wakes(*entry.kind->type);
    py::list params, outputs, defaults;
    for (const Param& p : meta.params) {
        py::list names;
        for (std::string_view name : p.names) names.append(text(name));
        params.append(py::dict(py::arg("name") = text(p.name), py::arg("low") = p.low, py::arg("high") = p.high,
                               py::arg("form") = std::string(1, p.form), py::arg("names") = py::tuple(names)));
    }
    for (const Output& o : meta.outputs)
        outputs.append(py::dict(py::arg("suffix") = text(o.suffix), py::arg("doc") = text(o.doc), py::arg("unit") = text(o.unit),
                                py::arg("low") = o.low, py::arg("high") = o.high));
    for (const auto& set : meta.defaults) defaults.append(py::tuple(py::cast(std::vector<double>(set.begin(), set.end()))));
    if (meta.params.size() == 0) defaults.append(py::tuple());
    py::list fitted;
    for (const Fitted& f : meta.fitted)
        fitted.append(py::dict(py::arg("name") = text(f.name), py::arg("value") = f.value, py::arg("low") = f.low, py::arg("high") = f.high));
    d["fitted"] = fitted;
    d["params"] = params;
    d["outputs"] = outputs;
    d["defaults"] = defaults;
    return d;
}

// A kernel of a user's own, as smartcore.feature compiled it: its functions by the event that wakes them, each with its address,
// whether it reads the book and whether it ever writes. Returns the number of the kernel.
std::uint32_t declare_user(std::uint32_t outputs, int warmup, const py::bytes& state,
                           const std::map<std::string, std::tuple<std::uintptr_t, bool, bool>>& codes) {
    UserKernel kernel;
    kernel.outputs = outputs;
    kernel.warmup = warmup;
    const std::string_view bytes(state);
    kernel.state.resize(bytes.size());
    if (!bytes.empty()) std::memcpy(kernel.state.data(), bytes.data(), bytes.size());
    for (const auto& [name, code] : codes) {
        const auto* event = std::find(std::begin(kWaking), std::end(kWaking), name);
        if (event == std::end(kWaking)) throw py::value_error("no event " + name);
        const auto [address, reads_book, writes] = code;
        kernel.codes[static_cast<std::size_t>(event - kWaking)] = {reinterpret_cast<UserUpdate>(address), reads_book, writes};
    }
    return declare(std::move(kernel));
}

}  // namespace

void register_catalogue(py::module_& m) {
    m.def("catalogue", [] {
        py::list all;
        for (const Entry& entry : catalogue()) all.append(describe(entry));
        return all;
    }, "Every kernel, as a list of dicts in the order of the catalogue.");
    m.def("warmup", [](std::size_t kind, const std::vector<double>& params) {
        if (kind < catalogue().size()) return catalogue()[kind].kind->warmup(params);
        return user_kernel(static_cast<std::uint32_t>(kind))->warmup;
    }, py::arg("kind"), py::arg("params"), "How many waking events pass before a kernel's first value.");
    m.def("_declare", &declare_user, py::arg("outputs"), py::arg("warmup"), py::arg("state"), py::arg("codes"));
    m.def("fault_of_fitted", [](std::size_t kind, const std::vector<double>& numbers) {
        const Meta& meta = *catalogue().at(kind).kind->meta;
        const char* fault = meta.wrong && numbers.size() == meta.fitted.size() ? meta.wrong(numbers) : nullptr;
        return std::string(fault ? fault : "");
    }, py::arg("kind"), py::arg("numbers"), "What is wrong with a kernel's fitted numbers, each within its bounds; empty if nothing is.");
}

}  // namespace smartcore
