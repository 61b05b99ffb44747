// Features of users' own: functions compiled elsewhere and some bytes of state, run as a node like any other.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "features/feature.hpp"

namespace smartcore {

inline constexpr std::uint32_t kMostOfUser = 32;  // columns of one kernel

// What a function is given: its state, the event, the best levels of the book, and room for its columns. It returns 0 where the
// columns stay as they are. The event is a copy: what others see is not its to change.
using UserUpdate = std::int32_t (*)(std::byte* state, void* event, void* book, double* out);

struct UserCode {
    UserUpdate update = nullptr;
    bool reads_book = false;  // then its columns are unknown while the book is, and it is not called
    bool writes = true;
};
struct UserKernel {
    std::uint32_t outputs = 1;
    int warmup = 1;
    std::vector<std::byte> state;          // at the start
    std::array<UserCode, kWakings> codes;  // by kWaking
    NodeType type{};
};

// Entered for the life of the process, so that engines never lose their code; its number is one behind the catalogue's.
std::uint32_t declare(UserKernel kernel);
const UserKernel* user_kernel(std::uint32_t number);  // nullptr: a kernel of the catalogue. Throws std::out_of_range

}  // namespace smartcore
