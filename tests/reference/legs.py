"""What one instrument knows of itself and is told of others, and a naive panel that does the telling.

`View` is what the twins of pairs and baskets are fed with.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from reference.books import Array, Tape
from smartcore.market import events as ev
from smartcore.market.events import BAR, BASKET, FACTOR, PEER, Kind

LONG = np.longdouble
NAN = LONG("nan")


def log_ratio(b: Array, a: Array) -> Array:
    return np.log1p((LONG(b) - LONG(a)) / LONG(a))


class Leg:
    """News of an instrument: (m,) event it came with, its time, the price after it, and volume, net volume and order
    flow that it added. The mid counts while there is a valid book, volume of bars where no trade ever came; order flow
    is that of the best level once there is a book."""

    def __init__(self, events: np.ndarray) -> None:
        tape, bars = Tape(events), events.view(BAR)
        moments = {int(i): m for m, i in enumerate(tape.event)}
        rows = []
        price, valid, traded, booked = NAN, False, False, False
        for i in np.flatnonzero(np.isin(events["kind"], (Kind.BAR, Kind.TRADE, Kind.DEPTH, Kind.QUOTE, Kind.GAP))):
            m = moments.get(int(i))
            volume = net = flow = LONG(0)
            if events["kind"][i] == Kind.BAR:
                if traded:
                    continue
                b = bars[i]
                price = price if valid else LONG(b["close"])
                volume = LONG(b["volume"])
                if b["high"] > b["low"]:
                    net = volume * (LONG(b["close"]) - b["open"]) / (LONG(b["high"]) - b["low"])
                flow = net if not booked else flow
            elif m is None:
                continue
            elif tape.trade[m]:
                traded = True
                price = price if valid else tape.price[m]
                volume, net = tape.size[m], tape.sign[m] * tape.size[m]
                flow = net if not booked else flow
            else:
                booked, valid = True, bool(tape.valid[m])
                if not valid:
                    continue
                before = m - 1
                while before >= 0 and tape.trade[before]:
                    before -= 1
                if tape.follows[m]:
                    (pb, qb), (pa, qa) = tape.bids[m, 0], tape.asks[m, 0]
                    (ob, oqb), (oa, oqa) = tape.bids[before, 0], tape.asks[before, 0]
                    flow = (pb >= ob) * qb - (pb <= ob) * oqb - (pa <= oa) * qa + (pa >= oa) * oqa
                price = tape.mid[m]
            rows.append((i, events["ts"][i], price, volume, net, flow))
        columns = list(zip(*rows, strict=True)) if rows else [()] * 6
        self.event, self.ts = np.array(columns[0], np.int64), np.array(columns[1], np.int64)
        self.price, self.volume, self.net, self.flow = (np.array(c, LONG) for c in columns[2:])


class View:
    """A stream as kernels of pairs and baskets see it."""

    def __init__(self, events: np.ndarray) -> None:
        self.events, self.leg = events, Leg(events)
        self.peer_at = np.flatnonzero((events["kind"] == Kind.PEER) & (events["source"] == 0))
        self.basket_at = np.flatnonzero(events["kind"] == Kind.BASKET)
        self.factor_at = np.flatnonzero(events["kind"] == Kind.FACTOR)
        self.peers = events[self.peer_at].view(PEER)
        self.baskets = events[self.basket_at].view(BASKET)
        self.factors = events[self.factor_at].view(FACTOR)

    def before(self, at: np.ndarray) -> np.ndarray:
        """How much news there was before these events of the stream."""
        return np.searchsorted(self.leg.event, at)

    def own_price(self, at: np.ndarray) -> Array:
        count = self.before(at)
        return np.array([self.leg.price[n - 1] if n else NAN for n in count], LONG)

    def since(self, name: str) -> Array:
        """(p,) own volume, net or flow between the Peers."""
        ends = self.before(self.peer_at)
        starts = np.append(0, ends)[:-1]
        values = getattr(self.leg, name)
        return np.array([values[a:b].sum() for a, b in zip(starts, ends, strict=True)], LONG)

    @cached_property
    def live(self) -> np.ndarray:
        return ~np.isnan(self.peers["price"]) & ~np.isnan(self.own_price(self.peer_at))

    @cached_property
    def samples(self) -> tuple[np.ndarray, Array, Array]:
        """Refresh times, as places of Peers, and the returns of own and reference that end there."""
        own, peer = self.own_price(self.peer_at), self.peers["price"].astype(LONG)
        count = self.before(self.peer_at)
        times, last, news = [], 0, False
        for j in range(len(own)):
            news |= bool(self.peers["updates"][j] > 0)
            if self.live[j] and news and count[j] > last:
                times.append(j)
                last, news = count[j], False
        t = np.array(times, np.int64)
        if len(t) < 2:
            return t[:0], own[:0], own[:0]
        return t[1:], log_ratio(own[t[1:]], own[t[:-1]]), log_ratio(peer[t[1:]], peer[t[:-1]])

    def against(self, at: np.ndarray, told: Array) -> tuple[np.ndarray, Array, Array]:
        """The same against numbers that add up: places in `at`, own returns, sums."""
        own, count = self.own_price(at), self.before(at)
        first = np.flatnonzero(~np.isnan(told))
        if not len(first):
            return first, own[:0], own[:0]
        base, last, start = NAN, 0, 0
        places, mine, others = [], [], []
        for j in range(len(at)):
            if count[j] == last or np.isnan(own[j]):
                continue
            known = told[start : j + 1][~np.isnan(told[start : j + 1])]
            begun = j >= first[0]
            if begun and not np.isnan(base) and not len(known):
                continue
            if begun and not np.isnan(base):
                places.append(j)
                mine.append(log_ratio(own[j], base))
                others.append(known.sum())
            base, last, start = own[j], count[j], j + 1
        return np.array(places, np.int64), np.array(mine, LONG), np.array(others, LONG)

    @cached_property
    def basket(self) -> tuple[np.ndarray, Array, Array]:
        return self.against(self.basket_at, self.baskets["mean"].astype(LONG))

    @cached_property
    def factor(self) -> tuple[np.ndarray, Array, Array]:
        return self.against(self.factor_at, self.factors["score"].astype(LONG))

    def rows(self, kernel: str, values: Array) -> Array:
        """Values at the kernel's own events, spread over all events of the stream."""
        at = (
            self.factor_at
            if kernel.startswith("factor")
            else self.basket_at
            if kernel.startswith("basket")
            else self.peer_at
        )
        spread = np.full((len(self.events), *values.shape[1:]), np.nan)
        for a, b, value in zip(at, np.append(at, len(self.events))[1:], values, strict=True):
            spread[a:b] = value
        return spread


