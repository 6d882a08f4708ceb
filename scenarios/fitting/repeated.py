"""Repeated reads of devices that do not change: white noise, noise with one correlation time, or 1/f noise.

The structure function ``D(T) = mean (v(t + T) - v(t))^2`` needs no mean value and is not moved by slow drifts of it:

    white: 2 w^2      one time: 2 w^2 + 2 s^2 (1 - exp(-T/tau))      1/f: 2 w^2 + 2 s^2 mean_k (1 - exp(-T/(tau_0 2^k)))

where the octaves of 1/f noise span the measurement. Each is fitted to the logarithm of `D`, weighed by the scatter
between blocks of the data; intervals are from blocks drawn with replacement.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from .columns import Column, Columns, group_devices
from .fitted import FitError, FitResult, FittedValue, make_value

Array = NDArray[np.float64]

COLUMNS = (
    Column("time", needed=False, unit="s"),
    Column("value", ("read", "activity", "output", "weight", "conductance"), unit="V S"),
    Column("device", ("unit", "cell"), needed=False),
)

_FEWEST, _BLOCKS, _DRAWS = 32, 16, 100
_LAWS = {"white": 1, "ou": 3, "flicker": 2}
"""Parameters of every law."""


class _Structure(NamedTuple):
    lags: Array
    """Times between reads, (lags,)."""

    blocks: Array
    """``D`` of every block, (blocks, lags)."""

    step: float
    octaves: int


def fit_repeated_reads(columns: Columns) -> FitResult:
    """Return the noise of repeated reads.

    Raises
    ------
    FitError
        If there are too few reads of a device, times are not evenly spaced, or all reads are equal.
    """
    structure, count, devices = _measure_structure(columns)
    log, scatter = np.log(structure.blocks.mean(axis=0)), _scatter(structure.blocks)
    fits = {law: _fit_law(law, structure, log, scatter) for law in _LAWS}
    worth = {law: loss + 2.0 * _LAWS[law] for law, (_, loss) in fits.items()}
    law = min(worth, key=lambda name: worth[name])
    ends = np.exp(_draw_ends(law, structure, fits[law][0]))
    sizes = np.exp(fits[law][0])
    volts = columns.units.get("value", "")
    tables, notes = _make_tables(law, sizes, ends, count, _Units(volts, columns.units.get("time", ""), structure))
    told = f"{count} reads of {devices} devices"
    alternatives = sorted(((name, value - worth[law]) for name, value in worth.items()), key=lambda pair: pair[1])
    return FitResult("Noise of repeated reads", tables, told, alternatives, notes)


def _draw_ends(law: str, structure: _Structure, best: Array) -> Array:
    """Return the logarithms of the ends of intervals, (2, sizes): from blocks drawn with replacement, which are few."""
    rng, blocks, draws = np.random.default_rng(0), structure.blocks, []
    for _ in range(_DRAWS if len(blocks) > 2 else 0):
        chosen = blocks[rng.integers(0, len(blocks), len(blocks))]
        draws.append(_fit_law(law, structure, np.log(chosen.mean(axis=0)), _scatter(chosen), best)[0])
    if not draws:
        return np.array([best, best]) * np.nan
    freedoms = len(blocks) - 1
    width = stats.t.isf(0.05, freedoms) * np.sqrt((freedoms + 1) / freedoms) * np.std(draws, axis=0)
    return np.array([best - width, best + width])


class _Units(NamedTuple):
    value: str
    time: str
    structure: _Structure


def _measure_structure(columns: Columns) -> tuple[_Structure, int, int]:
    """Return the structure function by blocks, and how many reads and devices there are."""
    name, values = columns.path.name, columns.values["value"]
    series, steps = [], []
    for lines in group_devices(columns):
        if len(lines) < _FEWEST:
            raise FitError(f"{name}: a device has {len(lines)} reads; give {_FEWEST} or more of each")
        series.append(values[lines])
        times = columns.values.get("time", np.arange(len(values), dtype=np.float64))[lines]
        gaps = np.diff(times)
        if not (gaps > 0.0).all() or np.ptp(gaps) > 0.01 * gaps.mean():
            raise FitError(f"{name}: times are not evenly spaced; give reads at equal distances, in order of time")
        steps.append(gaps.mean())
    if np.ptp(steps) > 0.01 * np.mean(steps):
        raise FitError(f"{name}: devices were read at different distances in time; fit them one by one")
    step = float(np.mean(steps))
    cuts = max(1, int(np.ceil(_BLOCKS / len(series))))
    length = min(len(one) for one in series) // cuts
    if length < 16:
        cuts, length = 1, min(len(one) for one in series)
    pieces = [part for one in series for part in np.split(one[: cuts * length], cuts)]
    lags = np.unique(np.round(np.geomspace(1, max(2, length // 2), 14)).astype(int))
    blocks = np.array([[np.mean((part[lag:] - part[:-lag]) ** 2) for lag in lags] for part in pieces])
    if not (blocks.mean(axis=0) > 0.0).all():
        raise FitError(f"{name}: all reads of a device are equal; there is no noise to fit, or a converter hides it")
    octaves = int(np.clip(np.ceil(np.log2(length)), 1, 20))
    return _Structure(lags * step, blocks, step, octaves), len(values), len(series)


def _scatter(blocks: Array) -> Array:
    """Return the standard deviation of the logarithm of the mean over blocks, (lags,)."""
    if len(blocks) < 3:
        return np.full(blocks.shape[1], 0.1)
    return np.asarray(blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks)) / blocks.mean(axis=0) + 1e-6)


def _compute_structure(law: str, sizes: Array, structure: _Structure) -> Array:
    """Return ``D`` of a law; `sizes` are the white part, the slow part and its time."""
    white = 2.0 * sizes[0] ** 2
    if law == "white":
        return np.full(len(structure.lags), white)
    times = np.array([sizes[2]]) if law == "ou" else structure.step * 2.0 ** np.arange(structure.octaves)
    grown = 1.0 - np.exp(-structure.lags[:, None] / times)
    return np.asarray(white + 2.0 * sizes[1] ** 2 * grown.mean(axis=1))


def _fit_law(
    law: str, structure: _Structure, log: Array, scatter: Array, start: Array | None = None
) -> tuple[Array, float]:
    """Return the logarithms of the sizes, and the sum of squares over their scatter."""
    first, last = np.exp(log[0]), np.exp(log[-1])
    slow = np.log(np.sqrt(max(last - 0.5 * first, 0.1 * last) / 2.0))
    begin = np.array([0.5 * np.log(0.25 * first), slow, np.log(np.sqrt(structure.lags[0] * structure.lags[-1]))])
    begin = start if start is not None else begin[: _LAWS[law]]
    if law == "white" and start is None:
        begin = np.array([0.5 * np.log(0.5 * np.exp(log.mean()))])
    low = np.log(np.array([1e-6 * np.sqrt(first), 1e-6 * np.sqrt(last), 0.1 * structure.lags[0]])[: _LAWS[law]])
    high = np.log(np.array([10.0 * np.sqrt(last), 1e3 * np.sqrt(last), 1e3 * structure.lags[-1]])[: _LAWS[law]])

    def miss(p: Array) -> Array:
        return np.asarray((np.log(_compute_structure(law, np.exp(p), structure)) - log) / scatter)

    found = optimize.least_squares(miss, np.clip(begin, low + 1e-9, high - 1e-9), bounds=(low, high))
    return found.x, float(2.0 * found.cost)


def _make_tables(
    law: str, sizes: Array, ends: Array, count: int, units: _Units
) -> tuple[dict[str, dict[str, FittedValue]], list[str]]:
    unit = units.value or "activity"
    numbers = [make_value(float(size), unit, ends[:, k].tolist(), count) for k, size in enumerate(sizes)]
    facts = {"spectrum": FittedValue(law)}
    if law != "white":
        facts["slow"] = numbers[1]
    if law == "ou":
        facts["tau_c"] = numbers[2]._replace(unit=units.time or "reads")
    if unit == "weight":
        return _make_cell_tables(law, facts, numbers, units)
    if units.value:
        numbers = [one._replace(value=f"{one.value:.6g} V") for one in numbers]
    noise = {"read": numbers[0]}
    if law == "white":
        return {"noise": noise}, []
    if law == "ou":
        note = "the slow part has one correlation time: of the drive of units it is devices.noise.coloured over"
        return {"noise": noise, "reads": facts}, [f"{note} the slope of the curve; of cells, fit their conductances"]
    noise["read_flicker"] = numbers[1]
    noise["flicker_octaves"] = FittedValue(units.structure.octaves, "1")
    note = "1/f noise between reads acts in trajectories; its shortest time is taken for one tau: set flicker_shortest"
    if units.time:
        noise["flicker_shortest"] = FittedValue(f"{units.structure.step:.6g} s", "s")
        note = "1/f noise between reads acts in trajectories, and its times in seconds need [physical] tau"
    return {"noise": noise, "reads": facts}, [note]


def _make_cell_tables(
    law: str, facts: dict[str, FittedValue], numbers: list[FittedValue], units: _Units
) -> tuple[dict[str, dict[str, FittedValue]], list[str]]:
    """Return the slow noise of weights or conductances as that of cells; the white part is of the instrument, too."""
    facts = {"white": numbers[0]} | facts
    notes = ["white noise between reads of a cell may be that of the instrument: no key is set for it"]
    if law == "white":
        return {"reads": facts}, notes
    cells = {"noise.spectrum": FittedValue(law), "noise.absolute": numbers[1]}
    time = facts.get("tau_c", FittedValue(units.structure.step, "s"))
    if law == "flicker":
        cells["noise.octaves"] = FittedValue(units.structure.octaves, "1")
    if units.time:
        cells["noise.tau_c"] = time._replace(value=f"{time.value:.6g} s")
        notes.append("the correlation time in seconds needs [physical] tau")
    else:
        notes.append("without a column of times the correlation time is not known: set noise.tau_c")
    return {"weights": cells, "reads": facts}, notes
