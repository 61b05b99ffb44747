#include "engine/plan.hpp"

#include <algorithm>
#include <cstring>

#include "base/number.hpp"
#include "features/catalogue.hpp"
#include "features/user.hpp"

namespace smartcore {

namespace {
struct Source {  // of columns: a kernel of the catalogue, or a user's
    explicit Source(std::uint32_t kind)
        : user(user_kernel(kind)), kernel(user ? nullptr : catalogue()[kind].kind), type(user ? &user->type : kernel->type),
          outputs(user ? user->outputs : std::max<std::size_t>(1, kernel->meta->outputs.size())) {}
    const UserKernel* user;
    const Kind* kernel;
    const NodeType* type;
    std::size_t outputs;
};
template <class E>
void finish(std::vector<Due<E>>& due) {
    due.push_back({&rest<E>, {0, 0}});
}
}  // namespace

Plan::Bytes Plan::zeros(std::size_t n) {
    auto* p = static_cast<std::byte*>(::operator new(n, std::align_val_t{64}));
    std::memset(p, 0, n);
    return Bytes(p);
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
    Bytes memory = zeros(room);
    Arena arena(memory.get(), room);
    width_ = columns.size();
    Graph graph(arena, static_cast<std::uint32_t>(width_));
    constexpr std::uint32_t spare = 0xffffffff;
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
            columns_.insert(columns_.end(), Source(c.kind).outputs, spare);
            kernels.push_back({&c, at});
            found = kernels.end() - 1;
        }
        columns_[found->columns + c.output] = i;
    }
    for (const Wanted& w : kernels) {
        const Source source(w.first->kind);
        if (source.user) graph.add(*source.user, w.columns);
        else source.kernel->add(graph, w.columns, w.first->params);
    }
    users_ = graph.users();

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

    lanes_ = graph.lanes();
    layout_ = (layout_ ^ lanes_) * 1099511628211ull;
    std::replace(columns_.begin(), columns_.end(), spare, static_cast<std::uint32_t>(lanes_));
    row_.reset(new double[lanes_ + 1]);
    std::fill_n(row_.get(), lanes_ + 1, kNaN);

    state_size_ = arena.used();
    state_ = zeros(state_size_);
    std::memcpy(state_.get(), memory.get(), state_size_);

    slots_.clear(), due_ = {}, blocks_.clear();
    std::vector<bool> moves(lanes_ + 1);
    takes_blocks_ = true;
    for (std::uint32_t i = 0, j; i < nodes.size(); i = j) {
        const NodeType& type = *nodes[i].type;
        for (j = i; j < nodes.size() && nodes[j].type == &type && nodes[j].level == nodes[i].level; ++j) {
            const Graph::Node& n = nodes[j];
            const bool part = n.columns == Graph::kNoColumns;
            slots_.push_back({n.offset, part ? n.lane : n.columns});
            if (type.on<Bar>().call && n.mixed) takes_blocks_ = false;  // its other parts have one value, not one a bar
        }
        const Run run{i, j};
        [&]<class... E>(std::tuple<E...>*) {
            ([&] {
                if (const auto call = type.on<E>().call) std::get<std::vector<Due<E>>>(due_).push_back({call, run});
            }(), ...);
        }(static_cast<Waking*>(nullptr));
        if (type.on<Bar>().call) blocks_.push_back({type.bars, run});
    }
    std::apply([](auto&... due) { (finish(due), ...); }, due_);
    for (const Wanted& w : kernels) {
        const Source source(w.first->kind);
        for (std::size_t o = 0; source.type->on<Bar>().call && o < source.outputs; ++o) moves[columns_[w.columns + o]] = true;
    }
    still_.clear();
    for (std::uint32_t i = 0; i < width_; ++i)
        if (!moves[i]) still_.push_back(i);
}

Plan::Plan(const Plan& other)
    : width_(other.width_), nodes_(other.nodes_), state_size_(other.state_size_), layout_(other.layout_),
      state_(zeros(other.state_size_)), row_(new double[other.lanes_ + 1]), lanes_(other.lanes_), takes_blocks_(other.takes_blocks_),
      columns_(other.columns_), still_(other.still_), slots_(other.slots_), users_(other.users_), due_(other.due_),
      blocks_(other.blocks_) {
    std::memcpy(state_.get(), other.state_.get(), state_size_);
    std::copy_n(other.row_.get(), lanes_ + 1, row_.get());
}

void Plan::bars(const Bars& bars, std::uint32_t n, const Top& top, double* table) noexcept {
    if (!board_) board_.reset(new double[(lanes_ + 1) * kStride]);
    double* board = board_.get();
    for (std::uint32_t column : still_) std::fill_n(board + column * kStride, n, row_[column]);
#if defined(__GNUC__)
    for (std::size_t i = 0; i < n * width_; i += 8) __builtin_prefetch(table + i, 1);  // there by the time it is written
#endif
    const Place at = place();
    const Block block{bars, n, board};
    for (const BlockRun& s : blocks_) s.call(at, s.run, block, top);
    // Row after row: written a column at a time, the table cost a fifth of all in misses of the cache.
    for (std::uint32_t t = 0; t < n; ++t)
        for (std::size_t i = 0; i < width_; ++i) table[t * width_ + i] = board[i * kStride + t];
}

}  // namespace smartcore
