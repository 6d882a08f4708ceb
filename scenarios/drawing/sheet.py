"""A table of texts, and a number with its words."""

from __future__ import annotations

from html import escape
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


class KeyNumber(NamedTuple):
    """A number that a page begins with."""

    value: str
    """With its unit."""

    words: str
    """What it is, of how many, and its interval where there is one."""


def render_sheet(sheet: Sheet) -> str:
    """Return a table as HTML for the middle of a page."""
    head = "".join(f"<th>{escape(column)}</th>" for column in sheet.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in sheet.rows)
    note = f"<p>{escape(sheet.note)}</p>" if sheet.note else ""
    return f"<p>{escape(sheet.title)}</p><table><tr>{head}</tr>{rows}</table>{note}"
