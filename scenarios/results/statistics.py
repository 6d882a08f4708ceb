"""What chips say together: means with intervals, differences in pairs, and where a design breaks down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

Array = NDArray[np.float64]

LEVEL = 0.95
"""Confidence of every interval."""


class Interval(NamedTuple):
    """Mean over chips, with Student's interval for it; arrays of one shape."""

    mean: Array
    low: Array
    high: Array
    chips: NDArray[np.int64]
    """Chips that have a number."""


def compute_interval(values: Array) -> Interval:
    """Return mean and Student's 95 % interval over the last axis; nan is left out.

    Parameters
    ----------
    values : ndarray (..., chip)

    Returns
    -------
    Interval
        Arrays (...); no interval, but nan, where fewer than two chips have a number.
    """
    there = np.isfinite(values)
    count = there.sum(axis=-1)
    some = np.maximum(count, 1)
    mean = np.where(there, values, 0.0).sum(axis=-1) / some
    square = np.where(there, (values - mean[..., None]) ** 2, 0.0).sum(axis=-1)
    error = np.sqrt(square / np.maximum(count - 1, 1) / some)
    half = np.where(count > 1, error * t.ppf(0.5 + 0.5 * LEVEL, np.maximum(count - 1, 1)), np.nan)
    mean = np.where(count > 0, mean, np.nan)
    return Interval(mean, mean - half, mean + half, count)


def compute_differences(values: Array) -> Array:
    """Return how far every level is from the first, chip by chip.

    Parameters
    ----------
    values : ndarray (level, ..., chip)
    """
    return values - values[:1]


class Breakdown(NamedTuple):
    """The last value at which a chip is good, over chips."""

    falling: bool
    """True: good up to this value; false: good from this value on."""

    median: float
    low: float
    """Of the worst chip; infinite where it is never (or always) good."""

    high: float
    """Of the best chip."""

    chips: int


def find_breakdown(x: Array, values: Array, threshold: float) -> Breakdown | None:
    """Return where chips cross a threshold, between levels by a straight line.

    A chip is good up to the first crossing (from the last one on, where the values rise with `x`): beyond it
    it may be good by chance. Points that are not known count as not good.

    Parameters
    ----------
    x : ndarray (level,)
        In any order.
    values : ndarray (level, chip)
    threshold : float
        Good is at or above.

    Returns
    -------
    Breakdown or None
        None where no chip has two numbers. A chip that is good at every level has the value infinity, one that
        is good at none minus infinity; the other way round where the values rise.
    """
    order = np.argsort(x, kind="stable")
    x, values = x[order].astype(np.float64), values[order]
    chips = np.isfinite(values).sum(axis=0) > 1
    if not chips.any():
        return None
    values = values[:, chips]
    ends = [column[np.isfinite(column)][[0, -1]] for column in values.T]
    falling = bool(np.mean([last - first for first, last in ends]) <= 0.0)
    side = 1.0 if falling else -1.0
    found = np.array([_find_crossing(side * x[:: int(side)], column[:: int(side)], threshold) for column in values.T])
    found = np.sort(side * found)
    return Breakdown(falling, _compute_median(found), float(found[0]), float(found[-1]), len(found))


def _find_crossing(x: Array, y: Array, threshold: float) -> float:
    """Return the end of the first run of good values, which starts at the first."""
    good = np.isfinite(y) & (y >= threshold)
    if good.all():
        return np.inf
    first = int(np.argmin(good))
    if first == 0:
        return -np.inf
    before, after = y[first - 1], y[first]
    if not np.isfinite(after):
        return float(x[first - 1])
    return float(x[first - 1] + (x[first] - x[first - 1]) * (before - threshold) / (before - after))


def _compute_median(ordered: Array) -> float:
    """Return the median; of two middle values that are not both finite the smaller."""
    middle = ordered[[(len(ordered) - 1) // 2, len(ordered) // 2]]
    return float(middle.mean() if np.isfinite(middle).all() else middle[0])
