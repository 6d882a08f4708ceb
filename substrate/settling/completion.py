"""Settlings that count as complete: what they are followed with is chosen here, whatever the scenario's own steps.

The scenario's own method goes first, so that the basin is the one the chip chose, but never with steps so fine that
the end is not reached. Where its step is to blame for what comes out, smaller ones follow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Drive, Machine
from ..dynamics.methods import MOST_STEPS, Dynamics, Phase, count_whole_steps
from ..engine.protocol import Relaxation
from ..protocol import State, has_settled
from .trajectory import relax_finely

Array = NDArray[np.float64]

TOLERANCE = 1e-13
"""Largest drift of a sample that counts as settled completely; units of the state."""

TIME = 1e4
"""A sample that took so many time constants of its slowest element does not come to rest."""


class MethodStep(NamedTuple):
    """A method and its step, in tau."""

    method: str
    dt: float


FINE = (MethodStep("exponential", 0.05), MethodStep("exponential", 0.005))
"""What follows a motion closely, the coarsest first; a synaptic pole may be as fast as it likes."""


def make_dynamics_complete(dynamics: Dynamics) -> Dynamics:
    """Return dynamics that settle completely: in time, in double precision, from zero, with steps large enough for it.

    A phase may take `TIME`, or as long as the scenario allows it where that is longer.
    """
    pace, phases = _get_scenario_step(dynamics), (dynamics.free, dynamics.nudged)
    allowed = [phase.duration or (phase.steps or phase.max_steps) * dynamics.dt for phase in phases]
    end = Phase(max_steps=min(MOST_STEPS, count_whole_steps(max(TIME, *allowed), pace.dt)), tolerance=TOLERANCE)
    parts = {"mode": "trajectory", "precision": "double", "start": "zero", "free": end, "nudged": end}
    return dynamics.model_copy(update={"method": pace.method, "dt": pace.dt, **parts})


def settle_completely(machine: Machine, drive: Drive, start: State) -> Relaxation:
    """Follow every sample to its rest point, with smaller steps than those of the machine where these fail.

    Parameters
    ----------
    machine : Machine
        The chip without noise, with dynamics of `complete`.
    drive : Drive
        Inputs, nudge and targets; a nudge does not swing.
    start : array (batch, units) or (batch, width)
        State at the beginning.
    """
    dynamics = machine.dynamics
    paces = (MethodStep(dynamics.method, dynamics.dt), *(pace for pace in FINE if pace.dt < dynamics.dt))
    steps = min(MOST_STEPS, int(dynamics.free.max_steps * max(1.0, machine.slowest)))
    limit = dynamics.free.model_copy(update={"max_steps": steps})
    return follow_with_retries(machine, drive, start, limit, paces)


def follow_with_retries(
    machine: Machine, drive: Drive, start: State, phase: Phase, paces: tuple[MethodStep, ...] = FINE
) -> Relaxation:
    """Follow every sample at the first pace, and anew at the next one where the step is to blame for how it ended.

    Parameters
    ----------
    machine, drive, start : Machine, Drive, array (batch, units) or (batch, width)
        As `relax_finely` takes them.
    phase : Phase
        Tolerance, and how many steps at most at the first pace; the others may take as much time.
    paces : tuple of Pace
        The coarsest first.
    """
    found, rows = _relax_with_step(machine, drive, start, phase, paces[0]), np.arange(len(start))
    for pace in paces[1:]:
        # Too large a step makes a state flip, cycle or diverge, never late.
        rows = rows[~has_settled(found.settled.status[rows], by_clock=True)]
        if not len(rows):
            break
        steps = min(MOST_STEPS, count_whole_steps(phase.max_steps * paces[0].dt, pace.dt))
        limit = phase.model_copy(update={"max_steps": steps})
        again = _relax_with_step(machine, drive.only(rows), start[rows], limit, pace)
        for old, new in ((found.state, again.state), (found.full, again.full)):
            old[rows] = new
        for values, others in zip(found.settled, again.settled, strict=True):
            values[rows] = others
    return found


def _get_scenario_step(dynamics: Dynamics) -> MethodStep:
    """Return the pace of a scenario, no finer than the coarsest of `FINE`."""
    coarsest = FINE[0]
    if dynamics.mode == "equilibrium" or dynamics.method == "rk45":
        return coarsest
    return MethodStep(dynamics.method, dynamics.dt) if dynamics.dt >= coarsest.dt else coarsest


def _relax_with_step(machine: Machine, drive: Drive, start: State, phase: Phase, pace: MethodStep) -> Relaxation:
    paced = machine.dynamics.model_copy(update={"mode": "trajectory", "method": pace.method, "dt": pace.dt})
    return relax_finely(machine._replace(dynamics=paced), drive, start, phase)
