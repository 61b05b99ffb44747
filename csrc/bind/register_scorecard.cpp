// The record of past calls: its functions on the bytes of a SCORECARD, for the Python face, tests and offline work.
#include "bind/bind.hpp"
#include "decide/scorecard.hpp"

namespace smartcore {
namespace {

using namespace decide;

// A SCORECARD in an array of one, changed in place; anything else is a mistake of ours.
Scorecard& card_of(py::array& array) {
    if (static_cast<std::size_t>(array.nbytes()) != sizeof(Scorecard)) throw py::value_error("no record of dtype SCORECARD");
    return *static_cast<Scorecard*>(array.mutable_data());
}

template <class T>
T record(const py::buffer& bytes) {
    const py::buffer_info info = bytes.request();
    if (static_cast<std::size_t>(info.size * info.itemsize) != sizeof(T)) throw py::value_error("a record of another size");
    T out;
    std::memcpy(&out, info.ptr, sizeof out);
    return out;
}

template <class T>
py::bytes bytes_of(const T& record) { return py::bytes(reinterpret_cast<const char*>(&record), sizeof record); }

}  // namespace

void register_scorecard(py::module_& m) {
    m.attr("TRACK") = py::dtype::of<Track>();
    m.attr("HORIZON_FACTORS") = py::tuple(py::cast(std::vector<double>(kHorizonFactors, kHorizonFactors + kHorizons)));
    m.attr("CONFIDENCE_EDGES") = py::tuple(py::cast(std::vector<double>(kEdges, kEdges + kBins)));
    m.attr("HALF_LIFE") = kHalfLife;

    // `decision`: the bytes of a DECISION.
    m.def("_card_observe", [](py::array card, const py::buffer& decision, int outcome, double move, std::int64_t horizon_ns,
                              std::size_t horizon) {
        observe(card_of(card), record<Decision>(decision), outcome, move, horizon_ns, horizon);
    });
    m.def("_card_loss", [](py::array card, const py::buffer& decision, double change, std::int64_t horizon_ns) {
        loss(card_of(card), record<Decision>(decision), change, horizon_ns);
    });
    m.def("_card_slippage", [](py::array card, const py::buffer& decision, double bps) {
        slippage(card_of(card), record<Decision>(decision).execution, bps);
    });
    m.def("_card_regime", [](py::array card, const py::buffer& before, const py::buffer& after) {
        regime(card_of(card), record<Decision>(before).regime, record<Decision>(after).regime);
    });
    m.def("_card_update", [](py::array card, std::size_t source, double down, double flat, double up, int outcome, double weight) {
        update(card_of(card), source, {down, flat, up}, outcome, weight);
    });
    m.def("_card_track", [](const py::buffer& card, double prior) {
        Track out;
        track(record<Scorecard>(card), prior, out);
        return bytes_of(out);
    });
    m.def("_card_weights", [](const py::buffer& card, const std::array<double, kSources>& base) {
        double from[kSources], to[kSources];
        std::copy(base.begin(), base.end(), from);
        weights(record<Scorecard>(card), from, to);
        return std::vector<double>(to, to + kSources);
    });
    m.def("_card_calibrated", [](const py::buffer& card, double confidence) { return calibrated(record<Scorecard>(card), confidence); });
    m.def("_tally_believed", [](double count, double moves, double hits, double stated, double brier, double prior) {
        const Tally t{count, moves, hits, stated, brier};
        return py::make_tuple(trust(t), multiplier(t), reliability(t, prior), vote_reliability(t, prior));
    });
    // p-values of Kupiec and Christoffersen; `pairs`: no-no, no-yes, yes-no, yes-yes.
    m.def("_breach_tests", [](double count, double breaches, const std::array<double, 4>& pairs, double level) {
        Breaches b{};
        b.count = count, b.breaches = breaches;
        std::copy(pairs.begin(), pairs.end(), b.pairs);
        return py::make_tuple(kupiec(b, level), christoffersen(b));
    });
}

}  // namespace smartcore
