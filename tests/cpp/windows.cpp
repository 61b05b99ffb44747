// Windows of the last n values against plain sums over those values in extended precision.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <random>
#include <vector>

#include "base/aggregate.hpp"
#include "base/anchored.hpp"
#include "base/arena.hpp"
#include "base/history.hpp"
#include "base/lag.hpp"
#include "base/sliding.hpp"
#include "base/smooth.hpp"
#include "base/sorted.hpp"
#include "base/tally.hpp"
#include "base/wide.hpp"
#include "check.hpp"

using namespace smartcore;

namespace {

using Wide = long double;

// Something that lives in an arena, with the arena.
template <class T>
struct Placed {
    explicit Placed(std::uint32_t n)
        : memory(sizeof(T) + 64 + 1024 * (n + 1)), arena(memory.data(), memory.size()),
          it(new (arena.memory().bytes + arena.take(sizeof(T), alignof(T))) T(arena, n)) {}
    T* operator->() const { return it; }
    template <class X>
    auto push(const X& x) {
        return it->push(arena.memory(), x);
    }
    std::vector<std::byte> memory;
    Arena arena;
    T* it;
};

constexpr std::uint32_t lengths[] = {1, 2, 3, 7, 64, 301};

// Walks at several levels and scales, a bad print of 1e9 in the middle, and stretches where nothing moves.
std::vector<double> series(int kind, std::size_t n) {
    std::mt19937_64 random(static_cast<unsigned>(kind));
    std::normal_distribution<double> normal;
    std::vector<double> x(n);
    double level = kind == 0 ? 100 : kind == 1 ? 1e8 : kind == 2 ? 1e-6 : 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (kind != 3 || i / 50 % 2) level += normal(random) * (kind == 2 ? 1e-8 : 0.5);
        x[i] = kind == 0 && i == n / 2 ? 1e9 : kind == 3 ? std::round(level) : level;
    }
    return x;
}
constexpr int kinds[] = {0, 1, 2, 3};

bool near(double got, Wide want, Wide scale, Wide tolerance = 1e-13L) {
    return std::fabs(got - want) <= tolerance * scale || (std::isnan(got) && std::isnan(want));
}

struct Naive {  // of n values; about the first of them, or a level of 1e8 would cost even long double its digits
    Wide mean = 0, from_first = 0, m2 = 0, m3 = 0, m4 = 0, largest = 0;
    Naive(const double* x, std::uint32_t n) {
        for (std::uint32_t i = 0; i < n; ++i) from_first += static_cast<Wide>(x[i]) - x[0];
        from_first /= n;
        mean = x[0] + from_first;
        for (std::uint32_t i = 0; i < n; ++i) {
            const Wide d = static_cast<Wide>(x[i]) - x[0] - from_first;
            m2 += d * d, m3 += d * d * d, m4 += d * d * d * d;
            largest = std::max(largest, std::fabs(static_cast<Wide>(x[i])));
        }
    }
};

template <class Window, class Check>
void walk(Check check) {
    for (int kind : kinds) {
        const std::vector<double> x = series(kind, 1500);
        for (std::uint32_t n : lengths) {
            Placed<Window> window(n);
            for (std::size_t i = 0; i < x.size(); ++i) {
                const auto value = window.push(Window::Value::of(x, i));
                CHECK(window->full() == (i + 1 >= n));
                if (window->full()) check(value, x.data() + i + 1 - n, n, i);
            }
        }
    }
}
// A window and how it takes the i-th of a series.
template <class M>
struct Slide : Sliding<M> {
    using Sliding<M>::Sliding;
    struct Value {
        static M of(const std::vector<double>& x, std::size_t i) {
            if constexpr (requires { M::of(x[i]); }) return M::of(x[i]);
            else return {x[i], static_cast<decltype(M{}.when)>(i)};
        }
    };
};
template <class M>
struct Anchor : Anchored<M> {
    using Anchored<M>::Anchored;
    struct Value {
        static double of(const std::vector<double>& x, std::size_t i) { return x[i]; }
    };
};

}  // namespace

