"""Conductances and resistances of cells: numbers in units of the weight, or text in siemens and ohms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from .parameters import Potential, number_in


@dataclass(frozen=True)
class Component:
    """A conductance or resistance that was written in siemens or ohms; no number, for the reason of `Potential`."""

    size: float
    text: str
    """As written, such as ``10 uS``."""

    unit: str
    """``S`` or ``ohm``."""


@dataclass(frozen=True)
class Cell:
    """Marks a conductance in units of the weight, ``Cell("S")``, or a resistance in its inverse, ``Cell("ohm")``.

    It stands last, as `Level` does. Text becomes a `Component`, which only `substrate.units` turns into
    a number; to a type checker the field is a float.
    """

    unit: Literal["S", "ohm"]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self.convert, handler(source), serialization=core_schema.plain_serializer_function_ser_schema(_as_written)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"type": "string"}]}

    def convert(self, value: object, number: core_schema.ValidatorFunctionWrapHandler) -> object:
        """Return a plain number as it is, and text with a unit as a `Component`."""
        if isinstance(value, str):
            return Component(number(number_in(value, self.unit)), value, self.unit)
        return value if isinstance(value, Component) else number(value)


def size_of(value: Any) -> float:
    """Return the number in a value that may have been written with a unit, in that unit."""
    if isinstance(value, Potential):
        return value.volts
    return float(value.size if isinstance(value, Component) else value)


def _as_written(value: object) -> object:
    return value.text if isinstance(value, Component) else value
