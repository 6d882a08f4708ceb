"""Activation of a unit and its slope, for real states and for states in the complex plane.

Complex numbers are pairs of real ones (two planes). Every law maps the conjugate state to the
conjugate activity, and none overflows for any finite real part.

A. Laborieux, F. Zenke, "Improving equilibrium propagation without weight symmetry through Jacobian
homeostasis", ICLR 2024: both activations.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..parameters import FilePath, Parameters, Volts

Array = NDArray[np.float64]
Real = float | NDArray[np.float64]

SIGMOID = 0
DSILU = 1
TANH = 2
HARD_SIGMOID = 3
SOFTPLUS = 4
IDENTITY = 5
TABLE = 6
OWN = 7
"""Code of the first activation that a user registered, see `curves`; the next ones follow."""

CODES = {
    "sigmoid": SIGMOID,
    "dsilu": DSILU,
    "tanh": TANH,
    "hard-sigmoid": HARD_SIGMOID,
    "softplus": SOFTPLUS,
    "identity": IDENTITY,
}
HOLOMORPHIC = ("sigmoid", "dsilu", "tanh", "softplus", "identity")
"""Activations that accept a complex state, and so a complex nudge."""

NO_TABLE: Array = np.zeros((2, 0))


class Curve(NamedTuple):
    """A measured transfer curve: linear between its points, constant outside; not holomorphic."""

    u: Array
    """States, increasing (points,)."""

    a: Array
    """Activities, never falling (points,)."""


class Named(Parameters):
    """A measured transfer curve, as a scenario names it."""

    table: FilePath
    """CSV file with two columns, state u (increasing) and activity a (never falling); relative to the scenario file."""

    units: Literal["model", "volts"] | None = None
    """What the numbers are: units of the state and the activity, or volts at the input and the output, which [physical]
    volt_scale and activity_volts turn into them. Absent: volts where the line of names says so ("Vin_V,Vout_V")."""

    zero_in: Volts = 0.0
    """Input voltage at which the state is 0; volts."""

    zero_out: Volts = 0.0
    """Output voltage at which the activity is 0; volts."""


def get_curve_table(law: str | Curve) -> Array:
    """Return the points of a measured curve as an array (2, points), empty for the other laws."""
    return NO_TABLE if isinstance(law, str) else np.ascontiguousarray(np.array([law.u, law.a]))


def interpolate(x: Array, y: Array, u: float) -> float:
    """Return the curve through the points (x, y) at `u`, constant outside."""
    k = int(np.searchsorted(x, u))
    if k == 0:
        return float(y[0])
    if k == len(x):
        return float(y[-1])
    return float(y[k - 1] + (y[k] - y[k - 1]) * (u - x[k - 1]) / (x[k] - x[k - 1]))


def interpolate_slope(x: Array, y: Array, u: float) -> float:
    """Return the slope of that curve: of the piece to the left at a point, 0 outside."""
    k = int(np.searchsorted(x, u))
    if k in {0, len(x)}:
        return 0.0
    return float((y[k] - y[k - 1]) / (x[k] - x[k - 1]))


def logistic(x: Real) -> Real:
    """Return ``1 / (1 + exp(-x))``."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def logistic_planes(x: float, y: float) -> tuple[float, float]:
    """Return the real and imaginary part of ``1 / (1 + exp(-(x + i y)))``; poles at ``i pi (2k + 1)``."""
    sign = 1.0 if x >= 0.0 else -1.0
    decay = math.exp(-sign * x)
    real, imaginary = decay * math.cos(y), decay * math.sin(sign * y)
    scale = 1.0 / (1.0 + 2.0 * real + decay * decay)
    if x >= 0.0:
        return (1.0 + real) * scale, imaginary * scale
    return 1.0 - (1.0 + real) * scale, -imaginary * scale


def activity(code: int, u: Real, table: Array = NO_TABLE) -> Real:
    """Return the activity ``rho(u)``.

    ``sigmoid``: ``s(4u - 2)``; ``dsilu``: ``(u/2) s(u) + (1 - u/2) s(u - 2)``; ``hard-sigmoid``: `u`
    cut to [0, 1]; ``softplus``: ``log(1 + e^u)``; ``tanh``; ``identity``; or the measured `table`.
    """
    if code == SIGMOID:
        return logistic(4.0 * u - 2.0)
    if code == DSILU:
        return 0.5 * u * logistic(u) + (1.0 - 0.5 * u) * logistic(u - 2.0)
    if code == TANH:
        return np.tanh(u)
    if code == HARD_SIGMOID:
        return np.clip(u, 0.0, 1.0)
    if code == SOFTPLUS:
        return np.maximum(u, 0.0) + np.log1p(np.exp(-np.abs(u)))
    return u if code == IDENTITY else np.interp(u, table[0], table[1])


