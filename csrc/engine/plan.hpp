// Columns become nodes, nodes become three lists: what to do on a bar, on a trade, on a book message.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "features/feature.hpp"

namespace smartcore {

// A column that was asked for: which kernel, with which parameters, and which of its outputs.
struct Column {
    std::uint32_t kind;  // index into the catalogue
    std::vector<double> params;
    std::uint32_t output;
};

class Plan {
public:
    explicit Plan(const std::vector<Column>& columns);
    Plan(const Plan& other);

    void bar(const Bar& b, const Top& top) noexcept {
        for (const Step<Bar>& s : bars_) s.wake(s.run, b, top);
    }
    void trade(const Trade& t, const Top& top) noexcept {
        for (const Step<Trade>& s : trades_) s.wake(s.run, t, top);
    }
    void book(const Top& top) noexcept {
        for (const Step<Top>& s : tops_) s.wake(s.run, top, top);
    }

    double* row() noexcept { return row_.get(); }
    const double* row() const noexcept { return row_.get(); }
    const std::shared_ptr<double[]>& shared_row() const noexcept { return row_; }
    std::size_t width() const noexcept { return width_; }
    std::size_t nodes() const noexcept { return nodes_; }
    std::byte* state() noexcept { return state_.get(); }
    const std::byte* state() const noexcept { return state_.get(); }
    std::size_t state_size() const noexcept { return state_size_; }
    std::uint64_t layout() const noexcept { return layout_; }  // changes whenever saved state could not be read back

private:
    template <class E>
    struct Step {
        void (*wake)(const Run&, const E&, const Top&) noexcept;
        Run run;
    };
    struct Free {
        void operator()(std::byte* p) const noexcept { ::operator delete(p, std::align_val_t{64}); }
    };
    using Block = std::unique_ptr<std::byte, Free>;
    static Block block(std::size_t bytes);

    void build(const std::vector<Column>& columns, std::size_t room);

    std::size_t width_ = 0, nodes_ = 0, state_size_ = 0;
    std::uint64_t layout_ = 0;
    Block state_;
    std::shared_ptr<double[]> row_;  // shared with views of it; width_ columns and one spare, for outputs that nobody asked for
    std::vector<std::uint32_t> columns_;
    std::vector<Slot> slots_;
    std::vector<Step<Bar>> bars_;
    std::vector<Step<Trade>> trades_;
    std::vector<Step<Top>> tops_;
};

}  // namespace smartcore
