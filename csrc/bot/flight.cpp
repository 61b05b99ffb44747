#include "bot/flight.hpp"

#include <stdexcept>

namespace smartcore {
namespace {

constexpr std::uint64_t kMagic = 0x7468'6769'6c66'6373;  // "scflight", little-endian
constexpr std::uint64_t kLayout = 2;
constexpr std::size_t kUnit = sizeof(Flight::Head);

constexpr std::size_t padded(std::size_t size) noexcept { return (size + kUnit - 1) / kUnit * kUnit; }

// FNV-1a over four lanes of eight bytes, which do not wait for each other: 6 kB in 0.3 us.
std::uint64_t checksum(const Flight::Head& head, const std::byte* body) noexcept {
    constexpr std::uint64_t prime = 0x100000001b3;
    std::uint64_t lane[4] = {head.position + 0xcbf29ce484222325, head.number, head.size, static_cast<std::uint64_t>(head.kind)};
    for (std::size_t i = 0; i < head.size - kUnit; i += kUnit) {
        std::uint64_t word[4];
        std::memcpy(word, body + i, sizeof word);
        for (int k = 0; k < 4; ++k) {
            lane[k] = (lane[k] ^ word[k]) * prime;
            lane[k] ^= lane[k] >> 29;  // a product carries only upwards
        }
    }
    std::uint64_t sum = 0;
    for (const std::uint64_t x : lane) sum = (sum ^ x ^ (x >> 32)) * prime;
    return sum;
}

// What came, event by event: order counts. Only the last product waits for the event before, so it takes 3 ns.
std::uint64_t follow(std::uint64_t state, const Event& e) noexcept {
    constexpr std::uint64_t prime = 0x9e3779b97f4a7c15;
    std::uint64_t word[8], lane[4];
    static_assert(sizeof word == sizeof e);
    std::memcpy(word, &e, sizeof word);
    for (std::size_t k = 0; k < 4; ++k) {
        lane[k] = (word[k] ^ (prime + k)) * prime;
        lane[k] = ((lane[k] ^ lane[k] >> 32) + word[k + 4]) * prime;
    }
    const std::uint64_t all = (lane[0] ^ lane[1] >> 29) + (lane[2] ^ lane[3] >> 31) * prime + (lane[1] ^ lane[3] << 17);
    state = (state ^ all) * prime;
    return state ^ state >> 32;
}

}  // namespace

Flight::Flight(std::span<std::byte> memory, bool newest, bool capture, std::uint64_t state)
    : memory_(memory), header_(nullptr), capacity_(memory.size() < sizeof(Header) ? 0 : (memory.size() - sizeof(Header)) / kUnit * kUnit),
      state_(state), newest_(newest), capture_(capture) {
    if (capacity_ < 4096) throw std::invalid_argument("a flight recorder needs 4,288 bytes or more");
    if (reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(Header)) {
        throw std::invalid_argument("the memory of a flight recorder begins on a boundary of 64 bytes");
    }
    std::memset(memory.data(), 0, sizeof(Header));
    header_ = new (memory.data()) Header{};
    header_->layout = kLayout;
    header_->capacity = capacity_;
    header_->state = state;
    std::atomic_thread_fence(std::memory_order_release);
    header_->magic = kMagic;
}

// Where a record of `size` bytes goes, its number already in it, with `spare` bytes left for others; nullptr: no room.
std::byte* Flight::room(std::size_t size, std::size_t spare) noexcept {
    const std::size_t rest = capacity_ - head_ % capacity_;
    const std::size_t need = size <= rest ? size : rest + size;
    if (size > capacity_ / 2) return nullptr;
    if (need + spare > capacity_ - (head_ - seen_)) {
        seen_ = header_->tail.load(std::memory_order_acquire);
        if (newest_ && need > capacity_ - (head_ - seen_)) {
            Record oldest;
            while (need > capacity_ - (head_ - seen_) && next(memory_, seen_, head_, false, oldest)) seen_ = oldest.end;
            header_->tail.store(seen_, std::memory_order_release);
            std::atomic_thread_fence(std::memory_order_seq_cst);  // whoever reads what is overwritten now, sees that it was released
        }
        if (need + (newest_ ? 0 : spare) > capacity_ - (head_ - seen_)) return nullptr;
    }
    std::byte* ring = memory_.data() + sizeof(Header);
    if (size > rest) {
        seal(ring + head_ % capacity_, Kind::pad, rest);
        head_ += rest;
    }
    return ring + head_ % capacity_;
}

// Writes the head of the record whose body is in place. A pad's body is left as it is, so its checksum covers the head alone.
void Flight::seal(std::byte* at, Kind kind, std::size_t size) noexcept {
    Head head{head_, 0, number_, static_cast<std::uint32_t>(size), kind};
    Head summed = head;
    if (kind == Kind::pad) summed.size = kUnit;
    head.check = checksum(summed, at + kUnit);
    std::memcpy(at, &head, sizeof head);
}

bool Flight::put(const decide::Decision& decision, const decide::Context& context, const decide::Given& given,
                 const decide::Scorecard& card, const double* row, std::size_t width) noexcept {
    const bool same = carded_ && !newest_ && std::memcmp(&card, &card_, sizeof card) == 0;
    const std::size_t sizes[kParts] = {sizeof decision, sizeof context, sizeof given, same ? 0 : sizeof card, width * sizeof(double)};
    const void* parts[kParts] = {&decision, &context, &given, &card, row};
    std::uint32_t told[kParts + 1] = {};
    std::size_t total = sizeof(Head) + sizeof told + sizeof state_;
    for (std::size_t i = 0; i < kParts; ++i) total += told[i] = static_cast<std::uint32_t>(sizes[i]);
    const std::size_t size = padded(total);
    std::byte* at = closed_.load(std::memory_order_acquire) ? nullptr : room(size, 0);
    if (!at) {
        header_->drops.store(header_->drops.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return false;
    }
    std::byte* to = at + sizeof(Head);
    std::memcpy(to, told, sizeof told);
    to += sizeof told;
    std::memcpy(to, &state_, sizeof state_);
    to += sizeof state_;
    for (std::size_t i = 0; i < kParts; ++i) {
        if (sizes[i]) std::memcpy(to, parts[i], sizes[i]);
        to += sizes[i];
    }
    std::memset(to, 0, static_cast<std::size_t>(at + size - to));
    seal(at, Kind::decision, size);
    head_ += size;
    header_->head.store(head_, std::memory_order_release);
    if (!same) {
        std::memcpy(&card_, &card, sizeof card);
        carded_ = true;
    }
    return true;
}

void Flight::event(const Event& e) noexcept {
    header_->state.store(state_ = follow(state_, e), std::memory_order_relaxed);
    if (!capture_ || closed_.load(std::memory_order_acquire)) {
        header_->events.store(++number_, std::memory_order_relaxed);
        return;
    }
    constexpr std::size_t size = padded(sizeof(Head) + sizeof(Event));
    if (std::byte* at = room(size, capacity_ / 4)) {  // a quarter stays free for decisions, which matter more
        std::memcpy(at + sizeof(Head), &e, sizeof e);
        seal(at, Kind::event, size);
        head_ += size;
        header_->head.store(head_, std::memory_order_release);
    } else {
        header_->lost.store(header_->lost.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    header_->events.store(++number_, std::memory_order_relaxed);
}

const Flight::Header* Flight::of(std::span<const std::byte> memory) noexcept {
    if (memory.size() < sizeof(Header) || reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(std::uint64_t)) return nullptr;
    const auto* header = reinterpret_cast<const Header*>(memory.data());
    if (header->magic != kMagic || header->layout != kLayout) return nullptr;
    if (header->capacity % kUnit || header->capacity < kUnit || header->capacity > memory.size() - sizeof(Header)) return nullptr;
    return header;
}

bool Flight::next(std::span<const std::byte> memory, std::uint64_t at, std::uint64_t head, bool checked, Record& out) noexcept {
    const Header& header = *reinterpret_cast<const Header*>(memory.data());
    const std::uint64_t capacity = header.capacity;
    const std::byte* ring = memory.data() + sizeof(Header);
    while (at < head && at % kUnit == 0) {
        const std::byte* place = ring + at % capacity;
        Head found;
        std::memcpy(&found, place, sizeof found);
        if (found.position != at || found.size < kUnit || found.size % kUnit || found.size > capacity - at % capacity ||
            found.size > head - at) {
            return false;
        }
        Head summed = found;
        if (found.kind == Kind::pad) summed.size = kUnit;
        if (checked && found.check != checksum(summed, place + kUnit)) return false;
        at += found.size;
        if (found.kind == Kind::pad) continue;
        out = {at, found.number, found.kind, {place + kUnit, found.size - kUnit}};
        return true;
    }
    return false;
}

}  // namespace smartcore
