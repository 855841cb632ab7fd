"""Pickles as plain data: an interpreter of the opcodes that imports nothing and calls nothing.

A pickle is a program for a stack machine (docs.python.org/3/library/pickletools.html). Here a class or function that
it names becomes a `Global`, and what it would have called becomes an `Object` that only remembers the call. Names
outside of the packages of published networks are refused, so that a hostile file shows.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

PREFIXES = ("torch_utils.", "dnnlib.", "training.", "metrics.", "torch.nn.modules.")
"""Of the names of a published network's own classes."""
_BUILTINS = "object dict list tuple set frozenset int float bool complex str bytes bytearray slice range"
_TORCH = "Size device float32 float16 float64 int64 FloatStorage HalfStorage DoubleStorage LongStorage IntStorage "
_TORCH += "ShortStorage CharStorage ByteStorage BoolStorage BFloat16Storage _utils._rebuild_tensor "
_TORCH += "_utils._rebuild_tensor_v2 _utils._rebuild_parameter storage._load_from_bytes nn.parameter.Parameter"
_NUMPY = "ndarray dtype core.multiarray._reconstruct core.multiarray.scalar _core.multiarray._reconstruct "
_NUMPY += "_core.multiarray.scalar"
NAMES = {
    f"{package}.{name}"
    for package, names in (
        ("builtins", _BUILTINS),
        ("__builtin__", _BUILTINS),
        ("collections", "OrderedDict defaultdict"),
        ("copyreg", "_reconstructor __newobj__"),
        ("copy_reg", "_reconstructor __newobj__"),
        ("_codecs", "encode"),
        ("torch", _TORCH),
        ("numpy", _NUMPY),
    )
    for name in names.split()
}
"""All other names that plain data and tensors are pickled by."""


class PickleRefusedError(Exception):
    """A pickle that is damaged, or holds what a network's weights never hold; the sentence says what."""


