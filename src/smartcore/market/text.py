"""Headlines and posts to scores: a lexicon with a few rules, or a classifier of the user's own.

`TextScorer` is VADER (Hutto and Gilbert 2014) with a lexicon for finance and crypto (``lexicon.tsv``) and two rules,
which rewrite a text before VADER reads it:

- What a direction means depends on what moves. "Profit rose" is good, "costs rose" and "the loss widened" are bad. A
  word of direction takes its sign from the nearest quantity: the next words, else the last ones of its sentence.
- Where no direction is named, two figures say it: "profit was EUR 1.6 mn, compared to EUR 5.9 mn" is a fall. A figure
  that the text calls a loss is negative.

What it can and cannot do is measured in ``bench/results/sentiment.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from smartcore.market import events as ev

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LEXICON", "OnnxTextScorer", "Scorer", "TextScorer", "Word", "read_lexicon"]

LEXICON = Path(__file__).with_name("lexicon.tsv")


class Scorer(Protocol):
    """Whatever turns texts into numbers in -1..1."""

    def scores(self, texts: Iterable[str]) -> NDArray[np.float64]: ...


class _Events:
    """What a scorer gives besides numbers: one text, and SCORE events."""

    def scores(self, texts: Iterable[str]) -> NDArray[np.float64]:
        raise NotImplementedError

    def score(self, text: str) -> float:
        """How good the text sounds, -1..1; 0 is neutral."""
        return float(self.scores([text])[0])

    def event(self, ts: int, text: str, source: int | str = 0, weight: float = 1.0) -> np.void:
        """The text as one SCORE event. ``ts`` is when it became known here, not when it says it was written."""
        return self.events([ts], [text], source, weight)[0]

    def events(
        self, ts: ArrayLike, texts: Iterable[str], source: ArrayLike = 0, weight: ArrayLike = 1.0
    ) -> NDArray[np.void]:
        """SCORE events of many texts, shape (n,), in the order given; ``source``: names of SOURCES or their numbers."""
        return ev.scores(ts, self.scores(texts), weight, source)


# ---- the lexicon ----


class Word(NamedTuple):
    """An entry: its valence, -4..4, and its kind: "up" or "down" (a direction), "good" or "bad" (a quantity whose rise
    is that), or "" (a word that means what it says)."""

    valence: float
    kind: str = ""


def read_lexicon(path: str | Path) -> dict[str, Word]:
    """Entries of a file: word or phrase, valence, kind, divided by tabs. Raises ValueError."""
    entries = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        phrase, valence, kind = (*line.split("\t"), "")[:3]
        word = Word(float(valence), kind)
        if not -4 <= word.valence <= 4 or kind not in ("", "up", "down", "good", "bad"):
            raise ValueError(f"{path}, line {number}: {line!r} is no entry")
        entries[phrase] = word
    return entries


# ---- the rules ----

_BACK = 14  # how many words back a direction looks for what moves
_ALONE = 0.6  # what is left of a direction's valence where nothing is said to move
_GENERAL = 0.3  # and of a word that only VADER knows
_FILLERS = frozenset(
    [
        "in", "of", "the", "its", "his", "their", "our", "net", "total", "quarterly", "annual", "domestic",
        "average", "overall", "group", "and", "consolidated", "underlying", "comparable", "core", "operating",
        "production", "raw", "for", "a",
    ]
)  # fmt: skip
_ENDS = frozenset([".", ";", "but", "while", "although", "whereas", "!", "?"])
_COMPARES = frozenset(["compared", "versus", "vs", "against"])
_SCALE = {
    "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mln": 1e6, "mio": 1e6, "million": 1e6, "mm": 1e6,
    "bn": 1e9, "bln": 1e9, "billion": 1e9, "b": 1e9, "tn": 1e12, "trillion": 1e12,
}  # fmt: skip
_FIGURE = re.compile(
    r"^(?:[a-z]{0,4}[$€£]?|x20ac)(\d[\d,]*(?:\.\d+)?)(k|m|mn|mln|bn|b|million|billion)?%?$", re.IGNORECASE
)
_MONTHS = frozenset(
    [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
        "november", "december",
    ]
)  # fmt: skip
_NOISE = re.compile(r"https?://\S+|\$\s?[A-Za-z][A-Za-z.]*\b|@\w+|\bAT_USER\b|\bURL\b|``|''")
_SPLIT_FIGURE = re.compile(r"(\d) ([.,]\d)")  # "EUR0 .9"
_MOVE = re.compile(r"(?<![\w.])([+-])\d+(?:\.\d+)?\s?%")
_HYPHEN = re.compile(r"(?<=[A-Za-z])-(?=[A-Za-z])")
_EDGES = "!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}~-"


class TextScorer(_Events):
    """Scores texts by words and rules. Needs the extra ``smartcore[text]``.

    lexicon: entries to add to the shipped ones, or to put in their place: ``{"rug pull": -3.0}``, `Word` objects, or a
    file like ``lexicon.tsv``. About 10,000 sentences a second; nothing is loaded or downloaded but two small files.
    """

    def __init__(self, lexicon: Mapping[str, float | Word] | str | Path | None = None) -> None:
        try:
            from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
        except ImportError as error:
            raise ImportError("TextScorer needs vaderSentiment: pip install 'smartcore[text]'") from error
        entries = read_lexicon(LEXICON)
        if isinstance(lexicon, str | Path):
            entries |= read_lexicon(lexicon)
        elif lexicon is not None:
            entries |= {k: v if isinstance(v, Word) else Word(float(v)) for k, v in lexicon.items()}
        self._vader = SentimentIntensityAnalyzer()
        valence = self._vader.lexicon
        for word in valence:
            valence[word] *= _GENERAL
        self._kind: dict[str, str] = {}
        self._phrases: dict[str, list[list[str]]] = {}
        for phrase, word in entries.items():
            parts = _HYPHEN.sub(" ", phrase.lower()).split()
            token = "_".join(parts)
            self._kind[token] = word.kind
            valence[token] = word.valence
            if word.kind in ("up", "down"):
                valence[f"{token}_bad"], valence[f"{token}_alone"] = -word.valence, _ALONE * word.valence
            if len(parts) > 1:
                self._phrases.setdefault(parts[0], []).append(parts)
        for found in self._phrases.values():
            found.sort(key=len, reverse=True)
        valence["rise_figures"], valence["fall_figures"] = 1.8, -1.8

    def scores(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """How good each text sounds, -1..1, shape (n,)."""
        read, rewrite = self._vader.polarity_scores, self.rewrite
        return np.array([read(rewrite(text))["compound"] for text in texts], np.float64)

    def rewrite(self, text: str) -> str:
        """The text as VADER is given it: phrases as one word, directions with their sign. Shows why a score is so."""
        text = _SPLIT_FIGURE.sub(r"\1\2", _NOISE.sub(" ", text))
        text = _MOVE.sub(lambda found: " up " if found[1] == "+" else " down ", text)
        words = self._join(_HYPHEN.sub(" ", text).split())
        keys = [word.strip(_EDGES).lower() or word for word in words]
        kinds = [self._kind.get(key, "") for key in keys]
        if "up" in kinds or "down" in kinds:
            self._direct(words, keys, kinds)
        elif not _COMPARES.isdisjoint(keys):
            self._compare(words, keys, kinds)
        return " ".join(words)

    def _join(self, words: list[str]) -> list[str]:
        joined, i = [], 0
        keys = [word.strip(_EDGES).lower() for word in words]
        while i < len(words):
            n = 1
            for phrase in self._phrases.get(keys[i], ()):
                if keys[i : i + len(phrase)] == phrase:
                    n = len(phrase)
                    break
            end = words[i + n - 1]
            joined.append(end if n == 1 else "_".join(keys[i : i + n]) + (end[-1] if end[-1:] in ",.;!?" else ""))
            i += n
        return joined

    @staticmethod
    def _direct(words: list[str], keys: list[str], kinds: list[str]) -> None:
        """Each direction takes the sign of what moves; a bad quantity that moved says no more by itself."""
        for i, kind in enumerate(kinds):
            if kind not in ("up", "down"):
                continue
            at = -1
            for j in range(i + 1, len(keys)):
                if kinds[j] in ("good", "bad"):
                    at = j
                    break
                if keys[j] not in _FILLERS or words[j - 1].endswith((",", ".", ";")):
                    break
            if at < 0:
                for j in range(i - 1, max(-1, i - 1 - _BACK), -1):
                    if kinds[j] in ("good", "bad"):
                        at = j
                        break
                    if keys[j] in _ENDS or words[j].endswith((";", ". ")):
                        break
            words[i] = keys[i] + ("_alone" if at < 0 else "_bad" if kinds[at] == "bad" else "")
            if at >= 0 and kinds[at] == "bad":
                words[at] = "quantity"

    @staticmethod
    def _compare(words: list[str], keys: list[str], kinds: list[str]) -> None:
        """The figure before "compared to" against the one behind it."""
        at = next(i for i, key in enumerate(keys) if key in _COMPARES)
        now, before = _figure(keys[:at], last=True), _figure(keys[at + 1 :], last=False)
        if now is None or before is None:
            return
        (_, now_value, now_scale), (before_at, before_value, before_scale) = now, before
        before_at += at + 1
        if not now_scale or not before_scale:  # "EUR 21.1 mn, compared to 35.8"
            now_scale = before_scale = 1.0
        bad = [i for i in range(before_at) if kinds[i] == "bad" or keys[i] == "negative"]
        good = [i for i in range(before_at) if kinds[i] == "good"]
        sign_now = -1 if any(i < at for i in bad) else 1
        spoken = any(i > at for i in bad + good)  # "compared to a profit of": it has a sign of its own
        sign_before = (-1 if any(i > at for i in bad) else 1) if spoken else sign_now
        change = sign_now * now_value * now_scale - sign_before * before_value * before_scale
        if change:
            words[at] = "rise_figures" if change > 0 else "fall_figures"
            for i in bad:
                words[i] = "quantity"


def _figure(keys: list[str], last: bool) -> tuple[int, float, float] | None:
    """(place, value, scale or 0 where none is named) of the last or first figure that is no year and no day."""
    for i in range(len(keys) - 1, -1, -1) if last else range(len(keys)):
        found = _FIGURE.match(keys[i])
        if not found:
            continue
        value = float(found[1].replace(",", ""))
        after = keys[i + 1] if i + 1 < len(keys) else ""
        if after in _MONTHS or (i and keys[i - 1] in _MONTHS) or (value in range(1980, 2050) and "." not in keys[i]):
            continue
        return i, value, _SCALE.get((found[2] or after).lower(), 0.0)
    return None


# ---- a classifier of the user's own ----


class OnnxTextScorer(_Events):
    """Scores texts with an ONNX file.

    path: a graph that takes texts (one input of strings, shape (n,) or (n, 1)) or what ``tokenizer`` makes of them.
    tokenizer: texts -> arrays, by the names of the graph's inputs: ``lambda texts: {"input_ids": ..., ...}``.
    classes: the value of each class, in the order of the graph's first floating output, shape (n, len(classes)); logits
    and probabilities both do, the score is their mean under the softmax or the shares. With one number a text, the
    score is that number, held within -1..1.
    """

    def __init__(
        self,
        path: str | Path,
        tokenizer: Callable[[list[str]], Mapping[str, ArrayLike]] | None = None,
        classes: tuple[float, ...] = (-1.0, 0.0, 1.0),
        batch: int = 32,
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = self._session.get_inputs()
        if tokenizer is None and [i.type for i in self._inputs] != ["tensor(string)"]:
            raise ValueError(
                f"{path}: takes {[i.name for i in self._inputs]}; without a tokenizer one input of strings"
            )
        outputs = [o.name for o in self._session.get_outputs() if o.type in ("tensor(float)", "tensor(double)")]
        if not outputs:
            raise ValueError(f"{path}: no output of floating numbers")
        self._output, self._tokenizer, self._batch = outputs[0], tokenizer, batch
        self._classes = np.asarray(classes, np.float64)

    def scores(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """One number in -1..1 a text, shape (n,)."""
        rest = list(texts)
        parts = [self._part(rest[i : i + self._batch]) for i in range(0, len(rest), self._batch)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _part(self, texts: list[str]) -> NDArray[np.float64]:
        feed: dict[str, Any]
        if self._tokenizer is None:
            first = self._inputs[0]
            feed = {first.name: np.array(texts, object).reshape((-1, 1) if len(first.shape) == 2 else -1)}
        else:
            feed = {name: np.asarray(values) for name, values in self._tokenizer(texts).items()}
        found = np.asarray(self._session.run([self._output], feed)[0], np.float64).reshape(len(texts), -1)
        if found.shape[1] == 1:
            return np.clip(found[:, 0], -1, 1)
        if found.shape[1] != len(self._classes):
            raise ValueError(f"the graph gives {found.shape[1]} classes, `classes` names {len(self._classes)}")
        shares = found
        if (found < 0).any() or np.abs(found.sum(axis=1) - 1).max() > 1e-3:  # logits
            shares = np.exp(found - found.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
        return np.clip(shares @ self._classes, -1, 1)
