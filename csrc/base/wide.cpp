#include "base/wide.hpp"

#include <bit>
#include <cmath>

#include "base/number.hpp"

namespace smartcore {

#if defined(__GNUC__)
namespace {
using Four = double __attribute__((vector_size(32)));  // two registers where there are only halves
using Mask = std::int64_t __attribute__((vector_size(32)));
}  // namespace
#endif

SMARTCORE_WIDE
std::int64_t twice_below(const double* values, std::uint32_t n, double x) noexcept {
    std::int64_t count = 0;
    std::uint32_t i = 0;
#if defined(__GNUC__)
    const Four middle = {x, x, x, x};
    Mask all{}, more{};
    const auto add = [&](std::uint32_t at) {
        Four v;
        std::memcpy(&v, values + at, sizeof v);
        all -= v < middle, more -= v <= middle;  // true is -1
    };
    for (; i + 16 <= n; i += 16) add(i), add(i + 4), add(i + 8), add(i + 12);
    for (; i + 4 <= n; i += 4) add(i);
    all += more;
    count = (all[0] + all[1]) + (all[2] + all[3]);
#endif
    for (; i < n; ++i) count += (values[i] < x) + (values[i] <= x);
    return count;
}

SMARTCORE_WIDE
Both twice_below(const double* values, std::uint32_t n, double x, double y) noexcept {
    Both both{0, 0};
    std::uint32_t i = 0;
#if defined(__GNUC__)
    const Four a = {x, x, x, x}, b = {y, y, y, y};
    Mask all{}, more{};
    const auto add = [&](std::uint32_t at) {
        Four v;
        std::memcpy(&v, values + at, sizeof v);
        all -= v < a, more -= v < b, all -= v <= a, more -= v <= b;  // true is -1
    };
    for (; i + 8 <= n; i += 8) add(i), add(i + 4);
    for (; i + 4 <= n; i += 4) add(i);
    both = {(all[0] + all[1]) + (all[2] + all[3]), (more[0] + more[1]) + (more[2] + more[3])};
#endif
    for (; i < n; ++i) both.x += (values[i] < x) + (values[i] <= x), both.y += (values[i] < y) + (values[i] <= y);
    return both;
}

SMARTCORE_WIDE
void replace_sorted(double* values, std::uint32_t n, double old, double x) noexcept {
#if defined(__GNUC__)
    const Four gone = {old, old, old, old}, fresh = {x, x, x, x};
    Four left = {-kInf, -kInf, -kInf, -kInf};
    const double* const end = values + n;
    for (double* v = values; v < end; v += 4) {
        Four here, next;
        std::memcpy(&here, v, sizeof here);
        std::memcpy(&next, v + 1, sizeof next);
        const Four kept = here < gone ? here : next;
        const Four before = __builtin_shufflevector(left, kept, 3, 4, 5, 6);
        const Four least = before > fresh ? before : fresh;
        const Four put = least < kept ? least : kept;
        std::memcpy(v, &put, sizeof put);
        left = kept;
    }
#else
    double last = -kInf;
    for (std::uint32_t i = 0; i < n; ++i) {
        const double kept = values[i] < old ? values[i] : values[i + 1], least = last > x ? last : x;
        values[i] = least < kept ? least : kept;
        last = kept;
    }
#endif
}

#if defined(__GNUC__)
namespace {
inline void load(Four& v, const double* from) noexcept { std::memcpy(&v, from, sizeof v); }
inline void store(const Four& v, double* to) noexcept { std::memcpy(to, &v, sizeof v); }
inline void fill(Four& v, double x) noexcept { v = Four{x, x, x, x}; }  // not returned: how depends on the processor
inline double total(const Four& v) noexcept { return (v[0] + v[1]) + (v[2] + v[3]); }
inline void raise(Four& a, const Four& least) noexcept { a = a > least ? a : least; }
inline void add_where_not_above(Four& sum, const Four& x, const Four& most, const Four& a) noexcept { sum += x <= most ? a : Four{}; }
}  // namespace
#else
namespace {
struct Four {  // the same sums, side by side
    double v[4];
    Four& operator+=(const Four& b) noexcept {
        for (int j = 0; j < 4; ++j) v[j] += b.v[j];
        return *this;
    }
    friend Four operator+(Four a, const Four& b) noexcept { return a += b; }
    friend Four operator-(Four a, const Four& b) noexcept {
        for (int j = 0; j < 4; ++j) a.v[j] -= b.v[j];
        return a;
    }
    friend Four operator*(Four a, const Four& b) noexcept {
        for (int j = 0; j < 4; ++j) a.v[j] *= b.v[j];
        return a;
    }
    friend Four operator/(Four a, const Four& b) noexcept {
        for (int j = 0; j < 4; ++j) a.v[j] /= b.v[j];
        return a;
    }
};
inline void load(Four& v, const double* from) noexcept { std::memcpy(&v, from, sizeof v); }
inline void store(const Four& v, double* to) noexcept { std::memcpy(to, &v, sizeof v); }
inline void fill(Four& v, double x) noexcept { v = Four{{x, x, x, x}}; }
inline double total(const Four& v) noexcept { return (v.v[0] + v.v[1]) + (v.v[2] + v.v[3]); }
inline void raise(Four& a, const Four& least) noexcept {
    for (int j = 0; j < 4; ++j) a.v[j] = not_below(a.v[j], least.v[j]);
}
inline void add_where_not_above(Four& sum, const Four& x, const Four& most, const Four& a) noexcept {
    for (int j = 0; j < 4; ++j) sum.v[j] += where(x.v[j] <= most.v[j], a.v[j]);
}
}  // namespace
#endif

SMARTCORE_WIDE
double sum_of(const double* values, std::uint32_t n) noexcept {
    Four a{}, b{};
    std::uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        Four x, y;
        load(x, values + i), load(y, values + i + 4);
        a += x, b += y;
    }
    double rest = 0;
    for (; i < n; ++i) rest += values[i];
    return total(a + b) + rest;
}

