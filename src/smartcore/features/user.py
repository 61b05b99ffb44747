"""Features of a user's own: a function per event, compiled once with Numba, run by the engine as a node like any other.

    @sc.feature(columns=["my_signal"], state={"n": 0, "mean": 0.0})
    def my_signal(state, bar):
        state.n += 1
        state.mean += (bar.close - state.mean) / state.n
        return bar.close / state.mean - 1

    sc.Engine(["rsi_14", "my_signal"])

The engine calls the machine code itself, from its plan, with the state in its own memory: history, live calls,
snapshots, copies and fingerprints hold for it as for a native kernel, and no call of Python happens. Numba is imported,
and the function compiled, when it is declared.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import math
import re
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from smartcore import _core
from smartcore.errors import InvalidFeature, UnknownFeature
from smartcore.features.catalogue import Kernel, Output, catalogue

F = TypeVar("F", bound=Callable[..., Any] | type)

# What wakes a function, by the name of its second argument, and the fields it sees of it. (What else an event carries
# is not kept where bars are taken in blocks, so no feature may read it.)
_FIELDS = {
    "bar": ("BAR", ("ts", "open", "high", "low", "close", "volume", "turnover")),
    "trade": ("TRADE", ("ts", "side", "price", "size")),
    "book": ("BOOK", ("ts", "bids", "asks", "fresh", "bid", "bid_size", "ask", "ask_size")),
    "score": ("SCORE", ("ts", "source", "value", "weight")),
    "aux": ("AUX", ("ts", "source", "value")),
    "peer": ("PEER", ("ts", "price", "volume", "net", "flow", "age", "updates")),
    "basket": ("BASKET", ("ts", "mean", "dispersion", "rank", "breadth", "flow", "fresh")),
    "factor": ("FACTOR", ("ts", "share", "loading", "score")),
}
_ALIAS = {"quote": "book"}
_MOST_COLUMNS, _MOST_BYTES = 32, 1 << 26


@dataclass(frozen=True)
class Declared:
    """What is known of a user's kernel. ``arrays``: those outside that its code reads, frozen when it was compiled."""

    kernel: Kernel
    module: str
    arrays: Mapping[str, NDArray[Any]]
    compiled: tuple[Any, ...] = field(repr=False)


_declared: dict[str, Declared] = {}
_kept: list[Any] = []  # machine code that some engine may still call lives as long as the process
_lock = threading.RLock()


@overload
def feature(columns: F, /) -> F: ...
@overload
def feature(
    columns: Iterable[str] | Mapping[str, str] | None = ...,
    *,
    state: Any = ...,
    params: Mapping[str, Any] | None = ...,
    name: str | None = ...,
    doc: str | None = ...,
    unit: str = ...,
    low: float = ...,
    high: float = ...,
    warmup: int = ...,
    source: str = ...,
) -> Callable[[F], F]: ...


def feature(
    columns: Any = None,
    *,
    state: Any = None,
    params: Mapping[str, Any] | None = None,
    name: str | None = None,
    doc: str | None = None,
    unit: str = "number",
    low: float = -math.inf,
    high: float = math.inf,
    warmup: int = 1,
    source: str = "",
) -> Any:
    """Declares a function as a feature and gives it back as it is.

    The function is ``f(state, EVENT)`` or ``f(state, EVENT, book)``, where the NAME of the second argument says what
    wakes it: ``bar``, ``trade``, ``book`` (or ``quote``: best levels after a message or quote), ``score``, ``aux``,
    ``peer``, ``basket``, ``factor``. It returns a number, or a tuple with one for each column; NaN for "not known yet",
    and so is what is not finite. Where it returns None the columns stay as they are. A feature of several events is a
    class of such functions, each named after its event. One that reads ``book`` is not called, and its columns are NaN,
    while the book is unknown.

    columns: names of the columns, or a dict of name to meaning; the function's own name if left out.
    state: what it keeps between events. A dict of initial numbers and arrays is read as ``state.mean`` and
        ``state.window[i]``; an array, or a number of zeros, as ``state[i]``. 16 zeros if left out.
    params: other values for arguments with defaults, ``def f(state, bar, *, window=20)``. They are compiled in.
    name: of the kernel; the function's if left out. ``doc``: its meaning; the first line of its docstring if left out.
    unit, low, high, warmup, source: for the catalogue, as of native kernels. What is outside low..high is not checked
        while it runs; ``smartcore audit`` says so.

    It is compiled now, in Numba's nopython mode, without fast-math. Arrays and numbers it reads from outside are frozen
    now. In it a division by zero gives an infinity, hence NaN; an index out of bounds, or anything it raises, gives NaN
    and leaves the state as it is at that point.

    Raises InvalidFeature for a name that is taken, a signature that is none of these, or code that does not compile.
    """
    if isinstance(columns, type) or (callable(columns) and not isinstance(columns, Mapping)):
        return feature()(columns)

    def declare(function: F) -> F:
        if not (isinstance(function, type) or isinstance(getattr(function, "py_func", function), types.FunctionType)):
            raise InvalidFeature(f"{function!r} is neither a function nor a class of functions")
        label = name or str(getattr(function, "__name__", ""))
        meanings = (
            columns if isinstance(columns, Mapping) else dict.fromkeys([label] if columns is None else columns, "")
        )
        about = doc if doc is not None else (inspect.getdoc(function) or "").split("\n")[0] or "A user's own feature."
        _declare(
            function, label, {str(k): str(v) or about for k, v in meanings.items()},
            state, dict(params or {}), about, unit, float(low), float(high), int(warmup), source,
        )  # fmt: skip
        return function

    if isinstance(columns, str):
        raise InvalidFeature(f"columns={columns!r}: a list of names is wanted")
    return declare


