"""Nudge schemes: where to nudge, and how to weigh what is read there.

A scheme is a set of nodes ``beta_k`` and weights ``c_k``; its estimate of the error vector
``dL/d drive`` is ``delta = -sum_k c_k a*(beta_k)``. Positive `beta` pulls towards lower cost.
"""

from __future__ import annotations

import cmath
import math
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from devices.parameters import Parameters

Beta = Annotated[float, Field(gt=0.0, le=100.0)]


class Node(NamedTuple):
    """One nudge that has to be settled and read."""

    beta: complex
    weight: complex
    mirrored: bool
    """Stands also for its complex conjugate, which the real network answers with the conjugate state."""


class OneSided(Parameters):
    """Free state and one nudge; truncation error of order beta."""

    kind: Literal["one-sided"] = "one-sided"
    beta: Beta
    """Size of the nudge; dimensionless, above 0."""

    def nodes(self) -> list[Node]:
        """Return the nodes, the free state included."""
        return [Node(0.0, -1.0 / self.beta, False), Node(self.beta, 1.0 / self.beta, False)]


class Backward(Parameters):
    """Free state and one nudge towards *higher* cost; truncation error of order beta."""

    kind: Literal["backward"] = "backward"
    beta: Beta
    """Size of the nudge; dimensionless, above 0."""

    def nodes(self) -> list[Node]:
        """Return the nodes, the free state included."""
        return [Node(0.0, 1.0 / self.beta, False), Node(-self.beta, -1.0 / self.beta, False)]


class Centred(Parameters):
    """Two opposite nudges; truncation error of order beta squared (Laborieux et al. 2021)."""

    kind: Literal["centred"] = "centred"
    beta: Beta
    """Size of the nudge; dimensionless, above 0."""

    def nodes(self) -> list[Node]:
        """Return the two nodes."""
        half = 0.5 / self.beta
        return [Node(self.beta, half, False), Node(-self.beta, -half, False)]


class Circle(Parameters):
    """N nudges on a circle in the complex plane; truncation error of order beta to the N.

    Cauchy's integral for the derivative, by the trapezoidal rule (Laborieux & Zenke 2022). Only
    the upper half is settled: ``a*(conj beta) = conj a*(beta)``.
    """

    kind: Literal["circle"] = "circle"
    beta: Beta
    """Radius of the circle; dimensionless, above 0."""

    points: Annotated[int, Field(ge=2, le=64)] = 4
    """Number of points N on the circle; 2 to 64. 2 is the centred scheme."""

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


def unfolded(nodes: list[Node]) -> list[Node]:
    """Return the nodes with every mirrored one as two."""
    both = []
    for node in nodes:
        both.append(node._replace(mirrored=False))
        if node.mirrored:
            beta, weight = complex(node.beta).conjugate(), complex(node.weight).conjugate()
            both.append(Node(beta, weight, False))
    return both


Scheme = Annotated[OneSided | Backward | Centred | Circle, Field(discriminator="kind")]


def label(scheme: OneSided | Backward | Centred | Circle) -> str:
    """Return the short name used in tables, figures and files, such as ``circle 4, beta 0.2``."""
    points = f" {scheme.points}" if isinstance(scheme, Circle) else ""
    return f"{scheme.kind}{points}, beta {scheme.beta:g}"
