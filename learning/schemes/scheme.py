"""Nudge schemes: where to nudge, and how to weigh what is read there.

A scheme is a set of nodes ``beta_k`` and weights ``c_k``; its estimate of the error vector
``dL/d drive`` is ``delta = -sum_k c_k a*(beta_k)``. Positive `beta` pulls towards lower cost. All
figures of a scheme (order, noise gain, cost) follow from its nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from .nodes import Backward, Beta, Centred, Chebyshev, Circle, Node, OneSided, RandomSign
from .wave import LockIn, Rotation

__all__ = [
    "Backward",
    "Beta",
    "Centred",
    "Chebyshev",
    "Circle",
    "Demand",
    "LockIn",
    "Node",
    "NodeScheme",
    "OneSided",
    "RandomSign",
    "Rotation",
    "Scheme",
    "Slow",
    "WaveScheme",
    "demand",
    "label",
    "needs_complex",
    "noise_gain",
    "truncation_order",
    "unfolded",
]

NodeScheme = OneSided | Backward | RandomSign | Centred | Circle | Chebyshev
"""Schemes of constant nudges, each settled."""

WaveScheme = LockIn | Rotation
"""Schemes of one nudge that swings."""

Scheme = Annotated[NodeScheme | WaveScheme, Field(discriminator="kind")]


class Slow(NamedTuple):
    """A swinging nudge in the limit of an endless period: it is stopped and settled at every point."""

    scheme: WaveScheme
    points: int = 32
    """Points of the cycle; enough for every number of harmonics."""

    def nodes(self) -> list[Node]:
        """Return the nodes: one per point, or the upper half of a circle."""
        if isinstance(self.scheme, Rotation):
            return Circle(beta=self.scheme.beta, points=self.points).nodes()
        return self.scheme.nodes(self.points)


class Demand(NamedTuple):
    """What one estimate of one sample asks of the chip, its free settling and its free read included."""

    settlings: int
    reads: int
    """Real reads of all units; a complex state costs two."""


def unfolded(nodes: list[Node]) -> list[Node]:
    """Return the nodes with every mirrored one as two."""
    both = []
    for node in nodes:
        both.append(node._replace(mirrored=False))
        if node.mirrored:
            beta, weight = complex(node.beta).conjugate(), complex(node.weight).conjugate()
            both.append(Node(beta, weight, False))
    return both


def noise_gain(nodes: Sequence[Node]) -> float:
    """Return ``G = beta^2 sum_k |c_k|^2``: read noise `sigma` gives the estimate a variance ``G sigma^2 / beta^2``.

    `beta` is the largest ``|beta_k|``. A mirrored node repeats the noise of the one that was read.
    """
    size = max(abs(node.beta) for node in nodes)
    return size**2 * sum(abs((1 + node.mirrored) * node.weight) ** 2 for node in nodes)


def truncation_order(nodes: Sequence[Node]) -> int:
    """Return the order p of the truncation error ``O(beta^p)``: the power p + 1 is the first above 1 that is seen.

    Of a drawn sign, the order of one sample.
    """
    size = max(abs(node.beta) for node in nodes)
    power = 2
    while abs(_moment(nodes, power)) < 1e-9 * size ** (power - 1):
        power += 1
    return power - 1


def demand(scheme: NodeScheme | WaveScheme, mirror: bool = True, points: int = 0) -> Demand:
    """Return what one estimate asks of the chip.

    Parameters
    ----------
    scheme : Scheme
    mirror : bool
        Whether a settling may stand for its conjugate.
    points : int
        Points of a cycle, which the chip chooses; for swinging nudges only.
    """
    if isinstance(scheme, LockIn | Rotation):
        return Demand(2, 1 + points * (2 if isinstance(scheme, Rotation) else 1))
    nodes = scheme.nodes() if mirror else unfolded(scheme.nodes())
    nudged = [node for node in nodes if node.beta != 0.0]
    return Demand(1 + len(nudged), 1 + sum(2 if complex(node.beta).imag != 0.0 else 1 for node in nudged))


def needs_complex(scheme: NodeScheme | WaveScheme) -> bool:
    """Tell whether the scheme nudges into the complex plane."""
    if isinstance(scheme, LockIn | Rotation):
        return isinstance(scheme, Rotation)
    return any(complex(node.beta).imag != 0.0 for node in scheme.nodes())


def label(scheme: NodeScheme | WaveScheme) -> str:
    """Return the short name used in tables, figures and files, such as ``circle 4, beta 0.2``."""
    match scheme:
        case Circle() | Chebyshev():
            name = f"{scheme.kind} {scheme.points}"
        case LockIn():
            name = f"{scheme.kind} {scheme.harmonics}, period {scheme.period:g}"
        case Rotation():
            name = f"{scheme.kind}, period {scheme.period:g}"
        case _:
            name = scheme.kind
    return f"{name}, beta {scheme.beta:g}"


def _moment(nodes: Sequence[Node], power: int) -> float:
    """Return the real part of ``sum_k c_k beta_k^power``, which is what an estimate keeps."""
    return sum((1 + node.mirrored) * (node.weight * complex(node.beta) ** power).real for node in nodes)
