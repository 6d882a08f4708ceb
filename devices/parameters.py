"""The base of every parameter class, and the physical units its fields accept.

A field has one canonical unit, named in its type. A plain number means that unit; a string such
as ``"90 degree"`` or ``"10 %"`` is converted once, here, so that the rest of the program sees
plain floats.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

BOLTZMANN = 1.380649e-23
"""In joules per kelvin."""

_NUMBER_AND_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*$")

# One word or sign: pint calculates with what it is given, and "9**9**9" would never end.
_UNIT = re.compile(r"[^\W\d_]\w{0,40}|[%°‰]")
_LONGEST = 100

# The units people write every day; anything else goes to pint, which takes 0.3 s to load.
_FACTORS = {
    "degree": {"degree": 1.0, "degrees": 1.0, "deg": 1.0, "rad": 180.0 / math.pi},
    "1": {"1": 1.0, "%": 0.01},
    "V": {"V": 1.0, "mV": 1e-3, "uV": 1e-6},
    "V/s": {
        f"{volts}/{seconds}": float(f"1e{power + turn}")
        for volts, power in {"V": 0, "mV": -3, "uV": -6}.items()
        for seconds, turn in {"s": 0, "ms": 3, "us": 6, "ns": 9}.items()
    },
    "V um": {"V um": 1.0, "mV um": 1e-3, "uV um": 1e-6},
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "min": 60.0, "h": 3600.0, "day": 86400.0},
    "S": {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9},
    "A": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12},
    "ohm": {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6, "mohm": 1e-3},
    "um": {"um": 1.0, "nm": 1e-3, "mm": 1e3},
    "F": {"F": 1.0, "uF": 1e-6, "nF": 1e-9, "pF": 1e-12, "fF": 1e-15},
    "K": {"K": 1.0},
    "J": {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "nJ": 1e-9, "pJ": 1e-12, "fJ": 1e-15},
    "W": {"W": 1.0, "mW": 1e-3, "uW": 1e-6, "nW": 1e-9, "pW": 1e-12},
}
_EXAMPLES = {
    "degree": '45 or "45 degree"',
    "1": '0.1 or "10 %"',
    "V": '0.15 or "150 mV"',
    "V/s": '5e5 or "0.5 V/us"',
    "V um": '0.0039 or "3.9 mV um"',
    "s": '1e-6 or "1 us"',
    "S": '1e-6 or "1 uS"',
    "A": '1e-6 or "1 uA"',
    "ohm": '1 or "1 ohm"',
    "um": '0.5 or "500 nm"',
    "F": '1e-12 or "1 pF"',
    "K": '300 or "300 K"',
    "J": '1e-12 or "1 pJ"',
    "W": '1e-6 or "1 uW"',
}


class Parameters(BaseModel):
    """Frozen, strict record of parameters: unknown keys, wrong types, nan and inf are errors.

    The text under each field is its documentation: meaning, unit, range.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )


def convert_quantity(text: str, unit: str) -> float:
    """Return the quantity written in `text`, expressed in `unit`."""
    match = _NUMBER_AND_UNIT.match(text) if len(text) <= _LONGEST else None
    example = _EXAMPLES[unit]
    if match is None:
        raise PydanticCustomError("unit", "'{text}' is not a number with a unit", {"text": text, "example": example})
    number, name = float(match[1]), match[2]
    if name is None:
        raise PydanticCustomError("unit", "'{text}' has no unit", {"text": text, "example": example})
    factor = _FACTORS[unit].get(name)
    if factor is None:
        factor = _find_pint_factor(name, unit, text)
    return float(f"{number * factor:.15g}")


def _find_pint_factor(name: str, unit: str, text: str) -> float:
    fault = PydanticCustomError(
        "unit",
        "'{text}' cannot be read in the unit '{unit}'",
        {"text": text, "unit": unit, "example": _EXAMPLES[unit]},
    )
    if not _UNIT.fullmatch(name):
        raise fault
    import pint

    try:
        one, two = (
            float(_load_unit_registry().Quantity(size, name).to("dimensionless" if unit == "1" else unit).magnitude)
            for size in (1.0, 2.0)
        )
    except (pint.errors.PintError, AssertionError, ValueError, TypeError) as error:
        raise fault from error
    if not math.isclose(two, 2.0 * one, rel_tol=1e-12):
        raise fault  # decibels and the like: no factor
    return one


@cache
def _load_unit_registry() -> Any:
    """Return the units that the library knows; reading them takes it about a second."""
    import pint

    return pint.UnitRegistry()


@dataclass(frozen=True)
class _InUnit:
    """Lets a field of plain numbers accept text with a unit, too."""

    unit: str

    @property
    def written(self) -> str:
        """The unit of a plain number, and what text may be in."""
        return "1 or %" if self.unit == "1" else self.unit

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.convert, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"type": "string"}]}

    def convert(self, value: object) -> object:
        return convert_quantity(value, self.unit) if isinstance(value, str) else value


