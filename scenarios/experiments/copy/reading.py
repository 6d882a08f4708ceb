"""What free reads tell of the chips: the weights of the trained one, and the rows of all that are calibrated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from learning.copying.trims import RowTrims, add_row_errors, measure_row_trims
from learning.identification.reads import FreeReads, get_wiring, read_free_states
from learning.identification.weights import WeightPrior, estimate_effective_weights
from substrate.chip.cells import compute_weight_spreads
from substrate.chip.chip import Chip
from substrate.theory.inverse_curve import InverseCurve

from ...build import Setup
from ..kind import RunError
from .plan import CopyNetwork

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]


class ChipReader:
    """Reads chips freely with the first training samples.

    Parameters
    ----------
    setup : Setup
        Design and data.
    plan : CopyNetwork
        What is copied, and how many samples are read.
    """

    def __init__(self, setup: Setup, plan: CopyNetwork) -> None:
        self._design, self._plan = setup.design, plan
        self._inputs = np.asarray(setup.data.x[: plan.reads]) if plan.takes_reads else np.zeros((0, 0))
        self.unsettled = 0
        """Reads so far that were left out because they did not settle."""

    def find_weights(self, chip: Chip) -> dict[str, Array]:
        """Return what copies of a chip are asked for."""
        programmed = {name: block.copy() for name, block in chip.programmed.items()}
        if self._plan.weights == "programmed":
            return programmed
        design, reads = self._design, self._read(chip)
        curve, prior = InverseCurve(design.law, design.activation), self._make_prior(programmed)
        found = estimate_effective_weights(get_wiring(chip), reads, curve, design.devices.noise.read, prior)
        return programmed | found.values

    def find_rows(self, chip: Chip, asked: Blocks) -> Blocks | None:
        """Return what rows of calibrated copies are to do: what those of the trained chip do; None: nothing is.

        Weights that were measured have the errors of its rows; of others these are measured now.
        """
        if self._plan.calibrate == "none":
            return None
        return asked if self._plan.weights == "measured" else add_row_errors(asked, self.measure_rows(chip, asked))

    def measure_rows(self, chip: Chip, asked: Blocks) -> RowTrims:
        """Return the errors of the rows of a chip that was asked for some weights."""
        curve = InverseCurve(self._design.law, self._design.activation)
        return measure_row_trims(get_wiring(chip), self._read(chip), curve, asked)

    def _make_prior(self, programmed: Blocks) -> WeightPrior:
        """Return what is known of a chip before any read: what it was asked for, and how much its design spreads."""
        spreads, offset = compute_weight_spreads(self._design, programmed), self._design.devices.neurons.offset
        mean = {name: block for name, block in programmed.items() if not name.startswith("readout/")}
        deviation = {name: np.full_like(block, offset) for name, block in mean.items()}
        for name, spread in spreads.items():
            mean[name] = programmed[name] + spread.shift
            deviation[name] = np.sqrt(spread.variance + (spread.path * programmed[name]) ** 2)
        return WeightPrior(mean, deviation)

    def _read(self, chip: Chip) -> FreeReads:
        """Return free states of a chip, which is left alone.

        Raises
        ------
        RunError
            If no sample settles.
        """
        reads = read_free_states(chip.variant(), self._inputs, self._design.dynamics.free.fixed)
        self.unsettled += reads.unsettled
        if reads.unsettled == len(self._inputs):
            words = f"no sample settles on chip {chip.fabrication.instance}, so that free reads tell nothing of it"
            raise RunError(f"experiment: {words}; give dynamics.free more steps, or take smaller weights")
        return reads
