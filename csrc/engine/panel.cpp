#include "engine/panel.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace smartcore {

Panel::Panel(std::vector<Engine*> engines, std::uint32_t reference, std::int64_t interval, std::int64_t stale, double memory)
    : engines_(std::move(engines)), members_(engines_.size()), order_(engines_.size()), ranks_(engines_.size()),
      reference_(reference), interval_(interval), stale_(stale), memory_(memory) {}

void Panel::apply(std::uint32_t i, const Event& e) noexcept {
    Engine& engine = *engines_[i];
    Leg& leg = members_[i].leg;
    const Book& book = engine.book();
    bool told = false;  // whether the book changes its face, as in Engine::apply
    switch (e.kind) {
        case Type::depth: told = (e.flags & kLast) && !(book.stale() && !(e.flags & kSnapshot)); break;
        case Type::quote: told = !book.deep(); break;
        case Type::gap: told = book.deep(); break;
        case Type::bar: leg.bar(std::bit_cast<Bar>(e)); break;
        case Type::trade: leg.trade(std::bit_cast<Trade>(e)); break;
        default: break;
    }
    engine.step(e);
    if (told) leg.top(book.top());
    if (s_.due == INT64_MIN) s_.due = due_after(e.ts, s_.last, interval_);
}

std::int64_t Panel::tick() noexcept {
    const std::int64_t ts = s_.due;
    s_.due = INT64_MIN, s_.last = ts;
    ++s_.ticks;
    measure(ts);
    rank();
    turn();
    const double scale = length_ > 0 ? std::sqrt(static_cast<double>(size())) / length_ : kNaN;
    for (std::size_t i = 0; i < size(); ++i) {
        const Member& m = members_[i];
        Basket basket = basket_;
        const std::uint32_t moved = moved_ - known(m.move), flowed = flowed_ - known(m.flow);
        basket.mean = moved > 0 ? (known(m.move) ? sum_ - m.move : sum_) / moved : kNaN;
        basket.flow = flowed > 0 ? (known(m.flow) ? flow_ - m.flow : flow_) / flowed : kNaN;
        basket.rank = ranks_[i];
        Factor factor{};
        factor.ts = ts, factor.kind = Type::factor;
        factor.share = share_, factor.loading = m.turns > 0 ? m.axis * scale : kNaN, factor.score = score_;
        const Event told[] = {std::bit_cast<Event>(peer(i, ts)), std::bit_cast<Event>(basket), std::bit_cast<Event>(factor)};
        for (const Event& e : told) engines_[i]->step(e);  // the first closes a time bar that ends now
        if (log)
            for (Event e : told) e.instrument = static_cast<std::uint32_t>(i), log->push_back(e);
    }
    for (Member& m : members_) m.leg.take();
    return ts;
}

Peer Panel::peer(std::size_t i, std::int64_t ts) const noexcept {
    const std::size_t other = i != reference_ ? reference_ : reference_ == 0 ? 1 : 0;
    const Leg& leg = members_[other].leg;
    Peer e{};
    e.ts = ts, e.kind = Type::peer;
    e.price = leg.ts != INT64_MIN && ts - leg.ts <= stale_ ? leg.price : kNaN;
    e.volume = leg.volume, e.net = leg.net, e.flow = leg.flow, e.updates = leg.updates;
    e.age = leg.ts != INT64_MIN ? static_cast<double>(ts - leg.ts) / 1e9 : kNaN;
    return e;
}

// A mean over all so far, and over about `memory` once there are as many.
static double gain(double n, double memory) noexcept { return 1 / not_above(n, memory); }

