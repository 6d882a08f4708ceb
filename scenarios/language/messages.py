"""The errors of pydantic in our own words: what is allowed, and what was probably meant."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .faults import (
    Finding,
    ask_did_you_mean,
    find_similar,
    format_dotted_key,
    get_value_at,
    join_with_or,
    name_toml_type,
)
from .lines import Key
from .migrate import MOVED

_WORDS = {
    "float_type": "must be a number, is {given}",
    "int_type": "must be a whole number, is {given}",
    "string_type": "must be a string, is {given}",
    "bool_type": "must be true or false, is {given}",
    "list_type": "must be an array, is {given}",
    "dict_type": "must be a table, is {given}",
    "model_type": "must be a table, is {given}",
    "model_attributes_type": "must be a table, is {given}",
    "greater_than": "must be > {gt}",
    "greater_than_equal": "must be >= {ge}",
    "less_than": "must be < {lt}",
    "less_than_equal": "must be <= {le}",
    "finite_number": "must be finite",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} item(s)",
    "string_pattern_mismatch": "must match {pattern}",
}


def translate_errors(
    error: ValidationError, model: type[BaseModel], data: object, extra: tuple[str, ...]
) -> list[Finding]:
    """Return the errors of pydantic in our own words.

    Parameters
    ----------
    error : ValidationError
    model : subclass of BaseModel
        What `data` was validated against; the unions of tables in it have the tag ``kind``.
    data : dict
        The tree that was validated.
    extra : tuple of str
        Keys that may stand at the top beside those of the model, for suggestions.
    """
    errors = error.errors(include_url=False, include_input=False)
    located = [(_locate_error(e["loc"], model), e) for e in errors]
    located = [(spot, e) for spot, e in located if not (e["type"] == "bool_type" and _is_switch(spot))]
    missing = {spot.path for spot, e in located if e["type"] == "missing"}
    findings: list[Finding] = []
    for spot, e in located:
        if e["type"] == "extra_forbidden":
            *table, key = spot.path
            fitting = [one for one in spot.among if key not in _list_fields(one)]
            absent = [str(p[-1]) for p in missing if p[:-1] == tuple(table)]
            meant = find_similar(str(key), absent)
            missing.discard((*table, meant or ""))
            known = [*(name for one in fitting[:1] for name in _list_fields(one)), *(() if table else extra)]
            if moved := MOVED.get(format_dotted_key(spot.path)):
                hint = f"it is {moved} now: `nudgelab migrate FILE --write` moves it, comments and all"
                findings.append((spot.path, "has moved", hint))
                continue
            hint = ask_did_you_mean(meant or find_similar(str(key), known)) or "known keys: " + ", ".join(known)
            findings.append((spot.path, "unknown key", hint))
        elif e["type"] != "missing":
            several = get_value_at(data, (*spot.path[:-1], f"{spot.path[-1]}s")) if spot.path else None
            findings.append(_describe_error(spot, e, get_value_at(data, spot.path), several))
    findings += [(spot.path, "missing", _describe_missing_key(spot)) for spot, _ in located if spot.path in missing]
    return findings


_REGISTERED = {("learning", "scheme"), ("learning", "schemes"), ("learning", "rule"), ("devices", "update")}
"""Tables that may hold a kind of the user's own."""

_OWN = "a kind of your own has to be registered first, in the Python that reads the scenario (docs/extending.md)"


class _Spot(NamedTuple):
    """What the model says about the place of an error."""

    path: Key
    owner: type[BaseModel] | None
    field: FieldInfo | None
    tables: list[type[BaseModel]]
    named: bool = False
    """Whether the tables stand under names of the user's own."""
    among: tuple[type[BaseModel], ...] = ()
    """Tables that the key may belong to."""


def _locate_error(loc: tuple[str | int, ...], model: type[BaseModel]) -> _Spot:
    """Follow `loc` through the model; the tags that pydantic puts in there are no part of the path.

    Our own checks leave them out; a key then belongs to the first table that has it.
    """
    spot = _Spot((), None, None, [model])
    for part in loc:
        if str(part).startswith("<") or _is_switch(spot):
            continue
        if isinstance(part, int) or spot.named:
            spot = spot._replace(path=(*spot.path, part), named=False)
        elif len(spot.tables) > 1 and any(part in _list_tags(table) for table in spot.tables):
            spot = spot._replace(tables=[table for table in spot.tables if part in _list_tags(table)])
        elif spot.tables:
            owner = next((table for table in spot.tables if part in _list_fields(table)), spot.tables[0])
            field = _list_fields(owner).get(part)
            tables = _list_tables(field.annotation) if field else []
            named = field is not None and get_origin(field.annotation) is dict
            spot = _Spot((*spot.path, part), owner, field, tables, named, tuple(spot.tables))
        else:
            spot = spot._replace(path=(*spot.path, part))
    return spot


