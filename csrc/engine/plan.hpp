// Columns become nodes, nodes become a list for each event that wakes them: bar, trade, book message, score ...
#pragma once
#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

#include "features/feature.hpp"

namespace smartcore {

// A column that was asked for: which kernel, with which parameters, and which of its outputs.
struct Column {
    std::uint32_t kind;  // index into the catalogue; behind its end, what users declared
    std::vector<double> params;
    std::uint32_t output;
};

class Plan {
public:
    explicit Plan(const std::vector<Column>& columns);
    Plan(const Plan& other);

    template <class E>
    void wake(const E& e, const Top& top) noexcept {
        const Due<E>* first = std::get<std::vector<Due<E>>>(due_).data();
        first->call({place(), e, top}, first);
    }
    // History: n bars at once, n up to kBlock, and the rows after them. Each node runs over all of them before the next,
    // so it is called and its state is loaded once for many bars.
    void bars(const Bars& bars, std::uint32_t n, const Top& top, double* table) noexcept;
    bool takes_blocks() const noexcept { return takes_blocks_; }

    double* row() noexcept { return row_.get(); }
    const double* row() const noexcept { return row_.get(); }
    const std::shared_ptr<double[]>& shared_row() const noexcept { return row_; }
    std::size_t width() const noexcept { return width_; }
    std::size_t lanes() const noexcept { return lanes_; }  // the row, and behind it what parts told last
    std::size_t nodes() const noexcept { return nodes_; }
    std::byte* state() noexcept { return state_.get(); }
    const std::byte* state() const noexcept { return state_.get(); }
    std::size_t state_size() const noexcept { return state_size_; }
    std::uint64_t layout() const noexcept { return layout_; }  // changes whenever saved state could not be read back

private:
    struct BlockRun {
        void (*call)(const Place&, Run, const Block&, const Top&) noexcept;
        Run run;
    };
    template <class>
    struct DueOf;
    template <class... E>
    struct DueOf<std::tuple<E...>> {
        using type = std::tuple<std::vector<Due<E>>...>;
    };
    struct Free {
        void operator()(std::byte* p) const noexcept { ::operator delete(p, std::align_val_t{64}); }
    };
    using Bytes = std::unique_ptr<std::byte, Free>;
    static Bytes zeros(std::size_t n);

    void build(const std::vector<Column>& columns, std::size_t room);
    Place place() const noexcept {
        return {Memory{state_.get()}, row_.get(), columns_.data(), slots_.data(), users_.data()};
    }

    std::size_t width_ = 0, nodes_ = 0, state_size_ = 0;
    std::uint64_t layout_ = 0;
    Bytes state_;
    std::shared_ptr<double[]> row_;  // shared with views of it; columns, then what parts told, then one for outputs that nobody asked for
    std::size_t lanes_ = 0;
    bool takes_blocks_ = true;
    std::unique_ptr<double[]> board_;   // the lanes of a block of bars; made when first needed, and nothing between two blocks
    std::vector<std::uint32_t> columns_;
    std::vector<std::uint32_t> still_;  // columns that no bar changes
    std::vector<Slot> slots_;
    std::vector<const UserKernel*> users_;
    DueOf<Waking>::type due_;         // each list ends with `rest`
    std::vector<BlockRun> blocks_;  // of history
};

}  // namespace smartcore
