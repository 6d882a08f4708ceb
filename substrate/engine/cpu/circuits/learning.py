"""Learning in continuous time: parameters of a circuit follow what their own edges see in two networks at rest.

A free and a clamped network stand side by side with the same parameters; both are at rest at every moment, found by
Newton's method from where they were the moment before. In the clamped one the outputs are held at
``V_F + eta (aim - V_F)``. Parameters move by Runge-Kutta steps of order 4 and stay in their range.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compile import elementwise, kernel
from .newton import SETTLED, CircuitEquations, NewtonWork, find_voltage, make_newton_work, solve_one

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_LIMIT = 50
"""Newton steps before a rest point is given up."""


class LearningEdges(NamedTuple):
    """The learned elements, their ends as in `substrate.circuits.nodes.Ends`; arrays (edges,) unless told otherwise."""

    transistor: Whole
    """Number of the transistor whose gate is learned; -1: the conductance of a conductor."""

    threshold: Array
    """Threshold voltage of the transistor in volts."""

    a: Whole
    b: Whole
    forward_a: Array
    forward_b: Array
    backward_a: Array
    backward_b: Array
    known_a: Array
    known_b: Array
    """Parts of the end voltages that no unknown moves, (samples, edges)."""

    rate: Array
    offset: Array
    bias: Array
    leak: Array
    low: Array
    high: Array


class LearningNetworks(NamedTuple):
    """The free and the clamped network; they share what is programmed into both."""

    free: CircuitEquations[Array]
    clamped: CircuitEquations[Array]
    """With the arrays of `free`, except for the bounds."""

    edges: LearningEdges
    fixed: Array
    """Conductances (n, n) of what is not learned."""

    injected: Array
    """Currents (samples, n) that no unknown moves and that do not come from learned conductors."""

    outputs: Whole
    """Unknowns of the outputs."""

    aim: Array
    """What clamping aims at, (samples, outputs)."""

    eta: float
    first: Whole
    """First sample of every task, and the number of samples, (tasks + 1,)."""

    tolerance: float


class _Work(NamedTuple):
    """Work space of one learner."""

    search: NewtonWork
    free: Array
    clamped: Array
    """Where the networks rest, (samples, n)."""

    rates: Array
    """Of the four stages, (4, edges)."""

    trial: Array


@kernel
def learn_in_time(
    networks: LearningNetworks,
    values: Array,
    turn: Array,
    rounds: Whole,
    steps: Whole,
    path: Array,
    unsettled: Whole,
) -> None:
    """Let every learner go through all tasks, `turn` (learners,) seconds each, `rounds` (learners,) times.

    `values` (learners, edges) are the parameters, changed in place; the last round is kept in `path` (learners,
    tasks * records + 1, edges), with `steps` (learners,) Runge-Kutta steps from record to record. Rest points that
    were not found are counted in `unsettled` (learners,).
    """
    tasks, edges = networks.first.shape[0] - 1, values.shape[1]
    records, rest = (path.shape[1] - 1) // tasks, np.zeros(networks.injected.shape)
    search = make_newton_work(networks.injected.shape[1], networks.free.diodes.a.shape[0])
    work = _Work(search, rest, rest.copy(), np.empty((4, edges)), np.empty(edges))
    for k in range(values.shape[0]):
        h = turn[k] / (records * steps[k])
        for _ in range(rounds[k]):
            path[k, 0] = values[k]
            for task in range(tasks):
                for record in range(records):
                    for _ in range(steps[k]):
                        unsettled[k] += _step(networks, work, values[k], task, h)
                    path[k, task * records + record + 1] = values[k]


@kernel
def answer_samples(networks: LearningNetworks, values: Array, answers: Array, unsettled: Whole) -> None:
    """Write what the free network says at parameters (learners, edges): `answers` (learners, samples, outputs)."""
    u = np.zeros(networks.injected.shape)
    search = make_newton_work(networks.injected.shape[1], networks.free.diodes.a.shape[0])
    for k in range(values.shape[0]):
        _program(networks, values[k])
        for r in range(networks.injected.shape[0]):
            unsettled[k] += _settle(networks, networks.free, search, u[r], r)
            for o in range(networks.outputs.shape[0]):
                answers[k, r, o] = u[r, networks.outputs[o]]


@elementwise
def _step(networks: LearningNetworks, work: _Work, values: Array, task: int, h: float) -> int:
    """Make one Runge-Kutta step; return how many rest points were not found."""
    edges, unsettled = networks.edges, 0
    for stage in range(4):
        share = 0.0 if stage == 0 else (1.0 if stage == 3 else 0.5)
        for e in range(values.shape[0]):
            moved = values[e] + (share * h * work.rates[stage - 1, e] if stage > 0 else 0.0)
            work.trial[e] = min(max(moved, edges.low[e]), edges.high[e])
        unsettled += _find_rates(networks, work, task, work.rates[stage])
    for e in range(values.shape[0]):
        k = work.rates[:, e]
        moved = values[e] + h * (k[0] + 2.0 * k[1] + 2.0 * k[2] + k[3]) / 6.0
        values[e] = min(max(moved, edges.low[e]), edges.high[e])
    return unsettled


@elementwise
def _find_rates(networks: LearningNetworks, work: _Work, task: int, rates: Array) -> int:
    """Write how fast the parameters `trial` move under a task: the mean over its samples."""
    edges, unsettled = networks.edges, 0
    begin, end = networks.first[task], networks.first[task + 1]
    _program(networks, work.trial)
    rates[:] = 0.0
    for r in range(begin, end):
        unsettled += _settle(networks, networks.free, work.search, work.free[r], r)
        for o in range(networks.outputs.shape[0]):
            i = networks.outputs[o]
            held = work.free[r, i] + networks.eta * (networks.aim[r, o] - work.free[r, i])
            networks.clamped.low[r, i] = held
            networks.clamped.high[r, i] = held
        unsettled += _settle(networks, networks.clamped, work.search, work.clamped[r], r)
        for e in range(rates.shape[0]):
            free = _find_drop(edges, work.free[r], r, e)
            clamped = _find_drop(edges, work.clamped[r], r, e)
            rates[e] += edges.rate[e] * (free - clamped + edges.offset[e]) * (free + clamped)
    for e in range(rates.shape[0]):
        rates[e] = rates[e] / (end - begin) + edges.bias[e] - edges.leak[e] * work.trial[e]
    return unsettled


@elementwise
def _settle(
    networks: LearningNetworks, equations: CircuitEquations[Array], search: NewtonWork, u: Array, r: int
) -> int:
    """Move `u` to the rest point of sample `r`; return 1 if none is found, else 0."""
    if solve_one(equations, search, u, r, networks.tolerance, _LIMIT, False)[0] == SETTLED:
        return 0
    u[:] = 0.0
    return 0 if solve_one(equations, search, u, r, networks.tolerance, _LIMIT, True)[0] == SETTLED else 1


@elementwise
def _find_drop(edges: LearningEdges, u: Array, r: int, e: int) -> float:
    at_a = find_voltage(edges.a[e], edges.forward_a[e], edges.known_a[r, e], u)
    return float(at_a - find_voltage(edges.b[e], edges.forward_b[e], edges.known_b[r, e], u))


@elementwise
def _program(networks: LearningNetworks, values: Array) -> None:
    """Write parameters into both networks."""
    edges, equations = networks.edges, networks.free
    changed = False
    for e in range(values.shape[0]):
        if edges.transistor[e] >= 0:
            equations.transistors.second[edges.transistor[e]] = values[e] - edges.threshold[e]
            continue
        if not changed:
            equations.linear[:] = networks.fixed
            equations.constant[:] = networks.injected
            changed = True
        _load(equations, edges.a[e], edges.backward_a[e] * values[e], edges, e)
        _load(equations, edges.b[e], -edges.backward_b[e] * values[e], edges, e)


@elementwise
def _load(equations: CircuitEquations[Array], node: int, g: float, edges: LearningEdges, e: int) -> None:
    """Add the current ``g (Va - Vb)`` of a learned conductor to the equation of a node."""
    if node < 0:
        return
    if edges.a[e] >= 0:
        equations.linear[node, edges.a[e]] += g * edges.forward_a[e]
    if edges.b[e] >= 0:
        equations.linear[node, edges.b[e]] -= g * edges.forward_b[e]
    for r in range(equations.constant.shape[0]):
        equations.constant[r, node] += g * (edges.known_a[r, e] - edges.known_b[r, e])