def hold(n: int, places: np.ndarray, values: Array) -> Array:
    """(n,) the value of the last place so far."""
    held = np.full((n, *np.shape(values)[1:]), NAN)
    for a, b, value in zip(places, np.append(places, n)[1:], values, strict=True):
        held[a:b] = value
    return held


def rolling(n: int, function, *columns: Array, width: int = 0) -> Array:
    """function(windows of n) at every row, NaN while there are fewer; `width` numbers where it gives several."""
    values = np.full((len(columns[0]), width) if width else len(columns[0]), NAN)
    for i in range(n - 1, len(values)):
        values[i] = function(*(c[i + 1 - n : i + 1] for c in columns))
    return values


def panel(
    streams: list[np.ndarray], clock: int, reference: int = 0, stale: int | None = None, memory: int = 300
) -> list[np.ndarray]:
    """Streams of several instruments, each with what a panel tells it of the others at the ticks of its clock."""
    stale = 10 * clock if stale is None else stale
    every = np.concatenate([s["ts"] for s in streams])
    ticks = np.unique(-(-every // clock) * clock)[:-1]  # the last one waits
    legs, n = [Leg(s) for s in streams], len(streams)
    told: list[list[np.ndarray]] = [[] for _ in streams]
    base, usual, flows = [NAN] * n, [LONG(0)] * n, [0] * n
    squares: list[list] = [[] for _ in streams]
    mean_square, axis, trace, turns = np.zeros(n, LONG), np.zeros(n, LONG), np.zeros(n, LONG), [0] * n
    share = NAN
    start = 0
    for tick in ticks:
        inside = [(leg.ts > start) & (leg.ts <= tick) for leg in legs] if start else [leg.ts <= tick for leg in legs]
        last = [np.flatnonzero(leg.ts <= tick) for leg in legs]
        age = [(tick - leg.ts[k[-1]]) if len(k) else None for leg, k in zip(legs, last, strict=True)]
        price = [leg.price[k[-1]] if len(k) else NAN for leg, k in zip(legs, last, strict=True)]
        news = [bool(k.any()) and age[i] <= stale and not np.isnan(price[i]) for i, k in enumerate(inside)]
        move, flow, z = (np.full(n, NAN) for _ in range(3))
        for i in np.flatnonzero(news):
            amount = legs[i].flow[inside[i]].sum()
            if usual[i] > 0:
                flow[i] = amount / usual[i]
            flows[i] += 1
            usual[i] += (abs(amount) - usual[i]) / min(flows[i], memory)
            if not np.isnan(base[i]):
                move[i] = log_ratio(price[i], base[i])
                if mean_square[i] > 0:
                    z[i] = move[i] / np.sqrt(mean_square[i])
                squares[i].append(move[i] ** 2)
                mean_square[i] += (squares[i][-1] - mean_square[i]) / min(len(squares[i]), memory)
            base[i] = price[i]
        moved = np.flatnonzero(~np.isnan(move))
        length, score = np.sqrt((axis**2).sum()), NAN
        known = np.flatnonzero(~np.isnan(z))
        if len(known) >= 2:
            unit = axis / length if length > 0 else np.full(n, 1 / np.sqrt(LONG(n)))
            y = (unit[known] * z[known]).sum()
            for i in known:
                turns[i] += 1
                axis[i] += (y * z[i] - axis[i]) / min(turns[i], memory)
                trace[i] += (z[i] ** 2 - trace[i]) / min(turns[i], memory)
            if axis.sum() < 0:
                axis, y = -axis, -y
            length, score = np.sqrt((axis**2).sum()), y / np.sqrt(LONG(n))
            share = min(length / trace.sum(), 1)
        for i in range(n):
            other = reference if i != reference else (1 if reference == 0 else 0)
            rest, flowing = moved[moved != i], np.delete(flow, i)
            flowing = flowing[~np.isnan(flowing)]
            rank = NAN
            if i in moved and len(moved) > 1:
                rank = ((move[moved] < move[i]).sum() + 0.5 * ((move[moved] == move[i]).sum() - 1)) / (len(moved) - 1)
            alive = age[other] is not None and age[other] <= stale
            sums = [getattr(legs[other], name)[inside[other]].sum() for name in ("volume", "net", "flow")]
            told[i] += [
                ev.peers(
                    tick, price[other] if alive else np.nan, *map(float, sums),
                    np.nan if age[other] is None else float(age[other]) / 1e9, inside[other].sum(),
                ),
                ev.baskets(
                    tick, move[rest].mean() if len(rest) else np.nan, move[moved].std() if len(moved) > 1 else np.nan,
                    rank, np.sign(move[moved]).mean() if len(moved) else np.nan,
                    flowing.mean() if len(flowing) else np.nan, np.mean(news),
                ),
                ev.factors(tick, share, axis[i] / length * np.sqrt(LONG(n)) if turns[i] else np.nan, score),
            ]  # fmt: skip
        start = tick
    return [ev.merge(s, *([np.concatenate(t)] if t else [])) for s, t in zip(streams, told, strict=True)]
