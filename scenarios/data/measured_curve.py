"""The transfer curve of a unit as it was measured, from the file that a scenario names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from devices.neuron.activation import Curve, Named
from substrate.units.physical import Physical

from .arrays import FileContent, compute_digest, make_data_error, open_file
from ..language.load import LoadedScenario
from ..language.named_files import find_named_files
from .text_tables import TextTable, find_unit_factor, read_text_table

_LARGEST = 1e6

PLACE = ("network", "activation", "table")


def read_transfer_curve(loaded: LoadedScenario) -> FileContent:
    """Return the measured transfer curve as a `Curve` in units of the state and of the activity.

    Raises
    ------
    DataError
        If the file cannot be read or holds no such curve.
    """
    law, physical = loaded.scenario.network.activation, loaded.scenario.physical
    if not isinstance(law, Named):
        raise make_data_error("no file is named", "give activation = { table = ... }")
    path = find_named_files(loaded)[PLACE]
    with open_file(path) as file:
        curve, words = read_text_table(file, lambda table: _make_curve(table, law, physical, path))
    if words.startswith("in volts") and not curve.u[0] <= 0.0 <= curve.u[-1]:
        words += ", state 0 outside (zero_in is the input voltage at which it lies)"
    ends = f"state {curve.u[0]:.3g} to {curve.u[-1]:.3g}, activity {curve.a[0]:.3g} to {curve.a[-1]:.3g}"
    return FileContent(curve, f"{len(curve.u)} points {words}: {ends}", compute_digest(curve._asdict()))


def _make_curve(table: TextTable, law: Named, physical: Physical | None, path: Path) -> tuple[Curve, str]:
    """Return the curve of a table, and which units it was taken to be in."""
    two = "give two columns: state or input voltage (increasing), activity or output voltage (never falling)"
    if table.values.shape[1] == 3:
        table = table.without_index()
    if table.values.shape[1] != 2 or len(table.values) < 2:
        lines, columns = table.values.shape
        raise make_data_error(f"{path.name} has {lines} lines of {columns} columns, not two columns and two lines or more", two)
    (u, a), words = table.values.T, "in units of the state and the activity"
    if law.units == "volts" or (law.units is None and any(table.units)):
        u, a = _convert_curve_units(table, law, physical)
        words = "in volts" if law.units else "in volts, as the line of names says"
    elif law.zero_in or law.zero_out:
        raise make_data_error("`zero_in` and `zero_out` are voltages, but the numbers are none", 'write units = "volts"')
    elif law.units is None and physical is not None and physical.volt_scale is not None:
        words += ' (for volts write units = "volts")'
    if (np.diff(u) < 0.0).all():
        u, a = u[::-1], a[::-1]
    if not (np.abs([u, a]) <= _LARGEST).all() or (np.diff(u) <= 0.0).any() or (np.diff(a) < 0.0).any():
        raise make_data_error(
            f"{path.name}: the first column must increase, the second not fall, all must be finite and below 1e6", two
        )
    return Curve(np.ascontiguousarray(u), np.ascontiguousarray(a)), words


def _convert_curve_units(table: TextTable, law: Named, physical: Physical | None) -> tuple[np.ndarray, np.ndarray]:
    """Return states and activities of a table in volts: ``u = (V - zero_in)/V_u``, ``a = (V - zero_out)/V_A``."""
    columns = []
    for k, (name, zero) in enumerate((("volt_scale", law.zero_in), ("activity_volts", law.zero_out))):
        unit, scale = table.units[k] or "V", getattr(physical, name, None)
        volts = find_unit_factor(unit, "V")
        if volts is None:
            raise make_data_error(f"column {k + 1} is in {unit!r}", "give both columns in volts, or in units of the model")
        if scale is None:
            hint = f'add {name} = "1 V" to [physical], or write units = "model" for units of state and activity'
            raise make_data_error(f"is in volts, which needs [physical] {name}", hint)
        columns.append((table.values[:, k] * volts - zero) / scale)
    return columns[0], columns[1]
