#include "engine/engine.hpp"

#include <bit>
#include <cstring>
#include <utility>

#include "base/sections.hpp"

namespace smartcore {

bool Engine::apply(const Event& e) noexcept {
    ++s_.counts[static_cast<std::size_t>(e.kind)];
    switch (e.kind) {
        case Type::bar: return close(std::bit_cast<Bar>(e));
        case Type::trade: {
            const auto t = std::bit_cast<Trade>(e);
            s_.last_price = t.price;
            s_.trade = t;
            plan_.wake(t, book_.top());
            if (s_.clock.by() == BarClock::By::none || !s_.clock.push(t, static_cast<int>(s_.tick.next(t)))) return false;
            return close(s_.clock.bar());
        }
        case Type::depth: {
            const auto d = std::bit_cast<Depth>(e);
            if (book_.stale() && !(d.flags & kSnapshot)) return false;  // nothing to apply it to
            book_.apply(d);
            if (d.flags & kLast) wake(book_.close(e.ts));
            return false;
        }
        case Type::quote:
            if (book_.quote(std::bit_cast<Quote>(e))) wake(book_.top());
            return false;
        case Type::gap:
            if (book_.deep()) wake(book_.gap(e.ts));  // quotes have no sequence to break
            return false;
        case Type::score: plan_.wake(std::bit_cast<Score>(e), book_.top()); return false;
        case Type::aux: plan_.wake(std::bit_cast<Aux>(e), book_.top()); return false;
        case Type::peer:  // source 0 is the reference; no kernel listens to others yet
            if (e.source == 0) plan_.wake(std::bit_cast<Peer>(e), book_.top());
            return false;
        case Type::basket: plan_.wake(std::bit_cast<Basket>(e), book_.top()); return false;
        case Type::factor: plan_.wake(std::bit_cast<Factor>(e), book_.top()); return false;
        default: return false;
    }
}

void Engine::close(const Event* events, std::uint32_t n, double* table) noexcept {
    Bars bars;
    for (std::uint32_t i = 0; i < n; ++i) bars.put(i, std::bit_cast<Bar>(events[i]));
    plan_.bars(bars, n, book_.top(), table);
    s_.counts[static_cast<std::size_t>(Type::bar)] += n;
    s_.bars += n;
    s_.bar = std::bit_cast<Bar>(events[n - 1]);
    s_.ts = s_.bar.ts;
    s_.last_price = s_.bar.close;
    s_.closed_bar = true;
}

// ---- snapshot ----

namespace {
constexpr Magic kMagic = {'S', 'M', 'C', 'O', 'R', 'E', '\1', '\n'};

SectionReader open(std::string_view blob) { return {blob, kMagic, "it is not a snapshot of this version of smartcore"}; }

std::vector<Level> levels(std::string_view section) {
    if (section.size() % sizeof(Level) != 0) throw std::invalid_argument("its book is damaged");
    std::vector<Level> all(section.size() / sizeof(Level));
    if (!all.empty()) std::memcpy(all.data(), section.data(), section.size());
    return all;
}

void put_levels(SectionWriter& to, const Ladder& side) {
    std::vector<Level> all(side.size());
    side.top(static_cast<std::uint32_t>(all.size()), [&](std::uint32_t i, const Level& l) { all[i] = l; });
    to.put(all.data(), all.size() * sizeof(Level));
}
}  // namespace

std::string Engine::snapshot(std::string_view header) const {
    SectionWriter blob(kMagic);
    blob.put(header);
    const std::uint64_t layout = plan_.layout();
    blob.put(&layout, sizeof layout);
    blob.put(&s_, sizeof s_);
    blob.put(&book_.state(), sizeof(Book::State));
    put_levels(blob, book_.bids());
    put_levels(blob, book_.asks());
    blob.put(plan_.row(), plan_.lanes() * sizeof(double));
    blob.put(plan_.state(), plan_.state_size());
    return std::move(blob).end();
}

std::string_view Engine::header(std::string_view blob) { return open(blob).next(); }

void Engine::restore(std::string_view blob) {
    SectionReader reader = open(blob);
    reader.next();
    std::uint64_t layout = 0;
    reader.into(layout);
    if (layout != plan_.layout()) throw std::invalid_argument("its features are laid out differently: another version or feature set");
    State state;
    Book::State book;
    reader.into(state);
    reader.into(book);
    const std::vector<Level> bids = levels(reader.next()), asks = levels(reader.next());
    const std::string_view row = reader.next(), arena = reader.next();
    if (row.size() != plan_.lanes() * sizeof(double) || arena.size() != plan_.state_size())
        throw std::invalid_argument("its features are laid out differently: another version or feature set");
    std::memcpy(static_cast<void*>(&s_), &state, sizeof state);  // padding too: equal states give equal snapshots
    book_.restore(book, bids, asks);
    std::memcpy(plan_.row(), row.data(), row.size());
    std::memcpy(plan_.state(), arena.data(), arena.size());
}

}  // namespace smartcore
