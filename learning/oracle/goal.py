"""Oracle side: the goal whose exact gradient the finite nudges of a scheme measure on a symmetric chip.

At rest ``F(beta) = E + beta C`` has ``dF/dbeta = C(s_beta)`` and ``dF/dtheta = dE/dtheta``. So a scheme of nudges
`beta_k` and weights `c_k` does not measure the gradient of the cost but, exactly, that of the goal
``L_s = sum_k c_k int_0^beta_k C(s_u) du``. Its error vector is

    ``G_s = sum_k c_k int_0^beta_k M(s_u)^T e(s_u) du``,

the adjoint at the nudged rest points, on every chip: symmetric or not, with either law. Of the finite nudge
``G_s - M^T e`` is a change of goal, which is no error of the chip, and the rest is what asymmetric couplings make of
it. A held nudge has the constant force `e0`: ``L_s = sum_k c_k int e0 a(s_u) du``, `e0` not being differentiated. The
integrals go along one branch from the free state, by Gauss's rule; a complex nudge goes along its ray, and the real
part counts (Cauchy's integral).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.protocol import State

from ..cost import compute_cost_force
from ..schemes.scheme import Node
from .nudge_path import NudgeForce, NudgePath

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

POINTS = 7
"""Nodes of the Gauss-Legendre rule on a ray from the free state; its error is below 1e-6 at usual nudges."""

_FEWEST = 3
"""Nodes on each piece of a ray that has several nudges."""

_ELSEWHERE = 1e-6
"""Activities further apart than this belong to different branches."""


class GoalPoint(NamedTuple):
    """One point of the integrals; arrays (batch, units), complex on the ray of a complex nudge."""

    delta: State
    """Adjoint error vector there, times its weight in the sum; 0 for samples that jumped."""

    activity: State


class ChangedGoal(NamedTuple):
    """The gradient of the changed goal of a scheme, as a sum over points."""

    points: list[GoalPoint]
    jumped: Mask
    """Samples that a nudge throws onto another branch, or whose branch ends: they have no such goal, (batch,)."""

    @property
    def delta(self) -> Array:
        """Error vectors of the goal, (batch, units); 0 for samples that jumped."""
        return np.asarray(sum(point.delta.real for point in self.points))


def integrate_goal(
    chip: Chip,
    state: Array,
    target: Array,
    nodes: Sequence[Node],
    settled: Sequence[Array] | None = None,
    signs: Array | None = None,
    points: int = POINTS,
) -> ChangedGoal:
    """Return the gradient of the goal that the nudges of a scheme make.

    Parameters
    ----------
    chip : Chip
        With its input clamped and an ideal nudge circuit; it is not settled.
    state : array (batch, units)
        Its free rest points.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    nodes : sequence of Node
        Nudges and weights of the scheme.
    settled : sequence of arrays (batch, units), optional
        Activities to which the chip settles under every node. Samples that are elsewhere have jumped.
    signs : array (batch,), optional
        Sign of the nudges of every sample; its weights have it, too.
    points : int
        Nodes of Gauss's rule on a ray.
    """
    activity, columns = np.asarray(chip.activity_of(state)), chip.topology.columns[chip.topology.output]
    held = None
    if chip.design.phases.nudge == "held":
        held = compute_cost_force(chip.readout, activity[:, columns], target)
    force, found = NudgeForce(chip.readout, target, columns, held), list[GoalPoint]()
    jumped = np.zeros(len(state), dtype=bool)
    sign = np.ones((len(state), 1)) if signs is None else signs[:, None]
    for ray in _group_rays(nodes):
        path = NudgePath(chip, state, force)
        betas = [0.0, *(nodes[k].beta for k in ray)]
        whole = abs(betas[-1])
        for place, (before, after) in enumerate(zip(betas[:-1], betas[1:], strict=True)):
            weight = sum((1 + nodes[k].mirrored) * nodes[k].weight for k in ray[place:])
            count = max(_FEWEST, round(points * abs(after - before) / whole))
            for at, share in zip(*np.polynomial.legendre.leggauss(count), strict=True):
                nudge = before + 0.5 * (1.0 + at) * (after - before)
                path.advance(_make_real(nudge) * sign)
                here = path.measure()
                part = _make_real(0.5 * share * weight * (after - before)) * here.adjoint
                found.append(GoalPoint(part, here.activity))
            path.advance(_make_real(after) * sign)
            if settled is not None:
                apart = np.abs(path.activity - settled[ray[place]]).max(axis=1)
                jumped |= ~(apart <= _ELSEWHERE)
        jumped |= path.lost
    for point in found:
        jumped |= ~np.isfinite(point.delta).all(axis=1)
    there = ~jumped[:, None]
    return ChangedGoal([p._replace(delta=np.where(there, p.delta, 0.0)) for p in found], jumped)


def _group_rays(nodes: Sequence[Node]) -> list[list[int]]:
    """Return the places of the nudges on every ray from 0, the smallest nudge of a ray first."""
    rays: dict[complex, list[int]] = {}
    for k in sorted(range(len(nodes)), key=lambda k: abs(nodes[k].beta)):
        beta = complex(nodes[k].beta)
        if beta != 0.0:
            direction = beta / abs(beta)
            rays.setdefault(complex(round(direction.real, 12), round(direction.imag, 12)), []).append(k)
    return list(rays.values())


def _make_real(number: complex) -> complex | float:
    """Return a number as a real one where it is."""
    return number.real if complex(number).imag == 0.0 else number
