"""Quantities of circuits: text with a unit, such as ``"10 uS"``. A bare number is refused: no unit is the usual one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ..parameters import convert_quantity

EXAMPLES = {"V": "0.5 V", "S": "10 uS", "A": "1 uA", "F": "1 pF", "ohm": "500 ohm", "S/V": "850 uS/V", "K": "300 K"}
EXAMPLES |= {"S^2/V^2": "0.6 uS^2/V^2", "S/V^2": "5 uS/V^2", "s": "20 ms", "V/s": "2 V/s", "1/s": "0.5 1/s"}
EXAMPLES |= {"J": "1 pJ", "W": "1 uW"}

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "k": 1e3, "M": 1e6}
_COMPOUND = re.compile(
    r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([munpfkM]?)(A|S\^2/V\^2|S/V\^2|S/V|V/s|1/s)\s*$"
)
"""Units that are no single word: a prefix belongs to the first letter, so that ``uS^2`` is ``(uS)^2``."""


@dataclass(frozen=True)
class WithUnit:
    """Marks a number that must be written with a unit: ``Annotated[float, ..., WithUnit("V")]``; kept in SI units."""

    unit: str

    @property
    def written(self) -> str:
        """The unit that text may be in, or a multiple of it."""
        return f"text in {self.unit}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.plain_serializer_function_ser_schema(self.format)
        return core_schema.no_info_before_validator_function(self.convert, handler(source), serialization=text)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        del schema, handler
        return {"type": "string"}

    def convert(self, value: object) -> float:
        """Return text as a number in the unit."""
        example = f'"{EXAMPLES[self.unit]}"'
        if not isinstance(value, str):
            words = "needs a unit: must be text such as {example}"
            raise PydanticCustomError("unit", words, {"example": example})
        if match := _COMPOUND.match(value):
            factor = _PREFIXES[match[2]]
            if match[3] == self.unit:
                return float(f"{float(match[1]) * (factor**2 if self.unit.startswith('S^2') else factor):.15g}")
        if len(self.unit) > 3 or self.unit in ("A", "S/V", "V/s", "1/s"):
            words = "'{text}' cannot be read in the unit '{unit}'"
            raise PydanticCustomError("unit", words, {"text": value, "unit": self.unit, "example": example})
        try:
            return convert_quantity(value, self.unit)
        except PydanticCustomError as error:  # its example may be a number without a unit
            context = (error.context or {}) | {"example": example}
            raise PydanticCustomError("unit", error.message_template, context) from None

    def format(self, value: float) -> str:
        """Return the number as text that is read as it."""
        return f"{value:.15g} {self.unit}"


Volt = Annotated[float, WithUnit("V")]
"""A voltage."""

Conductance = Annotated[float, WithUnit("S")]
"""A conductance."""

Resistance = Annotated[float, WithUnit("ohm")]
"""A resistance."""

Current = Annotated[float, WithUnit("A")]
"""A current."""

Capacitance = Annotated[float, WithUnit("F")]
"""A capacitance."""

Duration = Annotated[float, WithUnit("s")]
"""A time."""

Joule = Annotated[float, WithUnit("J")]
"""An energy."""

Watt = Annotated[float, WithUnit("W")]
"""A power."""

Slope = Annotated[float, WithUnit("V/s")]
"""Change of a voltage in time."""

Share = Annotated[float, WithUnit("1/s")]
"""Share lost in time."""

Temperature = Annotated[float, WithUnit("K")]
"""An absolute temperature."""

Transconductance = Annotated[float, WithUnit("S/V")]
"""A transconductance: conductance per gate volt."""
