"""Nudge schemes that settle at a few constant nudges and weigh what is read there."""

from __future__ import annotations

import cmath
import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from .scheme import SCHEMES, Beta, ConstantNudges, Node, Scheme, Size


@SCHEMES.register
class OneSided(ConstantNudges):
    """Free state and one nudge; truncation error of order beta."""

    kind: Literal["one-sided"] = "one-sided"
    beta: Size
    """Size of the nudge; dimensionless, above 0; or ``"auto"``, found by measuring."""

    def nodes(self) -> list[Node]:
        """Return the nodes, the free state included."""
        return [Node(0.0, -1.0 / self.beta, False), Node(self.beta, 1.0 / self.beta, False)]


@SCHEMES.register
class Backward(ConstantNudges):
    """Free state and one nudge towards *higher* cost; truncation error of order beta."""

    kind: Literal["backward"] = "backward"
    beta: Size
    """Size of the nudge; dimensionless, above 0; or ``"auto"``, found by measuring."""

    def nodes(self) -> list[Node]:
        """Return the nodes, the free state included."""
        return [Node(0.0, 1.0 / self.beta, False), Node(-self.beta, -1.0 / self.beta, False)]


@SCHEMES.register
class RandomSign(Scheme):
    """Free state and one nudge whose sign is drawn per sample (Laborieux et al. 2021).

    Truncation error of order beta for one sample, beta squared in expectation over the signs.
    """

    kind: Literal["random-sign"] = "random-sign"
    beta: Beta
    """Size of the nudge; dimensionless, above 0."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the signs, beside that of the scenario; 0 to 2^63 - 1. They depend on it, the sample and the epoch."""

    def nodes(self) -> list[Node]:
        """Return the nodes of a sample of positive sign; a negative one turns every nudge and weight round."""
        return [Node(0.0, -1.0 / self.beta, False), Node(self.beta, 1.0 / self.beta, False)]


@SCHEMES.register
class Centred(ConstantNudges):
    """Two opposite nudges; truncation error of order beta squared (Laborieux et al. 2021)."""

    kind: Literal["centred"] = "centred"
    beta: Size
    """Size of the nudge; dimensionless, above 0; or ``"auto"``, found by measuring."""

    def nodes(self) -> list[Node]:
        """Return the two nodes."""
        half = 0.5 / self.beta
        return [Node(self.beta, half, False), Node(-self.beta, -half, False)]


@SCHEMES.register
class Circle(ConstantNudges):
    """N nudges on a circle in the complex plane; truncation error of order beta to the N.

    Cauchy's integral for the derivative, by the trapezoidal rule (Laborieux & Zenke 2022). Only
    the upper half is settled: ``a*(conj beta) = conj a*(beta)``.
    """

    kind: Literal["circle"] = "circle"
    beta: Size
    """Radius of the circle; dimensionless, above 0; or ``"auto"``, found by measuring."""

    points: Annotated[int, Field(ge=2, le=64)] = 4
    """Number of points N on the circle; 2 to 64. 2 is the centred scheme."""

    @property
    def details(self) -> str:
        """Number of points."""
        return f" {self.points}"

    def nodes(self) -> list[Node]:
        """Return the nodes of the upper half plane, real ones exactly real."""
        n = self.points
        nodes = []
        for k in range(n // 2 + 1):
            angle = 2.0 * math.pi * k / n
            mirrored = 0 < 2 * k < n
            beta = cmath.rect(self.beta, angle) if mirrored else complex(self.beta * round(math.cos(angle)))
            nodes.append(Node(beta, 1.0 / (n * beta), mirrored))
        return nodes


@SCHEMES.register
class Chebyshev(ConstantNudges):
    """N real nudges at the extrema of a Chebyshev polynomial; truncation error of order beta to the N.

    The N nodes ``beta cos(pi k / (N-1))`` fill [-beta, beta] and spare the free state, because N is
    even. The weights are the derivatives at 0 of the Lagrange polynomials of these nodes, in
    barycentric form (Berrut & Trefethen 2004): ``c_k = (b_k / x_k^2) / sum_j b_j / x_j`` with
    ``b_k = (-1)^k``, half of it at both ends; the term with the derivative of the sum vanishes by
    symmetry. No complex state is needed, at the price of a noise gain above that of the circle.
    """

    kind: Literal["chebyshev"] = "chebyshev"
    beta: Size
    """Largest nudge; dimensionless, above 0; or ``"auto"``, found by measuring."""

    points: Literal[2, 4, 6, 8, 10, 12, 14, 16] = 4
    """Number of points N; even, 2 to 16. 2 is the centred scheme."""

    @property
    def details(self) -> str:
        """Number of points."""
        return f" {self.points}"

    def nodes(self) -> list[Node]:
        """Return the nodes, from +beta to -beta."""
        k = np.arange(self.points)
        x = self.beta * np.sin(0.5 * np.pi * (self.points - 1 - 2 * k) / (self.points - 1))  # exactly odd in k
        b = np.where(k % 2 == 0, 1.0, -1.0)
        b[[0, -1]] *= 0.5
        weights = b / x**2 / np.sum(b / x)
        return [Node(float(beta), float(weight), False) for beta, weight in zip(x, weights, strict=True)]