def forget(*names: str) -> None:
    """Takes kernels out of the catalogue again. Engines that have them keep them."""
    with _lock:
        for name in names:
            if name not in _declared:
                raise UnknownFeature(f"no feature {name!r} was declared; there is {', '.join(_declared) or 'none'}")
            del _declared[name]
            catalogue()._forget(name)


def declared() -> dict[str, Declared]:
    """Every kernel of users' own, by name."""
    return dict(_declared)


# ---- declaring ----


def _declare(
    function: Any,
    name: str,
    columns: dict[str, str],
    state: Any,
    params: dict[str, Any],
    doc: str,
    unit: str,
    low: float,
    high: float,
    warmup: int,
    source: str,
) -> None:
    _check_names(name, columns)
    if warmup < 1 or not low < high:
        raise InvalidFeature(
            f"{name}: warmup = {warmup}, low = {low:g}, high = {high:g}: at least 1, and low below high"
        )
    start = _initial(name, state)
    functions = {event: _bound(name, f, event, params) for event, f in _functions(name, function).items()}
    unused = set(params) - {key for f in functions.values() for key in f.constants}
    if unused:
        raise InvalidFeature(f"{name}: params {', '.join(sorted(unused))}: no argument with a default has that name")
    digest = _digest(functions, columns, start)
    before = _declared.get(name)
    with _lock:
        number, compiled = (before.kernel.number, before.compiled) if before else (-1, ())
        same = before is not None and before.kernel.version == digest
        if not same or _core.warmup(number, []) != warmup:
            codes, compiled = {}, ()
            for event, f in functions.items():
                code, writes = _compile(name, f, event, start, len(columns))
                codes[event] = (code.address, f.reads_book, writes)
                compiled += (code,)
            if not any(writes for _, _, writes in codes.values()):
                raise InvalidFeature(
                    f"{name}: returns nothing: a number is wanted, or a tuple with one for each column"
                )
            _kept.append(compiled)
            number = _core._declare(len(columns), warmup, start.tobytes(), codes)
            if before is not None and not same:
                warnings.warn(
                    f"feature {name!r} is declared anew with other code; engines made before keep the old one",
                    stacklevel=4,
                )
        kernel = Kernel(
            number=number,
            name=name,
            doc=doc,
            family="user",
            group="user",
            source=source,
            version=digest,
            wakes=tuple(functions),
            params=(),
            outputs=tuple(Output(column, meaning, unit, low, high) for column, meaning in columns.items()),
            defaults=(),
            names=tuple(columns),
        )
        arrays = {key: value for f in functions.values() for key, value in f.arrays.items()}
        _declared[name] = Declared(kernel, str(getattr(function, "__module__", "")), arrays, compiled)
        catalogue()._declare(kernel)


def _check_names(name: str, columns: dict[str, str]) -> None:
    if not 1 <= len(columns) <= _MOST_COLUMNS:
        raise InvalidFeature(f"{name}: {len(columns)} columns; there may be 1 to {_MOST_COLUMNS}")
    for text in (name, *columns):
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9.]+)*", text):
            raise InvalidFeature(f"{text!r}: a name is of small letters, digits and underscores, as in 'my_signal_20'")
    known = catalogue()
    if name in known._by_name and not known[name].names:
        raise InvalidFeature(f"{name!r} is a kernel of the catalogue")
    for column in columns:
        try:
            found = known.column(column)
        except UnknownFeature:
            continue
        if found.kernel.name != name:
            whose = f"of the feature {found.kernel.name!r}" if found.kernel.names else "of the catalogue"
            raise InvalidFeature(f"{column!r} is a column {whose}")


