"""One HTML file that shows a session. Nothing is fetched from anywhere: ``report.html`` is the page with its style and
the few lines of script that read values off under the pointer, drawings are SVG from ``charts``.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from smartcore.bot import charts
from smartcore.bot.latency import Latency
from smartcore.bot.session import SIGNALS, Session
from smartcore.decide import GATES, Decision, Policy

__all__ = ["GATES", "Session", "write"]

_PAGE = Path(__file__).with_name("report.html")
_TRADES = 12
"""Signals to trade that are listed, the last ones."""


def write(
    path: str | os.PathLike[str],
    session: Session,
    *,
    title: str,
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
    policy: Policy | None = None,
    latencies: Mapping[str, Latency] | None = None,
    scorecard: Mapping[str, Mapping[str, float]] | None = None,
    truth: Sequence[tuple[int, str]] = (),
    checks: Sequence[Mapping[str, Any]] = (),
) -> int:
    """Write the report; returns its size in bytes.

    facts: headline figures, name to text. notes: what a reader must know, in sentences. truth: (ts, regime) switches
    where the market's own regime is known, as the simulator's is. checks: mappings with ``name``, ``value``,
    ``passed``.
    """
    tiles = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    parts = [*(f"<p class=note>{escape(note)}</p>" for note in notes), f"<dl class=tiles>{tiles}</dl>"]
    data: dict[str, Any] = {}
    if not session.ts:
        parts.append("<section><p>No decision was made, so there is nothing to draw.</p></section>")
    elif any(price is not None for price in session.price):
        axis = charts.Time(session.ts[0], session.ts[-1])
        parts.append(charts.market(session, axis, truth, policy))
        data = charts.hover(session, axis)
    measured = {name: latency for name, latency in (latencies or {}).items() if latency.count}
    parts += _side_by_side(charts.gates(session) if session.gates else "", charts.latency(measured) if measured else "")
    parts += _side_by_side(_signals(session) if session.ts else "", _scorecard(scorecard) if scorecard else "")
    if checks:
        parts.append(_checks(checks))
    if session.trades:
        parts.append(_trades(session.trades))
    if session.last is not None:
        explained = escape(session.last.explain())
        parts.append(f"<section><h2>The last decision, explained</h2><pre>{explained}</pre></section>")
    page = Template(_PAGE.read_text("utf-8")).substitute(
        title=escape(title), body="".join(parts), data=json.dumps(data, separators=(",", ":"))
    )
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.write_bytes(page.encode())


def _side_by_side(*sections: str) -> list[str]:
    shown = "".join(sections)
    return [f"<div class=halves>{shown}</div>"] if shown else []


def _signals(session: Session) -> str:
    counts = Counter(session.signal)
    rows = "".join(
        f"<tr><th scope=row class='{'buy' if 'BUY' in name else 'sell' if 'SELL' in name else ''}'>"
        f"{name.replace('_', ' ')}"
        f"<td>{counts[name]:,}<td>{counts[name] / len(session):.2%}"
        for name in SIGNALS
    )
    quality = ", ".join(f"{name} {n / len(session):.0%}" for name, n in session.quality.most_common())
    table = f"<table><tr><th>signal<th>decisions<th>share{rows}</table>"
    return f"<section><h2>Signals</h2>{table}<p>Quality: {quality}.</p></section>"


def _scorecard(scorecard: Mapping[str, Mapping[str, float]]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}<td>{s['count']:,.0f}<td>{s['hit_rate']:.1%}<td>{s['confidence']:.1%}"
        f"<td>{s['brier']:.3f}"
        for name, s in scorecard.items()
    )
    return (
        "<section><h2>Scorecard</h2><table><tr><th>source<th>calls<th>hit rate<th>stated<th>Brier"
        f"{rows}</table><p>Past calls against what came, newer ones count more: share of moves whose direction was "
        "right, the mean confidence stated for them, and the Brier score (0 best; 0.667 is knowing nothing).</p>"
        "</section>"
    )


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(str(c['name']))}<td>{escape(str(c['value']))}"
        f"<td class={'ok' if c['passed'] else 'bad'}>{'passed' if c['passed'] else 'FAILED'}"
        for c in checks
    )
    return f"<section><h2>Checks</h2><table><tr><th>check<th>found<th>{rows}</table></section>"


def _trades(trades: Sequence[Decision]) -> str:
    rows = []
    for d in reversed(trades[-_TRADES:]):
        stamp = datetime.fromtimestamp(d.ts / 1e9, UTC).strftime("%H:%M:%S")
        kind = "buy" if d.lean > 0 else "sell"
        rows.append(
            f"<tr><td>{stamp}<td class={kind}>{d.signal.value.replace('_', ' ')}<td>{d.price:,.8g}"
            f"<td>{d.confidence:.3f}<td>{d.quality}<td>{d.regime.name.value.replace('_', ' ')}"
            f"<td>{_share(d.risk.risk_adjusted_position_size)}<td>{_share(d.risk.stop_distance)}"
            f"<td>{_bps(d.risk.expected_edge_bps)}<td>{d.execution.entry_method}"
            f"<td class=id>{escape(d.id)}"
        )
    return (
        f"<section><h2>The last {len(rows)} of {len(trades):,} signals to trade</h2><div class=wide>"
        "<table class=trades><tr>"
        "<th>UTC<th>signal<th>price<th>confidence<th>quality<th>regime<th>size<th>stop<th>edge<th>entry<th>id"
        f"{''.join(rows)}</table></div></section>"
    )


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.2%}"


def _bps(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f} bps"
