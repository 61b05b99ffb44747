// Models run by ONNX Runtime's C interface: smartcore.models.native makes of them what smartcore.Model is.
#include "bind/bind.hpp"
#include "models/novelty.hpp"
#include "models/session.hpp"

namespace smartcore {
namespace {

using Row = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
using States = std::vector<std::tuple<std::string, std::string, std::vector<std::int64_t>>>;

std::vector<std::tuple<std::string, std::vector<std::int64_t>>> told(const std::vector<ModelFile::Tensor>& tensors) {
    std::vector<std::tuple<std::string, std::vector<std::int64_t>>> all;
    for (const ModelFile::Tensor& t : tensors) all.emplace_back(t.name, t.shape);
    return all;
}

// A view of the session's own memory.
py::array_t<float> view(const py::object& self, std::span<const float> values) {
    py::array_t<float> made({static_cast<py::ssize_t>(values.size())}, values.data(), self);
    made.attr("setflags")(py::arg("write") = false);
    return made;
}

std::shared_ptr<const Layout> layout(std::uint32_t columns, std::uint32_t classes, std::uint32_t horizons, const States& states,
                                     std::uint64_t warm_up, std::string_view who, const Floats& median, const Floats& scale, double far) {
    auto made = std::make_shared<Layout>();
    made->columns = columns, made->classes = classes, made->horizons = horizons, made->warm_up = warm_up, made->far = far;
    for (const auto& [input, output, shape] : states) {
        std::size_t size = 1;
        for (std::int64_t d : shape) size *= static_cast<std::size_t>(d);
        made->states.push_back({input, output, shape, size});
    }
    std::memcpy(made->who.data(), who.data(), std::min(who.size(), made->who.size()));
    made->median.assign(median.data(), median.data() + median.size());
    made->scale.assign(scale.data(), scale.data() + scale.size());
    if (made->median.size() != made->scale.size() || (!made->median.empty() && made->median.size() != columns))
        throw py::value_error("medians and scales are not those of the columns");
    return made;
}

const double* checked(const Session& session, const Row& row) {
    if (row.ndim() != 1 || row.shape(0) != static_cast<py::ssize_t>(session.width()))
        throw py::value_error("a row of " + std::to_string(row.size()) + " values where " + std::to_string(session.width()) + " are read");
    return row.data();
}

}  // namespace

void register_models(py::module_& m) {
    py::class_<Speaker, std::shared_ptr<Speaker>>(m, "Speaker", "A model that the loop steps without the interpreter.");

    py::class_<ModelFile, std::shared_ptr<ModelFile>>(m, "ModelFile", "A model file, loaded by the ONNX Runtime of a library.")
        .def(py::init([](const std::string& library, const py::bytes& file) {
            const std::string_view bytes(file);
            py::gil_scoped_release release;
            return std::make_shared<ModelFile>(Runtime::at(library), std::span(bytes));
        }), py::arg("library"), py::arg("file"))
        .def_property_readonly("inputs", [](const ModelFile& g) { return told(g.inputs()); }, "(name, shape) of each; -1 is free.")
        .def_property_readonly("outputs", [](const ModelFile& g) { return told(g.outputs()); })
        .def_property_readonly("metadata", [](const ModelFile& g) {
            py::dict all;
            for (const auto& [key, value] : g.metadata()) all[py::str(key)] = py::str(value);
            return all;
        })
        .def_property_readonly("version", [](const ModelFile& g) { return g.runtime().version(); }, "Of ONNX Runtime.");

    // The GIL is kept for a step: to get it back from a busy thread can take longer than the step.
    py::class_<Session, Speaker, std::shared_ptr<Session>>(m, "Session", "A graph with buffers and states of its own. Use smartcore.models.native.")
        .def(py::init([](std::shared_ptr<ModelFile> file, std::uint32_t columns, std::uint32_t classes, std::uint32_t horizons,
                         const States& states, std::uint64_t warm_up, const py::bytes& who, const Floats& median, const Floats& scale,
                         double far) {
            return std::make_shared<Session>(std::move(file), layout(columns, classes, horizons, states, warm_up, std::string_view(who),
                                                                     median, scale, far));
        }), py::arg("file"), py::arg("columns"), py::arg("classes"), py::arg("horizons"), py::arg("states"), py::arg("warm_up"),
            py::arg("who"), py::arg("median"), py::arg("scale"), py::arg("far"))
        .def("_place", [](Session& s, std::vector<std::uint32_t> at, std::uint32_t width) {
            if (at.size() != s.layout()->columns) throw py::value_error("another number of columns");
            for (std::uint32_t i : at)
                if (i >= width) throw py::value_error("a column outside the row");
            s.place(std::move(at), width);
        })
        .def("_infer", [](Session& s, const Row& row) { return s.infer(checked(s, row)); })
        .def("_step", [](Session& s, const Row& row) {
            double to[3], novelty;
            const Said said = s.step(checked(s, row), to, novelty);
            return py::make_tuple(static_cast<int>(said), py::make_tuple(to[0], to[1], to[2]), novelty);
        })
        .def("_scores", [](const py::object& self) { return view(self, self.cast<Session&>().scores()); })
        .def("_every", [](const py::object& self) { return view(self, self.cast<Session&>().every()); })
        .def("_snapshot", [](const Session& s) { return py::bytes(s.snapshot()); })
        .def("_restore", [](Session& s, const py::bytes& blob) { s.restore(std::string_view(blob)); })
        .def("_rehearse", &Session::rehearse)
        .def("_reset", &Session::reset)
        .def("_most_missing", [](Session& s, std::uint32_t most) { s.most_missing(most); })
        .def_property_readonly("novelty", &Session::novelty,
                               "How unlike the training inputs the last row was; above 1, farther out than 99 % of them. NaN: not known.")
        .def_property_readonly("missing", &Session::missing, "How many of the columns it reads were unknown (NaN) at the last step.")
        .def_property_readonly("steps", &Session::steps, "Steps since the last reset.")
        .def_property_readonly("ready", &Session::ready,
                               "Whether enough steps were taken for the scores to be trusted (contract.warm_up).")
        .def_property_readonly("faults", &Session::faults, "Steps that failed.")
        .def_property_readonly("error", &Session::error, "What ONNX Runtime said at the last of them.");

    m.def("_runtime", [](const std::string& library) {
        py::gil_scoped_release release;
        return Runtime::at(library).version();
    }, "Version of the ONNX Runtime at a path, loaded from there. RuntimeError: there is none, or it is too old.");

    m.def("_distance", [](const Floats& row, const Floats& median, const Floats& scale) {
        if (row.size() != median.size() || row.size() != scale.size()) throw py::value_error("sizes differ");
        return distance(row.data(), median.data(), scale.data(), static_cast<std::size_t>(row.size()));
    }, "Root mean square of the clipped robust deviations of the known values; NaN where there are none.");
}

}  // namespace smartcore
