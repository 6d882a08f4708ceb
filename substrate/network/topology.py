"""Layers, connections and the flat parameter vector they share.

The first layer is the clamped input, the last one the output that is nudged. Any directed
connection between layers is allowed: reciprocal, loop, skip, lateral. All unclamped units form
one state vector; a layer is a range of its columns.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .connection import ConnectionKind
from .dense import Dense

Array = NDArray[np.float64]

_LAYER_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Connection(NamedTuple):
    """A directed connection between two layers."""

    pre: str
    post: str
    kind: ConnectionKind
    """How its block holds the weights."""

    @property
    def name(self) -> str:
        """Return ``pre-post``."""
        return f"{self.pre}-{self.post}"

    @property
    def block(self) -> str:
        """Return the name of its weight in the parameter vector."""
        return f"weight/{self.name}"

    @property
    def ends(self) -> tuple[str, str]:
        """Return (pre, post)."""
        return self.pre, self.post


class WiringFault(NamedTuple):
    """One thing wrong with a wiring, and what to try."""

    field: str
    message: str
    hint: str


class Topology:
    """The wiring of one network.

    Parameters
    ----------
    layers : mapping of name to number of units
        In order; the first is the clamped input, the last the output.
    connections : sequence of str
        ``"pre-post"``. A connection whose pre layer comes after its post layer is *feedback*.
    classes : int, optional
        Width of the dense readout behind the output layer; absent: no readout.

    Raises
    ------
    ValueError
        With every fault found by `faults`.
    """

    def __init__(self, layers: Mapping[str, int], connections: list[str], classes: int | None = None) -> None:
        problems = find_wiring_faults(layers, connections)
        if problems:
            raise ValueError("; ".join(f"{p.field}: {p.message}, {p.hint}" for p in problems))
        self.layers = dict(layers)
        self.connections = [_make_connection(self.layers, *_parse_connection(text)) for text in connections]
        self.classes = classes
        names = list(layers)
        self.input, self.output = names[0], names[-1]
        self.names = names[1:]
        """Unclamped layers, in order."""

    @cached_property
    def units(self) -> int:
        """Number of unclamped units."""
        return sum(self.layers[name] for name in self.names)

    @cached_property
    def columns(self) -> dict[str, slice]:
        """Range of each unclamped layer in the state vector."""
        stops = np.cumsum([self.layers[name] for name in self.names]).tolist()
        return {name: slice(stop - self.layers[name], stop) for name, stop in zip(self.names, stops, strict=True)}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter block, in the order of the flat vector."""
        shapes = {c.block: c.kind.shape for c in self.connections}
        shapes |= {f"bias/{name}": (self.layers[name],) for name in self.names}
        if self.classes is not None:
            shapes |= {"readout/weight": (self.layers[self.output], self.classes), "readout/bias": (self.classes,)}
        return shapes

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Position of every block in the flat vector."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        return dict(zip(self.shapes, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))

    @property
    def size(self) -> int:
        """Length of the flat parameter vector."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def blocks(self, flat: Array) -> dict[str, Array]:
        """Return the named blocks of a flat parameter vector, as views."""
        return {
            name: flat[self.offsets[name] : self.offsets[name] + math.prod(shape)].reshape(shape)
            for name, shape in self.shapes.items()
        }

    def split(self, state: np.ndarray) -> dict[str, np.ndarray]:
        """Return the layers of a state or any other array (..., unit), as views."""
        return {name: state[..., columns] for name, columns in self.columns.items()}

    def recurrent(self) -> Iterator[Connection]:
        """Yield the connections between unclamped layers."""
        return (c for c in self.connections if c.pre != self.input)

    def is_feedback(self, connection: Connection) -> bool:
        """Tell whether the pre layer comes after the post layer."""
        order = list(self.layers)
        return order.index(connection.pre) > order.index(connection.post)

    def mirror(self, block: str, weight: Array) -> Array:
        """Return the weight of a connection, given by its block, as the reverse connection holds it."""
        return self._kinds[block].mirror(weight)

    @cached_property
    def _kinds(self) -> dict[str, ConnectionKind]:
        return {c.block: c.kind for c in self.connections}

    def pairs(self) -> list[tuple[Connection, Connection]]:
        """Return (forward, feedback) for every reciprocal pair."""
        forward = {c.ends[::-1]: c for c in self.connections if not self.is_feedback(c)}
        return [(forward[c.ends], c) for c in self.connections if self.is_feedback(c) and c.ends in forward]

    def colours(self) -> dict[str, int]:
        """Return 0 or 1 per unclamped layer so that no connection joins equals; all 0 if that is impossible.

        The output layer has colour 1 in the first case: sweeps update it last.
        """
        near: dict[str, set[str]] = {name: set() for name in self.names}
        for c in self.recurrent():
            near[c.pre].add(c.post)
            near[c.post].add(c.pre)
        colour: dict[str, int] = {}
        for first in reversed(self.names):
            waiting = [first] if first not in colour else []
            colour.setdefault(first, 1)
            while waiting:
                name = waiting.pop()
                for other in near[name]:
                    if other not in colour:
                        colour[other] = 1 - colour[name]
                        waiting.append(other)
        clash = any(colour[c.pre] == colour[c.post] for c in self.recurrent())
        return dict.fromkeys(self.names, 0) if clash or len(set(colour.values())) == 1 else colour

    def coupling(self, blocks: Mapping[str, Array]) -> Array:
        """Return the dense coupling ``W[post, pre]`` between unclamped units, shape (units, units)."""
        dense = np.zeros((self.units, self.units))
        for connection in self.recurrent():
            matrix = connection.kind.matrix(blocks[connection.block])
            dense[self.columns[connection.post], self.columns[connection.pre]] = matrix
        return dense


def _parse_connection(text: str) -> tuple[str, str]:
    pre, _, post = text.partition("-")
    return pre, post


def _make_connection(layers: Mapping[str, int], pre: str, post: str) -> Connection:
    return Connection(pre, post, Dense(layers[pre], layers[post]))


def find_wiring_faults(layers: Mapping[str, int], connections: list[str]) -> list[WiringFault]:
    """Return everything wrong with a wiring; empty when it can be built."""
    found = [
        WiringFault(f"layers.{name}", "not a layer name", "use a small letter, then small letters, digits or '_'")
        for name in layers
        if not _LAYER_NAME.fullmatch(name)
    ]
    found += [
        WiringFault(f"layers.{name}", f"{size} units", "a layer has at least 1 unit")
        for name, size in layers.items()
        if size < 1
    ]
    if len(layers) < 2:
        return [
            *found,
            WiringFault("layers", f"{len(layers)} layer(s)", "give an input layer and an output layer at least"),
        ]
    names = list(layers)
    good = []
    seen: set[str] = set()
    for i, text in enumerate(connections):
        problem = _find_connection_fault(text, names, seen)
        seen.add(text)
        if problem is not None:
            found.append(WiringFault(f"connections.{i}", *problem))
        else:
            good.append(_parse_connection(text))
    fed, used = {post for _, post in good}, {pre for pre, _ in good}
    if names[0] not in used:
        found.append(
            WiringFault("connections", f"nothing reads the input layer {names[0]!r}", f'add "{names[0]}-{names[1]}"')
        )
    found += [
        WiringFault(
            "connections", f"nothing feeds layer {name!r}", f'add a connection "<pre>-{name}" or remove the layer'
        )
        for name in names[1:]
        if name not in fed
    ]
    return found


def _find_connection_fault(text: str, names: list[str], earlier: set[str]) -> tuple[str, str] | None:
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
