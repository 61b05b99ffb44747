// How nodes are run: live, one event through all of them; in history, a block of bars through each.
#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/arena.hpp"
#include "features/meta.hpp"
#include "market/book.hpp"
#include "market/event.hpp"

namespace smartcore {

class Graph;
struct UserKernel;

// ---- what an update reads and writes ----
//
// A part tells its readers a few numbers after each update; each number has a lane. Live, a lane is one double. History
// runs a node over a block of bars before it runs the next node, and a lane then holds a value per bar. An update is
// written once, for "now", and is inlined into both.

inline constexpr std::uint32_t kBlock = 128;
inline constexpr std::uint32_t kStride = kBlock + 8;  // powers of two would share a few cache sets

// A part as its readers hold it: where it is, and the first of its lanes.
template <class P>
struct Ref {
    Array<P> node;
    std::uint32_t lane;
};

// What a part tells: one number, or its struct `Told` of plain doubles.
template <class P>
struct ToldBy {
    using type = double;
};
template <class P>
    requires requires { typename P::Told; }
struct ToldBy<P> {
    using type = typename P::Told;
};
template <class P>
using Told = typename ToldBy<P>::type;
template <class P>
inline constexpr std::uint32_t lanes_of = sizeof(Told<P>) / sizeof(double);

struct In {
    Memory memory;
    const double* lanes;
    std::size_t stride, age;  // from lane to lane; how many bars of the block are later than now
    const Top& top;

    double lane(std::uint32_t i) const noexcept { return lanes[i * stride]; }
    // What the part told last: NaN, or a struct of NaN, before it ever did.
    template <class P>
    Told<P> operator()(Ref<P> part) const noexcept {
        return [&]<std::uint32_t... I>(std::integer_sequence<std::uint32_t, I...>) {
            return Told<P>{lane(part.lane + I)...};
        }(std::make_integer_sequence<std::uint32_t, lanes_of<P>>());
    }
    // The history that a part keeps.
    template <class P>
    auto past(Ref<P> part) const noexcept {
        return memory[part.node]->values.view(memory, age);
    }
    operator Memory() const noexcept { return memory; }
};

// Where a kernel writes its columns and a part what it tells. What is not written stays as it was. A column that nobody
// asked for goes to a spare slot.
struct Out {
    double* first;
    const std::uint32_t* place;
    double& operator[](std::size_t i) const noexcept { return first[place[i]]; }
};
inline constexpr auto kInPlace = [] {
    std::array<std::uint32_t, 64> place{};
    for (std::uint32_t i = 0; i < place.size(); ++i) place[i] = i;
    return place;
}();

// An update is update(e, in) or update(e, in, out).
template <class T, class E>
concept Writes = requires(T t, const E& e, In in, Out out) { t.update(e, in, out); };
template <class T, class E>
concept Wakes = Writes<T, E> || requires(T t, const E& e, In in) { t.update(e, in); };

template <class T, class E>
void update(T& node, const E& e, const In& in, const Out& out) noexcept {
    if constexpr (Writes<T, E>) node.update(e, in, out);
    else node.update(e, in);
}

// ---- waking nodes ----

// An update has two callers: without this it would be a call where it is long.
#if defined(__GNUC__)
#define SMARTCORE_FLATTEN __attribute__((flatten))
#define SMARTCORE_LIVE __attribute__((flatten, hot))  // side by side in memory: all of them run at every bar
#else
#define SMARTCORE_FLATTEN
#define SMARTCORE_LIVE
#endif
#if defined(__clang__)
#define SMARTCORE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SMARTCORE_INDEPENDENT _Pragma("GCC ivdep")
#else
#define SMARTCORE_INDEPENDENT
#endif

// Whether T is a feature, and not a part.
template <class T>
concept Kernel = requires(Graph& graph, Params params) {
    { T::meta } -> std::convertible_to<const Meta&>;
    T(graph, params);
    { T::warmup(params) } -> std::convertible_to<int>;
};

struct Slot {
    std::uint32_t node, out;  // offset in the arena; first in the map of columns (a kernel), first lane (a part)
};
struct Place {
    Memory memory;
    double* lanes;                 // columns first, so that they are the row
    const std::uint32_t* columns;  // lane of each output of each kernel
    const Slot* slots;
    const UserKernel* const* users;  // kernels of users' own (user.hpp)
};
struct Run {
    std::uint32_t first, end;  // slots of the nodes of one type that are due together; at least one
};
// An event that nodes are woken with.
template <class E>
struct Moment {
    Place place;
    const E& event;
    const Top& top;
};
// What is due then: the nodes of one type. Each goes on to the next by its last call, which compilers make a jump: each from a
// place of its own, always to the same one. Processors foresee that; of calls from one loop to 400 functions they missed so
// many that a bar took an eighth longer.
template <class E>
struct Due {
    void (*call)(const Moment<E>&, const Due*) noexcept;
    Run run;
};
template <class E>
void rest(const Moment<E>&, const Due<E>*) noexcept {}  // behind the last

// Live: a call through a pointer per type, not per node, and the updates inside it are inlined side by side, so that
// their dependency chains overlap.
template <class T, class E>
SMARTCORE_LIVE void wake(const Moment<E>& now, const Due<E>* due) noexcept {
    {
        const Place p = now.place;
        const In in{p.memory, p.lanes, 1, 0, now.top};
        const Slot *slot = p.slots + due->run.first, *const end = p.slots + due->run.end;
        do {
            T& node = *p.memory[Array<T>{slot->node}];
            if constexpr (Kernel<T>) update(node, now.event, in, Out{p.lanes, p.columns + slot->out});
            else update(node, now.event, in, Out{p.lanes + slot->out, kInPlace.data()});
        } while (++slot != end);
    }
    return due[1].call(now, due + 1);
}

// ---- history: a node runs over a whole block of bars, its state in registers, before the next one does ----

// Bars field by field: updates of several bars at once read them side by side.
struct Bars {
    std::int64_t ts[kBlock];
    double open[kBlock], high[kBlock], low[kBlock], close[kBlock], volume[kBlock], turnover[kBlock];

