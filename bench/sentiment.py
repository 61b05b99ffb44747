"""How good and how fast the text scorer is, beside plain VADER and the majority: `python bench/sentiment.py`.

Financial PhraseBank (sentences on which all annotators agree; Malo et al. 2014) and FiQA (posts with a continuous
target; WWW 2018). Half of each set is development, the other half test: a text is development if the first byte of
the SHA-256 of its UTF-8 bytes is even. The lexicon, the rules and every threshold here were made with the development
half alone; the test half was scored, not read. Both sets hold near-copies of some texts, which may stand in both
halves. Intervals: percentiles 2.5 and 97.5 of 2,000 bootstrap samples of the test half.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from smartcore.market.text import LEXICON, TextScorer, read_lexicon

ROOT = Path(__file__).resolve().parent.parent


def halves(texts: pd.Series) -> np.ndarray:
    """True where a text is of the development half."""
    return np.array([hashlib.sha256(text.encode()).digest()[0] % 2 == 0 for text in texts])


def accuracy(truth: np.ndarray, called: np.ndarray) -> float:
    return float((truth == called).mean())


def macro_f1(truth: np.ndarray, called: np.ndarray) -> float:
    """Mean over the classes there are of 2 TP / (2 TP + FP + FN)."""
    scores = []
    for c in np.unique(truth):
        hits, wrong = ((truth == c) & (called == c)).sum(), ((truth == c) ^ (called == c)).sum()
        scores.append(2 * hits / (2 * hits + wrong))
    return float(np.mean(scores))


def r2(target: np.ndarray, forecast: np.ndarray) -> float:
    return float(1 - ((target - forecast) ** 2).sum() / ((target - target.mean()) ** 2).sum())


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")


def call(scores: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.where(scores > high, 1, np.where(scores < low, -1, 0))


def thresholds(scores: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """(low, high) of the best macro-F1; equal ones, and nobody is neutral, where the truth knows no neutral."""
    grid = np.round(np.arange(-0.8, 0.81, 0.02), 2)
    pairs = (
        [(low, high) for low in grid for high in grid if low < 0 < high]
        if (truth == 0).any()
        else zip(grid, grid, strict=True)
    )
    return max(pairs, key=lambda p: macro_f1(truth, two(scores, p) if p[0] == p[1] else call(scores, *p)))


def two(scores: np.ndarray, at: tuple[float, float]) -> np.ndarray:
    return np.where(scores > at[0], 1, -1)


def interval(function, *columns: np.ndarray) -> str:
    rng, n = np.random.default_rng(0), len(columns[0])
    values = []
    for _ in range(2000):
        rows = rng.integers(0, n, n)
        values.append(function(*(c[rows] for c in columns)))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return f"{function(*columns):.3f} ({low:.3f} to {high:.3f})"


def rate(function, texts: list[str]) -> float:
    """Texts a second, the best of five."""
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        function(texts)
        best = min(best, time.perf_counter() - start)
    return len(texts) / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "fin_sentiment")
    data = parser.parse_args().data
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    vader, scorer = SentimentIntensityAnalyzer(), TextScorer()
    methods = {
        "majority": lambda texts: np.zeros(len(texts)),
        "VADER": lambda texts: np.array([vader.polarity_scores(text)["compound"] for text in texts]),
        "smartcore": scorer.scores,
    }
    bank = pd.read_parquet(data / "phrasebank_allagree.parquet").drop_duplicates("sentence")
    posts = pd.read_parquet(data / "fiqa_posts.parquet").drop_duplicates("sentence")
    posts = posts[posts["sentiment"] != 0]

    print("# The text scorer beside VADER and the majority\n")
    print(" ".join((__doc__ or "").split("\n\n", 1)[1].split()) + "\n")
    for title, frame, truth in (
        ("Financial PhraseBank, three classes", bank, bank["label"].map({"negative": -1, "neutral": 0, "positive": 1})),
        ("FiQA posts, the sign of the target", posts, np.sign(posts["sentiment"]).astype(int)),
    ):
        truth, dev = truth.to_numpy(), halves(frame["sentence"])
        print(f"## {title}\n\n{dev.sum()} development, {(~dev).sum()} test.\n")
        print("| method | accuracy | macro-F1 | thresholds | development macro-F1 |\n| --- | --- | --- | --- | ---: |")
        for name, score in methods.items():
            scores = score(list(frame["sentence"]))
            if name == "majority":
                values, counts = np.unique(truth[dev], return_counts=True)
                called, shown = np.full(len(truth), values[counts.argmax()]), ""
            else:
                at = thresholds(scores[dev], truth[dev])
                called = two(scores, at) if at[0] == at[1] else call(scores, *at)
                shown = f"{at[1]:+.2f}" if at[0] == at[1] else f"{at[0]:+.2f}, {at[1]:+.2f}"
            cells = [interval(f, truth[~dev], called[~dev]) for f in (accuracy, macro_f1)]
            print(f"| {name} | {cells[0]} | {cells[1]} | {shown} | {macro_f1(truth[dev], called[dev]):.3f} |")
        print()
    dev, target = halves(posts["sentence"]), posts["sentiment"].to_numpy()
    print("## FiQA posts, the target itself\n\nR2 is that of a line fitted on development.\n")
    print("| method | correlation | R2 |\n| --- | --- | --- |")
    for name, score in methods.items():
        scores = score(list(posts["sentence"]))
        slope, level = np.polyfit(scores[dev], target[dev], 1) if scores.std() > 0 else (0.0, target[dev].mean())
        forecast = level + slope * scores
        related = interval(correlation, target[~dev], scores[~dev]) if scores.std() > 0 else "none"
        print(f"| {name} | {related} | {interval(r2, target[~dev], forecast[~dev])} |")
    texts = list(bank["sentence"])
    print("\n## Speed\n\n| method | sentences a second, one thread |\n| --- | ---: |")
    for name in ("VADER", "smartcore"):
        print(f"| {name} | {rate(methods[name], texts):,.0f} |")
    packages = ", ".join(f"{name} {version(name)}" for name in ("vaderSentiment", "numpy", "pandas"))
    cpu = platform.processor()
    if (info := Path("/proc/cpuinfo")).exists():
        cpu = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), cpu)
    entries = len(read_lexicon(LEXICON))
    print(f"\n{entries:,} entries. Python {platform.python_version()}, {packages}; {platform.machine()}, {cpu}.")


if __name__ == "__main__":
    main()