CASE(sliding_sum) {
    walk<Slide<Sum>>([](const Sum& s, const double* x, std::uint32_t n, std::size_t) {
        const Naive naive(x, n);
        CHECK(near(s.sum, naive.mean * n, naive.largest * n, 1e-14L));
    });
}

CASE(sliding_sums_of_two) {
    Placed<Sliding<Sum2>> window(5);
    for (int i = 0; i < 40; ++i) {
        const Sum2 sums = window.push(Sum2{static_cast<double>(i), 1.0 / (i + 1)});
        if (i < 4) continue;
        CHECK(sums.first == 5 * i - 10);
        double second = 0;
        for (int k = i - 4; k <= i; ++k) second += 1.0 / (k + 1);
        CHECK(near(sums.second, second, 1, 1e-15L));
    }
}

CASE(sliding_extrema) {
    walk<Slide<Min>>([](const Min& m, const double* x, std::uint32_t n, std::size_t) {
        CHECK(m.min == *std::min_element(x, x + n));
    });
    walk<Slide<Max>>([](const Max& m, const double* x, std::uint32_t n, std::size_t) {
        CHECK(m.max == *std::max_element(x, x + n));
    });
}

// Of equal extrema the newest counts.
CASE(sliding_extrema_and_when) {
    walk<Slide<LastMin>>([](const LastMin& m, const double* x, std::uint32_t n, std::size_t now) {
        std::uint32_t at = 0;
        for (std::uint32_t i = 0; i < n; ++i)
            if (x[i] <= x[at]) at = i;
        CHECK(m.min == x[at] && static_cast<std::size_t>(m.when) == now + 1 - n + at);
    });
    walk<Slide<LastMax>>([](const LastMax& m, const double* x, std::uint32_t n, std::size_t now) {
        std::uint32_t at = 0;
        for (std::uint32_t i = 0; i < n; ++i)
            if (x[i] >= x[at]) at = i;
        CHECK(m.max == x[at] && static_cast<std::size_t>(m.when) == now + 1 - n + at);
    });
}

CASE(moments_of_two) {
    walk<Anchor<Moments2>>([](const Moments2& m, const double* x, std::uint32_t n, std::size_t) {
        const Naive naive(x, n);
        CHECK(near(m.mean, naive.mean, naive.largest, 1e-15L * n + 1e-15L));
        CHECK(near(m.m2, naive.m2, naive.m2));
        CHECK(near(m.away, static_cast<Wide>(x[n - 1]) - x[0] - naive.from_first, std::sqrt(naive.m2)));
    });
}

CASE(moments_of_four) {
    walk<Anchor<Moments4>>([](const Moments4& m, const double* x, std::uint32_t n, std::size_t) {
        if (n < 3) return;
        const Naive naive(x, n);
        CHECK(near(m.m2, naive.m2, naive.m2));
        if (naive.m2 == 0) {
            CHECK(std::isnan(m.skewness(n)) && std::isnan(m.excess_kurtosis(n)));
            return;
        }
        CHECK(near(m.skewness(n), std::sqrt(static_cast<Wide>(n)) * naive.m3 / std::pow(naive.m2, 1.5L), 1, 1e-14L * n));
        CHECK(near(m.excess_kurtosis(n), n * naive.m4 / (naive.m2 * naive.m2) - 3, n, 1e-13L));
    });
}

// Once a print of 1e9 has left the window, nothing of it is left in the variance.
CASE(moments_forget_a_bad_print) {
    constexpr std::uint32_t n = 7;
    Placed<Anchored<Moments2>> window(n);
    std::vector<double> past;
    for (int i = 0; i < 100; ++i) {
        past.push_back(i == 40 ? 1e9 : 100 + std::sin(i));
        const Moments2 m = window.push(past.back());
        if (!window->full() || (i >= 40 && i < 40 + static_cast<int>(n))) continue;
        const Naive naive(past.data() + past.size() - n, n);
        CHECK(near(m.mean, naive.mean, naive.mean, 1e-15L));
        CHECK(near(m.m2, naive.m2, naive.m2, 1e-13L));
    }
}

