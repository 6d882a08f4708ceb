"""Oracle side: what an estimate should have found, from the linearised chip itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip import Chip
from substrate.linearisation import Equilibrium, Linearisation, equilibrium, linearise

from .cost import force

Array = NDArray[np.float64]


class Exact(NamedTuple):
    """Exact error vectors of a clamped batch at its free equilibrium; arrays (batch, units)."""

    delta: Array
    """``dL/d drive``: backpropagation through the equilibrium, ``R (1 - W^T R)^-1 e``."""

    ep: Array
    """Limit of EP for a vanishing nudge, ``R (1 - W R)^-1 e``."""

    first_order: Array
    """First-order part of ``ep - delta`` in the asymmetry of the coupling."""

    equilibrium: Equilibrium
    linear: Linearisation


def exact(chip: Chip, target: Array) -> Exact:
    """Return the exact error vectors of the batch clamped on `chip`, which has settled freely.

    Parameters
    ----------
    chip : Chip
        In its free state.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    """
    rest = equilibrium(chip)
    linear = linearise(chip, rest.state)
    error = np.zeros_like(rest.state)
    output = chip.topology.columns[chip.topology.output]
    error[:, output] = force(chip.readout, rest.activity[:, output], target)
    delta = linear.adjoint(error)
    return Exact(delta, linear.response(error), linear.first_order(delta), rest, linear)
