"""The scenario language as JSON Schema, for editors that complete keys and mark faults while you type.

The program's own checks stay the authority: they know units, files and wiring.
"""

from __future__ import annotations

import json
from typing import Any

from ..schema.scenario import ScenarioSpec

FILE = "nudgelab.schema.json"
"""Name of the schema beside scenario files."""

FIRST_LINE = f"#:schema ./{FILE}"
"""First line of a scenario that wants help from the editor."""

Node = dict[str, Any]

_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_EXTENDS = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "description": 'Files this one starts from, such as "base.toml" or "preset:rate-mlp"; tables merge.',
}
_HEAD = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "nudgelab scenario",
    "description": 'One experiment on one simulated chip. Text such as `"10 %"` or `"150 mV"` is a quantity.',
}


def make_json_schema() -> Node:
    """Return the JSON Schema of scenario files.

    Only the top level asks for keys, and not from a file with ``extends``: a table may complete
    that of a base, so what it lacks is no fault by itself.
    """
    schema = ScenarioSpec.model_json_schema(by_alias=True)
    root = _describe_table_schema(schema)
    root["$defs"] = {name: _describe_table_schema(table) for name, table in schema["$defs"].items()}
    root["properties"] = {"extends": _EXTENDS, **root["properties"]}
    root["anyOf"] = [{"required": schema["required"]}, {"required": ["extends"]}]
    return root | _HEAD


def format_json_schema() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(make_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _describe_table_schema(table: Node) -> Node:
    """Return the schema of one table."""
    table = {key: value for key, value in table.items() if key not in {"title", "required"}}
    if "description" in table:
        table["description"] = _format_schema_prose(table["description"])
    table["properties"] = {key: _describe_key_schema(field) for key, field in table["properties"].items()}
    return table


def _describe_key_schema(field: Node) -> Node:
    """Return the schema of one key, or of a part of it."""
    new: Node = {}
    for key, value in field.items():
        if key == "description":
            new[key] = _format_schema_prose(value)
        elif key == "default":
            new |= {} if value is None or isinstance(value, dict) else {key: value}
        elif key in {"anyOf", "oneOf"}:
            new["anyOf"] = [_describe_key_schema(option) for option in value if option != {"type": "null"}]
        elif key in {"items", "additionalProperties"}:
            new[key] = _describe_key_schema(value)
        elif key not in {"title", "discriminator"}:
            new[_LIMITS.get(key, key)] = value
    if len(new.get("anyOf", [])) == 1:
        (option,) = new.pop("anyOf")
        new = option | new
    return new


def _format_schema_prose(text: str) -> str:
    """Return documentation on one line, with the code marks of editors."""
    return " ".join(text.replace("``", "`").split())