def _is_switch(spot: _Spot) -> bool:
    """Tell whether a field is a number or true: pydantic then names both kinds in the place of one error."""
    return spot.field is not None and bool in get_args(spot.field.annotation)


def _list_fields(table: type[BaseModel] | None) -> dict[str, FieldInfo]:
    """Return the fields by the names used in files."""
    return {field.alias or name: field for name, field in table.model_fields.items()} if table else {}


def _list_tables(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in _list_tables(part)]


def _list_choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in _list_choices(part)]


def _list_tags(table: type[BaseModel]) -> list[Any]:
    field = table.model_fields.get("kind")
    return _list_choices(field.annotation) if field else []


def list_kinds_at(model: type[BaseModel], path: Key) -> list[Any]:
    """Return the kinds that a table of a model can have."""
    return [tag for table in _locate_error(path, model).tables for tag in _list_tags(table)]


def _describe_error(spot: _Spot, error: ErrorDetails, value: object, several: object) -> Finding:
    """Return one error that is neither an unknown nor a missing key; `several`: the list of such tables beside it."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _describe_tag_fault(spot, value, several)
    if kind == "literal_error":
        choices = _list_choices(spot.field.annotation) if spot.field else []
        meant = find_similar(value, choices) or _find_spread_key(spot, value)
        return spot.path, f"must be {join_with_or(choices)}", ask_did_you_mean(meant)
    if kind == "unknown_name":
        choices = context["choices"]
        return (
            spot.path,
            f"must be {join_with_or(choices)}",
            ask_did_you_mean(find_similar(value, choices)) or context["hint"],
        )
    if kind == "unit":
        message = error["msg"].removeprefix(f"'{context.get('text')}'").removeprefix(": ").strip()
        return spot.path, message, f"write {context['example']}"
    if kind in _WORDS:
        message = _WORDS[kind].format(**context, given=name_toml_type(value))
        return spot.path, message, _suggest_conversion(kind, value) or _describe_field(spot)
    return spot.path, error["msg"], context.get("hint")


def _find_spread_key(spot: _Spot, value: object) -> str | None:
    """Return the key of a spread beside one that chooses its law, for a number that was given to the law."""
    number = type(value) in {int, float} or (isinstance(value, str) and value[:1].isdecimal())
    sigma = f"{spot.path[-1]}_sigma"
    return sigma if number and sigma in _list_fields(spot.owner) else None


def _describe_tag_fault(spot: _Spot, value: object, several: object) -> Finding:
    """Return the fault of a table that does not say which of several it is."""
    kinds = [tag for table in spot.tables for tag in _list_tags(table)]
    own = _OWN if spot.path[:2] in _REGISTERED else None
    if isinstance(value, str):
        return spot.path, f"must be {join_with_or(kinds)}", ask_did_you_mean(find_similar(value, kinds)) or own
    keys = value if isinstance(value, dict) else {}
    if "kind" in keys:
        return (
            (*spot.path, "kind"),
            f"must be {join_with_or(kinds)}",
            ask_did_you_mean(find_similar(keys["kind"], kinds)) or own,
        )
    known = {key for table in spot.tables for key in _list_fields(table)}
    typo = find_similar("kind", [key for key in keys if key not in known])
    if typo:
        return (*spot.path, typo), "unknown key", ask_did_you_mean("kind")
    if isinstance(several, list) and len(keys) == 1:
        path = format_dotted_key((*spot.path[:-1], f"{spot.path[-1]}s", 0, *keys))
        return spot.path, "has no `kind`", f"this scenario has a list of them: {path} is that of the first"
    return spot.path, "has no `kind`", f"add kind = {join_with_or(kinds)}"


def _describe_missing_key(spot: _Spot) -> str | None:
    """Return what to write for a missing key."""
    kinds = [tag for table in spot.tables for tag in _list_tags(table)] if len(spot.tables) > 1 else []
    if spot.tables:
        return f"add a table [{format_dotted_key(spot.path)}]" + (
            f" with kind = {join_with_or(kinds)}" if kinds else ""
        )
    return _describe_field(spot)


def _describe_field(spot: _Spot) -> str | None:
    """Return the documentation of a field: meaning, unit, range."""
    text = spot.field.description if spot.field else None
    return " ".join(text.replace("``", "`").split()).removesuffix(".") if text else None


def _suggest_conversion(kind: str, value: object) -> str | None:
    """Return how a value of the wrong type would have to be written, where that is clear."""
    if kind in {"float_type", "int_type"} and isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,18}", value):
        return f"write {value} without quotes"
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    return f'write "{value}"' if kind == "string_type" and type(value) in {int, float} else None
