"""A bot's configuration: one TOML file, every value checked when it is read.

    [bot]
    symbols = ["BTCUSDT", "ETHUSDT"]
    bars = "1s"                   # built from trades; left out: bars are fed
    journal = "bot.journal"

    [models]
    sequence = "gru"              # a shipped name or a file, relative to the configuration
    ensemble = "gbdt"

    [policy]                      # fields of smartcore.Policy; preset names a ready one to start from
    preset = "intelligence"
    every = "1s"

    [monitor]
    metrics_s = 30
    health_s = 300

    [instrument.BTCUSDT]          # fields of smartcore.Instrument
    tick = 0.1
    lot = 0.001

A dict of the older shape is read too (:meth:`Config.of_model_config`): weights by model, a voting method, a threshold.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartcore.decide import MODELS, Policy
from smartcore.errors import InvalidData
from smartcore.features.engine import Instrument, bar_rule

if TYPE_CHECKING:
    from smartcore.bot.health import Monitor
    from smartcore.bot.orchestrator import Orchestrator

ALIASES = {
    "sequence": "sequence", "transformer": "sequence", "lstm": "sequence", "gru": "sequence",
    "ensemble": "ensemble", "cnn_lstm": "ensemble", "trees": "ensemble", "xgboost": "ensemble", "lightgbm": "ensemble",
    "smart_money": "smart_money", "smc": "smart_money", "smart_money_concepts": "smart_money",
    "technical": "technical", "technical_indicators": "technical", "indicators": "technical",
}  # fmt: skip
"""Names that the older shape has for the four sources."""
_OLD = {
    "confidence_threshold": "min_confidence", "min_confidence": "min_confidence", "voting_method": "voting",
    "voting": "voting", "max_contracts": "max_contracts", "max_position_size": "max_position",
    "kelly_fraction": "kelly_multiplier", "max_drawdown": "max_drawdown",
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The section ``[bot]``."""

    symbols: tuple[str, ...] = ("",)
    bars: str | None = None
    features: tuple[str, ...] | None = None
    """Columns; None: the default set and whatever else the models read."""
    journal: str | None = None
    horizon: str | None = None
    max_missing: float = 0.5
    concurrency: int = 4
    memory_mb: float = 256.0
    """For the engines of symbols that ``generate_trading_intelligence`` is asked for."""
    native: bool = True
    """Models are run by ONNX Runtime's C interface, so that a lane never waits for the interpreter."""
    live: bool = True
    """Events are stamped in this machine's time: an old or a future one is told by the clock. False for replays."""


@dataclass(frozen=True)
class Intervals:
    """The section ``[monitor]``."""

    metrics_s: float = 30.0
    health_s: float = 300.0
    least: float = 50.0
    """Health below which an alert is raised."""
    latency_us: float = 1000.0
    data_s: float = 5.0
    memory_mb: float = 200.0
    """What counts as well: 99th percentile of latency, age of the data, resident memory."""


