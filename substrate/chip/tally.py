"""What became of requested changes: of one block, and of all blocks since a chip was made."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


class Written(NamedTuple):
    """What became of requested changes."""

    weight: Array
    """Weights kept afterwards."""

    pulses: int
    """Pulses applied, over all cells; of verified cells, how many were programmed."""

    lost: int
    """Cells whose request was not 0 and that got no pulse."""

    cut: int = 0
    """Cells that were asked for more pulses than one write can give."""

    refreshes: int = 0
    """One-sided pairs that were refreshed."""

    refresh_pulses: int = 0
    """Of the pulses: those of refreshes and their resets."""


class Tally(NamedTuple):
    """Counts of all writes of a chip; every array has one number per block, (blocks,), in the order of the topology."""

    lost: Counts
    """Requests that were not 0 and moved no cell: below one step, or held back by a comparator, window or level."""

    cut: Counts
    """Requests for more pulses than a write gives: `devices.programming.pulse.LONGEST`, or a train of coincidences."""

    refreshes: Counts
    """One-sided pairs that were refreshed."""

    refresh_pulses: Counts
    """Pulses that took."""

    @classmethod
    def of(cls, blocks: int) -> Self:
        """Return a tally of nothing."""
        return cls(*(np.zeros(blocks, dtype=np.int64) for _ in cls._fields))

    def plus(self, other: Tally) -> Tally:
        """Return the sum of two tallies of the same blocks."""
        return Tally(*(mine + its for mine, its in zip(self, other, strict=True)))
