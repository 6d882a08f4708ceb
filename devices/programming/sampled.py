"""What the cells of one chip are like: one draw of step, asymmetry, bounds and bend per cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..random import Stream
from .laws import Step, Subtracted

Array = NDArray[np.float64]


class CellConstants(NamedTuple):
    """Constants of every cell of a block, each of the shape of the block."""

    step_up: Array
    """Change by an up pulse before the law multiplies it; units of the weight, at least 0."""

    step_down: Array
    """The same for a down pulse, as a size."""

    low: Array
    """Lower bound; units of the weight."""

    high: Array
    """Upper bound; units of the weight."""

    bend_up: Array
    """Slope of the linear law, 1/weight, or exponent of the power law; else 0."""

    bend_down: Array
    """The same for down pulses, as a negative number."""

    reference: Array
    """Weight of the reference device, which is subtracted; all other constants are those before. 0: none."""


def sample_cells(law: Step, shape: tuple[int, ...], stream: Callable[[str], Stream]) -> CellConstants:
    """Return the cells of one block; a spread of 0 gives exactly the nominal values.

    ``gain = 1 + step_sigma xi`` or ``exp(step_sigma xi)``, ``r = up_down_sigma xi``; up step
    ``step |gain + r + min(up_down, 0)|``, down step ``step |gain - r - max(up_down, 0)|``; bounds
    ``w_max |1 + w_max_sigma xi|`` and ``-|w_min| |1 + w_min_sigma xi|`` (Rasch et al. 2021); devices of one-sided
    pairs end at 0.

    Parameters
    ----------
    law : Step
        Means and spreads.
    shape : tuple of int
        One cell per parameter.
    stream : callable
        ``stream(name)`` gives the stream of one property; each has its own, so that no spread moves another's draw.
    """

    def spread(name: str, sigma: float) -> Array:
        return sigma * stream(name).normal(shape) if sigma else np.zeros(shape)

    drawn = spread("step", law.step_sigma)
    gain = np.exp(drawn) if law.step_spread == "log-normal" else 1.0 + drawn
    half = spread("up-down", law.up_down_sigma)
    high = _fill_bound(law.w_max, np.inf) * np.abs(1.0 + spread("w-max", law.w_max_sigma))
    bottom = 0.0 if law.one_sided else _fill_bound(law.w_min, -np.inf)
    low = bottom * np.abs(1.0 + spread("w-min", law.w_min_sigma))
    cells = CellConstants(
        law.step * np.abs(gain + half + min(law.up_down, 0.0)),
        law.step * np.abs(gain - half - max(law.up_down, 0.0)),
        low,
        high,
        *law.bends(low, high, spread),
        np.zeros(shape),
    )
    return cells._replace(reference=_sample_references(law, cells, spread)) if isinstance(law, Subtracted) else cells


def make_nominal_cells(law: Step, shape: tuple[int, ...] = ()) -> CellConstants:
    """Return the cells without any spread."""
    spreads = [name for name in type(law).model_fields if name.endswith("_sigma") and name != "cycle_sigma"]
    return sample_cells(law.model_copy(update=dict.fromkeys(spreads, 0.0)), shape, lambda name: Stream(0, name))


def compute_cell_limits(cells: CellConstants) -> tuple[Array, Array]:
    """Return the least and the largest weight of every cell, where what is subtracted is taken off."""
    return cells.low - cells.reference, cells.high - cells.reference


def compute_symmetry_point(cells: CellConstants) -> Array:
    """Return the weight at which an up and a down pulse of a linear law cancel, of the shape of the cells.

    ``w = (up - down)/(up bend_up - down bend_down)``, before any reference is subtracted; NaN where both steps are
    equal everywhere.
    """
    slope = cells.step_up * cells.bend_up - cells.step_down * cells.bend_down
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(slope == 0.0, np.nan, (cells.step_up - cells.step_down) / slope))


def _sample_references(law: Subtracted, cells: CellConstants, spread: Callable[[str, float], Array]) -> Array:
    missed = spread("reference", law.subtract_sigma)
    # Where both steps are equal everywhere there is no such point.
    return missed if law.subtract == "nothing" else missed + np.nan_to_num(compute_symmetry_point(cells))


def _fill_bound(value: float | None, absent: float) -> float:
    return absent if value is None else value
