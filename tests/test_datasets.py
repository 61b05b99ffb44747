"""Loaders: the published protocols to the letter, labels that know nothing of the future, made-up files of FI-2010."""

from __future__ import annotations

import numpy as np
import pytest

import smartcore as sc
from smartcore.learn.datasets import direction, fi2010, minutes, orderbook
from smartcore.learn.datasets.recording import Recording
from smartcore.market import events as ev

RNG = np.random.default_rng(3)


# ---- daily direction ---------------------------------------------------------------------------------


def table(days=40, stocks=("AA", "BB")):
    """A table in no order; the features of a row say whose it is."""
    symbol = np.repeat(stocks, days)
    date = np.tile(np.arange(days), len(stocks)) + 16000
    split = np.where(date < 16000 + 20, "train", np.where(date < 16000 + 30, "val", "test"))
    features = np.repeat((date - 16000 + 1000 * (symbol == stocks[-1]))[:, None], 11, axis=1).astype(np.float32)
    label = RNG.choice([-1.0, 0.0, 1.0], len(date))
    features[symbol == stocks[0]] = np.where(
        (date[symbol == stocks[0]] == 16003)[:, None], np.nan, features[symbol == stocks[0]]
    )
    order = RNG.permutation(len(date))
    columns = {"symbol": symbol, "date": date, "split": split, "features": features, "label": label}
    return {name: column[order] for name, column in columns.items()}


def test_an_instance_is_the_days_before_its_label_and_nothing_else():
    made = table()
    data = direction.instances("made up", **made, days=5)
    assert data.symbols == ("AA", "BB")
    scored = 0
    for part, split in zip((data.train, data.valid, data.test), direction.SPLITS, strict=True):
        own = 16000 + 1000 * part.stock[:, None]  # day and stock, as the features tell them
        assert (part.x[:, :, 0] + 16000 == part.day[:, None] + np.arange(-5, 0) + own - 16000).all()
        for y, day, stock in zip(part.y, part.day, part.stock, strict=True):
            row = (made["symbol"] == data.symbols[stock]) & (made["date"] == day)
            assert made["label"][row] == (1 if y else -1)
            assert made["split"][row] == split
        scored += len(part)
    # Labels 1 and -1 with five days before them, of which stock AA's fourth is unknown.
    first = np.where(made["symbol"] == "AA", 16009, 16005)
    assert scored == ((made["date"] >= first) & (made["label"] != 0)).sum()


def test_recordings_hold_the_same_instances_in_the_same_order():
    data = direction.instances("made up", **table(), days=3)
    for part in (data.train, data.valid, data.test):
        label = np.concatenate([s.label[:, 0] for s in part.series])
        assert (label[label >= 0] == part.y).all()
        windows = [s.rows[j - 2 : j + 1] for s in part.series for j in np.flatnonzero(s.label[:, 0] >= 0)]
        assert (np.stack(windows) == part.x).all()


def test_published_counts(recorded):
    for name, counts in direction.COUNTS.items():
        data = direction.load(recorded(f"direction_bench/{name}_features.parquet"))
        assert (len(data.train), len(data.valid), len(data.test)) == counts
        assert np.isfinite(data.train.x).all()


def test_other_counts_than_published_are_refused():
    with pytest.raises(ValueError, match=r"published are \(20315, 2555, 3720\)"):
        direction.checked(direction.instances("acl18", **table(), days=5))


# ---- order books -------------------------------------------------------------------------------------


def walk(n=3000, tick=0.01):
    return 100 + tick * RNG.integers(-1, 2, n).cumsum()


@pytest.mark.parametrize(("rule", "horizon"), orderbook.TARGETS)
def test_moves_are_the_means_they_say(rule, horizon):
    mid = walk(400)
    found = orderbook.moves(mid, rule, horizon)
    size = orderbook.MEAN[rule]
    for i in (size - 1, 57, len(mid) - horizon - 1):
        later = mid[i + horizon - size + 1 : i + horizon + 1].mean()
        base = mid[i] if rule == "anchored" else mid[i - size + 1 : i + 1].mean()
        assert found[i] == pytest.approx(np.log(later / base), abs=1e-13)
    assert np.isnan(found[-horizon:]).all()
    assert np.isfinite(found[size : -horizon]).all()


def test_a_price_that_stands_has_moves_of_exactly_zero():
    for target in orderbook.TARGETS:
        found = orderbook.moves(np.full(300, 61234.05), *target)
        assert (found[np.isfinite(found)] == 0).all()


