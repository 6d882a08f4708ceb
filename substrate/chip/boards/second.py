"""The second board of a chip, on which its nudged settlings run: the cells and units of the first, but for errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from devices.neuron.membrane import sample_drive_offsets, sample_unit_factors
from devices.synapse.cell import sample_cell_gains
from devices.synapse.twin import Twin

from ...dynamics.machine import Machine
from ..design import Design, Fabrication
from ..membranes import Membranes

Array = NDArray[np.float64]


class SecondBoard:
    """What the second board makes of the weights of the first; a spread that is 0 changes no bit.

    Parameters
    ----------
    twin : Twin
        How it differs; levels in units of the model.
    design, fabrication : Design, Fabrication
        Of the chip.

    Raises
    ------
    ValueError
        If the gain of a unit is not positive.
    """

    def __init__(self, twin: Twin, design: Design, fabrication: Fabrication) -> None:
        self._twin, self._design, self._fabrication = twin, design, fabrication
        units, stream = design.topology.units, fabrication.stream
        self.offsets = sample_drive_offsets(units, twin.offset_sigma, stream("twin/offset"))
        """Added to the drive of every unit, (units,)."""
        self._gains = sample_unit_factors(units, twin.gain_sigma, stream("twin/gain"), "devices.twin.gain_sigma")

    def copy_cells(self, blocks: Mapping[str, Array]) -> Array:
        """Return the parameters of this board, flat, given those of the first by block."""
        return np.concatenate([self._copy_block(name, block).ravel() for name, block in blocks.items()])

    def copy_machine(self, machine: Machine, cells: Array, loads: Mapping[str, Array]) -> Machine:
        """Return the machine of this board.

        Parameters
        ----------
        machine : Machine
            Of the first board.
        cells : array
            See `copy_cells`.
        loads : mapping of block name to array (pre, post)
            ``G+ + G-`` of every connection of the first board, where they load the units.
        """
        membranes = Membranes(self._design, self._fabrication)
        membranes.follow({name: np.abs(self._copy_block(name, total)) for name, total in loads.items()})
        transfer = membranes.transfer
        if self._twin.gain_sigma:
            transfer = transfer._replace(gain=transfer.gain * self._gains)
        machine = machine._replace(weights=cells, tau=membranes.tau, transfer=transfer)
        return machine._replace(thermal=membranes.thermal, common=membranes.common, slew=membranes.slew)

    def _copy_block(self, name: str, block: Array) -> Array:
        """Return a block of this board; biases and the readout are those of the first."""
        twin = self._twin
        if not name.startswith("weight/"):
            return block
        if twin.mismatch_sigma:
            block = block * sample_cell_gains(
                block.shape, twin.mismatch_sigma, self._fabrication.stream(f"twin/{name}")
            )
        if not twin.stuck_fraction:
            return block
        stuck = self._fabrication.stream(f"twin/stuck/{name}").uniform(block.shape) < twin.stuck_fraction
        return np.where(stuck, twin.stuck_at, block)