    void put(std::uint32_t t, const Bar& b) noexcept {
        ts[t] = b.ts, open[t] = b.open, high[t] = b.high, low[t] = b.low, close[t] = b.close;
        volume[t] = b.volume, turnover[t] = b.turnover;
    }
    Bar operator[](std::uint32_t t) const noexcept {
        Bar b{};
        b.kind = Type::bar;
        b.ts = ts[t], b.open = open[t], b.high = high[t], b.low = low[t], b.close = close[t];
        b.volume = volume[t], b.turnover = turnover[t];
        return b;
    }
};
struct Block {
    const Bars& bars;
    std::uint32_t n;
    double* lanes;  // kStride apart
};

// A node on its way through a block: its state, and what it wrote last.
template <class T>
struct Walk {
    static constexpr std::size_t count = [] {
        if constexpr (Kernel<T>) return std::max<std::size_t>(1, T::meta.outputs.size());
        else return std::size_t{lanes_of<T>};
    }();
    Walk(const Place& p, const Slot& s) noexcept : slot(s), node(*p.memory[Array<T>{s.node}]) {
        for (std::size_t k = 0; k < count; ++k) now[k] = p.lanes[lane(p, k)];
    }
    std::size_t lane(const Place& p, std::size_t k) const noexcept {
        if constexpr (Kernel<T>) return p.columns[slot.out + k];
        else return slot.out + k;
    }
    void go(const Place& p, const Block& b, std::uint32_t t, const Top& top) noexcept {
        update(node, b.bars[t], In{p.memory, b.lanes + t, kStride, b.n - 1 - t, top}, Out{now, kInPlace.data()});
        for (std::size_t k = 0; k < count; ++k) (b.lanes + t)[lane(p, k) * kStride] = now[k];
    }
    void end(const Place& p) noexcept {
        *p.memory[Array<T>{slot.node}] = node;
        for (std::size_t k = 0; k < count; ++k) p.lanes[lane(p, k)] = now[k];
    }
    const Slot slot;
    T node;
    double now[count + 1];
};
template <class T>
SMARTCORE_FLATTEN void wake_block(const Place& place, Run run, const Block& block, const Top& top) noexcept {
    const Place p = place;
    const Block b = block;
    std::uint32_t i = run.first;
    for (; i + 2 <= run.end; i += 2) {  // by twos, so that their dependency chains overlap
        Walk<T> one(p, p.slots[i]), two(p, p.slots[i + 1]);
        for (std::uint32_t t = 0; t < b.n; ++t) one.go(p, b, t, top), two.go(p, b, t, top);
        one.end(p), two.end(p);
    }
    for (; i < run.end; ++i) {
        Walk<T> one(p, p.slots[i]);
        for (std::uint32_t t = 0; t < b.n; ++t) one.go(p, b, t, top);
        one.end(p);
    }
}

// A node whose update is const has no state of its own: one bar does not wait for the one before, and several are done at
// once. Such an update writes all its outputs every time (NaN for what is not known), without `return` before.
template <class T>
concept Stateless = requires(const T& t, const Bar& b, In in, Out out) { t.update(b, in, out); };
template <Stateless T>
SMARTCORE_FLATTEN void wake_at_once(const Place& place, Run run, const Block& block, const Top& top) noexcept {
    const Place p = place;
    const Block b = block;
    for (std::uint32_t i = run.first; i < run.end; ++i) {
        const Walk<T> walk(p, p.slots[i]);
        std::uint32_t lanes[Walk<T>::count];
        for (std::size_t k = 0; k < Walk<T>::count; ++k) lanes[k] = static_cast<std::uint32_t>(walk.lane(p, k)) * kStride;
        SMARTCORE_INDEPENDENT
        for (std::uint32_t t = 0; t < b.n; ++t)
            walk.node.update(b.bars[t], In{p.memory, b.lanes + t, kStride, b.n - 1 - t, top}, Out{b.lanes + t, lanes});
        for (std::size_t k = 0; k < Walk<T>::count; ++k) p.lanes[walk.lane(p, k)] = b.lanes[lanes[k] + b.n - 1];
    }
}

// The events that wake nodes, and their names in the catalogue.
using Waking = std::tuple<Bar, Trade, Top, Score, Aux, Peer, Basket, Factor>;
inline constexpr std::string_view kWaking[] = {"bar", "trade", "book", "score", "aux", "peer", "basket", "factor"};
inline constexpr std::size_t kWakings = std::tuple_size_v<Waking>;
template <class E, std::size_t I = 0>
inline constexpr std::size_t waking = std::is_same_v<E, std::tuple_element_t<I, Waking>> ? I : waking<E, I + 1>;
template <class E>
inline constexpr std::size_t waking<E, kWakings> = kWakings;

template <class E>
struct Wake {
    bool writes = false;  // whether it gives its columns new values
    void (*call)(const Moment<E>&, const Due<E>*) noexcept = nullptr;
};
struct NodeType {
    std::tuple<Wake<Bar>, Wake<Trade>, Wake<Top>, Wake<Score>, Wake<Aux>, Wake<Peer>, Wake<Basket>, Wake<Factor>> wakes;
    void (*bars)(const Place&, Run, const Block&, const Top&) noexcept = nullptr;

