// One side of an order book: price levels in order, the best first.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace smartcore {

struct Level {
    double price, size;
};

// Levels lie in pages of at most 64, worst page first and best level last, so that work at the touch, where most updates
// are, moves the fewest bytes. Finding a page is a binary search; within it at most 1 KiB moves. Prices are keys as they
// come: decimal text of one venue always parses to the same double, so equality is exact at any price scale.
// Pages are recycled; memory is asked for only when the book grows past its largest size so far.
class Ladder {
public:
    explicit Ladder(int side) noexcept : sign_(side) {}  // +1 bids: higher is better; -1 asks: lower is better

    // Sets a level's total size; 0 removes it. Returns how many levels are better than it, or `kUnchanged`.
    static constexpr std::uint32_t kUnchanged = 0xffffffff;
    std::uint32_t set(double price, double size) {
        const double key = price * sign_;
        std::size_t p = pages_.size();
        std::uint32_t better = 0;
        while (p > 1 && key < first(p - 1)) {  // near the touch: a step or two
            better += pages_[--p]->n;
            if (better >= 192 && p > 2) {  // far: binary search over the pages that are left
                std::size_t low = 0, high = p;
                while (high - low > 1) {
                    std::size_t mid = (low + high) / 2;
                    (key < first(mid) ? high : low) = mid;
                }
                p = low + 1;
                break;
            }
        }
        if (p == 0) {
            if (size == 0) return kUnchanged;
            pages_.push_back(fresh());
            p = 1;
        }
        Page& page = *pages_[p - 1];
        std::uint32_t i = page.n;
        while (i > 0 && key < page.levels[i - 1].price * sign_) {
            if (page.n - i >= 8) {
                i = static_cast<std::uint32_t>(
                    std::upper_bound(page.levels, page.levels + i, key,
                                     [s = sign_](double k, const Level& l) { return k < l.price * s; }) -
                    page.levels);
                break;
            }
            --i;
        }
        const bool there = i > 0 && page.levels[i - 1].price == price;
        better += page.n - i;
        if (there) {
            if (size != 0) {
                if (page.levels[i - 1].size == size) return kUnchanged;
                page.levels[i - 1].size = size;
                return better;
            }
            std::memmove(page.levels + i - 1, page.levels + i, (page.n - i) * sizeof(Level));
            --count_;
            if (--page.n == 0) {
                spare_.push_back(pages_[p - 1]);
                pages_.erase(pages_.begin() + static_cast<std::ptrdiff_t>(p) - 1);
            }
            return better;
        }
        if (size == 0) return kUnchanged;
        ++count_;
        if (page.n == kPage) {
            split(p - 1);
            Page& upper = *pages_[p];
            if (i > page.n) return insert(upper, i - page.n, price, size), better;
        }
        insert(*pages_[p - 1], i, price, size);
        return better;
    }

    void clear() {
        spare_.insert(spare_.end(), pages_.begin(), pages_.end());
        pages_.clear();
        count_ = 0;
    }
    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    double best() const noexcept { return pages_.back()->levels[pages_.back()->n - 1].price; }

    // The best n levels, best first; returns how many there are.
    template <class F>
    std::uint32_t top(std::uint32_t n, F&& take) const {
        std::uint32_t k = 0;
        for (std::size_t p = pages_.size(); p-- > 0 && k < n;) {
            const Page& page = *pages_[p];
            for (std::uint32_t i = page.n; i-- > 0 && k < n; ++k) take(k, page.levels[i]);
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
        Level levels[kPage];
    };

    double first(std::size_t p) const noexcept { return pages_[p]->levels[0].price * sign_; }

    Page* fresh() {
        if (spare_.empty()) return new Page;
        Page* page = spare_.back();
        spare_.pop_back();
        page->n = 0;
        return page;
    }
    static void insert(Page& page, std::uint32_t i, double price, double size) noexcept {
        std::memmove(page.levels + i + 1, page.levels + i, (page.n - i) * sizeof(Level));
        page.levels[i] = {price, size};
        ++page.n;
    }
    void split(std::size_t p) {
        Page* upper = fresh();
        Page& page = *pages_[p];
        std::uint32_t keep = kPage / 2;
        std::memcpy(upper->levels, page.levels + keep, (page.n - keep) * sizeof(Level));
        upper->n = page.n - keep;
        page.n = keep;
        pages_.insert(pages_.begin() + static_cast<std::ptrdiff_t>(p) + 1, upper);
    }

    double sign_;
    std::size_t count_ = 0;
    std::vector<Page*> pages_, spare_;
};

}  // namespace smartcore
