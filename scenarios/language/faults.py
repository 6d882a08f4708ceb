"""What is wrong with a scenario, in words that say where it stands, what is allowed and what to try."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any, NamedTuple

from .lines import Key

Finding = tuple[Key, str, str | None]
"""Path of a key, what is wrong there, and what to try; not yet connected to a file."""

_SHOWN = 50
_WIDTH = 100
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Origin(NamedTuple):
    """Where a key was written."""

    file: str | Path
    """A file, or the text of a ``--set``."""

    line: int | None = None
    """Line in the file, from 1; absent where unknown."""

    source: str | None = None
    """Text of that line."""


class ScenarioFault(NamedTuple):
    """One thing wrong with a scenario."""

    path: tuple[str | int, ...]
    """Keys and item numbers that lead to it; empty: the whole file."""

    message: str
    hint: str | None
    file: str | None = None
    line: int | None = None
    source: str | None = None
    """Text of the line."""

    value: str | None = None
    """The value at fault, as a scenario would write it; absent for tables and arrays."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        name = format_dotted_key(self.path) if self.value is None else f"{format_dotted_key(self.path)} = {self.value}"
        text = ": ".join(part for part in (place, name, self.message) if part)
        text += f" - {self.hint}" if self.hint else ""
        return f"{text}\n    | {self.source}" if self.source else text


class ScenarioError(Exception):
    """Everything that is wrong with a scenario.

    Parameters
    ----------
    faults : iterable of Fault
        In any order; kept sorted by file and line.
    """

    def __init__(self, faults: Iterable[ScenarioFault]) -> None:
        self.faults = sorted(faults, key=_make_sort_key)
        super().__init__(self.faults)

    def __str__(self) -> str:
        left = len(self.faults) - _SHOWN
        more = [f"... and {left} more"] if left > 0 else []
        return "\n".join([*map(str, self.faults[:_SHOWN]), *more])


def _make_sort_key(fault: ScenarioFault) -> tuple[str, bool, int, list[str]]:
    return fault.file or "", fault.line is None, fault.line or 0, [str(key) for key in fault.path]


def locate_findings(
    findings: Iterable[Finding], data: object, origins: Mapping[Key, Origin], path: Path
) -> ScenarioError:
    """Return the error that says where in its files every finding stands.

    Parameters
    ----------
    findings : iterable of (path, message, hint)
    data : dict
        The tree they were found in.
    origins : mapping of path to Origin
        A path without an entry stands where the innermost table around it does.
    path : Path
        The file that is meant where not even a table is known.
    """
    faults = []
    for keys, message, hint in findings:
        around = (origins[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in origins)
        origin = next(around, Origin(path))
        value = format_toml_value(get_value_at(data, keys))
        faults.append(
            ScenarioFault(keys, shorten_text(message, 400), hint, str(origin.file), origin.line, origin.source, value)
        )
    return ScenarioError(faults)


def get_value_at(data: Any, path: Key) -> object:
    """Return the value at a path; None where there is none."""
    for key in path:
        inside = key in data if isinstance(data, dict) else isinstance(data, list) and key in range(len(data))
        if not inside:
            return None
        data = data[key]
    return data


def find_similar(word: object, options: Iterable[object]) -> str | None:
    """Return the text among the options that `word` was probably meant to be."""
    texts = [option for option in options if isinstance(option, str)]
    matches = difflib.get_close_matches(word.lower(), texts, n=1) if isinstance(word, str) else []
    return matches[0] if matches else None


def ask_did_you_mean(option: str | None) -> str | None:
    """Return the question, or None without an option."""
    return f"did you mean '{option}'?" if option else None


def join_with_or(options: Iterable[object]) -> str:
    """Return ``'a', 'b' or 'c'``."""
    *most, last = [repr(option) for option in options]
    return f"{', '.join(most)} or {last}" if most else last


def format_dotted_key(path: Key) -> str:
    """Return a path as TOML writes it."""
    return ".".join(str(key) if _BARE.fullmatch(str(key)) else _quote_text(str(key)) for key in path)


def name_toml_type(value: object) -> str:
    """Return the name of the TOML type of a value; from Python also of what TOML has no word for."""
    if isinstance(value, date | time):
        return "a date or time"
    names = {bool: "a boolean", int: "a whole number", float: "a decimal number", str: "a string"}
    names |= {dict: "a table", list: "an array", type(None): "None"}
    return names.get(type(value), f"a Python object of type {type(value).__name__}")


def format_toml_value(value: object) -> str | None:
    """Return a number or text as TOML writes it, long text shortened; None for tables, arrays and nothing."""
    if isinstance(value, str):
        return _quote_text(value)
    if value is None or isinstance(value, dict | list) or (isinstance(value, int) and value.bit_length() > 64):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def shorten_text(text: str, width: int = _WIDTH) -> str:
    """Return `text`, cut at `width` characters."""
    return text if len(text) <= width else text[: width - 3] + "..."


def _quote_text(text: str) -> str:
    return json.dumps(shorten_text(text), ensure_ascii=False)
