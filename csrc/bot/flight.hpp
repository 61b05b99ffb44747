// The flight recorder: a ring of records over memory it is given, from which a journal is written. One thread puts, another takes.
//
// Over a memory-mapped file it outlives its process: what was put before a kill is found there afterwards. A record counts once
// `head` has passed it, which is the last thing stored. Checksums are for a power cut, which may keep some pages and lose others.
//
// Decisions and events share the ring in the order in which they came. A record is self-describing (sizes of its parts), so that
// a ring left by an older version can still be emptied.
#pragma once
#include <atomic>
#include <cstring>
#include <span>

#include "bot/recorder.hpp"

namespace smartcore {

class Flight : public Recorder {
public:
    enum class Kind : std::uint32_t { pad, decision, event };
    enum Part { kDecision, kContext, kGiven, kCard, kRow, kParts };  // of a decision's record; kCard is empty where it is the one before's

    // Begins the memory, and each lies on a cache line of its own where threads differ.
    struct Header {
        std::uint64_t magic, layout, capacity, unused[5];
        alignas(64) std::atomic<std::uint64_t> head;            // bytes ever put
        std::atomic<std::uint64_t> events, drops, lost;         // events that came; decisions and events that found no room
        std::atomic<std::uint64_t> state;                       // a hash of all that came: equal where the bot's state has to be
        alignas(64) std::atomic<std::uint64_t> tail;            // bytes ever released
    };
    // Begins each record, which is a multiple of its size long and never wraps.
    struct Head {
        std::uint64_t position, check;
        std::uint64_t number;  // events that came before it
        std::uint32_t size;    // of all of it
        Kind kind;
    };
    struct Record {
        std::uint64_t end, number;
        Kind kind;
        std::span<const std::byte> body;
    };

    // Lays a new ring out in `memory` (on a boundary of 64 bytes; throws std::invalid_argument if it is too small). newest: the
    // oldest records make room for new ones; else what finds no room is dropped and counted. capture: events are kept, not only
    // counted. state: that of the bot's snapshot, where it goes on from one.
    Flight(std::span<std::byte> memory, bool newest, bool capture, std::uint64_t state = 0);

    bool put(const decide::Decision& decision, const decide::Context& context, const decide::Given& given,
             const decide::Scorecard& card, const double* row, std::size_t width) noexcept override;
    void event(const Event& e) noexcept override;

    const Header& header() const noexcept { return *header_; }
    std::span<const std::byte> memory() const noexcept { return memory_; }
    void release(std::uint64_t to) noexcept { header_->tail.store(to, std::memory_order_release); }
    void close() noexcept { closed_.store(true, std::memory_order_release); }  // from now on all is dropped, and counted
    // The memory is another process's: nothing in it is touched from now on. While nobody puts.
    void leave() noexcept {
        close();
        header_ = new (left_) Header{};
        header_->capacity = capacity_;
    }

    // The header of a ring in `memory`; nullptr: there is none, or it is damaged.
    static const Header* of(std::span<const std::byte> memory) noexcept;
    // The first record from `at` on, before `head`. checked: its checksum too. False: there is none, or it is not whole.
    static bool next(std::span<const std::byte> memory, std::uint64_t at, std::uint64_t head, bool checked, Record& out) noexcept;

private:
    std::byte* room(std::size_t size, std::size_t spare) noexcept;
    void seal(std::byte* at, Kind kind, std::size_t size) noexcept;

    std::span<std::byte> memory_;
    Header* header_;
    std::uint64_t capacity_;
    alignas(Header) std::byte left_[sizeof(Header)];
    std::uint64_t head_ = 0, seen_ = 0, number_ = 0, state_;  // seen_: the tail when last looked at
    std::atomic<bool> closed_{false};
    bool newest_, capture_, carded_ = false;
    decide::Scorecard card_;                          // the last one that was put
};

static_assert(sizeof(Flight::Head) == 32 && sizeof(Flight::Header) == 192);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace smartcore
