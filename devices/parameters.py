"""The base of every parameter class, and the physical units its fields accept.

A field has one canonical unit, named in its type. A plain number means that unit; a string such
as ``"90 degree"`` or ``"10 %"`` is converted once, here, so that the rest of the program sees
plain floats.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

_NUMBER_AND_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*$")

# One word or sign: pint calculates with what it is given, and "9**9**9" would never end.
_UNIT = re.compile(r"[^\W\d_]\w{0,40}|[%°‰]")
_LONGEST = 100

# The units people write every day; anything else goes to pint, which takes 0.3 s to load.
_FACTORS = {
    "degree": {"degree": 1.0, "degrees": 1.0, "deg": 1.0, "rad": 180.0 / math.pi},
    "1": {"1": 1.0, "%": 0.01},
}
_EXAMPLES = {"degree": '45 or "45 degree"', "1": '0.1 or "10 %"', "tau": "0.5"}


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


def _convert(text: str, unit: str) -> float:
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
        factor = _factor_by_pint(name, unit, text)
    return float(f"{number * factor:.15g}")


def _factor_by_pint(name: str, unit: str, text: str) -> float:
    fault = PydanticCustomError(
        "unit",
        "'{text}' cannot be read in the unit '{unit}'",
        {"text": text, "unit": unit, "example": _EXAMPLES[unit]},
    )
    if not _UNIT.fullmatch(name):
        raise fault
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry()
    try:
        one, two = (
            float(registry.Quantity(size, name).to("dimensionless" if unit == "1" else unit).magnitude)
            for size in (1.0, 2.0)
        )
    except (pint.errors.PintError, AssertionError, ValueError, TypeError) as error:
        raise fault from error
    if not math.isclose(two, 2.0 * one, rel_tol=1e-12):
        raise fault  # decibels and the like: no factor
    return one


def _in_unit(unit: str) -> BeforeValidator:
    def convert(value: object) -> object:
        return _convert(value, unit) if isinstance(value, str) else value

    return BeforeValidator(convert)


def _without_unit(value: object) -> object:
    if isinstance(value, str):
        raise PydanticCustomError(
            "unit", "'{text}': times are plain numbers in units of tau", {"text": value, "example": _EXAMPLES["tau"]}
        )
    return value


Degrees = Annotated[float, _in_unit("degree")]
"""An angle, in degrees."""

Ratio = Annotated[float, _in_unit("1")]
"""A dimensionless ratio; ``"10 %"`` is 0.1."""

Taus = Annotated[float, BeforeValidator(_without_unit)]
"""A time, in units of the membrane time constant tau."""
