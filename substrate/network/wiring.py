"""What is written of layers and connections, as kinds of connection; and everything that can be wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Discriminator, Field, Tag

from devices.parameters import Parameters

from .connection import ConnectionKind
from .convolution import Convolution, ConvolutionFeedback, Form, Padding, compute_high_size, count_places
from .dense import Dense
from .pooling import Pooling, get_window

LAYER_NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Names of layers."""

_Side = Annotated[int, Field(ge=1, le=99)]
_KernelSides = Annotated[
    Annotated[_Side, Tag("<side>")] | Annotated[list[_Side], Field(min_length=2, max_length=2), Tag("<sides>")],
    Discriminator(lambda value: "<sides>" if isinstance(value, list) else "<side>"),
]


class ConvolutionPath(Parameters):
    """A convolution between two layers of rows, columns and channels, or the feedback through one.

    It slides with stride 1, and 2 x 2 places of every channel are pooled. From a later layer to an earlier one it is
    the feedback through a convolution that goes the other way, with a kernel of its own in the same orientation. A key
    that is absent is that of the reverse connection; keys that both give must agree.
    """

    kind: Literal["conv"]
    """Only `conv` is written as a table; dense connections are text."""

    path: str
    """``"pre-post"``."""

    kernel: _KernelSides | None = None
    """Rows and columns of the kernel, as one number where they are equal; absent: 3."""

    padding: Padding | None = None
    """`same`: zeros around the layer, as many places as units; `valid`: the kernel stays inside; absent: same."""

    pool: Pooling | None = None
    """`softmax`, ``sum(z exp z)/sum(exp z)`` over 2 x 2 places, `average` over the same, or `none`; absent: softmax."""

    cells: Literal["shared", "per-position"] | None = None
    """`shared`: one set of cells per kernel serves all places; `per-position`: every place has a copy with cells of its
    own, whose errors are drawn one by one. One kernel is learned, and written to all copies; absent: shared."""


LayerSizes = Mapping[str, int | Sequence[int]]
"""Units of each layer, or its rows, columns and channels."""

PathSpec = str | ConvolutionPath
"""A connection as it is written: text if it is dense."""

_DEFAULTS: dict[str, Any] = {"kernel": (3, 3), "padding": "same", "pool": "softmax", "cells": "shared"}


class WiringFault(NamedTuple):
    """One thing wrong with a wiring, and what to try."""

    field: tuple[str | int, ...]
    """Key below ``[network]``."""

    message: str
    hint: str


def name_path(path: PathSpec) -> str:
    """Return ``pre-post``."""
    return path if isinstance(path, str) else path.path


def split_path(path: PathSpec) -> tuple[str, str]:
    """Return the names of both layers."""
    pre, _, post = name_path(path).partition("-")
    return pre, post


def list_forms(layers: LayerSizes) -> dict[str, tuple[int, ...]]:
    """Return (units,) or (rows, columns, channels) of each layer."""
    return {name: tuple(size) if isinstance(size, Sequence) else (size,) for name, size in layers.items()}


def make_kind(path: PathSpec, paths: Sequence[PathSpec], forms: Mapping[str, tuple[int, ...]]) -> ConnectionKind:
    """Return the kind of one connection among `paths`, which have no fault."""
    pre, post = split_path(path)
    if isinstance(path, str):
        return Dense(math.prod(forms[pre]), math.prod(forms[post]))
    low, high = _sort_ends(path, forms)
    kind = Convolution if low == pre else ConvolutionFeedback
    return kind(_as_form(forms[low]), _as_form(forms[high]), *_complete_keys(path, paths))


def find_wiring_faults(layers: LayerSizes, paths: Sequence[PathSpec]) -> list[WiringFault]:
    """Return everything wrong with a wiring; empty when it can be built."""
    forms = list_forms(layers)
    found = [*_find_layer_faults(forms)]
    if len(forms) < 2:
        words = f"{len(forms)} layer(s)"
        return [*found, WiringFault(("layers",), words, "give an input layer and an output layer at least")]
    measured, good = not found, []
    seen: set[str] = set()
    for i, path in enumerate(paths):
        problem = _find_path_fault(name_path(path), list(forms), seen)
        seen.add(name_path(path))
        if problem is not None:
            found.append(WiringFault(("connections", i), *problem))
            continue
        good.append(split_path(path))
        if measured and not isinstance(path, str):
            found += [WiringFault(("connections", i, *k), *w) for k, *w in _find_convolution_faults(path, paths, forms)]
    return [*found, *_find_lonely_faults(list(forms), good)]


def _find_layer_faults(forms: Mapping[str, tuple[int, ...]]) -> Iterator[WiringFault]:
    for name, form in forms.items():
        if not LAYER_NAME.fullmatch(name):
            hint = "use a small letter, then small letters, digits or '_'"
            yield WiringFault(("layers", name), "not a layer name", hint)
        if len(form) not in (1, 3):
            yield WiringFault(("layers", name), f"{len(form)} numbers", "give the units, or [rows, columns, channels]")
        elif min(form) < 1:
            place = ("layers", name, form.index(min(form)))[: 1 + len(form)]
            yield WiringFault(place, f"{min(form)} units", "a layer has at least 1 unit")


