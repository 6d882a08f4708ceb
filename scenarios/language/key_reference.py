"""The reference of scenario keys, written from the declarations: one table a table of the scenario, one row a key.

``python -m scenarios.language.key_reference`` writes ``docs/reference/keys.md`` and ``circuit-keys.md`` again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel, TypeAdapter, WithJsonSchema
from pydantic.fields import FieldInfo

from devices.parameters import NamesFile

from ..schema.circuit.scenario import CIRCUIT, CircuitSpec
from ..schema.scenario import ScenarioSpec

FOLDER = Path(__file__).parents[2] / "docs" / "reference"

_HEAD = """\
# Scenario keys

Every key of a scenario file, table by table: what it takes, the unit of a plain number, the default, and what it means,
how it is measured or what devices have. These are the keys of rate networks; [circuits](circuit-keys.md) have some of
their own. Where two units stand, text such as `"2 mV"` is in the second, or in one that becomes it; a number without a
unit is plain. Levels in volts and times in seconds need the scales of `[physical]`. A key without effect is a fault.

This page is written from the declarations in the code: `python -m scenarios.language.key_reference`.
"""

_CIRCUITS = f"""\
# Keys of circuits

With `network.law = "{CIRCUIT}"` a scenario describes a Kirchhoff network, and has these keys. Quantities are text with
a unit, such as `"10 uS"`; a number without one is a fault. What is not here is as [in rate networks](keys.md): {{}}.
"""

Model = type[BaseModel]


class _Table(NamedTuple):
    """A table of the scenario: the kinds it can be, and every place where it can stand."""

    kinds: tuple[Model, ...]
    places: list[str]


def write_key_reference() -> dict[str, str]:
    """Return the pages by the names of their files."""
    rates, circuits = (_find_tables(kind) for kind in (ScenarioSpec, CircuitSpec))
    places = {circuits.pop(kinds).places[0] for kinds in rates.keys() & circuits.keys()}
    shared = {f"`{place}`" for place in places if place.rpartition(".")[0] not in places}
    pages = {"keys.md": (_HEAD, rates), "circuit-keys.md": (_CIRCUITS.format(", ".join(sorted(shared))), circuits)}
    return {
        name: "\n".join([head, *chain(*map(_write_section, tables.values()))]) for name, (head, tables) in pages.items()
    }


def _find_tables(kind: Model) -> dict[tuple[Model, ...], _Table]:
    tables: dict[tuple[Model, ...], _Table] = {}
    _collect_tables((kind,), "", tables)
    return tables


def _collect_tables(kinds: tuple[Model, ...], place: str, tables: dict[tuple[Model, ...], _Table]) -> None:
    """Note a table and all tables inside it, in the order of their keys."""
    table = tables.setdefault(kinds, _Table(kinds, []))
    if place in table.places:
        return
    table.places.append(place)
    for kind in kinds:
        for name, field in kind.model_fields.items():
            if inside := tuple(_list_models([field.annotation])):
                _collect_tables(inside, f"{place}.{_find_key_name(name, field)}".lstrip("."), tables)


def _list_models(parts: Iterable[Any]) -> Iterator[Model]:
    """Yield the tables among the choices of a type, items of an array included."""
    for part in parts:
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part
        elif get_origin(part) is not Literal:
            yield from _list_models(get_args(part))


def _write_section(table: _Table) -> Iterator[str]:
    places = [place for place in table.places if place] or ["top level"]
    yield f"## {', '.join(f'`{place}`' if place != 'top level' else place for place in places)}\n"
    if len(table.kinds) == 1:
        (kind,) = table.kinds
        yield from [*_write_intro(kind), *_write_rows(kind.model_fields)]
        return
    shared = _find_shared_keys(table.kinds)
    tags = ", ".join(f"`{_name_kind(kind)}`" for kind in table.kinds)
    yield f"One of {tags}.\n"
    if shared:
        yield "Keys of several kinds:\n"
        yield from _write_rows(
            {f: kind.model_fields[f] for f, (kind, _) in shared.items()}, {f: w for f, (_, w) in shared.items()}
        )
    for kind in table.kinds:
        yield f'### `kind = "{_name_kind(kind)}"`\n' if "kind" in kind.model_fields else f"### {_name_kind(kind)}\n"
        own = {name: field for name, field in kind.model_fields.items() if name not in shared and name != "kind"}
        yield from [*_write_intro(kind), *_write_rows(own)]


def _find_shared_keys(kinds: tuple[Model, ...]) -> dict[str, tuple[Model, str]]:
    """Return the keys that mean the same in several kinds, with one of these and a word for all of them."""
    found: dict[str, tuple[Model, str]] = {}
    for kind in kinds:
        for name, field in kind.model_fields.items():
            alike = [one for one in kinds if _is_alike(one.model_fields.get(name), field)]
            if name == "kind" or name in found or len(alike) < 2:
                continue
            others = [_name_kind(one) for one in kinds if one not in alike]
            few = "" if not others else ", ".join(f"`{_name_kind(one)}`" for one in alike)
            words = f"all but {', '.join(f'`{tag}`' for tag in others)}" if 0 < len(others) < len(alike) else few
            if all(_is_alike(one.model_fields.get(name), field) or name not in one.model_fields for one in kinds):
                found[name] = kind, words
    return found


def _is_alike(one: FieldInfo | None, other: FieldInfo) -> bool:
    """Tell whether two keys are declared alike."""
    return one is not None and all(
        getattr(one, part) == getattr(other, part) for part in ("annotation", "metadata", "description", "default")
    )


def _name_kind(kind: Model) -> str:
    field = kind.model_fields.get("kind")
    return str(get_args(field.annotation)[0]) if field else re.sub(r"\B([A-Z])", r" \1", kind.__name__).lower()


def _write_intro(kind: Model) -> list[str]:
    return [_format_markdown_prose(kind.__doc__) + "\n"] if kind.__doc__ else []


def _write_rows(fields: dict[str, FieldInfo], of: dict[str, str] | None = None) -> Iterator[str]:
    if not fields:
        return
    some = any((of or {}).values())
    yield f"| key | value | unit | default | meaning |{' of |' if some else ''}"
    yield f"|---|---|---|---|---|{'---|' if some else ''}"
    for name, field in fields.items():
        value, unit = _describe_value(field.annotation, field.metadata)
        cells = [
            f"`{_find_key_name(name, field)}`",
            value,
            unit,
            _describe_default(field),
            _format_markdown_prose(field.description or ""),
        ]
        cells += [(of or {}).get(name, "")] if some else []
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _find_key_name(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _describe_value(annotation: Any, marks: Iterable[Any]) -> tuple[str, str]:
    """Return in words what a key takes, and its unit."""
    marks = [one for mark in marks for one in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _describe_value(inner, [*more, *marks])
    unit = next((mark.written for mark in reversed(marks) if hasattr(mark, "written")), "")
    if get_origin(annotation) in (Union, UnionType):
        options = [_describe_value(part, marks) for part in get_args(annotation) if part is not NoneType]
        return " or ".join(dict.fromkeys(words for words, _ in options)), next((u for _, u in options if u), unit)
    named = next(((m.json_schema or {})["enum"] for m in marks if isinstance(m, WithJsonSchema)), ())
    if choices := get_args(annotation) if get_origin(annotation) is Literal else named:
        return ", ".join(f"`{_format_toml(value)}`" for value in choices), unit
    if get_origin(annotation) in (list, dict):
        inside, unit = _describe_value(get_args(annotation)[-1], [])
        holder = "array" if get_origin(annotation) is list else "table"
        return f"{holder}{_describe_length(marks)} of: {inside}", unit
    if any(isinstance(mark, NamesFile) for mark in marks):
        return "file", unit
    return _NAMES.get(annotation, "table") + _describe_range(marks), unit


_NAMES: dict[Any, str] = {float: "number", int: "whole number", str: "text", bool: "`true`, `false`", Any: "any"}


def _describe_range(marks: Iterable[Any]) -> str:
    words: dict[str, str] = {}
    for mark in marks:
        for sign, before in _LIMITS.items():
            if (end := getattr(mark, sign, None)) is not None:
                words["low" if sign in ("ge", "gt") else "high"] = before + _format_limit(end)
    low, high = words.get("low", ""), words.get("high", "")
    if low and not high and not low.startswith("above"):
        return f", {low} or more"
    return f", {low} to {high}" if low and high else f", {low}{high}" if low or high else ""


_LIMITS = {"ge": "", "gt": "above ", "le": "", "lt": "below "}


def _describe_length(marks: Iterable[Any]) -> str:
    least = next((mark.min_length for mark in marks if isinstance(mark, MinLen)), None)
    most = next((mark.max_length for mark in marks if isinstance(mark, MaxLen)), None)
    if least == most is not None:
        return f" of {most}"
    return "" if most is None else f" of {least or 0} to {most}"


def _format_limit(value: float) -> str:
    if isinstance(value, int) and value >= 2**30:
        power = value.bit_length() - (value & (value - 1) == 0)
        return f"2^{power}" if value == 2**power else f"2^{power} - 1" if value == 2**power - 1 else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _describe_default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "absent"
    if isinstance(value, BaseModel):
        return ""
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    written = TypeAdapter(kind).dump_python(value, mode="json")
    return f"`{_format_toml(written)}`"


def _format_toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_format_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _format_markdown_prose(text: str) -> str:
    """Return documentation on one line, with the code marks of Markdown."""
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    for name, page in write_key_reference().items():
        (FOLDER / name).write_text(page, encoding="utf-8")