SMARTCORE_WIDE
Three weighted_sums(const double* values, std::uint32_t n, const double* weights) noexcept {
    const double *const u = weights, *const v = weights + n, *const w = weights + 2 * std::size_t{n};
    Four a{}, b{}, c{}, a2{}, b2{}, c2{};
    std::uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        Four x, y, p, q;
        load(x, values + i), load(y, values + i + 4);
        load(p, u + i), load(q, u + i + 4), a += x * p, a2 += y * q;
        load(p, v + i), load(q, v + i + 4), b += x * p, b2 += y * q;
        load(p, w + i), load(q, w + i + 4), c += x * p, c2 += y * q;
    }
    Three rest{};
    for (; i < n; ++i) rest.a += values[i] * u[i], rest.b += values[i] * v[i], rest.c += values[i] * w[i];
    return {total(a + a2) + rest.a, total(b + b2) + rest.b, total(c + c2) + rest.c};
}

SMARTCORE_WIDE
std::uint32_t count_nearer(const double* left, double a, const double* right, double b, std::uint32_t n) noexcept {
    std::int64_t count = 0;
    std::uint32_t i = 0;
#if defined(__GNUC__)
    const Four from = {a, a, a, a}, to = {b, b, b, b};
    Mask nearer{};
    for (; i + 4 <= n; i += 4) {
        Four l, r;
        load(l, left + i), load(r, right + i);
        nearer -= from - l < r - to;
    }
    count = (nearer[0] + nearer[1]) + (nearer[2] + nearer[3]);
#endif
    for (; i < n; ++i) count += a - left[i] < right[i] - b;
    return static_cast<std::uint32_t>(count);
}

SMARTCORE_WIDE
Bridge bridge(const double* path, std::uint32_t n, const double* weights) noexcept {
    const double first = path[0], step = (path[n] - first) / n;
    Bridge all{0, 0, 0};  // it begins and ends at 0
    std::uint32_t i = 0;
#if defined(__GNUC__)
    const Four from = {first, first, first, first}, rise = {step, step, step, step}, four = {4, 4, 4, 4};
    Four k = {0, 1, 2, 3}, high{}, low{}, most{};
    for (; i + 4 <= n; i += 4) {
        Four x, w;
        load(x, path + i), load(w, weights + i);
        const Four d = x - from - k * rise, square = d * d * w;
        high = high > d ? high : d;
        low = low < d ? low : d;
        most = most > square ? most : square;
        k += four;
    }
    for (int j = 0; j < 4; ++j) {
        all.high = not_below(high[j], all.high);
        all.low = not_above(low[j], all.low);
        all.most = not_below(most[j], all.most);
    }
#endif
    for (; i < n; ++i) {
        const double d = path[i] - first - i * step, square = d * d * weights[i];
        all.high = not_below(d, all.high), all.low = not_above(d, all.low), all.most = not_below(square, all.most);
    }
    return all;
}

