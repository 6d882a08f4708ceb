"""What a circuit learns while tasks alternate: rounds as they come, and the cycle in which they end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...engine.door import LearningNetworks, answer_samples, learn_in_time
from ..circuit import Array
from .learner import Learner, make_networks


class LearningPath(NamedTuple):
    """One round through all tasks."""

    values: Array
    """Parameters (learners, tasks * records + 1, edges)."""

    unsettled: NDArray[np.int64]
    """Rest points that were not found, (learners,)."""


class LearningCycle(NamedTuple):
    """Cycles that close, one a period."""

    values: Array
    """Parameters around the cycle, (periods, tasks * records + 1, edges)."""

    span: Array
    """``|p(period / tasks) - p(0)|^2`` in square volts of the capacitors, (periods,): with two tasks, between both
    turning points."""

    error: Array
    """Mean square error of the free outputs over all samples at all turning points, (periods,), in square volts."""

    limited: NDArray[np.int64]
    """Parameters that stand at an end of their range at a point of the cycle, (periods,)."""

    gap: Array
    """Largest step to the cycle that was left, as a share of the range, (periods,); NaN: not all of it is settled."""

    unsettled: NDArray[np.int64]
    """Rest points that were not found on the way, (periods,)."""


LEAST_STEPS = 8
"""Runge-Kutta steps of a task, at least."""

LONGEST_STEP = 4e-3
"""Seconds of a Runge-Kutta step, at most, unless a caller says otherwise."""

CLOSED = 1e-8
"""Gap at which a cycle is taken for closed."""

_TRIALS = 40
"""Newton steps towards a cycle, at most."""

_NUDGE = 1e-6
"""Change of a parameter for differences, as a share of its range."""

_LONGEST_MOVE = 0.2
"""Longest step towards a cycle, as a share of the range."""


def follow_learning(
    learner: Learner, values: Array, turn: Array, rounds: int = 1, records: int = 1, longest: float = LONGEST_STEP
) -> LearningPath:
    """Return the last of some rounds through all tasks.

    Parameters
    ----------
    learner : Learner
        Circuit, rule and tasks.
    values : array (learners, edges)
        Parameters to begin with.
    turn : array (learners,)
        Seconds for which each task is on.
    rounds : int
        Times that all tasks are gone through.
    records : int
        Points of the path a task.
    longest : float
        Longest Runge-Kutta step in seconds.
    """
    return _follow(make_networks(learner), values, turn, rounds, records, longest)


def find_cycles(
    learner: Learner,
    values: Array,
    periods: Array,
    records: int = 1,
    rounds: int = 3,
    longest: float = LONGEST_STEP,
) -> LearningCycle:
    """Return the cycle in which learning ends, for every full period.

    After some rounds as they come, Newton's method looks for parameters to which a round returns: where tasks change
    fast, thousands of rounds would lead there. A cycle was found if its `gap` is at most `CLOSED`.

    Parameters
    ----------
    learner : Learner
        Circuit, rule and tasks.
    values : array (edges,) or (periods, edges)
        Parameters to begin with.
    periods : array (periods,)
        Seconds for a round through all tasks.
    records : int
        Points of the cycle a task.
    rounds : int
        Rounds before Newton's method.
    longest : float
        Longest Runge-Kutta step in seconds.
    """
    networks, turn, rule = make_networks(learner), periods / len(learner.tasks), learner.rule
    now = np.broadcast_to(values, (len(periods), len(rule.rate))).copy()
    gap, unsettled = np.full(len(periods), np.inf), np.zeros(len(periods), dtype=np.int64)
    if rounds:
        path = _follow(networks, now, turn, rounds, 1, longest)
        now, unsettled = path.values[:, -1], unsettled + path.unsettled
    for _ in range(_TRIALS):
        left = np.flatnonzero(gap > CLOSED)
        if not len(left):
            break
        move, missed = _find_move(networks, now[left], turn[left], longest)
        gap[left] = np.abs(move).max(axis=1)
        unsettled[left] += missed
        move *= np.minimum(1.0, _LONGEST_MOVE / np.maximum(gap[left], 1e-300))[:, None]
        now[left] = np.clip(now[left] + move * (rule.high - rule.low), rule.low, rule.high)
    path = _follow(networks, now, turn, 1, records, longest)
    corners = path.values[:, :-1:records]
    error = compute_errors(learner, corners.reshape(-1, corners.shape[2])).reshape(len(periods), -1).mean(axis=1)
    span = (((path.values[:, records] - path.values[:, 0]) / rule.scale) ** 2).sum(axis=1)
    limited = ((path.values <= rule.low) | (path.values >= rule.high)).any(axis=1).sum(axis=1)
    gap[path.unsettled > 0] = np.nan
    return LearningCycle(path.values, span, error, limited, gap, unsettled + path.unsettled)


def compute_errors(learner: Learner, values: Array) -> Array:
    """Return the mean square error of every sample, (learners, samples); NaN where none is at rest."""
    target = np.concatenate([task.target for task in learner.tasks])
    answers = np.empty((len(values), *target.shape))
    unsettled = np.zeros(len(values), dtype=np.int64)
    answer_samples(make_networks(learner), np.ascontiguousarray(values), answers, unsettled)
    return np.where(unsettled[:, None] > 0, np.nan, ((answers - target) ** 2).mean(axis=2))


def _follow(
    networks: LearningNetworks, values: Array, turn: Array, rounds: int, records: int, longest: float
) -> LearningPath:
    tasks, (learners, edges) = len(networks.first) - 1, values.shape
    path = np.empty((learners, tasks * records + 1, edges))
    steps = np.ceil(np.maximum(turn / longest, LEAST_STEPS) / records).astype(np.int64)
    unsettled = np.zeros(learners, dtype=np.int64)
    learn_in_time(networks, np.array(values, dtype=float), turn, np.full(learners, rounds), steps, path, unsettled)
    return LearningPath(path, unsettled)


def _find_move(
    networks: LearningNetworks, values: Array, turn: Array, longest: float
) -> tuple[Array, NDArray[np.int64]]:
    """Return the Newton step towards parameters to which a round returns, as a share of the range; NaN: no rest."""
    (learners, edges), span = values.shape, networks.edges.high - networks.edges.low
    span = np.where(span > 0.0, span, 1.0)  # of a resistor that its own spread has cut off
    sign = np.where(values + _NUDGE * span > networks.edges.high, -_NUDGE, _NUDGE)
    tried = np.repeat(values[:, None, :], edges + 1, axis=1)
    tried[:, 1 + np.arange(edges), np.arange(edges)] += sign * span
    path = _follow(networks, tried.reshape(-1, edges), np.repeat(turn, edges + 1), 1, 1, longest)
    moved = (path.values[:, -1].reshape(tried.shape) - tried) / span
    slopes = (moved[:, 1:] - moved[:, :1]).transpose(0, 2, 1) / sign[:, None, :]
    known = np.isfinite(moved).all(axis=(1, 2))
    move = np.full((learners, edges), np.nan)
    move[known] = -(np.linalg.pinv(slopes[known], rcond=1e-8) @ moved[known, 0, :, None])[..., 0]
    return move, path.unsettled.reshape(learners, -1).sum(axis=1)
