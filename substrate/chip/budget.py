"""The account of one chip: what has been asked of it, the energy that took, and what became of its writes."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from devices.interface.energy import compute_joules

from ..protocol import Budget, has_settled
from .design import Design

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


class Account:
    """Adds up the budget of a chip.

    Parameters
    ----------
    design : Design
        Says what reads, pulses and time take.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        self.budget = Budget()
        """What has been asked of the chip so far."""

    def settled(self, settlings: int, time: float) -> None:
        """Count settlings of one sample each, which took `time` in all, in tau."""
        self._add(Budget(settlings=settlings, settled_time=time))

    def probed(self, status: NDArray[np.int64]) -> None:
        """Count settlings with an injected drive, by how they ended; their time is counted by `settled`."""
        self._add(Budget(probes=len(status), probes_unsettled=int(np.count_nonzero(~has_settled(status)))))

    def read(self, reads: int) -> None:
        """Count real reads of all units."""
        self._add(Budget(reads=reads), reads * self._design.topology.units)

    def read_layers(self, reads: int, units: int) -> None:
        """Count real reads of so many units of each sample."""
        self._add(Budget(outputs_read=reads), reads * units)

    def computed(self, macs: int) -> None:
        """Count multiply-adds of the controller."""
        self._add(Budget(macs=macs))

    def read_cells(self, cells: int) -> None:
        """Count cells that were read one by one."""
        self._add(Budget(cell_reads=cells), cells)

    def written(self, pulses: int, events: int = 1) -> None:
        """Count programming events and the pulses they took."""
        self._add(Budget(writes=events, pulses=pulses))

    def _add(self, spent: Budget, conversions: int = 0) -> None:
        design = self._design
        energy = compute_joules(
            design.energy, conversions, spent.pulses, spent.settled_time, design.tau, macs=spent.macs
        )
        phases, reads = design.phases, spent.reads + spent.outputs_read + spent.cell_reads
        elapsed = spent.settled_time + reads * phases.read_time + spent.writes * phases.write_time
        self.budget = self.budget.plus(spent._replace(energy=energy, elapsed=elapsed))


class WriteOutcome(NamedTuple):
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


class WriteCounts(NamedTuple):
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

    def plus(self, other: WriteCounts) -> WriteCounts:
        """Return the sum of two tallies of the same blocks."""
        return WriteCounts(*(mine + its for mine, its in zip(self, other, strict=True)))
