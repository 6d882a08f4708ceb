"""Tables of converters that were measured, from the files that a scenario names.

A table holds levels (transitions of the readout converter, output levels of the nudge), or how far they are from the
ideal ones: the integral nonlinearity (INL) of every code, or the differential one (DNL), IEEE Std 1241-2010. The INL of
a code is that of the transition into it, so code 0 has none; the DNL of a code is its width minus one step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.network.wiring import list_forms

from .arrays import OpenFile, FileContent, compute_digest, make_data_error, detect_file_type, describe_arrays, read_npz_headers, open_file, refuse_large
from ..language.load import LoadedScenario
from ..language.named_files import find_named_files
from .text_tables import STEP, TextTable, find_unit_factor, read_text_table

Array = NDArray[np.float64]

PLACES = {name: ("devices", "converters", name, "measured") for name in ("readout", "nudge")}
"""Where a scenario names a file, by converter."""

_LEVELS = {"readout": "transitions", "nudge": "levels"}
_INDEX = ("code", "index", "line", "number", "no.", "nr")
_HEADERS = (
    'say what it is in a first line such as "code,INL (LSB)", "DNL (LSB)", "transition (LSB)" or "transition (V)"'
)


class _Converter(NamedTuple):
    """What a table has to fit."""

    name: str
    ideal: Array
    """Ideal levels, in steps."""

    units: int
    """Columns of a table with one for every unit."""

    scale: str
    """The key of ``[physical]`` for volts."""

    low: float
    """What 0 steps are, and..."""

    step: float
    """...one step, in units of the model."""


def read_converter_levels(loaded: LoadedScenario, name: str) -> FileContent:
    """Return the levels of `readout` or `nudge` in steps, as an array (lines, columns).

    Raises
    ------
    DataError
        If the file cannot be read, does not fit, or is probably something else.
    """
    converter = _find_converter(loaded, name)
    with open_file(find_named_files(loaded)[PLACES[name]]) as file:
        if detect_file_type(file) == "an npz file":
            with np.errstate(all="ignore"):
                levels, words = _convert_to_levels(loaded, converter, *_read_npz_table(file, _LEVELS[name]))
        else:
            levels, words = read_text_table(file, lambda t: _convert_to_levels(loaded, converter, t.without_index(), _detect_table_type(t)))
    worst = np.abs(levels - converter.ideal[:, None]).max()
    told = f"{len(levels)} {_LEVELS[name]}, from {words}; up to {worst:.3g} LSB from ideal ones"
    return FileContent(levels, told, compute_digest({name: levels}))


def _find_converter(loaded: LoadedScenario, name: str) -> _Converter:
    sizes = [math.prod(form) for form in list_forms(loaded.scenario.network.layers).values()]
    converters = loaded.scenario.in_units().devices.converters
    if name == "readout" and (adc := converters.readout) is not None:
        ideal = np.arange(2.0**adc.bits - 1.0) + 0.5
        return _Converter(name, ideal, sum(sizes[1:]), "activity_volts", adc.ends[0], adc.step)
    bits, top = converters.nudge.bits or 1, converters.nudge.full_scale or 1.0
    half = 2.0 ** (bits - 1)
    return _Converter(name, np.arange(-half, half + 1.0), sizes[-1], "volt_scale", 0.0, top / half)


def _detect_table_type(table: TextTable) -> str:
    """Return what the line of names says that a table is: ``inl``, ``dnl`` or nothing of both."""
    return next((kind for kind in ("inl", "dnl") if table.column(kind)), "levels")


def _read_npz_table(file: OpenFile, levels: str) -> tuple[TextTable, str]:
    parts = read_npz_headers(file, [levels, "inl", "dnl"])
    name = next((name for name in (levels, "inl", "dnl") if name in parts), None)
    if name is None or parts[name].dtype.kind not in "iuf":
        words = f"{file.path} holds no numbers called {levels!r}, 'inl' or 'dnl', but {describe_arrays(file)}"
        raise make_data_error(words, f"save it with numpy.savez(path, {levels}=...)")
    refuse_large(parts[name])
    values = np.asarray(parts[name].read(), dtype=np.float64)
    if values.ndim not in (1, 2):
        raise make_data_error(f"the table has shape {values.shape}", "give lines, and one column or one for every unit")
    values = values if values.ndim == 2 else values[:, None]
    return TextTable(values, (), (STEP,) * values.shape[1]), name if name in ("inl", "dnl") else "levels"


def _convert_to_levels(loaded: LoadedScenario, converter: _Converter, table: TextTable, kind: str) -> tuple[Array, str]:
    """Return the levels in steps that a table says, and what it was taken for."""
    if table.names:
        named = table.column(kind) if kind != "levels" else []
        rest = [k for k, name in enumerate(table.names) if not any(word in name for word in _INDEX)]
        table = table.only(named or rest or list(range(len(table.names))))
    values = _convert_to_steps(loaded, converter, table, kind)
    if not np.isfinite(values).all():
        raise make_data_error("the table has entries that are not finite", "replace nan and inf")
    if kind == "inl":
        levels = _convert_inl(converter, values)
    elif kind == "dnl":
        levels = _convert_dnl(converter, values)
    else:
        levels = values
        _check_table_shape(converter, values, [len(converter.ideal)])
        _refuse_other_tables(converter, values)
    if converter.name == "readout" and (fallen := np.argwhere(np.diff(levels, axis=0) < 0.0)).size:
        line = fallen[0][0] + 1
        words = f"the transitions fall: from {levels[line - 1, 0]:.4g} to {levels[line, 0]:.4g} LSB at code {line + 1}"
        raise make_data_error(words, "code k ends where code k + 1 begins; a code cannot have a width below 0")
    told = {"inl": "their INL", "dnl": "their DNL", "levels": f"numbers in {table.unit or STEP}"}[kind]
    return levels, told


def _convert_to_steps(loaded: LoadedScenario, converter: _Converter, table: TextTable, kind: str) -> Array:
    """Return a table that may be in volts in steps; levels count from the lower end of the range."""
    unit, physical = table.unit, loaded.scenario.physical
    if unit in ("", STEP):
        return table.values
    volts, scale = find_unit_factor(unit, "V"), getattr(physical, converter.scale, None)
    if volts is None:
        raise make_data_error(f"the table is in {unit!r}", "give it in LSB (steps) or in volts")
    if scale is None:
        hint = f'add {converter.scale} = "1 V" to [physical], or give the table in LSB'
        raise make_data_error(f"the table is in volts, which needs [physical] {converter.scale}", hint)
    low = converter.low if kind == "levels" else 0.0
    return np.asarray((table.values * volts / scale - low) / converter.step)


def _check_table_shape(converter: _Converter, values: Array, lines: list[int]) -> None:
    if len(values) not in lines or values.shape[1] not in {1, converter.units}:
        wanted = " or ".join(str(count) for count in lines)
        words = f"it must be {wanted} lines of 1 or {converter.units} columns"
        if converter.name == "readout" and (len(values) + 1).bit_count() == 1:
            own = (len(values) + 1).bit_length() - 1
            words += f"; these are transitions of {own} bits: for other bits leave the table out, give bits and range"
        raise make_data_error(f"the table has shape {values.shape}", words)


def _convert_inl(converter: _Converter, inl: Array) -> Array:
    count = len(converter.ideal)
    _check_table_shape(converter, inl, [count, count + 1] if converter.name == "readout" else [count])
    levels: Array = converter.ideal[:, None] + inl[-count:]
    _refuse_far_levels(converter, levels, "an INL in another unit than LSB")
    return levels


def _convert_dnl(converter: _Converter, dnl: Array) -> Array:
    """Return the levels whose distances are ``1 + DNL``: the lowest transition, or the middle level, is ideal."""
    count = len(converter.ideal)
    _check_table_shape(converter, dnl, [count - 1, count + 1] if converter.name == "readout" else [count - 1])
    widths = 1.0 + (dnl if len(dnl) == count - 1 else dnl[1:-1])
    levels = np.concatenate([np.zeros((1, dnl.shape[1])), np.cumsum(widths, axis=0)])
    fixed = 0 if converter.name == "readout" else count // 2
    levels = np.asarray(levels - levels[fixed] + converter.ideal[fixed])
    _refuse_far_levels(converter, levels, "a DNL in another unit than LSB")
    return levels


def _refuse_other_tables(converter: _Converter, values: Array) -> None:
    """Refuse levels that are probably something else."""
    column = values[:, 0]
    if len(column) > 1 and (np.diff(column) <= 0.0).all():
        hint = "the first line is the lowest level, the last the highest: turn them round"
        raise make_data_error("the numbers fall from line to line", hint)
    if converter.name == "readout" and len(column) > 1 and (values == np.rint(values)).all():
        words = "the numbers are whole, so these look like codes"
        raise make_data_error(words, "give the transitions between codes, ideally at 0.5, 1.5, ... LSB")
    small = np.abs(column).max() <= max(4.0, 0.1 * len(column)) and column.min() < 0.0 < column.max()
    _refuse_far_levels(converter, values, "an INL or DNL table" if small else _guess_unit(converter, column))


def _guess_unit(converter: _Converter, column: Array) -> str:
    """Return what numbers look like that are no levels in steps and no nonlinearity."""
    span = converter.step * (len(column) - 1)
    ratio = (column[-1] - column[0]) / span if span else 0.0
    if 0.5 < ratio < 2.0:
        return f"units of the {converter.scale.partition('_')[0].replace('volt', 'state')}, or volts"
    return "millivolts or another unit" if (np.diff(column) >= 0.0).all() else "another kind of table"


def _refuse_far_levels(converter: _Converter, levels: Array, looks_like: str) -> None:
    """Refuse levels of which one is farther from the ideal one than a converter is: 1 step and 10 % of the range.

    A few levels may all be so near without being levels: their range must be half the ideal one or more, too.
    """
    off, ideal = np.abs(levels - converter.ideal[:, None]), converter.ideal
    narrow = ((levels[-1] - levels[0]) < 0.5 * (ideal[-1] - ideal[0])).any()
    if off.max() <= 1.0 + 0.1 * len(levels) and not narrow:
        return
    line, column = np.unravel_index(int(off.argmax()), off.shape)
    words = f"{levels[line, column]:.4g} LSB stand where {converter.ideal[line]:.4g} are ideal (line {line + 1})"
    raise make_data_error(f"{words}: this looks like {looks_like}", _HEADERS)
