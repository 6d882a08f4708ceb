"""The hold in which a read waits until it can be compared with a later one.

A sample-and-hold adds a charge step when it closes (the pedestal) and loses charge while it waits (the
droop). A read that is converted at once has neither. So the error differs between the phases of an
estimate, and becomes a bias of ``pedestal / beta``, and ``droop a / beta`` for an activity `a`.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from .components import size_of
from .parameters import BOLTZMANN, Farads, Level, Parameters, Ratio, Time
from .random import Stream

Array = NDArray[np.float64]


class Hold(Parameters):
    """The hold capacitor behind every unit; it holds reads that wait for others, for ``phases.hold_time``."""

    preset: str | None = None
    """Published process or part that the values not given here come from, such as ``"cmos-130nm"``."""

    pedestal: Annotated[float, Field(ge=-100.0, le=100.0), Level("activity_volts")] = 0.0
    """Added to what is held, in every unit; units of the activity, or volts."""

    pedestal_sigma: Annotated[float, Field(ge=0.0, le=100.0), Level("activity_volts")] = 0.0
    """Spread of the pedestal between units, one standard deviation; units of the activity, or volts."""

    droop_tau: Annotated[float, Field(gt=0.0, le=1e12), Time] | None = None
    """Time constant of the leak of the capacitor, in tau or seconds; absent: it holds for ever. 1 pA on 1 pF leaks 1 uV
    in a microsecond."""

    droop_sigma: Annotated[Ratio, Field(ge=0.0, le=10.0)] = 0.0
    """Spread of the leak between units: it is ``exp(sigma xi)`` times the common one; dimensionless, 0 to 10."""

    noise: Annotated[float, Field(ge=0.0, le=100.0), Level("activity_volts")] = 0.0
    """Thermal noise of every sample, sqrt(kT/C), one standard deviation; units of the activity, or volts."""

    capacitance: Annotated[Farads, Field(gt=0.0, le=1.0)] | None = None
    """Capacitance C that makes the `noise`, in its place; farads. With [physical] temperature and activity_volts:
    0.64 mV at 10 fF, 64 uV at 1 pF, 300 K."""

    read_skew: Annotated[float, Field(ge=0.0, le=1e12), Time] = 0.0
    """How much later than its predecessor each unit is converted, in the order of the layers, by a converter that all
    share; in tau or seconds. Every read waits then, unit k for k times this. 0: all units at once."""

    @model_validator(mode="after")
    def _fit(self) -> Hold:
        if self.capacitance is not None and size_of(self.noise) > 0.0:
            raise PydanticCustomError("hold", "`capacitance` and `noise` exclude each other: one way to say the noise")
        if self.droop_sigma > 0.0 and self.droop_tau is None:
            raise PydanticCustomError("hold", "`droop_sigma` spreads a leak: give `droop_tau`")
        return self

    @property
    def random(self) -> bool:
        """Tell whether two samples of one value differ."""
        return size_of(self.noise) > 0.0 or self.capacitance is not None

    @property
    def odd(self) -> bool:
        """Tell whether the opposite of a value is held as the opposite of what is held of the value."""
        return size_of(self.pedestal) == size_of(self.pedestal_sigma) == 0.0

    @property
    def on(self) -> bool:
        """Tell whether anything is wrong with a held value."""
        return self.model_copy(update={"read_skew": 0.0, "preset": None}) != Hold()

    def changes(self, waits: bool) -> bool:
        """Tell whether a held value differs from what was sampled; `waits`: whether any time passes in the hold."""
        kicked = self.pedestal != 0.0 or self.pedestal_sigma > 0.0 or self.noise != 0.0
        return kicked or (waits and self.droop_tau is not None)


def thermal_noise(capacitance: float, temperature: float) -> float:
    """Return the standard deviation ``sqrt(k T / C)`` of a sampled voltage, in volts, of farads and kelvins."""
    return math.sqrt(BOLTZMANN * temperature / capacitance)


def leaks(hold: Hold, units: int, stream: Stream) -> Array:
    """Return the leak of every capacitor, ``exp(droop_sigma xi)/droop_tau``, (units,); per tau."""
    if hold.droop_tau is None:
        return np.zeros(units)
    common = np.full(units, 1.0 / hold.droop_tau)
    return common * np.exp(hold.droop_sigma * stream.normal((units,))) if hold.droop_sigma else common


def pedestals(hold: Hold, units: int, stream: Stream) -> Array:
    """Return the pedestal of every unit, (units,): ``pedestal + pedestal_sigma xi``; same stream, same `xi`."""
    if hold.pedestal_sigma == 0.0:
        return np.full(units, hold.pedestal)
    return np.asarray(hold.pedestal + hold.pedestal_sigma * stream.normal((units,)))


def held(value: Array, pedestal: Array, leak: Array, time: Array) -> Array:
    """Return what is left of a sampled value: ``(value + pedestal) exp(-leak time)``.

    Parameters
    ----------
    value : array (batch, units)
        What was sampled; units of the activity.
    pedestal : array (units,)
        Charge step of every unit; units of the activity.
    leak : array (units,)
        See `leaks`.
    time : array (units,)
        How long each unit is held, in tau.
    """
    return (value + pedestal) * np.exp(-leak * time)
