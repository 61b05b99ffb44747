"""Train a net of either kind: seeded, resumable, with early stopping on the validation loss of the net as it runs live.

    fitted = fit(net, train, valid, Config(batch=32, accumulate=4), seed=1, checkpoint="out/gru.pt")
    logits, label = predict(fitted.net, test)

The same call runs on a GPU where there is one and on the CPU otherwise. All recordings lie once on the device, already
scaled (a net's scaling has no weights to learn), and what a batch needs is gathered there by position. Validation is
:func:`predict`: a streaming net runs each recording from its first row to its last with its memory carried, a windowed
net looks at every window, zeros before the first row; only training cuts sequences.
"""

from __future__ import annotations

import copy
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint as recompute
from tqdm import tqdm

from smartcore.learn.data import Series, Windows, digest
from smartcore.learn.nets.base import StreamingNet, WindowNet

CHUNK = 1024
"""Rows that a streaming net takes at a time outside training."""
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Config:
    """How to train. The defaults suit 10^5 rows and a streaming net of 10^4 weights."""

    rounds: int = 25
    updates: int = 16
    """Updates of a round; after each round the net is validated."""
    patience: int = 6
    """Rounds without a better validation loss before it stops."""
    batch: int = 64
    """Sequences (streaming nets) or windows (windowed nets) that are on the device at once."""
    accumulate: int = 1
    """Batches of an update: gradients are summed over as many, in the memory of one."""
    length: int = 160
    """Rows of a training sequence; a windowed net's windows have their own length."""
    burn: int = 32
    """First rows of a sequence that carry no loss: there the state is younger than the live one will be."""
    rate: float = 2e-3
    """Largest learning rate: reached after a tenth of all updates, then falling to nothing on a cosine."""
    decay: float = 0.3
    """Of matrices; biases and norms are left alone."""
    clip: float = 1.0
    """Largest norm of a gradient."""
    drop: float = 0.05
    """Share of inputs made unknown (0) in training, so that the net learns to do without."""
    class_weight: tuple[float, ...] | str | None = None
    """What a row of each class counts, in training and validation; "balanced": the same for every class as a whole,
    nothing for one that training never shows."""
    precision: str = "auto"
    """"float32", "bfloat16" (products of matrices in bfloat16, all else in float32), or "auto": the latter on CUDA.
    Validation is in float32, as live. Small recurrent nets are a fifth faster in float32, convolutions and transformers
    up to four times slower."""
    checkpointing: bool = False
    """Keep only what goes into each of a net's ``blocks``, and compute the rest again going backward. A net that has
    no ``blocks`` is trained as ever."""
    memory_limit: int = 0
    """Bytes; more than that at the end of a round raises MemoryError. 0: no limit."""
    graph: bool = True
    """On CUDA, record an update once and replay it: a small net's update is mostly the launching of its kernels. False
    for a net that does not do the same at every update."""
    threads: int = 1
    """Of the CPU. Two runs are the same to the bit with the same number of threads."""

    def __post_init__(self) -> None:
        for name in ("rounds", "updates", "batch", "accumulate", "length", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: at least 1")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r}: one of {', '.join(PRECISIONS)}")
        if not 0 <= self.drop < 1:
            raise ValueError(f"drop {self.drop}: a share of inputs, at least 0 and below 1")


@dataclass(frozen=True)
class Fitted:
    """The net as it was after the best round, on the CPU, and the losses on the way."""

    net: Any
    best: float
    history: tuple[tuple[float, float], ...]
    """(training loss, validation loss) of each round: the learning curve."""
    peak: int = 0
    """Bytes, see :func:`peak_memory`."""


def fit(
    net: Any,
    train: Sequence[Series],
    valid: Sequence[Series],
    config: Config = Config(),
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
) -> Fitted:
    """Minimise the cross-entropy of all known labels of all targets. ``net`` is trained in place and comes back.

    ``checkpoint`` is a file: written after every round, and where it exists the training goes on from it, to the same
    result as if it had never stopped. Random numbers outside are left as they were; the net's first weights are the
    caller's (``torch.manual_seed`` before it is built).

    Raises ValueError for labels that are all unknown or a checkpoint of another training, MemoryError above
    ``config.memory_limit``, FloatingPointError where the loss is not finite before any round was good.
    """
    place = find(device)
    with _settled(place, config.threads, seed):
        training = _Training(net, train, valid, config, seed, place, checkpoint)
        try:
            return training.run()
        finally:
            # Making an optimiser leaves a cycle through frames behind, which would keep the recordings on the device.
            vars(training).clear()


