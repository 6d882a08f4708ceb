"""A digital model of a chip: its wiring, the curves of its units, and what a controller takes its weights for.

From activities alone it knows the state, ``u = rho^-1(a)``, and from it the slopes; of a law whose drift holds
the slope the net drive is ``u / rho'(u)``, because the chip rests. No weight enters there, so a wrong weight `W_t`
changes nothing but the coupling of ``delta = R (1 - W_t^T R)^-1 e``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from devices.neuron import curves
from devices.synapse.cell import sample_cell_gains

from ..chip.chip import Chip
from ..dynamics.transfer import Transfer
from ..laws.law import LAWS
from ..network.couplings import join_layers
from ..settling.coupling import find_couplings
from .linearisation import Linearisation

Array = NDArray[np.float64]

_REACH, _HALVINGS = 64.0, 62
"""Largest state that is looked for, and into how many halves the interval is cut: to double precision."""


class DigitalModel:
    """A model of one chip; it follows the writes of that chip.

    Parameters
    ----------
    chip : Chip
        The chip.
    knowledge : {"programmed", "exact"}
        `programmed`: the weights that were programmed and the curves as designed; `exact`: what the units feel and are.
    sigma : float
        Relative error of every weight, one standard deviation, drawn once; 0: none.

    Raises
    ------
    ValueError
        If the activation falls somewhere, so that an activity belongs to several states.
    """

    def __init__(
        self, chip: Chip, knowledge: Literal["programmed", "exact"] = "programmed", sigma: float = 0.0
    ) -> None:
        if not curves.is_rising(chip.design.activation):
            raise ValueError(
                f"network.activation = {chip.design.activation!r} {curves.NOT_RISING}: take sigmoid or tanh"
            )
        self._chip, self._knowledge = chip, knowledge
        self._ideal: Chip | None = None
        self._corrections: Mapping[str, Array] = {}
        topology, stream = chip.topology, chip.fabrication.stream
        self._errors = {
            c.block: sample_cell_gains(topology.shapes[c.block], sigma, stream(f"digital-model/{c.block}"))
            for c in (topology.recurrent() if sigma else ())
        }

    def correct(self, errors: Mapping[str, Array]) -> None:
        """Take weights to be off by `errors`, by block, see `substrate.protocol.CorrectedModel`."""
        self._corrections = errors

    def backpropagate(
        self, activity: Mapping[str, Array], force: Array, iterations: int | None = None
    ) -> tuple[dict[str, Array], int]:
        """Return error vectors around rest and the multiply-adds they took, see `substrate.protocol.BackwardModel`."""
        topology = self._chip.topology
        a = np.concatenate([activity[name] for name in topology.names], axis=1)
        whole = join_layers(topology, {topology.output: force}, len(a))
        linear, units, samples = self._linearise(a), topology.units, len(a)
        if iterations is None:
            return topology.split(linear.adjoint(whole)), samples * (units**3 // 3 + 2 * units**2)
        products = sum(c.kind.products for c in topology.recurrent())
        macs = samples * iterations * (products + units)
        return topology.split(linear.iterate_adjoint(whole, iterations)), macs

    def slopes(self, activity: Mapping[str, Array]) -> dict[str, Array]:
        """Return the slopes ``da/d drive`` of the units at these activities, per unclamped layer (batch, units)."""
        topology = self._chip.topology
        transfer = self._model().membranes.transfer
        slopes = transfer.slope(find_state(transfer, np.concatenate([activity[n] for n in topology.names], axis=1)))
        return topology.split(LAWS[self._chip.design.law].respond(slopes, slopes))

    def _model(self) -> Chip:
        """Return the chip as the controller takes it to be, as it is programmed now; made anew after a write."""
        if self._knowledge == "exact":
            return self._chip
        now, known = self._chip.programmed, self._ideal
        if known is None or not all(np.array_equal(block, known.programmed[name]) for name, block in now.items()):
            known = self._ideal = self._chip.ideal()
        return known

    def _linearise(self, activity: Array) -> Linearisation:
        model, topology = self._model(), self._chip.topology
        machine = model.machine
        if self._errors or self._corrections:
            known = {name: block + self._corrections.get(name, 0.0) for name, block in model.effective.items()}
            known |= {name: gain * known[name] for name, gain in self._errors.items()}
            machine = machine._replace(weights=topology.join(known), prepared={})
        transfer, law = model.membranes.transfer, LAWS[model.design.law]
        state = find_state(transfer, activity)
        slopes, bend = transfer.slope(state), None
        if law.SLOPED:
            drive = np.divide(state, slopes, out=np.zeros_like(state), where=slopes > 0.0)
            bend = transfer.curvature(state) * drive
        return Linearisation(find_couplings(machine, topology, activity), slopes, bend, law)


def find_state(transfer: Transfer, activity: Array) -> Array:
    """Return the states (batch, units) that have these activities.

    Beyond the range of a curve, and on its plateaus, it is the middle of what the state may be, where the slope is 0.
    """
    ends = []
    for above in (False, True):
        low, high = np.full_like(activity, -_REACH), np.full_like(activity, _REACH)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            found = transfer.activity(middle)
            right = found > activity if above else found >= activity
            low, high = np.where(right, low, middle), np.where(right, middle, high)
        ends.append(0.5 * (low + high))
    return np.asarray(0.5 * (ends[0] + ends[1]))