CASE(line) {
    walk<Anchor<Line>>([](const Line& line, const double* y, std::uint32_t n, std::size_t) {
        if (n < 2) return;
        const Naive naive(y, n);
        Wide xy = 0, xx = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
            const Wide x = i - (n - 1) / Wide{2};
            xy += x * (static_cast<Wide>(y[i]) - y[0] - naive.from_first), xx += x * x;
        }
        const Wide size = std::sqrt(naive.m2 * xx);
        CHECK(near(line.mean, naive.mean, naive.largest, 1e-15L * n + 1e-15L));
        CHECK(near(Line::sxx(n), xx, xx, 1e-15L));
        CHECK(near(line.sxy, xy, size) && near(line.m2, naive.m2, naive.m2));
        Wide weighted = 0;
        for (std::uint32_t i = 0; i < n; ++i) weighted += (i + 1) * (static_cast<Wide>(y[n - 1]) - y[i]);
        CHECK(near(line.above_weighted(n), weighted / (n * (n + Wide{1}) / 2), std::sqrt(naive.m2)));
        if (naive.m2 == 0) CHECK(line.m2 == 0 && line.sxy == 0);
    });
}

CASE(parabola) {
    walk<Anchor<Parabola>>([](const Parabola& parabola, const double* y, std::uint32_t n, std::size_t) {
        if (n < 3) return;
        const Naive naive(y, n);
        Wide bend = 0, norm = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
            const Wide x = i - (n - 1) / Wide{2}, p = x * x - (static_cast<Wide>(n) * n - 1) / 12;
            bend += p * (static_cast<Wide>(y[i]) - y[0] - naive.from_first), norm += p * p;
        }
        CHECK(near(parabola.mean, naive.mean, naive.largest, 1e-15L * n + 1e-15L));
        CHECK(near(Parabola::norm(n), norm, norm, 1e-14L));
        CHECK(near(parabola.bend, bend, std::sqrt(naive.m2 * norm), 1e-12L));
        if (naive.m2 == 0) CHECK(parabola.bend == 0);
    });
}

// Averages in a row as distances, against the averages themselves.
CASE(lags_in_a_row) {
    for (int kind : kinds) {
        const std::vector<double> x = series(kind, 900);
        for (std::uint32_t n : {2u, 5u, 40u}) {
            Lags<3> lags(n);
            Wide level[3] = {}, size = 0;
            std::uint32_t seen[3] = {};
            for (std::size_t t = 0; t < x.size(); ++t) {
                lags.push(t ? x[t] - x[t - 1] : kNaN);
                Wide input = static_cast<Wide>(x[t]) - x[0];
                size = std::max(size, std::fabs(input));
                for (int i = 0; i < 3; ++i) {
                    if (seen[i] < n) {
                        level[i] += input / n;
                        if (++seen[i] < n) break;
                    } else {
                        level[i] += (input - level[i]) * 2 / (n + 1);
                    }
                    CHECK(near(lags.gap(i), input - level[i], size, 1e-14L));
                    input = level[i];
                }
                CHECK(lags.ready() == (seen[2] == n));
            }
        }
    }
}

CASE(an_average_of_what_has_no_level_fades_to_nothing) {
    Fading fading = Fading::ema(3);
    for (double x : {1.0, 2.0, 3.0}) fading.push(x);
    CHECK(fading.ready() && fading.level == 2);
    fading.push(4);
    CHECK(fading.level == 3);
    for (int i = 0; i < 2000; ++i) fading.push(0);
    CHECK(fading.level == 0);
}

