"""Codes of a converter: its transitions, from a ramp or from the histogram of one.

The transition into code k lies where as many samples have a code below k as lie below it, whatever the noise, if the
ramp is even. Its ends are those of the straight line through the first and the last one (IEEE Std 1241-2010).

Of an even ramp with the spacing d a transition has the variance ``d s/sqrt(pi)`` by noise of the size s, as the sum of
``p (1 - p)`` over the samples, and ``d^2/12`` by the spacing. Samples whose codes come out of order tell s: there are
``2 s/(d sqrt(2 pi))`` around every transition in the mean. A histogram does not tell how its samples came: they are
taken as inputs at random, which is cautious for a ramp.

The largest deviation of a curve that is known to within errors e lies within the largest ``|e|`` of that of the true
curve, whatever its shape: the intervals of INL and DNL hold in at least 90 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Column, Columns
from .fitted import FitError, FitResult, FittedValue, estimate_interval, make_value

Array = NDArray[np.float64]

_DRAWS, _MOST = 400, 1e7
"""Sets of errors that are drawn, and transitions of all of them."""

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
        found = _read_ramp(columns, code, bits)
    elif "count" in columns.values:
        found = _read_histogram(columns, code, bits)
    else:
        raise FitError(f"{name} has codes alone; give a column input (a ramp) or count (its histogram)")
    readout: dict[str, FittedValue] = {"readout.bits": FittedValue(bits, "1", n=found.samples)}
    notes = [f"{found.samples / 2**bits:.3g} samples per code"]
    if found.ends:
        readout["readout.range"] = _make_range(found.ends, columns.units["input"])
    else:
        notes.append("a histogram tells no range: give readout.full_scale or readout.range")
    readout["readout.measured"] = FittedValue("{stem}-transitions.csv")
    if missing := int(np.count_nonzero(np.diff(found.levels) <= 0.0)):
        notes.append(f"codes that never come: {missing}")
    tables = {"converters": readout, "adc": _judge_transitions(found) | found.ends}
    table = np.column_stack([np.arange(1, len(found.levels) + 1), found.levels])
    curves = {"transitions": ("code,transition (LSB)", table)}
    return FitResult(f"Converter of {bits} bits", tables, found.told, notes=notes, curves=curves)


class _Transitions(NamedTuple):
    levels: Array
    """In LSB, the lower end of the range at 0, (codes - 1,)."""

    draw: Callable[[], Array]
    """Returns levels with errors drawn anew."""

    ends: dict[str, FittedValue]
    """Those of the range, where they are known."""

    samples: int
    told: str
    """What was measured."""


def _read_ramp(columns: Columns, code: Array, bits: int) -> _Transitions:
    found, unit = _find_ramp_transitions(columns, code, bits), columns.units["input"] or "activity"
    error, rng = _estimate_ramp_error(columns.values["input"], code, bits), np.random.default_rng(0)
    low, step = _fit_ends(found)
    last, ends = len(found) - 1, {}
    for name, place in (("low", -0.5), ("high", last + 1.5)):
        # The first and the last transition have independent errors.
        share = place / last if last else 0.0
        interval = estimate_interval(low + (place + 0.5) * step, error * np.hypot(1.0 - share, share))
        ends[name] = make_value(low + (place + 0.5) * step, unit, interval, len(code))

    def draw() -> Array:
        drawn = found + error * rng.normal(size=len(found))
        begin, own = _fit_ends(drawn)
        return (drawn - begin) / own

    return _Transitions((found - low) / step, draw, ends, len(code), f"ramp of {len(code)} samples")


def _read_histogram(columns: Columns, code: Array, bits: int) -> _Transitions:
    counts, rng = _count_codes(columns, code, bits), np.random.default_rng(0)

    def draw() -> Array:
        return _add_up_widths(rng.poisson(counts).astype(float))

    samples = int(counts.sum())
    return _Transitions(_add_up_widths(counts), draw, {}, samples, f"histogram of {samples} samples")


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


def _estimate_ramp_error(ramp: Array, code: Array, bits: int) -> float:
    """Return the standard deviation of a transition, in the unit of the ramp.

    The number of samples out of order scatters as well: one standard deviation is added to it.
    """
    order = np.argsort(ramp, kind="stable")
    found = float(np.abs(code[order] - np.sort(code)).sum())
    out_of_order = (found + np.sqrt(2.0 * found + 1.0)) / (2**bits - 1)
    return float(np.ptp(ramp) / (len(ramp) - 1) * np.sqrt(out_of_order / np.sqrt(2.0) + 1.0 / 12.0))


def _judge_transitions(found: _Transitions) -> dict[str, FittedValue]:
    """Return INL and DNL with their intervals."""

    def deviate(levels: Array) -> tuple[Array, Array]:
        return levels - (np.arange(len(levels)) + 0.5), np.diff(levels) - 1.0

    real, draws = deviate(found.levels), int(np.clip(_MOST / len(found.levels), 40, _DRAWS))
    errors = [
        [np.abs(a - b).max(initial=0.0) for a, b in zip(deviate(found.draw()), real, strict=True)] for _ in range(draws)
    ]
    values = {}
    for name, one, error in zip(("inl", "dnl"), real, np.quantile(errors, 0.9, axis=0), strict=True):
        largest = float(np.abs(one).max(initial=0.0))
        values[name] = make_value(largest, "LSB", (max(0.0, largest - error), largest + error), found.samples)
    return values


def _count_codes(columns: Columns, code: Array, bits: int) -> Array:
    counts = np.zeros(2**bits)
    np.add.at(counts, code.astype(int), columns.values["count"])
    if columns.values["count"].min() < 0.0 or counts[1:-1].sum() <= 0.0:
        raise FitError(f"{columns.path.name}: counts must be 0 or more, and not 0 between the end codes")
    return counts


def _add_up_widths(counts: Array) -> Array:
    widths = counts[1:-1] / counts[1:-1].mean()
    return 0.5 + np.concatenate([[0.0], np.cumsum(widths)])


def _fit_ends(transitions: Array) -> tuple[float, float]:
    """Return the lower end and one step of the line through the first and the last transition."""
    step = float(transitions[-1] - transitions[0]) / max(1, len(transitions) - 1)
    step = step or 1.0
    return float(transitions[0]) - 0.5 * step, step


def _make_range(ends: dict[str, FittedValue], unit: str) -> FittedValue:
    values = [ends[name].value for name in ("low", "high")]
    return FittedValue([f"{value:.6g} V" for value in values], "V") if unit == "V" else FittedValue(values, "activity")
