"""How a circuit moves: ``C du/dt = -F(u)`` from given voltages on, with a nudge that is switched on at a time.

``C = P^T Lc T`` with the Laplacian Lc of the capacitors, F as in `substrate.circuits.system`. Time constants of one
circuit differ by orders of magnitude, and diodes make them depend on the state, so steps are implicit: Radau IIA of
order 5 with the exact Jacobian (Hairer & Wanner, Solving Ordinary Differential Equations II, IV.8). BDF takes half the
evaluations for the same error, but damps no oscillation that an amplifier may cause. In circuits without amplifiers and
transistors the co-content falls along every path.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.integrate import OdeSolution, solve_ivp
from scipy.sparse.csgraph import connected_components

from ...status import Status
from ..circuit import Array, compute_power
from ..linear import compute_sparse_jacobian
from ..system import FULL, CircuitDrive, CircuitSystem, compute_net_currents

TOLERANCE = 1e-8
"""Error of a step, relative to the voltages."""

REST = 1e-6
"""Largest net current of a free node over the largest sum of magnitudes at a node, at which a circuit is at rest."""

FAR = 1e6
"""Voltages this many times larger than all that is applied are those of a circuit that has diverged."""


GUESS = 1e-6
"""First step that the solver tries from 0 V, in seconds: if that takes a diode far beyond its range, it finds none."""

POINTS = 4
"""Nodes of the rule that adds up the heat of one step."""


class Transient(NamedTuple):
    """Paths of a batch."""

    time: Array
    """In seconds, (times,)."""

    voltages: Array
    """Of all nodes, (batch, times, nodes); not a number after a sample has diverged."""

    heat: Array
    """What elements have turned into heat since time 0, (batch, times), in joule; not a number as the voltages."""

    status: NDArray[np.int64]
    """Values of `Status`, (batch,): settled if the last state is at rest."""


def compute_capacitance(system: CircuitSystem) -> sparse.csr_array:
    """Return the capacitance matrix ``P^T Lc T`` of the free nodes, (unknowns, unknowns), in farad."""
    parts, (forward, backward) = system.circuit.capacitors, system.nodes.make_matrices()
    loads, drops = (part[parts.a] - part[parts.b] for part in (backward, forward))
    return (loads.T @ sparse.diags_array(parts.c) @ drops).tocsr()


def invert_capacitance(system: CircuitSystem) -> sparse.csr_array:
    """Return the inverse of the capacitance matrix, (unknowns, unknowns), in 1/farad.

    It is sparse where few free nodes have capacitors between them: nodes that none joins are inverted apart.

    Raises
    ------
    ValueError
        If it is singular, so that the voltages of some free nodes could jump, or capacitors join more than `FULL`
        free nodes to each other.
    """
    matrix = compute_capacitance(system)
    groups = connected_components(matrix, directed=False)[1]
    sizes = np.bincount(groups)
    if len(sizes) and sizes.max() > FULL:
        raise ValueError(f"capacitors join {sizes.max()} free nodes to each other: at most {FULL} in a transient")
    alone = np.flatnonzero(sizes[groups] == 1)
    own = matrix.diagonal()[alone]
    loose = alone[own == 0.0].tolist()
    found = [(alone[own != 0.0], alone[own != 0.0], 1.0 / own[own != 0.0])]
    for group in np.flatnonzero(sizes > 1):
        nodes = np.flatnonzero(groups == group)
        block = matrix[nodes][:, nodes].toarray()
        jumping = _find_jumping(block)
        loose += nodes[jumping].tolist()
        if not jumping.any():
            rows, columns = np.meshgrid(nodes, nodes, indexing="ij")
            found.append((rows.ravel(), columns.ravel(), np.linalg.inv(block).ravel()))
    if loose:
        names = ", ".join(system.circuit.nodes[node] for node in system.nodes.free[sorted(loose)])
        raise ValueError(f"no capacitor holds the voltage of {names}: add one from there to a held node")
    rows, columns, values = (np.concatenate(part) for part in zip(*found, strict=True))
    return sparse.coo_array((values, (rows, columns)), matrix.shape).tocsr()


def _find_jumping(matrix: Array) -> NDArray[np.bool_]:
    """Return the nodes of a capacitance matrix that can move without a current, (unknowns,)."""
    scale = np.sqrt(np.abs(np.diag(matrix)))
    scale = np.where(scale > 0.0, scale, 1.0)
    _, values, vectors = np.linalg.svd(matrix / np.outer(scale, scale))
    return np.asarray(np.abs(vectors[values <= 1e-12]).max(axis=0, initial=0.0) > 1e-3)


def follow_transient(
    system: CircuitSystem,
    drive: CircuitDrive,
    start: Array,
    times: Array,
    switch: float = 0.0,
    tolerance: float = TOLERANCE,
) -> Transient:
    """Return the path of every sample.

    Parameters
    ----------
    system : CircuitSystem
        The circuit, a path of capacitors from every free node to a held one.
    drive : CircuitDrive
        What is applied; its nudge from the time `switch` on.
    start : array (batch, unknowns)
        Voltages of the free nodes at time 0.
    times : array (times,)
        When voltages are wanted, in seconds, from 0 on and increasing.
    switch : float
        In seconds.
    tolerance : float
        Error of a step, relative to the voltages.

    Raises
    ------
    ValueError
        If a free node lacks a capacitor, times do not increase from 0 on, or ideal diodes or clamps bound voltages.
    """
    if len(system.circuit.ideal.a) or drive.clamped is not None:
        what = "a clamp" if drive.clamped is not None else "an ideal diode"
        raise ValueError(f"{what} makes voltages jump: no transient; use exponential diodes and a nudge")
    if not len(times) or times[0] < 0.0 or (np.diff(times) <= 0.0).any():
        raise ValueError("the times of a transient must increase, from 0 on")
    inverse = invert_capacitance(system)
    voltages = np.full((len(start), len(times), len(system.circuit.nodes)), np.nan)
    heat = np.full(voltages.shape[:2], np.nan)
    status = np.full(len(start), Status.DIVERGED.value)
    for row in range(len(start)):
        one = drive.select(np.array([row]))
        path, lost = _follow_sample(system, inverse, one, start[row], times, switch, tolerance)
        heat[row, : len(path)] = lost
        held = np.broadcast_to(one.held, (len(path), one.held.shape[1]))
        voltages[row, : len(path)] = system.nodes.expand(path, held)
        if len(path) == len(times):
            after = one if times[-1] > switch else _without_nudge(one)
            net, through = compute_net_currents(system, after, voltages[row, -1:])
            at_rest = np.abs(net).max(initial=0.0) <= REST * through[0]
            status[row] = Status.SETTLED if at_rest else Status.STEP_LIMIT
    return Transient(times, voltages, heat, status)


def _follow_sample(
    system: CircuitSystem,
    inverse: sparse.csr_array,
    drive: CircuitDrive,
    start: Array,
    times: Array,
    switch: float,
    tolerance: float,
) -> tuple[Array, Array]:
    """Return the voltages of the free nodes, (times, unknowns), and the heat (times,); fewer if they ran away."""
    scale = float(find_scale(system, drive, start[None])[0])
    switch = float(np.clip(switch, 0.0, times[-1]))
    grid, states, heat = np.union1d(times, [0.0, switch]), start[None], np.zeros(1)
    for phase, part in ((_without_nudge(drive), grid[grid <= switch]), (drive, grid[grid >= switch])):
        if len(part) > 1:
            found, lost = _integrate(system, inverse, phase, states[-1], part, scale, tolerance)
            states, heat = np.concatenate([states, found[1:]]), np.concatenate([heat, heat[-1] + lost[1:]])
            if len(found) < len(part):
                break
    places = np.searchsorted(grid, times)
    places = places[places < len(states)]
    return states[places], heat[places]


def find_scale(system: CircuitSystem, drive: CircuitDrive, start: Array) -> Array:
    """Return the largest voltage that is applied to a sample or that it starts from, (batch,); 1 V where all are 0."""
    parts = system.nodes.constant(drive.held), start, drive.target
    scale = np.max([np.abs(part).max(axis=1, initial=0.0) for part in parts], axis=0)
    return np.where(scale > 0.0, scale, 1.0)


def _without_nudge(drive: CircuitDrive) -> CircuitDrive:
    return drive._replace(beta=np.zeros_like(drive.beta), current=None)


def _integrate(
    system: CircuitSystem,
    inverse: sparse.csr_array,
    drive: CircuitDrive,
    u: Array,
    times: Array,
    scale: float,
    tolerance: float,
) -> tuple[Array, Array]:
    """Return voltages of the free nodes and heat at times, `u` and 0 at the first; fewer rows if they ran away."""
    nudge = np.zeros(len(u))
    nudge[system.outputs] = drive.beta[0]

    def expand(u: Array) -> Array:
        return system.nodes.expand(u[None], drive.held)

    def move(_: float, u: Array) -> Array:
        return np.asarray(-inverse @ compute_net_currents(system, drive, expand(u))[0][0])

    def differentiate(_: float, u: Array) -> Array | sparse.csc_array:
        found = -inverse @ (compute_sparse_jacobian(system, expand(u)[0]) + sparse.diags_array(nudge))
        return sparse.csc_array(found) if system.is_large else np.asarray(found.toarray())

    def leave(_: float, u: Array) -> float:
        return float(FAR * scale - np.abs(u).max(initial=0.0))

    leave.terminal = True  # type: ignore[attr-defined]
    tolerances = {"rtol": tolerance, "atol": 1e-3 * tolerance * scale}
    asked: dict[str, Any] = {"t_eval": times, "events": leave, "jac": differentiate, "dense_output": True}
    if np.abs(move(0.0, u + GUESS * move(0.0, u))).max(initial=0.0) > FAR**10:
        slope = differentiate(0.0, u)
        size = np.linalg.norm(slope.data if sparse.issparse(slope) else slope)
        asked["first_step"] = min(1e-3 / size, times[-1] - times[0])
    found = solve_ivp(move, times[[0, -1]], u, "Radau", **asked, **tolerances)
    return np.asarray(found.y.T), _add_up_heat(system, drive, found.sol, found.t)


def _add_up_heat(system: CircuitSystem, drive: CircuitDrive, path: OdeSolution, times: Array) -> Array:
    """Return the integral of the power along a path at times, (times,), by Gauss-Legendre rules on every step."""
    ends = np.union1d(path.ts[path.ts <= times[-1]], times)
    if len(ends) == 1:
        return np.zeros(1)
    abscissa, weight = np.polynomial.legendre.leggauss(POINTS)
    middle, half = 0.5 * (ends[1:] + ends[:-1]), 0.5 * np.diff(ends)
    moments = (middle[:, None] + half[:, None] * abscissa).ravel()
    held = np.broadcast_to(drive.held, (len(moments), drive.held.shape[1]))
    power = compute_power(system.circuit, system.nodes.expand(path(moments).T, held)).reshape(-1, POINTS)
    return np.concatenate([[0.0], np.cumsum(half * (power @ weight))])[np.searchsorted(ends, times)]
