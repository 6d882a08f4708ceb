"""The scenario language as JSON Schema, for editors that complete keys and mark faults while you type.

The program's own checks stay the authority: they know units, files and wiring.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from ..schema.circuit.scenario import CIRCUIT, CircuitSpec
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
    """Return the JSON Schema of scenario files, for rate networks and circuits.

    What a key holds at the top level depends on the kind of scenario, which ``network.law`` tells. A file with
    ``extends`` may leave that to its base, and a table may complete that of the base: only the top level asks for keys,
    and not from such a file.
    """
    kinds = (ScenarioSpec, CircuitSpec)
    _, whole = models_json_schema([(kind, "validation") for kind in kinds], by_alias=True)
    tables = {name: _describe_table_schema(table) for name, table in whole["$defs"].items()}
    rates, circuits = (tables[kind.__name__] for kind in kinds)
    for table in (rates, circuits):
        table["properties"] = {"extends": _EXTENDS, **table["properties"]}
    needed = [set(whole["$defs"][kind.__name__]["required"]) for kind in kinds]
    law = {"properties": {"law": {"const": CIRCUIT}}, "required": ["law"]}
    root: Node = {
        "type": "object",
        "properties": _join_properties(rates["properties"], circuits["properties"]),
        "additionalProperties": False,
        "anyOf": [{"required": sorted(set.intersection(*needed))}, {"required": ["extends"]}],
        "if": {"properties": {"network": law}, "required": ["network"]},
        "then": {"$ref": f"#/$defs/{CircuitSpec.__name__}"},
        "else": {"if": {"not": {"required": ["extends"]}}, "then": {"$ref": f"#/$defs/{ScenarioSpec.__name__}"}},
    }
    return root | {"$defs": tables} | _HEAD


def _join_properties(one: Node, other: Node) -> Node:
    """Return the keys of two kinds of tables; editors complete from these, and do not follow conditions."""
    joined = one | other
    for key in one.keys() & other.keys():
        if one[key] != other[key]:
            words = {word: text for word, text in one[key].items() if word == "description"}
            joined[key] = words | {"anyOf": _list_options(one[key], other[key])}
    return joined


def _list_options(*fields: Node) -> list[Node]:
    """Return the choices of several keys, each once."""
    plain = [{word: value for word, value in field.items() if word != "description"} for field in fields]
    options = [option for field in plain for option in field.get("anyOf", [field])]
    return [option for k, option in enumerate(options) if option not in options[:k]]


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
            new[key] = _describe_key_schema(value) if isinstance(value, dict) else value
        elif key not in {"title", "discriminator"}:
            new[_LIMITS.get(key, key)] = value
    if len(new.get("anyOf", [])) == 1:
        (option,) = new.pop("anyOf")
        new = option | new
    return new


def _format_schema_prose(text: str) -> str:
    """Return documentation on one line, with the code marks of editors."""
    return " ".join(text.replace("``", "`").split())
