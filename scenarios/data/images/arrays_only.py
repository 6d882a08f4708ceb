"""Arrays out of published pickles, without unpickling: a walk over the opcodes that calls nothing.

A pickle is a program that builds a value on a stack, and an unpickler runs it: it looks up any name, calls it, and
sets attributes of what comes back. Here `pickletools.genops` only lists the instructions. Those that make numbers,
texts, lists, one dictionary and plain arrays are followed on a stack of our own; the six names that arrays need are
inert tokens, never looked up; every other name and instruction is refused. A list holds numbers and texts alone and a
tuple at most one level of tuples, so that nothing nests and nothing is cyclic, and every limit is a count of
instructions or bytes: the time that a file takes does not depend on what it claims.
"""

from __future__ import annotations

import math
import mmap
import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from ..arrays import DataError, convert_read_errors, make_data_error, open_file

MOST_BYTES = 2 * 10**9
"""Largest file that is read."""

MOST_ITEMS = 4_000_000
"""So many instructions are followed; a batch of ImageNet has 130,000."""

_MARKS = 8
"""So many marks may be open at once; arrays in a dictionary need three."""


class _Token(Enum):
    """A name that arrays are pickled with; it stands for itself."""

    RECONSTRUCT = "_reconstruct"
    NDARRAY = "ndarray"
    DTYPE = "dtype"
    ENCODE = "encode"


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Token.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _Token.RECONSTRUCT,
    ("numpy", "ndarray"): _Token.NDARRAY,
    ("numpy", "dtype"): _Token.DTYPE,
    ("_codecs", "encode"): _Token.ENCODE,
}

_TYPES = {f"{kind}{size}" for kind, size in [*((k, s) for k in "iu" for s in (1, 2, 4, 8)), ("f", 4), ("f", 8)]}


@dataclass
class _Type:
    """The type of an array; `order` is empty until it is built."""

    code: str
    order: str = ""


@dataclass
class _Array:
    """An array; without numbers until it is built."""

    numbers: NDArray[Any] | None = None


_SCALARS = {type(None), bool, int, float, str, bytes}
_IN_TUPLES = _SCALARS | {_Token, _Type, tuple}
_IN_DICTIONARIES = _SCALARS | {list, _Array}


class _Pairs(tuple[Any, ...]):
    """A tuple that holds tuples, and may be in none."""

    __slots__ = ()


class _RefusalError(Exception):
    """Why an instruction is not followed."""


def _refuse(words: str) -> NoReturn:
    raise _RefusalError(words)