def _initial(name: str, state: Any) -> NDArray[Any]:
    """The state at the start: one record, or an array of numbers."""
    if state is None:
        start = np.zeros(16)
    elif isinstance(state, int) and not isinstance(state, bool):
        start = np.zeros(max(state, 0))
    elif isinstance(state, Mapping):
        values = {key: np.asarray(value) for key, value in state.items()}
        for key, value in values.items():
            if not str(key).isidentifier() or keyword.iskeyword(str(key)):
                raise InvalidFeature(f"{name}: state {key!r} is no name of a field")
            _check_numbers(f"{name}: state[{key!r}]", value)
        start = np.zeros(1, np.dtype([(str(k), _wide(v), v.shape) for k, v in values.items()], align=True))
        for key, value in values.items():
            start[key] = value
    else:
        start = np.array(state, order="C")
        _check_numbers(f"{name}: state", start)
        start = start.astype(_wide(start))
    if not 0 < start.nbytes <= _MOST_BYTES:
        raise InvalidFeature(f"{name}: a state of {start.nbytes:,} bytes; there may be 1 to {_MOST_BYTES:,}")
    return start


def _check_numbers(what: str, values: NDArray[Any]) -> None:
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8 or values.ndim > 4:
        raise InvalidFeature(f"{what} is of {values.dtype}: numbers and arrays of numbers are wanted")


def _wide(values: NDArray[Any]) -> np.dtype[Any]:
    """Python's own numbers are 64 bits wide on every platform; arrays keep their type."""
    return np.dtype(np.int64) if values.dtype == np.dtype(int) else values.dtype.newbyteorder("=")


@dataclass(frozen=True)
class _Bound:
    """A function with its constants in: ``call(state, event[, book])``."""

    call: types.FunctionType
    original: types.FunctionType
    constants: dict[str, Any]
    reads_book: bool
    names: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def _functions(name: str, function: Any) -> dict[str, types.FunctionType]:
    """By event."""
    if isinstance(function, type):
        methods = {
            key: value.__func__ if isinstance(value, staticmethod) else value
            for key, value in vars(function).items()
            if not key.startswith("_")
        }
        found = {_ALIAS.get(key, key): value for key, value in methods.items() if isinstance(value, types.FunctionType)}
        if not found or len(found) != len(methods) or set(found) - set(_FIELDS):
            raise InvalidFeature(f"{name}: a class of functions named {', '.join(_FIELDS)} is wanted, and nothing else")
        return found
    function = getattr(function, "py_func", function)  # what Numba has compiled already
    arguments = list(inspect.signature(function).parameters)
    event = _ALIAS.get(arguments[1], arguments[1]) if len(arguments) > 1 else ""
    if event not in _FIELDS:
        raise InvalidFeature(
            f"{name}({', '.join(arguments)}): the second argument says what wakes it: {', '.join(_FIELDS)}"
        )
    return {event: function}


def _bound(name: str, function: types.FunctionType, event: str, params: dict[str, Any]) -> _Bound:
    arguments = list(inspect.signature(function).parameters.values())
    shown = f"{name}{inspect.signature(function)}"
    if any(a.kind in (a.VAR_POSITIONAL, a.VAR_KEYWORD) for a in arguments):
        raise InvalidFeature(f"{shown}: * and ** cannot be compiled in")
    if function.__code__.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        raise InvalidFeature(f"{shown}: an ordinary function is wanted, without yield or async")
    plain = [a.name for a in arguments if a.default is a.empty and a.kind is not a.KEYWORD_ONLY]
    if len(plain) not in (2, 3) or _ALIAS.get(plain[1], plain[1]) != event or (len(plain) == 3 and plain[2] != "book"):
        raise InvalidFeature(f"{shown}: (state, {event}) or (state, {event}, book), then arguments with defaults")
    if len(plain) == 3 and event == "book":
        raise InvalidFeature(f"{shown}: the book is there already")
    constants = {a.name: params.get(a.name, a.default) for a in arguments if a.name not in plain}
    for key, value in constants.items():
        if value is inspect.Parameter.empty or not _is_constant(value):
            raise InvalidFeature(f"{shown}: {key} wants a default that is a number or a tuple of numbers")
    code = function.__code__
    taken = code.co_argcount + code.co_kwonlyargcount  # keyword-only arguments are compiled as ordinary ones
    call = types.FunctionType(
        code.replace(co_argcount=taken, co_posonlyargcount=0, co_kwonlyargcount=0),
        function.__globals__,
        function.__name__,
        tuple(constants[key] for key in code.co_varnames[len(plain) : taken]),
        function.__closure__,
    )
    if function.__module__ not in sys.modules:  # Numba would import it, and so run the user's module again
        call.__module__ = __name__
    names = dict(_outside(function))
    arrays = {key: value for key, value in names.items() if isinstance(value, np.ndarray)}
    return _Bound(call, function, constants, event == "book" or len(plain) == 3, names, arrays)


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_is_constant(v) for v in value)
    return isinstance(value, bool | int | float | np.number | np.bool_)


