"""Tables as lines of a terminal of any width: no number is cut, and words stay whole where a line has room for them."""

from __future__ import annotations

import math
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import chain, groupby

from ..drawing.sheet import Sheet

_GAP = "  "
_TALLEST = 4
"""Lines that a heading may take."""

_JOINT = "\N{NO-BREAK SPACE}"

_NARROWEST = 16
"""Columns that a text needs to be read beside others."""


def format_sheet(sheet: Sheet, width: int) -> list[str]:
    """Return a table as lines of at most `width` characters.

    A table that is too wide loses the columns that hold nothing but zeros, which are named below it. If it is
    still too wide, its second column of texts goes to lines of its own below the rows, or the table is turned: its
    columns become rows, and its rows stand side by side, in as many blocks as they need. A number is never broken,
    even where it is longer than the line.

    Parameters
    ----------
    sheet : Sheet
    width : int
        Characters of a line.
    """
    if (upright := _format_upright(sheet.columns, sheet.rows, sheet.words, width)) is not None:
        return list(chain(*upright))
    kept = [k for k in range(len(sheet.columns)) if k < sheet.words or not _is_all_zero([row[k] for row in sheet.rows])]
    zero = [name for k, name in enumerate(sheet.columns) if k not in kept]
    columns, rows = [sheet.columns[k] for k in kept], [[row[k] for k in kept] for row in sheet.rows]
    upright = _format_upright(columns, rows, sheet.words, width) or _format_hanging(columns, rows, sheet.words, width)
    lines = list(chain(*upright) if upright else _format_turned(columns, rows, sheet.words, width))
    return lines + wrap_text(f"nothing but zeros: {', '.join(zero)}", width) if zero else lines


def wrap_text(text: str, width: int) -> list[str]:
    """Return text as lines of at most `width` characters, broken between words alone, and not before a %."""
    joined = text.replace(" %", f"{_JOINT}%")
    lines = textwrap.wrap(joined, max(1, width), break_on_hyphens=False, break_long_words=False)
    return [line.replace(_JOINT, " ") for line in lines] or [""]


