// What came of past decisions: read off the price and the book once their time is over, kept in the scorecard.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "bot/clocks.hpp"
#include "decide/record.hpp"
#include "decide/scorecard.hpp"
#include "market/book.hpp"

namespace smartcore {

class Outcomes {
public:
    // The horizon after which a direction counts, ns, or 0: `bars` of them; a move (ln) from low to high is flat. `var_bars`: the
    // horizon of VaR.
    struct Rule {
        std::int64_t horizon_ns = 0;
        double bars = 0, low = 0, high = 0, var_bars = 0;
    };
    explicit Outcomes(const Rule& rule);

    // Await what comes of a decision. It is known `arrival` ns later what the book took.
    void expect(const decide::Decision& decision, std::int64_t bar_ns, std::int64_t bars, std::int64_t arrival, double mid) noexcept;
    // All that is over by `ts`, at the price (NaN unknown) and the book that were known then, the last event at `seen`. Where nothing
    // came since a call (a night, a weekend) nothing is learned of it: that the price stood still is not known.
    void settle(std::int64_t ts, double price, std::int64_t seen, const Book& book) noexcept;
    std::int64_t next() const noexcept { return s_.next; }  // when the first is over; kFar where none is awaited

    const decide::Scorecard& card() const noexcept { return s_.card; }
    decide::Scorecard& card() noexcept { return s_.card; }
    std::uint64_t missed() const noexcept { return s_.missed; }  // decisions that found no room

    void save(std::string& to) const;
    void load(std::string_view& from);  // throws std::invalid_argument

private:
    // Of a decision, what the scorecard asks for.
    struct Call {
        std::int64_t ts, horizon;
        double price, confidence, raw_confidence, score, probabilities[3];
        double contributions[decide::kSources], weights[decide::kSources];
        decide::RegimeName regime;
        std::uint8_t unused[7];

        std::int64_t horizon_of(std::size_t h) const noexcept {
            return static_cast<std::int64_t>(static_cast<double>(horizon) * decide::kHorizonFactors[h]);
        }
        std::int64_t due(std::size_t h) const noexcept { return ts + horizon_of(h) + 1; }
    };
    struct Fill {
        std::int64_t due;
        decide::Execution said;
        double side, mid;
    };
    void schedule() noexcept;

    // Numbers of the calls ever: [first, last) are kept, and seen[h] is the next one to be looked at h times its horizon later.
    struct State {
        std::int64_t next = kFar;
        std::uint64_t first = 0, last = 0, seen[decide::kHorizons] = {}, fill = 0, filled = 0, missed = 0;
        std::int64_t var_due = kFar, var_horizon = 0, regime_bar = -1;
        decide::Decision var{};
        decide::Regime regime{};
        decide::Scorecard card{};
    };
    // Zeros that take no memory before they are written to: of these 2.5 MiB most bots use a few pages.
    struct Free {
        void operator()(void* p) const noexcept { std::free(p); }
    };
    template <class T>
    using Ring = std::unique_ptr<T[], Free>;
    template <class T>
    static Ring<T> ring(std::size_t n) {
        void* made = std::calloc(n, sizeof(T));
        if (!made) throw std::bad_alloc();
        return Ring<T>(static_cast<T*>(made));
    }
    static constexpr std::uint64_t kCalls = 16384, kFills = 1024;
    Rule rule_;
    State s_;
    Ring<Call> calls_;
    Ring<Fill> fills_;
    decide::Decision scratch_{};
};

}  // namespace smartcore
