#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "bind/bind.hpp"

namespace smartcore {

std::string fault_text(const Fault& fault, std::size_t i) {
    char text[160];
    std::snprintf(text, sizeof text, "event %zu: %s = %.17g %s", i, fault.field, fault.value, fault.what);
    return text;
}

std::span<const Event> events_of(const py::array& array, std::vector<Event>& aligned) {
    // EVENT or one of its views by kind: 64 bytes that begin with ts, in this machine's byte order.
    const py::dtype type = array.dtype();
    const bool fits = array.ndim() == 1 && type.itemsize() == sizeof(Event) && type.has_fields() &&
                      py::cast<bool>(type.attr("isnative")) && py::cast<std::string>(py::tuple(type.attr("names"))[0]) == "ts" &&
                      (array.shape(0) < 2 || array.strides(0) == sizeof(Event));  // NumPy leaves the stride of one row as it was
    if (!fits) throw py::type_error("run() takes a contiguous one-dimensional array of dtype smartcore.EVENT");
    const std::span<const Event> events(static_cast<const Event*>(array.data()), static_cast<std::size_t>(array.shape(0)));
    if (events.empty() || reinterpret_cast<std::uintptr_t>(array.data()) % alignof(Event) == 0) return events;
    aligned.resize(events.size());
    std::memcpy(static_cast<void*>(aligned.data()), array.data(), events.size_bytes());
    return aligned;
}

namespace {

// A matrix that grows by rows and ends as a NumPy array without a copy.
class Table {
public:
    Table(const double* row, std::size_t width, std::size_t expected) : row_(row), width_(width) { grow(std::max<std::size_t>(expected, 16)); }
    ~Table() { std::free(data_), std::free(ts_); }
    Table(const Table&) = delete;

