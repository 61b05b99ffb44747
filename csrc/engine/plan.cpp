#include "engine/plan.hpp"

#include <algorithm>
#include <cstring>

#include "base/number.hpp"
#include "features/catalogue.hpp"

namespace smartcore {

Plan::Block Plan::block(std::size_t bytes) {
    auto* p = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{64}));
    std::memset(p, 0, bytes);
    return Block(p);
}

Plan::Plan(const std::vector<Column>& columns) {
    for (std::size_t room = std::size_t{1} << 20;; room *= 4) {
        try {
            build(columns, room);
            return;
        } catch (const ArenaFull&) {
        }
    }
}

void Plan::build(const std::vector<Column>& columns, std::size_t room) {
    Block memory = block(room);
    Arena arena(memory.get(), room);
    Graph graph(arena);

    width_ = columns.size();
    const auto spare = static_cast<std::uint32_t>(width_);
    columns_.clear();

    // One kernel node per (kind, parameters), whichever of its outputs are asked for.
    struct Wanted {
        const Column* first;
        std::uint32_t columns;
    };
    std::vector<Wanted> kernels;
    for (std::uint32_t i = 0; i < width_; ++i) {
        const Column& c = columns[i];
        auto same = [&](const Wanted& w) { return w.first->kind == c.kind && w.first->params == c.params; };
        auto found = std::find_if(kernels.begin(), kernels.end(), same);
        if (found == kernels.end()) {
            const auto at = static_cast<std::uint32_t>(columns_.size());
            columns_.insert(columns_.end(), std::max<std::size_t>(1, catalogue()[c.kind].kind->meta->outputs.size()), spare);
            kernels.push_back({&c, at});
            found = kernels.end() - 1;
        }
        columns_[found->columns + c.output] = i;
    }
    for (const Wanted& w : kernels) catalogue()[w.first->kind].kind->add(graph, w.columns, w.first->params);

    // Parts before whoever reads them; within a level, one type after the other.
    std::vector<Graph::Node> nodes = graph.nodes();
    std::vector<const NodeType*> order;
    for (const auto& n : nodes)
        if (std::find(order.begin(), order.end(), n.type) == order.end()) order.push_back(n.type);
    auto rank = [&](const NodeType* t) { return std::find(order.begin(), order.end(), t) - order.begin(); };
    std::stable_sort(nodes.begin(), nodes.end(), [&](const auto& a, const auto& b) {
        return a.level != b.level ? a.level < b.level : rank(a.type) < rank(b.type);
    });
    nodes_ = nodes.size();
    layout_ = 1469598103934665603ull;  // FNV-1a over what the bytes mean
    for (const auto& n : nodes)
        for (std::uint64_t x : {std::uint64_t{n.offset}, std::uint64_t{n.size}, std::uint64_t{n.level}})
            layout_ = (layout_ ^ x) * 1099511628211ull;

    state_size_ = arena.used();
    state_ = block(state_size_);
    std::memcpy(state_.get(), arena.memory(), state_size_);
    row_.reset(new double[width_ + 1]);
    std::fill_n(row_.get(), width_ + 1, kNaN);

    slots_.clear();
    for (const auto& n : nodes) slots_.push_back({n.offset, n.columns == Graph::kNoColumns ? 0 : n.columns});
    if (columns_.empty()) columns_.push_back(spare);
    bars_.clear(), trades_.clear(), tops_.clear();
    for (std::size_t i = 0, j; i < nodes.size(); i = j) {
        for (j = i; j < nodes.size() && nodes[j].type == nodes[i].type && nodes[j].level == nodes[i].level;) ++j;
        const Run run{slots_.data() + i, j - i, state_.get(), columns_.data(), row_.get()};
        const NodeType& type = *nodes[i].type;
        if (type.bar) bars_.push_back({type.bar, run});
        if (type.trade) trades_.push_back({type.trade, run});
        if (type.book) tops_.push_back({type.book, run});
    }
}

Plan::Plan(const Plan& other)
    : width_(other.width_), nodes_(other.nodes_), state_size_(other.state_size_), layout_(other.layout_),
      state_(block(other.state_size_)), row_(new double[other.width_ + 1]), columns_(other.columns_),
      slots_(other.slots_), bars_(other.bars_), trades_(other.trades_), tops_(other.tops_) {
    std::memcpy(state_.get(), other.state_.get(), state_size_);
    std::copy_n(other.row_.get(), width_ + 1, row_.get());
    auto move = [&](auto& steps) {
        for (auto& s : steps) {
            s.run.slots = slots_.data() + (s.run.slots - other.slots_.data());
            s.run.arena = state_.get();
            s.run.columns = columns_.data();
            s.run.row = row_.get();
        }
    };
    move(bars_), move(trades_), move(tops_);
}

}  // namespace smartcore
