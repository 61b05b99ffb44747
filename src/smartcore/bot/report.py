"""One HTML file that shows a session: price and regimes, confidence, what stopped trades, latency. Nothing is fetched
from anywhere; drawings are SVG, a few lines of script read values off under the pointer.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from smartcore.bot.latency import Latency
from smartcore.decide import GATES, Decision, Policy, RegimeName, Signal

_SIGNALS = tuple(signal.value for signal in Signal)
_REGIMES = {
    "trending_up": "#2f9e62",
    "trending_down": "#d64550",
    "breakout": "#e5902d",
    "reversal": "#8d62d6",
    "ranging": "#4b86dd",
    "volatile": "#c4559c",
    "quiet": "#6fa8a8",
    "calm": "#a3a86f",
    "unknown": "#8a8f98",
}
_WIDTH, _LEFT, _RIGHT = 1100, 78, 16
_POINTS = 1000
_MARKS = 1500


@dataclass
class Session:
    """What a report needs to know of each decision; filled by :meth:`add` as they come."""

    ts: list[int] = field(default_factory=list)
    price: list[float | None] = field(default_factory=list)
    signal: list[str] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    lean: list[int] = field(default_factory=list)
    regime: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    quality: Counter[str] = field(default_factory=Counter)
    gates: Counter[str] = field(default_factory=Counter)
    """Decisions that were HOLD and in which this gate failed."""
    alone: Counter[str] = field(default_factory=Counter)
    """... and no other did."""
    trades: list[Decision] = field(default_factory=list)
    last: Decision | None = None

    def add(self, d: Decision) -> None:
        """One more decision."""
        failed = d.failed
        self.ts.append(d.ts)
        self.price.append(d.price)
        self.signal.append(d.signal.value)
        self.confidence.append(d.confidence)
        self.lean.append(d.lean)
        self.regime.append(d.regime.name.value)
        self.quality[d.quality.value] += 1
        self.last = d
        if d.signal is Signal.HOLD:
            self.stopped.append(failed[0].gate if failed else "")
            self.gates.update(reason.gate for reason in failed)
            if len(failed) == 1:
                self.alone[failed[0].gate] += 1
        else:
            self.stopped.append("")
            self.trades.append(d)

    def __len__(self) -> int:
        return len(self.ts)

    def summary(self) -> dict[str, Any]:
        """Counts, as plain JSON types."""
        signals = Counter(self.signal)
        return {
            "decisions": len(self),
            "signals": {name: signals[name] for name in _SIGNALS},
            "quality": dict(self.quality.most_common()),
            "regimes": dict(Counter(self.regime).most_common()),
            "gates": {gate: {"failed": n, "alone": self.alone[gate]} for gate, n in self.gates.most_common()},
        }


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
    parts = [f"<header><h1>{escape(title)}</h1>", *(f"<p class=note>{escape(note)}</p>" for note in notes), "</header>"]
    tiles = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    parts.append(f"<dl class=tiles>{tiles}</dl>")
    data: dict[str, Any] = {}
    if session.ts and any(price is not None for price in session.price):
        axis = _Time(session.ts[0], session.ts[-1])
        parts.append(_market(session, axis, truth, policy))
        data = _hover(session, axis)
    elif not session.ts:
        parts.append("<section><p>No decision was made, so there is nothing to draw.</p></section>")
    halves = []
    if session.gates:
        halves.append(_gates(session))
    if latencies and any(latency.count for latency in latencies.values()):
        halves.append(_latency({name: latency for name, latency in latencies.items() if latency.count}))
    if halves:
        parts.append(f"<div class=halves>{''.join(halves)}</div>")
    halves = [_signals(session)] if session.ts else []
    if scorecard:
        halves.append(_scorecard(scorecard))
    if halves:
        parts.append(f"<div class=halves>{''.join(halves)}</div>")
    if checks:
        parts.append(_checks(checks))
    if session.trades:
        parts.append(_trades(session.trades))
    if session.last is not None:
        explained = escape(session.last.explain())
        parts.append(f"<section><h2>The last decision, explained</h2><pre>{explained}</pre></section>")
    body = "".join(parts)
    script = f"<script>const D={json.dumps(data, separators=(',', ':'))};{_SCRIPT}</script>" if data else ""
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><main>{body}</main>{script}</html>\n"
    )
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.write_bytes(page.encode())


# ---- axes ----


class _Time:
    """The horizontal axis of the time charts: ns UTC to pixels."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, max(stop, start + 10**9)

    def x(self, ts: float) -> float:
        share = (ts - self.start) / (self.stop - self.start)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def ticks(self) -> list[tuple[int, str]]:
        span = (self.stop - self.start) / 1e9
        steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
        step = next((s for s in steps if span / s <= 11), 0) or math.ceil(span / 10 / 86400) * 86400
        first = -(-self.start // (step * 10**9)) * step
        form = "%H:%M:%S" if step < 60 else "%H:%M" if span <= 86400 else "%b %d %H:%M" if step < 86400 else "%Y-%m-%d"
        seconds = range(first, self.stop // 10**9 + 1, step)
        return [(s * 10**9, datetime.fromtimestamp(s, UTC).strftime(form)) for s in seconds]

    @property
    def day(self) -> str:
        days = [datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%d") for ts in (self.start, self.stop)]
        return days[0] if days[0] == days[1] else " to ".join(days)


def _nice(low: float, high: float, most: int = 6) -> tuple[list[float], int]:
    """Round numbers from low to high, and the decimals they need."""
    span = max(high - low, abs(high) * 1e-9, 1e-12)
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    ticks = [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
    decimals = next((d for d in range(9) if abs(step * 10**d - round(step * 10**d)) < 1e-6), 8)
    return ticks, decimals


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor={anchor}{f' class={kind}' if kind else ''}>{escape(text)}</text>"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' class='{kind}'/>"


def _rows(low: float, high: float, top: float, bottom: float, unit: str = "") -> tuple[str, Any]:
    """A vertical axis with its grid, and the function from value to pixel."""

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    ticks, decimals = _nice(low, high)
    out = [
        _line(_LEFT, y(t), _WIDTH - _RIGHT, y(t), "grid")
        + _text(_LEFT - 8, y(t) + 4, f"{t:,.{decimals}f}{unit}", "end")
        for t in ticks
    ]
    return "".join(out), y


# ---- price, regimes, confidence on one clock ----


def _market(session: Session, axis: _Time, truth: Sequence[tuple[int, str]], policy: Policy | None) -> str:
    known = [(ts, p) for ts, p in zip(session.ts, session.price, strict=True) if p is not None]
    low, high = min(p for _, p in known), max(p for _, p in known)
    pad = max((high - low) * 0.08, abs(high) * 1e-6)
    top, bottom = 8.0, 300.0
    rows, y = _rows(low - pad, high + pad, top, bottom)
    bands = _coarse(list(_segments(zip(session.ts, session.regime, strict=True), axis.stop)), axis)
    out = [
        f"<rect x='{axis.x(a):.1f}' y='{top}' width='{axis.x(b) - axis.x(a):.2f}' height='{bottom - top}' "
        f"fill='{_REGIMES.get(name, '#888')}' class=band />"
        for a, b, name in bands
        if name != "unknown"
    ]
    out.append(rows)
    points = _thin(known)
    line = " ".join(f"{axis.x(ts):.1f},{y(p):.1f}" for ts, p in points)
    out.append(f"<polyline points='{line}' class=price />")
    marks = [d for d in session.trades if d.price is not None]
    step = -(-len(marks) // _MARKS) if marks else 1
    for d in marks[::step]:
        strong, up = d.signal.value.startswith("STRONG"), d.lean > 0
        s, at = (7.0 if strong else 4.5), (axis.x(d.ts), y(d.price if d.price is not None else low))
        tip, base = (at[1] + 5, at[1] + 5 + 1.6 * s) if up else (at[1] - 5, at[1] - 5 - 1.6 * s)
        shape = f"M{at[0]:.1f} {tip:.1f}L{at[0] - s:.1f} {base:.1f}H{at[0] + s:.1f}Z"
        out.append(f"<path d='{shape}' class='{'buy' if up else 'sell'}{' strong' if strong else ''}'/>")
    # Strips of regimes below, in full colour.
    strips = [("decided", bands)]
    if truth:
        inside = [(max(ts, axis.start), name) for ts, name in truth if ts < axis.stop]
        strips.append(("simulated", list(_segments(iter(inside), axis.stop))))
    at_y = bottom + 12
    for label, segments in strips:
        out.append(_text(_LEFT - 8, at_y + 10, label, "end"))
        out += [
            f"<rect x='{axis.x(a):.1f}' y='{at_y}' width='{axis.x(b) - axis.x(a):.2f}' height=12 "
            f"fill='{_REGIMES.get(name, '#888')}'><title>{escape(name.replace('_', ' '))}</title></rect>"
            for a, b, name in segments
        ]
        at_y += 17
    # Confidence.
    c_top, c_bottom = at_y + 34, at_y + 174
    out.append(_text(_LEFT, c_top - 10, "confidence in the direction: mean and range of the decisions in each stretch"))
    rows, c = _rows(0.5, 1.0, c_top, c_bottom)
    out.append(rows)
    sure = [(ts, v) for ts, v in zip(session.ts, session.confidence, strict=True) if v >= 0.5]
    if sure:
        spread = _buckets(sure, axis)
        over = " ".join(f"{x:.1f},{c(h):.1f}" for x, _, h, _ in spread)
        under = " ".join(f"{x:.1f},{c(lo):.1f}" for x, lo, _, _ in reversed(spread))
        mean = " ".join(f"{x:.1f},{c(m):.1f}" for x, _, _, m in spread)
        out.append(f"<polygon points='{over} {under}' class=spread /><polyline points='{mean}' class=mean />")
    if policy is not None:
        asked = f"dashed: {policy.min_confidence:.2f} asked to act, {policy.strong_confidence:.2f} for STRONG"
        out.append(_text(_WIDTH - _RIGHT, c_top - 10, asked, "end"))
        for value in (policy.min_confidence, policy.strong_confidence):
            out.append(_line(_LEFT, c(value), _WIDTH - _RIGHT, c(value), "limit"))
    ticks = "".join(
        _line(axis.x(ts), top, axis.x(ts), bottom, "grid")
        + _line(axis.x(ts), c_top, axis.x(ts), c_bottom, "grid")
        + _text(min(max(axis.x(ts), _LEFT + 16), _WIDTH - _RIGHT - 22), c_bottom + 18, label, "middle")
        for ts, label in axis.ticks()
    )
    out.append(ticks)
    out.append(_text(_WIDTH - _RIGHT, c_bottom + 38, f"time, UTC, {axis.day}", "end"))
    out.append(f"<line id=cross x1=0 x2=0 y1={top} y2={c_bottom} class=cross />")
    height = c_bottom + 46
    used = [name for name in _REGIMES if name in {b[2] for b in bands} | {name for _, name in truth}]
    legend = "".join(
        f"<span><i style='background:{_REGIMES[name]}'></i>{name.replace('_', ' ')}</span>" for name in used
    )
    keys = ""
    if marks:
        keys = "<span><b class=buy>▲</b> buy</span><span><b class=sell>▼</b> sell</span><span>large: STRONG</span>"
        keys += f"<span>every {step}th shown</span>" if step > 1 else ""
    return (
        f"<section><h2>Price (quote currency), signals and regimes</h2><div class=legend>{keys}{legend}</div>"
        f"<div class=chart><svg id=market viewBox='0 0 {_WIDTH} {height:.0f}' role=img>{''.join(out)}</svg>"
        f"<div id=tip hidden></div></div></section>"
    )


def _segments(switches: Iterable[tuple[int, str]], stop: int) -> Iterable[tuple[int, int, str]]:
    """(from, to, name) of runs of equal names."""
    begun: tuple[int, str] | None = None
    for ts, name in switches:
        if begun is None:
            begun = ts, name
        elif name != begun[1]:
            if ts > begun[0]:
                yield begun[0], ts, begun[1]
            begun = ts, name
    if begun is not None:
        yield begun[0], stop, begun[1]


def _coarse(bands: Sequence[tuple[int, int, str]], axis: _Time, most: int = 400) -> list[tuple[int, int, str]]:
    """The bands, or where there are too many to tell apart, the name that held longest in each of ``most``
    stretches.
    """
    if len(bands) <= most:
        return list(bands)
    width = (axis.stop - axis.start) / most
    held: list[Counter[str]] = [Counter() for _ in range(most)]
    for start, stop, name in bands:
        for i in range(int((start - axis.start) / width), min(most - 1, int((stop - axis.start) / width)) + 1):
            edges = axis.start + i * width, axis.start + (i + 1) * width
            held[i][name] += int(min(stop, edges[1]) - max(start, edges[0]))
    names = [(axis.start + int(i * width), h.most_common(1)[0][0]) for i, h in enumerate(held) if h]
    return list(_segments(names, axis.stop))


def _thin(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most about twice _POINTS points, the extremes of each stretch among them."""
    if len(points) <= 2 * _POINTS:
        return list(points)
    out = []
    step = len(points) / _POINTS
    for i in range(_POINTS):
        part = points[int(i * step) : int((i + 1) * step)]
        out += sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])})
    return out


def _buckets(points: Sequence[tuple[int, float]], axis: _Time) -> list[tuple[float, float, float, float]]:
    """(x, low, high, mean) of stretches of equal length."""
    count = min(240, len(points))
    width = (axis.stop - axis.start) / count
    found: dict[int, list[float]] = {}
    for ts, value in points:
        found.setdefault(min(count - 1, int((ts - axis.start) / width)), []).append(value)
    return [(axis.x(axis.start + (i + 0.5) * width), min(v), max(v), sum(v) / len(v)) for i, v in sorted(found.items())]


def _hover(session: Session, axis: _Time) -> dict[str, Any]:
    """Values for the pointer, thinned evenly."""
    step = -(-len(session) // _POINTS)
    picked = range(0, len(session), step)
    names = list(RegimeName)
    kept: dict[str, Any] = {
        "x": [round(axis.x(session.ts[i]), 1) for i in picked],
        "t": [datetime.fromtimestamp(session.ts[i] / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") for i in picked],
        "p": [session.price[i] and round(session.price[i] or 0.0, 8) for i in picked],
        "s": [_SIGNALS.index(session.signal[i]) for i in picked],
        "c": [round(session.confidence[i], 3) for i in picked],
        "r": [names.index(RegimeName(session.regime[i])) for i in picked],
        "g": [session.stopped[i] for i in picked],
        "S": list(_SIGNALS),
        "R": [name.value.replace("_", " ") for name in names],
        "w": _WIDTH,
    }
    gates = sorted(set(kept["g"]))
    return kept | {"g": [gates.index(g) for g in kept["g"]], "G": gates}


# ---- what stopped trades, how long it took, tables ----


def _gates(session: Session) -> str:
    most = max(session.gates.values())
    holds = session.signal.count("HOLD")
    out = []
    for i, (gate, n) in enumerate(session.gates.most_common()):
        y, alone = 22 + i * 36, session.alone[gate]
        out.append(_text(0, y - 6, f"{gate}: {GATES.get(gate, ('',))[0]}"))
        out.append(_text(540, y - 6, f"{n:,} ({n / holds:.0%}), alone {alone:,}", "end"))
        out.append(f"<rect x=0 y={y} width='{max(1.5, 540 * n / most):.1f}' height=10 rx=2 class=bar />")
        if alone:
            out.append(f"<rect x=0 y={y} width='{max(1.5, 540 * alone / most):.1f}' height=10 rx=2 class=alone />")
    height = 22 + len(session.gates) * 36
    return (
        f"<section><h2>Gates that stopped trades</h2><p>Of {holds:,} HOLD decisions, in how many each gate failed; "
        f"dark where it was the only one. One decision may fail several.</p>"
        f"<svg viewBox='0 0 540 {height}' role=img>{''.join(out)}</svg></section>"
    )


def _latency(latencies: Mapping[str, Latency]) -> str:
    shown = {name: latency.bins(8) for name, latency in latencies.items()}
    low = min(bins[0][0] for bins in shown.values()) or 1
    # The last thousandth would stretch the axis for a handful of decisions: they stand in the last bin.
    tail = max(latency.quantile(0.999) for latency in latencies.values()) * 1.1
    high = max(tail, low * 4)
    left, right, top, bottom = 44, 536, 10, 210

    def x(ns: float) -> float:
        return left + (math.log(max(low, min(ns, high))) - math.log(low)) / (math.log(high) - math.log(low)) * (
            right - left
        )

    shares = {name: [(a, b, n / latencies[name].count) for a, b, n in bins] for name, bins in shown.items()}
    peak = max(share for bins in shares.values() for _, _, share in bins) * 1.05
    ticks, decimals = _nice(0.0, peak * 100, 5)
    out = []
    for tick in ticks:
        y = bottom - tick / 100 / peak * (bottom - top)
        out.append(_line(left, y, right, y, "grid") + _text(left - 6, y + 4, f"{tick:.{decimals}f} %", "end"))
    decade = 10.0 ** math.floor(math.log10(low))
    marks = [
        decade * 10**k * m
        for k in range(8)
        for m in ((1, 2, 5) if high / low < 50 else (1, 3) if high / low < 3000 else (1,))
    ]
    for ns in marks:
        if low <= ns <= high:
            label = f"{ns / 1e3:g} µs" if ns < 1e6 else f"{ns / 1e6:g} ms"
            at = min(x(ns), right - 18)
            out.append(_line(x(ns), bottom, x(ns), bottom + 4, "tick") + _text(at, bottom + 18, label, "middle"))
    for k, (name, bins) in enumerate(shares.items()):
        path, y = [f"M{x(bins[0][0]):.1f} {bottom}"], float(bottom)
        over = sum(share for a, _, share in bins if a >= high)
        inside = [[a, b, share] for a, b, share in bins if a < high]
        inside[-1][2] += over
        for a, b, share in inside:
            y = bottom - share / peak * (bottom - top)
            path.append(f"L{x(a):.1f} {y:.1f}L{x(b):.1f} {y:.1f}")
        path.append(f"L{x(inside[-1][1]):.1f} {bottom}")
        out.append(f"<path d='{''.join(path)}' class='hist h{k}'><title>{escape(name)}</title></path>")
    legend = "".join(f"<span><i class=h{k}></i>{escape(name)}</span>" for k, name in enumerate(shares))
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}<td>{s['count']:,}"
        + "".join(f"<td>{s[q]:,.0f}" for q in ("p50_us", "p99_us", "p99.9_us", "max_us"))
        for name, s in ((name, latency.summary()) for name, latency in latencies.items())
    )
    return (
        f"<section><h2>Latency from event to decision</h2><div class=legend>{legend}</div>"
        f"<svg viewBox='0 0 540 236' role=img>{''.join(out)}</svg>"
        f"<table><tr><th>µs<th>decisions<th>p50<th>p99<th>p99.9<th>max{rows}</table>"
        f"<p>Share of decisions by duration, logarithmic; what took longer than p99.9 stands in the last column.</p>"
        "</section>"
    )


def _signals(session: Session) -> str:
    counts = Counter(session.signal)
    rows = "".join(
        f"<tr><th scope=row class='{'buy' if 'BUY' in name else 'sell' if 'SELL' in name else ''}'>"
        f"{name.replace('_', ' ')}"
        f"<td>{counts[name]:,}<td>{counts[name] / len(session):.2%}"
        for name in _SIGNALS
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
    for d in reversed(trades[-12:]):
        stamp = datetime.fromtimestamp(d.ts / 1e9, UTC).strftime("%H:%M:%S")
        kind = "buy" if d.lean > 0 else "sell"
        rows.append(
            f"<tr><td>{stamp}<td class={kind}>{d.signal.value.replace('_', ' ')}<td>{d.price:,.8g}"
            f"<td>{d.confidence:.3f}<td>{d.quality}<td>{d.regime.name.value.replace('_', ' ')}"
            f"<td>{_share(d.risk.risk_adjusted_position_size)}<td>{_share(d.risk.stop_distance)}<td>{_bps(d.risk.expected_edge_bps)}<td>{d.execution.entry_method}"
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


_STYLE = """
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--ink:#1b1f24;--soft:#59636e;--rule:#dfe3e8;--line:#22272e;
--buy:#14804a;--sell:#c4303c;--a:#2f6fdb;--b:#d9822b;--shade:.16}
@media(prefers-color-scheme:dark){:root{--page:#0f1216;--card:#181c22;--ink:#e6e9ed;--soft:#9aa4af;--rule:#2b323b;--line:#e6e9ed;
--buy:#46c684;--sell:#ff6b74;--a:#6aa5ff;--b:#f0a75a;--shade:.24}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:14px/1.45 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:20px 16px 40px}h1{font-size:22px;margin:0 0 4px}h2{font-size:15px;
margin:0 0 8px}
p{color:var(--soft);margin:6px 0 0;font-size:13px}.note{max-width:125ch}
section,.tiles>div{background:var(--card);border:1px solid var(--rule);border-radius:8px}
section{padding:14px 16px;margin:14px 0 0;min-width:0}.tiles{display:grid;
grid-template-columns:repeat(auto-fit,minmax(150px,1fr));
gap:10px;margin:14px 0 0}.tiles>div{padding:8px 10px}dt{color:var(--soft);font-size:12px}dd{margin:0;font-size:16px;
font-weight:600;white-space:nowrap;
font-variant-numeric:tabular-nums}.halves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));
gap:0 14px;align-items:stretch}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font:12px system-ui,sans-serif}
.grid{stroke:var(--rule);stroke-width:1}.tick{stroke:var(--soft)}.band{opacity:var(--shade)}
.price{fill:none;stroke:var(--line);stroke-width:1.2}.spread{fill:var(--a);opacity:.22}.mean{fill:none;stroke:var(--a);stroke-width:1.4}
.limit{stroke:var(--soft);stroke-dasharray:4 4}
path.buy{fill:var(--buy)}path.sell{fill:var(--sell)}path.strong{stroke:var(--card);stroke-width:1.2}.buy{color:var(--buy)}
.sell{color:var(--sell)}
.bar{fill:var(--a);opacity:.35}.alone{fill:var(--a)}.hist{fill-opacity:.28;stroke-width:1.5}
.h0{fill:var(--a);stroke:var(--a);background:var(--a)}.h1{fill:var(--b);stroke:var(--b);background:var(--b)}
.h2{fill:var(--buy);stroke:var(--buy);background:var(--buy)}
.legend{display:flex;flex-wrap:wrap;gap:4px 14px;color:var(--soft);font-size:12.5px;margin-bottom:8px}
.legend i{display:inline-block;
width:11px;height:11px;border-radius:2px;margin-right:5px;vertical-align:-1px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:13px}
th,td{padding:4px 10px 4px 0;text-align:right;
border-bottom:1px solid var(--rule);font-weight:400}tr:first-child th{color:var(--soft)}
th:first-child,td:first-child{text-align:left}
.trades td:nth-child(-n+2),.trades th:nth-child(-n+2){text-align:left}.id{font:12px ui-monospace,monospace}
.wide{overflow-x:auto}
.wide td,.wide th{white-space:nowrap}.ok{color:var(--buy)}.bad{color:var(--sell);font-weight:700}
pre{margin:0;white-space:pre-wrap;font:12.5px/1.5 ui-monospace,monospace;color:var(--ink)}
.chart{position:relative;overflow-x:auto}.chart svg{min-width:720px}section>svg{margin-top:8px}
.cross{stroke:var(--soft);visibility:hidden}
#tip{position:absolute;top:8px;pointer-events:none;background:var(--card);border:1px solid
# var(--rule);border-radius:6px;padding:6px 9px;
font-size:12.5px;white-space:pre;box-shadow:0 2px 8px #0003}
"""

_SCRIPT = """
const m=document.getElementById('market'),tip=document.getElementById('tip'),cross=document.getElementById('cross');
if(m){m.addEventListener('pointermove',e=>{const b=m.getBoundingClientRect(),x=(e.clientX-b.left)/b.width*D.w;
let lo=0,hi=D.x.length-1;
while(lo<hi){const k=(lo+hi)>>1;D.x[k]<x?lo=k+1:hi=k}if(lo&&x-D.x[lo-1]<D.x[lo]-x)lo--;
cross.setAttribute('x1',D.x[lo]);cross.setAttribute('x2',D.x[lo]);cross.style.visibility='visible';
const g=D.G[D.g[lo]];tip.textContent=D.t[lo]+' UTC\\n'+(D.p[lo]??'no price')+'  '+D.S[D.s[lo]].replace('_',' ')+
(g?', stopped by '+g:'')+'\\nconfidence '+D.c[lo]+'\\n'+D.R[D.r[lo]];tip.hidden=false;
const px=D.x[lo]/D.w*b.width;tip.style.left=(px>b.width/2?px-tip.offsetWidth-12:px+12)+'px'});
m.addEventListener('pointerleave',()=>{tip.hidden=true;cross.style.visibility='hidden'})}
"""
