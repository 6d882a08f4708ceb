"""What pulses do to many cells in the mean, and how much of it each property of the cells makes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import pulse
from .sampled import CellConstants

Array = NDArray[np.float64]
Counts = NDArray[np.int32]
Sides = tuple[CellConstants, CellConstants]


class MeanWalk(NamedTuple):
    """What the pulses of one write do in the mean; all of the shape of the cells, units of the weight.

    The three add up to the mean change less ``step`` times the pulses.
    """

    gain: Array
    """Steps of another size than the nominal one, as far as both directions share it: ``k (f_s - step)``."""

    asymmetry: Array
    """What one direction does more than the other: ``|k| f_a``, ``f_s`` and ``f_a`` half of sum and difference of both
    steps."""

    window: Array
    """What the bounds of the cells refuse."""


def compute_steps(law: pulse.PulseLaw, cells: CellConstants, weight: Array, up: bool) -> Array:
    """Return the mean size of one pulse in cells at `weight`, see `devices.programming.pulse.compute_step_multiplier`.

    Parameters
    ----------
    law : PulseLaw
        What all cells have in common.
    cells : CellConstants
        Constants of every cell, arrays like `weight`.
    weight : array
        State of every cell; units of the weight.
    up : bool
        Direction.
    """
    step, bend = (cells.step_up, cells.bend_up) if up else (cells.step_down, cells.bend_down)
    if law.code == pulse.CONSTANT:
        return step
    if law.code == pulse.LINEAR:
        return np.asarray(step * (1.0 - bend * weight))
    room = cells.high - cells.low
    with np.errstate(divide="ignore", invalid="ignore"):  # cells without room do not move
        x = (weight - cells.low) / room
        if law.code == pulse.EXPONENTIAL:
            a, b, amplitude, gamma = law.curves[int(up)]
            return np.asarray(step * np.maximum(1.0 - amplitude * np.exp(gamma * (2.0 * a * weight / room + b)), 0.0))
        if law.code == pulse.POWER:
            return np.asarray(step * np.maximum(1.0 - x if up else x, 0.0) ** np.abs(bend))
    nodes = law.nodes[int(up)]
    return np.asarray(step * np.interp(x, np.linspace(0.0, 1.0, len(nodes)), nodes))


def walk_cells(law: pulse.PulseLaw, cells: CellConstants, weight: Array, pulses: Counts, step: float) -> MeanWalk:
    """Return what the pulses of one write do to cells in the mean, without noise from pulse to pulse.

    Parameters
    ----------
    law : PulseLaw
        What all cells have in common.
    cells : CellConstants
        Constants of every cell.
    weight : array
        State of every cell before the write, a reference not taken off; units of the weight.
    pulses : int array
        Pulses of every cell, with sign.
    step : float
        Nominal step.
    """
    return _walk(law, (cells, cells), (weight, weight), pulses, step)


def walk_pairs(
    law: pulse.PulseLaw,
    cells: tuple[CellConstants, CellConstants],
    states: tuple[Array, Array],
    pulses: Counts,
    step: float,
) -> MeanWalk:
    """Return the same of one-sided pairs: `cells` and `states` are those of ``g+`` and ``g-``, which pulses raise."""
    return _walk(law, cells, states, pulses, step)


def _walk(
    law: pulse.PulseLaw,
    cells: tuple[CellConstants, CellConstants],
    states: tuple[Array, Array],
    pulses: Counts,
    step: float,
) -> MeanWalk:
    """Walk cell by cell, pulse by pulse, all that still move at once; `cells[1]` and `states[1]` take down pulses.

    One device takes both directions where the two are the same object.
    """
    one = cells[0] is cells[1]
    whole = MeanWalk(*(np.zeros(pulses.size) for _ in MeanWalk._fields))
    moving = np.flatnonzero(pulses)
    left, sign = np.abs(pulses.ravel()[moving]), np.sign(pulses.ravel()[moving]).astype(np.float64)
    sides = [CellConstants(*(part.ravel()[moving] for part in side)) for side in cells]
    plus, minus = (state.ravel()[moving].astype(np.float64) for state in states)
    while moving.size:
        up = compute_steps(law, sides[0], plus, up=True)
        down = compute_steps(law, sides[1], plus if one else minus, up=not one)
        rises = sign > 0.0
        low, high = (np.where(rises, getattr(sides[0], end), getattr(sides[1], end)) for end in ("low", "high"))
        here = np.where(rises, plus, plus if one else minus)
        change = np.where(rises, up, -down if one else down)
        there = np.where(low < high, np.clip(here + change, low, high), here)
        whole.gain[moving] += sign * (0.5 * (up + down) - step)
        whole.asymmetry[moving] += 0.5 * (up - down)
        whole.window[moving] += (there - here - change) * (1.0 if one else sign)
        plus = there if one else np.where(rises, there, plus)
        minus = minus if one else np.where(rises, minus, there)
        left = left - 1
        keep = left > 0
        moving, left = moving[keep], left[keep]
        sign, plus, minus = (part[keep] for part in (sign, plus, minus))
        sides = [CellConstants(*(part[keep] for part in side)) for side in sides]
    return MeanWalk(*(part.reshape(pulses.shape) for part in whole))
