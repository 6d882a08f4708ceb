"""Newton's method of `newton`, with a sparse Jacobian: for circuits whose full matrix would be large.

Steps, limited junctions and clamped nodes are the same. What differs is that the Jacobian is kept by columns, with
places for all entries that elements can have, and that a library factorises it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..compile import elementwise, kernel
from .factors import SparseFactors
from .newton import (
    DIVERGED,
    HALVINGS,
    SETTLED,
    STEP_LIMIT,
    CircuitEquations,
    NonlinearElements,
    find_channel,
    find_clamp,
    find_end_voltages,
    find_junction,
    find_left_over,
    is_limited,
)

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


class SparseConductances(NamedTuple):
    """``K`` by its entries, (entries,) each; those at one place add up."""

    rows: Whole
    columns: Whole
    values: Array
    """In siemens."""


class _Places(NamedTuple):
    """Where the entries of the Jacobian stand, column after column."""

    starts: Whole
    """First entry of every column, and the number of entries, (n + 1,)."""

    rows: Whole
    """Row of every entry."""

    diagonal: Whole
    linear: Whole
    """Place of every entry of ``K``."""

    diodes: Whole
    transistors: Whole
    """Places at rows a, a, b, b and columns a, b, a, b of every element, (elements, 4); -1: none."""


class _Work(NamedTuple):
    """Work space."""

    data: Array
    """Entries of the Jacobian."""

    current: Array
    step: Array
    trial: Array
    size: Array
    """Sum of currents at every node, by their magnitudes."""

    junction: Array
    """Voltages at which the diodes are linearised."""


def solve_sparse_rest_points(
    equations: CircuitEquations[SparseConductances],
    u: Array,
    tolerance: float,
    limit: int,
    damped: bool,
    status: Whole,
    steps: Whole,
) -> None:
    """Find the rest point of every sample from `u` (batch, n) on, in place, in at most `limit` steps."""
    n = u.shape[1]
    places, factors = _find_places(equations, n), SparseFactors()
    lengths = len(places.rows), n, n, n, n, len(equations.diodes.a)
    work = _Work(*(np.zeros(length) for length in lengths))
    matrix = sparse.csc_array((work.data, places.rows, places.starts), shape=(n, n))
    for r in range(len(u)):
        work.junction[:] = 0.0
        status[r], steps[r], done = STEP_LIMIT, limit, False
        for it in range(limit):
            limited, left = _linearise_at(equations, places, work, u[r], r, not damped)
            if not np.isfinite(left) or done:
                status[r], steps[r] = SETTLED if done and np.isfinite(left) else DIVERGED, it
                break
            done = not limited and left <= tolerance * work.size.max(initial=0.0)
            _clamp_nodes(equations, places, work, u[r], r)
            matrix.data = work.data
            if not factors.take(matrix):
                status[r], steps[r] = DIVERGED, it
                break
            work.step[:] = factors.solve(work.step)
            if damped and not done:
                _shorten_step(equations, places, work, u[r], r, left)
            u[r] += work.step


def _find_places(equations: CircuitEquations[SparseConductances], n: int) -> _Places:
    """Return where the entries of all elements stand."""
    pairs = [(np.arange(n), np.arange(n)), (equations.linear.rows, equations.linear.columns)]
    kinds = equations.diodes, equations.transistors
    pairs += [
        (row, column)
        for ends in kinds
        for row, column in ((ends.a, ends.a), (ends.a, ends.b), (ends.b, ends.a), (ends.b, ends.b))
    ]
    keys = [np.where((row >= 0) & (column >= 0), column * n + row, -1) for row, column in pairs]
    known = np.unique(np.concatenate(keys))
    known = known[known >= 0]
    found = [np.where(key >= 0, np.searchsorted(known, key), -1) for key in keys]
    starts = np.searchsorted(known, n * np.arange(n + 1))
    by_kind = (np.stack(found[first : first + 4], axis=1) for first in (2, 6))
    return _Places(starts, known % max(n, 1), found[0], found[1], *by_kind)


@kernel
def _linearise_at(
    equations: CircuitEquations[SparseConductances], places: _Places, work: _Work, u: Array, r: int, limiting: bool
) -> tuple[bool, float]:
    """Write net currents, Jacobian and sizes at `u`; return whether a junction lags, and the largest residual."""
    limited = _linearise(equations, places, work, u, r, limiting)
    work.size[:] = np.abs(equations.constant[r])
    for j in range(u.shape[0]):
        for p in range(places.starts[j], places.starts[j + 1]):
            work.size[places.rows[p]] += abs(work.data[p] * u[j])
    return limited, _find_residual(equations, places, work, u, r)


@kernel
def _clamp_nodes(
    equations: CircuitEquations[SparseConductances], places: _Places, work: _Work, u: Array, r: int
) -> None:
    """Write the right-hand side of a step, and 1 on the diagonal in the rows of clamped nodes."""
    for i in range(u.shape[0]):
        low, high = equations.low[r, i], equations.high[r, i]
        clamp = find_clamp(u[i], work.current[i], work.data[places.diagonal[i]], low, high)
        work.trial[i] = clamp
        work.step[i] = -work.current[i] if clamp == 0 else (high if clamp > 0 else low) - u[i]
    for j in range(u.shape[0]):
        for p in range(places.starts[j], places.starts[j + 1]):
            if work.trial[places.rows[p]] != 0.0:
                work.data[p] = 1.0 if places.rows[p] == j else 0.0


@kernel
def _shorten_step(
    equations: CircuitEquations[SparseConductances], places: _Places, work: _Work, u: Array, r: int, before: float
) -> None:
    """Halve the step until the largest residual falls."""
    for _ in range(HALVINGS):
        work.trial[:] = u + work.step
        _linearise(equations, places, work, work.trial, r, False)
        if _find_residual(equations, places, work, work.trial, r) < before:
            return
        work.step[:] *= 0.5


@elementwise
def _linearise(
    equations: CircuitEquations[SparseConductances], places: _Places, work: _Work, u: Array, r: int, limiting: bool
) -> bool:
    linear, limited = equations.linear, False
    work.data[:] = 0.0
    work.current[:] = equations.constant[r]
    for t in range(linear.values.shape[0]):
        work.data[places.linear[t]] += linear.values[t]
        work.current[linear.rows[t]] += linear.values[t] * u[linear.columns[t]]
    for i in range(u.shape[0]):
        nudge = equations.beta[r] * equations.nudged[i]
        work.data[places.diagonal[i]] += nudge
        work.current[i] += nudge * u[i]
    for e in range(equations.diodes.a.shape[0]):
        va, vb = find_end_voltages(equations.diodes, equations.diode_a[r], equations.diode_b[r], e, u)
        w, current, g = find_junction(equations.diodes, e, va - vb, work.junction[e], limiting)
        limited = limited or is_limited(w, va - vb)
        work.junction[e] = w
        _add_element(work, equations.diodes, places.diodes, e, current, g, g)
    for e in range(equations.transistors.a.shape[0]):
        va, vb = find_end_voltages(equations.transistors, equations.transistor_a[r], equations.transistor_b[r], e, u)
        current, by_a, by_b = find_channel(equations.transistors, e, va, vb)
        _add_element(work, equations.transistors, places.transistors, e, current, by_a, by_b)
    return limited


@elementwise
def _add_element(
    work: _Work, ends: NonlinearElements, places: Whole, e: int, current: float, by_a: float, by_b: float
) -> None:
    """Add an element's current, and its derivatives by the voltage of `a` and minus that of `b`."""
    a, b = ends.a[e], ends.b[e]
    if a >= 0:
        work.current[a] += ends.backward_a[e] * current
        work.data[places[e, 0]] += ends.backward_a[e] * by_a * ends.forward_a[e]
    if b >= 0:
        work.current[b] -= ends.backward_b[e] * current
        work.data[places[e, 3]] += ends.backward_b[e] * by_b * ends.forward_b[e]
    if a >= 0 and b >= 0:
        work.data[places[e, 1]] -= ends.backward_a[e] * by_b * ends.forward_b[e]
        work.data[places[e, 2]] -= ends.backward_b[e] * by_a * ends.forward_a[e]


@elementwise
def _find_residual(
    equations: CircuitEquations[SparseConductances], places: _Places, work: _Work, u: Array, r: int
) -> float:
    """Return the largest current that no clamp explains, in ampere; NaN if one is no number."""
    most = 0.0
    for i in range(u.shape[0]):
        slope = work.data[places.diagonal[i]]
        left = find_left_over(u[i], work.current[i], slope, equations.low[r, i], equations.high[r, i])
        if not left <= most:
            most = left
        if np.isnan(most):
            return most
    return most
