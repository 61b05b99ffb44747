// A loop on a thread of its own: events go in by a ring, decisions come out by one, and nothing that happens in the interpreter
// delays what lies between.
//
// In: one consumer, the lane; producers take turns behind a flag that is held for a copy of 72 bytes. Where the ring is full an event
// is dropped and counted, and a gap is told before the next one: a book that misses a message must not pass for whole.
// Out: as many decisions as there is room for; older ones are overwritten, and counted as lost when the reader gets there.
#pragma once
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "bot/loop.hpp"

namespace smartcore {

// A decision as it left the lane. Times monotonic, ns.
struct Verdict {
    decide::Decision decision;
    std::int64_t arrived, ready;  // the event that caused it came; it could be read
    std::uint64_t newly;          // gates that began to fail, as bits of decide::Gate
    std::uint64_t preempted;      // how often the system had taken the core from the lane for somebody else; 0 where it does not say
};

class Lane {
public:
    struct Options {
        std::size_t room = 1 << 16;       // events
        std::size_t kept = 1 << 10;       // decisions
        std::int64_t spin_ns = 50'000;    // how long it looks for the next event before it sleeps: waking up costs more
        std::int64_t rehearse_ns = 0;     // between rehearsals of the models while nothing comes; 0: none
        std::int64_t advance_ns = 0;      // between notes that time passes while nothing comes, by the system's clock; 0: none
        int core = -1;                    // it is kept on; -1: any
        int priority = 0;                 // 1 to 99: before all that have none, first in first out, where the system allows it; 0: none
    };
    struct Counts {
        std::uint64_t pushed, taken, refused, late, dropped, decisions, lost;
    };
    enum class Pushed : std::uint8_t { yes, full, stopped };

    // `models` are those of the loop that are worth rehearsing.
    Lane(Loop& loop, std::vector<Speaker*> models, const Options& options);
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    // One thread at a time: start, stop, play, stop_playing.
    void start();             // throws std::system_error where there is no thread to be had
    void stop() noexcept;     // what was pushed before is still done
    bool has_priority() const noexcept { return has_priority_.load(std::memory_order_relaxed); }  // it was allowed
    bool runs() const noexcept { return runs_.load(std::memory_order_acquire); }

    // In a forked process, where its threads are not: another lane of the same loop, which stands. This one is then to be left as it is
    // (never deleted: the threads that are missing may hold its locks).
    std::unique_ptr<Lane> anew();

    // Any thread. `arrived`: monotonic ns.
    Pushed push(const Event& e, std::int64_t arrived) noexcept;
    Pushed account(const Account& account) noexcept;                             // for decisions on events pushed from now on
    Pushed health(double health) noexcept;                                       // of it, this alone
    // The events of an array, waiting for room; false: the lane, or `stop`, stopped it. `due`: when each comes, ns after now, below 0
    // as soon as all before it is done; empty: at once.
    bool feed(std::span<const Event> events, std::span<const std::int64_t> due, const std::atomic<bool>& stop) noexcept;
    // The same on a thread of its own. The memory must stay until played() or stop_playing().
    void play(std::span<const Event> events, std::span<const std::int64_t> due);
    void stop_playing() noexcept;
    bool played() const noexcept { return !plays_.load(std::memory_order_acquire); }

    bool poll(Verdict& to);                          // the oldest decision not read yet
    bool wait(std::int64_t ns);                      // until there is one; false: not within this time, or the lane stopped
    bool settle(std::int64_t ns) const noexcept;     // until all that was pushed is done
    int signal();                                    // a file descriptor that is readable while there are decisions; -1: not on this system

    Counts counts() const;
    std::string fault() const;                       // of the last event that was refused; empty: none
    static std::int64_t now() noexcept;

private:
    enum class What : std::int64_t { event, account, health };
    struct Slot {
        Event event;  // of an account: its bytes; of health: in v[0]
        std::int64_t arrived;
        What what;
    };
    static_assert(std::is_trivially_copyable_v<Account> && sizeof(Account) <= sizeof(Event));

    // Of one writer and one reader that may be overtaken: an odd turn is being written.
    struct alignas(64) Cell {
        static constexpr std::size_t kWords = sizeof(Verdict) / sizeof(std::uint64_t);
        std::atomic<std::uint64_t> turn{0};
        std::array<std::atomic<std::uint64_t>, kWords> words{};
    };
    static_assert(sizeof(Verdict) % sizeof(std::uint64_t) == 0 && std::is_trivially_copyable_v<Verdict>);

    void run() noexcept;
    void take(const Slot& slot) noexcept;
    void say(std::int64_t arrived) noexcept;
    void rest(std::int64_t until) noexcept;
    Pushed put(const Slot& slot, bool drop) noexcept;
    bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire); }
    void wake() noexcept;

    Loop& loop_;
    std::vector<Speaker*> models_;
    Options options_;

    std::vector<Slot> slots_;
    std::size_t mask_;
    std::unique_ptr<Cell[]> cells_;
    std::size_t cells_mask_;

    alignas(64) std::atomic<std::uint64_t> tail_{0};  // slots ever filled
    std::atomic_flag pushing_;
    bool gap_ = false;                                // an event was dropped since the last one that was not; guarded by pushing_
    std::atomic<std::uint64_t> dropped_{0};
    alignas(64) std::atomic<std::uint64_t> head_{0};  // slots ever emptied
    std::atomic<std::uint64_t> taken_{0}, refused_{0}, late_{0};
    alignas(64) std::atomic<std::uint64_t> made_{0};  // decisions ever written
    alignas(64) std::atomic<bool> asleep_{false}, runs_{false}, stop_{false}, has_priority_{false};
    std::atomic<int> listeners_{0};
    std::atomic<int> signal_{-1};
    int signal_out_ = -1;                             // the reading end, where that is another

    mutable std::mutex sleeping_, listening_, reading_, faulting_;
    std::condition_variable woken_, heard_;
    std::uint64_t read_ = 0, lost_ = 0;               // guarded by reading_
    Fault fault_;
    std::int64_t fault_ts_ = 0;
    std::thread thread_, player_;
    std::atomic<bool> plays_{false}, stop_playing_{false};
};

}  // namespace smartcore