CASE(comoments) {
    for (int kind : kinds) {
        const std::vector<double> x = series(kind, 900), y = series((kind + 1) % 4, 900);
        for (std::uint32_t n : lengths) {
            Placed<Anchored<Comoments>> window(n);
            for (std::size_t i = 0; i < x.size(); ++i) {
                const Comoments c = window.push(Pair{x[i], y[i]});
                if (!window->full()) continue;
                const Naive nx(x.data() + i + 1 - n, n), ny(y.data() + i + 1 - n, n);
                Wide xy = 0;
                for (std::size_t k = i + 1 - n, first = k; k <= i; ++k)
                    xy += (static_cast<Wide>(x[k]) - x[first] - nx.from_first) * (static_cast<Wide>(y[k]) - y[first] - ny.from_first);
                const Wide size = std::sqrt(nx.m2 * ny.m2);
                CHECK(near(c.xy, xy, size, 1e-13L));
                if (nx.m2 > 0) CHECK(near(c.slope(), xy / nx.m2, size / nx.m2, 1e-13L));
                else CHECK(std::isnan(c.slope()));
                if (size > 0) CHECK(near(c.correlation(), xy / size, 1, 1e-13L));
                else CHECK(std::isnan(c.correlation()));
            }
        }
    }
}

CASE(history_is_contiguous) {
    for (std::uint32_t n : lengths) {
        Placed<History> past(n);
        std::vector<double> all;
        for (int i = 0; i < 1000; ++i) {
            all.push_back(i * 0.5);
            past.push(all.back());
            const History::View now = past->view(past.arena.memory());
            for (std::uint32_t k = 1; k <= n && k <= all.size(); ++k) {
                CHECK(now.has(k));
                CHECK(now.ago(k - 1) == all[all.size() - k]);
                if (k == n || k == 1) CHECK(std::equal(all.end() - k, all.end(), now.last(k)));
            }
            CHECK(!now.has(all.size() + 1));
            if (n < 2 || i == 0) continue;  // as it was before the last push
            const History::View then = past->view(past.arena.memory(), 1);
            CHECK(then.ago(0) == all[all.size() - 2] && then.has(all.size() - 1) && !then.has(all.size()));
        }
    }
}

CASE(sorted_is_a_sorted_window) {
    for (int kind : kinds) {
        const std::vector<double> x = series(kind, 1200);
        for (std::uint32_t n : lengths) {
            Placed<Sorted> window(n);
            for (std::size_t i = 0; i < x.size(); ++i) {
                window.push(x[i]);
                const std::size_t from = i + 1 > n ? i + 1 - n : 0;
                std::vector<double> naive(x.begin() + static_cast<std::ptrdiff_t>(from), x.begin() + static_cast<std::ptrdiff_t>(i) + 1);
                std::sort(naive.begin(), naive.end());
                CHECK(window->size() == naive.size() && window->full() == (naive.size() == n));
                const Memory m = window.arena.memory();
                if (i % 7) continue;
                for (double q : {0.0, 0.1, 0.5, 0.9, 1.0}) {
                    const Wide at = q * static_cast<Wide>(naive.size() - 1);
                    const auto low = static_cast<std::size_t>(at);
                    const double high = naive[std::min(low + 1, naive.size() - 1)];
                    const Wide want = naive[low] + (at - low) * (Wide{high} - naive[low]);
                    CHECK(near(window->quantile(m, q), want, std::fabs(want) + std::fabs(high), 1e-13L));
                }
                CHECK(std::equal(naive.begin(), naive.end(), window->ordered(m)));
                const auto middle = [](std::vector<Wide> v) {
                    std::sort(v.begin(), v.end());
                    return v[(v.size() - 1) / 2] + (v[v.size() / 2] - v[(v.size() - 1) / 2]) / 2;
                };
                std::vector<Wide> from_here, from_median;
                for (double v : naive) from_here.push_back(Wide{v} - x[i]);
                const Wide median = middle(from_here);
                for (Wide v : from_here) from_median.push_back(std::fabs(v - median));
                const auto [distance, mad] = window->robust(m, x[i]);
                const Wide spread = Wide{naive.back()} - naive.front();
                CHECK(near(distance, -median, spread, 1e-15L) && near(mad, middle(from_median), spread, 1e-15L));
                Wide tail = 0;
                for (std::uint32_t k = 1; k <= naive.size(); ++k) {
                    tail += naive[k - 1];
                    CHECK(near(window->tail_mean(m, k), tail / k, std::fabs(naive[0]) + std::fabs(naive[k - 1]), 1e-14L));
                }
            }
        }
    }
}

