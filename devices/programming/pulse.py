"""How far one pulse moves a cell: what its step is multiplied with, by the state it is in.

T. Gokmen, Y. Vlasov, Front. Neurosci. 10, 2016: constant and linear steps. M. J. Rasch et al., "A flexible and fast
PyTorch toolkit for simulating training and inference on analog crossbar arrays", AICAS 2021: the other laws.
All laws of one sign are functions of one state, so a pulse train is a walk of such steps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONSTANT, LINEAR, EXPONENTIAL, POWER, PIECEWISE = range(5)


class PulseLaw(NamedTuple):
    """What all cells of a law have in common, as the kernels take it."""

    code: int
    curves: Array
    """a, b, A and gamma of the exponential law, down and up, (2, 4); gamma of down pulses as its negative."""

    nodes: Array
    """Multipliers down and up, (2, points)."""

    cycle_sigma: float
    additive: bool
    cycle_add: float
    cycle_slope: float


def compute_step_multiplier(
    code: int, w: float, low: float, high: float, bend: float, curve: Array, nodes: Array
) -> float:
    """Return what the step of a pulse in one direction is multiplied with.

    Constant: 1. Linear: ``1 - bend w``. Exponential: ``max(0, 1 - A exp(gamma z))``, ``z = 2 a w/(high - low) + b``.
    Power: ``x^bend``, where `x` is the distance to the bound ahead over the range. Piecewise: interpolated `nodes`.

    Parameters
    ----------
    code : int
        Law.
    w, low, high : float
        State and bounds of the cell; units of the weight.
    bend : float
        Slope of the linear law, 1/weight, below 0 for down pulses; exponent of the power law, as its negative for
        down pulses.
    curve : array (4,)
        a, b, A and gamma of the exponential law; gamma as its negative for down pulses.
    nodes : array (points,)
        Multipliers at equal distances from `low` to `high`.
    """
    if code == LINEAR:
        return 1.0 - bend * w
    if code == CONSTANT:
        return 1.0
    x = (w - low) / (high - low)
    if code == EXPONENTIAL:
        z = 2.0 * curve[0] * w / (high - low) + curve[1]
        return float(max(1.0 - curve[2] * math.exp(curve[3] * z), 0.0))
    if code == POWER:
        return float(max(x, 0.0) ** -bend if bend < 0.0 else max(1.0 - x, 0.0) ** bend)
    return interpolate_nodes(nodes, x)


def interpolate_nodes(nodes: Array, x: float) -> float:
    """Return the value at `x` of a curve given at equal distances from 0 to 1; level beyond both ends."""
    last = nodes.shape[0] - 1
    place = min(max(x, 0.0), 1.0) * last
    k = min(int(place), last - 1) if last > 0 else 0
    return float(nodes[k] + (place - k) * (nodes[min(k + 1, last)] - nodes[k]))


NEAREST, STOCHASTIC, COINCIDENCES = range(3)

LONGEST = 100_000
"""Most pulses one cell gets in one write; a request of more is cut, and counted as such."""


def round_stochastically(pulses: float, uniform: float) -> int:
    """Return ``floor(pulses + uniform)``, a whole number that is right in the mean.

    Parameters
    ----------
    pulses : float
        Request over step.
    uniform : float
        In (0, 1).
    """
    return math.floor(min(max(pulses, -float(LONGEST)), float(LONGEST)) + uniform)


def round_to_nearest(pulses: float) -> int:
    """Return the nearest whole number of pulses, the even one of two."""
    return int(np.rint(min(max(pulses, -float(LONGEST)), float(LONGEST))))