@dataclass(frozen=True)
class Config:
    """What a bot is made of. Raises InvalidData, naming section, key and value, for what cannot be meant."""

    bot: Settings = Settings()
    models: Mapping[str, str] = field(default_factory=dict)
    """Source to file: "sequence", "ensemble"; "sequence_fallback" and "ensemble_fallback" speak where these fail."""
    policy: Policy = field(default_factory=Policy)
    monitor: Intervals = Intervals()
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    folder: Path = Path()
    """Files are relative to it."""

    @classmethod
    def read(cls, path: Path | str) -> Config:
        """Of a TOML file. Raises FileNotFoundError, InvalidData."""
        import tomllib

        path = Path(path)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidData(f"{path}: no TOML: {error}") from error
        try:
            return cls.of(data, path.parent)
        except InvalidData as error:
            raise InvalidData(f"{path}: {error}") from None

    @classmethod
    def of(cls, data: Mapping[str, Any], folder: Path | str = ".") -> Config:
        """Of the same as a dict; one of the older shape is recognised by its "MODEL_CONFIG" or "models" of dicts."""
        if "MODEL_CONFIG" in data:
            return cls.of_model_config(data["MODEL_CONFIG"], folder)
        if any(isinstance(value, Mapping) for value in _table("models", data.get("models", {})).values()):
            return cls.of_model_config(data, folder)
        _known("section ", data, ("bot", "models", "policy", "monitor", "instrument"))
        settings = _made(Settings, "bot", data.get("bot", {}))
        models = _models(data.get("models", {}))
        policy = _policy(dict(_table("policy", data.get("policy", {}))))
        monitor = _made(Intervals, "monitor", data.get("monitor", {}))
        traded = _table("instrument", data.get("instrument", {}))
        instruments = {symbol: _instrument(symbol, given) for symbol, given in traded.items()}
        return cls(settings, models, policy, monitor, instruments, Path(folder))

    @classmethod
    def of_model_config(cls, data: Mapping[str, Any], folder: Path | str = ".") -> Config:
        """Of the older shape: ``{"models": {"transformer": {"weight": 0.4, "path": "gru"}, "cnn_lstm": {"weight": 0.3},
        "technical": {"weight": 0.2}, "smart_money": {"weight": 0.1}}, "ensemble": {"voting_method":
        "confidence_weighted", "confidence_threshold": 0.7}}``; weights may also stand in "weights" or
        "ensemble_weights", and models directly at the top.
        """
        weights: dict[str, float] = {}
        files: dict[str, str] = {}
        policy: dict[str, Any] = {}

        def model(name: str, given: Any) -> None:
            source = ALIASES[name]
            if isinstance(given, bool) or not isinstance(given, int | float | Mapping):
                raise InvalidData(f"{name}: {given!r} is neither a weight nor a table")
            about: Mapping[str, Any] = given if isinstance(given, Mapping) else {"weight": given}
            if not about.get("enabled", True):
                return
            for key, value in about.items():
                if key == "weight":
                    if source in weights:
                        raise InvalidData(f"{name}: a second weight for the source {source!r}")
                    weights[source] = _number(f"{name}.weight", value)
                elif key in ("path", "model_path", "file"):
                    if source not in MODELS:
                        raise InvalidData(f"{name}.{key}: {source} is made of columns and has no file")
                    files[source] = _text(f"{name}.{key}", value)
                elif key not in ("enabled", "type", "name"):
                    raise InvalidData(_unknown(f"{name}.", key, ("weight", "path", "enabled", "type", "name")))

        def rules(where: str, given: Mapping[str, Any]) -> None:
            for key, value in given.items():
                if key in ("weights", "ensemble_weights"):
                    for name, weight in _table(f"{where}{key}", value).items():
                        if name not in ALIASES:
                            raise InvalidData(_unknown(f"{where}{key}.", name, ALIASES))
                        model(name, weight)
                elif key in _OLD:
                    policy[_OLD[key]] = value
                else:
                    raise InvalidData(_unknown(where, key, ("weights", *_OLD)))

        for key, value in _table("MODEL_CONFIG", data).items():
            if key == "models":
                for name, given in _table("models", value).items():
                    if name not in ALIASES:
                        raise InvalidData(_unknown("models.", name, ALIASES))
                    model(name, given)
            elif key in ("signal", "risk") or (key == "ensemble" and _rules(value)):
                rules(f"{key}.", _table(key, value))
            elif key in ALIASES:
                model(key, value)
            else:
                rules("", {key: value})
        if weights:
            total = sum(weights.values())
            if abs(total - 1) > 1e-6:
                raise InvalidData(f"weights: {weights} sum to {total:g}, not 1")
            policy["weights"] = {name: weight / total for name, weight in weights.items()}
        return cls(models=files, policy=_policy(policy), folder=Path(folder))

    def orchestrator(self, symbol: str | None = None, **more: Any) -> Orchestrator:
        """A bot for one symbol (the first one if left out). ``more`` goes to ``Orchestrator``."""
        from smartcore.bot.orchestrator import Orchestrator
        from smartcore.bot.sources import features_for
        from smartcore.features.engine import Engine
        from smartcore.features.feature_set import FeatureSet
        from smartcore.models import Model
        from smartcore.models.native import NativeModel

        settings = self.bot
        symbol = settings.symbols[0] if symbol is None else symbol
        kind: Any = NativeModel if settings.native else Model
        loaded = {source: kind.load(self._file(name)) for source, name in self.models.items()}
        features = features_for(loaded.values()) if settings.features is None else FeatureSet(list(settings.features))
        engine = Engine(features, instrument=self.instruments.get(symbol, symbol), bars=settings.bars)
        given: dict[str, Any] = {
            "policy": self.policy,
            "journal": None if settings.journal is None else self.folder / settings.journal,
            "horizon": settings.horizon,
            "max_missing": settings.max_missing,
            "concurrency": settings.concurrency,
            "memory_mb": settings.memory_mb,
            "wall": time.time_ns if settings.live else None,
            "fallback": {s: loaded[f"{s}_fallback"] for s in MODELS if f"{s}_fallback" in loaded},
        }
        return Orchestrator(engine, *(loaded[s] for s in MODELS if s in loaded), **(given | more))

    def watch(self, *bots: Orchestrator, **more: Any) -> Monitor:
        """The monitor of these bots at this configuration's intervals. ``more`` goes to ``Monitor``."""
        from smartcore.bot.health import Budget, Monitor

        m = self.monitor
        budget = Budget(latency_us=m.latency_us, data_s=m.data_s, memory_mb=m.memory_mb)
        given: dict[str, Any] = {"metrics_s": m.metrics_s, "health_s": m.health_s, "least": m.least, "budget": budget}
        return Monitor(bots, **(given | {"live": self.bot.live} | more))

    def _file(self, name: str) -> Path | str:
        beside = self.folder / name
        return beside if beside.is_file() else name


