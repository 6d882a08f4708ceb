"""Newton's method for one circuit at a time: Kirchhoff's law with limited junctions and clamped nodes.

The equations are ``F(u) = (K + b N) u + s + (currents of diodes and transistors) = 0`` with ``low <= u <= high``: at a
bound an ideal diode carries whatever current is left. Three things keep the steps safe:

- every exponential diode is linearised at a voltage `w` of its own, which follows the drop `d` at most as fast as
  ``w + nVt log(1 + (d - w)/nVt)`` above the critical voltage (`pnjlim` of SPICE2: Nagel, ERL-M520, 1975). Plain Newton
  steps overshoot by nVt each;
- bounds by the primal-dual active set (Hintermueller, Ito & Kunisch 2002): a node is clamped where the step
  ``u - F/J_kk`` leaves the bounds;
- in the damped mode a step is halved until the largest residual falls.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..compile import elementwise, kernel

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Matrix = TypeVar("Matrix")

SETTLED, STEP_LIMIT, DIVERGED = 0, 1, 5
"""As in `substrate.status.Status`."""

HALVINGS = 30


class NonlinearElements(NamedTuple):
    """Elements of one kind: ends as in `substrate.circuits.nodes.ElementEnds`, and two numbers of each."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    forward_a: Array
    forward_b: Array
    backward_a: Array
    backward_b: Array
    first: Array
    """Saturation current of a diode, transconductance of a transistor."""

    second: Array
    """``n Vt`` of a diode; gate minus threshold voltage of a transistor."""


class CircuitEquations(NamedTuple, Generic[Matrix]):
    """One circuit with a batch of inputs."""

    linear: Matrix
    """``K`` (n, n) in siemens."""

    nudged: Array
    """Diagonal of ``N``, (n,): 1 where an output feels the nudge."""

    beta: Array
    """``b`` (batch,) in siemens."""

    constant: Array
    """``s`` (batch, n) in ampere."""

    low: Array
    high: Array
    """Bounds (batch, n) in volts."""

    diodes: NonlinearElements
    diode_a: Array
    diode_b: Array
    """Parts of the end voltages that no unknown moves, (batch, diodes)."""

    transistors: NonlinearElements
    transistor_a: Array
    transistor_b: Array


class NewtonWork(NamedTuple):
    """Work space of one thread."""

    jacobian: Array
    current: Array
    step: Array
    trial: Array
    junction: Array
    """Voltages `w` at which the diodes are linearised."""


@kernel
def solve_rest_points(
    equations: CircuitEquations[Array],
    u: Array,
    tolerance: float,
    limit: int,
    damped: bool,
    status: Whole,
    steps: Whole,
) -> None:
    """Find the rest point of every sample from `u` (batch, n) on, in place, in at most `limit` steps."""
    search = make_newton_work(u.shape[1], equations.diodes.a.shape[0])
    for r in range(u.shape[0]):
        status[r], steps[r] = solve_one(equations, search, u[r], r, tolerance, limit, damped)


@elementwise
def make_newton_work(n: int, diodes: int) -> NewtonWork:
    """Return work space for `n` unknowns."""
    return NewtonWork(np.empty((n, n)), np.empty(n), np.empty(n), np.empty(n), np.empty(diodes))


@elementwise
def solve_one(
    equations: CircuitEquations[Array], search: NewtonWork, u: Array, r: int, tolerance: float, limit: int, damped: bool
) -> tuple[int, int]:
    """Solve one sample; return status and iterations. One step more follows the one that meets the tolerance."""
    n, done = u.shape[0], False
    search.junction[:] = 0.0
    for it in range(limit):
        limited = _linearise(equations, search, u, r, not damped)
        size = _measure_scale(search.jacobian, u, equations.constant[r])
        left = _find_residual(search, u, equations.low[r], equations.high[r])
        if not np.isfinite(left):
            return DIVERGED, it
        if done:
            return SETTLED, it
        done = not limited and left <= tolerance * size
        for i in range(n):
            low, high = equations.low[r, i], equations.high[r, i]
            clamp = find_clamp(u[i], search.current[i], search.jacobian[i, i], low, high)
            search.step[i] = -search.current[i]
            if clamp != 0:
                search.jacobian[i, :] = 0.0
                search.jacobian[i, i] = 1.0
                search.step[i] = (high if clamp > 0 else low) - u[i]
        if not solve_in_place(search.jacobian, search.step):
            return DIVERGED, it
        if damped and not done:
            _shorten_step(equations, search, u, r, left)
        for i in range(n):
            u[i] += search.step[i]
    return STEP_LIMIT, limit


