"""The running scores of the bots that live in this process: ``smartcore.scorecard()``."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from smartcore.decide import Scores

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator

_living: weakref.WeakValueDictionary[int, Orchestrator] = weakref.WeakValueDictionary()
_born = 0


def join(bot: Orchestrator) -> None:
    """From now on, while it lives, its scores are among :func:`scorecard`'s."""
    global _born
    _living[_born] = bot
    _born += 1


class Scorecards(Mapping[str, Scores]):
    """Frozen :class:`Scores` of each bot, by symbol; a second bot of a symbol is "BTCUSDT 2". ``str()`` is a table."""

    def __init__(self, scores: Mapping[str, Scores]) -> None:
        self._scores = dict(scores)

    def __getitem__(self, symbol: str) -> Scores:
        if symbol not in self._scores:
            raise KeyError(f"no bot of {symbol!r} here; there is {', '.join(self._scores) or 'none'}")
        return self._scores[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, by symbol."""
        return {symbol: scores.to_dict() for symbol, scores in self._scores.items()}

    def __str__(self) -> str:
        return "\n\n".join(f"{symbol}\n{scores}" for symbol, scores in self._scores.items()) or "no bot lives here"

    def __repr__(self) -> str:
        return f"<Scorecards of {', '.join(self._scores) or 'no bot'}>"


def scorecard() -> Scorecards:
    """How the numbers of every orchestrator in this process have turned out so far, by symbol.

    Of each: hit rate, stated confidence and Brier score of the decision and of its sources, by regime and horizon; the
    reliability table of confidence with its calibration error and that of a perfect forecaster; breaches of VaR with
    p-values; coverage of the slippage tolerance; the regime's chance of switching; what each source added.
    Of a bot that another thread feeds meanwhile, some numbers may be an outcome older than others.
    """
    found: dict[str, Scores] = {}
    for _, bot in sorted(_living.items()):
        name, at = bot.symbol or "?", 2
        while name in found:
            name, at = f"{bot.symbol or '?'} {at}", at + 1
        found[name] = bot.scorecard.scores()
    return Scorecards(found)