CASE(tally_counts_its_window) {
    std::mt19937_64 random(7);
    for (std::uint32_t n : lengths) {
        std::vector<std::byte> memory(1 << 16);
        Arena arena(memory.data(), memory.size());
        Tally tally(arena, n, 5, true);
        std::vector<std::uint32_t> all;
        for (int i = 0; i < 900; ++i) {
            all.push_back(i / 100 % 2 ? 3 : static_cast<std::uint32_t>(random() % 5));
            tally.push(arena.memory(), all.back());
            CHECK(tally.full() == (all.size() >= n));
            if (!tally.full()) continue;
            Wide entropy = 0, mixture = 0;
            for (std::uint32_t kind = 0; kind < 5; ++kind) {
                const Wide p = static_cast<Wide>(std::count(all.end() - n, all.end(), kind)) / n, q = (p + 0.2L) / 2;
                entropy -= p > 0 ? p * std::log(p) : 0, mixture -= q * std::log(q);
            }
            CHECK(near(tally.entropy(), entropy, 1) && near(tally.divergence(), mixture - (entropy + std::log(5.0L)) / 2, 1));
        }
    }
}

// The mean of the first n, then a weighted sum of all that followed.
CASE(smooth_is_its_weighted_sum) {
    for (int kind : {1, 2, 3}) {
        const std::vector<double> x = series(kind, 600);
        for (double n : {1.0, 2.0, 14.0, 100.0}) {
            for (bool wilder : {false, true}) {
                Smooth smooth = wilder ? Smooth::wilder(n) : Smooth::ema(n);
                const Wide alpha = wilder ? 1 / static_cast<Wide>(n) : 2 / static_cast<Wide>(n + 1);
                Wide level = 0, largest = 0;
                for (std::size_t i = 0; i < x.size(); ++i) {
                    smooth.push(x[i]);
                    largest = std::max(largest, std::fabs(static_cast<Wide>(x[i])));
                    if (i < n) level += x[i] / static_cast<Wide>(n);
                    else level += alpha * (x[i] - level);
                    CHECK(smooth.ready() == (i + 1 >= n));
                    CHECK(std::isnan(smooth.value()) == !smooth.ready());
                    if (smooth.ready()) CHECK(near(smooth.value(), level, largest, 1e-15L));
                }
            }
        }
    }
}

CASE(smooth_of_a_constant_is_that_constant) {
    for (double x : {0.1, 1e8 + 0.1, 1e-9}) {
        Smooth smooth = Smooth::ema(20);
        for (int i = 0; i < 500; ++i) smooth.push(x);
        CHECK(smooth.value() == x);
    }
}

CASE(logarithms_and_exponentials_do_not_depend_on_their_place) {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> uniform;
    for (std::uint32_t n = 1; n < 45; ++n) {
        std::vector<double> x(n), y(n);
        for (std::uint32_t i = 0; i < n; ++i) x[i] = i ? std::exp(12 * uniform(random)) : 1, y[i] = i ? -700 * std::pow(uniform(random), 4) : 0;
        std::vector<double> logs = x, exps = y;
        log_each(logs.data(), n);
        exp_each(exps.data(), n);
        for (std::uint32_t i = 0; i < n; ++i) {
            CHECK(near(logs[i], std::log(Wide{x[i]}), std::log(Wide{x[i]}), 5e-16L));
            CHECK(near(exps[i], std::exp(Wide{y[i]}), std::exp(Wide{y[i]}), 5e-16L));
            log_each(&x[i], 1);
            exp_each(&y[i], 1);
            CHECK(x[i] == logs[i] && y[i] == exps[i]);
        }
    }
}