@elementwise
def _shorten_step(equations: CircuitEquations[Array], search: NewtonWork, u: Array, r: int, before: float) -> None:
    """Halve the step until the largest residual falls."""
    for _ in range(HALVINGS):
        for i in range(u.shape[0]):
            search.trial[i] = u[i] + search.step[i]
        _linearise(equations, search, search.trial, r, False)
        if _find_residual(search, search.trial, equations.low[r], equations.high[r]) < before:
            return
        for i in range(u.shape[0]):
            search.step[i] *= 0.5


@elementwise
def _linearise(equations: CircuitEquations[Array], search: NewtonWork, u: Array, r: int, limiting: bool) -> bool:
    """Write net currents and Jacobian at `u`; return whether a junction lags behind its drop."""
    n = u.shape[0]
    for i in range(n):
        nudge = equations.beta[r] * equations.nudged[i]
        total = equations.constant[r, i] + nudge * u[i]
        for j in range(n):
            search.jacobian[i, j] = equations.linear[i, j]
            total += equations.linear[i, j] * u[j]
        search.jacobian[i, i] += nudge
        search.current[i] = total
    limited = False
    for e in range(equations.diodes.a.shape[0]):
        va, vb = find_end_voltages(equations.diodes, equations.diode_a[r], equations.diode_b[r], e, u)
        w, current, g = find_junction(equations.diodes, e, va - vb, search.junction[e], limiting)
        limited = limited or is_limited(w, va - vb)
        search.junction[e] = w
        _add_element(search, equations.diodes, e, current, g, g)
    for e in range(equations.transistors.a.shape[0]):
        va, vb = find_end_voltages(equations.transistors, equations.transistor_a[r], equations.transistor_b[r], e, u)
        current, by_a, by_b = find_channel(equations.transistors, e, va, vb)
        _add_element(search, equations.transistors, e, current, by_a, by_b)
    return limited


@elementwise
def find_junction(
    diodes: NonlinearElements, e: int, d: float, before: float, limiting: bool
) -> tuple[float, float, float]:
    """Return where diode `e` with the drop `d` is linearised, current and conductance there.

    A junction follows its drop from the voltage `before` if it is limited; else it is cut off where it overflows.
    """
    slope, saturation = diodes.second[e], diodes.first[e]
    w = limit_junction(d, before, slope, saturation) if limiting else min(d, 200.0 * slope)
    raised = np.exp(w / slope)
    g = saturation * raised / slope
    return w, saturation * (raised - 1.0) + g * (d - w), g


@elementwise
def is_limited(w: float, d: float) -> bool:
    """Tell whether a junction at `w` lags behind its drop `d`."""
    return abs(w - d) > 1e-12 * max(1.0, abs(d))


@elementwise
def find_channel(transistors: NonlinearElements, e: int, va: float, vb: float) -> tuple[float, float, float]:
    """Return the current of transistor `e`, its derivative by the voltage of `a` and minus that by `b`."""
    over, s = transistors.second[e], transistors.first[e]
    qa, qb = max(over - va, 0.0), max(over - vb, 0.0)
    return 0.5 * s * (qb - qa) * (qb + qa), s * qa, s * qb


@elementwise
def find_end_voltages(
    elements: NonlinearElements, known_a: Array, known_b: Array, e: int, u: Array
) -> tuple[float, float]:
    """Return the voltages at both ends of element `e`."""
    va = find_voltage(elements.a[e], elements.forward_a[e], known_a[e], u)
    return va, find_voltage(elements.b[e], elements.forward_b[e], known_b[e], u)


