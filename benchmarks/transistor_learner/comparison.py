"""How far the machine's twin is from what was measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from substrate.circuits.self_learning.cycles import CLOSED, LearningCycle, find_cycles, follow_learning

from .machine import LINES, TASKS, Machine, find_lines, make_learner
from .measured import Array, Measured

BEGIN = np.array([3.0, 3.5])
"""Gates from which cycles are looked for, in volts."""

DRIFT_ROWS = slice(2, 42)
"""Of a drift test: those before are the reset, in those behind the gates stand at their rails."""

MIDDLE = 3.0
"""Minus gate at which solution lines are compared, in volts."""


class Comparison(NamedTuple):
    """Simulated against measured."""

    span: Array
    error: Array
    """Logarithms of the ratios, (periods,)."""

    cycles: list[Array]
    """Simulated gates less measured ones, (points, 2), in volts, at the same times."""

    away: list[Array]
    """Distance of every measured point from the simulated cycle, (points,), in volts."""

    drifts: list[Array]
    """As `cycles`, under one task."""

    lines: Array
    """Of every solution line: logarithm of the ratio of slopes, and difference at `MIDDLE` in volts."""

    missing: int
    """Rest points and cycles that were not found."""


def simulate_cycles(
    machine: Machine, experiment: int, periods: Array, records: int = 1, longest: float = 4e-3
) -> LearningCycle:
    """Return cycles as they would be read: with what noise of reads adds to spans."""
    learner = make_learner(machine, experiment)
    found = find_cycles(learner, BEGIN, periods + 2.0 * machine.delay, records, rounds=1, longest=longest)
    return found._replace(span=found.span + 4.0 * machine.read_noise**2)


def compare_machine(machine: Machine, experiment: int, measured: Measured, longest: float = 4e-3) -> Comparison:
    """Simulate everything that was measured in an experiment; `longest` is the longest step in seconds."""
    found = simulate_cycles(machine, experiment, measured.periods, longest=longest)
    missing = found.unsettled.sum() + np.sum(~(found.gap <= CLOSED))
    cycles, away = [], []
    for cycle in measured.cycles:
        records = (len(cycle.gates) - 1) // 2
        path = simulate_cycles(machine, experiment, np.array([cycle.period]), records, longest).values[0]
        if cycle.first != next(iter(TASKS[experiment])):
            path = np.concatenate([path[records:], path[1 : records + 1]])
        path = np.concatenate([path[-2:-1], path[:-1]])  # tasks change at the second point
        cycles.append(path - cycle.gates)
        away.append(_measure_distance(cycle.gates, path))
    own, theirs = (np.array(list(lines.values())) for lines in (find_lines(machine, experiment), LINES[experiment]))
    apart = (own - theirs) @ np.array([MIDDLE, 1.0])
    return Comparison(
        np.log(found.span / measured.span),
        np.log(found.error / measured.error),
        cycles,
        away,
        [_compare_drift(machine, experiment, task, seen, longest) for task, seen in measured.drifts.items()],
        np.stack([np.log(own[:, 0] / theirs[:, 0]), apart], axis=1),
        int(missing),
    )


def _measure_distance(points: Array, path: Array) -> Array:
    """Return the distance of every point from a path of straight pieces."""
    begin, piece = path[:-1], np.diff(path, axis=0)
    length = np.maximum((piece**2).sum(axis=1), 1e-30)
    share = np.clip(((points[:, None] - begin) * piece).sum(axis=2) / length, 0.0, 1.0)
    return np.asarray(np.linalg.norm(points[:, None] - begin - share[..., None] * piece, axis=2).min(axis=1))


def _compare_drift(machine: Machine, experiment: int, task: str, seen: Array, longest: float) -> Array:
    learner, rows = make_learner(machine, experiment), seen[DRIFT_ROWS]
    alone = learner._replace(tasks=[learner.tasks[list(TASKS[experiment]).index(task)]])
    path = follow_learning(alone, rows[:1, 1:], rows[-1:, 0] - rows[0, 0], 1, len(rows) - 1, longest)
    return np.asarray(path.values[0] - rows[:, 1:])
