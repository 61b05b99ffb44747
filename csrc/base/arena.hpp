// Where all state of an engine lives: one block of bytes that can be copied as a whole.
//
// Nodes are built in place, and what they name in the block they name by its offset, never by address. So a snapshot is
// a memcpy of the block and no feature has to say how it is saved: a field that somebody forgot to save cannot exist.
// And a node may be copied: history works on a local copy, whose fields are then registers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

// What is rarely done, out of the way of what is done every time: live, every bar passes through the code of all nodes, more
// than a first-level cache holds.
#if defined(__GNUC__)
#define SMARTCORE_APART __attribute__((noinline))
#else
#define SMARTCORE_APART
#endif

namespace smartcore {

// Values of type T somewhere in the block; reading them takes the Memory they are in.
template <class T>
struct Array {
    std::uint32_t at;
};

struct Memory {
    std::byte* bytes;

    template <class T>
    T* operator[](Array<T> a) const noexcept {
        return reinterpret_cast<T*>(bytes + a.at);  // std::launder here would keep compilers from hoisting it out of loops
    }
};

struct ArenaFull {};  // thrown while an engine is being built; the builder starts again with more room

class Arena {
public:
    Arena(std::byte* memory, std::size_t capacity) noexcept : memory_{memory}, capacity_(capacity) {}

    std::uint32_t take(std::size_t bytes, std::size_t align) {
        const std::size_t at = (used_ + align - 1) / align * align;
        if (at + bytes > capacity_) throw ArenaFull{};
        used_ = at + bytes;
        return static_cast<std::uint32_t>(at);
    }
    template <class T>
    Array<T> array(std::size_t n) {
        static_assert(std::is_trivially_copyable_v<T>);
        return {take(n * sizeof(T), alignof(T))};  // the block starts as zeros
    }
    Memory memory() const noexcept { return memory_; }
    std::size_t used() const noexcept { return used_; }

private:
    Memory memory_;
    std::size_t capacity_, used_ = 0;
};

}  // namespace smartcore