@pytest.mark.parametrize("gap", [slice(0, 3), slice(120, 122)], ids=["first", "amid"])
def test_an_unknown_price_takes_only_the_labels_that_look_at_it(gap):
    mid = walk(400)
    holed = mid.copy()
    holed[gap] = np.nan
    for rule, horizon in orderbook.TARGETS:
        whole, found = (orderbook.moves(m, rule, horizon) for m in (mid, holed))
        lost, size = np.zeros(400, bool), orderbook.MEAN[rule]
        for i in np.arange(400)[gap]:
            lost[max(i - horizon, 0) : max(i - horizon + size, 0)] = True
            lost[i : i + (1 if rule == "anchored" else size)] = True
        np.testing.assert_allclose(found, np.where(lost, np.nan, whole), atol=1e-12)


def test_a_label_knows_its_horizon_and_no_more():
    mid = walk(500)
    for rule, horizon in orderbook.TARGETS:
        before = orderbook.moves(mid, rule, horizon)
        changed = mid.copy()
        changed[300:] *= 2
        after = orderbook.moves(changed, rule, horizon)
        np.testing.assert_array_equal(before[: 300 - horizon], after[: 300 - horizon])
        assert (before[300 - horizon : 300] != after[300 - horizon : 300]).all()


def test_what_the_smoothed_rule_asks_for_is_partly_known_and_what_the_anchored_asks_is_not():
    mid = 100 + 0.01 * RNG.normal(size=60_000).cumsum()
    known = mid - np.convolve(mid, np.ones(10) / 10)[: len(mid)]  # now less the trailing mean
    for rule, expected in (("anchored", False), ("smoothed", True)):
        move = orderbook.moves(mid, rule, 10)
        use = slice(100, -100)
        correlation = np.corrcoef(known[use], move[use])[0, 1]
        assert (correlation > 0.3) == expected
        assert expected or abs(correlation) < 0.03


def recording(n=3000):
    rows = RNG.normal(size=(n, len(orderbook.LEVEL_1))).astype(np.float32)
    return orderbook.Recording("made up", orderbook.LEVEL_1, np.arange(n) * 10**8, rows, walk(n))


def test_pieces_are_apart_and_thresholds_are_of_training():
    made = recording()
    split = orderbook.divide(made, embargo=100)
    pieces = (split.train, split.valid, split.test)
    assert [len(p) for p in pieces] == [1800, 500, 500]
    assert split.valid.ts[0] - split.train.ts[-1] == 101 * 10**8
    for piece in pieces:
        for i, (_, horizon) in enumerate(orderbook.TARGETS):
            assert (piece.label[-horizon:, i] == -1).all()  # ends in the next piece: purged
            assert (piece.label[10:-horizon, i] >= 0).all()
    # Another future changes neither thresholds nor training.
    other = orderbook.Recording(made.name, made.columns, made.ts, made.rows, np.r_[made.mid[:1800], walk(1200) * 3])
    again = orderbook.divide(other, embargo=100)
    assert again.thresholds == split.thresholds
    np.testing.assert_array_equal(again.train.label, split.train.label)
    for i, target in enumerate(orderbook.TARGETS):
        share = np.mean(split.train.label[split.train.label[:, i] >= 0, i] == 1)
        moved = orderbook.moves(made.mid[:1800], *target)
        assert share == pytest.approx(np.mean(np.abs(moved[np.isfinite(moved)]) <= split.thresholds[i]))
        assert share >= 0.3


def test_a_saved_recording_comes_back(tmp_path):
    made = recording(50)
    made.rows[3, 4] = np.nan
    orderbook.save(made, tmp_path / "it.npz")
    back = orderbook.load(tmp_path / "it.npz")
    assert (back.name, back.columns) == (made.name, made.columns)
    for one, two in ((back.ts, made.ts), (back.rows, made.rows), (back.mid, made.mid)):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype


def test_floors_are_probabilities_and_see_only_the_past():
    made = recording()
    split = orderbook.divide(made)
    for target in (0, 7):
        found = orderbook.floors(split, target)
        for prob in found.values():
            assert prob.shape == (len(split.test), 3)
            np.testing.assert_allclose(prob.sum(1), 1, atol=1e-9)
        _, horizon = orderbook.TARGETS[target]
        said, label = found["persistence"].argmax(1), split.test.label[:, target]
        known = label[:-horizon] >= 0
        assert (said[horizon:][known] == label[:-horizon][known]).all()


