"""What a shell may complete: keys of scenarios, from the packaged schema, which is read faster than the models load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .places import SCHEMA_FILE

Node = dict[str, Any]


def complete_key(text: str) -> dict[str, str]:
    """Return how the last word of a dotted key may go on, each with its meaning: ``table.`` or ``key=``.

    Parameters
    ----------
    text : str
        What is written so far, such as ``devices.feed``.
    """
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    *above, last = text.split(".")
    tables = [schema]
    for word in above:
        tables = [inside for table in tables for inside in _list_tables(table, word, schema)]
    found: dict[str, str] = {}
    for table in tables:
        for key, field in table["properties"].items():
            if key.startswith(last) and (above or key != "extends"):
                endings = "." * bool(next(_find_properties(field, schema), None)) + "=" * _takes_value(field, schema)
                for ending in endings:
                    found.setdefault(".".join([*above, key]) + ending, field.get("description", ""))
    return found


def _list_tables(table: Node, word: str, schema: Node) -> Iterator[Node]:
    """Yield the tables that may stand behind a key of a table."""
    if word in table["properties"]:
        yield from _find_properties(table["properties"][word], schema)


def _takes_value(field: Node, schema: Node) -> bool:
    """Tell whether a key may hold something that is no table of known keys."""
    if "anyOf" in field:
        return any(_takes_value(option, schema) for option in field["anyOf"])
    return next(_find_properties(field, schema), None) is None


def _find_properties(field: Node, schema: Node) -> Iterator[Node]:
    """Yield every table that a key may hold, directly or as one of several kinds."""
    if "$ref" in field:
        field = schema["$defs"][field["$ref"].rpartition("/")[2]]
    if "properties" in field:
        yield field
    for option in field.get("anyOf", ()):
        yield from _find_properties(option, schema)
