"""Several bots on one account: what is held elsewhere caps a size by how much it moves alike; weights over all."""

from __future__ import annotations

import numpy as np
import pytest
from test_orchestrator import SECOND, T0, Toy

import smartcore as sc
from smartcore.bot.account import Account
from smartcore.bot.orchestrator import Orchestrator
from smartcore.errors import InvalidData
from smartcore.market import events as ev

SYMBOLS = ("A", "B", "C")


def bot_of(symbol, **changes):
    policy = sc.Policy(
        every="1s", fee_bps=0.0, weights={"sequence": 1.0}, min_quality=0.0, min_edge_bps=-1e4, horizon=10,
        kelly_multiplier=1.0, max_outlier=1e3, max_jump=1e3, max_drift=1e3, max_turbulence=1e3, max_scores_age_s=1e6,
        max_contracts=1e9, **changes,
    )  # fmt: skip
    return Orchestrator(
        sc.Engine(instrument=symbol, bars="1s"), Toy(says=(0.01, 0.04, 0.95)), policy=policy, latency_ns=100_000
    )


def streams(seconds=180, seed=0):
    """A and B move as one but for a little; C alone."""
    rng = np.random.default_rng(seed)
    n = 2 * seconds
    common, own = rng.normal(size=n), rng.normal(size=(3, n))
    moves = {"A": common + 0.1 * own[0], "B": common + 0.1 * own[1], "C": own[2]}
    ts = T0 + np.arange(n) * (SECOND // 2)
    found = {}
    for i, (symbol, move) in enumerate(moves.items()):
        mid = 100 + np.cumsum(0.01 + 0.02 * move)
        trades = ev.trades(ts + 1, mid, 1e6 + np.arange(n), 1)  # deep: a size costs next to nothing
        found[symbol] = ev.merge(ev.quotes(ts + i, mid - 0.005, 1e6, mid + 0.005, 1e6), trades)
    return found


def account_of(**changes):
    account = Account([bot_of(symbol, **changes) for symbol in SYMBOLS], every="1s", window=120)
    account.equity = 1e6
    return account


@pytest.fixture(scope="module")
def warm():
    account = account_of(max_correlated=0.2)
    decisions = list(account.run(streams()))
    return account, decisions


def test_returns_are_those_of_the_samples(warm):
    account, _ = warm
    table = account.returns
    assert len(table) == 120
    rho = np.corrcoef(table.T)
    assert rho[0, 1] > 0.95 and abs(rho[0, 2]) < 0.35


def test_each_bot_decides_as_if_alone_but_for_the_cap(warm):
    _, decisions = warm
    assert {d.symbol for d in decisions} == set(SYMBOLS)
    alone = bot_of("A", max_correlated=0.2)
    alone.equity = 1e6
    mine = [d.to_dict() for d in alone.run(streams()["A"])]
    theirs = [d.to_dict() for d in decisions if d.symbol == "A"]
    assert mine == theirs  # nothing is held yet


def test_what_is_held_elsewhere_counts_by_how_it_moves():
    account = account_of(max_correlated=0.2)
    list(account.run(streams()))
    account.hold("B", 1e6 * 0.1 / account.bots["B"].engine.last_price)
    held = {symbol: account.bots[symbol].correlated for symbol in SYMBOLS}
    assert held["B"] == 0.0
    assert held["A"] == pytest.approx(0.1, rel=0.15)
    assert held["C"] == 0.0  # what correlates by less than 0.3 is noise
    account.hold("B", -account.bots["B"].position)
    assert account.bots["A"].correlated == pytest.approx(-held["A"])


def test_the_cap_binds_what_moves_alike_and_not_the_other():
    free, capped = account_of(), account_of(max_correlated=0.2)
    for account in (free, capped):
        list(account.run(streams()))
        account.hold("B", 1e6 * 0.15 / account.bots["B"].engine.last_price)
    sizes = {name: {s: a.bots[s].decide().risk for s in "AC"} for name, a in (("free", free), ("capped", capped))}
    assert sizes["capped"]["A"].bound == "correlated"
    size = sizes["capped"]["A"].risk_adjusted_position_size
    assert size == pytest.approx(0.2 - capped.bots["A"].correlated, abs=0.01)
    assert size < sizes["free"]["A"].risk_adjusted_position_size
    size = sizes["capped"]["C"].risk_adjusted_position_size
    assert size == pytest.approx(min(0.2, sizes["free"]["C"].risk_adjusted_position_size), abs=1e-3)


def test_before_correlations_are_known_all_of_it_counts():
    account = account_of(max_correlated=0.2)
    list(account.run(streams(seconds=5)))
    account.hold("C", 1000.0)
    assert account.bots["A"].correlated == pytest.approx(1000.0 * account._prices[2] / 1e6)


def test_without_equity_nothing_is_known_and_nothing_sized():
    account = account_of(max_correlated=0.2)
    list(account.run(streams()))
    account.equity = None
    account.hold("B", 1.0)
    assert np.isnan(account.bots["A"].correlated)
    risk = account.bots["A"].decide().risk
    assert risk.risk_adjusted_position_size == 0.0


def test_weights_over_all_share_what_moves_alike(warm):
    account, _ = warm
    told = account.advise(max_leverage=1.0)
    assert len(told.weights) == 3 and told.gross <= 1.0 + 1e-9
    assert all(w >= 0 for w in told.weights)
    a, b, c = told.weights
    assert c > a + b
    unbound = account.advise(max_leverage=1e4).weights
    alone = []
    for bot in account.bots.values():
        risk = bot.decision.risk
        alone.append(0.25 * 1e-4 * risk.expected_edge_bps / risk.stop_distance**2)
    assert unbound[2] == pytest.approx(alone[2], rel=0.2)
    assert unbound[0] + unbound[1] == pytest.approx(max(alone[:2]), rel=0.2)  # two that move as one are one bet
    short = account_of()
    list(short.run(streams(seconds=5)))
    with pytest.raises(InvalidData, match="samples of all prices"):
        short.advise()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="two of the symbol 'A'"):
        Account([bot_of("A"), bot_of("A")])
    with pytest.raises(ValueError, match="window"):
        Account([bot_of("A")], window=5)
    account = Account([bot_of("A")])
    with pytest.raises(KeyError, match="no bots of these symbols"):
        list(account.run({"Z": streams()["A"]}))
    with pytest.raises(KeyError):
        account.hold("Z", 1.0)
