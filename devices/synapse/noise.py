"""Noise of the cells: by how much the devices of a weight fluctuate, and how fast.

``W(t) = W + eta(t)``, independent from device to device: 1/f and telegraph noise are of one resistor or transistor.
The difference of a pair has the variance ``relative^2 (G+^2 + G-^2) + 2 absolute^2``, so a weight of 0 held by two
half-open devices is as noisy as any other. A unit gets ``sum_j eta_ij a_j`` from its cells, those of inputs and of the
bias included.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ..parameters import Parameters, Ratio, Time
from ..quantities import CellQuantity, get_magnitude

Array = NDArray[np.float64]

FEW_TRAPS = 30
"""Below so many traps behind a unit the sum of their jumps is not near a normal number."""


class CellNoise(Parameters):
    """Fluctuations of every device in time; 0 means none."""

    relative: Annotated[Ratio, Field(ge=0.0, le=10.0)] = 0.0
    """Standard deviation of the conductance of a device, over that conductance; dimensionless, 0 to 10. Transistors in
    weak inversion 0.001 to 0.01 over the band of a network, ReRAM 0.01 to 0.1. With `telegraph`: of a device that has a
    trap."""

    absolute: Annotated[float, Field(ge=0.0, le=1e6), CellQuantity("S")] = 0.0
    """The part that does not depend on the conductance: standard deviation of a device; units of the weight, or
    siemens."""

    spectrum: Literal["white", "ou", "flicker", "telegraph"] = "ou"
    """`ou`: one correlation time, `tau_c`; `flicker`: 1/f, a sum of such processes of equal variance, one per octave
    upwards from `tau_c`; `telegraph`: two states, `tau_c` apart; `white`: no memory, and the standard deviations are
    those of a unit on a bare leak, as for thermal noise."""

    tau_c: Annotated[float, Field(gt=0.0, le=1e12), Time] | None = None
    """Correlation time, of `flicker` the shortest; units of tau or seconds. Absent: longer than any batch."""

    octaves: Annotated[int, Field(ge=1, le=40)] = 8
    """How many octaves the `flicker` noise spans."""

    fraction: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 1.0
    """Share of devices with a trap, of `telegraph` noise; 0 to 1."""

    BELONGS: ClassVar[dict[str, str]] = {"octaves": "flicker", "fraction": "telegraph"}

    @model_validator(mode="after")
    def _used(self) -> CellNoise:
        fields = CellNoise.model_fields
        for key, spectrum in self.BELONGS.items():
            if getattr(self, key) != fields[key].default and self.spectrum != spectrum:
                words = f'`{key}` belongs to spectrum = "{spectrum}": leave it out'
                raise PydanticCustomError("cell_noise", "{words}", {"words": words})
        if self.spectrum == "white" and self.tau_c is not None:
            raise PydanticCustomError("cell_noise", '`tau_c`: white noise has no memory; leave it out, or take "ou"')
        if self.spectrum == "flicker" and self.tau_c is None:
            raise PydanticCustomError("cell_noise", "`flicker` needs its shortest correlation time: give `tau_c`")
        return self

    @property
    def on(self) -> bool:
        """Tell whether any device fluctuates."""
        return (self.relative > 0.0 or get_magnitude(self.absolute) > 0.0) and self.fraction > 0.0

    def list_processes(self) -> list[tuple[float, float]]:
        """Return correlation time, in tau, and share of the variance of every process; white noise has the time 0."""
        if self.spectrum == "white":
            return [(0.0, 1.0)]
        time = math.inf if self.tau_c is None else self.tau_c
        if self.spectrum != "flicker":
            return [(time, 1.0)]
        return [(time * 2.0**k, 1.0 / self.octaves) for k in range(self.octaves)]

    def compute_deviation(self, conductance: Array) -> Array:
        """Return the standard deviation of devices of some conductance, 0 or more; units of the weight."""
        return np.asarray(np.hypot(self.relative * conductance, self.absolute))