    // Room for the next n rows, at the times of these events.
    double* rows(const Event* events, std::size_t n) noexcept {
        while (rows_ + n > room_) grow(room_ * 2);
        for (std::size_t i = 0; i < n; ++i) ts_[rows_ + i] = events[i].ts;
        double* first = data_ + rows_ * width_;
        rows_ += n;
        return first;
    }
    void operator()(std::int64_t ts) noexcept {
        if (rows_ == room_) grow(room_ * 2);
        std::memcpy(data_ + rows_ * width_, row_, width_ * sizeof(double));
        ts_[rows_++] = ts;
    }
    py::tuple release() {
        auto give = [](void* data) { return py::capsule(data, [](void* p) { std::free(p); }); };
        const auto n = static_cast<py::ssize_t>(rows_);
        py::array_t<std::int64_t> ts({n}, ts_, give(ts_));
        py::array_t<double> table({n, static_cast<py::ssize_t>(width_)}, data_, give(data_));
        ts_ = nullptr, data_ = nullptr;
        return py::make_tuple(ts, table);
    }

private:
    void grow(std::size_t room) noexcept {
        room_ = room;
        data_ = more(data_, rows_ * width_, room * width_);
        ts_ = more(ts_, rows_, room);
    }
    // A large table in pages of 2 MiB: touching it in pages of 4 KiB cost a third of filling it.
    template <class T>
    static T* more(T* old, std::size_t used, std::size_t room) noexcept {
        constexpr std::size_t page = std::size_t{1} << 21;
        const std::size_t bytes = std::max<std::size_t>(room * sizeof(T), 1);
#if defined(__linux__)
        if (bytes >= 2 * page) {
            void* made = std::aligned_alloc(page, (bytes + page - 1) / page * page);
            if (!made) std::abort();
            madvise(made, bytes, MADV_HUGEPAGE);
            if (used) std::memcpy(made, old, used * sizeof(T));
            std::free(old);
            return static_cast<T*>(made);
        }
#endif
        void* made = std::realloc(old, bytes);
        if (!made) std::abort();  // out of memory ends the process, as it would anywhere in the core
        return static_cast<T*>(made);
    }
    const double* row_;
    std::size_t width_, rows_ = 0, room_ = 0;
    double* data_ = nullptr;
    std::int64_t* ts_ = nullptr;
};

BarClock::By by_name(const std::string& name) {
    if (name == "none") return BarClock::By::none;
    if (name == "time") return BarClock::By::time;
    if (name == "trades") return BarClock::By::trades;
    if (name == "volume") return BarClock::By::volume;
    if (name == "dollars") return BarClock::By::dollars;
    if (name == "imbalance") return BarClock::By::imbalance;
    throw py::value_error("bars by '" + name + "'");
}

// Nothing is applied before everything has been checked. (Checking and applying chunk by chunk, in the cache, with a
// snapshot to go back to, was tried: the same time.)
py::tuple run(BoundEngine& engine, const py::array& array, const std::string& sample, std::int64_t interval) {
    std::vector<Event> aligned;
    const std::span<const Event> events = events_of(array, aligned);
    const Sample how = sample == "bar" ? Sample::bar : sample == "event" ? Sample::event : Sample::interval;
    std::size_t expected = how == Sample::event ? events.size() : 0, late = events.size(), culprit = 0;
    const bool own_bars = engine.state().clock.by() != BarClock::By::none;
    Fault fault;
    std::vector<Event> kept;
    {
        py::gil_scoped_release release;
        std::int64_t ts = engine.state().ts;
        for (std::size_t i = 0; i < events.size(); ++i) {
            const Event& e = events[i];
            if ((fault = check(e)) || (own_bars && e.kind == Type::bar)) {
                culprit = i;
                if (!fault) fault = {"is a bar, but this engine builds its bars from trades", "kind", 1};
                break;
            }
            if (e.ts < ts) {
                if (!engine.drop_late) {
                    late = i;
                    break;
                }
                if (late == events.size()) kept.assign(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(i)), late = i;
                continue;
            }
            ts = e.ts;
            expected += how == Sample::bar && e.kind == Type::bar;
            if (late != events.size()) kept.push_back(e);
        }
    }
    if (fault) {
        raise("InvalidEvent", fault_text(fault, culprit));
        throw py::error_already_set();
    }
    std::span<const Event> stream = events;
    if (late != events.size()) {
        if (!engine.drop_late) {
            raise("OutOfOrder", "event " + std::to_string(late) + ": ts = " + std::to_string(events[late].ts) + " is before the event before it");
            throw py::error_already_set();
        }
        engine.state().dropped += events.size() - kept.size();
        stream = kept;
    }
    Table table(engine.row(), engine.plan().width(), expected);
    {
        py::gil_scoped_release release;
        engine.run(stream, how, interval, table);
    }
    return table.release();
}

}  // namespace

void register_engine(py::module_& m) {
    py::class_<BoundEngine> engine(m, "Engine", "A feature set made live for one instrument. Use smartcore.Engine.");
    engine
        .def(py::init([](const std::vector<std::tuple<std::uint32_t, std::vector<double>, std::uint32_t>>& columns,
                         const std::string& by, double amount, bool drop_late) {
                 std::vector<Column> wanted;
                 for (const auto& [kind, params, output] : columns) wanted.push_back({kind, params, output});
                 auto made = std::make_unique<BoundEngine>(wanted, BarClock(by_name(by), amount));
                 made->drop_late = drop_late;
                 return made;
             }),
             py::arg("columns"), py::arg("by") = "none", py::arg("amount") = 0.0, py::arg("drop_late") = false)
        .def("_row", [](const BoundEngine& e) {
            auto* owner = new std::shared_ptr<double[]>(e.plan().shared_row());
            py::capsule base(owner, [](void* p) { delete static_cast<std::shared_ptr<double[]>*>(p); });
            py::array_t<double> row({static_cast<py::ssize_t>(e.plan().width())}, owner->get(), base);
            row.attr("setflags")(py::arg("write") = false);
            return row;
        })
        .def("_run", &run, py::arg("events"), py::arg("sample"), py::arg("interval"))
        .def("_snapshot", [](const BoundEngine& e, const py::bytes& header) {
            return py::bytes(e.snapshot(std::string_view(header)));
        })
        .def("_restore", [](BoundEngine& e, const py::bytes& blob) { e.restore(std::string_view(blob)); })
        .def_static("_header", [](const py::bytes& blob) { return py::bytes(Engine::header(std::string_view(blob))); })
        .def_property_readonly("ts", [](const BoundEngine& e) { return e.state().ts; }, "Time of the last event, ns UTC.")
        .def_property_readonly("bar_count", [](const BoundEngine& e) { return e.state().bars; }, "Bars so far.")
        .def_property_readonly("closed_bar", [](const BoundEngine& e) { return e.state().closed_bar; }, "The last call closed a bar.")
        .def_property_readonly("last_price", [](const BoundEngine& e) { return e.state().last_price; },
                               "Price of the last trade or close of the last bar; NaN before.")
        .def_property_readonly("last_bar", [](const BoundEngine& e) {
            const Bar& b = e.state().bar;
            return py::make_tuple(b.ts, b.open, b.high, b.low, b.close, b.volume, b.turnover);
        }, "(ts, open, high, low, close, volume, turnover) of the last bar.")
        .def_property_readonly("counts", [](const BoundEngine& e) {
            static constexpr const char* names[] = {nullptr, "bar", "trade", "depth", "quote", "score", "aux", "gap", "peer", "basket", "factor"};
            py::dict d;
            for (std::size_t i = 1; i < kTypes; ++i) d[names[i]] = e.state().counts[i];
            d["dropped"] = e.state().dropped;
            return d;
        }, "Events so far, by kind, and those dropped.")
        .def_property_readonly("nodes", [](const BoundEngine& e) { return e.plan().nodes(); }, "Nodes that compute the columns.")
        .def_property_readonly("state_bytes", [](const BoundEngine& e) { return e.plan().state_size(); }, "Bytes of feature state.");
    engine.attr("book") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(&PyProperty_Type))(m.attr("_book_of"));
    py::delattr(m, "_book_of");
    add_hot_calls(reinterpret_cast<PyTypeObject*>(engine.ptr()));
}

}  // namespace smartcore
