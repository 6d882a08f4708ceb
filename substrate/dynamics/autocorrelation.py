"""The standard error of the mean of a correlated signal, from sums over the blocks of a window.

The signal is taken to have the autocorrelation ``phi^k`` at k steps. With ``V f_n`` the variance of the mean of n
steps and ``V g_k`` the covariance of two block means k blocks apart, the blocks of a window show

====================== ===========================================================
`between`              mean square of the block means around their mean
`next` over `between`  the same with the next block, which tells how fast it forgets
`between` over all     share of the variance, which tells how much a block evens out
====================== ===========================================================

Each of the two ratios grows with `phi` and has its expectation in closed form, the mean over the window taken off,
and so gives a `phi`. The smaller one is taken: white noise shows in the second ratio, a smooth signal in the
first. It gives the factor from `between` to the variance ``V f_n`` of the mean of the window.

A part that is slower than the window is an offset that no window shows. So no correlation time above `LONGEST` of
the window is taken, and where it is that long the error is a lower bound.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LONGEST = 0.3
"""Longest correlation time that is taken, as a part of the window: 3 of them are the least that tell one."""

FEWEST = 3
"""Fewest blocks that tell a correlation."""

_POINTS = 300


class _ExpectedRatios(NamedTuple):
    """What a signal of every correlation shows, (points,); the correlation grows."""

    following: Array
    """`next` over `between`."""

    share: Array
    """`between` over the variance within the window."""

    factor: Array
    """Variance of the mean over `between`."""


@functools.lru_cache(maxsize=32)
def _compute_expected_ratios(blocks: int, length: int, steps: int) -> _ExpectedRatios:
    """Return the ratios for so many whole blocks of a length, out of a window of so many steps."""
    phi = np.exp(-1.0 / np.geomspace(0.1, max(LONGEST * steps, 0.2), _POINTS))[:, None]
    lags = np.arange(1, blocks)
    decay = phi ** ((lags - 1) * length + 1) * ((1.0 - phi**length) / (1.0 - phi)) ** 2 / length**2
    cov = np.concatenate([_compute_mean_variance(phi, length), decay], axis=1)
    rows = np.cumsum(cov, axis=1)
    rows = (rows + rows[:, ::-1] - cov[:, :1]) / blocks  # of block i: mean covariance with all blocks
    mean = rows.mean(axis=1)
    between = cov[:, 0] - mean
    following = ((blocks - 1) * (cov[:, 1] + mean) - rows[:, :-1].sum(axis=1) - rows[:, 1:].sum(axis=1)) / blocks
    whole = _compute_mean_variance(phi, steps)[:, 0]
    return _ExpectedRatios(following / between, between / (1.0 - whole), whole / between)


def _compute_mean_variance(phi: Array, count: int) -> Array:
    """Return ``f_n``, the variance of the mean of `count` steps over that of one."""
    spread = (1.0 + phi) / (1.0 - phi) - 2.0 * phi * (1.0 - phi**count) / (count * (1.0 - phi) ** 2)
    return np.asarray(spread / count)


def estimate_mean_error(means: NDArray[np.complex128] | Array, variance: Array, length: int, steps: int) -> Array:
    """Return the standard error of the mean over a window, like `variance`; NaN from fewer than `FEWEST` blocks.

    Parameters
    ----------
    means : array (blocks, ...)
        Means of the whole blocks; a complex signal has the error of both planes together.
    variance : array (...)
        Mean square departure from the mean over the window.
    length, steps : int
        Steps of a block and of the window.
    """
    blocks = len(means)
    if blocks < FEWEST:
        return np.full(variance.shape, np.nan)
    departure = means - means.mean(axis=0)
    between = np.mean(np.abs(departure) ** 2, axis=0)
    following = np.sum(np.real(departure[1:] * np.conj(departure[:-1])), axis=0) / blocks
    expected, places = _compute_expected_ratios(blocks, length, steps), np.arange(float(_POINTS))
    with np.errstate(divide="ignore", invalid="ignore"):  # of a signal that stands still
        place = np.interp(following / between, expected.following, places)
        if length > 1:
            place = np.minimum(place, np.interp(between / variance, expected.share, places))
    factor = np.interp(np.where(between > 0.0, place, 0.0), places, expected.factor)
    return np.asarray(np.sqrt(factor * between))