void Panel::measure(std::int64_t ts) noexcept {
    sum_ = flow_ = 0;
    moved_ = flowed_ = 0;
    double fresh_ones = 0, up = 0, down = 0;
    for (Member& m : members_) {
        m.move = m.flow = m.z = kNaN;
        if (!fresh(m, ts)) continue;
        fresh_ones += 1;
        if (m.usual > 0) m.flow = m.leg.flow / m.usual, flow_ += m.flow, ++flowed_;
        m.usual += (std::fabs(m.leg.flow) - m.usual) * gain(m.flows += 1, memory_);
        if (known(m.base)) {
            m.move = log_ratio(m.leg.price, m.base);
            sum_ += m.move, ++moved_;
            up += m.move > 0, down += m.move < 0;
            if (m.variance > 0) m.z = m.move / std::sqrt(m.variance);
            m.variance += (m.move * m.move - m.variance) * gain(m.returns += 1, memory_);
        }
        m.base = m.leg.price;
    }
    basket_.ts = ts, basket_.kind = Type::basket;
    basket_.fresh = fresh_ones / static_cast<double>(size());
    basket_.breadth = moved_ > 0 ? (up - down) / moved_ : kNaN;
    double square = 0;
    const double mean = sum_ / moved_;
    for (const Member& m : members_)
        if (known(m.move)) square += (m.move - mean) * (m.move - mean);
    basket_.dispersion = moved_ > 1 ? std::sqrt(square / moved_) : kNaN;
}

void Panel::rank() noexcept {
    std::fill(ranks_.begin(), ranks_.end(), kNaN);
    if (moved_ < 2) return;
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i < size(); ++i)
        if (known(members_[i].move)) order_[n++] = i;
    std::sort(order_.begin(), order_.begin() + n, [&](std::uint32_t a, std::uint32_t b) { return members_[a].move < members_[b].move; });
    for (std::uint32_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && members_[order_[j]].move == members_[order_[i]].move;) ++j;
        for (std::uint32_t k = i; k < j; ++k) ranks_[order_[k]] = 0.5 * (i + j - 1) / (n - 1);
    }
}

// Candid covariance-free incremental PCA (Weng, Zhang, Hwang 2003) of returns in their own usual deviations: the axis, whose
// length is the eigenvalue, is the mean of y z, y being the projection of z on it. A leg without news has no say.
void Panel::turn() noexcept {
    double y = 0, square = 0, trace = 0, sum = 0;
    std::uint32_t n = 0;
    const double even = 1 / std::sqrt(static_cast<double>(size()));
    for (const Member& m : members_)
        if (known(m.z)) y += (length_ > 0 ? m.axis / length_ : even) * m.z, ++n;
    score_ = kNaN;
    if (n < 2) return;
    for (Member& m : members_) {
        if (known(m.z)) {
            const double g = gain(m.turns += 1, memory_);
            m.axis += (y * m.z - m.axis) * g;
            m.trace += (m.z * m.z - m.trace) * g;
        }
        square += m.axis * m.axis, trace += m.trace, sum += m.axis;
    }
    length_ = std::sqrt(square);
    share_ = trace > 0 ? not_above(length_ / trace, 1) : kNaN;
    if (sum < 0) {  // an axis has no sign; up is where most go
        for (Member& m : members_) m.axis = -m.axis;
        y = -y;
    }
    score_ = y * even;
}

std::string Panel::state() const {
    const double shared[] = {share_, length_};
    std::string bytes(reinterpret_cast<const char*>(&s_), sizeof s_);
    bytes.append(reinterpret_cast<const char*>(shared), sizeof shared);
    bytes.append(reinterpret_cast<const char*>(members_.data()), members_.size() * sizeof(Member));
    return bytes;
}

bool Panel::restore(std::string_view bytes) noexcept {
    double shared[2];
    if (bytes.size() != sizeof s_ + sizeof shared + members_.size() * sizeof(Member)) return false;
    std::memcpy(static_cast<void*>(&s_), bytes.data(), sizeof s_);
    std::memcpy(shared, bytes.data() + sizeof s_, sizeof shared);
    share_ = shared[0], length_ = shared[1];
    std::memcpy(static_cast<void*>(members_.data()), bytes.data() + sizeof s_ + sizeof shared, members_.size() * sizeof(Member));
    return true;
}

}  // namespace smartcore