def _rules(given: Any) -> bool:
    """Whether "ensemble" is how models are put together rather than one of them."""
    return isinstance(given, Mapping) and not {"weight", "path", "model_path", "file"} & {*given}


def _table(where: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidData(f"{where}: {given!r} is no table")
    return given


def _unknown(where: str, key: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    near = difflib.get_close_matches(key, names, 3)
    return f"{where}{key}: unknown; {'did you mean ' + ', '.join(near) if near else 'there is ' + ', '.join(names)}"


def _known(what: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in given:
        if key not in known:
            raise InvalidData(_unknown(what, key, known))


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise InvalidData(f"{where}: {value!r} is no finite number")
    return float(value)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidData(f"{where}: {value!r} is no text")
    return value


def _made(kind: Any, where: str, given: Any) -> Any:
    """A section's dataclass, each value of the type that its default has."""
    table = _table(where, given)
    _known(f"{where}.", table, [f.name for f in fields(kind)])
    values: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{where}.{name}"
        if name in ("symbols", "features"):
            if not isinstance(value, list | tuple) or not value:
                raise InvalidData(f"{place}: {value!r} is no list of names")
            values[name] = tuple(_text(place, item) for item in value)
        elif name in ("bars", "journal", "horizon"):
            values[name] = _text(place, value)
        elif name in ("native", "live"):
            if not isinstance(value, bool):
                raise InvalidData(f"{place}: {value!r} is neither true nor false")
            values[name] = value
        else:
            number = _number(place, value)
            least = 0.0 if name == "max_missing" else 1e-3
            if number < least or (name == "max_missing" and number > 1) or (name == "concurrency" and number % 1):
                raise InvalidData(f"{place}: {value!r} is out of range")
            values[name] = int(number) if name == "concurrency" else number
    if values.get("bars") is not None:
        try:
            bar_rule(values["bars"])
        except ValueError as error:
            raise InvalidData(f"{where}.bars: {error}") from None
    return kind(**values)


def _models(given: Any) -> dict[str, str]:
    known = [*MODELS, *(f"{source}_fallback" for source in MODELS)]
    table = _table("models", given)
    _known("models.", table, known)
    return {source: _text(f"models.{source}", name) for source, name in table.items()}


def _policy(given: dict[str, Any]) -> Policy:
    known = [f.name for f in fields(Policy) if f.init]
    preset = given.pop("preset", None)
    _known("policy.", given, [*known, "preset"])
    for name in ("uncalibrated", "regimes"):
        if isinstance(given.get(name), list):
            given[name] = frozenset(given[name])
    try:
        return Policy(**given) if preset is None else Policy.preset(_text("policy.preset", preset), **given)
    except (ValueError, TypeError) as error:
        raise InvalidData(f"policy.{error}") from None


def _instrument(symbol: str, given: Any) -> Instrument:
    table = _table(f"instrument.{symbol}", given)
    known = [name for name in Instrument._fields if name != "symbol"]
    _known(f"instrument.{symbol}.", table, known)
    try:
        return Instrument(symbol, **{name: _number(f"instrument.{symbol}.{name}", x) for name, x in table.items()})
    except (ValueError, TypeError) as error:
        raise InvalidData(f"instrument.{symbol}: {error}") from None
