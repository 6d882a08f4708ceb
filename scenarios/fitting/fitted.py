"""What a fit finds, and the preset that is written of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class FitError(Exception):
    """A file cannot be fitted: the text names the file, what is wrong, and what to try."""


class FittedValue(NamedTuple):
    """One value of a device."""

    value: Any
    """A number, a list of numbers, or a choice of words, such as the kind of a law."""

    unit: str = ""
    """Empty for a choice of words."""

    low: Any = None
    """Interval of 90 %; absent where none is known."""

    high: Any = None
    n: int | None = None
    """Numbers it was fitted to."""


class FitResult(NamedTuple):
    """What the files of one kind say."""

    title: str
    """Of the table and of the preset."""

    tables: dict[str, dict[str, FittedValue]]
    """Values by table of ``[devices]`` and key; tables of other names hold facts that no key takes."""

    range: str
    """What was measured: devices, numbers, their range."""

    alternatives: list[tuple[str, float]] = []  # noqa: RUF012  never changed
    """Other laws, and how much worse each is by the information criterion of Akaike; the chosen one has 0."""

    notes: list[str] = []  # noqa: RUF012
    """What a reader has to know: devices that were left out, what is not known."""

    curves: Mapping[str, tuple[str, Array]] = {}
    """Tables that a preset cannot hold, by the end of the file's name: line of names and numbers (lines, columns)."""


def write_preset_text(found: FitResult, paper: str, place: str, stem: str = "device") -> str:
    """Return a preset in TOML.

    Parameters
    ----------
    found : FitResult
        What was fitted.
    paper, place : str
        Where the numbers come from: files, and how they were fitted.
    stem : str
        Name of the file without its suffix, which tables beside it begin with.
    """
    spread = "intervals are those of 90 %" + "".join(f"; {note}" for note in found.notes)
    source = {"paper": paper, "place": place, "range": found.range, "spread": spread.replace("{stem}", stem)}
    lines = [f"# {found.title}", "", "[sources.fit]", *(f"{key} = {_quote(text)}" for key, text in source.items())]
    for table, values in found.tables.items():
        lines += ["", f"[{table}]"]
        lines += [f"{key} = {_format_entry(one, stem)}" for key, one in values.items()]
    return "\n".join(lines) + "\n"


def format_curve(names: str, values: Array) -> str:
    """Return a table as CSV."""
    return "\n".join([names, *(",".join(f"{number:.9g}" for number in row) for row in values)]) + "\n"


def estimate_interval(value: float, error: float) -> tuple[float, float]:
    """Return the interval of 90 % of a normal estimate."""
    return value - 1.645 * error, value + 1.645 * error


def make_value(value: float, unit: str, interval: Iterable[float] = (), n: int | None = None) -> FittedValue:
    """Return a fitted number, rounded to six digits."""
    low, high = interval or (None, None)
    return FittedValue(_round(value), unit, _round(low), _round(high), n)


def _round(value: Any) -> Any:
    if value is None or not np.all(np.isfinite(value)):
        return None
    return [float(f"{x:.6g}") for x in value] if isinstance(value, list) else float(f"{value:.6g}")


def _format_entry(one: FittedValue, stem: str) -> str:
    if not one.unit:
        return _quote(one.value.replace("{stem}", stem)) if isinstance(one.value, str) else _format(one.value)
    known = {"low": one.low, "high": one.high, "n": one.n}
    parts = [f"value = {_format(one.value)}", f"unit = {_quote(one.unit)}", 'source = "fit"']
    return "{ " + ", ".join(parts + [f"{key} = {_format(x)}" for key, x in known.items() if x is not None]) + " }"


def _format(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_format, value)) + "]"
    return _quote(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