def read_pickled_arrays(path: Path) -> Any:
    """Return what a pickle of protocol 0 to 4 holds: numbers, text, a list of them, an array, or a dictionary of these.

    Arrays are of integers of 1 to 8 bytes or of floats of 4 or 8; texts of Python 2 are read as latin-1.

    Raises
    ------
    DataError
        When the file holds anything else, is damaged, or goes on behind its end; with the byte, and the name that it
        asked for.
    """
    whole = convert_read_errors(path, "a pickle of arrays")
    with open_file(path) as file, whole, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of odd escapes in texts of Python 2
        if not 0 < (size := path.stat().st_size) <= MOST_BYTES:
            raise make_data_error(f"{path} has {size} bytes", f"a pickle of arrays has 1 to {MOST_BYTES}")
        with mmap.mmap(file.handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _follow(path, content)


def _follow(path: Path, content: mmap.mmap) -> Any:
    """Return the value that the instructions in a file build."""
    walk, at = _Walk(len(content)), 0
    try:
        for count, (opcode, argument, position) in enumerate(pickletools.genops(cast("IO[bytes]", content))):
            at = walk.at = position or 0
            if count == MOST_ITEMS:
                _refuse(f"has more than {MOST_ITEMS} instructions")
            if opcode.name == "STOP":
                return walk.finish()
            step = _STEPS.get(opcode.name)
            if step is None:
                _refuse(f"holds the instruction {opcode.name}, which no plain array needs")
            step(walk, argument)
    except _RefusalError as error:
        words = str(error)
    except (ValueError, OverflowError) as error:  # `genops` tells damage so
        words = f"cannot be read: {str(error)[:100]!r}"
    raise _make_fault(path, at, words)


def _make_fault(path: Path, at: int, words: str) -> DataError:
    hint = "give the published file, downloaded again: plain arrays, numbers and texts are read, and nothing is run"
    return make_data_error(f"{path}, byte {at}: {words}", hint)


@dataclass
class _Walk:
    """The stack of a pickle, the stacks below its open marks, and what it remembers."""

    size: int
    at: int = 0
    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Take the uppermost value, not across a mark."""
        return self.stack.pop() if self.stack else _refuse("takes from an empty stack")

    def top(self, kind: type) -> Any:
        """Return the uppermost value, which is of a kind, and leave it there."""
        if not self.stack or type(self.stack[-1]) is not kind:
            _refuse(f"needs a {kind.__name__} that is not there")
        return self.stack[-1]

    def mark(self) -> None:
        """Begin a new stack above this one."""
        if len(self.below) == _MARKS:
            _refuse(f"nests more than {_MARKS} deep")
        self.below.append(self.stack)
        self.stack = []

    def take(self) -> list[Any]:
        """Return everything above the last mark, and go back below it."""
        if not self.below:
            _refuse("needs a mark that is not there")
        items, self.stack = self.stack, self.below.pop()
        return items

    def remember(self, index: int) -> None:
        """Keep the uppermost value under a number."""
        self.memo[index] = self.stack[-1] if self.stack else _refuse("remembers from an empty stack")

    def recall(self, index: int) -> None:
        """Put what was kept under a number on the stack."""
        self.push(self.memo[index] if index in self.memo else _refuse(f"recalls number {index}, which it never kept"))

    def finish(self) -> Any:
        """Return the only value that is left."""
        if self.at + 1 != self.size:
            _refuse(f"ends there, and {self.size - self.at - 1} bytes follow")
        if self.below or len(self.stack) != 1:
            _refuse("ends with other than one value")
        value = self.stack[0]
        if type(value) is dict:
            return {key: _get_plain(inside) for key, inside in value.items()}
        _check_value(value)
        return _get_plain(value)


def _get_plain(value: Any) -> Any:
    if type(value) is not _Array:
        return value
    return _refuse("ends with an array that has no numbers") if value.numbers is None else value.numbers


def _check_value(value: Any) -> None:
    if type(value) not in _IN_DICTIONARIES:
        _refuse(f"keeps a {type(value).__name__.strip('_')} where a number, a text, a list or an array may be")


def _check_proto(_: _Walk, version: int) -> None:
    if version > 5:
        _refuse(f"is of protocol {version}, and 0 to 5 exist")


def _check_frame(walk: _Walk, length: int) -> None:
    if walk.at + 9 + length > walk.size:
        _refuse(f"promises a frame of {length} bytes, more than the file has left")


def _make_tuple(walk: _Walk, items: list[Any]) -> None:
    kinds = set(map(type, items))
    if not kinds <= _IN_TUPLES:
        _refuse("has a tuple of other than numbers, texts and flat tuples")
    walk.push(_Pairs(items) if tuple in kinds else tuple(items))


def _extend_list(walk: _Walk, items: list[Any]) -> None:
    found: list[Any] = walk.top(list)
    if not set(map(type, items)) <= _SCALARS:
        _refuse("has a list of other than numbers and texts")
    found.extend(items)


def _set_items(walk: _Walk, items: list[Any]) -> None:
    found: dict[str, Any] = walk.top(dict)
    if len(items) % 2:
        _refuse("has a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) is not str:
            _refuse(f"has a {type(key).__name__.strip('_')} as a key, and keys are text")
        _check_value(value)
        found[key] = value


def _start_then(start: list[Any] | dict[str, Any], fill: Callable[[_Walk, list[Any]], None], walk: _Walk) -> None:
    """Put a list or a dictionary of everything above the mark on the stack."""
    items = walk.take()
    walk.push(start)
    fill(walk, items)


def _pop_several(walk: _Walk, count: int) -> list[Any]:
    return [walk.pop() for _ in range(count)][::-1]


def _name(walk: _Walk, module: Any, name: Any) -> None:
    if type(module) is not str or type(name) is not str or (module, name) not in _NAMES:
        _refuse(f"asks for {f'{module!s:.80}.{name!s:.80}'!r}, which no plain array needs")
    walk.push(_NAMES[module, name])


def _reduce(walk: _Walk) -> None:
    """Put what an array, its type or its bytes begin as on the stack; nothing is called."""
    name, given = _pop_several(walk, 2)
    if type(name) is not _Token or not isinstance(given, tuple):
        _refuse("calls something that is no part of an array")
    kinds = list(map(type, given))
    if name is _Token.RECONSTRUCT and given[0:1] == (_Token.NDARRAY,) and given[1:] in (((0,), b"b"), ((0,), "b")):
        walk.push(_Array())
    elif name is _Token.DTYPE and len(given) == 3 and kinds[0] is str and set(kinds[1:]) <= {bool, int}:
        walk.push(_Type(given[0]) if given[0] in _TYPES else _refuse(f"has an array of the type {given[0][:20]!r}"))
    elif name is _Token.ENCODE and kinds == [str, str] and given[1] == "latin1":
        walk.push(given[0].encode("latin-1"))
    else:
        _refuse(f"calls {name.value} with other than an array needs")


def _build(walk: _Walk) -> None:
    """Give a type its byte order, or an array its numbers, once."""
    state, built = walk.pop(), walk.stack[-1] if walk.stack else None
    if type(built) is _Type and not built.order and type(state) is tuple and len(state) == 8:
        if state[0] == 3 and state[1] in ("<", ">", "|") and state[2:] == (None, None, None, -1, -1, 0):
            built.order = state[1]
            return
    elif type(built) is _Array and built.numbers is None and isinstance(state, tuple) and len(state) == 5:
        built.numbers = _make_array(*state)
        return
    _refuse("gives something a state that is no part of a plain array")


def _make_array(version: Any, shape: Any, kind: Any, fortran: Any, numbers: Any) -> NDArray[Any]:
    if version != 1 or type(kind) is not _Type or not kind.order or type(fortran) not in (bool, int):
        _refuse("has an array of another than a plain type")
    if type(shape) is not tuple or len(shape) > 8 or not all(type(side) is int and 0 <= side < 2**63 for side in shape):
        _refuse("has an array without a shape of at most 8 whole numbers")
    if type(numbers) is str:  # bytes of Python 2
        numbers = numbers.encode("latin-1")
    dtype = np.dtype(kind.order.strip("|") + kind.code)
    if type(numbers) is not bytes or math.prod(shape) * dtype.itemsize != len(numbers):
        held = f"{len(numbers)} bytes" if type(numbers) is bytes else "no bytes"
        _refuse(f"has an array of shape {shape} and type {dtype} with {held}")
    return np.frombuffer(numbers, dtype).reshape(shape, order="F" if fortran else "C")


_PUSHED = (
    "INT LONG LONG1 BININT BININT1 BININT2 BINFLOAT UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8 STRING BINSTRING SHORT_BINSTRING"
)

_STEPS: dict[str, Callable[[_Walk, Any], None]] = {
    **dict.fromkeys(_PUSHED.split(), _Walk.push),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Walk.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Walk.recall),
    "PROTO": _check_proto,
    "FRAME": _check_frame,
    "MARK": lambda walk, _: walk.mark(),
    "POP": lambda walk, _: walk.pop(),
    "NONE": lambda walk, _: walk.push(None),
    "NEWTRUE": lambda walk, _: walk.push(True),
    "NEWFALSE": lambda walk, _: walk.push(False),
    "MEMOIZE": lambda walk, _: walk.remember(len(walk.memo)),
    "EMPTY_LIST": lambda walk, _: walk.push([]),
    "EMPTY_DICT": lambda walk, _: walk.push({}),
    "EMPTY_TUPLE": lambda walk, _: walk.push(()),
    "LIST": lambda walk, _: _start_then([], _extend_list, walk),
    "DICT": lambda walk, _: _start_then({}, _set_items, walk),
    "TUPLE": lambda walk, _: _make_tuple(walk, walk.take()),
    "TUPLE1": lambda walk, _: _make_tuple(walk, _pop_several(walk, 1)),
    "TUPLE2": lambda walk, _: _make_tuple(walk, _pop_several(walk, 2)),
    "TUPLE3": lambda walk, _: _make_tuple(walk, _pop_several(walk, 3)),
    "APPEND": lambda walk, _: _extend_list(walk, _pop_several(walk, 1)),
    "APPENDS": lambda walk, _: _extend_list(walk, walk.take()),
    "SETITEM": lambda walk, _: _set_items(walk, _pop_several(walk, 2)),
    "SETITEMS": lambda walk, _: _set_items(walk, walk.take()),
    "GLOBAL": lambda walk, names: _name(walk, *names.split(" ", 1)),
    "STACK_GLOBAL": lambda walk, _: _name(walk, *_pop_several(walk, 2)),
    "REDUCE": lambda walk, _: _reduce(walk),
    "BUILD": lambda walk, _: _build(walk),
}
"""What is done at each instruction that is followed."""
