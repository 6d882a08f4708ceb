"""Nudge schemes of continuous time: the nudge swings while the chip settles, and one cycle is read.

A read cycle has `points` activities, point k at phase ``2 pi k / points``. A slow nudge would show
the rest points at these phases, so that a swing is a set of nodes, too; what a swing of finite
period adds is the lag of the chip. Its in-phase part, which alone is read, is even in
``omega tau``: a lag error of order two.
"""

from __future__ import annotations

import cmath
import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from devices.parameters import Time
from substrate.protocol import Wave

from .nodes import Circle
from .scheme import SCHEMES, Beta, Node, Swing

Period = Annotated[float, Field(gt=0.0, le=1e6), Time]
Cycles = Annotated[int, Field(ge=0, le=1000)]


@SCHEMES.register
class LockIn(Swing):
    """A real nudge ``beta cos(omega t)`` and the odd harmonics of the answer.

    ``delta = -(1/beta) sum_j (-1)^((j-1)/2) j c_j`` over the odd harmonics j, with `c_j` their cosine
    amplitudes: ``a*(beta x)`` is the Chebyshev series ``sum_j c_j T_j(x)``, and this is its derivative at
    0, since ``T_j'(0) = (-1)^((j-1)/2) j``. With m harmonics the truncation error is of order beta to the 2m.
    """

    kind: Literal["lock-in"] = "lock-in"
    beta: Beta
    """Amplitude of the nudge; dimensionless, above 0."""

    period: Period
    """Time of one cycle, in units of tau or seconds; long against tau, or the answer lags."""

    cycles: Cycles = 2
    """Whole cycles before the one that is read; 0 to 1000."""

    harmonics: Annotated[int, Field(ge=1, le=8)] = 1
    """Number m of odd harmonics (1, 3, 5, ...) that are read; 1 to 8."""

    @property
    def fewest_points(self) -> int:
        """Fewest points of a cycle that tell the harmonics from their aliases."""
        return 4 * self.harmonics

    @property
    def details(self) -> str:
        """Number of harmonics and period."""
        return f" {self.harmonics}, period {self.period:g}"

    def stopped(self, points: int) -> list[Node]:
        """Return the nodes of an endless period, one per point of the cycle."""
        return self.cycle(points)

    def wave(self) -> Wave:
        """Return the swing of the nudge."""
        return Wave("cosine", self.period, self.cycles)

    def cycle(self, points: int) -> list[Node]:
        """Return nudge and weight at every point of the cycle.

        Raises
        ------
        ValueError
            If there are too few points to tell the harmonics apart.
        """
        _check_points(points, self.fewest_points)
        phase = 2.0 * np.pi * np.arange(points) / points
        odd = np.arange(1, 2 * self.harmonics, 2)
        slopes = np.where(odd % 4 == 1, odd, -odd)
        weights = (2.0 / (points * self.beta)) * np.cos(np.outer(phase, odd)) @ slopes
        return [
            Node(self.beta * _compute_cycle_cosine(k, points), float(weight), False) for k, weight in enumerate(weights)
        ]


@SCHEMES.register
class Rotation(Swing):
    """A nudge ``beta exp(i omega t)`` on complex states, and the first Fourier component of the answer.

    The circle in continuous time (Laborieux & Zenke 2022): no separate phases, and the running mean
    gives the presynaptic factor. Truncation error of order beta to the number of points of the cycle.
    """

    kind: Literal["rotation"] = "rotation"
    beta: Beta
    """Radius of the circle; dimensionless, above 0."""

    period: Period
    """Time of one turn, in units of tau or seconds; long against tau, or the answer lags."""

    cycles: Cycles = 2
    """Whole turns before the one that is read; 0 to 1000."""

    @property
    def fewest_points(self) -> int:
        """Fewest points of a cycle that make a circle."""
        return 4

    @property
    def details(self) -> str:
        """Period."""
        return f", period {self.period:g}"

    def stopped(self, points: int) -> list[Node]:
        """Return the nodes of an endless period: a circle."""
        return Circle(beta=self.beta, points=points).nodes()

    def wave(self) -> Wave:
        """Return the swing of the nudge."""
        return Wave("rotation", self.period, self.cycles)

    def cycle(self, points: int) -> list[Node]:
        """Return nudge and weight at every point of the cycle.

        Raises
        ------
        ValueError
            If there are too few points.
        """
        _check_points(points, self.fewest_points)
        betas = [cmath.rect(self.beta, 2.0 * math.pi * k / points) for k in range(points)]
        return [Node(beta, 1.0 / (points * beta), False) for beta in betas]


def _compute_cycle_cosine(k: int, points: int) -> float:
    """Return ``cos(2 pi k / points)``, exactly 0 at a quarter of the cycle."""
    return 0.0 if 4 * k in (points, 3 * points) else math.cos(2.0 * math.pi * k / points)


def _check_points(points: int, fewest: int) -> None:
    if points < fewest:
        raise ValueError(
            f"learning.scheme.period: the cycle has {points} points, this scheme needs {fewest}: "
            "lengthen the period or lower dynamics.dt"
        )
