"""Kirchhoff's law as the kernels of Newton's method take it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.door import CircuitEquations, NonlinearElements, solve_rest_points
from .circuit import Array
from .nodes import find_ends
from .system import RestProblem

ITERATIONS = 100
"""Newton steps before a sample is given up."""

Ending = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Status and steps, (batch,) each."""


def solve_circuit(problem: RestProblem, unknowns: Array, tolerance: float, damped: bool = False) -> Ending:
    """Solve Kirchhoff's law from `unknowns` (batch, unknowns) on, in place; return status and steps of every sample."""
    status, steps = (np.zeros(len(unknowns), dtype=np.int64) for _ in range(2))
    if problem.system.linear.ndim == 2:
        solve_rest_points(make_equations(problem), unknowns, tolerance, ITERATIONS, damped, status, steps)
        return status, steps
    for r in range(len(unknowns)):  # every sample has equations of its own
        one, place = make_equations(problem.select(np.array([r]))), slice(r, r + 1)
        solve_rest_points(one, unknowns[place], tolerance, ITERATIONS, damped, status[place], steps[place])
    return status, steps


def make_equations(problem: RestProblem) -> CircuitEquations:
    """Return Kirchhoff's law of some samples."""
    system, circuit, known = problem.system, problem.system.circuit, problem.known
    diodes, mos, count = circuit.diodes, circuit.transistors, system.nodes.unknowns
    nudged = np.zeros((count, count))
    nudged[system.outputs, system.outputs] = 1.0
    return CircuitEquations(
        system.linear if system.linear.ndim == 2 else system.linear[0],  # of the one sample that there is
        nudged,
        problem.beta,
        problem.constant,
        problem.low,
        problem.high,
        NonlinearElements(*find_ends(system.nodes, diodes.a, diodes.b), diodes.saturation, diodes.slope),
        known[:, diodes.a],
        known[:, diodes.b],
        NonlinearElements(*find_ends(system.nodes, mos.a, mos.b), mos.transconductance, mos.gate - mos.threshold),
        known[:, mos.a],
        known[:, mos.b],
    )
