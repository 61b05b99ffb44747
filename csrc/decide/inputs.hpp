// The columns decide() reads, with the range of believable values; one outside, infinite or NaN is not known.
#pragma once
#include <cstdint>
#include <span>

#include "base/number.hpp"

namespace smartcore::decide {

struct Input {
    const char* column;
    double low, high;
};

// Each group in the order in which its reader takes the values. Append to a group freely: positions are found by name.
inline constexpr Input kTechnical[] = {
    {"macd_12_26_9_histogram", -1, 1}, {"ema_distance_30", -1, 10}, {"di_14", -100, 100}, {"aroon_25", -100, 100},
    {"rsi_14", 0, 100}, {"bollinger_20_2", -10, 10}, {"stochastic_14_3_k", 0, 100}, {"mfi_14", 0, 100},
    {"trade_imbalance_10s", -1, 1}, {"queue_imbalance_l1", -1, 1}, {"ofi_l1_10s", -1e9, 1e9}};
inline constexpr Input kSmartMoney[] = {
    {"market_structure_5", -1, 1}, {"market_structure_20", -1, 1}, {"order_block_5_500_balance", -1, 1},
    {"order_block_5_500_below", 0, 50}, {"order_block_5_500_above", 0, 50}, {"fair_value_gap_500_balance", -1, 1},
    {"liquidity_5_500_sweep", -1, 1}, {"liquidity_5_500_sweep_age", 0, 1e9}, {"dealing_range_20", -2, 3}};
inline constexpr Input kRegimeColumns[] = {
    {"market_regime_trending_up", 0, 1}, {"market_regime_trending_down", 0, 1}, {"market_regime_breakout", 0, 1},
    {"market_regime_reversal", 0, 1}, {"market_regime_ranging", 0, 1}, {"market_regime_volatile", 0, 1}, {"market_regime_quiet", 0, 1},
    {"market_regime_name", 0, 6}, {"market_regime_age", 0, 1e15}, {"market_regime_switch", 0, 1},
    {"market_regime_volatility", 0, 2}, {"market_regime_trend", -2, 2}, {"market_regime_volume", 0, 2}};
inline constexpr Input kRiskColumns[] = {
    {"fhs_500_sigma", 1e-12, 1}, {"fhs_500_var95", 1e-12, 1}, {"fhs_500_var99", 1e-12, 1}, {"fhs_500_es95", 1e-12, 1},
    {"fhs_500_es99", 1e-12, 1}, {"fhs_short_500_var95", 1e-12, 1}, {"fhs_short_500_var99", 1e-12, 1},
    {"fhs_short_500_es95", 1e-12, 1}, {"fhs_short_500_es99", 1e-12, 1}};
inline constexpr Input kBookColumns[] = {
    {"spread", -1e4, 1e4}, {"queue_imbalance_l1", -1, 1}, {"spread_mean_10s", 0, 1e4}, {"spread_volatility_10s", 0, 1e4},
    {"mid_volatility_10s", 0, 1e4}, {"mid_volatility_60s", 0, 1e4}, {"volume_rate_60s", 0, 1e300}};
inline constexpr double kCusumLimit = 5;  // where the sums start anew: a bar on which they did shows 0, and age 0
inline constexpr Input kAnomalyColumns[] = {{"lee_mykland_100", -1e9, 1e9}, {"robust_zscore_100", -1e9, 1e9},
    {"cusum_100_up", 0, kCusumLimit}, {"cusum_100_down", 0, kCusumLimit}, {"page_hinkley_100_up", 0, 10}, {"cusum_100_age", 0, 1e9}};

// Where they are in the rows of one feature set; -1: it has no such column, which reads as not known.
struct Inputs {
    std::int32_t technical[std::size(kTechnical)], smart_money[std::size(kSmartMoney)], regime[std::size(kRegimeColumns)],
        risk[std::size(kRiskColumns)], book[std::size(kBookColumns)], anomaly[std::size(kAnomalyColumns)];

    template <std::size_t N>
    static void read(const double* row, const std::int32_t (&at)[N], const Input (&inputs)[N], double (&to)[N]) noexcept {
        for (std::size_t i = 0; i < N; ++i) {
            const double x = at[i] < 0 ? kNaN : row[at[i]];
            to[i] = x >= inputs[i].low && x <= inputs[i].high ? x : kNaN;
        }
    }
};

}  // namespace smartcore::decide