# ---- what a feature means, as a number ----


def _outside(function: types.FunctionType, seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Everything that code reads from outside: globals, closures, attributes of modules, and so on in what it calls."""
    seen = set() if seen is None else seen
    if id(function) in seen:
        return
    seen.add(id(function))
    codes, names = [function.__code__], set()
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    values = {key: function.__globals__[key] for key in sorted(names) if key in function.__globals__}
    for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        values[key] = cell.cell_contents
    for key, value in values.items():
        called = getattr(value, "py_func", value)
        if isinstance(value, types.ModuleType):
            yield key, value
            if value.__name__.split(".")[0] not in ("numpy", "math", "numba", "cmath"):
                yield from ((f"{key}.{n}", getattr(value, n)) for n in sorted(names) if hasattr(value, n))
        elif isinstance(called, types.FunctionType):
            yield key, called
            yield from ((f"{key}.{n}", v) for n, v in _outside(called, seen))
        else:
            yield key, value


def _text(value: Any) -> str:
    """A value as it enters the digest."""
    if isinstance(value, np.ndarray):
        import hashlib

        return f"{value.dtype.str}{value.shape}{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, types.FunctionType):
        return _source(value)
    if isinstance(value, tuple):
        return f"({', '.join(_text(v) for v in value)})"
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return repr(value)
    return (
        f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', getattr(value, '__name__', type(value)))}"
    )


def _source(function: types.FunctionType) -> str:
    """The body without comments, docstring, annotations and layout; the bytecode where there is no source."""
    import textwrap
    import tokenize

    code = function.__code__
    arguments = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        node = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function.__name__)
    except (OSError, TypeError, SyntaxError, StopIteration, tokenize.TokenError):
        node = None
    # Code that was executed under the name of some other file finds other lines there.
    if node is None or [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)] != arguments:
        return f"{code.co_code.hex()} {code.co_consts!r} {code.co_names} {code.co_varnames}"
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return "\n".join([", ".join(arguments), *(ast.unparse(statement) for statement in body)])


def _digest(functions: dict[str, _Bound], columns: dict[str, str], start: NDArray[Any]) -> int:
    """Equal only if the numbers are: code, constants, what it reads outside, columns, layout and start of the state."""
    import hashlib

    digest = hashlib.sha256(f"{list(columns)}|{start.dtype.descr}|{start.shape}".encode() + start.tobytes())
    for event, f in functions.items():
        digest.update(f"|{event}|{_source(f.original)}|{sorted(f.constants.items())}".encode())
        for key, value in sorted(f.names.items()):
            digest.update(f"|{key}={_text(value)}".encode())
    return int(digest.hexdigest()[:13], 16)  # 52 bits: JSON keeps them


# ---- compiling ----


def _compile(name: str, f: _Bound, event: str, start: NDArray[Any], columns: int) -> tuple[Any, bool]:
    """The C function and whether it ever writes."""
    import numba

    if numba.config.DISABLE_JIT:
        raise InvalidFeature(f"{name}: Numba is switched off (NUMBA_DISABLE_JIT)")
    as_record = start.dtype.names is not None
    state_type, event_type, book_type = (numba.from_dtype(d) for d in (start.dtype, _record(event), _record("book")))
    given = numba.types.Array(state_type, start.ndim, "C") if not as_record else state_type
    update = numba.njit(boundscheck=True, error_model="numpy", nogil=True)(f.call)
    taken = [given, event_type, *([book_type] if f.reads_book and event != "book" else [])]
    try:
        update.compile((*taken, *(numba.types.Omitted(value) for value in f.call.__defaults__ or ())))
        result = update.nopython_signatures[-1].return_type
    except Exception as error:  # Numba's own errors, and what escapes it
        known = {str(given): "state", str(event_type): event, str(book_type): "book"}
        raise InvalidFeature(f"{name}: {_readable(error, f.original, known)}") from None
    lines, writes = _answer(name, result, columns)
    given_state = "carray(state, 1)[0]" if as_record else "carray(state, shape)"
    given_book = ", carray(book, 1)[0]" if len(taken) == 3 else ""
    text = "\n".join(
        [
            "def entry(state, event, book, out):",
            "    try:",
            f"        value = update({given_state}, carray(event, 1)[0]{given_book})",
            *(f"        {line}" for line in lines),
            "    except Exception:",
            *(f"        out[{i}] = nan" for i in range(columns)),
            "    return 1",
        ]
    )
    from numba.typed.typedobjectutils import _nonoptional

    scope = {
        "update": update,
        "known": _nonoptional,
        "carray": numba.carray,
        "shape": start.shape,
        "nan": math.nan,
        "inf": math.inf,
    }
    exec(text, scope)
    pointers = [numba.types.CPointer(t) for t in (state_type, event_type, book_type, numba.types.float64)]
    compiled = numba.cfunc(numba.types.int32(*pointers), error_model="numpy")(scope["entry"])
    return compiled, writes


def _record(event: str) -> np.dtype[Any]:
    dtype, names = _FIELDS[event]
    whole = getattr(_core, dtype)
    kept = [(n, *whole.fields[n]) for n in names]
    return np.dtype(
        {"names": [k[0] for k in kept], "formats": [k[1] for k in kept], "offsets": [k[2] for k in kept],
         "itemsize": whole.itemsize}
    )  # fmt: skip


def _answer(name: str, result: Any, columns: int) -> tuple[list[str], bool]:
    """Lines that write what a function returned."""
    from numba import types as nt

    def number(t: Any) -> bool:
        return isinstance(t, nt.Integer | nt.Float | nt.Boolean)

    lines, given = [], "value"
    if isinstance(result, nt.NoneType):
        return ["return 0"], False
    if isinstance(result, nt.Optional):
        lines, result = ["if value is None:", "    return 0"], result.type
        given = "known(value)"
    if number(result):
        values = {given: result}
    elif isinstance(result, nt.BaseTuple) and all(number(t) for t in result):
        values = {f"{given}[{i}]": t for i, t in enumerate(result)}
    else:
        shown = re.sub(r"\(.*", "", str(result))
        raise InvalidFeature(f"{name}: returns {shown}; a number is wanted, or a tuple with one for each column")
    if len(values) != columns:
        raise InvalidFeature(f"{name}: returns {len(values)} numbers for {columns} columns")
    for i, (value, t) in enumerate(values.items()):
        as_float = f"1.0 if {value} else 0.0" if isinstance(t, nt.Boolean) else f"float({value})"
        lines += [f"x{i} = {as_float}", f"out[{i}] = x{i} if -inf < x{i} < inf else nan"]
    return lines, True


def _readable(error: Exception, function: types.FunctionType, known: dict[str, str]) -> str:
    """What Numba says, in one line, and where in the user's code."""
    import linecache

    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    for long, short in known.items():
        text = text.replace(long, short)
    text = re.sub(r"Record\(\(?\[.*?\]\)?, \d+, (?:True|False)\)", "record", text)
    said = [
        line.strip() for line in text.split("\n") if line.strip() and not line.startswith("Failed in nopython mode")
    ]
    file = function.__code__.co_filename
    places = [
        int(line) for path, line in re.findall(r'File "([^"]+)", line (\d+)', text) if file.endswith(path.lstrip("./"))
    ]
    places += [
        int(line) for path, line in re.findall(r"at ([^\s()]+) \((\d+)\)", text) if file.endswith(path.lstrip("./"))
    ]
    loc = getattr(error, "loc", None)
    if not places and loc is not None and getattr(loc, "line", None):
        places = [loc.line]
    if isinstance(error, KeyError):  # a field that a record does not have
        field, first = str(error.args[0]), function.__code__.co_firstlineno
        lines = linecache.getlines(file)[first - 1 :]
        said, places = [f"no field {field!r}"], [first + i for i, line in enumerate(lines) if f".{field}" in line][:1]
    line = places[-1] if places else function.__code__.co_firstlineno
    source = linecache.getline(file, line).strip()
    return f"{said[0] if said else type(error).__name__} (line {line} of {file}{': ' + source if source else ''})"
