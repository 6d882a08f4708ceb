"""Where a circuit comes to rest: Newton's method, and what is tried where that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..protocol import Status, has_settled
from .circuit import Array
from .solve import Ending, solve_circuit
from .system import CircuitDrive, CircuitSystem, RestProblem, compute_constant, compute_net_currents, find_bounds

TOLERANCE = 1e-12
"""Largest net current of a free node over the largest sum of the magnitudes of currents at one node."""


class CircuitRest(NamedTuple):
    """Rest points of a batch."""

    unknowns: Array
    """Voltages of the free nodes, (batch, unknowns)."""

    voltages: Array
    """Voltages of all nodes, (batch, nodes)."""

    status: NDArray[np.int64]
    """Values of `Status`, (batch,)."""

    steps: NDArray[np.int64]
    """Newton steps, (batch,)."""

    residual: Array
    """Largest net current of a free node over the largest sum of magnitudes of currents at one node, (batch,)."""

    clamped: NDArray[np.bool_]
    """Whether an ideal diode or a clamp holds the free node, (batch, unknowns)."""

    method: NDArray[np.int64]
    """What found it: index in `METHODS`, (batch,)."""


def _step_damped(problem: RestProblem, u: Array, tolerance: float) -> Ending:
    return solve_circuit(problem, u, tolerance, damped=True)


def _raise_sources(problem: RestProblem, u: Array, tolerance: float) -> Ending:
    """Raise all sources from 0 in ten equal parts."""
    return _follow([problem.scale(0.1 * (k + 1), 0.0) for k in range(10)], u, tolerance)


def _remove_leaks(problem: RestProblem, u: Array, tolerance: float) -> Ending:
    """Take conductances from every node to ground away, a factor of ten at a time."""
    most = float(np.abs(problem.system.linear.diagonal()).max(initial=0.0)) or 1e-3
    return _follow([problem.scale(1.0, most * 10.0**-k) for k in range(14)] + [problem], u, tolerance)


def _follow(path: list[RestProblem], u: Array, tolerance: float) -> Ending:
    """Solve a row of problems, each from the rest point of the one before."""
    u[:] = 0.0
    total = np.zeros(len(u), dtype=np.int64)
    for problem in path:
        u[~np.isfinite(u).all(axis=1)] = 0.0
        status, steps = solve_circuit(problem, u, tolerance)
        total += steps
    return status, total


METHODS: dict[str, Callable[[RestProblem, Array, float], Ending]] = {
    "newton": solve_circuit,
    "damped newton": _step_damped,
    "raised sources": _raise_sources,
    "leaks removed": _remove_leaks,
}
"""What finds rest points, in the order in which it is tried: each on the samples that those before left."""


def find_circuit_rest(
    system: CircuitSystem, drive: CircuitDrive, start: Array | None = None, tolerance: float = TOLERANCE
) -> CircuitRest:
    """Return where a circuit comes to rest.

    Parameters
    ----------
    system, drive : CircuitSystem, CircuitDrive
        The circuit, and what is applied to it.
    start : array (batch, unknowns), optional
        Voltages to begin from; absent: 0.
    tolerance : float
        Largest net current over the largest sum of magnitudes.
    """
    batch = len(drive.held)
    begin = np.zeros((batch, system.nodes.unknowns)) if start is None else start
    constant, known = compute_constant(system, drive), system.nodes.constant(drive.held)
    whole = RestProblem(system, drive.beta, constant, known, *find_bounds(system, drive))
    status, steps = np.full(batch, Status.STEP_LIMIT.value), np.zeros(batch, dtype=np.int64)
    method, unknowns = np.zeros(batch, dtype=np.int64), begin.copy()
    for k, solve in enumerate(METHODS.values()):
        left = np.flatnonzero(~has_settled(status))
        if not len(left):
            break
        u = np.clip(begin[left], whole.low[left], whole.high[left])
        status[left], used = solve(whole.select(left), u, tolerance)
        unknowns[left], method[left] = u, k
        steps[left] += used
    voltages = system.nodes.expand(unknowns, drive.held)
    with np.errstate(invalid="ignore", over="ignore"):  # a sample that diverged
        net, through = compute_net_currents(system, drive, voltages)
        clamped = (unknowns <= whole.low) | (unknowns >= whole.high)
        left_over = np.abs(np.where(clamped, 0.0, net)).max(axis=1, initial=0.0)
    residual = left_over / np.maximum(through, np.finfo(float).tiny)
    return CircuitRest(unknowns, voltages, status, steps, residual, clamped, method)
