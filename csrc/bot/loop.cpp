#include "bot/loop.hpp"

#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/sections.hpp"

namespace smartcore {

using namespace decide;

namespace {

constexpr std::int64_t kMinute = 60'000'000'000;

std::int64_t steady(void*) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Whatever a model may say: only this is a forecast.
bool distribution(const double (&p)[3]) noexcept {
    return p[0] >= 0 && p[1] >= 0 && p[2] >= 0 && std::fabs(p[0] + p[1] + p[2] - 1) < 1e-3;
}

Said ask(Speaker& speaker, const double* row, double (&to)[3], double& novelty) noexcept {
    const Said said = speaker.step(row, to, novelty);
    return said == Said::yes && !distribution(to) ? Said::failed : said;
}

Event passing(std::int64_t ts, std::uint8_t flags) noexcept {
    Event e{};
    e.ts = ts;
    e.flags = flags;
    return e;
}

}  // namespace

Clocks steady_clock() noexcept { return {&steady, nullptr, nullptr}; }

Loop::Loop(Engine& engine, const Setup& setup) : engine_(engine), setup_(setup), outcomes_(setup.outcomes) {
    s_.bar_length.fixed = setup.bars_ns > 0;
    s_.bar_length.fed = engine.state().clock.by() == BarClock::By::none;
    s_.bar_length.ns = setup.bars_ns;
    for (std::size_t i = 0; i < kModels; ++i) {
        const Seat& seat = setup.seats[i];
        if (!seat.first) continue;
        const auto bit = static_cast<std::uint8_t>(1u << i);
        if (seat.every == Seat::kBar) at_bars_ |= bit;
        else if (seat.every == Seat::kEvent) at_events_ |= bit;
        else {
            std::size_t at = 0;
            while (at < clocks_ && s_.clocks[at].every != seat.every) ++at;
            if (at == clocks_) s_.clocks[clocks_++] = Clock(seat.every, false);
            s_.clocks[at].seats |= bit;
        }
    }
    if (setup.bars_ns > 0) s_.clocks[clocks_++] = Clock(setup.bars_ns, true);
    if (setup.every_ns > 0) {
        s_.clocks[clocks_] = Clock(setup.every_ns, true);
        s_.clocks[clocks_++].decides = true;
    }
    each_ = setup.every_events > 0 || at_events_ || (setup.every_bar && setup.bars_ns == 0);
    for (std::int64_t& ts : s_.last) ts = kNever;
    s_.last[0] = engine.state().ts;
}

Fault Loop::refuse(const Event& e) const noexcept {
    if (e.kind == Type{}) return check_ts(e.ts);
    if (Fault fault = check(e)) return fault;
    if (e.kind == Type::bar && engine_.state().clock.by() != BarClock::By::none)
        return {"is a bar, but this engine builds its bars from trades", "kind", 1};
    return {};
}

std::int64_t Loop::ts() const noexcept {
    std::int64_t last = kNever;
    for (std::int64_t ts : s_.last) last = std::max(last, ts);
    return last;
}

// ---- one event ----

bool Loop::whole(const Event& e, std::int64_t arrived, std::int64_t wall) noexcept {
    if (e.kind == Type{}) {
        if (!(e.flags & kDecide)) return advance(e.ts, arrived, e.flags & kLast);
        decide(e.ts, arrived);
        return true;
    }
    const std::int64_t start = arrived != kUnread ? arrived : now();
    if (recorder_) recorder_->event(e);
    if (e.ts >= s_.grid) catch_up(e.ts, start);
    take(e);
    ++s_.events;
    bool made = false;
    if (e.kind != Type::depth || (e.flags & kLast)) {
        step(at_events_, e.ts);
        if (s_.due || (setup_.every_events && s_.events >= setup_.every_events)) {
            conclude(e.ts, start, wall);
            made = true;
        }
    }
    s_.next = each_ || s_.due ? kNever : s_.grid;
    return made;
}

bool Loop::advance(std::int64_t ts, std::int64_t arrived, bool book) noexcept {
    const std::int64_t start = arrived != kUnread ? arrived : now();
    if (recorder_) recorder_->event(passing(ts, book ? kLast : 0));
    if (ts >= s_.grid) catch_up(ts, start);
    if (engine_.pass(ts)) bar();
    if (book) s_.last[static_cast<std::size_t>(Type::depth)] = ts;
    if (!s_.due) return false;
    conclude(ts, start, kUnread);
    return true;
}

void Loop::decide(std::int64_t ts, std::int64_t arrived) noexcept {
    if (recorder_) recorder_->event(passing(ts, kDecide));
    conclude(ts, arrived != kUnread ? arrived : now(), kUnread);
}

// What is due up to `ts`, the time of an event that is not applied yet.
void Loop::catch_up(std::int64_t ts, std::int64_t start) noexcept {
    if (s_.grid == kNever) {
        arm();
        if (ts < s_.grid) return;
    }
    if (outcomes_.next() <= ts) outcomes_.settle(ts, price(), this->ts(), engine_.book());
    for (std::int64_t at = kNever;;) {
        std::int64_t following = kFar;
        for (std::size_t i = 0; i < clocks_; ++i)
            if (s_.clocks[i].next <= ts && s_.clocks[i].next > at) following = std::min(following, s_.clocks[i].next);
        if (following == kFar) break;
        at = following;
        if (engine_.pass(at)) bar();
        for (std::size_t i = 0; i < clocks_; ++i) {
            Clock& clock = s_.clocks[i];
            if (clock.next != at) continue;
            clock.done = at;
            step(clock.seats, at);
            s_.due |= clock.decides;
        }
    }
    if (s_.due && !s_.since) s_.since = start;  // a message may have many levels: its first one is when it arrived
    s_.grid = s_.next = kNever;
}

// The next grid point, from what the engine took.
void Loop::arm() noexcept {
    const std::int64_t seen = ts();
    if (seen == kNever) return;
    s_.grid = outcomes_.next();
    bool unset = false;
    for (std::size_t i = 0; i < clocks_; ++i) {
        s_.clocks[i].arm(seen, engine_.state().ts);
        unset |= s_.clocks[i].next == kFar;
        s_.grid = std::min(s_.grid, s_.clocks[i].next);
    }
    if (unset) s_.grid = kNever;  // no event since the last sample: the next one must come back here first
}

// A bar has closed: models that step on bars, and the usual length of one.
void Loop::bar() noexcept {
    const std::int64_t ts = engine_.state().bar.ts;
    s_.bar_length.closed(ts);
    step(at_bars_, ts);
    if (setup_.every_bar) s_.due = true, s_.next = kNever;
}

void Loop::step(std::size_t i, std::int64_t ts) noexcept {
    const Seat& seat = setup_.seats[i];
    Voice& voice = s_.voices[i];
    double said[3], novelty = kNaN;
    voice.said = ask(*seat.first, engine_.row(), said, novelty);
    voice.fell_back = false;
    bool speaks = voice.said == Said::yes;
    if (voice.said == Said::failed) ++voice.faults;
    if (seat.stand_in && (seat.stateful || voice.said == Said::failed)) {
        double instead[3], unlike = kNaN;
        const Said second = ask(*seat.stand_in, engine_.row(), instead, unlike);
        if (second == Said::failed) ++voice.stand_in_faults;
        if (voice.said == Said::failed && second == Said::yes) {
            std::memcpy(said, instead, sizeof said);
            novelty = unlike;
            speaks = voice.fell_back = true;
        }
    }
    if (speaks) std::memcpy(voice.triple, said, sizeof said), voice.novelty = novelty, voice.ts = ts;
    else voice.triple[0] = voice.triple[1] = voice.triple[2] = voice.novelty = kNaN;
}

// ---- the decision ----

// On the row as it is; to the recorder with all it was made from.
void Loop::conclude(std::int64_t ts, std::int64_t start, std::int64_t wall) noexcept {
    start_ = s_.since ? s_.since : start;
    s_.due = false;
    s_.events = 0, s_.since = 0;
    before_ = now();
    if (wall == kUnread && setup_.clocks.wall) wall = setup_.clocks.wall(setup_.clocks.of);

    Given& g = given_;
    std::memset(static_cast<void*>(&g), 0, sizeof g);
    for (double& vote : g.vote) vote = kNaN;
    g.novelty = kNaN;
    std::int64_t said = ts;
    for (std::size_t i = 0; i < kModels; ++i) {
        const Voice& voice = s_.voices[i];
        const Seat& seat = setup_.seats[i];
        const auto bit = static_cast<std::uint8_t>(1u << i);
        std::memcpy(g.triple[i], voice.triple, sizeof voice.triple);
        if (voice.said == Said::failed) g.failed |= bit;
        if (voice.fell_back) g.fell_back |= bit;
        if (voice.fell_back ? seat.stand_in_calibrated : seat.calibrated) g.calibrated |= bit;
        if (!voice.speaks()) continue;
        said = std::min(said, voice.ts);
        if (known(voice.novelty) && !(voice.novelty <= g.novelty)) g.novelty = voice.novelty;
    }
    g.age_ns = ts - said;

    const Book& book = engine_.book();
    const Top& top = book.top();
    const auto last = [&](Type kind) { return s_.last[static_cast<std::size_t>(kind)]; };
    const Account& account = s_.account;
    Context& c = context_;
    std::memset(static_cast<void*>(&c), 0, sizeof c);
    c.ts = ts;
    c.as_of = std::max(last(Type::depth), last(Type::quote));  // a book that is fed and silent is old, however many trades go by
    if (c.as_of == kNever)                                     // scores and other series say nothing of the price
        c.as_of = std::max({s_.last[0], last(Type::bar), last(Type::trade)});
    c.sequence = static_cast<std::int64_t>(s_.sequence);
    c.bar_ns = s_.bar_length.ns ? s_.bar_length.ns : kMinute, c.filled = s_.bar_length.filled();
    c.price = price();
    c.bid = top.bid[0], c.bid_size = top.bid_size[0], c.ask = top.ask[0], c.ask_size = top.ask_size[0];
    for (std::uint32_t i = 0; i < kDepth; ++i) {
        c.bids[i][0] = top.bid[i], c.bids[i][1] = top.bid_size[i];
        c.asks[i][0] = top.ask[i], c.asks[i][1] = top.ask_size[i];
    }
    c.book_stale = book.stale(), c.book_crossed = book.crossed();
    c.fee_bps = setup_.fee_bps, c.lot = setup_.lot, c.tick = setup_.tick, c.multiplier = setup_.multiplier, c.min_size = setup_.min_size;
    c.frozen_s = s_.feed.frozen(), c.silence = s_.feed.silence(ts), c.duplicates = s_.feed.twice();
    if (has_outside_) {
        const Context& o = outside_;
        c.latency_ns = o.latency_ns, c.clock_skew_s = o.clock_skew_s, c.health = o.health;
        c.position = o.position, c.equity = o.equity, c.equity_known = o.equity_known, c.drawdown = o.drawdown, c.correlated = o.correlated;
        has_outside_ = false;
    } else {
        // What has gone by, and what deciding took the last time.
        c.latency_ns = setup_.latency_ns >= 0 ? setup_.latency_ns : before_ - start_ + s_.decide_ns;
        c.clock_skew_s = check_ts(wall) ? kNaN : static_cast<double>(ts - wall) * 1e-9;
        c.health = account.health;
        c.position = account.position, c.equity = account.equity, c.equity_known = account.equity_known;
        c.drawdown = account.drawdown(), c.correlated = account.correlated;
    }

    decide::decide(engine_.row(), setup_.inputs, g, &outcomes_.card(), setup_.policy, c, decision_);
    if (recorder_) recorder_->put(decision_, c, g, outcomes_.card(), engine_.row(), engine_.plan().width());

    ++s_.sequence;
    std::uint32_t failed = 0;
    for (std::uint32_t i = 0; i < decision_.count; ++i)
        if (!decision_.reasons[i].passed) failed |= std::uint32_t{1} << static_cast<std::uint32_t>(decision_.reasons[i].gate);
    s_.newly = failed & ~s_.failed, s_.failed = failed;
    outcomes_.expect(decision_, c.bar_ns, static_cast<std::int64_t>(engine_.state().bars), c.latency_ns, top.valid ? top.mid() : kNaN);
    s_.grid = std::min(s_.grid, outcomes_.next()), s_.next = std::min(s_.next, outcomes_.next());
}

void Loop::done() noexcept {
    const std::int64_t end = now();
    if (setup_.latency_ns < 0) s_.decide_ns = end - before_;
    latency_.record(end - start_);
}

// ---- snapshot ----

namespace {

constexpr Magic kMagic = {'S', 'M', 'L', 'O', 'O', 'P', '\2', '\n'};

SectionReader open(std::string_view blob) { return {blob, kMagic, "it is not a snapshot of a bot, or of another version of smartcore"}; }

}  // namespace

std::string Loop::snapshot(std::string_view engine_header) const {
    SectionWriter blob(kMagic);
    std::string outcomes;
    blob.put(engine_.snapshot(engine_header));
    State s;
    std::memcpy(static_cast<void*>(&s), &s_, sizeof s);
    s.since = 0;  // of this process's clock
    blob.put(&s, sizeof s);
    outcomes_.save(outcomes);
    blob.put(outcomes);
    for (const Seat& seat : setup_.seats)
        for (const Speaker* speaker : {seat.first, seat.stand_in}) blob.put(speaker ? speaker->snapshot() : std::string());
    return std::move(blob).end();
}

std::string_view Loop::engine_of(std::string_view blob) {
    return open(blob).next();
}

void Loop::restore(std::string_view blob) {
    SectionReader rest = open(blob);
    const std::string_view engine = rest.next();
    State s;
    rest.into(s);
    std::string_view outcomes = rest.next();
    for (std::size_t i = 0; i < kClocks; ++i)
        if (s.clocks[i].every != s_.clocks[i].every || s.clocks[i].seats != s_.clocks[i].seats || s.clocks[i].decides != s_.clocks[i].decides)
            throw std::invalid_argument("its models or its policy ask for other moments");
    std::string before[2 * kModels];
    std::size_t n = 0;
    const auto each = [&](auto&& f) {
        n = 0;
        for (const Seat& seat : setup_.seats)
            for (Speaker* speaker : {seat.first, seat.stand_in}) f(speaker, n++);
    };
    const std::string engine_before = engine_.snapshot({});
    each([&](Speaker* speaker, std::size_t i) {
        if (speaker) before[i] = speaker->snapshot();
    });
    try {
        engine_.restore(engine);
        each([&](Speaker* speaker, std::size_t) {
            const std::string_view its = rest.next();
            if (speaker) speaker->restore(its);
            else if (!its.empty()) throw std::invalid_argument("it holds a model that is not here");
        });
        outcomes_.load(outcomes);
    } catch (...) {
        engine_.restore(engine_before);
        each([&](Speaker* speaker, std::size_t i) {
            if (speaker) speaker->restore(before[i]);
        });
        throw;
    }
    std::memcpy(static_cast<void*>(&s_), &s, sizeof s);
}

}  // namespace smartcore
