#include "bind/bind.hpp"
#include "decide/walk.hpp"

namespace smartcore {
namespace {

struct BookView {
    const Book* book;
};

py::array_t<double> levels(const Ladder& side, std::size_t n) {
    n = std::min(n, side.size());
    py::array_t<double> out({n, std::size_t{2}});
    double* to = out.mutable_data();
    side.top(static_cast<std::uint32_t>(n), [&](std::uint32_t i, const Level& l) { to[2 * i] = l.price, to[2 * i + 1] = l.size; });
    return out;
}
py::array_t<double> touch(const double* price, const double* size, std::size_t n) {
    py::array_t<double> out({n, std::size_t{2}});
    double* to = out.mutable_data();
    for (std::size_t i = 0; i < n; ++i) to[2 * i] = price[i], to[2 * i + 1] = size[i];
    return out;
}

}  // namespace

void register_book(py::module_& m) {
    py::class_<BookView>(m, "Book", "The order book of an engine, read in place. Prices are NaN on a side that is empty.")
        .def_property_readonly("bid", [](const BookView& b) { return b.book->top().bid[0]; }, "Best bid price.")
        .def_property_readonly("ask", [](const BookView& b) { return b.book->top().ask[0]; }, "Best ask price.")
        .def_property_readonly("bid_size", [](const BookView& b) { return b.book->top().bid_size[0]; }, "Size at the best bid.")
        .def_property_readonly("ask_size", [](const BookView& b) { return b.book->top().ask_size[0]; }, "Size at the best ask.")
        .def_property_readonly("mid", [](const BookView& b) { return b.book->top().mid(); }, "Mean of best bid and ask.")
        .def_property_readonly("spread", [](const BookView& b) { return b.book->top().ask[0] - b.book->top().bid[0]; },
                               "Best ask less best bid, in price.")
        .def_property_readonly("valid", [](const BookView& b) { return b.book->top().valid; },
                               "Both sides exist and the depth sequence is whole.")
        .def_property_readonly("stale", [](const BookView& b) { return b.book->stale(); },
                               "A gap in the depth sequence: unknown until the next snapshot.")
        .def_property_readonly("crossed", [](const BookView& b) { return b.book->crossed(); }, "Best bid is at or above best ask.")
        .def_property_readonly("crossings", [](const BookView& b) { return b.book->crossings(); },
                               "How many messages left the book crossed or locked.")
        .def_property_readonly("bids", [](const BookView& b) { return b.book->bids().size(); }, "Number of bid levels.")
        .def_property_readonly("asks", [](const BookView& b) { return b.book->asks().size(); }, "Number of ask levels.")
        .def("top", [](const BookView& b, std::size_t n) {
            if (!b.book->deep()) {
                const Top& t = b.book->top();
                return py::make_tuple(touch(t.bid, t.bid_size, std::min<std::size_t>(n, t.bids)),
                                      touch(t.ask, t.ask_size, std::min<std::size_t>(n, t.asks)));
            }
            return py::make_tuple(levels(b.book->bids(), n), levels(b.book->asks(), n));
        }, py::arg("n") = 10, "(bids, asks), each (k, 2) of price and size, best first, k <= n.")
        .def("slippage", [](const BookView& b, int side, double size, std::optional<double> mid) {
            if (side != 1 && side != -1) throw py::value_error("side: " + std::to_string(side) + " is neither 1 nor -1");
            return decide::walked(*b.book, side, size, mid ? *mid : b.book->top().mid());
        }, py::arg("side"), py::arg("size"), py::arg("mid") = py::none(),
             "What a market order pays against `mid` (the book's own if left out), mean over the levels it takes, bps; side 1 buys,\n"
             "-1 sells. NaN where the book is not known. What the book does not hold is paid at its worst price: a lower bound.")
        .def("levels", [](const BookView& b) {
            return py::make_tuple(levels(b.book->bids(), b.book->bids().size()), levels(b.book->asks(), b.book->asks().size()));
        }, "(bids, asks) with every level known, best first.")
        .def_property_readonly("last_quote", [](const BookView& b) {
            const Quote& q = b.book->last_quote();
            return py::make_tuple(q.bid, q.bid_size, q.ask, q.ask_size);
        }, "(bid, bid_size, ask, ask_size) of the last quote event; zeros before the first.");

    m.attr("_book_of") = py::cpp_function([](const BoundEngine& e) { return BookView{&e.book()}; }, py::keep_alive<0, 1>());
}

}  // namespace smartcore
