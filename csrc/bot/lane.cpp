#include "bot/lane.hpp"

#include <bit>
#include <chrono>
#include <cstdio>
#include <cstring>

#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/resource.h>
#endif
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#endif

namespace smartcore {
namespace {

using std::chrono::nanoseconds;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{10};  // between two looks at whether to go on

// A word to the core that this is a loop that waits.
inline void pause() noexcept {
#if defined(_MSC_VER)
    YieldProcessor();
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

void keep_on(int core) noexcept {
#if defined(__linux__)
    if (core < 0 || core >= CPU_SETSIZE) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);  // a core that is not there is none to be kept on
#else
    (void)core;
#endif
}

bool go_before_others(int priority) noexcept {
#if !defined(_WIN32)
    if (priority < 1 || priority > 99) return false;
    sched_param given{};
    given.sched_priority = priority;
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &given) == 0;
#else
    (void)priority;
    return false;
#endif
}

std::uint64_t preemptions() noexcept {
#if defined(__linux__)
    rusage used;
    if (getrusage(RUSAGE_THREAD, &used) == 0) return static_cast<std::uint64_t>(used.ru_nivcsw);
#endif
    return 0;
}

std::int64_t utc() noexcept {
    return std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::int64_t Lane::now() noexcept { return std::chrono::duration_cast<nanoseconds>(Steady::now().time_since_epoch()).count(); }

Lane::Lane(Loop& loop, std::vector<Speaker*> models, const Options& options)
    : loop_(loop),
      models_(std::move(models)),
      options_(options),
      slots_(std::bit_ceil(std::max<std::size_t>(options.room, 2))),
      mask_(slots_.size() - 1),
      cells_(new Cell[std::bit_ceil(std::max<std::size_t>(options.kept, 2))]),
      cells_mask_(std::bit_ceil(std::max<std::size_t>(options.kept, 2)) - 1) {}

Lane::~Lane() {
    stop_playing();
    stop();
#if !defined(_WIN32)
    if (signal_ >= 0) close(signal_);
    if (signal_out_ >= 0 && signal_out_ != signal_) close(signal_out_);
#endif
}

void Lane::start() {
    if (thread_.joinable()) return;
    stop_.store(false, std::memory_order_relaxed);
    runs_.store(true, std::memory_order_release);
    try {
        thread_ = std::thread([this] { run(); });
    } catch (...) {
        runs_.store(false, std::memory_order_release);
        throw;
    }
}

void Lane::stop() noexcept {
    if (!thread_.joinable()) return;
    stop_.store(true, std::memory_order_seq_cst);
    {
        const std::lock_guard lock(sleeping_);
    }
    woken_.notify_one();
    thread_.join();
}

std::unique_ptr<Lane> Lane::anew() { return std::make_unique<Lane>(loop_, models_, options_); }

// ---- in ----

// drop: where there is no room it is lost, and a gap is told before the next event.
Lane::Pushed Lane::put(const Slot& slot, bool drop) noexcept {
    if (!runs() || stop_.load(std::memory_order_relaxed)) return Pushed::stopped;
    for (int tries = 0; pushing_.test_and_set(std::memory_order_acquire); ++tries)
        if (tries < 100) pause();
        else if (tries < 200) std::this_thread::yield();
        else std::this_thread::sleep_for(std::chrono::microseconds(1));  // whoever holds it may be of lower priority, on this core
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const std::uint64_t free = slots_.size() - (tail - head_.load(std::memory_order_acquire));
    Pushed pushed = Pushed::full;
    if (free >= (gap_ ? 2u : 1u)) {
        std::uint64_t next = tail;
        if (gap_ && slot.what == What::event) {
            Slot& gap = slots_[next++ & mask_];
            gap.what = What::event, gap.arrived = slot.arrived;
            gap.event = Event{};
            gap.event.ts = slot.event.ts, gap.event.kind = Type::gap;
            gap_ = false;
        }
        slots_[next++ & mask_] = slot;
        tail_.store(next, std::memory_order_release);
        pushed = Pushed::yes;
    } else if (drop) {
        gap_ = true;
        dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    pushing_.clear(std::memory_order_release);
    if (pushed == Pushed::yes) wake();
    return pushed;
}

Lane::Pushed Lane::push(const Event& e, std::int64_t arrived) noexcept {
    Slot slot;
    slot.event = e, slot.arrived = arrived, slot.what = What::event;
    return put(slot, true);
}

Lane::Pushed Lane::account(const Account& account) noexcept {
    Slot slot;
    slot.event = Event{}, slot.arrived = 0, slot.what = What::account;
    std::memcpy(static_cast<void*>(&slot.event), &account, sizeof account);
    return put(slot, false);
}

Lane::Pushed Lane::health(double health) noexcept {
    Slot slot;
    slot.event = Event{}, slot.arrived = 0, slot.what = What::health;
    slot.event.v[0] = health;
    return put(slot, false);
}

void Lane::wake() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // between tail_ and asleep_: one of the two threads sees the other
    if (!asleep_.load(std::memory_order_relaxed)) return;
    {
        const std::lock_guard lock(sleeping_);
    }
    woken_.notify_one();
}

bool Lane::feed(std::span<const Event> events, std::span<const std::int64_t> due, const std::atomic<bool>& stop) noexcept {
    const Steady::time_point begin = Steady::now();
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (i < due.size() && due[i] >= 0) {  // not in one sleep: it may be hours, and somebody waits for the end
            const Steady::time_point when = begin + nanoseconds(due[i]);
            while (Steady::now() + kLook < when && runs() && !stop.load(std::memory_order_relaxed)) std::this_thread::sleep_for(kLook);
            if (runs() && !stop.load(std::memory_order_relaxed)) std::this_thread::sleep_until(when);
        }
        while (i < due.size() && due[i] < 0 && !empty() && runs() && !stop.load(std::memory_order_relaxed)) pause();
        Slot slot;
        std::memcpy(static_cast<void*>(&slot.event), events.data() + i, sizeof(Event));
        slot.what = What::event, slot.arrived = now();
        for (;;) {
            if (stop.load(std::memory_order_relaxed)) return false;
            const Pushed pushed = put(slot, false);
            if (pushed == Pushed::yes) break;
            if (pushed == Pushed::stopped) return false;
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
    }
    return true;
}

void Lane::play(std::span<const Event> events, std::span<const std::int64_t> due) {
    stop_playing();
    stop_playing_.store(false, std::memory_order_relaxed);
    plays_.store(true, std::memory_order_release);
    try {
        player_ = std::thread([this, events, due] {
            go_before_others(options_.priority);  // what comes late is no measure of the lane
            feed(events, due, stop_playing_);
            plays_.store(false, std::memory_order_release);
        });
    } catch (...) {
        plays_.store(false, std::memory_order_release);
        throw;
    }
}

void Lane::stop_playing() noexcept {
    stop_playing_.store(true, std::memory_order_relaxed);
    if (player_.joinable()) player_.join();
}

// ---- the thread ----

void Lane::run() noexcept {
    keep_on(options_.core);
    has_priority_.store(go_before_others(options_.priority), std::memory_order_relaxed);
    constexpr std::int64_t never = INT64_MAX;
    std::int64_t idle = 0, rehearse = never, advance = never;
    for (;;) {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        if (head != tail_.load(std::memory_order_acquire)) {
            take(slots_[head & mask_]);
            head_.store(head + 1, std::memory_order_release);
            idle = 0;
            continue;
        }
        if (stop_.load(std::memory_order_acquire) && empty()) break;
        const std::int64_t ns = now();
        if (!idle) {
            idle = ns;
            rehearse = options_.rehearse_ns > 0 ? ns + options_.rehearse_ns : never;
            advance = options_.advance_ns > 0 ? ns + options_.advance_ns : never;
        }
        if (ns >= rehearse) {
            for (Speaker* model : models_) model->rehearse();
            rehearse = now() + options_.rehearse_ns;
        } else if (ns >= advance) {
            const std::int64_t ts = utc();
            if (!loop_.late(ts) && loop_.advance(ts, ns)) say(ns);
            advance = ns + options_.advance_ns;
        } else if (ns - idle < options_.spin_ns) {
            pause();
        } else {
            rest(std::min(rehearse, advance));
        }
    }
    runs_.store(false, std::memory_order_release);
    const std::lock_guard lock(listening_);
    heard_.notify_all();
}

void Lane::rest(std::int64_t until) noexcept {
    std::unique_lock lock(sleeping_);
    asleep_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (empty() && !stop_.load(std::memory_order_relaxed)) {
        if (until == INT64_MAX) woken_.wait(lock);
        else woken_.wait_until(lock, Steady::time_point(nanoseconds(until)));
    }
    asleep_.store(false, std::memory_order_relaxed);
}

void Lane::take(const Slot& slot) noexcept {
    const auto count = [](std::atomic<std::uint64_t>& of) { of.store(of.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); };
    if (slot.what == What::account) {
        Account& account = loop_.account();
        const double peak = account.peak;
        std::memcpy(static_cast<void*>(&account), &slot.event, sizeof account);
        if (peak > account.peak) account.peak = peak;
        return;
    }
    const Event& e = slot.event;
    if (slot.what == What::health) {
        loop_.account().health = e.v[0];
        return;
    }
    count(taken_);
    if (Fault fault = loop_.refuse(e)) {
        count(refused_);
        const std::lock_guard lock(faulting_);
        fault_ = fault, fault_ts_ = e.ts;
        return;
    }
    if (loop_.late(e)) return count(late_);
    if (loop_.on(e, slot.arrived)) say(slot.arrived);
}

// ---- out ----

void Lane::say(std::int64_t arrived) noexcept {
    const std::uint64_t n = made_.load(std::memory_order_relaxed);
    Cell& cell = cells_[n & cells_mask_];
    Verdict verdict{loop_.decision(), arrived, 0, loop_.newly_failed(), preemptions()};
    verdict.ready = now();
    std::uint64_t words[Cell::kWords];
    std::memcpy(words, &verdict, sizeof words);
    cell.turn.store(2 * n + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (std::size_t i = 0; i < Cell::kWords; ++i) cell.words[i].store(words[i], std::memory_order_relaxed);
    cell.turn.store(2 * n + 2, std::memory_order_release);
    made_.store(n + 1, std::memory_order_seq_cst);
    loop_.done();
    if (listeners_.load(std::memory_order_seq_cst)) {
        const std::lock_guard lock(listening_);
        heard_.notify_all();
    }
#if !defined(_WIN32)
    if (const int fd = signal_.load(std::memory_order_seq_cst); fd >= 0) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto n_written = write(fd, &one, sizeof one);  // full: it is readable all the same
    }
#endif
}

bool Lane::poll(Verdict& to) {
    const std::lock_guard lock(reading_);
    std::uint64_t words[Cell::kWords];
    for (;;) {
        std::uint64_t made = made_.load(std::memory_order_acquire);
        if (read_ == made) {
#if !defined(_WIN32)
            if (const int fd = signal_out_; fd >= 0) {
                std::uint64_t some[8];
                while (read(fd, some, signal_out_ == signal_ ? sizeof some[0] : sizeof some) > 0) {}
                made = made_.load(std::memory_order_seq_cst);
            }
#endif
            if (read_ == made) return false;
        }
        const std::uint64_t kept = cells_mask_ + 1;
        if (made - read_ > kept) {
            lost_ += made - read_ - kept;
            read_ = made - kept;
        }
        const Cell& cell = cells_[read_ & cells_mask_];
        const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
        if (turn == 2 * read_ + 2) {
            for (std::size_t i = 0; i < Cell::kWords; ++i) words[i] = cell.words[i].load(std::memory_order_relaxed);
            std::atomic_thread_fence(std::memory_order_acquire);
            if (cell.turn.load(std::memory_order_relaxed) == turn) break;
        }
        ++lost_, ++read_;  // overwritten while it was looked at
    }
    ++read_;
    std::memcpy(static_cast<void*>(&to), words, sizeof to);
    return true;
}

bool Lane::wait(std::int64_t ns) {
    const auto there = [this] {
        const std::lock_guard lock(reading_);
        return made_.load(std::memory_order_seq_cst) != read_;
    };
    std::unique_lock lock(listening_);
    listeners_.fetch_add(1, std::memory_order_seq_cst);
    heard_.wait_for(lock, nanoseconds(ns), [&] { return there() || !runs(); });
    listeners_.fetch_sub(1, std::memory_order_seq_cst);
    return there();
}

bool Lane::settle(std::int64_t ns) const noexcept {
    const std::int64_t until = now() + ns;
    while (!empty()) {
        if (!runs() || now() >= until) return empty();
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
}

int Lane::signal() {
    const std::lock_guard lock(reading_);
#if defined(__linux__)
    if (signal_ < 0) signal_out_ = signal_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
#elif !defined(_WIN32)
    int ends[2];
    if (signal_ < 0 && pipe(ends) == 0) {
        for (int end : ends) fcntl(end, F_SETFL, O_NONBLOCK), fcntl(end, F_SETFD, FD_CLOEXEC);
        signal_out_ = ends[0], signal_ = ends[1];
    }
#endif
#if !defined(_WIN32)
    if (signal_ >= 0 && made_.load(std::memory_order_seq_cst) != read_) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto n_written = write(signal_, &one, sizeof one);
    }
#endif
    return signal_out_;
}

Lane::Counts Lane::counts() const {
    const std::lock_guard lock(reading_);
    return {tail_.load(std::memory_order_relaxed), taken_.load(std::memory_order_relaxed), refused_.load(std::memory_order_relaxed),
            late_.load(std::memory_order_relaxed), dropped_.load(std::memory_order_relaxed), made_.load(std::memory_order_relaxed), lost_};
}

std::string Lane::fault() const {
    const std::lock_guard lock(faulting_);
    if (!fault_) return {};
    char text[200];
    std::snprintf(text, sizeof text, "event at ts %lld: %s = %.17g %s", static_cast<long long>(fault_ts_), fault_.field, fault_.value, fault_.what);
    return text;
}

}  // namespace smartcore
