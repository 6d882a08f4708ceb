"""Columns of measurements from text tables, npz and HDF5 files, by the names that a kind of fit knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import (
    DataError,
    convert_read_errors,
    detect_file_type,
    make_data_error,
    open_file,
    read_npz_headers,
    refuse_large,
)
from ..data.text_tables import TextTable, find_unit_factor, read_text_table
from .fitted import FitError

Array = NDArray[np.float64]

_LARGEST = 1e12
_SECONDS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9, "min": 60.0, "h": 3600.0}
"""Units of a column of times: tables of siemens and of seconds write both as S."""


class Column(NamedTuple):
    """One column that a kind of fit knows."""

    name: str
    others: tuple[str, ...] = ()
    """Other words that its name may hold."""

    needed: bool = True
    unit: str = ""
    """Units that a file may give it in, between blanks, such as ``V``; ``s`` for times. Empty: any, as it is."""


class Columns(NamedTuple):
    """The columns of one file, each (lines,)."""

    path: Path
    values: dict[str, Array]
    units: dict[str, str]
    """As they were named, ``V`` and the like after conversion; empty where a file names none."""

    told: str = ""
    """Which columns were taken and which were not, where a file names others than a kind of fit knows."""


def read_columns(path: Path, known: Sequence[Column], fewest: int = 8) -> Columns:
    """Return the columns of a file.

    Parameters
    ----------
    path : Path
        Text table with a line of names, npz or HDF5 file with arrays of these names.
    known : sequence of Column
        What a kind of fit knows; the first ones are taken in order where a table has no line of names.
    fewest : int
        Least number of lines.

    Raises
    ------
    FitError
        If the file cannot be read, lacks a column, or holds numbers that cannot be right.
    """
    try:
        with open_file(path) as file:
            kind = detect_file_type(file)
            if kind in ("an npz file", "an HDF5 file"):
                found = _match_arrays(path, read_arrays(path), known)
            else:
                found = read_text_table(file, lambda table: _match_columns(path, table, known), words=True)
        for one in known:
            if one.name in found.values:
                _check_numbers(path, one, found.values[one.name], fewest)
    except DataError as error:
        raise make_fit_error(path, error) from error
    return found


def make_fit_error(path: Path, error: DataError) -> FitError:
    """Return what is wrong with a file, in the words of its reader; the name of the file in front."""
    told = error.message if path.name in error.message else f"{path.name}: {error.message}"
    return FitError(f"{told}; {error.hint}")


def read_arrays(path: Path) -> dict[str, Array]:
    """Return all arrays of numbers of an npz or HDF5 file, by name; those in groups as ``group/name``.

    Raises
    ------
    DataError
        If the file is damaged or of another kind.
    """
    with open_file(path) as file:
        if detect_file_type(file) == "an HDF5 file":
            return _read_hdf5_arrays(path)
        parts = read_npz_headers(file)
        found = {}
        for name, part in parts.items():
            if part.dtype.kind in "iufb":
                refuse_large(part)
                found[name] = np.asarray(part.read(), dtype=np.float64)
    return found


def _read_hdf5_arrays(path: Path) -> dict[str, Array]:
    import h5py  # noqa: PLC0415  only where a file is of its kind

    found: dict[str, Array] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iufb" and item.size * 8 <= 8 * 10**9:
            found[name] = np.asarray(item[()], dtype=np.float64)

    with convert_read_errors(path, "an HDF5 file"), h5py.File(path, "r") as file:
        file.visititems(take)
    return found


def _match_columns(path: Path, table: TextTable, known: Sequence[Column]) -> Columns:
    names = _name_columns(table, known)
    values, units = {}, {}
    for name, k in names.items():
        column = next(one for one in known if one.name == name)
        if (text := table.texts.get(k)) and name == "device":
            values[name], units[name] = np.unique(text.cells, return_inverse=True)[1].astype(np.float64), ""
            continue
        if text:
            raise text.fault
        values[name], units[name] = _convert(path, column, table.values[:, k], table.units[k])
    return Columns(path, values, units, _describe_choice(table, names))


def _describe_choice(table: TextTable, taken: Mapping[str, int]) -> str:
    """Return which columns were taken and which were not; empty where the names are those that are known."""
    others = [f"{name} is {table.names[k]!r}" for name, k in taken.items() if table.names and table.names[k] != name]
    left = [repr(name) for k, name in enumerate(table.names) if k not in taken.values()]
    parts = [f"columns: {', '.join(others)}"] * bool(others) + [f"columns not used: {', '.join(left)}"] * bool(left)
    return "; ".join(parts)


def _name_columns(table: TextTable, known: Sequence[Column]) -> dict[str, int]:
    """Return which column of a table is which."""
    if not table.names:
        needed = [one.name for one in known if one.needed]
        if table.values.shape[1] != len(needed):
            words = f"has no line of names, and {table.values.shape[1]} columns"
            raise make_data_error(words, f"write a first line such as {','.join(one.name for one in known)}")
        return {name: k for k, name in enumerate(needed)}
    found: dict[str, int] = {}
    for one in known:
        called = (one.name, *one.others)
        exact = [k for word in called for k, name in enumerate(table.names) if name == word]
        near = table.column(*(word for word in called if len(word) > 1))
        if free := [k for k in exact + near if k not in found.values()]:
            found[one.name] = free[0]
        elif one.needed:
            raise make_data_error(
                f"has no column {one.name!r}, but {', '.join(table.names)}",
                f"columns are {', '.join(c.name if c.needed else f'{c.name} (optional)' for c in known)}",
            )
    return found


def _match_arrays(path: Path, arrays: Mapping[str, Array], known: Sequence[Column]) -> Columns:
    found = {one.name: arrays[one.name] for one in known if one.name in arrays}
    if lacking := [one.name for one in known if one.needed and one.name not in found]:
        held = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no numbers"
        raise make_data_error(f"has no array {lacking[0]!r}, but {held}", "save it with numpy.savez(path, name=array)")
    shape = np.broadcast_shapes(*(array.shape for array in found.values())) if _fit_together(found) else None
    if shape is None or len(shape) not in (1, 2):
        told = ", ".join(f"{name} {array.shape}" for name, array in found.items())
        raise make_data_error(
            f"has arrays of the shapes {told}", "give all of one shape, (devices, numbers) or (numbers,)"
        )
    whole = {name: np.broadcast_to(array, shape).ravel() for name, array in found.items()}
    if len(shape) == 2 and any(one.name == "device" for one in known) and "device" not in whole:
        whole["device"] = np.repeat(np.arange(shape[0], dtype=np.float64), shape[1])
    return Columns(path, whole, dict.fromkeys(whole, ""))


def _fit_together(arrays: Mapping[str, Array]) -> bool:
    try:
        np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        return False
    return True


def _convert(path: Path, column: Column, values: Array, unit: str) -> tuple[Array, str]:
    if not column.unit or not unit:
        return values, unit
    for one in column.unit.split():
        factor = _SECONDS.get(unit) if one == "s" else find_unit_factor(unit, one)
        if factor is not None:
            return values * factor, one
    told = column.unit.replace(" ", " or ")
    raise make_data_error(f"{path.name}: column {column.name!r} is in {unit!r}", f"give it in {told}")


def _check_numbers(path: Path, column: Column, values: Array, fewest: int) -> None:
    if len(values) < fewest:
        raise make_data_error(f"{path.name} has {len(values)} numbers of {column.name!r}", f"give {fewest} or more")
    wrong = ~(np.abs(values) <= _LARGEST)
    if wrong.any():
        k = int(np.argmax(wrong))
        words = f"{path.name}: number {k + 1} of {column.name!r} is {values[k]:g}"
        raise make_data_error(words, f"leave the line out: numbers must be finite and below {_LARGEST:g}")


def group_devices(columns: Columns, name: str = "device") -> list[NDArray[np.int64]]:
    """Return the lines of every device, in their order; all lines where devices are not told apart."""
    if name not in columns.values:
        return [np.arange(len(next(iter(columns.values.values()))))]
    _, inverse = np.unique(columns.values[name], return_inverse=True)
    return [np.flatnonzero(inverse == k) for k in range(int(inverse.max()) + 1)]


def require_choice(path: Path, name: str, values: Array, allowed: Sequence[float]) -> None:
    """Refuse numbers that are none of those allowed.

    Raises
    ------
    FitError
        With the first that is none.
    """
    wrong = ~np.isin(values, allowed)
    if wrong.any():
        k = int(np.argmax(wrong))
        told = ", ".join(f"{x:g}" for x in allowed)
        raise FitError(f"{path.name}: number {k + 1} of {name!r} is {values[k]:g}; it must be one of {told}")
