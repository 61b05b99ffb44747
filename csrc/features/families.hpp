// The families in the order of the catalogue, which is the order of the default columns.
#pragma once
#include "features/feature.hpp"

namespace smartcore {

extern const Family trend, averages, momentum, volatility, volume, candle, cycle;
extern const Family statistics, distribution, realised, dependence, change;
extern const Family risk, regime, market_regime, structure, session;
extern const Family book, depth, ofi, queue, flow, impact, intensity;
extern const Family score, auxiliary;
extern const Family pair, basket;

inline const Family* const families[] = {
    &trend, &averages, &momentum, &volatility, &volume, &candle, &cycle,
    &statistics, &distribution, &realised, &dependence, &change,
    &risk, &regime, &market_regime, &structure, &session,
    &book, &depth, &ofi, &queue, &flow, &impact, &intensity,
    &score, &auxiliary,
    &pair, &basket,
};

}  // namespace smartcore
