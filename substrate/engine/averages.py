"""What is read over time: the average of a window, and whether the last cycle of a nudge that swings has closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dynamics.autocorrelation import estimate_mean_error
from ..protocol import SettlingResult, State, Status
from .protocol import Average

Array = NDArray[np.float64]


def summarise_window(sums: State, squares: State, block: int, steps: int, dt: float) -> Average:
    """Return mean, standard error and autocorrelation time of a window.

    Parameters
    ----------
    sums : array (blocks, batch, units)
        Sum of the activity over every block; the last block has the steps that are left.
    squares : array (batch, units)
        Sum of its square, of both planes apart.
    block, steps : int
        Steps of a block and of the window.
    dt : float
        Length of a step, in tau.
    """
    mean = sums.sum(axis=0) / steps
    variance = np.maximum((np.real(squares) + np.imag(squares)) / steps - np.abs(mean) ** 2, 0.0)
    error = estimate_mean_error(sums[: steps // block] / block, variance, block, steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The variance of the signal is that within the window and that of its mean.
        time = np.where(error > 0.0, 0.5 * steps * dt * error**2 / (variance + error**2), 0.0)
    return Average(mean, error, time)


def judge_cycle(settled: SettlingResult, before: State, after: State, tolerance: float) -> SettlingResult:
    """Return how samples ended under a nudge that swings: those have settled whose last cycle closes.

    Parameters
    ----------
    settled : Settled
        How the trajectories ended, of which only divergence counts.
    before, after : array (batch, units)
        States at both ends of the last cycle.
    tolerance : float
        Largest gap between both; units of the state.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # of samples that diverged
        gap = np.abs(after - before).max(axis=1)
    status = np.where(gap < tolerance, Status.SETTLED, Status.STEP_LIMIT)
    diverged = settled.status == Status.DIVERGED
    return settled._replace(
        status=np.where(diverged, settled.status, status), residual=np.where(diverged, settled.residual, gap)
    )
