"""Every key of the scenario language, found by walking the classes of its tables."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from scenarios.schema.scenario import ScenarioSpec


def keys_of(table: type[BaseModel] = ScenarioSpec, above: str = "") -> Iterator[str]:
    """Yield every key; where a table can be of several kinds, those of each, as ``task[teacher].hidden``."""
    for name, field in table.model_fields.items():
        here = f"{above}.{field.alias or name}".strip(".")
        parts = _inside([field.annotation, *field.metadata])
        tables = list(dict.fromkeys(part for part in parts if inspect.isclass(part) and issubclass(part, BaseModel)))
        for inner in tables:
            yield from keys_of(inner, f"{here}[{_kind(inner)}]" if len(tables) > 1 else here)
        if not tables:
            yield here


def _inside(parts: Any) -> Iterator[Any]:
    for part in parts:
        yield part
        yield from _inside(get_args(part))


def _kind(table: type[BaseModel]) -> str:
    return get_args(table.model_fields["kind"].annotation)[0] if "kind" in table.model_fields else table.__name__
