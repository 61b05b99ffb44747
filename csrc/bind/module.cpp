// smartcore._core: a table of contents.
#include "bind/bind.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
    m.doc() = "The compiled core of smartcore: events, catalogue, engine.";
    smartcore::register_build(m);
    smartcore::register_events(m);
    smartcore::register_catalogue(m);
    smartcore::register_book(m);
    smartcore::register_engine(m);
    smartcore::register_panel(m);
    smartcore::register_decide(m);
    smartcore::register_flight(m);
    smartcore::register_scorecard(m);
    smartcore::register_models(m);
    smartcore::register_loop(m);
    smartcore::register_lane(m);
}
