"""The couplings between unclamped units, block by block: products and parts without a matrix of all units.

Every array of units is (batch, units) and every product acts on its rows, so ``product(v)`` is
``W v`` of each sample. A pair of layers without a connection costs nothing.

A probe of a chip puts a drive or an offset at every unit, beside the nudge of the outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .connection import ConnectionKind
from .dense import Dense
from .topology import Topology

Array = NDArray[np.float64]
Rows = NDArray[np.int64] | None


class Couplings(NamedTuple):
    """A coupling ``W[post, pre]`` as blocks."""

    columns: Mapping[str, slice]
    """Range of each layer among the units."""

    weights: Mapping[tuple[str, str], Array]
    """Block of (pre, post) layer."""

    kinds: Mapping[tuple[str, str], ConnectionKind]
    """How the block of (pre, post) layer holds the weights; may name more."""

    @property
    def units(self) -> int:
        """Number of units."""
        return int(max(columns.stop for columns in self.columns.values()))

    def product(self, v: Array, rows: Rows = None) -> Array:  # noqa: ARG002  these couplings are those of every sample
        """Return ``W v`` of every row of `v`, (batch, units)."""
        result = np.zeros_like(v)
        for (pre, post), weight in self.weights.items():
            result[:, self.columns[post]] += self.kinds[pre, post].apply(weight, v[:, self.columns[pre]])
        return result

    def only(self, rows: NDArray[np.int64]) -> Couplings:  # noqa: ARG002
        """Return the couplings of the samples `rows`."""
        return self

    def transposed(self) -> Couplings:
        """Return ``W^T``."""
        weights = {ends[::-1]: self.kinds[ends].mirror(weight) for ends, weight in self.weights.items()}
        return self._replace(weights=weights, kinds={ends[::-1]: kind.reverse for ends, kind in self.kinds.items()})

    def plus(self, other: Couplings, factor: float = 1.0) -> Couplings:
        """Return ``W + factor V``, `V` being `other`."""
        weights = dict(self.weights)
        for ends, weight in other.weights.items():
            weights[ends] = weights[ends] + factor * weight if ends in weights else factor * weight
        return self._replace(weights=weights, kinds={**other.kinds, **self.kinds})

    def times(self, factor: float) -> Couplings:
        """Return ``factor W``."""
        return self._replace(weights={ends: factor * weight for ends, weight in self.weights.items()})

    def symmetric(self) -> Couplings:
        """Return ``S = (W + W^T)/2``."""
        return self.plus(self.transposed()).times(0.5)

    def antisymmetric(self) -> Couplings:
        """Return ``A = (W - W^T)/2``."""
        return self.plus(self.transposed(), -1.0).times(0.5)

    def square(self) -> float:
        """Return ``|W|^2``, the sum of all squared entries."""
        return float(sum(np.vdot(weight, weight) for weight in self.weights.values()))

    def trace(self) -> float:
        """Return the sum of the couplings of every unit with itself."""
        own = [ends for ends in self.weights if ends[0] == ends[1]]
        return float(sum(np.trace(self.kinds[ends].matrix(self.weights[ends])) for ends in own))

    def dense(self, sample: int = 0) -> Array:  # noqa: ARG002
        """Return ``W[post, pre]`` as one matrix, (units, units)."""
        matrix = np.zeros((self.units, self.units))
        for (pre, post), weight in self.weights.items():
            matrix[self.columns[post], self.columns[pre]] = self.kinds[pre, post].matrix(weight)
        return matrix


def make_couplings(topology: Topology, blocks: Mapping[str, Array]) -> Couplings:
    """Return the couplings of a wiring with the parameters `blocks`; the blocks are not copied.

    Raises
    ------
    ValueError
        If a connection is not dense: its block is no matrix.
    """
    kinds = {c.ends: c.kind for c in topology.recurrent()}
    if odd := [c.name for c in topology.recurrent() if not isinstance(c.kind, Dense)]:
        raise ValueError(f"the couplings of {odd[0]} are no blocks of a matrix: only dense connections have them")
    return Couplings(topology.columns, {c.ends: blocks[c.block] for c in topology.recurrent()}, kinds)


def join_layers(topology: Topology, parts: Mapping[str, Array], batch: int) -> Array:
    """Return what is applied to the layers as one array (batch, units); a layer that is not named gets 0.

    Raises
    ------
    ValueError
        If a layer does not exist or is clamped, or its array is not finite and (batch, units).
    """
    whole = np.zeros((batch, topology.units))
    for layer, part in parts.items():
        if layer not in topology.columns:
            raise ValueError(f"a probe of {layer!r}: must be an unclamped layer, one of {list(topology.columns)}")
        shape = (batch, topology.layers[layer])
        if np.shape(part) != shape or not np.isfinite(part).all():
            raise ValueError(f"a probe of {layer!r} has shape {np.shape(part)}: must be finite and of shape {shape}")
        whole[:, topology.columns[layer]] = part
    return whole
