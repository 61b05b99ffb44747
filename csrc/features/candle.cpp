// Candles: the anatomy of one bar.
#include "features/families.hpp"
#include "features/parts.hpp"

namespace smartcore {
namespace {

struct Candle {
    static constexpr Meta meta{
        .name = "candle", .doc = "Body and wicks of the bar as shares of its range; 0 for a bar without range.",
        .outputs = {{"body", "(close - open) / (high - low)", "-1..1", -1, 1},
                    {"upper", "(high - higher of open and close) / (high - low)", "0..1", 0, 1},
                    {"lower", "(lower of open and close - low) / (high - low)", "0..1", 0, 1}},
        .source = "Nison 1991"};
    static int warmup(Params) { return 1; }
    Candle(Graph&, Params) {}
    void update(const Bar& b, In, Out out) const noexcept {
        const double range = b.high - b.low, scale = range > 0 ? 1 / range : 0;
        out[0] = (b.close - b.open) * scale;
        out[1] = (b.high - (b.open > b.close ? b.open : b.close)) * scale;
        out[2] = ((b.open < b.close ? b.open : b.close) - b.low) * scale;
    }
};

constexpr Kind kinds[] = {kind<Candle>};
}  // namespace

const Family candle{"candle", "technical", kinds};

}  // namespace smartcore
