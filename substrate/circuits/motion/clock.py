"""Where a circuit is when the clock ends a phase, at rest or not.

``C du/dt = -F(u)`` from the state before. Where everything is linear, ``u(T) = r + exp(-C^-1 J T) (u(0) - r)`` with the
rest point r: what is missing decays as the slowest modes do. All else is followed in time.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from ...status import Status
from ..circuit import Array
from ..rest import CircuitRest
from ..system import FULL, CircuitDrive, CircuitSystem, compute_constant, compute_net_currents
from .transient import FAR, REST, find_scale, follow_transient, invert_capacitance

_SHARP = 1e-9
"""Error of a step relative to the voltages, since phases are subtracted from each other."""


def follow_phase(system: CircuitSystem, drive: CircuitDrive, start: Array, duration: float) -> CircuitRest:
    """Return where the samples are after a phase of fixed length; a sample at rest by then has settled.

    Parameters
    ----------
    system : CircuitSystem
        The circuit, a path of capacitors from every free node to a held one.
    drive : CircuitDrive
        What is applied throughout.
    start : array (batch, unknowns)
        Voltages of the free nodes at the beginning.
    duration : float
        In seconds.

    Raises
    ------
    ValueError
        If a free node lacks a capacitor, or ideal diodes or clamps bound voltages.
    """
    if system.circuit.is_linear and drive.clamped is None and system.nodes.unknowns <= FULL:
        unknowns = _follow_linear(system, drive, start, duration)
    else:
        path = follow_transient(system, drive, start, np.array([duration]), tolerance=_SHARP)
        unknowns = path.voltages[:, -1][:, system.nodes.free]
    return _judge(system, drive, start, unknowns)


def _follow_linear(system: CircuitSystem, drive: CircuitDrive, start: Array, duration: float) -> Array:
    """Return the voltages of the free nodes (batch, unknowns) by the matrix exponential; NaN beyond all bounds."""
    constant, unknowns = compute_constant(system, drive), np.full(start.shape, np.nan)
    inverse = invert_capacitance(system)
    for beta in np.unique(drive.beta):
        rows, matrix = drive.beta == beta, system.linear.toarray()
        matrix[system.outputs, system.outputs] += beta
        with np.errstate(all="ignore"):  # a nudge beyond the critical one runs away
            try:
                rest = -np.linalg.solve(matrix, constant[rows].T).T
                decay = linalg.expm(-duration * np.asarray(inverse @ matrix))
            except np.linalg.LinAlgError:  # a node that floats
                continue
            unknowns[rows] = rest + (start[rows] - rest) @ decay.T
    return unknowns


def _judge(system: CircuitSystem, drive: CircuitDrive, start: Array, unknowns: Array) -> CircuitRest:
    """Return the end of a phase with its status: at rest, on the way, or beyond all bounds."""
    voltages, batch = system.nodes.expand(unknowns, drive.held), len(unknowns)
    with np.errstate(invalid="ignore", over="ignore"):  # a sample that diverged
        net, through = compute_net_currents(system, drive, voltages)
        residual = np.abs(net).max(axis=1, initial=0.0) / np.maximum(through, np.finfo(float).tiny)
        far = np.abs(unknowns).max(axis=1, initial=0.0) > FAR * find_scale(system, drive, start)
    status = np.where(residual <= REST, Status.SETTLED.value, Status.STEP_LIMIT.value)
    status = np.where(far | ~np.isfinite(residual), Status.DIVERGED.value, status)
    zeros = np.zeros(batch, dtype=np.int64)
    return CircuitRest(unknowns, voltages, status, zeros, residual, np.zeros(unknowns.shape, dtype=bool), zeros)
