// What a feature is: a struct with its metadata, a constructor that names what it needs, and an update per event.
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.hpp"
#include "market/book.hpp"
#include "market/event.hpp"

namespace smartcore {

using Params = std::span<const double>;

// A short list that can stand in a constant.
template <class T, std::size_t N>
struct List {
    T items[N] = {};
    std::size_t n = 0;
    constexpr List() = default;
    constexpr List(std::initializer_list<T> from) {
        for (const T& x : from) items[n++] = x;
    }
    constexpr const T* begin() const { return items; }
    constexpr const T* end() const { return items + n; }
    constexpr std::size_t size() const { return n; }
    constexpr const T& operator[](std::size_t i) const { return items[i]; }
};

struct Param {
    std::string_view name;
    double low, high;
    char form = 'n';  // how it reads in a column's name: n a number, l a level ("l5"), s seconds ("10s", "250ms")
};
struct Output {
    std::string_view suffix, doc, unit;
    double low = -kInf, high = kInf;
};
struct Meta {
    std::string_view name, doc;
    List<Param, 4> params = {};
    List<Output, 6> outputs = {};           // each is a column: name_params[_suffix]
    List<List<double, 4>, 12> defaults = {};  // parameter sets of the default columns
    std::string_view source = "";
    int version = 1;                        // raised when its numbers change
};

// Where a kernel writes its columns. A column that nobody asked for goes to a spare slot.
struct Out {
    double* row;
    const std::uint32_t* column;
    double& operator[](std::size_t i) const noexcept { return row[column[i]]; }
};

// An update is any of: update(e), update(e, top), update(e, out), update(e, top, out).
template <class T, class E>
concept Wakes = requires(T t, const E& e, const Top& top, Out out) { t.update(e); } ||
                requires(T t, const E& e, const Top& top, Out out) { t.update(e, top); } ||
                requires(T t, const E& e, const Top& top, Out out) { t.update(e, out); } ||
                requires(T t, const E& e, const Top& top, Out out) { t.update(e, top, out); };

// The nodes of one type that are due together: a call through a pointer per type, not per node, and the updates inside
// it are inlined side by side, so that their dependency chains overlap.
struct Slot {
    std::uint32_t node, columns;  // offsets into the arena and into the column map
};
struct Run {
    const Slot* slots;
    std::size_t n;
    std::byte* arena;
    const std::uint32_t* columns;
    double* row;
};
template <class T, class E>
void wake(const Run& run, const E& e, const Top& top) noexcept {
    for (std::size_t i = 0; i < run.n; ++i) {
        T& node = *std::launder(reinterpret_cast<T*>(run.arena + run.slots[i].node));
        const Out out{run.row, run.columns + run.slots[i].columns};
        static_assert(noexcept(std::declval<T&>().~T()));
        if constexpr (requires { node.update(e, top, out); }) node.update(e, top, out);
        else if constexpr (requires { node.update(e, out); }) node.update(e, out);
        else if constexpr (requires { node.update(e, top); }) node.update(e, top);
        else node.update(e);
    }
}

struct NodeType {
    bool writes_bar = false, writes_trade = false, writes_book = false;  // which of them give its columns new values
    void (*bar)(const Run&, const Bar&, const Top&) noexcept = nullptr;
    void (*trade)(const Run&, const Trade&, const Top&) noexcept = nullptr;
    void (*book)(const Run&, const Top&, const Top&) noexcept = nullptr;
};
template <class T, class E>
concept Writes = requires(T t, const E& e, const Top& top, Out out) { t.update(e, out); } ||
                 requires(T t, const E& e, const Top& top, Out out) { t.update(e, top, out); };
template <class T>
constexpr NodeType make_type() {
    static_assert(std::is_trivially_destructible_v<T>, "state lives in the arena: no std containers");
    NodeType type;
    type.writes_bar = Writes<T, Bar>, type.writes_trade = Writes<T, Trade>, type.writes_book = Writes<T, Top>;
    if constexpr (Wakes<T, Bar>) type.bar = &wake<T, Bar>;
    if constexpr (Wakes<T, Trade>) type.trade = &wake<T, Trade>;
    if constexpr (Wakes<T, Top>) type.book = &wake<T, Top>;
    return type;
}
template <class T>
inline constexpr NodeType type_of = make_type<T>();

// The nodes of an engine while it is being built. A constructor asks it for the parts it reads; the same part with the
// same arguments is made once and updated before whoever reads it.
class Graph {
public:
    static constexpr std::uint32_t kNoColumns = 0xffffffff;
    struct Node {
        const NodeType* type;
        std::uint32_t offset, size, level, columns;
    };

    explicit Graph(Arena& arena) : arena_(arena) {}

    Arena& arena() noexcept { return arena_; }
    const std::vector<Node>& nodes() const noexcept { return nodes_; }

    template <class T, class... A>
    T* part(A... args) {
        const NodeType* type = &type_of<T>;
        const std::vector<double> key{static_cast<double>(args)...};
        for (const auto& [known_type, known_key, node] : parts_) {
            if (known_type == type && known_key == key) {
                if (nodes_[node].level > level_) level_ = nodes_[node].level;
                return reinterpret_cast<T*>(arena_.memory() + nodes_[node].offset);
            }
        }
        T* made = add<T>(kNoColumns, args...);
        parts_.push_back({type, key, nodes_.size() - 1});
        return made;
    }
    template <class T, class... A>
    T* add(std::uint32_t columns, A&&... args) {
        const std::uint32_t outer = std::exchange(level_, 0);
        std::byte* at = arena_.take(sizeof(T), alignof(T));
        T* made = new (at) T(*this, std::forward<A>(args)...);
        const auto offset = static_cast<std::uint32_t>(at - arena_.memory());
        nodes_.push_back({&type_of<T>, offset, static_cast<std::uint32_t>(sizeof(T)), ++level_, columns});
        if (outer > level_) level_ = outer;
        return made;
    }

private:
    struct Part {
        const NodeType* type;
        std::vector<double> key;
        std::size_t node;
    };
    Arena& arena_;
    std::vector<Node> nodes_;
    std::vector<Part> parts_;
    std::uint32_t level_ = 0;
};

template <class T>
concept Kernel = requires(Graph& graph, Params params) {
    { T::meta } -> std::convertible_to<const Meta&>;
    T(graph, params);
    { T::warmup(params) } -> std::convertible_to<int>;
} && (Wakes<T, Bar> || Wakes<T, Trade> || Wakes<T, Top>);

// A row of a family's table.
struct Kind {
    const Meta* meta;
    const NodeType* type;
    int (*warmup)(Params);  // how many of the events that wake it pass before the first value, if data are ordinary
    void (*add)(Graph&, std::uint32_t columns, Params);
};
template <Kernel T>
inline constexpr Kind kind{&T::meta, &type_of<T>, [](Params p) -> int { return T::warmup(p); },
                           [](Graph& g, std::uint32_t columns, Params p) { g.add<T>(columns, p); }};

struct Family {
    std::string_view name, group;
    std::span<const Kind> kinds;
};

}  // namespace smartcore
