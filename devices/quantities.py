"""Conductances, resistances and slew rates: numbers in units of the model, or text in units of physics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import core_schema

from .parameters import Potential, Quantity, convert_quantity


@dataclass(frozen=True)
class Component:
    """A conductance or resistance that was written in siemens or ohms; no number, for the reason of `Potential`."""

    size: float
    text: str
    """As written, such as ``10 uS``."""

    unit: str
    """``S`` or ``ohm``."""


@dataclass(frozen=True)
class CellQuantity(Quantity):
    """Marks a conductance in units of the weight, ``Cell("S")``, or a resistance in its inverse, ``Cell("ohm")``.

    Text becomes a `Component`, which only `substrate.units.conversion` turns into a number.
    """

    unit: Literal["S", "ohm"]

    @property
    def written(self) -> str:
        """The weight or its inverse, or siemens or ohms."""
        return "weight or S" if self.unit == "S" else "1/weight or ohm"

    def convert(self, value: object, number: core_schema.ValidatorFunctionWrapHandler) -> object:
        """Return a plain number as it is, and text with a unit as a `Component`."""
        if isinstance(value, str):
            return Component(number(convert_quantity(value, self.unit)), value, self.unit)
        return value if isinstance(value, Component) else number(value)


@dataclass(frozen=True)
class Rate:
    """A rate that was written in volts per second; no number, for the reason of `Potential`."""

    size: float
    text: str
    """As written, such as ``0.5 V/us``."""

    scale: str
    """The key of ``[physical]`` that says how many volts one unit is."""


@dataclass(frozen=True)
class Slew(Quantity):
    """Marks a rate in units of the state or the activity per tau; text becomes a `Rate`.

    Only `substrate.units.conversion` turns that into a number. Of the limits only the sign applies to text.
    """

    scale: Literal["activity_volts", "volt_scale"]
    """The key of ``[physical]`` that says how many volts one unit is."""

    @property
    def written(self) -> str:
        """The state or the activity per tau, or volts per second."""
        return f"{'activity' if self.scale == 'activity_volts' else 'state'}/tau or V/s"

    def convert(self, value: object, number: core_schema.ValidatorFunctionWrapHandler) -> object:
        """Return a plain number as it is, and text with a unit as a `Rate`."""
        if not isinstance(value, str):
            return value if isinstance(value, Rate) else number(value)
        size = convert_quantity(value, "V/s")
        if size <= 0.0:
            number(size)
        return Rate(size, value, self.scale)


def get_magnitude(value: Any) -> float:
    """Return the number in a value that may have been written with a unit, in that unit."""
    if isinstance(value, Potential):
        return value.volts
    return float(value.size if isinstance(value, Component | Rate) else value)