def find_error_width() -> int | None:
    """Return the columns of the standard error: as COLUMNS says, or the terminal; None in a pipe or file."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or None
    except (OSError, ValueError):  # no terminal, or no file at all
        return None


def wrap_lines(text: str, width: int | None) -> str:
    """Return text whose lines go on, two columns in, where they are longer than `width`; None: as it is.

    Lines that begin with a blank, such as the line of a file that a fault is in, stay whole.
    """
    if width is None:
        return text
    found: list[str] = []
    for line in text.split("\n"):
        first, *_ = wrap_text(line, width)
        if line.startswith(" ") or len(line) <= width:
            found.append(line)
            continue
        rest = line.removeprefix(first).strip()
        found += [first, *(f"{_GAP}{more}" for more in (wrap_text(rest, width - len(_GAP)) if rest else []))]
    return "\n".join(found)


def _is_all_zero(cells: Sequence[str]) -> bool:
    """Tell whether a column holds numbers and every one of them is zero."""
    return bool(cells) and all(_parse_number(cell) == 0.0 for cell in cells)


def _parse_number(cell: str) -> float:
    try:
        return float(cell.removesuffix(" %").replace(",", ""))
    except ValueError:
        return math.nan


def _format_upright(columns: list[str], rows: list[list[str]], words: int, width: int) -> list[list[str]] | None:
    """Return the lines of the headings, in as few as possible, and of every row; None where there is no room.

    Columns of texts give way to the rest, the widest one first, as far as their longest words let them.
    """
    longest = [max([len(row[k]) for row in rows], default=0) for k in range(len(columns))]
    least = [
        max([_NARROWEST, *(len(word) for text in (columns[k], *(row[k] for row in rows)) for word in text.split())])
        for k in range(words)
    ]
    for tallest in range(1, _TALLEST + 1):
        sizes = [max(size, _find_narrowest_width(name, tallest)) for name, size in zip(columns, longest, strict=True)]
        room = width - len(_GAP) * (len(sizes) - 1)
        for k in sorted(range(words), key=sizes.__getitem__, reverse=True):
            sizes[k] = min(sizes[k], max(room - sum(sizes) + sizes[k], least[k]))
        if sum(sizes) <= room:
            return [list(_format_row(row, sizes, words, top=row is not columns)) for row in (columns, *rows)]
    return None


def _format_hanging(columns: list[str], rows: list[list[str]], words: int, width: int) -> list[list[str]] | None:
    """Return the same with the second column of texts below every row; None where rows have no names of their own."""
    if words != 2 or len(columns) == 2 or not all(name for name, *_ in rows):
        return None
    rest = _format_upright([columns[0], *columns[2:]], [[name, *cells] for name, _, *cells in rows], 1, width)
    if rest is None:
        return None
    below = [wrap_text(f"{columns[1]}: {text}", width - len(_GAP)) if text else [] for _, text, *_ in rows]
    return [
        rest[0],
        *([*lines, *(f"{_GAP}{line}" for line in more)] for lines, more in zip(rest[1:], below, strict=True)),
    ]


def _find_narrowest_width(text: str, tallest: int) -> int:
    """Return the smallest width in which the words of a heading stand whole in so many lines."""
    least = max(map(len, text.split()), default=0)
    return next(size for size in range(least, len(text) + 1) if len(wrap_text(text, size)) <= tallest)


def _format_row(cells: Sequence[str], sizes: Sequence[int], words: int, top: bool = True) -> Iterator[str]:
    """Yield the lines of one row: the first `words` columns set left, the others right."""
    parts = [wrap_text(cell, size) for cell, size in zip(cells, sizes, strict=True)]
    height = max(map(len, parts))
    for part in parts:
        blank = [""] * (height - len(part))
        part[:] = part + blank if top else blank + part
    for line in zip(*parts, strict=True):
        placed = [
            text.ljust(size) if k < words else text.rjust(size)
            for k, (text, size) in enumerate(zip(line, sizes, strict=True))
        ]
        yield _GAP.join(placed).rstrip()


def _format_turned(columns: list[str], rows: list[list[str]], words: int, width: int) -> Iterator[str]:
    """Yield the lines of the table on its side: a block for every run of rows that fits, under what they share."""
    numbers, above = words < len(columns), words - 1 if words < len(columns) else 0
    for g, (shared, group) in enumerate(groupby(_fill_in_rows(rows, words), key=lambda row: row[:above])):
        yield from [""] * (g > 0)
        for name, text in zip(columns, shared, strict=False):
            yield from wrap_text(f"{name}: {text}", width)
        yield from _format_row_blocks(columns[above:], [row[above:] for row in group], width, numbers)


def _fill_in_rows(rows: list[list[str]], words: int) -> list[list[str]]:
    """Return the rows with what they leave out because the row above says it."""
    found: list[list[str]] = []
    for row in rows:
        above = found[-1] if found else row
        found.append([text or (above[k] if k < words - 1 else text) for k, text in enumerate(row)])
    return found


def _format_row_blocks(names: list[str], records: list[list[str]], width: int, numbers: bool) -> Iterator[str]:
    """Yield rows as columns beside the names of their cells, as many in a block as the line holds."""
    # Numbers are not broken; the texts above them are, and texts alone get what the names leave.
    heads = [head for head, *_ in _fill_in_rows([[record[0], ""] for record in records], 2)]
    sizes = [
        max(_find_narrowest_width(head, 2), *map(len, rest)) if numbers else _NARROWEST
        for head, (_, *rest) in zip(heads, records, strict=True)
    ]
    room = width - max(sizes, default=0) - len(_GAP)
    first = min(
        max(map(len, names)), max(_find_narrowest_width(" ".join(names), len(names) * _TALLEST), min(room, width // 2))
    )
    if not numbers:
        sizes = [max(_NARROWEST, width - first - len(_GAP))] * len(records)
    begin = 0
    while begin < len(records):
        end = begin + 1
        while end < len(records) and first + sum(sizes[begin : end + 1]) + len(_GAP) * (end + 1 - begin) <= width:
            end += 1
        yield from [""] * (begin > 0)
        for k, name in enumerate(names):
            # What stands above a row that the last block ended with is said again.
            cells = [name, heads[begin] if k == 0 else records[begin][k], *(rec[k] for rec in records[begin + 1 : end])]
            yield from _format_row(cells, [first, *sizes[begin:end]], 1 if numbers else len(cells))
        begin = end
