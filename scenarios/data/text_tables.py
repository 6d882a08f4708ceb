"""Tables of numbers in text files, as instruments, spreadsheets and scripts write them.

Cells stand between tabs, semicolons, blanks or commas; decimals have a point or a comma; lines of names, comments,
quotes, units and a mark of the encoding may be there or not. Some files can be read in two ways, such as ``0,5``: then
who needs the table says which of them fits.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic_core import PydanticCustomError

from devices.parameters import convert_quantity

from .arrays import DataError, OpenFile, make_data_error, detect_file_type

Array = NDArray[np.float64]
T = TypeVar("T")

_LARGEST = 10**8
_COMMENT = ("#", "%", "//", "sep=")
_NUMBER = re.compile(
    r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?))(?:\s*([a-zµμ%Ω]+))?", re.IGNORECASE
)
_IN_BRACKETS = re.compile(r"(.*?)[\s_]*[\[(]\s*([^\])]*?)\s*[\])]\s*")
_AT_THE_END = re.compile(r"(.*?)(?:[_/]| in )\s*([munµμ]?V|[munµμ]?S|[pmunµμ]A|LSBs?|steps?)", re.IGNORECASE)
_UNITS = {"v": "V", "mv": "mV", "uv": "uV", "s": "S", "ms": "mS", "us": "uS", "ns": "nS", "ma": "mA", "ua": "uA", "na": "nA"}
_BLANK_BEFORE_UNIT = re.compile(r"(?<=\d)\s+(?=(?:[munµμ]?[VS]|LSB)\b)")
_ABSENT = {"na", "n/a", "-", "null", "none"}
_STEPS = {"lsb", "lsbs", "step", "steps", "code", "codes", "counts"}

STEP = "LSB"
"""The unit of a column that is counted in steps of a converter."""


class TextColumn(NamedTuple):
    """A column with cells that are no numbers."""

    cells: tuple[str, ...]
    fault: DataError
    """Of the first such cell, for who needs numbers."""


_NO_TEXTS: Mapping[int, TextColumn] = MappingProxyType({})


class TextTable(NamedTuple):
    """A table of numbers, and what its file calls the columns."""

    values: Array
    """(lines, columns)."""

    names: tuple[str, ...]
    """In lower case and without units, one per column; none where the file has no line of names."""

    units: tuple[str, ...]
    """One per column, such as ``mV`` or ``LSB``; empty where the file names none."""

    texts: Mapping[int, TextColumn] = _NO_TEXTS
    """Columns that hold words, by their number; nan in `values`."""

    def column(self, *words: str) -> list[int]:
        """Return the numbers of the columns whose name holds one of the words."""
        return [k for k, name in enumerate(self.names) if any(word in name for word in words)]

    def only(self, columns: list[int]) -> TextTable:
        """Return some of the columns."""
        names = tuple(self.names[k] for k in columns) if self.names else ()
        return TextTable(self.values[:, columns], names, tuple(self.units[k] for k in columns))

    @property
    def unit(self) -> str:
        """The unit of all columns; they must agree."""
        found = set(self.units)
        if len(found) > 1:
            raise make_data_error(
                f"the columns have the units {', '.join(sorted(filter(None, found)))}", "give all of them in one"
            )
        return found.pop()

    def without_index(self) -> TextTable:
        """Return the table without a first column that only counts its lines, where others stand beside it."""
        first, rest = self.values[:, 0], list(range(1, self.values.shape[1]))
        counts = len(first) > 1 and first[0] == np.rint(first[0]) and bool((np.diff(first) == 1.0).all())
        return self.only(rest) if rest and counts else self


def read_text_table(file: OpenFile, accept: Callable[[TextTable], T], words: bool = False) -> T:
    """Return what `accept` makes of a text file of numbers, read in the first way that it takes.

    Parameters
    ----------
    file : File
        The file, open.
    accept : callable
        Gets a `Table`; raises `DataError` for one that is not what it needs.
    words : bool
        Whether columns may hold words, such as names of devices and remarks; otherwise a word is a fault.

    Raises
    ------
    DataError
        If the file is no table, or none that is accepted.
    """
    refusals: list[DataError] = []
    for split in _list_splitters(lines := _split_lines(file, words)):
        try:
            with np.errstate(all="ignore"):  # who accepts a table looks at what is not finite
                return accept(_parse_table(lines, split, words))
        except DataError as error:
            refusals.append(error)
    raise refusals[0]


def find_unit_factor(unit: str, canonical: str) -> float | None:
    """Return how many of the canonical unit, such as ``V``, one of `unit` is; None if it is another quantity."""
    try:
        return convert_quantity(f"1 {unit}", canonical)
    except PydanticCustomError:
        return None


class _Lines(NamedTuple):
    """The lines of a file: those of numbers by their number, and those above them."""

    name: str
    above: list[str]
    numbers: list[tuple[int, str]]


Splitter = Callable[[str], list[str]]


def _split_lines(file: OpenFile, words: bool) -> _Lines:
    """Return the lines of a text file."""
    path = file.path
    if (kind := detect_file_type(file)) != "text":
        raise make_data_error(f"{path} is {kind}, not a text file of numbers", "save it as CSV")
    if file.handle.seek(0, io.SEEK_END) > _LARGEST:
        raise make_data_error(f"{path} is larger than {_LARGEST // 10**6} MB", "keep fewer lines")
    file.handle.seek(0)
    rows = [(k, line.strip(" ")) for k, line in enumerate(_decode_text(file.handle.read()).splitlines(), 1)]
    rows = [(k, line) for k, line in rows if line.strip()]
    first = next((n for n, (_, line) in enumerate(rows) if _has_number(line)), len(rows))
    if words and first == len(rows):  # the first cell of every line is a name
        first = max((n for n, (_, line) in enumerate(rows, 1) if not _has_number(line, anywhere=True)), default=0)
    numbers = [(k, line) for k, line in rows[first:] if not line.lower().startswith(_COMMENT)]
    if not numbers:
        raise make_data_error(f"{path} holds no numbers", "give a text file with a number or several in every line")
    return _Lines(path.name, [line for _, line in rows[:first]], numbers)


def _decode_text(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace").replace("−", "-").replace("\xa0", " ")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return text.replace("−", "-").replace("\xa0", " ")


def _has_number(line: str, anywhere: bool = False) -> bool:
    """Tell whether a line is one of numbers: its first cell is one, or any, whatever stands between cells."""
    cells = [cell.strip(" \"'") for cell in re.split(r"[\t;,]" if anywhere else r"[\t;, ]", line)]
    filled = [cell for cell in cells if cell]
    if line.lower().startswith(_COMMENT) or not filled:
        return False
    return any(cell.lower() in _ABSENT or _NUMBER.fullmatch(cell) for cell in filled[: None if anywhere else 1])


def _list_splitters(lines: _Lines) -> list[Splitter]:
    """Return the ways to cut the lines into cells that their separators allow, the likeliest first."""
    texts = [line for _, line in lines.numbers]
    if sure := [sign for sign in "\t;" if any(sign in text for text in texts)]:
        return [_make_splitter(sure[0])]
    ways: list[Splitter] = []
    if any(" " in text for text in texts):
        ways.append(lambda line: [cell.strip("\"'") for cell in _BLANK_BEFORE_UNIT.sub("", line).split()])
    if any("," in text for text in texts):
        ways.append(_make_splitter(","))
    return [*ways, lambda line: [line.strip(" \"'")]]


def _make_splitter(sign: str) -> Splitter:
    def split(line: str) -> list[str]:
        try:
            return [cell.strip(" '") for cell in next(csv.reader([line], delimiter=sign, skipinitialspace=True))]
        except (csv.Error, StopIteration) as error:
            raise make_data_error(f"a line cannot be cut at {sign!r}: {error}", "save it as plain CSV") from error

    return split


def _parse_table(lines: _Lines, split: Splitter, allowed: bool) -> TextTable:
    rows = [(k, split(line)) for k, line in lines.numbers]
    width = max(len(_trim_cells(cells)) for _, cells in rows)
    units: list[set[str]] = [set() for _ in range(width)]
    values = np.empty((len(rows), width))
    faults: dict[int, DataError] = {}
    for row, (k, cells) in enumerate(rows):
        if len(cells) < width:
            words = f"line {k} of {lines.name} has {len(cells)} cells, others have {width}"
            raise make_data_error(words, "write decimals with a point, and cells between commas, semicolons or tabs")
        for column, cell in enumerate(cells[:width]):
            try:
                values[row, column], unit = _parse_cell(cell, k, lines.name)
            except DataError as error:
                if not allowed:
                    raise
                unit, values[row, column] = "", np.nan
                faults.setdefault(column, error)
            units[column] |= {unit} if unit else set()
    names, named_units = _parse_column_names(lines, split, width)
    texts = {column: TextColumn(tuple(cells[column] for _, cells in rows), one) for column, one in faults.items()}
    for column, found in enumerate(units):
        if len(found) > 1 and column not in texts:
            words = f"column {column + 1} of {lines.name} has the units {', '.join(sorted(found))}"
            raise make_data_error(words, "give one unit")
    values[:, list(texts)] = np.nan
    told = tuple(next(iter(u), unit) for u, unit in zip(units, named_units, strict=True))
    return TextTable(values, names, told, texts)


def _trim_cells(cells: list[str]) -> list[str]:
    """Return cells without the empty ones at the end."""
    last = max((k for k, cell in enumerate(cells) if cell), default=0)
    return cells[: last + 1]


def _parse_cell(cell: str, line: int, name: str) -> tuple[float, str]:
    """Return the number of a cell and its unit."""
    match = _NUMBER.fullmatch(cell) or _NUMBER.fullmatch(cell.replace(",", ".", 1))
    if match is None:
        what = f"{cell[:40]!r}" if cell else "an empty cell"
        words = f"line {line} of {name} has {what} where a number is wanted"
        raise make_data_error(words, "leave the line out, or measure again")
    return float(match[1]), _normalise_unit(match[2] or "")


def _normalise_unit(text: str) -> str:
    plain = text.strip().replace("µ", "u").replace("μ", "u")
    return STEP if plain.lower() in _STEPS else _UNITS.get(plain.lower(), plain)


def _parse_column_names(lines: _Lines, split: Splitter, width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and units of the columns from the lines above the numbers."""
    headers = [split(text) for line in lines.above if (text := line.lstrip("#%/ ").strip())]
    fitting = [cells[:width] for cells in headers if len(cells) >= width and not any(cells[width:])]
    units = [""] * width
    if len(fitting) > 1 and all(_normalise_unit(cell) in {*_UNITS.values(), STEP, ""} for cell in fitting[-1]):
        units = [_normalise_unit(cell) for cell in fitting.pop()]
    if not fitting:
        return (), tuple(units)
    parts = [_split_name_unit(cell) for cell in fitting[-1]]
    both = [own or unit for (_, own), unit in zip(parts, units, strict=True)]
    return tuple(name.lower() for name, _ in parts), tuple(both)


def _split_name_unit(cell: str) -> tuple[str, str]:
    match = _IN_BRACKETS.fullmatch(cell) or _AT_THE_END.fullmatch(cell)
    return (match[1], _normalise_unit(match[2])) if match else (cell, "")
