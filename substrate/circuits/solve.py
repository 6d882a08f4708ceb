"""Kirchhoff's law as the kernels of Newton's method take it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..engine.door import (
    CircuitEquations,
    NonlinearElements,
    SparseConductances,
    solve_rest_points,
    solve_sparse_rest_points,
)
from .circuit import Array
from .nodes import find_ends
from .system import RestProblem

ITERATIONS = 100
"""Newton steps before a sample is given up."""

Matrix = TypeVar("Matrix")
Ending = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Status and steps, (batch,) each."""


def solve_circuit(problem: RestProblem, unknowns: Array, tolerance: float, damped: bool = False) -> Ending:
    """Solve Kirchhoff's law from `unknowns` (batch, unknowns) on, in place; return status and steps of every sample."""
    status, steps = (np.zeros(len(unknowns), dtype=np.int64) for _ in range(2))
    system = problem.system
    if system.samples:  # each of them has equations of its own
        for r, own in enumerate(system.samples):
            one = problem.select(np.array([r]))._replace(system=system._replace(linear=own.linear, samples=()))
            place = slice(r, r + 1)
            status[place], steps[place] = solve_circuit(one, unknowns[place], tolerance, damped)
        return status, steps
    options = tolerance, ITERATIONS, damped, status, steps
    if system.is_large:
        entries = system.linear.tocoo()
        linear = SparseConductances(entries.row.astype(np.int64), entries.col.astype(np.int64), entries.data)
        solve_sparse_rest_points(_make_equations(problem, linear), unknowns, *options)
    else:
        solve_rest_points(make_equations(problem), unknowns, *options)
    return status, steps


def make_equations(problem: RestProblem) -> CircuitEquations[Array]:
    """Return Kirchhoff's law of some samples, with full matrices."""
    return _make_equations(problem, np.ascontiguousarray(problem.system.linear.toarray()))


def _make_equations(problem: RestProblem, linear: Matrix) -> CircuitEquations[Matrix]:
    system, circuit, known = problem.system, problem.system.circuit, problem.known
    diodes, mos = circuit.diodes, circuit.transistors
    nudged = np.zeros(system.nodes.unknowns)
    nudged[system.outputs] = 1.0
    return CircuitEquations(
        linear,
        nudged,
        problem.beta,
        problem.constant,
        problem.low,
        problem.high,
        NonlinearElements(*find_ends(system.nodes, diodes.a, diodes.b), diodes.saturation, diodes.slope),
        np.ascontiguousarray(known[:, diodes.a]),
        np.ascontiguousarray(known[:, diodes.b]),
        NonlinearElements(*find_ends(system.nodes, mos.a, mos.b), mos.transconductance, mos.gate - mos.threshold),
        np.ascontiguousarray(known[:, mos.a]),
        np.ascontiguousarray(known[:, mos.b]),
    )
