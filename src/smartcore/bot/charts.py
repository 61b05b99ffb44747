"""Charts of a report as SVG, drawn without a library: price with regimes and confidence, gates, latency."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, TypeAlias

from smartcore.bot.latency import Latency
from smartcore.bot.session import SIGNALS, Session
from smartcore.decide import GATES, Decision, Policy, RegimeName

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
Band: TypeAlias = tuple[int, int, str]
"""(from, to, regime), ns UTC."""
_POINTS = 1000
_MARKS = 1500


# ---- axes ----


class Time:
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


def market(session: Session, axis: Time, truth: Sequence[tuple[int, str]], policy: Policy | None) -> str:
    """Price with signals, strips of regimes below it, confidence below those: three charts over one clock."""
    bands = _coarse(list(_segments(zip(session.ts, session.regime, strict=True), axis.stop)), axis)
    strips = [("decided", bands)]
    if truth:
        inside = [(max(ts, axis.start), name) for ts, name in truth if ts < axis.stop]
        strips.append(("simulated", list(_segments(iter(inside), axis.stop))))
    top, bottom = 8.0, 300.0
    sure_top = bottom + 46 + 17 * len(strips)
    sure_bottom = sure_top + 140
    marks = [d for d in session.trades if d.price is not None]
    step = max(1, -(-len(marks) // _MARKS))
    out = [
        *_price(session, axis, bands, marks[::step], top, bottom),
        *(part for i, strip in enumerate(strips) for part in _strip(*strip, axis, bottom + 12 + 17 * i)),
        *_confidence(session, axis, policy, sure_top, sure_bottom),
    ]
    for ts, label in axis.ticks():
        x = axis.x(ts)
        out.append(_line(x, top, x, bottom, "grid") + _line(x, sure_top, x, sure_bottom, "grid"))
        out.append(_text(min(max(x, _LEFT + 16), _WIDTH - _RIGHT - 22), sure_bottom + 18, label, "middle"))
    out.append(_text(_WIDTH - _RIGHT, sure_bottom + 38, f"time, UTC, {axis.day}", "end"))
    out.append(f"<line id=cross x1=0 x2=0 y1={top} y2={sure_bottom} class=cross />")

    keys = ""
    if marks:
        keys = "<span><b class=buy>▲</b> buy</span><span><b class=sell>▼</b> sell</span><span>large: STRONG</span>"
        keys += f"<span>every {step}th shown</span>" if step > 1 else ""
    present = {name for _, _, name in bands} | {name for _, name in truth}
    for name, colour in _REGIMES.items():
        if name in present:
            keys += f"<span><i style='background:{colour}'></i>{name.replace('_', ' ')}</span>"
    return (
        f"<section><h2>Price (quote currency), signals and regimes</h2><div class=legend>{keys}</div>"
        f"<div class=chart><svg id=market viewBox='0 0 {_WIDTH} {sure_bottom + 46:.0f}' role=img>{''.join(out)}</svg>"
        f"<div id=tip hidden></div></div></section>"
    )


def _price(
    session: Session, axis: Time, bands: Sequence[Band], marks: Sequence[Decision], top: float, bottom: float
) -> Iterator[str]:
    """The line over bands of regimes; an arrow for each of ``marks``."""
    known = [(ts, p) for ts, p in zip(session.ts, session.price, strict=True) if p is not None]
    low, high = min(p for _, p in known), max(p for _, p in known)
    pad = max((high - low) * 0.08, abs(high) * 1e-6)
    rows, y = _rows(low - pad, high + pad, top, bottom)
    for a, b, name in bands:
        if name != "unknown":
            yield (
                f"<rect x='{axis.x(a):.1f}' y='{top}' width='{axis.x(b) - axis.x(a):.2f}' height='{bottom - top}' "
                f"fill='{_REGIMES.get(name, '#888')}' class=band />"
            )
    yield rows
    line = " ".join(f"{axis.x(ts):.1f},{y(p):.1f}" for ts, p in _thin(known))
    yield f"<polyline points='{line}' class=price />"
    for d in marks:
        strong, sign = d.signal.value.startswith("STRONG"), 1 if d.lean > 0 else -1
        size, x, at = (7.0 if strong else 4.5), axis.x(d.ts), y(d.price)
        tip, base = at + sign * 5, at + sign * (5 + 1.6 * size)
        shape = f"M{x:.1f} {tip:.1f}L{x - size:.1f} {base:.1f}H{x + size:.1f}Z"
        yield f"<path d='{shape}' class='{'buy' if sign > 0 else 'sell'}{' strong' if strong else ''}'/>"


def _strip(label: str, bands: Sequence[Band], axis: Time, top: float) -> Iterator[str]:
    """Regimes in full colour."""
    yield _text(_LEFT - 8, top + 10, label, "end")
    for a, b, name in bands:
        yield (
            f"<rect x='{axis.x(a):.1f}' y='{top}' width='{axis.x(b) - axis.x(a):.2f}' height=12 "
            f"fill='{_REGIMES.get(name, '#888')}'><title>{escape(name.replace('_', ' '))}</title></rect>"
        )


def _confidence(session: Session, axis: Time, policy: Policy | None, top: float, bottom: float) -> Iterator[str]:
    """Mean and range, and what the policy asks for."""
    yield _text(_LEFT, top - 10, "confidence in the direction: mean and range of the decisions in each stretch")
    rows, y = _rows(0.5, 1.0, top, bottom)
    yield rows
    sure = [(ts, v) for ts, v in zip(session.ts, session.confidence, strict=True) if v >= 0.5]
    if sure:
        spread = _buckets(sure, axis)
        over = " ".join(f"{x:.1f},{y(high):.1f}" for x, _, high, _ in spread)
        under = " ".join(f"{x:.1f},{y(low):.1f}" for x, low, _, _ in reversed(spread))
        mean = " ".join(f"{x:.1f},{y(value):.1f}" for x, _, _, value in spread)
        yield f"<polygon points='{over} {under}' class=spread /><polyline points='{mean}' class=mean />"
    if policy is not None:
        asked = f"dashed: {policy.min_confidence:.2f} asked to act, {policy.strong_confidence:.2f} for STRONG"
        yield _text(_WIDTH - _RIGHT, top - 10, asked, "end")
        for value in (policy.min_confidence, policy.strong_confidence):
            yield _line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "limit")


def _segments(switches: Iterable[tuple[int, str]], stop: int) -> Iterable[Band]:
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


def _coarse(bands: Sequence[Band], axis: Time, most: int = 400) -> list[Band]:
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


def _buckets(points: Sequence[tuple[int, float]], axis: Time) -> list[tuple[float, float, float, float]]:
    """(x, low, high, mean) of stretches of equal length."""
    count = min(240, len(points))
    width = (axis.stop - axis.start) / count
    found: dict[int, list[float]] = {}
    for ts, value in points:
        found.setdefault(min(count - 1, int((ts - axis.start) / width)), []).append(value)
    return [(axis.x(axis.start + (i + 0.5) * width), min(v), max(v), sum(v) / len(v)) for i, v in sorted(found.items())]


def hover(session: Session, axis: Time) -> dict[str, Any]:
    """Values for the pointer, thinned evenly."""
    step = -(-len(session) // _POINTS)
    picked = range(0, len(session), step)
    names = list(RegimeName)
    kept: dict[str, Any] = {
        "x": [round(axis.x(session.ts[i]), 1) for i in picked],
        "t": [datetime.fromtimestamp(session.ts[i] / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") for i in picked],
        "p": [session.price[i] and round(session.price[i] or 0.0, 8) for i in picked],
        "s": [SIGNALS.index(session.signal[i]) for i in picked],
        "c": [round(session.confidence[i], 3) for i in picked],
        "r": [names.index(RegimeName(session.regime[i])) for i in picked],
        "g": [session.stopped[i] for i in picked],
        "S": list(SIGNALS),
        "R": [name.value.replace("_", " ") for name in names],
        "w": _WIDTH,
    }
    gates = sorted(set(kept["g"]))
    return kept | {"g": [gates.index(g) for g in kept["g"]], "G": gates}


# ---- what stopped trades, how long it took ----


def gates(session: Session) -> str:
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


def latency(latencies: Mapping[str, Latency]) -> str:
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
