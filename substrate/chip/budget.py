"""The account of one chip: what has been asked of it, and the energy that took."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.interface.energy import joules

from ..protocol import Budget, has_settled
from .design import Design


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
        self._add(Budget(reads=reads))

    def written(self, pulses: int) -> None:
        """Count one programming event and the pulses it took."""
        self._add(Budget(writes=1, pulses=pulses))

    def _add(self, spent: Budget) -> None:
        design = self._design
        conversions = spent.reads * design.topology.units
        energy = joules(design.energy, conversions, spent.pulses, spent.settled_time, design.tau)
        self.budget = self.budget.plus(spent._replace(energy=energy))
