// Scores of texts: the mood, how it turns, who shares it, and whether prices follow. A score of weight 0 (or below 1e-100)
// counts for nothing.
#include "features/faded.hpp"
#include "features/families.hpp"

namespace smartcore {
namespace {

constexpr double kSourceCount = std::size(kSources);
constexpr Param kSource{"source", 0, kSourceCount - 1, 'x', kSources};
constexpr Param half_life(std::string_view name = "half_life") { return {name, kHalfLife, kLongest, 's'}; }
constexpr double kAll = 0, kNews = 1, kSocial = 2, kAnalyst = 3;
constexpr double k1h = 3600, k4h = 14'400, k24h = 86'400;

// Whether an event is of the source: 0 hears all of them.
struct Ear {
    explicit Ear(double source) : source(source) {}
    bool operator()(const Score& e) const noexcept { return e.weight >= 1e-100 && (source == 0 || e.source == source); }
    double source;
};

struct Mood {
    struct Told {
        double level, deviation, skew, novelty;
    };
    Mood(Graph&, double source, double half_life) : hears(source), moments(half_life) {}
    void update(const Score& e, In, Out out) noexcept {
        if (!hears(e)) return;
        out[3] = (e.value - moments.mean) / moments.deviation();
        moments.push(e.ts, e.value, e.weight);
        out[0] = moments.mean;
        const double sd = moments.deviation();
        out[1] = moments.n > 1 && !known(sd) ? 0 : sd;
        out[2] = moments.m3 / moments.m2 / sd;  // the cube of a small deviation is nothing
    }
    Ear hears;
    FadedMoments moments;
};

struct ScoreLevel {
    static constexpr Meta meta{
        .name = "score_level", .doc = "Mean score, fading with a half-life.", .params = {kSource, half_life()},
        .outputs = {{"", "faded mean of score by weight", "score"}},
        .defaults = {{kAll, k1h}, {kAll, k4h}, {kAll, k24h}, {kNews, k1h}, {kNews, k24h}, {kSocial, k1h}, {kSocial, k24h}},
        .source = "Tetlock 2007; Mueller 2001"};
    static int warmup(Params) { return 1; }
    ScoreLevel(Graph& g, Params p) : mood(g.part<Mood>(p[0], p[1])) {}
    void update(const Score&, In in, Out out) noexcept { out[0] = in(mood).level; }
    Ref<Mood> mood;
};

// Two half-lives of one source.
struct TwoMoods {
    TwoMoods(Graph& g, Params p) : fast(g.part<Mood>(p[0], p[1])), slow(g.part<Mood>(p[0], p[2])) {}
    Ref<Mood> fast, slow;
};
struct ScoreChange : TwoMoods {
    static constexpr Meta meta{
        .name = "score_change", .doc = "How the mood turns: the fast mean score over the slow one.",
        .params = {kSource, half_life("fast"), half_life("slow")}, .outputs = {{"", "faded mean, fast - slow", "score"}},
        .defaults = {{kAll, k1h, k24h}, {kNews, k1h, k24h}, {kSocial, k1h, k24h}}, .source = "Tetlock 2007; Mueller 2001"};
    static int warmup(Params) { return 1; }
    using TwoMoods::TwoMoods;
    void update(const Score&, In in, Out out) noexcept { out[0] = in(fast).level - in(slow).level; }
};
struct ScoreZscore : TwoMoods {
    static constexpr Meta meta{
        .name = "score_zscore", .doc = "The fast mean score in deviations from the slow one; unknown while scores do not differ.",
        .params = {kSource, half_life("fast"), half_life("slow")}, .outputs = {{"", "(fast - slow mean) / slow deviation", "deviations"}},
        .defaults = {{kAll, k1h, k24h}, {kNews, k4h, k24h}, {kSocial, k1h, k24h}}, .source = "Tetlock 2007; Das and Chen 2007"};
    static int warmup(Params) { return 2; }
    using TwoMoods::TwoMoods;
    void update(const Score&, In in, Out out) noexcept {
        const Mood::Told s = in(slow);
        out[0] = s.deviation > 0 ? (in(fast).level - s.level) / s.deviation : kNaN;
    }
};

struct ScoreNovelty {
    static constexpr Meta meta{
        .name = "score_novelty", .doc = "The newest score in deviations from the mean of those before; unknown while they do not differ.",
        .params = {kSource, half_life()}, .outputs = {{"", "(score - faded mean before) / faded deviation before", "deviations"}},
        .defaults = {{kAll, k24h}, {kNews, k24h}, {kSocial, k24h}}, .source = "Tetlock 2011"};
    static int warmup(Params) { return 3; }
    ScoreNovelty(Graph& g, Params p) : mood(g.part<Mood>(p[0], p[1])) {}
    void update(const Score&, In in, Out out) noexcept { out[0] = in(mood).novelty; }
    Ref<Mood> mood;
};

struct ScorePercentile {
    static constexpr Meta meta{
        .name = "score_percentile", .doc = "Rank of the newest score among the last ones.", .params = {kSource, {"window", 2, 10'000}},
        .outputs = {{"", "share of the window below, ties half", "0..1", 0, 1}}, .defaults = {{kAll, 50}, {kAll, 200}, {kNews, 50}, {kSocial, 50}},
        .source = "Hyndman and Fan 1996"};
    static int warmup(Params p) { return static_cast<int>(p[1]); }
    ScorePercentile(Graph& g, Params p) : hears(p[0]), n(count_of(p[1])), values(g.arena(), n) {}
    void update(const Score& e, In in, Out out) noexcept {
        if (!hears(e)) return;
        values.push(in, e.value);
        const History::View v = values.view(in);
        if (v.has(n)) out[0] = rank_of(e.value, v.last(n), n);  // O(n), eight values at a time, and scores are few
    }
    Ear hears;
    std::uint32_t n, unused = 0;
    History values;
};

struct ScoreExtreme {
    static constexpr Meta meta{
        .name = "score_extreme", .doc = "The strongest score so far, fading with a half-life.", .params = {kSource, half_life()},
        .outputs = {{"", "the score, or what is left of the one before, whichever is larger in size", "score"}},
        .defaults = {{kAll, k4h}, {kNews, k24h}, {kSocial, k4h}}, .source = "Tetlock 2007; Mueller 2001"};
    static int warmup(Params) { return 1; }
    ScoreExtreme(Graph&, Params p) : hears(p[0]), fading(p[1]) {}
    void update(const Score& e, In, Out out) noexcept {
        if (!hears(e)) return;
        const double rest = known(peak) ? none_of_nothing(peak * fading.left(last, e.ts)) : 0;
        out[0] = peak = std::fabs(e.value) >= std::fabs(rest) ? e.value : rest;
        last = e.ts;
    }
    Ear hears;
    Fading fading;
    double peak = kNaN;
    std::int64_t last = 0;
};

struct ScoreDispersion {
    static constexpr Meta meta{
        .name = "score_dispersion", .doc = "How far scores lie apart, fading with a half-life.", .params = {kSource, half_life()},
        .outputs = {{"", "faded standard deviation of score by weight", "score", 0}},
        .defaults = {{kAll, k4h}, {kAll, k24h}, {kNews, k24h}, {kSocial, k24h}}, .source = "Antweiler and Frank 2004"};
    static int warmup(Params) { return 2; }
    ScoreDispersion(Graph& g, Params p) : mood(g.part<Mood>(p[0], p[1])) {}
    void update(const Score&, In in, Out out) noexcept { out[0] = in(mood).deviation; }
    Ref<Mood> mood;
};

struct ScoreSkew {
    static constexpr Meta meta{
        .name = "score_skew", .doc = "Whether praise or blame is the exception; unknown while scores do not differ.", .params = {kSource, half_life()},
        .outputs = {{"", "faded third central moment / deviation^3", "1"}}, .defaults = {{kAll, k24h}, {kNews, k24h}, {kSocial, k24h}},
        .source = "Joanes and Gill 1998"};
    static int warmup(Params) { return 2; }
    ScoreSkew(Graph& g, Params p) : mood(g.part<Mood>(p[0], p[1])) {}
    void update(const Score&, In in, Out out) noexcept { out[0] = in(mood).skew; }
    Ref<Mood> mood;
};

struct ScoreDisagreement {
    static constexpr Meta meta{
        .name = "score_disagreement", .doc = "What one source thinks less what another does; unknown until both have spoken.",
        .params = {kSource, {"other", 0, kSourceCount - 1, 'x', kSources}, half_life()}, .outputs = {{"", "faded mean of one - of the other", "score"}},
        .defaults = {{kNews, kSocial, k4h}, {kNews, kSocial, k24h}, {kAnalyst, kSocial, k24h}}, .source = "Antweiler and Frank 2004; Cookson and Niessner 2020"};
    static int warmup(Params) { return 2; }
    ScoreDisagreement(Graph& g, Params p) : one(g.part<Mood>(p[0], p[2])), other(g.part<Mood>(p[1], p[2])) {}
    void update(const Score&, In in, Out out) noexcept { out[0] = in(one).level - in(other).level; }
    Ref<Mood> one, other;
};

struct ScorePositiveShare {
    static constexpr Meta meta{
        .name = "score_positive_share", .doc = "Share of scores above 0, fading with a half-life; a score of 0 counts half.",
        .params = {kSource, half_life()}, .outputs = {{"", "faded share by weight", "0..1", 0, 1}}, .defaults = {{kAll, k24h}, {kNews, k24h}, {kSocial, k24h}},
        .source = "Antweiler and Frank 2004"};
    static int warmup(Params) { return 1; }
    ScorePositiveShare(Graph&, Params p) : hears(p[0]), moments(p[1]) {}
    void update(const Score& e, In, Out out) noexcept {
        if (!hears(e)) return;
        moments.push(e.ts, e.value > 0 ? 1 : e.value < 0 ? 0 : 0.5, e.weight);
        out[0] = not_below(not_above(moments.mean, 1), 0);
    }
    Ear hears;
    FadedMoments moments;
};

struct ScoreWeighting {
    static constexpr Meta meta{
        .name = "score_weighting", .doc = "What weights change: whether the heavy voices sound better than all voices do.", .params = {kSource, half_life()},
        .outputs = {{"", "faded mean by weight - faded plain mean", "score"}}, .defaults = {{kAll, k24h}, {kSocial, k24h}}, .source = "Bartov, Faurel, Mohanram 2018"};
    static int warmup(Params) { return 1; }
    ScoreWeighting(Graph& g, Params p) : hears(p[0]), mood(g.part<Mood>(p[0], p[1])), plain(p[1]) {}
    void update(const Score& e, In in, Out out) noexcept {
        if (!hears(e)) return;
        plain.push(e.ts, e.value);
        out[0] = in(mood).level - plain.mean;
    }
    Ear hears;
    Ref<Mood> mood;
    FadedMoments plain;
};

struct ScorePressure {
    static constexpr Meta meta{
        .name = "score_pressure", .doc = "Mean score against what chance would make of so many: strong where many agree.", .params = {kSource, half_life()},
        .outputs = {{"", "faded mean / root mean square, times the root of the effective number of scores; 0 where all are 0", "1"}},
        .defaults = {{kAll, k4h}, {kAll, k24h}, {kNews, k24h}, {kSocial, k24h}}, .source = "Kish 1965"};
    static int warmup(Params) { return 1; }
    ScorePressure(Graph&, Params p) : hears(p[0]), moments(p[1]) {}
    void update(const Score& e, In, Out out) noexcept {
        if (!hears(e)) return;
        const double f = moments.n > 0 ? moments.fading.left(moments.last, e.ts) : 1;
        squares = none_of_nothing(squares * f * f) + e.weight * e.weight;
        moments.push(e.ts, e.value, e.weight);
        const double rms = std::sqrt(moments.mean * moments.mean + moments.m2);
        out[0] = rms > 0 ? moments.mean / rms * (moments.weight / std::sqrt(squares)) : 0;
    }
    Ear hears;
    FadedMoments moments;
    double squares = 0;
};

struct ScoreStreak {
    static constexpr Meta meta{
        .name = "score_streak", .doc = "How many scores in a row have the sign of the newest.", .params = {kSource},
        .outputs = {{"", "number of them with their sign; 0 after a score of 0", "scores"}}, .defaults = {{kAll}, {kNews}, {kSocial}}, .source = "Wald and Wolfowitz 1940"};
    static int warmup(Params) { return 1; }
    ScoreStreak(Graph&, Params p) : hears(p[0]) {}
    void update(const Score& e, In, Out out) noexcept {
        if (!hears(e)) return;
        if (e.value > 0) streak = streak > 0 ? streak + 1 : 1;
        else if (e.value < 0) streak = streak < 0 ? streak - 1 : -1;
        else streak = 0;
        out[0] = streak;
    }
    Ear hears;
    double streak = 0;
};

// ---- time passes and prices move: bars wake these too ----

struct Arrivals {
    Arrivals(Graph&, double source, double half_life) : hears(source), count(half_life) {}
    void update(const Score& e, In, Out out) noexcept {
        if (hears(e)) count.push(e.ts, 1);
        out[0] = count.value(e.ts);
    }
    void update(const Bar& b, In, Out out) noexcept { out[0] = count.value(b.ts); }
    Ear hears;
    FadedArrivals count;
};

struct ScoreRate {
    static constexpr Meta meta{
        .name = "score_rate", .doc = "How often there are scores, fading with a half-life; unknown until the second.", .params = {kSource, half_life()},
        .outputs = {{"", "3600 faded count / faded time", "1/h", 0}}, .defaults = {{kAll, k1h}, {kAll, k24h}, {kNews, k24h}, {kSocial, k24h}},
        .source = "Antweiler and Frank 2004; Hawkes 1971"};
    static int warmup(Params) { return 2; }
    ScoreRate(Graph& g, Params p) : rate(g.part<Arrivals>(p[0], p[1])) {}
    void update(const Score&, In in, Out out) noexcept { out[0] = 3600 * in(rate); }
    void update(const Bar&, In in, Out out) noexcept { out[0] = 3600 * in(rate); }
    Ref<Arrivals> rate;
};

struct ScoreSurprise {
    static constexpr Meta meta{
        .name = "score_surprise", .doc = "Whether there are more scores than usual; unknown until the second.",
        .params = {kSource, half_life("fast"), half_life("slow")}, .outputs = {{"", "(fast rate - slow rate) / their sum", "-1..1", -1, 1}},
        .defaults = {{kAll, k1h, k24h}, {kNews, k1h, k24h}, {kSocial, k1h, k24h}}, .source = "Barber and Odean 2008"};
    static int warmup(Params) { return 2; }
    ScoreSurprise(Graph& g, Params p) : fast(g.part<Arrivals>(p[0], p[1])), slow(g.part<Arrivals>(p[0], p[2])) {}
    void update(const Score&, In in, Out out) noexcept { out[0] = contrast(in(fast), in(slow)); }
    void update(const Bar&, In in, Out out) noexcept { out[0] = contrast(in(fast), in(slow)); }
    Ref<Arrivals> fast, slow;
};

struct ScoreStaleness {
    static constexpr Meta meta{
        .name = "score_staleness", .doc = "How long ago the last score was, against the usual gap between scores; unknown until the second.",
        .params = {kSource, {"gaps", 1, 10'000}}, .outputs = {{"", "age / (age + mean of the last gaps): 0 now, 0.5 after a usual gap", "0..1", 0, 1}},
        .defaults = {{kAll, 20}, {kNews, 20}, {kSocial, 20}}, .source = "Engle and Russell 1998"};
    static int warmup(Params) { return 2; }
    ScoreStaleness(Graph& g, Params p) : hears(p[0]), silence(g.arena(), p[1]) {}
    void update(const Score& e, In in, Out out) noexcept {
        if (hears(e)) silence.push(in, e.ts);
        out[0] = silence.value(in, e.ts);
    }
    void update(const Bar& b, In in, Out out) noexcept { out[0] = silence.value(in, b.ts); }
    Ear hears;
    Silence silence;
};

// The mood as a share: signed scores over their sizes, -1..1, like the share of the way that prices made.
struct MoodAndPrice {
    MoodAndPrice(Graph& g, Params p) : hears(p[0]), mood(p[1]), price(g.part<PriceMoves>(p[1])) {}
    static int warmup(Params) { return 3; }  // about: a score and two bars
    void hear(const Score& e) noexcept {
        if (hears(e)) mood.push(e.ts, e.weight * e.value);
    }
    Ear hears;
    FadedBalance mood;
    Ref<PriceMoves> price;
};
struct ScoreDivergence : MoodAndPrice {
    static constexpr Meta meta{
        .name = "score_divergence", .doc = "Where the mood stands against prices: good words while they fall, or the other way; unknown until there were a score and two bars.",
        .params = {kSource, half_life()},
        .outputs = {{"", "faded score / faded |score| - faded log return / faded |log return|", "-2..2", -2, 2}},
        .defaults = {{kAll, k4h}, {kAll, k24h}, {kNews, k24h}, {kSocial, k24h}}, .source = "Tetlock 2007; Baker and Wurgler 2006"};
    using MoodAndPrice::MoodAndPrice;
    void update(const Score& e, In in, Out out) noexcept { hear(e), out[0] = mood.value() - in(price).balance; }
    void update(const Bar&, In in, Out out) noexcept { out[0] = mood.value() - in(price).balance; }
};
struct ScoreConfirmation : MoodAndPrice {
    static constexpr Meta meta{
        .name = "score_confirmation", .doc = "The mood where prices go its way, 0 where they do not; unknown until there were a score and two bars.",
        .params = {kSource, half_life()},
        .outputs = {{"", "root of the product of both shares, with their sign; 0 where the signs differ", "-1..1", -1, 1}},
        .defaults = {{kAll, k4h}, {kAll, k24h}, {kNews, k24h}}, .source = "Hong and Stein 1999"};
    using MoodAndPrice::MoodAndPrice;
    void update(const Score& e, In in, Out out) noexcept { hear(e), tell(in, out); }
    void update(const Bar&, In in, Out out) noexcept { tell(in, out); }
    void tell(In in, Out out) const noexcept {
        const double s = mood.value(), r = in(price).balance, both = s * r;
        out[0] = both > 0 ? std::copysign(std::sqrt(both), s) : known(both) ? 0 : kNaN;
    }
};

constexpr Kind kinds[] = {kind<ScoreLevel>, kind<ScoreChange>, kind<ScoreZscore>, kind<ScoreNovelty>, kind<ScorePercentile>, kind<ScoreExtreme>,
                          kind<ScoreDispersion>, kind<ScoreSkew>, kind<ScoreDisagreement>, kind<ScorePositiveShare>, kind<ScoreWeighting>,
                          kind<ScorePressure>, kind<ScoreStreak>, kind<ScoreRate>, kind<ScoreSurprise>, kind<ScoreStaleness>,
                          kind<ScoreDivergence>, kind<ScoreConfirmation>};
}  // namespace

const Family score{"score", "sentiment", kinds};

}  // namespace smartcore