def test_a_row_is_the_book_after_a_whole_message():
    book = ev.depth(
        np.array([10, 10, 20, 20, 30]) * 10**9, np.array([1, -1, 1, -1, 1]), np.array([99.0, 101, 100, 102, 100]),
        np.array([5.0, 5, 3, 4, 0]), last=np.array([False, True, False, True, True]),
        snapshot=np.array([True, False, False, False, False]),
    )  # fmt: skip
    columns = ("spread", "queue_imbalance_l1")
    found = orderbook.replay(book, columns, "by hand")
    assert found.ts.tolist() == [10 * 10**9, 20 * 10**9, 30 * 10**9]
    assert found.mid.tolist() == [100.0, 100.5, 100.0]  # after all levels of a message, not after each
    engine = sc.Engine(list(columns))
    for i, end in enumerate((2, 4, 5)):
        engine.run(book[(0, 2, 4)[i] : end], sample="365d")
        np.testing.assert_array_equal(found.rows[i], engine.row.astype(np.float32))
    with pytest.raises(ValueError, match="never has both sides"):
        orderbook.replay(book[:1], columns, "one side")


def test_a_recorded_session_has_the_files_own_mids(recorded):
    pq = pytest.importorskip("pyarrow.parquet")
    path = recorded("lobster_2012/AAPL_2012-06-21_level1.parquet")
    found = orderbook.lobster(path)
    assert found.columns == orderbook.LEVEL_1  # one level: none below it to ask for
    file = pq.read_table(path, columns=["ts_event", "ask_px_1", "bid_px_1", "ask_sz_1", "bid_sz_1"]).to_pandas()
    changed = (file.iloc[:, 1:].diff().fillna(1) != 0).any(axis=1).to_numpy()
    mid = ((file["ask_px_1"] + file["bid_px_1"]) / 2e4).to_numpy()[changed]
    assert len(found) == changed.sum()
    np.testing.assert_allclose(found.mid, mid, rtol=1e-12)
    assert np.isfinite(found.rows[1000:]).mean() > 0.99


# ---- minutes -----------------------------------------------------------------------------------------


def coin(name="AA", n=1500, ts0=0):
    ts = ts0 + (1 + np.arange(n)) * minutes.MINUTE
    close = 100 * np.exp(1e-3 * RNG.normal(size=n).cumsum())
    return Recording(name, ("a", "b"), ts, RNG.normal(size=(n, 2)).astype(np.float32), close)


def test_folds_walk_forward_and_share_nothing():
    coins = [coin("AA", n=6000), coin("BB", n=6000)]
    found = minutes.folds(coins, tests=4)
    assert len(found) == 4
    for fold, later in zip(found, [*found[1:], None], strict=True):
        for piece in (fold.train, fold.valid, fold.test):
            assert [len(s) for s in piece] == [len(piece[0])] * 2
            for i, horizon in enumerate(minutes.HORIZONS):
                assert all((s.label[-horizon:, i] == -1).all() for s in piece)  # ends in what comes next
                assert all((s.label[:-horizon, i] >= 0).all() for s in piece)
        train, valid, test = fold.train[0].ts, fold.valid[0].ts, fold.test[0].ts
        assert valid[0] - train[-1] > 60 * minutes.MINUTE
        assert test[0] - valid[-1] > 60 * minutes.MINUTE
        if later:
            assert later.test[0].ts[0] - test[-1] == minutes.MINUTE  # tests tile
            assert len(later.train[0]) > len(train)
    assert found[-1].test[0].ts[-1] == coins[0].ts[-1]
    with pytest.raises(ValueError, match="different times: AA, BB"):
        minutes.folds([coin("AA"), coin("BB", ts0=30)])
    with pytest.raises(ValueError, match="1500 bars are too few for 4 tests"):
        minutes.folds([coin("AA")], tests=4)


def test_a_minute_is_labelled_by_its_later_close():
    made = coin()
    made.mid[101] = made.mid[100]
    series = minutes.labelled(made, slice(50, 200))
    for i, horizon in enumerate(minutes.HORIZONS):
        for row in (0, 30, 60):
            later, now = made.mid[50 + row + horizon], made.mid[50 + row]
            assert series.label[row, i] == int(later > now)
    assert series.label[50, 0] == -1  # stood still


