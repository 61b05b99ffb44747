#include "features/user.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <mutex>
#include <stdexcept>

#include "features/catalogue.hpp"

namespace smartcore {
namespace {

// What stands in the arena. The functions' addresses do not: a snapshot is read by other processes.
struct User {
    Array<std::byte> state;
    std::uint32_t kernel;  // in the plan's table
};

// The event is a copy of the node's own.
template <class E>
bool call(const Place& p, const User& node, const UserKernel& kernel, E& event, const Top& top, double* out) noexcept {
    const UserCode& code = kernel.codes[waking<E>];
    if (code.reads_book && !top.valid) {
        std::fill_n(out, kernel.outputs, kNaN);
        return true;
    }
    if constexpr (std::is_same_v<E, Top>) return code.update(p.memory[node.state], &event, &event, out) != 0;
    if (!code.reads_book) return code.update(p.memory[node.state], &event, nullptr, out) != 0;
    Top book = top;
    return code.update(p.memory[node.state], &event, &book, out) != 0;
}

template <class E>
void wake_user(const Moment<E>& now, const Due<E>* due) noexcept {
    const Place& p = now.place;
    double out[kMostOfUser];
    for (std::uint32_t i = due->run.first; i < due->run.end; ++i) {
        const Slot& slot = p.slots[i];
        const User& node = *p.memory[Array<User>{slot.node}];
        const UserKernel& kernel = *p.users[node.kernel];
        E event = now.event;
        if (!call(p, node, kernel, event, now.top, out)) continue;
        for (std::uint32_t k = 0; k < kernel.outputs; ++k) p.lanes[p.columns[slot.out + k]] = out[k];
    }
    due[1].call(now, due + 1);
}

void wake_user_bars(const Place& p, Run run, const Block& block, const Top& top) noexcept {
    double out[kMostOfUser];
    for (std::uint32_t i = run.first; i < run.end; ++i) {
        const Slot& slot = p.slots[i];
        const User& node = *p.memory[Array<User>{slot.node}];
        const UserKernel& kernel = *p.users[node.kernel];
        const std::uint32_t* lanes = p.columns + slot.out;
        for (std::uint32_t k = 0; k < kernel.outputs; ++k) out[k] = p.lanes[lanes[k]];
        double now[kMostOfUser];
        for (std::uint32_t t = 0; t < block.n; ++t) {
            Bar bar = block.bars[t];
            if (call(p, node, kernel, bar, top, now)) std::copy_n(now, kernel.outputs, out);
            for (std::uint32_t k = 0; k < kernel.outputs; ++k) block.lanes[lanes[k] * kStride + t] = out[k];
        }
        for (std::uint32_t k = 0; k < kernel.outputs; ++k) p.lanes[lanes[k]] = out[k];
    }
}

std::mutex guard;
std::deque<UserKernel> declared;  // never moves what it holds

}  // namespace

std::uint32_t declare(UserKernel kernel) {
    if (kernel.outputs < 1 || kernel.outputs > kMostOfUser) throw std::invalid_argument("too many columns");
    [&]<class... E>(std::tuple<E...>*) {
        ([&] {
            const UserCode& code = kernel.codes[waking<E>];
            if (code.update) std::get<Wake<E>>(kernel.type.wakes) = {code.writes, &wake_user<E>};
        }(), ...);
    }(static_cast<Waking*>(nullptr));
    if (kernel.codes[waking<Bar>].update) kernel.type.bars = &wake_user_bars;
    const std::lock_guard lock(guard);
    declared.push_back(std::move(kernel));
    return static_cast<std::uint32_t>(catalogue().size() + declared.size() - 1);
}

const UserKernel* user_kernel(std::uint32_t number) {
    if (number < catalogue().size()) return nullptr;
    const std::lock_guard lock(guard);
    return &declared.at(number - catalogue().size());
}

void Graph::add(const UserKernel& kernel, std::uint32_t columns) {
    const auto bytes = static_cast<std::uint32_t>(kernel.state.size());
    const std::uint32_t at = arena_.take(sizeof(User), alignof(User)), state = arena_.take(bytes, 64);
    new (arena_.memory().bytes + at) User{{state}, static_cast<std::uint32_t>(users_.size())};
    if (bytes) std::memcpy(arena_.memory().bytes + state, kernel.state.data(), bytes);
    users_.push_back(&kernel);
    nodes_.push_back({&kernel.type, at, state + bytes - at, 1, columns, lanes_, false});
}

}  // namespace smartcore