    template <class E>
    constexpr const Wake<E>& on() const noexcept {
        return std::get<Wake<E>>(wakes);
    }
    template <class F>
    constexpr void each(F&& f) const {  // f(which of kWaking, whether it is woken, whether it then writes)
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (f(I, std::get<I>(wakes).call != nullptr, std::get<I>(wakes).writes), ...);
        }(std::make_index_sequence<kWakings>());
    }
};
template <class T>
constexpr NodeType make_type() {
    static_assert(std::is_trivially_copyable_v<T>, "state lives in the arena: no std containers");
    if constexpr (!Kernel<T>) static_assert(lanes_of<T> <= kInPlace.size(), "a part tells more than kInPlace has room for");
    NodeType type;
    [&]<class... E>(std::tuple<E...>*) {
        ([&] {
            if constexpr (Wakes<T, E>) std::get<Wake<E>>(type.wakes) = {Writes<T, E>, &wake<T, E>};
        }(), ...);
    }(static_cast<Waking*>(nullptr));
    if constexpr (Stateless<T>) type.bars = &wake_at_once<T>;
    else if constexpr (Wakes<T, Bar>) type.bars = &wake_block<T>;
    return type;
}
template <class T>
inline constexpr NodeType type_of = make_type<T>();

}  // namespace smartcore