def test_recorded_bars_are_rows_at_their_end(recorded):
    pq = pytest.importorskip("pyarrow.parquet")
    path = recorded("crypto_bars_1m/binance_spot_2026/BTCUSDT.parquet")
    made = minutes.recording(path)
    file = pq.read_table(path, columns=["ts_open", "close"])
    opened = file["ts_open"].to_numpy().astype("datetime64[ns]").astype(np.int64)[minutes.WARM_UP :]
    np.testing.assert_array_equal(made.ts, opened + minutes.MINUTE)
    np.testing.assert_array_equal(made.mid, file["close"].to_numpy()[minutes.WARM_UP :])
    assert len(made.columns) == 60
    assert np.isfinite(made.rows).mean() > 0.999


# ---- FI-2010 -----------------------------------------------------------------------------------------


def write(path, events=60, stocks=3, seed=0):
    """A file of 149 rows whose labels are 1, 2, 3 in turn, shifted by horizon; each stock has a price of its own."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(149, events)).astype(np.float32)
    price = np.repeat(10.0 ** np.arange(stocks), events // stocks)
    table[0], table[2] = price + 0.01 * rng.random(events), price - 0.01 * rng.random(events)
    for i in range(5):
        table[144 + i] = (np.arange(events) + i) % 3 + 1
    np.savetxt(path, table, fmt="%.7g")
    return table


@pytest.fixture
def folder(tmp_path):
    below = tmp_path / "NoAuction_Zscore"
    below.mkdir()
    for fold in range(1, 10):
        write(below / fi2010.name("Train", fold), seed=fold)
        write(below / fi2010.name("Test", fold), events=30, seed=10 + fold)
    return tmp_path


def test_an_event_is_a_column_and_up_is_one(tmp_path):
    made = write(tmp_path / "it.txt")
    (series,) = fi2010.read(tmp_path / "it.txt")
    np.testing.assert_allclose(series.rows, made[:40].T, rtol=1e-6)
    assert series.label.shape == (60, len(fi2010.HORIZONS))
    assert series.label[:3, 0].tolist() == [2, 1, 0]  # told as 1, 2, 3: up, stationary, down
    assert series.label[:3, 1].tolist() == [1, 0, 2]
    (whole,) = fi2010.read(tmp_path / "it.txt", features=144)
    assert whole.rows.shape == (60, 144)


def test_clean_recordings_hold_one_stock(tmp_path):
    made = write(tmp_path / "it.txt")
    parts = fi2010.read(tmp_path / "it.txt", clean=True)
    assert [len(p) for p in parts] == [20, 20, 20]
    np.testing.assert_allclose(np.concatenate([p.rows for p in parts]), made[:40].T, rtol=1e-6)
    write(tmp_path / "one.txt", stocks=1)
    assert len(fi2010.read(tmp_path / "one.txt", clean=True)) == 1  # no jump that is none


def test_setups(folder):
    (fold,) = fi2010.load(folder)
    assert [len(s) for s in fold.train] == [60]
    assert [len(s) for s in fold.test] == [90]  # three days, as one recording: as published
    (second,) = fi2010.read(fi2010.find(folder, fi2010.name("Test", 8)))
    np.testing.assert_array_equal(fold.test[0].rows[30:60], second.rows)
    (clean,) = fi2010.load(folder, clean=True)
    assert [len(s) for s in clean.test] == [10] * 9  # three stocks on each of three days
    nine = fi2010.load(folder, setup=1)
    assert len(nine) == 9
    assert len(fi2010.load(folder, setup=1, folds=(2,))) == 1


def test_what_is_no_file_of_fi2010_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="MinMax"):
        fi2010.load(folder, normalisation="MinMax")
    with pytest.raises(ValueError, match="1 or 2"):
        fi2010.load(folder, setup=3)
    np.savetxt(tmp_path / "short.txt", np.zeros((148, 4)))
    with pytest.raises(ValueError, match="148 rows"):
        fi2010.read(tmp_path / "short.txt")
    np.savetxt(tmp_path / "zero.txt", np.zeros((149, 4)))
    with pytest.raises(ValueError, match="other than 1, 2 and 3"):
        fi2010.read(tmp_path / "zero.txt")


def test_held_out_events_are_the_last_and_a_horizon_apart(tmp_path):
    write(tmp_path / "it.txt", events=900)
    (series,) = fi2010.read(tmp_path / "it.txt")
    head, tail = fi2010.hold_out([series], 0.5)
    assert (len(head[0]), len(tail[0])) == (450 - 100, 450)
    head, tail = fi2010.hold_out(fi2010.read(tmp_path / "it.txt", clean=True), 1 / 3)
    assert [len(s) for s in head] == [300, 300]
    assert [len(s) for s in tail] == [300]
