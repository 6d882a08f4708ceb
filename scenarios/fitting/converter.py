"""Codes of a converter: its transitions, from a ramp or from the histogram of one.

The transition into code k lies where as many samples have a code below k as lie below it, whatever the noise, if the
ramp is even. Its ends are those of the straight line through the first and the last one (IEEE Std 1241-2010).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .columns import Column, Columns
from .fitted import FitError, FitResult, FittedValue, make_value

Array = NDArray[np.float64]

COLUMNS = (
    Column("code"),
    Column("input", ("voltage", "ramp", "vin"), needed=False, unit="V"),
    Column("count", ("hits", "histogram"), needed=False),
)


def fit_converter(columns: Columns, bits: int | None = None) -> FitResult:
    """Return bits, range and measured transitions of a readout converter.

    Raises
    ------
    FitError
        If there is neither an input nor a count, codes are no whole numbers or beyond the bits, or the end codes are
        never reached.
    """
    name, code = columns.path.name, columns.values["code"]
    if (code != np.rint(code)).any() or code.min() < 0.0 or code.max() >= 2**24:
        raise FitError(
            f"{name}: codes must be whole numbers from 0, below 2^24; they go from {code.min():g} to {code.max():g}"
        )
    bits = bits or max(1, int(code.max()).bit_length())
    if code.max() >= 2**bits:
        raise FitError(f"{name}: the largest code is {code.max():g}, beyond {bits} bits; give --bits, or leave it out")
    if "input" in columns.values:
        found, samples = _find_ramp_transitions(columns, code, bits), len(code)
        low, step = _fit_ends(found)
        levels, told = (found - low) / step, f"ramp of {samples} samples"
    elif "count" in columns.values:
        levels, samples = _find_histogram_transitions(columns, code, bits)
        low, step, told = 0.0, 0.0, f"histogram of {samples} samples"
    else:
        raise FitError(f"{name} has codes alone; give a column input (a ramp) or count (its histogram)")
    readout: dict[str, FittedValue] = {"readout.bits": FittedValue(bits, "1", n=samples)}
    if step:
        readout["readout.range"] = _make_range(low, low + step * 2**bits, columns.units["input"])
    readout["readout.measured"] = FittedValue("{stem}-transitions.csv")
    widths = np.diff(levels)
    inl = float(np.abs(levels - (np.arange(len(levels)) + 0.5)).max())
    dnl = float(np.abs(widths - 1.0).max()) if len(widths) else 0.0
    error = 1.0 / np.sqrt(max(1.0, samples / 2**bits))
    facts = {"inl": make_value(inl, "LSB", n=samples), "dnl": make_value(dnl, "LSB", n=samples)}
    notes = [f"{samples / 2**bits:.3g} samples per code: a width is known to about {error:.2g} LSB by their number"]
    if missing := int(np.count_nonzero(widths <= 0.0)):
        notes.append(f"codes that never come: {missing}")
    if not step:
        notes.append("a histogram tells no range: give readout.full_scale or readout.range")
    table = np.column_stack([np.arange(1, len(levels) + 1), levels])
    curves = {"transitions": ("code,transition (LSB)", table)}
    return FitResult(
        f"Converter of {bits} bits", {"converters": readout, "adc": facts}, told, notes=notes, curves=curves
    )


def _find_ramp_transitions(columns: Columns, code: Array, bits: int) -> Array:
    ramp = columns.values["input"]
    order = np.argsort(ramp, kind="stable")
    ramp, code = ramp[order], np.sort(code[order])
    below = np.searchsorted(code, np.arange(1, 2**bits))
    if below[0] == 0 or below[-1] == len(code):
        ends = f"they go from {code[0]:g} to {code[-1]:g}"
        raise FitError(
            f"{columns.path.name}: the ramp must reach codes 0 and {2**bits - 1}, but {ends}; widen it, or give --bits"
        )
    return np.asarray(0.5 * (ramp[below - 1] + ramp[below]))


def _find_histogram_transitions(columns: Columns, code: Array, bits: int) -> tuple[Array, int]:
    counts = np.zeros(2**bits)
    np.add.at(counts, code.astype(int), columns.values["count"])
    if columns.values["count"].min() < 0.0 or counts[1:-1].sum() <= 0.0:
        raise FitError(f"{columns.path.name}: counts must be 0 or more, and not 0 between the end codes")
    widths = counts[1:-1] / counts[1:-1].mean()
    return 0.5 + np.concatenate([[0.0], np.cumsum(widths)]), int(counts.sum())


def _fit_ends(transitions: Array) -> tuple[float, float]:
    """Return the lower end and one step of the line through the first and the last transition."""
    step = float(transitions[-1] - transitions[0]) / max(1, len(transitions) - 1)
    step = step or 1.0
    return float(transitions[0]) - 0.5 * step, step


def _make_range(low: float, high: float, unit: str) -> FittedValue:
    if unit == "V":
        return FittedValue([f"{low:.9g} V", f"{high:.9g} V"], "V")
    return FittedValue([float(f"{low:.9g}"), float(f"{high:.9g}")], "activity")
