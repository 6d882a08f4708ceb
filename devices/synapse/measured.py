"""Weights as they were measured on silicon, in place of a law of spread.

Either every cell of a block was measured, or the cells of a test chip, whose errors then stand for those of other
cells: a cell has an error that a cell of the test chip had near the same weight, and keeps its rank among them while it
is written, so that a cell that is too large stays too large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEIGHBOURS = 64
"""Cells of a test chip with the nearest targets, one of whose errors a cell gets."""

_MOST = 2**14
"""Cells of a test chip that are kept, evenly over their targets."""


class MeasuredMap(NamedTuple):
    """Every cell of a block as it was measured at one programmed weight; arrays of the shape of the block."""

    target: Array
    """What the cells were programmed to."""

    measured: Array
    """What they were measured to hold."""

    def read_backwards(self, mirror: Callable[[Array], Array]) -> MeasuredMap:
        """Return the same cells, read in the other direction; `mirror` turns an array of weights round."""
        return MeasuredMap(mirror(self.target), mirror(self.measured))

    def effective(self, weight: Array) -> Array:
        """Return what the cells hold when `weight` is programmed: the measured weight, and its error elsewhere."""
        return np.where(weight == self.target, self.measured, weight + (self.measured - self.target))


class CellSample(NamedTuple):
    """Errors of the cells of a test chip."""

    target: Array
    """What they were programmed to, rising (cells,)."""

    errors: Array
    """What they held less that, of the cells with the nearest targets, rising along the rows (starts, neighbours)."""

    def near(self, weight: Array) -> NDArray[np.int64]:
        """Return the rows of errors that belong to weights."""
        count = self.errors.shape[1]
        middle = np.searchsorted(self.target, weight, "left") + np.searchsorted(self.target, weight, "right")
        return np.asarray(np.clip(middle // 2 - count // 2, 0, len(self.errors) - 1))

    def effective(self, weight: Array, rank: Array) -> Array:
        """Return what cells hold when `weight` is programmed.

        Parameters
        ----------
        weight : array
            Units of the weight.
        rank : array like `weight`
            Uniform in (0, 1): the place of the error of every cell among those of its neighbours.
        """
        count = self.errors.shape[1]
        place = np.minimum((rank * count).astype(np.int64), count - 1)
        return np.asarray(weight + self.errors[self.near(weight), place])

    def moments(self, weight: Array) -> tuple[Array, Array]:
        """Return mean and variance over chips of what cells hold when `weight` is programmed."""
        rows = self.near(weight)
        return weight + self.errors.mean(axis=1)[rows], self.errors.var(axis=1)[rows]


def make_cell_sample(target: Array, measured: Array) -> CellSample:
    """Return the errors of a test chip, arrays (cells,); of more than 16,384 cells some are left out."""
    order = np.argsort(target, kind="stable")
    if len(order) > _MOST:
        order = order[np.rint(np.linspace(0.0, len(order) - 1.0, _MOST)).astype(np.int64)]
    error = (measured - target)[order]
    windows = np.lib.stride_tricks.sliding_window_view(error, min(NEIGHBOURS, len(error)))
    return CellSample(target[order], np.sort(windows, axis=1))