def _find_path_fault(text: str, names: list[str], earlier: set[str]) -> tuple[str, str] | None:
    pre, dash, post = text.partition("-")
    if not dash:
        return f"{text!r} is not a connection", 'write "pre-post", such as "in-l1"'
    unknown = [name for name in (pre, post) if name not in names]
    if unknown:
        return f"{text!r} names no layer {unknown[0]!r}", "layers are " + ", ".join(names)
    if post == names[0]:
        return f"{text!r} feeds the clamped input layer", "the first layer is the input; list it first and feed others"
    if text in earlier:
        return f"{text!r} stands twice", "remove one"
    return None


def _find_lonely_faults(names: list[str], ends: list[tuple[str, str]]) -> Iterator[WiringFault]:
    fed, used = {post for _, post in ends}, {pre for pre, _ in ends}
    if names[0] not in used:
        words = f"nothing reads the input layer {names[0]!r}"
        yield WiringFault(("connections",), words, f'add "{names[0]}-{names[1]}"')
    for name in names[1:]:
        if name not in fed:
            hint = f'add a connection "<pre>-{name}" or remove the layer'
            yield WiringFault(("connections",), f"nothing feeds layer {name!r}", hint)


def _find_convolution_faults(
    path: ConvolutionPath, paths: Sequence[PathSpec], forms: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield (key, message, hint) of what is wrong with a convolution between two layers that there are."""
    low, high = _sort_ends(path, forms)
    if low == high:
        yield ("path",), "joins a layer with itself", f'a convolution leads to another layer; dense: "{path.path}"'
        return
    if len(forms[low]) == 1:
        words = f"{low} is {_write_form(forms[low])}, and a kernel slides over rows and columns"
        yield ("path",), words, f'write {low} = [rows, columns, channels], or "{path.path}" for a dense connection'
        return
    reverse = _find_reverse(path, paths)
    if isinstance(reverse, str):
        yield (), f"is a convolution, and its reverse {reverse!r} is dense", "make both tables, or both text"
        return
    if reverse is None or path.path == f"{low}-{high}":
        yield from _find_size_faults(low, high, path, paths, forms)
        return
    for key in _DEFAULTS:
        own, other = (_read_key(table, key) for table in (path, reverse))
        if None not in (own, other) and own != other:
            yield (key,), f"{reverse.path} has {getattr(reverse, key)}", "a pair shares it: leave out one of both"


def _find_size_faults(
    low: str, high: str, path: ConvolutionPath, paths: Sequence[PathSpec], forms: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield whether a layer has not the rows and columns that a convolution makes."""
    below, above, (kernel, padding, how, _) = _as_form(forms[low]), forms[high], _complete_keys(path, paths)
    places, window = count_places(below, kernel, padding), get_window(how)
    size = compute_high_size(below, kernel, padding, how)
    words = f"a {kernel[0]}x{kernel[1]} kernel with padding {padding} on {low}, {_write_form(below)},"
    if min(places) < 1:
        yield ("kernel",), f"{words} has no place", 'take a smaller kernel, or padding = "same"'
    elif size is None:
        words = f"{words} has {places[0]} x {places[1]} places, which windows of {window[0]} x {window[1]} do not tile"
        yield ("pool",), words, f'take pool = "none", or other rows and columns of {low}'
    elif above[:2] != size:
        pooled = "" if how == "none" else f" and {window[0]}x{window[1]} pooling"
        words = f"a {kernel[0]}x{kernel[1]} kernel with padding {padding}{pooled} on {_write_form(below)}"
        words = f"{high} is {_write_form(above)}: {words} makes [{size[0]}, {size[1]}, channels]"
        channels = above[2] if len(above) == 3 else max(1, above[0] // math.prod(size))
        yield ("path",), words, f"write {high} = [{size[0]}, {size[1]}, {channels}]"


def _sort_ends(path: PathSpec, forms: Mapping[str, tuple[int, ...]]) -> tuple[str, str]:
    """Return the earlier and the later layer of a connection."""
    low, high = sorted(split_path(path), key=list(forms).index)
    return low, high


def _find_reverse(path: ConvolutionPath, paths: Sequence[PathSpec]) -> PathSpec | None:
    pre, post = split_path(path)
    return next((other for other in paths if name_path(other) == f"{post}-{pre}"), None)


def _read_key(table: ConvolutionPath, key: str) -> Any:
    """Return a key as the kinds take it; None where it is absent."""
    value = getattr(table, key)
    return (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, list) else value


def _complete_keys(path: ConvolutionPath, paths: Sequence[PathSpec]) -> tuple[tuple[int, int], Padding, Pooling, bool]:
    """Return kernel, padding, pool and whether cells are copied: own keys, else those of the reverse, else defaults."""
    reverse = _find_reverse(path, paths)
    tables = [table for table in (path, reverse) if isinstance(table, ConvolutionPath)]
    kernel, padding, how, cells = (
        next((value for table in tables if (value := _read_key(table, key)) is not None), default)
        for key, default in _DEFAULTS.items()
    )
    return kernel, padding, how, cells == "per-position"


def _as_form(form: tuple[int, ...]) -> Form:
    rows, columns, channels = form
    return rows, columns, channels


def _write_form(form: tuple[int, ...]) -> str:
    return str(form[0]) if len(form) == 1 else str(list(form))
