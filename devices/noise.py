"""Noise of the membranes while they settle, and of reads: what is added, how much, and how fast it changes.

White noise enters as ``tau du = F dt + sigma sqrt(2 tau) dB``: on a bare leak `u` then has the
standard deviation `sigma`. Slow noise is an Ornstein-Uhlenbeck process added to the drift. Noise
with a 1/f spectrum is a sum of such processes, one per octave, of equal variance.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from .parameters import Level, Parameters, Taus

Array = NDArray[np.float64]
Sigma = Annotated[float, Field(ge=0.0, le=100.0)]


class Noise(Parameters):
    """Noise of membranes and reads; standard deviations in units of the state where not said, 0 means none."""

    thermal: Sigma = 0.0
    """White noise of every unit: standard deviation of `u` on a bare leak."""

    common: Sigma = 0.0
    """White noise that all units of a sample share (supply, bias): standard deviation of `u` on a bare leak."""

    coloured: Sigma = 0.0
    """Ornstein-Uhlenbeck noise of the drive of every unit: its standard deviation."""

    tau_c: Annotated[Taus, Field(gt=0.0, le=1e6)] = 10.0
    """Correlation time of the coloured noise, in units of tau."""

    flicker: Sigma = 0.0
    """1/f noise of the drive of every unit: its standard deviation, over all octaves."""

    flicker_shortest: Annotated[Taus, Field(gt=0.0, le=1e6)] = 1.0
    """Shortest correlation time of the 1/f noise, in units of tau."""

    flicker_octaves: Annotated[int, Field(ge=1, le=20)] = 8
    """How many octaves the 1/f noise spans, upwards from the shortest correlation time."""

    read: Annotated[float, Field(ge=0.0, le=100.0), Level("activity_volts")] = 0.0
    """Noise of every single read of a unit: its standard deviation; units of the activity, or volts."""

    @model_validator(mode="after")
    def _used(self) -> Noise:
        # A value equal to the default says nothing: a resolved scenario spells out all of them.
        given = {name for name, f in Noise.model_fields.items() if getattr(self, name) != f.default}
        if "tau_c" in given and self.coloured == 0.0:
            raise PydanticCustomError("noise", "`tau_c` belongs to `coloured`, which is 0: give its standard deviation")
        if given & {"flicker_shortest", "flicker_octaves"} and self.flicker == 0.0:
            raise PydanticCustomError("noise", "`flicker` is 0: give its standard deviation or drop its octaves")
        return self

    @property
    def on(self) -> bool:
        """Tell whether the membranes are noisy; the noise of a read does not count."""
        return max(self.thermal, self.common, self.coloured, self.flicker) > 0.0

    @property
    def random(self) -> bool:
        """Tell whether anything differs from one measurement to the next."""
        return self.on or self.read != 0.0

    def sources(self) -> list[str]:
        """Return the names of the independent sources, white and common first."""
        return ["thermal", "common", *(f"slow/{k}" for k in range(len(self.processes()[0])))]

    def processes(self) -> tuple[Array, Array]:
        """Return correlation times (in tau) and standard deviations of the slow processes."""
        times, sizes = [], []
        if self.coloured > 0.0:
            times, sizes = [self.tau_c], [self.coloured]
        if self.flicker > 0.0:
            octaves = self.flicker_octaves
            times += [self.flicker_shortest * 2.0**k for k in range(octaves)]
            sizes += [self.flicker / math.sqrt(octaves)] * octaves
        return np.array(times), np.array(sizes)


def white_kick(sigma: float, dt: float, tau: Array, exact: bool) -> Array:
    """Return the standard deviation of the white kick per step and unit.

    Parameters
    ----------
    sigma : float
        Standard deviation on a bare leak; units of the state.
    dt : float
        Step, in tau.
    tau : array (units,)
        Time constants, in tau.
    exact : bool
        True: the leak is integrated exactly, and so is the noise; False: ``sigma sqrt(2 dt/tau)``.
    """
    return sigma * np.sqrt(-np.expm1(-2.0 * dt / tau) if exact else 2.0 * dt / tau)
