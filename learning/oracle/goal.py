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

import math
from collections.abc import Sequence
from itertools import pairwise
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

_ROUNDING = 1e-11
"""Changes of the activities below this are round-off."""

_EXACT, _LOST, _HALVINGS = 1e-4, 0.05, 5
"""Where the integral of ``da/du`` misses the change of the activities by more than the first share, a piece is halved,
so many times at most; a sample that misses it by more than the second one then has left its branch."""


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


class _Piece(NamedTuple):
    """A part of a ray from the free state, up to the next nudge of a scheme."""

    before: complex
    after: complex
    weight: complex
    """Sum of the weights of the nudges at its end and beyond, mirrored ones twice."""

    points: int
    """Nodes of Gauss's rule on it."""

    node: int
    """Place of the nudge at its end."""


def integrate_goal(
    chip: Chip,
    state: Array,
    target: Array,
    nodes: Sequence[Node],
    settled: Sequence[Array] | None = None,
    signs: Array | None = None,
    points: int = POINTS,
    forces: Array | None = None,
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
    forces : array (batch, units), optional
        Constant forces on all units, in place of the pull of the outputs.
    """
    columns = chip.topology.columns[chip.topology.output] if forces is None else slice(0, chip.topology.units)
    held = forces
    if forces is None and chip.design.phases.nudge == "held":
        held = compute_cost_force(chip.readout, np.asarray(chip.activity_of(state))[:, columns], target)
    force, found = NudgeForce(chip.readout, target, columns, held), list[GoalPoint]()
    jumped = np.zeros(len(state), dtype=bool)
    sign = np.ones((len(state), 1)) if signs is None else signs[:, None]
    for ray in _list_rays(nodes, points):
        path = NudgePath(chip, chip.constant_drive, state, force, sign)
        for piece in ray:
            part = _integrate_piece(path, _make_real(piece.before), _make_real(piece.after), piece.points)
            found += [p._replace(delta=_make_real(piece.weight) * p.delta) for p in part]
            if settled is not None:
                apart = np.abs(path.activity - settled[piece.node]).max(axis=1)
                jumped |= ~(apart <= _ELSEWHERE)
        jumped |= path.lost
    for point in found:
        jumped |= ~np.isfinite(point.delta).all(axis=1)
    there = ~jumped[:, None]
    return ChangedGoal([p._replace(delta=np.where(there, p.delta, 0.0)) for p in found], jumped)


def _integrate_piece(
    path: NudgePath, before: complex, after: complex, points: int, halvings: int = _HALVINGS
) -> list[GoalPoint]:
    """Return the points of ``int M^T e du`` from one nudge to another, to which the path is led.

    The integral of ``da/du`` along the same points has to be the change of the activities. The samples of which it is
    not get more points.
    """
    start, length, found = path.select(np.arange(len(path.state))), after - before, list[GoalPoint]()
    change: State = -start.activity
    for at, share in zip(*np.polynomial.legendre.leggauss(points), strict=True):
        path.advance(before + 0.5 * (1.0 + at) * length)
        here = path.measure()
        found.append(GoalPoint(0.5 * share * length * here.adjoint, here.activity))
        change = change - 0.5 * share * length * here.slope
    path.advance(after)
    change = change + path.activity
    size = np.abs(path.activity - start.activity).max(axis=1)
    missed = np.abs(change).max(axis=1)
    rows = np.flatnonzero(~(missed <= _EXACT * size + _ROUNDING))
    if not halvings:
        path.lost |= ~(missed <= _LOST * size + _ROUNDING)
    elif len(rows):
        part, middle = start.select(rows), before + 0.5 * length
        finer = _integrate_piece(part, before, middle, points, halvings - 1)
        finer += _integrate_piece(part, middle, after, points, halvings - 1)
        path.state[rows], path.lost[rows] = part.state, part.lost
        for point in found:
            point.delta[rows] = 0.0
        found += [_spread_rows(point, rows, len(start.state)) for point in finer]
    return found


def _spread_rows(point: GoalPoint, rows: NDArray[np.int64], batch: int) -> GoalPoint:
    """Return a point of some samples as one of the whole batch, whose other samples add nothing."""
    whole = [np.zeros((batch, part.shape[1]), dtype=part.dtype) for part in point]
    for into, part in zip(whole, point, strict=True):
        into[rows] = part
    return GoalPoint(*whole)


def count_goal_points(nodes: Sequence[Node], points: int = POINTS) -> tuple[int, int]:
    """Return at how many real and complex nudges the goal of a scheme is evaluated."""
    pieces = [piece for ray in _list_rays(nodes, points) for piece in ray]
    real = sum(piece.points for piece in pieces if piece.after.imag == 0.0)
    return real, sum(piece.points for piece in pieces) - real


def _list_rays(nodes: Sequence[Node], points: int) -> list[list[_Piece]]:
    """Return the rays from the free state through all nudges, each in pieces."""
    rays: dict[complex, list[int]] = {}
    for k in sorted(range(len(nodes)), key=lambda k: abs(nodes[k].beta)):
        beta = complex(nodes[k].beta)
        if beta != 0.0:
            direction = beta / abs(beta)
            rays.setdefault(complex(round(direction.real, 12), round(direction.imag, 12)), []).append(k)
    found = []
    for ray in rays.values():
        ends = [0j, *(complex(nodes[k].beta) for k in ray)]
        shares = [abs(b - a) / abs(ends[-1]) for a, b in pairwise(ends)]
        counts = [max(_FEWEST, math.ceil(points * share - 1e-9)) for share in shares]
        weights = [sum((1 + nodes[k].mirrored) * complex(nodes[k].weight) for k in ray[p:]) for p in range(len(ray))]
        pieces = [_Piece(*one) for one in zip(ends[:-1], ends[1:], weights, counts, ray, strict=True)]
        # A cycle passes most nudges twice.
        found.append([piece for piece, share in zip(pieces, shares, strict=True) if share > 1e-9])
    return found


def _make_real(number: complex) -> complex | float:
    """Return a number as a real one where it is."""
    return number.real if complex(number).imag == 0.0 else number
