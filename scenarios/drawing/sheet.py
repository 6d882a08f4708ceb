"""A table of texts."""

from __future__ import annotations

from typing import NamedTuple


class Sheet(NamedTuple):
    """A table of texts."""

    title: str
    columns: list[str]
    rows: list[list[str]]

    words: int = 1
    """The first so many columns are words, set left; the others numbers, set right."""

    note: str = ""
    """What a reader has to know to read it."""