@elementwise
def limit_junction(d: float, w: float, slope: float, saturation: float) -> float:
    """Return how far a junction at `w` follows a drop `d`, in volts."""
    critical = slope * np.log(slope / (np.sqrt(2.0) * saturation))
    if d <= critical or abs(d - w) <= 2.0 * slope:
        return d
    if w <= 0.0:
        return float(slope * np.log(d / slope))
    argument = 1.0 + (d - w) / slope
    return float(w + slope * np.log(argument) if argument > 0.0 else critical)


@elementwise
def find_voltage(unknown: int, forward: float, constant: float, u: Array) -> float:
    """Return the voltage of an element's end in volts."""
    return constant + forward * u[unknown] if unknown >= 0 else constant


@elementwise
def _add_element(search: NewtonWork, ends: NonlinearElements, e: int, current: float, by_a: float, by_b: float) -> None:
    """Add an element's current, and its derivatives by the voltage of `a` and minus that of `b`."""
    a, b = ends.a[e], ends.b[e]
    if a >= 0:
        search.current[a] += ends.backward_a[e] * current
        search.jacobian[a, a] += ends.backward_a[e] * by_a * ends.forward_a[e]
        if b >= 0:
            search.jacobian[a, b] -= ends.backward_a[e] * by_b * ends.forward_b[e]
    if b >= 0:
        search.current[b] -= ends.backward_b[e] * current
        search.jacobian[b, b] += ends.backward_b[e] * by_b * ends.forward_b[e]
        if a >= 0:
            search.jacobian[b, a] -= ends.backward_b[e] * by_a * ends.forward_a[e]


@elementwise
def find_clamp(u: float, current: float, slope: float, low: float, high: float) -> int:
    """Return -1 or 1 where a node is clamped at its lower or upper bound, else 0."""
    if low == high:
        return 1
    free = u - current / slope
    if free > high:
        return 1
    return -1 if free < low else 0


@elementwise
def _find_residual(search: NewtonWork, u: Array, low: Array, high: Array) -> float:
    """Return the largest current that no clamp explains, in ampere; NaN if one is no number."""
    most = 0.0
    for i in range(u.shape[0]):
        left = find_left_over(u[i], search.current[i], search.jacobian[i, i], low[i], high[i])
        if not left <= most:
            most = left
        if np.isnan(most):
            return most
    return most


@elementwise
def find_left_over(u: float, current: float, slope: float, low: float, high: float) -> float:
    """Return the current of one node that no clamp explains, in ampere."""
    return abs(u - min(max(u - current / slope, low), high)) * abs(slope)


@elementwise
def _measure_scale(jacobian: Array, u: Array, constant: Array) -> float:
    """Return the largest sum of currents at a node, by their magnitudes, in ampere."""
    most = 0.0
    for i in range(u.shape[0]):
        total = abs(constant[i])
        for j in range(u.shape[0]):
            total += abs(jacobian[i, j] * u[j])
        most = max(most, total)
    return most


@elementwise
def solve_in_place(matrix: Array, right: Array) -> bool:
    """Solve ``matrix x = right`` by elimination with row pivots; both are overwritten, `right` by the solution."""
    n = right.shape[0]
    for k in range(n):
        if not _bring_up_pivot(matrix, right, k):
            return False
        for i in range(k + 1, n):
            factor = matrix[i, k] / matrix[k, k]
            if factor != 0.0:
                for j in range(k + 1, n):
                    matrix[i, j] -= factor * matrix[k, j]
                right[i] -= factor * right[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            right[k] -= matrix[k, j] * right[j]
        right[k] /= matrix[k, k]
    return True


@elementwise
def _bring_up_pivot(matrix: Array, right: Array, k: int) -> bool:
    """Exchange row `k` with the row below it that has the largest entry in column `k`; tell whether there is one."""
    best = k
    for i in range(k + 1, right.shape[0]):
        if abs(matrix[i, k]) > abs(matrix[best, k]):
            best = i
    for j in range(k, right.shape[0]):
        matrix[k, j], matrix[best, j] = matrix[best, j], matrix[k, j]
    right[k], right[best] = right[best], right[k]
    return bool(abs(matrix[k, k]) > 0.0)
