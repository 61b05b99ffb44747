// One side of an order book: price levels in order, the best first.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/number.hpp"

namespace smartcore {

struct Level {
    double price, size;
};

// Levels lie in pages of at most 64, worst page first and best level last, so that work at the touch, where most updates
// are, moves the fewest bytes. The bounds between pages stand in one array of their own: finding a page far from the
// touch reads that array and nothing else (following pointers to the pages cost a cache miss a step). Within a page at
// most 1 KiB moves. Prices are keys as they come: decimal text of one venue always parses to the same double, so equality
// is exact at any price scale. Pages are recycled; memory is asked for only when the book outgrows its largest size.
class Ladder {
public:
    explicit Ladder(int side) noexcept : sign_(side) {}  // +1 bids: higher is better; -1 asks: lower is better

    // What a new size did: nothing, changed a level's size, or put a level in or took one out. `better`: how many levels
    // are better than it; exact below 64.
    struct Change {
        enum What : std::uint32_t { nothing, resized, moved } what;
        std::uint32_t better;
    };
    // Sets a level's total size; 0 removes it.
    Change set(double price, double size) {
        const double key = price * sign_;
        std::size_t p = pages_.size();
        std::uint32_t better = 0;
        if (p == 0) {
            if (size == 0) return {Change::nothing, 0};
            add_page(0, -kInf);
            p = 1;
        }
        // Page p - 1 is the one: the last whose bound is not above the key.
        if (key < bounds_[p - 1]) {
            p = count_not_above(bounds_.data(), p - 1, key);
            for (std::size_t q = pages_.size(); q > p && better < kPage; --q) better += pages_[q - 1]->n;
        }
        Page& page = *pages_[p - 1];
        const auto i = static_cast<std::uint32_t>(count_not_above(page.keys, page.n, key));
        better += page.n - i;
        if (i > 0 && page.keys[i - 1] == key) {
            if (size != 0) {
                page.sizes[i - 1] = size;
                return {Change::resized, better};
            }
            std::memmove(page.keys + i - 1, page.keys + i, (page.n - i) * sizeof(double));
            std::memmove(page.sizes + i - 1, page.sizes + i, (page.n - i) * sizeof(double));
            --count_;
            if (--page.n == 0) drop_page(p - 1);
            return {Change::moved, better};
        }
        if (size == 0) return {Change::nothing, 0};
        ++count_;
        if (page.n < kPage) {
            insert(page, i, key, size);
            return {Change::moved, better};
        }
        split(p - 1);
        const std::uint32_t keep = pages_[p - 1]->n;
        if (i > keep) insert(*pages_[p], i - keep, key, size);
        else insert(*pages_[p - 1], i, key, size);
        return {Change::moved, better};
    }

    void clear() {
        spare_.insert(spare_.end(), pages_.begin(), pages_.end());
        pages_.clear();
        bounds_.clear();
        count_ = 0;
    }
    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }

    // The best n levels, best first; returns how many there are.
    template <class F>
    std::uint32_t top(std::uint32_t n, F&& take) const {
        std::uint32_t k = 0;
        for (std::size_t p = pages_.size(); p-- > 0 && k < n;) {
            const Page& page = *pages_[p];
            for (std::uint32_t i = page.n; i-- > 0 && k < n; ++k) take(k, Level{page.keys[i] * sign_, page.sizes[i]});
        }
        return k;
    }

    Ladder(const Ladder& other) : sign_(other.sign_) { *this = other; }
    Ladder& operator=(const Ladder& other) {
        if (this == &other) return *this;
        clear();
        for (const Page* page : other.pages_) {
            pages_.push_back(fresh());
            *pages_.back() = *page;
        }
        bounds_ = other.bounds_;
        count_ = other.count_;
        return *this;
    }
    ~Ladder() {
        for (Page* page : pages_) delete page;
        for (Page* page : spare_) delete page;
    }

private:
    static constexpr std::uint32_t kPage = 64;
    struct Page {
        std::uint32_t n = 0;
        double keys[kPage], sizes[kPage];  // ascending keys: the price, or less the price for asks
    };

    // How many of n ascending keys are not above the key: every eighth key first, then the eight in question. Comparisons
    // that do not wait for each other take half the time of a binary search, whose steps do.
    static std::size_t count_not_above(const double* keys, std::size_t n, double key) noexcept {
        std::size_t at = 0;
        while (n > 64) {
            const std::size_t half = n / 2;
            at += half & -static_cast<std::size_t>(keys[at + half - 1] <= key);
            n -= half;
        }
        const double* k = keys + at;
        std::size_t eights = 0;
        for (std::size_t i = 7; i < n; i += 8) eights += k[i] <= key;
        std::size_t i = 8 * eights, last = i + 8 < n ? i + 8 : n, below = i;
        for (; i < last; ++i) below += k[i] <= key;
        return at + below;
    }

    void add_page(std::size_t p, double bound) {
        pages_.insert(pages_.begin() + static_cast<std::ptrdiff_t>(p), fresh());
        bounds_.insert(bounds_.begin() + static_cast<std::ptrdiff_t>(p), bound);
    }
    void drop_page(std::size_t p) {
        spare_.push_back(pages_[p]);
        pages_.erase(pages_.begin() + static_cast<std::ptrdiff_t>(p));
        bounds_.erase(bounds_.begin() + static_cast<std::ptrdiff_t>(p));
        if (!bounds_.empty()) bounds_[0] = -kInf;  // the first page takes all that is worse
    }
    Page* fresh() {
        if (spare_.empty()) return new Page;
        Page* page = spare_.back();
        spare_.pop_back();
        page->n = 0;
        return page;
    }
    static void insert(Page& page, std::uint32_t i, double key, double size) noexcept {
        std::memmove(page.keys + i + 1, page.keys + i, (page.n - i) * sizeof(double));
        std::memmove(page.sizes + i + 1, page.sizes + i, (page.n - i) * sizeof(double));
        page.keys[i] = key;
        page.sizes[i] = size;
        ++page.n;
    }
    void split(std::size_t p) {
        const std::uint32_t keep = kPage / 2;
        add_page(p + 1, pages_[p]->keys[keep]);
        Page &lower = *pages_[p], &upper = *pages_[p + 1];
        std::memcpy(upper.keys, lower.keys + keep, (lower.n - keep) * sizeof(double));
        std::memcpy(upper.sizes, lower.sizes + keep, (lower.n - keep) * sizeof(double));
        upper.n = lower.n - keep;
        lower.n = keep;
    }

    double sign_;
    std::size_t count_ = 0;
    std::vector<Page*> pages_, spare_;
    std::vector<double> bounds_;
};

}  // namespace smartcore