SMARTCORE_WIDE
std::uint8_t longest_run(std::uint8_t* runs, const std::uint8_t* values, std::uint32_t n, std::uint8_t value, std::uint8_t most) noexcept {
    std::uint8_t longest = 0;
    std::uint32_t i = 0;
#if defined(__GNUC__)
    using Bytes = std::uint8_t __attribute__((vector_size(32)));
    const Bytes same = Bytes{} + value, top = Bytes{} + most;
    Bytes best{};
    for (; i + 32 <= n; i += 32) {
        Bytes run, v;
        std::memcpy(&run, runs + i, sizeof run);
        std::memcpy(&v, values + i, sizeof v);
        run = run < top ? run + 1 : top;
        run &= reinterpret_cast<Bytes>(v == same);
        best = best > run ? best : run;
        std::memcpy(runs + i, &run, sizeof run);
    }
    using Half = std::uint8_t __attribute__((vector_size(16)));
    Half low, high;
    std::memcpy(&low, &best, sizeof low);
    std::memcpy(&high, reinterpret_cast<const char*>(&best) + sizeof low, sizeof high);
    low = low > high ? low : high;
    high = __builtin_shufflevector(low, low, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    low = low > high ? low : high;
    for (int k = 0; k < 8; ++k) longest = longest > low[k] ? longest : low[k];
#endif
    for (; i < n; ++i) {
        const std::uint8_t more = runs[i] < most ? static_cast<std::uint8_t>(runs[i] + 1) : most;
        runs[i] = values[i] == value ? more : 0;
        longest = longest > runs[i] ? longest : runs[i];
    }
    return longest;
}

SMARTCORE_WIDE
double sum_distance(const double* values, std::uint32_t n, double x) noexcept {
    std::uint32_t i = 0;
#if defined(__GNUC__)
    const Four center = {x, x, x, x};
    const Mask magnitude = Mask{} + INT64_MAX;
    Four sum = {0, 0, 0, 0};
    for (; i + 4 <= n; i += 4) {
        Four v;
        std::memcpy(&v, values + i, sizeof v);
        sum += reinterpret_cast<Four>(reinterpret_cast<Mask>(v - center) & magnitude);
    }
#else
    double sum[4] = {0, 0, 0, 0};
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; ++j) sum[j] += std::fabs(values[i + j] - x);
#endif
    double rest = 0;
    for (; i < n; ++i) rest += std::fabs(values[i] - x);
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
}

// Lane by lane the same operations at any width, so that compilers may take as many values at once as they like.
SMARTCORE_WIDE
void log_each(double* values, std::uint32_t n) noexcept {
    for (std::uint32_t i = 0; i < n; ++i) {
        constexpr std::uint64_t middle = 0x3fe6a09e667f3bcd;  // sqrt(1/2): x = 2^e m, m from there to sqrt(2)
        const std::uint64_t bits = std::bit_cast<std::uint64_t>(values[i]), e = (bits - middle) >> 52;
        const double m = std::bit_cast<double>(bits - (e << 52)), exponent = std::bit_cast<double>(e + 0x4330000000000000) - 0x1p52;
        const double s = (m - 1) / (m + 1), q = s * s;
        double p = q * (1.0 / 23) + 1.0 / 21;
        p = p * q + 1.0 / 19, p = p * q + 1.0 / 17, p = p * q + 1.0 / 15, p = p * q + 1.0 / 13, p = p * q + 1.0 / 11;
        p = p * q + 1.0 / 9, p = p * q + 1.0 / 7, p = p * q + 1.0 / 5, p = p * q + 1.0 / 3;
        values[i] = exponent * 0x1.62e42fefa38p-1 + (exponent * 0x1.ef35793c7673p-45 + (2 * s + 2 * s * q * p));
    }
}

