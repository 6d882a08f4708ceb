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
from pydantic import Field

from .parameters import Level, Parameters, Time
from .random import Stream

Array = NDArray[np.float64]


class Hold(Parameters):
    """The hold capacitor behind every unit; it holds reads that wait for others, for ``phases.hold_time``."""

    pedestal: Annotated[float, Field(ge=-100.0, le=100.0), Level("activity_volts")] = 0.0
    """Added to what is held, in every unit; units of the activity, or volts."""

    pedestal_sigma: Annotated[float, Field(ge=0.0, le=100.0), Level("activity_volts")] = 0.0
    """Spread of the pedestal between units, one standard deviation; units of the activity, or volts."""

    droop_tau: Annotated[float, Field(gt=0.0, le=1e12), Time] | None = None
    """Time constant of the leak of the capacitor, in tau or seconds; absent: it holds for ever."""

    @property
    def on(self) -> bool:
        """Tell whether anything is wrong with a held value."""
        return self != Hold()


def pedestals(hold: Hold, units: int, stream: Stream) -> Array:
    """Return the pedestal of every unit, (units,): ``pedestal + pedestal_sigma xi``; same stream, same `xi`."""
    if hold.pedestal_sigma == 0.0:
        return np.full(units, hold.pedestal)
    return np.asarray(hold.pedestal + hold.pedestal_sigma * stream.normal((units,)))


def held(value: Array, pedestal: Array, droop_tau: float | None, time: float) -> Array:
    """Return what is left of a sampled value: ``(value + pedestal) exp(-time / droop_tau)``.

    Parameters
    ----------
    value : array (batch, units)
        What was sampled; units of the activity.
    pedestal : array (units,)
        Charge step of every unit; units of the activity.
    droop_tau : float or None
        Time constant of the leak, in tau; None: no leak.
    time : float
        How long it is held, in tau.
    """
    left = 1.0 if droop_tau is None else math.exp(-time / droop_tau)
    return (value + pedestal) * left
