"""What the scenarios of networks and of circuits begin with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import tomlkit
from pydantic import Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from devices.parameters import Parameters

SCHEMA = 1
"""Version of the scenario language that this release reads."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
"""What the name of a scenario looks like."""


class Chip(Parameters):
    """Which piece of silicon."""

    instance: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Number of the fabricated chip: same seed and instance, same chip."""


class ScenarioHead(Parameters):
    """What every scenario says, whatever it is a scenario of."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    """Version of the scenario language; 1."""

    name: Annotated[str, Field(pattern=NAME)]
    """Name of the run; letters, digits, ``_ . -``."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of everything random; 0 to 2^63 - 1."""

    chip: Chip = Chip()
    """Which piece of hardware."""

    def to_toml(self) -> str:
        """Return the scenario with every default filled in, as TOML."""
        return tomlkit.dumps(self.model_dump(by_alias=True, exclude_none=True, mode="json"))


def refuse_faults(found: Iterable[tuple[tuple[str | int, ...], str, str | None]]) -> None:
    """Raise one error for (place, message, hint) of everything found."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("fit", "{words}", {"words": words, "hint": hint}), loc=place, input=None
        )
        for place, words, hint in found
    ]
    if details:
        raise ValidationError.from_exception_data("Scenario", details)
