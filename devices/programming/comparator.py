"""Comparators in front of the cells: of a request only its sign is written.

Sign updates need no multiplier per cell: J. Hertz, A. Krogh, R. G. Palmer, "Introduction to the theory of neural
computation", 1991, call the rule Manhattan updating. An offset decides requests below it, whatever their sign.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..imperfection import WRITE, Cause
from ..parameters import Parameters
from ..quantities import CellQuantity, get_magnitude
from ..synapse.cell import Weight

Array = NDArray[np.float64]

_Size = Annotated[float, Field(ge=0.0, le=1e6), CellQuantity("S")]


class Comparator(Parameters):
    """One comparator per cell, which sees the requested change; sizes in units of the weight, or siemens."""

    change: Annotated[float, Field(gt=0.0, le=1e6), CellQuantity("S")] | None = None
    """What is requested of the cell, up or down. Absent: one `step` of ``devices.update``."""

    deadzone: _Size = 0.0
    """What is seen writes nothing up to this size; 0: nothing but an exact 0."""

    offset: Weight = 0.0
    """Added to what every comparator sees."""

    offset_sigma: _Size = 0.0
    """Spread of the offset between comparators, drawn once, one standard deviation. Latches without trimming: 3.4 mV in
    0.18 um (Rahman 2014), to be compared with the voltage that stands for a request."""

    noise: _Size = 0.0
    """Noise of every decision, one standard deviation. Latches: 0.1 to 1 mV."""

    causes: ClassVar[tuple[Cause, ...]] = (Cause("write", WRITE),)

    @property
    def random(self) -> bool:
        """Tell whether the same request can end differently."""
        return get_magnitude(self.noise) > 0.0


def apply_comparator(comparator: Comparator, change: float, request: Array, own: Array, fresh: Array) -> Array:
    """Return the changes that comparators ask for: ``change sign(seen)``, 0 in the dead zone.

    They see ``request + offset + offset_sigma own + noise fresh``.

    Parameters
    ----------
    comparator : Comparator
        Sizes in units of the weight.
    change : float
        Size of a change.
    request : array
        Requested changes.
    own, fresh : array like `request`
        Standard normal numbers of every comparator and of every decision.
    """
    seen = request + comparator.offset + comparator.offset_sigma * own + comparator.noise * fresh
    return np.asarray(np.where(np.abs(seen) > comparator.deadzone, change * np.sign(seen), 0.0))
