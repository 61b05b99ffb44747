"""Event streams shared by the tests. All are seeded, cached and read-only; copy one before changing it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import smartcore as sc
from smartcore.market import events as ev

START = 1_700_000_000_000_000_000
MINUTE = 60_000_000_000
CHUNKS = (1, 2, 3, 5, 7, 13, 100)


def _final(events: NDArray[np.void]) -> NDArray[np.void]:
    events.flags.writeable = False
    return events


def pieces(events: NDArray[np.void], size: int) -> list[NDArray[np.void]]:
    return [events[i : i + size] for i in range(0, len(events), size)]


# ---- bars ----


@cache
def bars(
    n: int = 1500, seed: int = 1, price: float = 100.0, tick: float = 0.01, volatility: float = 1e-3
) -> NDArray[np.void]:
    """A heavy-tailed random walk on the grid of ticks: ordinary data. Turnover is known for every other bar."""
    rng = np.random.default_rng(seed)
    inside = 8
    path = price * np.exp(np.cumsum(rng.standard_t(4, n * inside) * volatility / np.sqrt(inside)))
    p = (np.maximum(np.rint(path / tick), 1) * tick).reshape(n, inside)
    volume = np.round(rng.gamma(1, 10, n), 3) + 0.001
    return _final(
        ev.bars(
            START + MINUTE * np.arange(n),
            p[:, 0], p.max(1), p.min(1), p[:, -1], volume,
            np.where(np.arange(n) % 2, volume * p.mean(1), 0),
        )
    )  # fmt: skip


@cache
def flat_bars(n: int = 700, price: float = 123.45, volume: float = 0.0) -> NDArray[np.void]:
    """Nothing ever moves."""
    p = np.full(n, price)
    return _final(ev.bars(START + MINUTE * np.arange(n), p, p, p, p, volume))


@cache
def stop_and_go_bars(n: int = 1500, seed: int = 3) -> NDArray[np.void]:
    """Quiet and lively stretches in turn: doubled prices, bars without range, without volume, jumps between bars."""
    rng = np.random.default_rng(seed)
    lively = np.repeat(rng.integers(0, 2, n // 30 + 1), 30)[:n]
    move = np.where(lively, rng.integers(-3, 4, n), 0) + np.where(rng.random(n) < 0.01, rng.integers(-50, 51, n), 0)
    close = 1000 + np.cumsum(move)
    open_ = close - np.where(lively, rng.integers(-2, 3, n), 0)
    high = np.maximum(open_, close) + np.where(lively, rng.integers(0, 3, n), 0)
    low = np.minimum(open_, close) - np.where(lively, rng.integers(0, 3, n), 0)
    volume = np.where(rng.random(n) < 0.3, 0, rng.integers(1, 9, n)) * lively
    return _final(ev.bars(START + MINUTE * np.arange(n), open_ * 0.5, high * 0.5, low * 0.5, close * 0.5, volume))


# ---- everything at once ----


@cache
def small(n: int = 3000, seed: int = 5) -> NDArray[np.void]:
    """Every kind of event on a book of few levels: gaps, snapshots, empty sides, crossed books, equal times, messages
    of several levels, unknown aggressors, trades without size, bars, scores, auxiliary values, peers and baskets."""
    rng = np.random.default_rng(seed)
    parts, ts, i = [], START, 0
    while i < n:
        ts += int(rng.choice([0, 1_000, 30_000_000, 700_000_000, 5_000_000_000], p=[0.15, 0.25, 0.4, 0.18, 0.02]))
        what = rng.random()
        if what < 0.55:
            k = int(rng.integers(1, 5))
            side = rng.choice([1, -1], k)
            price = 100 + 0.5 * np.where(side > 0, -rng.integers(-1, 8, k), rng.integers(0, 9, k))
            size = rng.integers(0, 4, k) * rng.choice([0, 1, 2.5], k, p=[0.1, 0.6, 0.3])
            part = ev.depth(np.full(k, ts), side, price, size, last=np.arange(k) == k - 1)
        elif what < 0.85:
            size = rng.choice([0, 0.1, 1, 3, 50], p=[0.02, 0.4, 0.4, 0.17, 0.01])
            part = ev.trades(ts, 100 + 0.5 * rng.integers(-2, 3), size, rng.choice([1, -1, 0]))
        elif what < 0.90:
            open_, close = 100 + 0.5 * rng.integers(-4, 5, 2)
            high, low = max(open_, close) + 0.5 * rng.integers(0, 3), min(open_, close) - 0.5 * rng.integers(0, 3)
            part = ev.bars(ts, open_, high, low, close, rng.integers(0, 5), rng.choice([0, 250]))
        elif what < 0.96:
            part = ev.quotes(ts, 99.5, rng.integers(0, 3), 100 + 0.5 * rng.integers(-1, 3), rng.integers(0, 3))
        elif what < 0.97:
            part = ev.gap(ts)
        elif what < 0.98:
            k = 12
            side = np.repeat([1, -1], k // 2)
            price = 100 - side * 0.5 * (1 + np.tile(np.arange(k // 2), 2))
            row = np.arange(k)
            part = ev.depth(np.full(k, ts), side, price, rng.integers(1, 9, k), last=row == k - 1, snapshot=row == 0)
        else:
            part = ev.gap(ts)
            part["kind"] = rng.choice([ev.Kind.SCORE, ev.Kind.AUX, ev.Kind.PEER, ev.Kind.BASKET, ev.Kind.FACTOR])
            part["source"] = rng.integers(0, 3)
            for k in range(6):
                part[f"v{k}"] = rng.random()
        parts.append(part)
        i += len(part)
    return _final(np.concatenate(parts))


HOUR = 60 * MINUTE
# (hours from value to value, how it is drawn) of each series; a flow comes when it comes
SERIES = {
    "funding": 8, "basis": 6, "open_interest": 4, "long_short_ratio": 8, "taker_ratio": 6, "liquidations": 5,
    "implied_volatility": 5, "skew": 8, "fear_greed": 12, "exchange_flow": 8, "rate": 24, "other": 48,
}  # fmt: skip


@cache
def mixed(days: int = 60, seed: int = 12) -> NDArray[np.void]:
    """Bars of two hours among scores of all sources and all auxiliary series: bursts and long silences, equal times,
    weights of 0, scores of 0, values that stand, flows of both signs."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_t(4, 12 * days) * 0.004))
    close[200:230] = close[200]
    open_ = np.concatenate([[100], close[:-1]])
    ts = START + 2 * HOUR * np.arange(1, len(close) + 1)
    parts = [
        ev.bars(ts, open_, np.maximum(open_, close), np.minimum(open_, close), close, rng.gamma(1, 10, len(close)))
    ]

    n = 15 * days
    busy = np.where(np.arange(n) % 150 < 40, 0.1, 1)
    when = START + (HOUR * np.cumsum(rng.exponential(1.6, n) * busy * 1.3)).astype(np.int64)
    when = np.where(rng.random(n) < 0.1, np.roll(when, 1), when)  # equal times
    when = np.sort(np.where(rng.random(n) < 0.1, ts[rng.integers(0, len(ts), n)], when))
    mood = np.convolve(rng.normal(size=n), np.ones(20) / 6, "same")
    value = np.clip(np.round(0.3 * mood + rng.normal(0, 0.4, n), 2), -1, 1) * (rng.random(n) > 0.08)
    value[500:520] = 0.25
    weight = np.round(rng.gamma(1, 1, n), 2) * (rng.random(n) > 0.05)
    source = rng.choice(5, n, p=[0.1, 0.35, 0.4, 0.1, 0.05])
    parts.append(
        ev.scores(when, value, weight, source)[(when < START + 20 * 24 * HOUR) | (when > START + 24 * 24 * HOUR)]
    )

    for name, hours in SERIES.items():
        n = 24 * days // hours
        when = START + HOUR * hours * np.arange(n) + rng.integers(0, 5, n) * MINUTE
        walk = np.cumsum(rng.normal(size=n)) * 0.1
        walk[n // 3 : n // 3 + 6] = walk[n // 3]
        value = {
            "open_interest": 5e9 * np.exp(0.2 * walk), "long_short_ratio": np.exp(walk),
            "taker_ratio": np.exp(0.3 * rng.normal(size=n)),
            "implied_volatility": 60 * np.exp(0.5 * walk), "fear_greed": np.clip(np.round(50 + 20 * walk), 0, 100),
            "rate": np.round(4 + 0.2 * walk, 2),
        }.get(name, np.round(walk * 1e-3 + rng.normal(0, 2e-4, n), 5))  # fmt: skip
        if name in ("liquidations", "exchange_flow"):
            when = np.sort(START + HOUR * rng.uniform(0, 24 * days, n).astype(np.int64))
            value = rng.choice([-1, 1], n) * np.round(rng.pareto(1.5, n) * 1e5)
        parts.append(ev.aux(when, name, value))
    return _final(ev.merge(*parts))


@cache
def quotes_only(n: int = 1000, seed: int = 7) -> NDArray[np.void]:
    """A feed without depth: quotes, locked and crossed at times, and trades."""
    rng = np.random.default_rng(seed)
    mid = 1.1 + 1e-5 * np.cumsum(rng.integers(-2, 3, n))
    half = 1e-5 * rng.integers(-1, 4, n)
    ts = START + np.cumsum(rng.integers(0, 400_000_000, n))
    quotes = ev.quotes(ts, mid - half, rng.integers(0, 3, n), mid + half, rng.integers(0, 3, n))
    trades = ev.trades(ts, mid, rng.gamma(1, 1, n), rng.choice([1, -1, 0], n))
    return _final(ev.merge(quotes, trades[rng.random(n) < 0.4]))


@cache
def simulated(seconds: float = 400, seed: int = 11) -> NDArray[np.void]:
    """The simulator's trades and depth, a fifth of the trades without a side, with a gap that a snapshot heals."""
    rng = np.random.default_rng(seed)
    events = sc.simulate(seconds=seconds, seed=seed, regime="mixed").events.copy()
    hidden = (events["kind"] == ev.Kind.TRADE) & (rng.random(len(events)) < 0.2)
    events["side"][hidden] = 0
    closes = np.flatnonzero((events["kind"] == ev.Kind.DEPTH) & (events["flags"] & ev.Flag.LAST > 0))
    broken, healed = int(closes[len(closes) // 2]), int(closes[len(closes) // 2 + 300])
    engine = sc.Engine(["spread"])
    engine.run(events[: healed + 1], "event")
    bids, asks = engine.book.levels()
    side, levels = np.repeat([1, -1], [len(bids), len(asks)]), np.concatenate([bids, asks])
    row = np.arange(len(levels))
    ts = int(events["ts"][healed])
    snapshot = ev.depth(np.full(len(row), ts), side, levels[:, 0], levels[:, 1], last=row == row[-1], snapshot=row == 0)
    head = np.concatenate([events[: broken + 1], ev.gap(int(events["ts"][broken])), events[broken + 1 : healed + 1]])
    return _final(np.concatenate([head, snapshot, events[healed + 1 :]]))


# ---- among others: streams of one instrument with what a panel tells it ----


def common_bars(n: int, seed: int, count: int = 4, price: float = 100.0) -> list[NDArray[np.void]]:
    """Bars of instruments that move together, each with minutes missing here and there, and one with an hour."""
    rng = np.random.default_rng(seed)
    common, streams = rng.standard_t(4, n) * 1e-3, []
    for i in range(count):
        lagged = np.roll(common, i % 2)
        close = price * (i + 1) * np.exp(np.cumsum((0.5 + 0.3 * i) * lagged + rng.standard_t(4, n) * 5e-4))
        close = np.maximum(np.rint(close / 0.01), 1) * 0.01
        open_ = np.append(close[0], close[:-1])
        high, low = np.maximum(open_, close) + 0.02, np.minimum(open_, close) - 0.01
        events = ev.bars(
            START // MINUTE * MINUTE + MINUTE * np.arange(1, n + 1), open_, high, low, close, rng.gamma(1, 10, n)
        )
        present = rng.random(n) > 0.04 * i
        if i == 2:
            present[n // 2 : n // 2 + 60] = False
        streams.append(events[present])
    return streams


def among(streams: list[NDArray[np.void]], own: int, clock: str, **settings: str) -> NDArray[np.void]:
    """The stream of one of them with what a panel tells its engine."""
    names = [f"x{i}" for i in range(len(streams))]
    panel = sc.Panel(sc.FeatureSet([]), names, clock=clock, **settings)
    return _final(panel.stream(dict(zip(names, streams, strict=True)), names[own]))


@cache
def panel_bars(n: int = 900, seed: int = 40, own: int = 1, stale_after: str = "5m") -> NDArray[np.void]:
    """Bars of one of four instruments, and Peer, Basket and Factor events."""
    return among(common_bars(n, seed), own, "1m", stale_after=stale_after)


@cache
def simulated_panel() -> NDArray[np.void]:
    """The simulated market beside the trades of two others."""
    others = [sc.simulate(seconds=400, seed=seed, regime="mixed").events for seed in (12, 13)]
    return among([simulated(), *(e[e["kind"] == ev.Kind.TRADE] for e in others)], 0, "500ms")


@cache
def recorded_panel(folder: Path, n: int = 2000, own: int = 1, names: tuple[str, ...] = ()) -> NDArray[np.void]:
    """One-minute bars of one of the coins of a folder of ``crypto_bars_1m``, among the others."""
    files = [folder / f"{name}.parquet" for name in names or ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")]
    return among([recorded_bars(file, n) for file in files], own, "1m")


@cache
def recorded_trades(file: Path, n: int | None = None) -> NDArray[np.void]:
    """Aggregated trades of ``binance_2020``."""
    import pyarrow.parquet as pq

    frame = pq.read_table(file).to_pandas()[:n]
    ts = np.maximum.accumulate(frame["ts_event"].astype("int64").to_numpy())
    return _final(ev.trades(ts, frame["price"], frame["size"], np.where(frame["side"] == "buy", 1, -1)))


@cache
def recorded_triangle(folder: Path, seconds: int = 3600) -> NDArray[np.void]:
    """Trades of ETHUSDT beside those of BTCUSDT and ETHBTC on a clock of a second, which most of them miss."""
    pairs = [
        recorded_trades(folder / f"{name}_aggtrades_2020-11-01T09.parquet") for name in ("btcusdt", "ethusdt", "ethbtc")
    ]
    end = pairs[0]["ts"][0] + seconds * 1_000_000_000
    return among([p[p["ts"] < end] for p in pairs], 1, "1s", stale_after="30s")


# ---- recorded ----


@cache
def recorded_bars(file: Path, n: int | None = None, start: int = 0) -> NDArray[np.void]:
    """One-minute bars of ``crypto_bars_1m``, stamped with the end of their minute."""
    import pyarrow.parquet as pq

    table = pq.read_table(file).slice(start, n)
    names = ("open", "high", "low", "close", "volume")
    ts = table["ts_open"].cast("int64").to_numpy() + MINUTE
    return _final(ev.bars(ts, *(table[name].to_numpy() for name in names)))


@cache
def recorded_book(file: Path, n: int = 20_000) -> NDArray[np.void]:
    """Depth messages and trades of ``binance_l2_2024`` behind the snapshot, in the order of receipt."""
    import pyarrow.parquet as pq

    frame = pq.read_table(file).to_pandas()
    frame = frame[frame["kind"] != "bbo"]
    first = int(np.flatnonzero(frame["kind"] == "snapshot")[0])
    known = frame["last_id"].iloc[first]
    frame = frame.iloc[first : first + n]
    frame = frame[(frame["kind"] != "depth") | (frame["last_id"] > known)]
    kind, side = frame["kind"].to_numpy(), frame["side"].to_numpy()
    events = np.zeros(len(frame), sc.EVENT)
    events["ts"] = np.maximum.accumulate(frame["ts_recv"].astype("int64").to_numpy())
    events["kind"] = np.where(kind == "trade", ev.Kind.TRADE, ev.Kind.DEPTH)
    events["side"] = np.where((side == "bid") | (side == "buy"), 1, -1)
    events["v0"], events["v1"] = frame["price"], frame["size"]
    message, deep = frame["msg"].to_numpy(), kind != "trade"
    last = np.append(message[1:] != message[:-1], True)
    events["flags"] = np.where(deep & last, ev.Flag.LAST, 0)
    events["flags"][0] |= ev.Flag.SNAPSHOT
    return _final(events)


@cache
def recorded_events(file: Path, n: int | None = None) -> NDArray[np.void]:
    """The first n events of a recording, as the package's own readers give them."""
    return _final(sc.read(file)[:n].copy())


@cache
def recorded_texts(folder: Path, symbol: str = "AAPL", every: int = 4) -> NDArray[np.void]:
    """A stock's closes, every fourth post on it as scored by `TextScorer`, and the VIX; of those below the data folder.

    Posts count by their length; who wrote them is guessed from what is in them. Series that nobody recorded have
    stand-ins made of the same recordings (breadth, volume and gaps of 87 stocks): real numbers, of another meaning.
    """
    import pandas as pd

    from smartcore.market.text import TextScorer

    day = 24 * HOUR
    prices = pd.read_parquet(folder / "direction_bench/acl18_prices_2012_2015.parquet")
    vix = pd.read_parquet(folder / "daily_equities/vix_1990_2015.parquet")
    posts = pd.read_parquet(folder / "stock_tweets/stocknet_tweets_2014-01_2015-09.parquet")

    def stamps(dates: pd.Series) -> NDArray[np.int64]:  # known after the close in New York
        return pd.to_datetime(dates).to_numpy().astype("datetime64[ns]").astype(np.int64) + 21 * day // 24

    stock = prices[prices["symbol"] == symbol]
    fields = [stock[c].to_numpy() for c in ("open", "high", "low", "close", "volume")]
    fields[1], fields[2] = np.maximum.reduce(fields[:4]), np.minimum.reduce(fields[:4])
    parts = [ev.bars(stamps(stock["date"]), *fields)]

    posts = posts[posts["symbol"] == symbol].sort_values("ts_event", kind="stable").iloc[::every]
    text = posts["text"]
    analyst = text.str.contains("upgrade|downgrade|price target|analyst")
    source = np.where(analyst, "analyst", np.where(text.str.contains("URL"), "news", "social"))
    when = posts["ts_event"].dt.as_unit("ns").astype("int64").to_numpy()
    parts.append(TextScorer().events(when, text, source, text.str.split().str.len().to_numpy() / 10))

    prices = prices.sort_values(["symbol", "date"], kind="stable")
    before = prices.groupby("symbol")["close"].shift()
    month = prices.groupby("symbol")["close"].shift(20)
    prices = prices.assign(
        move=np.log(prices["close"] / before), gap=prices["open"] / before - 1, up=prices["close"] > before,
        high_month=100.0 * (prices["close"] > month), width=(prices["high"] - prices["low"]) / prices["close"],
    )  # fmt: skip
    prices["net"] = np.where(prices["up"], 1, -1) * prices["volume"]
    prices["forced"] = np.where(prices["move"].abs() > 0.03, np.sign(prices["move"]) * prices["volume"], 0)
    prices = prices.replace([np.inf, -np.inf], np.nan)
    days = prices.groupby("date").agg(
        funding=("move", "mean"), basis=("gap", "mean"), open_interest=("volume", "sum"), ups=("up", "mean"),
        liquidations=("forced", "sum"), fear_greed=("high_month", "mean"), exchange_flow=("net", "sum"),
        rate=("width", "mean"),
    )  # fmt: skip
    days["long_short_ratio"] = (days["ups"] + 0.01) / (1.01 - days["ups"])
    bought, sold = (1.01 * days["open_interest"] + sign * days["exchange_flow"] for sign in (1, -1))
    days["taker_ratio"] = bought / sold
    days = days.iloc[30:]
    vix = vix[pd.to_datetime(vix["date"]) >= pd.to_datetime(stock["date"].iloc[0])]
    parts.append(ev.aux(stamps(vix["date"]) + 15 * MINUTE, "implied_volatility", vix["close"].to_numpy()))
    parts.append(
        ev.aux(stamps(vix["date"]) + 16 * MINUTE, "skew", (vix["high"] + vix["low"] - 2 * vix["close"]).to_numpy())
    )
    when = stamps(days.index.to_series()) + 20 * MINUTE
    parts += [ev.aux(when, name, days[name].to_numpy()) for name in days.columns.drop("ups")]
    return _final(ev.merge(*parts))
