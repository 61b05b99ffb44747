// What a feature is: a struct with its metadata, a constructor that names what it needs, and an update per event.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.hpp"
#include "features/meta.hpp"
#include "features/node.hpp"

namespace smartcore {

// A fitted number of a kernel: the engine's own, or the one that ships.
inline double fitted(const Meta& meta, Params p, std::size_t i) noexcept {
    return p.size() > meta.params.size() ? p[meta.params.size() + i] : meta.fitted[i].value;
}

// The nodes of an engine while it is being built. A constructor asks it for the parts it reads; the same part with the
// same arguments is made once and updated before whoever reads it.
class Graph {
public:
    static constexpr std::uint32_t kNoColumns = 0xffffffff;
    struct Node {
        const NodeType* type;
        std::uint32_t offset, size, level, columns, lane;
        bool mixed;  // reads a part that bars do not wake
    };

    Graph(Arena& arena, std::uint32_t columns) : arena_(arena), lanes_(columns) {}

    Arena& arena() noexcept { return arena_; }
    const std::vector<Node>& nodes() const noexcept { return nodes_; }
    std::uint32_t lanes() const noexcept { return lanes_; }
    const std::vector<const UserKernel*>& users() const noexcept { return users_; }

    template <class T, class... A>
    Ref<T> part(A... args) {
        const NodeType* type = &type_of<T>;
        if (!type->on<Bar>().call) apart_ = true;
        const std::vector<double> key{static_cast<double>(args)...};
        for (const auto& [known_type, known_key, node] : parts_) {
            if (known_type == type && known_key == key) {
                if (nodes_[node].level > level_) level_ = nodes_[node].level;
                return {{nodes_[node].offset}, nodes_[node].lane};
            }
        }
        const std::uint32_t lane = add<T>(kNoColumns, args...);
        parts_.push_back({type, key, nodes_.size() - 1});
        return {{nodes_.back().offset}, lane};
    }
    template <class T, class... A>
    std::uint32_t add(std::uint32_t columns, A&&... args) {
        const std::uint32_t outer = std::exchange(level_, 0);
        const bool outer_apart = std::exchange(apart_, false);
        const std::uint32_t at = arena_.take(sizeof(T), alignof(T)), lane = lanes_;
        if (columns == kNoColumns) lanes_ += lanes_of<T>;
        new (arena_.memory().bytes + at) T(*this, std::forward<A>(args)...);
        nodes_.push_back({&type_of<T>, at, static_cast<std::uint32_t>(sizeof(T)), ++level_, columns, lane, apart_});
        if (outer > level_) level_ = outer;
        apart_ = outer_apart;
        return lane;
    }
    void add(const UserKernel& kernel, std::uint32_t columns);  // user.cpp
    template <class T>
    T& operator[](Ref<T> part) noexcept {
        return *arena_.memory()[part.node];
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
    std::vector<const UserKernel*> users_;
    std::uint32_t level_ = 0, lanes_;
    bool apart_ = false;
};

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
