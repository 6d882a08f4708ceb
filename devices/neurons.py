"""Spread between the membranes of a chip, and the optional second pole of its synapses."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .parameters import Level, Parameters, Ratio, Taus
from .random import Stream

Array = NDArray[np.float64]


class NeuronDevices(Parameters):
    """The membranes and the poles in front of them."""

    tau_sigma: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Relative spread of the membrane time constants, one standard deviation; dimensionless, 0 to 1."""

    offset_sigma: Annotated[float, Field(ge=0.0, le=100.0), Level("volt_scale")] = 0.0
    """Spread of a constant drive that every unit adds to its own, one standard deviation; units of the state, or
    volts. It is the same in all phases. Differential pairs: 1 to 10 mV, trimmed ones below 0.1 mV."""

    synapse_tau: Annotated[Taus, Field(ge=0.0, le=1e3)] = 0.0
    """Time constant of a second pole between drive and membrane, in units of tau; 0: none. First-order units
    cannot ring, with a second pole they can."""


def offsets(units: int, sigma: float, stream: Stream) -> Array:
    """Return the constant drive that every unit adds to its own, (units,): ``sigma xi``."""
    return sigma * stream.normal((units,)) if sigma else np.zeros(units)


def time_constants(units: int, sigma: float, stream: Stream) -> Array:
    """Return the membrane time constants ``1 + sigma xi`` of all units, in units of tau.

    Raises
    ------
    ValueError
        If one of them is not positive.
    """
    if sigma == 0.0:
        return np.ones(units)
    tau = 1.0 + sigma * stream.normal((units,))
    if tau.min() <= 0.0:
        raise ValueError(
            f"devices.neurons.tau_sigma = {sigma:g}: a time constant is {tau.min():.3g} tau, it must be above 0: "
            "lower the spread or take another chip.instance"
        )
    return np.asarray(tau)
