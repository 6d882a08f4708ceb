"""Spread between the units of a chip, the limit of their speed, and the optional second pole of their synapses."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ..imperfection import COMMON, Cause
from ..parameters import Level, Micrometres, Parameters, Ratio, Time
from ..quantities import Slew, get_magnitude
from ..random import Stream

Array = NDArray[np.float64]


class InputPair(Parameters):
    """Offset of a differential pair by its area: ``sqrt(2) coefficient / sqrt(width length)``.

    The offset is the difference of the thresholds of two equal transistors (Pelgrom 1989).
    """

    coefficient: Annotated[float, Field(ge=0.0, le=100.0), Level("volt_scale", "V um")]
    """Spread of the threshold of one transistor of 1 um^2; units of the state times micrometres, or volt micrometres
    such as "3.9 mV um". 130 nm: 3.9 mV um (n) and 2.2 mV um (p)."""

    width: Annotated[Micrometres, Field(gt=0.0, le=1e4)]
    """Width of one transistor; micrometres."""

    length: Annotated[Micrometres, Field(gt=0.0, le=1e4)]
    """Length of one transistor; micrometres."""

    @property
    def sigma(self) -> float:
        """Standard deviation of the offset, in units of the state."""
        return math.sqrt(2.0 / (self.width * self.length)) * self.coefficient


class NeuronDevices(Parameters):
    """The membranes and the poles in front of them."""

    preset: str | None = None
    """Published process or part that the values not given here come from, such as ``"cmos-130nm"``."""

    tau_sigma: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Relative spread of the membrane time constants, one standard deviation; dimensionless, 0 to 1."""

    offset_sigma: Annotated[float, Field(ge=0.0, le=100.0), Level("volt_scale")] = 0.0
    """Spread of a constant drive that every unit adds to its own, one standard deviation; units of the state, or
    volts. It is the same in all phases. Differential pairs: 1 to 10 mV, trimmed ones below 0.1 mV."""

    gain_sigma: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Relative spread of the gain of the activity, g in ``a = g rho(s u)``, one standard deviation; dimensionless, 0 to
    1. The activity is read, driven on and nudged behind this gain. Follow mirrors: 0.01 to 0.1."""

    slope_sigma: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Relative spread of the steepness s in ``a = g rho(s u)``, one standard deviation; dimensionless, 0 to 1. Of
    differential pairs in weak inversion below 0.02, since it is that of the slope factor."""

    open_loop_gain: Annotated[float, Field(ge=1.0, le=1e12)] | None = None
    """Gain A of the amplifier that buffers the activity: it divides by ``1 + 1/A``; dimensionless, 1 to 1e12. Absent:
    none is lost. A 741 has 2e5, single stages on a chip 30 to 1000."""

    slew: Annotated[float, Field(gt=0.0, le=1e6), Slew("volt_scale")] | None = None
    """Largest change of a membrane, ``|du/dt|``; units of the state per tau, or volts per second such as "0.5 V/us",
    above 0. It moves no rest point, only the way there. Kicks of white noise are not limited. Absent: no limit."""

    synapse_tau: Annotated[float, Field(ge=0.0, le=1e3), Time] = 0.0
    """Time constant of a second pole between drive and membrane, in units of tau or seconds; 0: none. First-order
    units cannot ring, with a second pole they can."""

    input_pair: InputPair | None = None
    """Transistors that make the offset, in place of `offset_sigma`."""

    causes: ClassVar[tuple[Cause, ...]] = (Cause("neurons", COMMON, acts=lambda neurons, _: neurons.on),)

    @model_validator(mode="after")
    def _one_offset(self) -> NeuronDevices:
        if self.input_pair is not None and get_magnitude(self.offset_sigma) > 0.0:
            words = "`input_pair` and `offset_sigma` exclude each other: one way to say the offset"
            raise PydanticCustomError("neurons", "{words}", {"words": words})
        return self

    @property
    def offset(self) -> float:
        """Spread of the offset, however it was given; units of the state."""
        return self.input_pair.sigma if self.input_pair else self.offset_sigma

    @property
    def buffer_gain(self) -> float:
        """Gain that all units have in common."""
        return 1.0 if self.open_loop_gain is None else 1.0 / (1.0 + 1.0 / self.open_loop_gain)

    @property
    def curved(self) -> bool:
        """Tell whether the transfer curves differ from the activation."""
        return self.gain_sigma > 0.0 or self.slope_sigma > 0.0 or self.open_loop_gain is not None

    @property
    def on(self) -> bool:
        """Tell whether the membranes differ from the design."""
        slow = self.tau_sigma > 0.0 or self.synapse_tau > 0.0 or self.slew is not None
        return slow or self.curved or self.offset > 0.0


def sample_drive_offsets(units: int, sigma: float, stream: Stream) -> Array:
    """Return the constant drive that every unit adds to its own, (units,): ``sigma xi``."""
    return sigma * stream.normal((units,)) if sigma else np.zeros(units)


def sample_unit_factors(units: int, sigma: float, stream: Stream, key: str) -> Array:
    """Return the factors ``1 + sigma xi`` of all units, whose spread is that of the key `key` of a scenario.

    Raises
    ------
    ValueError
        If one of them is not positive.
    """
    if sigma == 0.0:
        return np.ones(units)
    found = 1.0 + sigma * stream.normal((units,))
    if found.min() <= 0.0:
        raise ValueError(
            f"{key} = {sigma:g}: a factor is {found.min():.3g}, it must be above 0: "
            "lower the spread or take another chip.instance"
        )
    return np.asarray(found)
