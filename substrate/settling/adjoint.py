"""The second, adjoint state of a chip: error vectors that settle on transposed weights.

Around the free rest point, with `e` the force on the outputs and the nudge folded into `d`,

========= ==================================== ====================
law       motion of the adjoint state          error vector
========= ==================================== ====================
additive  ``tau dd/dt = -d + R (W^T d - e)``   ``delta = -d``
hopfield  ``tau dd/dt = J_u^T d - R e``        ``delta = -R d``
========= ==================================== ====================

with ``R = diag rho'(u)``, ``J_u = -1 + D + R W R`` and ``D = diag(rho'' h)``. At rest `delta` is the exact
``dL/d drive`` (L. B. Almeida 1987, F. J. Pineda 1987: recurrent backpropagation; dyadic EP is the same).
The motion is linear, so the size of the nudge divides out: a tolerance holds for `delta` itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Machine
from ..dynamics.methods import Phase, count_whole_steps
from ..engine.door import load_engine
from ..engine.protocol import Linear
from ..engine.stopping import RUNAWAY
from ..laws.law import LAWS
from ..protocol import SettlingResult, Status

Array = NDArray[np.float64]


class AdjointRelaxation(NamedTuple):
    """Where the adjoint state led."""

    delta: Array
    """Estimate of ``dL/d drive`` (batch, units)."""

    settled: SettlingResult


def relax_adjoint(machine: Machine, state: Array, constant: Array, force: Array, phase: Phase) -> AdjointRelaxation:
    """Let the adjoint state follow its motion from 0, by Euler steps ``dynamics.dt``.

    Parameters
    ----------
    machine : Machine
        Law, activation, time constants and step.
    state : array (batch, units)
        Free membrane state.
    constant : array (batch, units)
        Drive of the clamped input plus bias.
    force : array (batch, units)
        ``e``, zero but on the outputs.
    phase : Phase
        When to stop; without a tolerance at that of a nudge of 1.
    """
    d, drift = np.zeros_like(state), _make_adjoint_motion(machine, state, constant)
    source = -drift.slopes * force
    gain, tolerance = machine.dynamics.dt / machine.tau, phase.end("double", 1.0)
    status = np.full(len(d), Status.STEP_LIMIT, dtype=np.int64)
    steps, moving = np.zeros(len(d), dtype=np.int64), np.ones(len(d), dtype=np.bool_)
    for _ in range(_count_adjoint_steps(phase, machine.dynamics.dt)):
        change = drift.of(d) + source
        residual = np.abs(change).max(axis=1)
        # A comparison with nan is false.
        status[moving & ~(residual <= RUNAWAY)] = Status.DIVERGED
        if not phase.fixed:
            status[moving & (residual < tolerance)] = Status.SETTLED
        moving &= status == Status.STEP_LIMIT
        if not moving.any():
            break
        d = np.where(moving[:, None], d + gain * change, d)
        steps += moving
    residual = np.abs(drift.of(d) + source).max(axis=1)
    status[(status == Status.STEP_LIMIT) & (residual < tolerance)] = Status.SETTLED
    time = np.asarray(steps * machine.dynamics.dt, dtype=np.float64)
    return AdjointRelaxation(-drift.after * d, SettlingResult(status, steps, residual, time))


class _AdjointMotion(NamedTuple):
    """The linear motion ``d -> R W^T S d + (D - 1) d`` with `S` what the law makes of the drives."""

    linear: Linear
    slopes: Array
    after: Array
    """`S`, (batch, units) or a single 1."""

    leak: Array
    """``D - 1``, (batch, units) or a single -1."""

    def of(self, d: Array) -> Array:
        """Return the linear part of the drift of `d` (batch, units)."""
        return np.asarray(self.slopes * self.linear.transposed(self.after * d) + self.leak * d)


def _make_adjoint_motion(machine: Machine, state: Array, constant: Array) -> _AdjointMotion:
    law, slopes, leak = LAWS[machine.law], machine.transfer.slope(state), -np.ones(1)
    activity = machine.transfer.activity(state)
    linear = load_engine(machine.dynamics).linear(machine, activity)
    if law.SLOPED:
        leak = machine.transfer.curvature(state) * (linear.product(activity) + constant) - 1.0
    return _AdjointMotion(linear, slopes, law.respond(np.ones(1), slopes), leak)


def _count_adjoint_steps(phase: Phase, dt: float) -> int:
    """Return the steps of the phase; a window adds none, since the end is read."""
    return phase.steps or (count_whole_steps(phase.duration, dt) if phase.duration else phase.max_steps)
