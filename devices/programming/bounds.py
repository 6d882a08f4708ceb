"""The cells of all blocks of a chip as they were drawn, and the least and the largest weight that each can keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..random import Stream
from . import one_sided, sampled
from .laws import OneSidedCells, Pulsed, Step, Verified

Array = NDArray[np.float64]
Ends = tuple[Array | float, Array | float]


class SampledCells:
    """The cells of all blocks.

    Parameters
    ----------
    law : Step, Verified or None
        How a cell is written; None: exactly as requested.
    shapes : mapping of block name to shape
        The blocks that have cells of their own.
    stream : callable
        ``stream(purpose)`` names the draws of this chip.
    measured : mapping of str to array, optional
        Constants measured on real cells, ``<block>/<name>`` by the names of
        `devices.programming.sampled.CellConstants`.

    Raises
    ------
    ValueError
        If a measured array has another shape than its block, or bounds are not in order.
    """

    def __init__(
        self,
        law: Step | Verified | None,
        shapes: Mapping[str, tuple[int, ...]],
        stream: Callable[[str], Stream],
        measured: Mapping[str, Array] | None = None,
    ) -> None:
        self._law, self._shapes = law, shapes
        self.cells: dict[str, sampled.CellConstants] = {}
        """Sampled constants of every pulsed cell, by block; of one-sided pairs see `pairs`."""
        self.pairs: dict[str, one_sided.DevicePairs] = {}
        """Sampled constants of both devices of every one-sided pair, by block."""
        if isinstance(law, Pulsed) and law.one_sided is not None:
            self.pairs = {
                k: one_sided.sample_pair(law, shape, make_block_stream(stream, k)) for k, shape in shapes.items()
            }
        elif isinstance(law, Pulsed):
            self.cells = {
                k: _insert_measured(sampled.sample_cells(law, shape, make_block_stream(stream, k)), k, measured or {})
                for k, shape in shapes.items()
            }
        ends = {name: sampled.compute_cell_limits(one) for name, one in self.cells.items()}
        self._limits: dict[str, Ends] = {name: end for name, end in ends.items() if np.isfinite(end).any()}

    def rest(self, block: str) -> Array:
        """Return the conductance that both devices of one-sided pairs have when they are programmed."""
        one = getattr(self._law, "one_sided", None) or OneSidedCells()
        return one_sided.compute_rest_conductances(one, self.pairs[block])

    def ends(self, block: str, common: Array | None = None) -> Ends | None:
        """Return the least and the largest weight of the cells of a block; None: they take any, as the readout does.

        Parameters
        ----------
        block : str
            Name of the block.
        common : array, optional
            Conductance that both devices of one-sided pairs have; absent: as when they are programmed.
        """
        if isinstance(self._law, Verified) and block in self._shapes:
            return -self._law.w_max, self._law.w_max
        if block in self.pairs:
            return one_sided.compute_pair_limits(self.pairs[block], self.rest(block) if common is None else common)
        return self._limits.get(block)


def make_block_stream(stream: Callable[[str], Stream], block: str) -> Callable[[str], Stream]:
    """Return what names the draws of the cells of one block, property by property."""
    return partial(_make_property_stream, stream, block)


def _make_property_stream(stream: Callable[[str], Stream], block: str, purpose: str) -> Stream:
    return stream(f"cell/{purpose}/{block}")


def _insert_measured(drawn: sampled.CellConstants, block: str, measured: Mapping[str, Array]) -> sampled.CellConstants:
    """Return the cells with the constants that were measured instead of drawn."""
    found = {
        name: measured[f"{block}/{name}"] for name in sampled.CellConstants._fields if f"{block}/{name}" in measured
    }
    for name, array in found.items():
        if array.shape != drawn.low.shape:
            raise ValueError(f"measured {block}/{name} has shape {array.shape}: must be {drawn.low.shape}")
    whole = drawn._replace(**{name: np.array(array, dtype=np.float64) for name, array in found.items()})
    if (whole.low > whole.high).any():
        raise ValueError(f"measured cells of {block}: `low` of a cell lies above its `high`: give both, in order")
    return whole