def predict(
    net: Any, series: Sequence[Series], device: str | torch.device = "auto"
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Logits (n, targets, classes) and labels (n, targets) of whole recordings, joined, each from a fresh state.

    What the net says live, tick by tick, within float32 rounding.
    """
    place = find(device)
    home = next(net.parameters()).device
    net.to(place)
    try:
        logits = _logits(net, _Laid(net, Windows(series, _length(net), padded=_windowed(net)), series, place))
    finally:
        net.to(home)
    return logits.cpu().numpy(), np.concatenate([s.label for s in series])


def find(device: str | torch.device = "auto") -> torch.device:
    """The device of that name; "auto": CUDA where it is, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    place = torch.device(device)
    return torch.device("cuda", torch.cuda.current_device()) if place.type == "cuda" and place.index is None else place


def peak_memory(device: str | torch.device = "cpu") -> int:
    """Bytes: on CUDA the most that tensors ever took, else the largest resident set of this process, libraries too."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def one_cycle(at: int, total: int, rate: float, warm: float = 0.1) -> float:
    """Learning rate of update ``at`` of ``total``: on a cosine from rate / 25 up to rate in the share ``warm``, then
    down to nearly nothing. Smith and Topin (2018), arXiv:1708.07120, without the cycle of the momentum."""
    rising = max(warm * total - 1, 1.0)
    if at <= rising:
        low, high, share = rate / 25, rate, at / rising
    else:
        low, high, share = rate, rate / 25e4, (at - rising) / max(total - 1 - rising, 1.0)
    return float(low + (high - low) * (1 - np.cos(np.pi * min(share, 1.0))) / 2)


def _windowed(net: Any) -> bool:
    if not isinstance(net, StreamingNet | WindowNet):
        raise TypeError(f"{type(net).__name__} is neither a StreamingNet nor a WindowNet")
    return isinstance(net, WindowNet)


def _length(net: Any) -> int:
    return net.window if _windowed(net) else 1


@contextmanager
def _settled(device: torch.device, threads: int, seed: int) -> Iterator[None]:
    """Seeded random numbers and that many threads inside, what was before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


class _Laid:
    """Recordings on a device, laid end to end as ``windows`` says.

    x (size, width) the net's inputs, label (size, targets) with 0 for unknown ones, worth (size, targets) what each
    counts: 0 where unknown, young (size,) whether it is a recording's first row.
    """

    def __init__(
        self, net: Any, windows: Windows, series: Sequence[Series], device: torch.device, classes: Any = None
    ) -> None:
        self.windows = windows
        targets = series[0].label.shape[1]
        self.x = torch.zeros(windows.size, net.inputs.width, device=device)
        self.label = torch.zeros(windows.size, targets, dtype=torch.int8, device=device)
        self.worth = torch.zeros(windows.size, targets, device=device)
        self.young = torch.zeros(windows.size, dtype=torch.bool, device=device)
        self.young[torch.from_numpy(windows.first[windows.count > 0])] = True
        for s, first in zip(series, windows.first.tolist(), strict=True):
            self._fill(net, first, np.asarray(s.rows, np.float32))
            known = s.label >= 0
            label = np.where(known, s.label, 0).astype(np.int8)
            worth = known.astype(np.float32)
            if classes is not None:
                worth *= classes[np.arange(targets), label]
            if s.weight is not None:
                worth *= s.weight[:, None]
            part = slice(first, first + len(s))
            self.label[part] = torch.from_numpy(label)
            self.worth[part] = torch.from_numpy(worth)

    @torch.no_grad()
    def _fill(self, net: Any, first: int, rows: NDArray[np.float32]) -> None:
        """The inputs of a recording, in stretches: scaling takes a dozen numbers for each one that it makes."""
        step = max(64, (2**25 if self.x.is_cuda else 2**22) // net.inputs.slope.numel())
        if net.inputs.timeframes:
            step = min(step, 256)  # a running mean is a product with a matrix of the stretch's length squared
        means = None
        for i in range(0, len(rows), step):
            part = torch.from_numpy(rows[i : i + step]).to(self.x.device)
            x, means = net.inputs(part.unsqueeze(0), means)
            self.x[first + i : first + i + len(part)] = x.squeeze(0)


def _logits(net: Any, laid: _Laid) -> Tensor:
    """(rows of all recordings joined, targets, classes), float32, on the device."""
    net.eval()
    cudnn = torch.backends.cudnn
    # In float32 throughout: cuDNN would round to tf32 by itself, and the exported file does not.
    with torch.no_grad(), cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        return (_looked if _windowed(net) else _streamed)(net, laid)


def _looked(net: Any, laid: _Laid) -> Tensor:
    device, length = laid.x.device, net.window
    first, count = laid.windows.first, laid.windows.count
    rows = np.concatenate([a + np.arange(n) for a, n in zip(first, count, strict=True)])
    start = torch.from_numpy(rows - (length - 1)).to(device)
    span = torch.arange(length, device=device)
    size = 512 if laid.x.is_cuda else 64
    return torch.cat([net.look(laid.x[part[:, None] + span]).float() for part in start.split(size)])


def _streamed(net: Any, laid: _Laid) -> Tensor:
    """Recordings of about one length run side by side; the shorter ones run on for nothing after their end."""
    device = laid.x.device
    first, count = laid.windows.first, laid.windows.count
    order = np.argsort(-count, kind="stable")
    order = order[count[order] > 0]
    at = np.concatenate([[0], np.cumsum(count)])
    config = net.config
    out = torch.empty(int(at[-1]), config.targets, config.classes, device=device)
    while len(order):
        longest = int(count[order[0]])
        group = order[(count[order] >= 0.8 * longest)][: 128 if laid.x.is_cuda else 16]
        order = order[len(group) :]
        begin = torch.from_numpy(first[group]).to(device)
        end = begin + torch.from_numpy(count[group]).to(device) - 1
        memory, said = None, []
        for i in range(0, longest, CHUNK):
            step = begin[:, None] + torch.arange(i, min(i + CHUNK, longest), device=device)
            logits, memory = net.scan(laid.x[torch.minimum(step, end[:, None])], memory)
            said.append(logits.float())
        whole = torch.cat(said, dim=1)  # (group, longest, targets, classes)
        for row, which in enumerate(group.tolist()):
            out[at[which] : at[which + 1]] = whole[row, : count[which]]
    return out


def _loss(logits: Tensor, label: Tensor, worth: Tensor) -> Tensor:
    """Mean over what counts of the cross-entropy; logits (..., targets, classes), label and worth (..., targets)."""
    each = F.cross_entropy(logits.flatten(0, -2), label.flatten().long(), reduction="none")
    share = worth.flatten().to(each.dtype)
    return (each * share).sum() / share.sum().clamp(min=1e-9)


class _Training:
    """One call of :func:`fit`."""

    def __init__(
        self,
        net: Any,
        train: Sequence[Series],
        valid: Sequence[Series],
        config: Config,
        seed: int,
        device: torch.device,
        checkpoint: str | Path | None,
    ) -> None:
        self.net, self.config, self.device, self.seed = net.to(device), config, device, seed
        self.windowed = _windowed(net)
        length = net.window if self.windowed else config.length
        if not self.windowed and config.burn >= config.length:
            raise ValueError(f"burn {config.burn} leaves nothing of a sequence of {config.length} rows")
        self.windows = Windows(train, length, config.burn, padded=self.windowed)
        if not len(self.windows) or not any((s.label >= 0).any() for s in valid):
            raise ValueError("no labels to learn from or to be judged by: all are -1 (not known)")
        classes = _class_weights(config.class_weight, train, net.config.classes)
        self.data = _Laid(net, self.windows, train, device, classes)
        plain = [Series(s.ts, s.rows, s.mid, s.label) for s in valid]  # rows all count the same here
        self.valid = _Laid(net, Windows(plain, _length(net), padded=self.windowed), plain, device, classes)
        self.judged = torch.cat(
            [torch.arange(a, a + n) for a, n in zip(self.valid.windows.first, self.valid.windows.count, strict=True)]
        ).to(device)
        self.rng = np.random.default_rng(seed)
        self.span = torch.arange(length, device=device)
        self.total = torch.zeros((), device=device)
        self.rate = torch.zeros((), device=device)
        matrices = [p for p in net.parameters() if p.requires_grad and p.ndim >= 2]
        others = [p for p in net.parameters() if p.requires_grad and p.ndim < 2]
        self.weights = matrices + others
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": config.decay}, {"params": others, "weight_decay": 0.0}],
            lr=self.rate, fused=True, capturable=device.type == "cuda",
        )  # fmt: skip
        self.half = config.precision == "bfloat16" or (config.precision == "auto" and device.type == "cuda")
        self.best, self.best_at, self.best_state = np.inf, -1, copy.deepcopy(net.state_dict())
        self.history: list[tuple[float, float]] = []
        self.file = None if checkpoint is None else Path(checkpoint)
        self.identity = None
        if self.file is not None:
            arrays = [a for s in (*train, *valid) for a in (s.rows, s.label, s.weight) if a is not None]
            what = {k: v for k, v in asdict(config).items() if k != "memory_limit"}
            # The recordings lie here as this net's scaling made them: weights of another scaling do not go with them.
            scaling = [b.detach().cpu().numpy() for b in net.inputs.buffers()]
            self.identity = repr((type(net).__name__, net.config, what, seed, digest(*arrays), digest(*scaling)))
            if self.file.exists():
                self._load()

    @property
    def over(self) -> bool:
        done = len(self.history)
        if done and not np.isfinite(self.history[-1][0]):
            return True
        return done >= self.config.rounds or done - 1 - self.best_at >= self.config.patience

    def run(self) -> Fitted:
        config, net = self.config, self.net
        rounds = range(len(self.history), config.rounds)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        with _recomputing(net) if config.checkpointing else nullcontext():
            update = _Update(self)
            bar = tqdm(rounds, f"seed {self.seed}", unit="round", leave=False, disable=None)
            for _ in bar:
                if self.over:
                    break
                self._round(update)
                bar.set_postfix_str(f"loss {self.history[-1][0]:.4f}, validation {self.history[-1][1]:.4f}")
                if self.file is not None:
                    self._save(self.file)
                peak = peak_memory(self.device)
                if config.memory_limit and peak > config.memory_limit:
                    raise MemoryError(f"peak of {peak:,} bytes, more than the limit of {config.memory_limit:,}")
        if not np.isfinite(self.best):
            raise FloatingPointError(f"the loss was never finite: {self.history}")
        net.load_state_dict(self.best_state)
        net.zero_grad(set_to_none=True)
        return Fitted(net.to("cpu").eval(), self.best, tuple(self.history), peak_memory(self.device))

    def _round(self, update: _Update) -> None:
        config, at = self.config, len(self.history)
        self.net.train()
        self.total.zero_()
        # All that a round needs goes to the device at once: an update does not wait for the host.
        start = self.windows.draw((config.updates, config.accumulate, config.batch), self.rng)
        total = config.rounds * config.updates
        rates = [one_cycle(at * config.updates + i, total, config.rate) for i in range(config.updates)]
        for begin, rate in zip(
            torch.from_numpy(start).to(self.device), torch.tensor(rates, device=self.device), strict=True
        ):
            update(begin, rate)
        loss = float(self.total) / (config.updates * config.accumulate)
        valid = self.valid
        logits = _logits(self.net, valid)
        judged = float(_loss(logits.double(), valid.label[self.judged], valid.worth[self.judged]))
        self.history.append((loss, judged))
        if judged < self.best - 1e-5:
            self.best, self.best_at = judged, at
            self.best_state = copy.deepcopy(self.net.state_dict())

    def update(self, start: Tensor) -> None:
        """One step of the optimiser; start (accumulate, batch). Nothing in it waits for the device."""
        self.optimiser.zero_grad(set_to_none=True)
        for part in start:
            loss = self._batch(part)
            (loss / len(start)).backward()
            self.total += loss.detach()
        nn.utils.clip_grad_norm_(self.weights, self.config.clip, foreach=True)
        self.optimiser.step()

    def _batch(self, start: Tensor) -> Tensor:
        data, config = self.data, self.config
        where = start[:, None] + self.span  # (batch, length)
        x = data.x[where]
        if config.drop:
            x = x.masked_fill(torch.rand_like(x) < config.drop, 0.0)
        # A recorded graph must not hold on to weights cast before it.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half, cache_enabled=False):
            if self.windowed:
                logits = self.net.look(x)
                where = where[:, -1]
            else:
                logits, _ = self.net.scan(x, None)
        label, worth = data.label[where], data.worth[where]
        if not self.windowed:
            burnt = (self.span < config.burn) & ~data.young[start][:, None]
            worth = worth.masked_fill(burnt[..., None], 0.0)
        return _loss(logits.float(), label, worth)

    def _save(self, file: Path) -> None:
        """Whole or not at all: a file beside it first, then its name."""
        state = {
            "identity": self.identity,
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "numpy": self.rng.bit_generator.state,
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "best": self.best,
            "best_at": self.best_at,
            "best_state": self.best_state,
            "history": self.history,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(file.name + ".part")
        torch.save(state, part)
        os.replace(part, file)

    def _load(self) -> None:
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        if state["identity"] != self.identity:
            raise ValueError(f"{self.file} is of another training: {state['identity']}, this is {self.identity}")
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.rng.bit_generator.state = state["numpy"]
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"].cpu(), self.device)
        self.best, self.best_at, self.best_state = state["best"], state["best_at"], state["best_state"]
        self.history = [(a, b) for a, b in state["history"]]


class _Update:
    """Calls ``update``; on CUDA after a few calls as a recorded graph, three launches instead of hundreds."""

    WARM = 3

    def __init__(self, training: _Training) -> None:
        config = training.config
        self.training = training
        self.begin = torch.zeros(config.accumulate, config.batch, dtype=torch.int64, device=training.device)
        # Recomputing sets random numbers back, which cannot be recorded.
        self.wanted = config.graph and training.device.type == "cuda" and not config.checkpointing
        self.stream: Any = _side_stream(training.device) if self.wanted else None
        self.graph: Any = None
        self.calls = 0

    def __call__(self, start: Tensor, rate: Tensor) -> None:
        self.begin.copy_(start)
        self.training.rate.copy_(rate)
        if self.wanted and self.graph is None and self.calls == self.WARM:
            self._record()
        if self.graph is not None:
            self.graph.replay()
        elif self.wanted:
            self._aside()
        else:
            self.training.update(self.begin)
        self.calls += 1

    def _aside(self) -> None:
        """An ordinary update in the stream that will be recorded; the last of them tells whether it can be."""
        main = torch.cuda.current_stream(self.training.device)
        self.stream.wait_stream(main)
        with torch.cuda.stream(self.stream):
            if self.calls < self.WARM - 1:
                self.training.update(self.begin)
            elif self._waits():
                warnings.warn("an update of this net waits for the device: it is launched, not recorded", stacklevel=4)
                self.wanted = False
        main.wait_stream(self.stream)

    def _waits(self) -> bool:
        """Update, and tell whether the host waited for the device in it. To record it and see would be worse: a
        recording that breaks off leaves the device's random numbers unusable."""
        mode = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                self.training.update(self.begin)
            finally:
                torch.cuda.set_sync_debug_mode(mode)
        return any("called a synchronizing" in str(one.message) for one in told)

    def _record(self) -> None:
        self.training.optimiser.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self.training.update(self.begin)
        except RuntimeError as e:
            raise RuntimeError("an update of this net cannot be recorded: train it with Config(graph=False)") from e
        self.graph = graph


@cache
def _side_stream(device: torch.device) -> Any:
    """One for all trainings: cuBLAS keeps 70 MB for every stream that it ever saw."""
    return torch.cuda.Stream(device)


@contextmanager
def _recomputing(net: nn.Module) -> Iterator[None]:
    """Every member of what a net calls ``blocks`` keeps, in training, only what went into it."""
    lists = [m for name, m in net.named_modules() if name.rpartition(".")[2] == "blocks"]
    places = [(block, call) for m in lists for block in m.children() for call in ("forward", "scan")]
    places = [(block, call) for block, call in places if hasattr(block, call)]
    for block, call in places:
        setattr(block, call, _lean(getattr(block, call)))
    try:
        yield
    finally:
        for block, call in places:
            delattr(block, call)


def _lean(plain: Any) -> Any:
    def call(*args: Any) -> Any:
        return recompute(plain, *args, use_reentrant=False) if torch.is_grad_enabled() else plain(*args)

    return call


def _class_weights(
    asked: tuple[float, ...] | str | None, series: Sequence[Series], classes: int
) -> NDArray[np.float32] | None:
    """(targets, classes) what each class counts, or None for all alike."""
    if asked is None:
        return None
    targets = series[0].label.shape[1]
    if not isinstance(asked, str):
        if len(asked) != classes:
            raise ValueError(f"{len(asked)} class weights for {classes} classes")
        return np.tile(np.asarray(asked, np.float32), (targets, 1))
    if asked != "balanced":
        raise ValueError(f"class_weight is a tuple, None or 'balanced', not {asked!r}")
    label = np.concatenate([s.label for s in series])
    count = np.stack([np.bincount(one[one >= 0], minlength=classes) for one in label.T])
    # A class that training never shows cannot be learned: in validation it must not outweigh those that can.
    worth = np.where(count > 0, count.sum(1, keepdims=True) / (classes * np.maximum(count, 1)), 0.0)
    return worth.astype(np.float32)