@dataclass(frozen=True)
class Global:
    """A name that the pickle mentions. Nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Object:
    """What would have come of a call: what was to be called, with what, and what was added afterwards."""

    maker: object
    arguments: tuple[object, ...] = ()
    state: object = None
    entries: dict[object, object] = field(default_factory=dict)
    items: list[object] = field(default_factory=list)

    def made_by(self, *names: str) -> bool:
        """Whether its maker has one of these full names."""
        return isinstance(self.maker, Global) and str(self.maker) in names


@dataclass(frozen=True, eq=False)
class Persistent:
    """A reference to something that lies outside of the pickle."""

    key: object


Persist = Callable[[object], object]


def read_pickle(file: BinaryIO, persist: Persist = Persistent) -> object:
    """The next pickle of a file, up to its end. `persist` gives what its outside references stand for.

    Raises PickleRefusedError.
    """
    machine = _Machine(persist)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except (KeyError, MemoryError) as error:  # what is not in the memo, or longer than memory: nothing to quote
        raise PickleRefusedError("It is no whole pickle.") from error
    except (ValueError, IndexError, OverflowError, UnicodeError) as error:
        raise PickleRefusedError(f"It is no whole pickle ({error}).") from error
    raise PickleRefusedError("It is no whole pickle (it has no end).")


_MARK = object()
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_ARGUMENTS = {*_NUMBERS, *_TEXTS, *_BYTES}
_NEW: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_DICT": dict,
    "MARK": lambda: _MARK,
}
_SIZED_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """Stack and memo. A set becomes a list."""

    def __init__(self, persist: Persist) -> None:
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}
        self._persist = persist

    def pop(self) -> Any:  # noqa: ANN401 - whatever the pickle has put there
        """Raises IndexError when there is nothing."""
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value is due")
        return value

    def step(self, name: str, argument: Any) -> None:  # noqa: ANN401
        if name in _ARGUMENTS:
            self._stack.append(argument)
        elif name in _NEW:
            self._stack.append(_NEW[name]())
        elif name in _SIZED_TUPLES:
            self._stack.append(tuple(reversed([self.pop() for _ in range(_SIZED_TUPLES[name])])))
        elif name not in ("PROTO", "FRAME"):
            self._other(name, argument)

    def _other(self, name: str, argument: Any) -> None:  # noqa: ANN401
        handler = getattr(self, f"_{name.lower()}", None)
        if handler is None:
            raise PickleRefusedError(f"It uses {name}, which no published network needs.")
        handler(argument)

    def _since_mark(self) -> list[object]:
        values: list[object] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    # Names and calls

    def _global(self, argument: str) -> None:
        self._stack.append(_named(*argument.split(" ", 1)))

    def _stack_global(self, _: None) -> None:
        name, module = self.pop(), self.pop()
        self._stack.append(_named(module, name))

    def _inst(self, argument: str) -> None:
        self._stack.append(Object(_named(*argument.split(" ", 1)), tuple(self._since_mark())))

    def _obj(self, _: None) -> None:
        maker, *arguments = self._since_mark()
        self._stack.append(Object(maker, tuple(arguments)))

    def _reduce(self, _: None) -> None:
        arguments, maker = self.pop(), self.pop()
        self._stack.append(Object(maker, _tuple(arguments)))

    _newobj = _reduce

    def _newobj_ex(self, _: None) -> None:
        keywords, arguments, maker = self.pop(), self.pop(), self.pop()
        self._stack.append(Object(maker, (*_tuple(arguments), keywords)))

    def _build(self, _: None) -> None:
        state, target = self.pop(), self.pop()
        if not isinstance(target, Object):
            raise ValueError("a state for what is no object")
        target.state = state
        self._stack.append(target)

    def _binpersid(self, _: None) -> None:
        self._stack.append(self._persist(self.pop()))

    def _persid(self, argument: str) -> None:
        self._stack.append(self._persist(argument))

    # Containers

    def _tuple(self, _: None) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _list(self, _: None) -> None:
        self._stack.append(self._since_mark())

    _frozenset = _list

    def _dict(self, _: None) -> None:
        self._stack.append(dict(_pairs(self._since_mark())))

    def _append(self, _: None) -> None:
        value = self.pop()
        self._items().append(value)

    def _appends(self, _: None) -> None:
        values = self._since_mark()
        self._items().extend(values)

    _additems = _appends

    def _setitem(self, _: None) -> None:
        value, key = self.pop(), self.pop()
        self._entries().update(_pairs([key, value]))

    def _setitems(self, _: None) -> None:
        values = self._since_mark()
        self._entries().update(_pairs(values))

    def _items(self) -> list[object]:
        target = self._stack[-1]
        found = target.items if isinstance(target, Object) else target
        if not isinstance(found, list):
            raise ValueError("items for what is no list")
        return found

    def _entries(self) -> dict[object, object]:
        target = self._stack[-1]
        found = target.entries if isinstance(target, Object) else target
        if not isinstance(found, dict):
            raise ValueError("entries for what is no dictionary")
        return found

    # Stack and memo

    def _pop(self, _: None) -> None:
        self._stack.pop()

    def _pop_mark(self, _: None) -> None:
        self._since_mark()

    def _dup(self, _: None) -> None:
        self._stack.append(self._stack[-1])

    def _memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _put(self, argument: Any) -> None:  # noqa: ANN401 - PUT's is text
        self._memo[int(argument)] = self._stack[-1]

    _binput = _long_binput = _put

    def _get(self, argument: Any) -> None:  # noqa: ANN401 - GET's is text
        self._stack.append(self._memo[int(argument)])

    _binget = _long_binget = _get


def _named(module: object, name: object) -> Global:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a name that is no text")
    full = f"{module}.{name}"
    if full not in NAMES and not full.startswith(PREFIXES):
        raise PickleRefusedError(f"It names {full}, which no network's weights need. Do not trust this file.")
    return Global(module, name)


def _pairs(values: Sequence[object]) -> Iterator[tuple[object, object]]:
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str | int | float | bytes | None):
            raise PickleRefusedError(f"A key of a dictionary is {type(key).__name__}; a network's are names.")
        yield key, value


def _tuple(arguments: object) -> tuple[object, ...]:
    if not isinstance(arguments, tuple):
        raise ValueError("a call without its arguments")
    return arguments
