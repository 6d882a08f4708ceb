"""The hold in which a read waits until it can be compared with a later one.

A sample-and-hold adds a charge step when it closes (the pedestal) and loses charge while it waits (the
droop). A read that is converted at once has neither. So the error differs between the phases of an
estimate, and becomes a bias of ``pedestal / beta``, and ``droop a / beta`` for an activity `a`.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ..imperfection import DIFFERENT, Cause
from ..parameters import BOLTZMANN, Farads, Level, Parameters, Ratio, Time
from ..quantities import Slew, get_magnitude
from ..random import Stream

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

    droop: Annotated[float, Field(ge=-1e6, le=1e6), Slew("activity_volts")] = 0.0
    """What a held value loses by a constant current, whatever it is, beside `droop_tau`; units of the activity per tau,
    or volts per second such as "2 mV/ms"; negative: it rises. 1 fA on 1 pF: 1 mV/s."""

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

    causes: ClassVar[tuple[Cause, ...]] = (
        Cause(
            "hold",
            DIFFERENT,
            acts=lambda hold, use: hold.changes(use.waits or hold.read_skew > 0.0),
            before="nudge-circuit",
        ),
    )

    @model_validator(mode="after")
    def _fit(self) -> Hold:
        if self.capacitance is not None and get_magnitude(self.noise) > 0.0:
            raise PydanticCustomError("hold", "`capacitance` and `noise` exclude each other: one way to say the noise")
        if self.droop_sigma > 0.0 and not self.leaks:
            raise PydanticCustomError("hold", "`droop_sigma` spreads a leak: give `droop_tau` or `droop`")
        return self

    @property
    def leaks(self) -> bool:
        """Tell whether a held value changes while it waits."""
        return self.droop_tau is not None or get_magnitude(self.droop) != 0.0

    @property
    def random(self) -> bool:
        """Tell whether two samples of one value differ."""
        return get_magnitude(self.noise) > 0.0 or self.capacitance is not None

    @property
    def odd(self) -> bool:
        """Tell whether the opposite of a value is held as the opposite of what is held of the value."""
        return get_magnitude(self.pedestal) == get_magnitude(self.pedestal_sigma) == get_magnitude(self.droop) == 0.0

    @property
    def on(self) -> bool:
        """Tell whether anything is wrong with a held value."""
        return self.model_copy(update={"read_skew": 0.0, "preset": None}) != Hold()

    def changes(self, waits: bool) -> bool:
        """Tell whether a held value differs from what was sampled; `waits`: whether any time passes in the hold."""
        kicked = self.pedestal != 0.0 or self.pedestal_sigma > 0.0 or self.noise != 0.0
        return kicked or (waits and self.leaks)


def compute_ktc_noise(capacitance: float, temperature: float) -> float:
    """Return the standard deviation ``sqrt(k T / C)`` of a sampled voltage, in volts, of farads and kelvins."""
    return math.sqrt(BOLTZMANN * temperature / capacitance)


class Leak(NamedTuple):
    """What the capacitor of every unit loses while it waits, arrays (units,)."""

    share: Array
    """Of what it holds; per tau."""

    current: Array
    """Whatever it holds; units of the activity per tau."""


def sample_hold_leaks(hold: Hold, units: int, stream: Stream) -> Leak:
    """Return the leaks of every capacitor, ``1/droop_tau`` and `droop`, both times ``exp(droop_sigma xi)``."""
    spread = np.exp(hold.droop_sigma * stream.normal((units,))) if hold.droop_sigma else np.ones(units)
    return Leak(spread * (0.0 if hold.droop_tau is None else 1.0 / hold.droop_tau), spread * hold.droop)


def sample_pedestals(hold: Hold, units: int, stream: Stream) -> Array:
    """Return the pedestal of every unit, (units,): ``pedestal + pedestal_sigma xi``; same stream, same `xi`."""
    if hold.pedestal_sigma == 0.0:
        return np.full(units, hold.pedestal)
    return np.asarray(hold.pedestal + hold.pedestal_sigma * stream.normal((units,)))


def apply_droop(value: Array, pedestal: Array, leak: Leak, time: Array) -> Array:
    """Return what is left of a sampled value, the solution of ``dv/dt = -share v - current``.

    ``(value + pedestal) exp(-x) - current time (1 - exp(-x))/x`` with ``x = share time``.

    Parameters
    ----------
    value : array (batch, units)
        What was sampled; units of the activity.
    pedestal : array (units,)
        Charge step of every unit; units of the activity.
    leak : Leak
        See `leaks`.
    time : array (units,)
        How long each unit is held, in tau.
    """
    x = leak.share * time
    left = (value + pedestal) * np.exp(-x)
    if not leak.current.any():
        return left
    mean = np.divide(-np.expm1(-x), x, out=np.ones_like(x), where=x > 0.0)
    return np.asarray(left - leak.current * time * mean)