def activity_planes(code: int, x: float, y: float) -> tuple[float, float]:
    """Return the activity of the complex state ``x + i y`` as (real, imaginary)."""
    if code == SIGMOID:
        return logistic_planes(4.0 * x - 2.0, 4.0 * y)
    if code == TANH:
        p, q = logistic_planes(2.0 * x, 2.0 * y)
        return 2.0 * p - 1.0, 2.0 * q
    if code == SOFTPLUS:
        # The larger of u and 0 goes before the logarithm of 1 + w, |w| <= 1; branch of the real axis.
        side = 1.0 if x > 0.0 else 0.0
        size, turn = math.exp(-abs(x)), (1.0 - 2.0 * side) * y
        real, imaginary = 1.0 + size * math.cos(turn), size * math.sin(turn)
        return side * x + 0.5 * math.log(real * real + imaginary * imaginary), side * y + math.atan2(imaginary, real)
    if code == IDENTITY:
        return x, y
    p, q = logistic_planes(x, y)
    r, s = logistic_planes(x - 2.0, y)
    return 0.5 * (x * p - y * q - x * r + y * s) + r, 0.5 * (x * q + y * p - x * s - y * r) + s


def slope_planes(code: int, x: float, y: float) -> tuple[float, float]:
    """Return ``rho'(x + i y)`` as (real, imaginary)."""
    if code == IDENTITY:
        return 1.0, 0.0
    if code == SOFTPLUS:
        return logistic_planes(x, y)
    if code in (SIGMOID, TANH):
        p, q = logistic_planes(4.0 * x - 2.0, 4.0 * y) if code == SIGMOID else logistic_planes(2.0 * x, 2.0 * y)
        return 4.0 * (p - p * p + q * q), 4.0 * (q - 2.0 * p * q)
    p, q = logistic_planes(x, y)
    r, s = logistic_planes(x - 2.0, y)
    dp, dq = p - p * p + q * q, q - 2.0 * p * q
    dr, ds = r - r * r + s * s, s - 2.0 * r * s
    real = 0.5 * (p - r) + 0.5 * (x * dp - y * dq - x * dr + y * ds) + dr
    return real, 0.5 * (q - s) + 0.5 * (x * dq + y * dp - x * ds - y * dr) + ds


def slope(code: int, u: Real, table: Array = NO_TABLE) -> Real:
    """Return ``rho'(u)``."""
    if code == DSILU:
        s, t = logistic(u), logistic(u - 2.0)
        return 0.5 * (s - t) + 0.5 * u * s * (1.0 - s) + (1.0 - 0.5 * u) * t * (1.0 - t)
    if code == HARD_SIGMOID:
        return np.where((u > 0.0) & (u < 1.0), 1.0, 0.0)
    if code == SOFTPLUS:
        return logistic(u)
    if code == IDENTITY:
        return np.ones_like(u)
    if code == TABLE:
        k = np.searchsorted(table[0], u)
        return np.concatenate([[0.0], np.diff(table[1]) / np.diff(table[0]), [0.0]])[k]
    s = logistic(4.0 * u - 2.0) if code == SIGMOID else logistic(2.0 * u)
    return 4.0 * s * (1.0 - s)


def curvature(code: int, u: Real) -> Real:
    """Return ``rho''(u)``; 0 for the laws made of straight pieces."""
    if code == DSILU:
        s, t = logistic(u), logistic(u - 2.0)
        ds, dt = s * (1.0 - s), t * (1.0 - t)
        return ds - dt + 0.5 * u * ds * (1.0 - 2.0 * s) + (1.0 - 0.5 * u) * dt * (1.0 - 2.0 * t)
    if code in {HARD_SIGMOID, IDENTITY, TABLE}:
        return np.zeros_like(u)
    scale = {SIGMOID: 4.0, TANH: 2.0, SOFTPLUS: 1.0}[code]
    s = logistic(4.0 * u - 2.0) if code == SIGMOID else logistic(scale * u)
    size = {SIGMOID: 16.0, TANH: 8.0, SOFTPLUS: 0.0}[code]
    return s * (1.0 - s) if code == SOFTPLUS else size * s * (1.0 - s) * (1.0 - 2.0 * s)