@dataclass(frozen=True)
class Span:
    """A time that was written in seconds; deliberately no number, so that nobody takes it for one in tau."""

    seconds: float
    text: str
    """As written, such as ``50 ns``."""


class Quantity(ABC):
    """Marks a number that may also be written with a unit: ``Annotated[float, ..., Quantity()]``.

    It stands last, so that the limits before it apply to plain numbers. Text becomes an object that is no
    number and keeps the text; to a type checker the field is a float.
    """

    @property
    @abstractmethod
    def written(self) -> str:
        """The unit of a plain number, and what text may be in, such as ``state or V``."""

    @abstractmethod
    def convert(self, value: object, number: core_schema.ValidatorFunctionWrapHandler) -> object:
        """Return a plain number as it is, and text as the object that stands for it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        as_written = core_schema.plain_serializer_function_ser_schema(lambda value: getattr(value, "text", value))
        return core_schema.no_info_wrap_validator_function(self.convert, handler(source), serialization=as_written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"type": "string"}]}


class _Time(Quantity):
    written = "tau or s"

    def convert(self, value: object, number: core_schema.ValidatorFunctionWrapHandler) -> object:
        if isinstance(value, str):
            return Span(convert_quantity(value, "s"), value)
        return value if isinstance(value, Span) else number(value)


Time = _Time()
"""Marks a time in units of tau that may also be written in seconds; text becomes a `Span`, see `convert_to_tau`."""


def convert_to_tau(time: float | Span, tau: float | None) -> float:
    """Return a time in units of tau.

    Parameters
    ----------
    time : float or Span
        In units of tau, or as written in seconds.
    tau : float or None
        Membrane time constant in seconds.

    Raises
    ------
    ValueError
        If `time` is in seconds and `tau` is unknown.
    """
    if not isinstance(time, Span):
        return time
    if tau is None:
        raise ValueError(f"{time.text!r} is in seconds: give tau in seconds, or the time in units of tau")
    return float(f"{time.seconds / tau:.15g}")


@dataclass(frozen=True)
class Potential:
    """A level that was written in volts; no number, so that nobody takes it for a state or an activity."""

    volts: float
    """Or volt micrometres."""

    text: str
    """As written, such as ``2 mV``."""

    scale: str
    """The key of ``[physical]`` that says how many volts one unit is."""


@dataclass(frozen=True)
class Level(Quantity):
    """Marks a level in units of the model that may also be written in volts: ``Annotated[float, ..., Level(scale)]``.

    The limits before it apply to plain numbers, and to the volts alike. Text becomes a `Potential`, which only
    `substrate.units.conversion` turns into a number.
    """

    scale: Literal["activity_volts", "volt_scale"]
    """The key of ``[physical]`` that says how many volts one unit is."""

    unit: Literal["V", "V um"] = "V"
    """What text may be written in."""

    @property
    def written(self) -> str:
        """The state or the activity, or volts."""
        of = "activity" if self.scale == "activity_volts" else "state"
        return f"{of}{' um' if self.unit.endswith(' um') else ''} or {self.unit}"

    def convert(self, value: object, number: core_schema.ValidatorFunctionWrapHandler) -> object:
        """Return a plain number as it is, and text in volts as a `Potential`."""
        if isinstance(value, str):
            return Potential(number(convert_quantity(value, self.unit)), value, self.scale)
        return value if isinstance(value, Potential) else number(value)


@dataclass(frozen=True)
class Unit:
    """Says the unit of a plain number that takes no text: ``Annotated[float, ..., Unit("weight")]``."""

    written: str


@dataclass(frozen=True)
class NamesFile:
    """Marks a text that names a file or a folder; see `FilePath`."""


FilePath = Annotated[str, NamesFile()]
"""A file or folder by its path, relative to the scenario file. Results depend on what it holds, never on its name."""

Degrees = Annotated[float, _InUnit("degree")]
"""An angle, in degrees."""

Ratio = Annotated[float, _InUnit("1")]
"""A dimensionless ratio; ``"10 %"`` is 0.1."""


def is_ratio(marks: Iterable[object]) -> bool:
    """Tell whether the marks of a type are those of a dimensionless ratio."""
    return _InUnit("1") in marks


Volts = Annotated[float, _InUnit("V")]
"""A voltage, in volts."""

Seconds = Annotated[float, _InUnit("s")]
"""A time, in seconds."""

Siemens = Annotated[float, _InUnit("S")]
"""A conductance, in siemens."""

Micrometres = Annotated[float, _InUnit("um")]
"""A length on the chip, in micrometres."""

Farads = Annotated[float, _InUnit("F")]
"""A capacitance, in farads."""

Kelvins = Annotated[float, _InUnit("K")]
"""An absolute temperature, in kelvins."""

Joules = Annotated[float, _InUnit("J")]
"""An energy, in joules."""

Watts = Annotated[float, _InUnit("W")]
"""A power, in watts."""
