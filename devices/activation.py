"""Activation of a unit and its slope, for real states and for states in the complex plane.

Complex numbers are pairs of real ones (two planes). Every law maps the conjugate state to the
conjugate activity, and none overflows for any finite real part.

A. Laborieux, F. Zenke, "Improving equilibrium propagation without weight symmetry through Jacobian
homeostasis", ICLR 2024: both activations.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Real = float | NDArray[np.float64]

SIGMOID = 0
DSILU = 1
CODES = {"sigmoid": SIGMOID, "dsilu": DSILU}


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


def activity(code: int, u: Real) -> Real:
    """Return the activity ``rho(u)``: ``s(4u - 2)``, or ``(u/2) s(u) + (1 - u/2) s(u - 2)``."""
    if code == SIGMOID:
        return logistic(4.0 * u - 2.0)
    return 0.5 * u * logistic(u) + (1.0 - 0.5 * u) * logistic(u - 2.0)


def activity_planes(code: int, x: float, y: float) -> tuple[float, float]:
    """Return the activity of the complex state ``x + i y`` as (real, imaginary)."""
    if code == SIGMOID:
        return logistic_planes(4.0 * x - 2.0, 4.0 * y)
    p, q = logistic_planes(x, y)
    r, s = logistic_planes(x - 2.0, y)
    return 0.5 * (x * p - y * q - x * r + y * s) + r, 0.5 * (x * q + y * p - x * s - y * r) + s


def slope(code: int, u: Real) -> Real:
    """Return ``rho'(u)``."""
    if code == SIGMOID:
        s = logistic(4.0 * u - 2.0)
        return 4.0 * s * (1.0 - s)
    s, t = logistic(u), logistic(u - 2.0)
    return 0.5 * (s - t) + 0.5 * u * s * (1.0 - s) + (1.0 - 0.5 * u) * t * (1.0 - t)
