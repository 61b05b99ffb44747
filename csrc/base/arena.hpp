// Where all state of an engine lives: one block of bytes that can be copied as a whole.
//
// Nodes are built in place and point at each other by distance (Ref, Array), never by address, so a snapshot is a memcpy
// of the block and no feature has to say how it is saved. A field that somebody forgot to save cannot exist.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

namespace smartcore {

// A pointer to something in the same block, kept as a distance from itself. It may not be copied on its own.
template <class T>
class Ref {
public:
    explicit Ref(const T* target) noexcept { point(target); }
    Ref(const Ref&) = delete;
    Ref& operator=(const Ref&) = delete;

    void point(const T* target) noexcept {
        distance_ = reinterpret_cast<const std::byte*>(target) - reinterpret_cast<const std::byte*>(this);
    }
    T* get() const noexcept {
        auto self = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(this));
        return std::launder(reinterpret_cast<T*>(self + distance_));
    }
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }
    T& operator[](std::size_t i) const noexcept { return get()[i]; }

private:
    std::ptrdiff_t distance_;
};

struct ArenaFull {};  // thrown while an engine is being built; the builder starts again with twice the room

class Arena {
public:
    Arena(std::byte* memory, std::size_t capacity) noexcept : memory_(memory), capacity_(capacity) {}

    std::byte* take(std::size_t bytes, std::size_t align) {
        std::size_t at = (used_ + align - 1) / align * align;
        if (at + bytes > capacity_) throw ArenaFull{};
        used_ = at + bytes;
        return memory_ + at;
    }
    template <class T>
    T* array(std::size_t n) {
        static_assert(std::is_trivially_copyable_v<T>);
        return reinterpret_cast<T*>(take(n * sizeof(T), alignof(T)));  // the block starts as zeros
    }
    std::byte* memory() const noexcept { return memory_; }
    std::size_t used() const noexcept { return used_; }

private:
    std::byte* memory_;
    std::size_t capacity_, used_ = 0;
};

}  // namespace smartcore
