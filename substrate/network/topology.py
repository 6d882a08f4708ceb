"""Layers, connections, their parameters, and the flat vector of the cells that hold these.

The first layer is the clamped input, the last one the output that is nudged. Any directed
connection between layers is allowed: reciprocal, loop, skip, lateral. All unclamped units form
one state vector; a layer is a range of its columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .connection import ConnectionKind
from .wiring import LayerSizes, PathSpec, find_wiring_faults, list_forms, make_kind, split_path

Array = NDArray[np.float64]


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


class Topology:
    """The wiring of one network.

    Parameters
    ----------
    layers : mapping of name to int or (rows, columns, channels)
        Units, in order; the first is the clamped input, the last the output. The units of a layer with a form are
        counted along its channels, then columns, then rows.
    connections : sequence of str or ConvolutionPath
        ``"pre-post"``, or what is written of a convolution. A connection whose pre layer comes after its post layer is
        *feedback*.
    classes : int, optional
        Width of the dense readout behind the output layer; absent: no readout.

    Raises
    ------
    ValueError
        With every fault that `find_wiring_faults` finds.
    """

    def __init__(self, layers: LayerSizes, connections: Sequence[PathSpec], classes: int | None = None) -> None:
        problems = find_wiring_faults(layers, connections)
        if problems:
            raise ValueError("; ".join(f"{'.'.join(map(str, p.field))}: {p.message}, {p.hint}" for p in problems))
        self.forms = list_forms(layers)
        """(units,) or (rows, columns, channels) of every layer."""
        self.layers = {name: math.prod(form) for name, form in self.forms.items()}
        """Units of every layer."""
        self.connections = [
            Connection(*split_path(path), make_kind(path, connections, self.forms)) for path in connections
        ]
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
        """Shape of every parameter block.

        A layer with a form has one bias per channel, added to the drive. It does what a bias before pooling would,
        since one number added to a channel commutes with pooling.
        """
        shapes = {c.block: c.kind.shape for c in self.connections}
        shapes |= {f"bias/{name}": self.forms[name][-1:] for name in self.names}
        if self.classes is not None:
            shapes |= {"readout/weight": (self.layers[self.output], self.classes), "readout/bias": (self.classes,)}
        return shapes

    @cached_property
    def ends(self) -> dict[str, str]:
        """Layer that every block of weights and biases drives."""
        return {c.block: c.post for c in self.connections} | {f"bias/{name}": name for name in self.names}

    @cached_property
    def cells(self) -> dict[str, tuple[int, ...]]:
        """Shape of the cells of every block, in the order of their flat vector: its own, unless it is copied."""
        return self.shapes | {c.block: c.kind.cells for c in self.connections}

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Position of every block in the flat vector of cells."""
        sizes = [math.prod(shape) for shape in self.cells.values()]
        return dict(zip(self.cells, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def cell_count(self) -> int:
        """Length of the flat vector of cells."""
        return sum(math.prod(shape) for shape in self.cells.values())

    def blocks(self, flat: Array) -> dict[str, Array]:
        """Return the named blocks of a flat vector of cells, as views."""
        return {
            name: flat[self.offsets[name] : self.offsets[name] + math.prod(shape)].reshape(shape)
            for name, shape in self.cells.items()
        }

    def join(self, blocks: Mapping[str, Array]) -> Array:
        """Return the flat vector of cells that hold named blocks, or of named cells."""
        return np.concatenate([np.broadcast_to(blocks[name], shape).ravel() for name, shape in self.cells.items()])

    def split(self, state: np.ndarray) -> dict[str, np.ndarray]:
        """Return the layers of a state or any other array (..., unit), as views."""
        return {name: state[..., columns] for name, columns in self.columns.items()}

    def name_bias_dim(self, layer: str) -> str:
        """Return the name of the dimension of a layer's bias in a result file."""
        return f"{'unit' if len(self.forms[layer]) == 1 else 'channel'}_{layer}"

    def spread_bias(self, layer: str, bias: Array) -> Array:
        """Return the bias of every unit of a layer, (units,), from its block."""
        return np.tile(bias, self.layers[layer] // len(bias))

    def sum_bias(self, layer: str, values: np.ndarray) -> np.ndarray:
        """Return the sums of values (units,) over all units with one bias, of the shape of its block."""
        return np.asarray(values.reshape(-1, self.forms[layer][-1]).sum(axis=0))

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
