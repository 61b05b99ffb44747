// Saved state: a magic of eight bytes, sections with their lengths, a checksum over all before it.
#pragma once
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace smartcore {

using Magic = char[8];

inline std::uint64_t checksum(std::string_view bytes) noexcept {  // FNV-1a, eight bytes a round
    std::uint64_t h = 1469598103934665603ull;
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        std::uint64_t x;
        std::memcpy(&x, bytes.data() + i, 8);
        h = (h ^ x) * 1099511628211ull;
        h ^= h >> 29;
    }
    for (; i < bytes.size(); ++i) h = (h ^ static_cast<unsigned char>(bytes[i])) * 1099511628211ull;
    return h;
}

class SectionWriter {
public:
    explicit SectionWriter(const Magic& magic) : blob_(magic, sizeof magic) {}
    void put(std::string_view section) {
        const std::uint64_t length = section.size();
        blob_.append(reinterpret_cast<const char*>(&length), 8);
        blob_.append(section);
    }
    void put(const void* data, std::size_t n) { put({static_cast<const char*>(data), n}); }
    std::string end() && {
        const std::uint64_t sum = checksum(blob_);
        blob_.append(reinterpret_cast<const char*>(&sum), 8);
        return std::move(blob_);
    }

private:
    std::string blob_;
};

// Throws std::invalid_argument for bytes that are not whole. `what`: of which snapshot they should be.
class SectionReader {
public:
    SectionReader(std::string_view blob, const Magic& magic, const char* what) : rest_(blob) {
        if (blob.size() < sizeof magic + 8 || std::memcmp(blob.data(), magic, sizeof magic) != 0) throw std::invalid_argument(what);
        std::uint64_t sum;
        std::memcpy(&sum, blob.data() + blob.size() - 8, 8);
        rest_.remove_suffix(8);
        if (sum != checksum(rest_)) throw std::invalid_argument("its checksum does not fit: bytes were changed or lost");
        rest_.remove_prefix(sizeof magic);
    }
    std::string_view next() {
        std::uint64_t n;
        if (rest_.size() < 8) throw std::invalid_argument("it ends too early");
        std::memcpy(&n, rest_.data(), 8);
        rest_.remove_prefix(8);
        if (rest_.size() < n) throw std::invalid_argument("it ends too early");
        const std::string_view section = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return section;
    }
    template <class T>
    void into(T& value) {
        const std::string_view section = next();
        if (section.size() != sizeof(T)) throw std::invalid_argument("it was written by another version of smartcore");
        std::memcpy(static_cast<void*>(&value), section.data(), sizeof(T));
    }

private:
    std::string_view rest_;
};

}  // namespace smartcore