SMARTCORE_WIDE
void exp_each(double* values, std::uint32_t n) noexcept {
    for (std::uint32_t i = 0; i < n; ++i) {
        const double x = values[i], shifted = x * 1.4426950408889634 + 0x1.8p52, k = shifted - 0x1.8p52;  // to a whole number
        const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
        double p = r * (1.0 / 6227020800) + 1.0 / 479001600;
        p = p * r + 1.0 / 39916800, p = p * r + 1.0 / 3628800, p = p * r + 1.0 / 362880, p = p * r + 1.0 / 40320, p = p * r + 1.0 / 5040;
        p = p * r + 1.0 / 720, p = p * r + 1.0 / 120, p = p * r + 1.0 / 24, p = p * r + 1.0 / 6, p = p * r + 0.5;
        values[i] = (p * r * r + r + 1) * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023) << 52);
    }
}

SMARTCORE_WIDE
Likelihood next_value(const Runs& runs, double x, double share, double least, const double* height, double* room) noexcept {
    double *const w = runs.weight, *const b = runs.beta, *const l = runs.log_beta, *const a = runs.age;
    const std::uint32_t n = (runs.n + 3) / 4 * 4;
    double *const fit = room, *const later = room + n;
    for (std::uint32_t i = 0; i < runs.n; ++i) fit[i] = height[static_cast<std::uint32_t>(a[i])];
    for (std::uint32_t i = runs.n; i < n; ++i) fit[i] = -kInf, w[i] = 0, b[i] = 1, l[i] = a[i] = 0;  // none
    Four more, half, one;
    fill(more, 0.5 * x * x), fill(half, 0.5), fill(one, 1);
    for (std::uint32_t i = 0; i < n; i += 4) {
        Four v;
        load(v, b + i);
        v = v + more;
        store(v, b + i), store(v, later + i);
    }
    log_each(later, n);
    Four best, all{};
    fill(best, -kInf);
    for (std::uint32_t i = 0; i < n; i += 4) {  // Student-t with 2 alpha degrees of freedom, alpha = 1 + age / 2
        Four h, old, now, alpha;
        load(h, fit + i), load(old, l + i), load(now, later + i), load(alpha, a + i);
        alpha = one + half * alpha;
        h = h + alpha * old - (alpha + half) * now;
        raise(best, h);
        store(h, fit + i), store(now, l + i);
    }
    double four[4];
    store(best, four);
    const double top = not_below(not_below(four[0], four[1]), not_below(four[2], four[3]));
    Four from, low;
    fill(from, top), fill(low, -700);
    for (std::uint32_t i = 0; i < n; i += 4) {
        Four v;
        load(v, fit + i);
        v = v - from;
        raise(v, low);
        store(v, fit + i);
    }
    exp_each(fit, n);
    for (std::uint32_t i = 0; i < n; i += 4) {
        Four v, weight;
        load(v, fit + i), load(weight, w + i);
        v = v * weight;
        all += v;
        store(v, fit + i);
    }
    const double sum = total(all);
    Four scale, floor;
    fill(scale, share / sum), fill(floor, least);
    for (std::uint32_t i = 0; i < n; i += 4) {
        Four v, age;
        load(v, fit + i), load(age, a + i);
        v = v * scale;
        raise(v, floor);
        store(v, w + i), store(age + one, a + i);
    }
    return {top, sum};
}

SMARTCORE_WIDE
Average average(const Runs& runs, double young) noexcept {
    const std::uint32_t n = (runs.n + 3) / 4 * 4;
    for (std::uint32_t i = runs.n; i < n; ++i) runs.weight[i] = 0, runs.beta[i] = 1, runs.age[i] = 0;  // none
    Four age{}, fresh{}, variance{}, most, half, one;
    fill(most, young), fill(half, 0.5), fill(one, 1);
    for (std::uint32_t i = 0; i < n; i += 4) {
        Four w, b, a;
        load(w, runs.weight + i), load(b, runs.beta + i), load(a, runs.age + i);
        age += w * a;
        add_where_not_above(fresh, a, most, w);
        variance += w * (b / (one + half * a));
    }
    return {total(age), total(fresh), total(variance)};
}

}  // namespace smartcore
