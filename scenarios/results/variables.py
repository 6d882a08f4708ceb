"""Labelled arrays: what a result file holds, and the rules that make it open everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
_STORED = {"bool", *_INTEGERS, "float32", "float64", "complex64", "complex128"}


class Variable(NamedTuple):
    """An array with named dimensions.

    A variable whose only dimension is its own name is the coordinate of that dimension.
    """

    dims: tuple[str, ...]
    """One name per axis; ``()`` for a scalar."""

    data: Any
    """Numbers, booleans or strings, as `numpy.asarray` takes them; a NumPy array after `load`."""

    units: str = "1"
    """Symbol such as ``s`` or ``V``; strings have none and ignore it."""

    long_name: str = ""
    """What a reader should see on an axis; labels without it are names of what their dimension is called."""

    flags: type[IntEnum] | None = None
    """The enumeration behind the integers in `data`; its values fit int8."""


Group = dict[str, Variable]


def make_flags(meanings: str, values: Iterable[int]) -> type[IntEnum]:
    """Return the enumeration that the attributes of a file describe: words, and the integers that stand for them."""
    members: Any = [(word, int(value)) for word, value in zip(meanings.upper().split(), values, strict=True)]
    make: Any = IntEnum
    return cast("type[IntEnum]", make("Flags", members))


def refuse_text(where: str, text: str) -> None:
    """Raise ValueError for text that HDF5 or UTF-8 cannot hold; `where` names it."""
    if "\0" in text or text.encode(errors="ignore").decode() != text:
        raise ValueError(f"{where} holds {text!r}: NUL and surrogates cannot be stored; remove them")


def complete_groups(groups: Mapping[str, Group]) -> dict[str, Group]:
    """Return the groups, parents first, with NumPy arrays as data and a coordinate for every dimension.

    A missing coordinate is that of a parent group, else an integer index from 0.

    Raises
    ------
    ValueError
        For names, types or texts that cannot be stored, and sizes or coordinates that disagree.
    """
    done: dict[str, Group] = {}
    for path in sorted(groups, key=lambda path: path.count("/")):
        for name in path.split("/"):
            _refuse_name(f"group {path!r}", name)
        above = list_parents(path)
        if any(child[len(group) + 1 :] in done.get(group, {}) for group, child in pairwise([*above, path])):
            raise ValueError(f"group {path!r}: a parent has a variable or dimension of the same name; rename one")
        inherited = {name: v for group in above for name, v in done.get(group, {}).items() if v.dims == (name,)}
        checked = {
            name: _check_variable(f"variable '{path}/{name}'", name, given) for name, given in groups[path].items()
        }
        done[path] = _add_coordinates(f"group {path!r}", checked, inherited)
    return done


def list_parents(path: str) -> list[str]:
    """Return the groups above a slash path, outermost first."""
    names = path.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names))]


def _refuse_name(where: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{where}: name {name!r} must be letters, digits, '_', '.', '-'; rename it")


def _add_coordinates(where: str, group: Group, inherited: Group) -> Group:
    """Return the group with a coordinate for every dimension, coordinates first."""
    sizes: dict[str, dict[int, str]] = {}
    for name, variable in group.items():
        for dim, size in zip(variable.dims, variable.data.shape, strict=True):
            sizes.setdefault(dim, {}).setdefault(size, name)
    coordinates = {}
    for dim, found in sizes.items():
        if len(found) > 1:
            seen = ", ".join(f"{size} ({name})" for size, name in found.items())
            raise ValueError(f"{where}: dimension {dim!r} has sizes {seen}; give them one size or two names")
        size = next(iter(found))
        above = inherited.get(dim)
        own = group.get(dim) or above or Variable((dim,), np.arange(size), long_name=f"index of {dim}")
        if own.dims != (dim,):
            raise ValueError(f"{where}: variable {dim!r} is named like a dimension but has dims {own.dims}; rename it")
        # An xarray tree opens only when children agree with the coordinates of their parents.
        clash = above is not None and own is not above and not np.array_equal(own.data, above.data)
        if clash or own.data.size != size:
            raise ValueError(f"{where}: dimension {dim!r} differs from that of a parent group; rename it")
        coordinates[dim] = own
    return coordinates | group


def _check_variable(where: str, name: str, variable: Variable) -> Variable:
    """Return the variable with an array that HDF5 stores faithfully."""
    data, dims, flags = np.asarray(variable.data), variable.dims, variable.flags
    for text in (name, *dims):
        _refuse_name(where, text)
    if data.ndim != len(dims) or len(set(dims)) < data.ndim:
        raise ValueError(f"{where}: dims {dims} do not fit shape {data.shape}; give one different name per axis")
    if data.dtype.kind != "U" and data.dtype.name not in _STORED:
        raise ValueError(f"{where}: type {data.dtype} cannot be stored; use numbers, booleans or strings")
    for text in (variable.units, variable.long_name, *(data.flat if data.dtype.kind == "U" else ())):
        refuse_text(where, text)
    if flags is not None:
        values = [int(flag) for flag in flags]
        if data.dtype.kind not in "iu" or not set(data.ravel().tolist()) <= set(values) <= set(range(-128, 128)):
            raise ValueError(f"{where}: must be integers of {flags.__name__}, {values}, between -128 and 127")
        data = data.astype(np.int8)
    names = f"name of the {name}" if dims == (name,) and data.dtype.kind == "U" else ""
    return variable._replace(data=data, long_name=variable.long_name or names)
