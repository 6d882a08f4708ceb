"""Tables of converters that were measured, from the files that a scenario names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .arrays import DataError, Read, digest_of, fault, npz_parts, reading, refuse_large
from .load import Loaded

Array = NDArray[np.float64]
Found = list[tuple[tuple[str | int, ...], str, str | None]]

PLACES = {name: ("devices", "converters", name, "measured") for name in ("readout", "nudge")}
"""Where a scenario names a file, by converter."""

_ARRAYS = {"readout": "transitions", "nudge": "levels"}


def converter_faults(loaded: Loaded) -> Found:
    """Return everything wrong with the files of measured converters."""
    found: Found = []
    for name in _named(loaded):
        try:
            table = _table(loaded, name)
        except DataError as error:
            found.append((PLACES[name], error.message, error.hint))
            continue
        if words := _table_fault(loaded, name, table):
            found.append((PLACES[name], *words))
    return found


def read_converter(loaded: Loaded, name: str) -> Read:
    """Return the table of `readout` or `nudge` as an array (lines, columns).

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    table = _table(loaded, name)
    return Read(table, digest_of({name: table}))


def _named(loaded: Loaded) -> dict[str, str]:
    converters = loaded.scenario.devices.converters
    made = {"readout": converters.readout, "nudge": converters.nudge}
    return {name: one.measured for name, one in made.items() if one is not None and one.measured is not None}


def _table(loaded: Loaded, name: str) -> Array:
    path = loaded.folder(*PLACES[name]) / _named(loaded)[name]
    table = _from_npz(path, _ARRAYS[name]) if path.suffix == ".npz" else _from_csv(path)
    return table[:, None] if table.ndim == 1 else table


def _from_csv(path: Path) -> Array:
    with reading(path, "a CSV file of numbers"):
        if not path.is_file():
            raise fault(f"no file {path}", "give a CSV or npz file; paths start at the scenario file")
        return np.loadtxt(path, delimiter=",", dtype=np.float64, ndmin=2)


def _from_npz(path: Path, array: str) -> Array:
    parts = npz_parts(path, [array])
    if array not in parts or parts[array].dtype.kind not in "iuf":
        raise fault(f"{path} holds no numbers called {array!r}", f"save it with numpy.savez(path, {array}=...)")
    refuse_large(parts[array])
    return np.asarray(parts[array].read(), dtype=np.float64)


def _table_fault(loaded: Loaded, name: str, table: Array) -> tuple[str, str] | None:
    """Return what is wrong with a table, and what it should be."""
    scenario = loaded.scenario
    sizes, converters = list(scenario.network.layers.values()), scenario.devices.converters
    if name == "readout" and converters.readout is not None:
        lines, units = 2**converters.readout.bits - 1, sum(sizes[1:])
    else:
        lines, units = 2 ** (converters.nudge.bits or 0) + 1, sizes[-1]
    if table.ndim != 2 or len(table) != lines or table.shape[1] not in {1, units}:
        return f"the table has shape {table.shape}", f"it must be {lines} lines of 1 or {units} columns"
    if not np.isfinite(table).all():
        return "the table has entries that are not finite", "replace nan and inf"
    if name == "readout" and (np.diff(table, axis=0) < 0.0).any():
        return "the transitions fall", "sort them: code k ends where code k + 1 begins"
    return None
