"""From volts and siemens to the model: what one unit of state, activity, weight and time is on a chip.

A membrane with capacitance C and leak g_L is driven through differential pairs of conductances:

    C dV/dt = -g_L V + sum_j (G+ - G-)_j V_A a_j + I

With ``u = V/V_u`` and ``tau = C/g_L`` this is the additive law, ``W = (G+ - G-) V_A/(g_L V_u)`` and
``b = I/(g_L V_u)``.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from devices.interface.hold import compute_ktc_noise as ktc
from devices.parameters import BOLTZMANN, Farads, Kelvins, Parameters, Seconds, Siemens, Volts

Synapse = Literal["virtual-ground", "transconductor", "passive"]
Real = TypeVar("Real", float, NDArray[np.float64])

_AGREE = 1e-6
_POSITIVE = Field(ge=1e-24, le=1e6)


class Physical(Parameters):
    """The chip in volts, siemens and seconds; without it everything is dimensionless.

    What is not given is unknown, and whoever needs it says so. All values lie between 1e-24 and 1e6.
    """

    volt_scale: Annotated[Volts, _POSITIVE] | None = None
    """Membrane voltage V_u of one unit of state; volts. A subthreshold pair under `sigmoid` has 0.15."""

    activity_volts: Annotated[Volts, _POSITIVE] | None = None
    """Voltage V_A of one unit of activity, as it drives the weights; volts."""

    tau: Annotated[Seconds, _POSITIVE] | None = None
    """Membrane time constant, C/g_L; seconds. Follows from `capacitance` and `leak` where they are given."""

    capacitance: Annotated[Farads, _POSITIVE] | None = None
    """Membrane capacitance C; farads."""

    leak: Annotated[Siemens, _POSITIVE] | None = None
    """Membrane leak g_L; siemens."""

    temperature: Annotated[Kelvins, _POSITIVE] = 300.0
    """Absolute temperature, for thermal noise; kelvins."""

    excess_noise: Annotated[float, Field(ge=0.0)] = 1.0
    """Thermal noise power over that of a plain resistor, gamma; dimensionless."""

    synapse: Synapse = "virtual-ground"
    """How currents reach a membrane: `virtual-ground`, added by an amplifier without load; `transconductor`, with the
    thermal noise of its conductance; `passive`, through resistors that load it, ``g_L + sum (G+ + G-)``, so that its
    time constant and row scale with every write."""

    weight_range: Annotated[float, _POSITIVE] | None = None
    """Largest weight ``|W|`` that a cell can hold, in place of ``devices.weights.window``: the devices of a pair reach
    from 0 to it, a single one from minus to plus; dimensionless."""

    @model_validator(mode="after")
    def _agree(self) -> Physical:
        if self.tau and self.capacitance and self.leak:
            tau = self.capacitance / self.leak
            if not math.isclose(self.tau, tau, rel_tol=_AGREE):
                raise PydanticCustomError(
                    "physical",
                    "`tau`, `capacitance` and `leak` contradict each other: C/g_L is {tau} s",
                    {"tau": f"{tau:.6g}", "hint": "leave one of the three out"},
                )
        return self

    @model_validator(mode="after")
    def _ratio_known(self) -> Physical:
        if self.synapse != "virtual-ground" and (self.volt_scale is None or self.activity_volts is None):
            words = "`synapse` compares conductances with the leak: give `volt_scale` and `activity_volts`"
            raise PydanticCustomError("physical", "{words}", {"words": words})
        return self

    @property
    def volt_ratio(self) -> float:
        """Volts of one unit of state over those of one of activity; 1 where they are unknown."""
        return self.volt_scale / self.activity_volts if self.volt_scale and self.activity_volts else 1.0

    def resolved(self) -> Physical:
        """Return the same mapping with the third of `tau`, `capacitance` and `leak` where two are given."""
        tau, capacitance, leak = self.tau, self.capacitance, self.leak
        if tau is None and capacitance and leak:
            tau = capacitance / leak
        elif capacitance is None and tau and leak:
            capacitance = tau * leak
        elif leak is None and tau and capacitance:
            leak = capacitance / tau
        return self.model_copy(update={"tau": tau, "capacitance": capacitance, "leak": leak})


def convert_state_to_volts(physical: Physical, state: Real) -> Real:
    """Return the membrane voltage of a state, or the change of one."""
    return state * _get_physical_value(physical, "volt_scale")


def convert_activity_to_volts(physical: Physical, activity: Real) -> Real:
    """Return the output voltage of an activity, or the change of one."""
    return activity * _get_physical_value(physical, "activity_volts")


def convert_weight_to_siemens(physical: Physical, weight: Real) -> Real:
    """Return the differential conductance ``G+ - G-`` of a weight, or the change of one."""
    return weight * _compute_weight_siemens(physical)


def compute_thermal_noise(physical: Physical) -> float:
    """Return the standard deviation of the thermal noise on a leaking membrane, in units of the state."""
    power = physical.excess_noise * BOLTZMANN * physical.temperature / _get_physical_value(physical, "capacitance")
    return math.sqrt(power) / _get_physical_value(physical, "volt_scale")


def compute_sampling_noise(physical: Physical, capacitance: float) -> float:
    """Return the standard deviation of the noise of a sample on `capacitance` farads, in units of the activity."""
    return ktc(capacitance, physical.temperature) / _get_physical_value(physical, "activity_volts")


def _compute_weight_siemens(physical: Physical) -> float:
    """Return the differential conductance of a weight of 1."""
    return (
        _get_physical_value(physical, "leak")
        * _get_physical_value(physical, "volt_scale")
        / _get_physical_value(physical, "activity_volts")
    )


def _get_physical_value(physical: Physical, name: str) -> float:
    value: float | None = getattr(physical.resolved(), name)
    if value is None:
        more = ", or two of tau, capacitance and leak" if name in {"capacitance", "leak"} else ""
        raise ValueError(f"physical.{name} is not given: add it to [physical]{more}")
    return value
