"""How long a settling takes and how it is judged: from the parameters of a phase to plain numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import Drive, Machine
from ..dynamics.methods import Phase, count_whole_steps
from ..laws.law import LAWS
from . import sweeping
from .stopping import FLOOR_STEPS, FLOOR_TIME, LATE, STALL_STEPS, STALL_TIME, StoppingOptions

Array = NDArray[np.float64]

BLOCKS = 16
"""Blocks of an averaging window at most; they give the standard error of the mean."""


class SettlingLength(NamedTuple):
    """Steps of a settling."""

    limit: int
    first: int
    """Step at which the window opens."""

    window: int
    blocks: int = BLOCKS
    """Parts of the window that are summed one by one, at most."""


def count_steps(machine: Machine, drive: Drive, phase: Phase) -> SettlingLength:
    """Return the steps of a trajectory; under a nudge that swings its window is the last cycle, step by step."""
    if drive.swings:
        steps = len(np.atleast_1d(drive.beta))
        return SettlingLength((drive.cycles + 1) * steps, drive.cycles * steps, steps, steps)
    dt = machine.dynamics.dt
    if phase.fixed and machine.dynamics.method != "rk45":
        window, first = count_whole_steps(phase.window, dt), phase.steps or count_whole_steps(phase.duration or 0.0, dt)
        return SettlingLength(first + window, first, window)
    return SettlingLength(phase.max_steps, 0, 0)


def compute_longest_time(machine: Machine, drive: Drive, phase: Phase) -> float:
    """Return the time that a trajectory of fixed steps takes at most, in tau."""
    return count_steps(machine, drive, phase).limit * machine.dynamics.dt


def compute_gains(machine: Machine) -> tuple[Array, Array]:
    """Return how the state changes per drift and step (width,), and the largest drift of every membrane.

    The second is (units,), or (0,) without a limit of the speed.
    """
    dynamics, tau = machine.dynamics, machine.tau
    if machine.synapse_tau > 0.0:
        tau = np.concatenate([tau, np.full(len(tau), machine.synapse_tau)])
    exponential = dynamics.method == "exponential"
    gain = -np.expm1(-dynamics.dt / tau) if exponential else 1.0 / tau
    # A step of the exponential method moves by gain times the drift, whatever its length.
    bound = machine.slew * (dynamics.dt if exponential else 1.0) / gain[: len(machine.slew)]
    return gain, bound


def make_options(machine: Machine, drive: Drive, phase: Phase, length: SettlingLength) -> StoppingOptions:
    """Return how the samples of a trajectory are judged."""
    dynamics = machine.dynamics
    adaptive, fixed = dynamics.method == "rk45", phase.fixed or drive.swings
    # A sample that stops at its residual, or chooses its steps, is judged at every step; noise has no cycles.
    watch = length.limit - LATE * (not machine.noisy) if fixed and not adaptive else 0
    end = phase.duration if phase.duration is not None and adaptive else np.inf
    waits = [STALL_TIME * machine.slowest, FLOOR_TIME * machine.slowest]
    if not adaptive:
        waits = [max(STALL_STEPS, waits[0] / dynamics.dt), max(FLOOR_STEPS, waits[1] / dynamics.dt)]
    return StoppingOptions(
        tolerance=float(phase.end(dynamics.precision, drive.size) + machine.fluctuation),
        stop_early=not fixed,
        watch=int(max(0, watch)),
        adaptive=adaptive,
        accuracy=float(dynamics.accuracy),
        end=float(end),
        patience=float(waits[0]),
        floor_patience=float(waits[1]),
    )


def make_search_options(machine: Machine, drive: Drive, phase: Phase) -> sweeping.SearchOptions:
    """Return how rest points are searched for."""
    dynamics, last = machine.dynamics, int(machine.layers[:, 2].max())
    return sweeping.SearchOptions(
        tolerance=float(phase.end(dynamics.precision, drive.size)),
        damping=LAWS[machine.law].SWEEP_DAMPING if last == 1 else sweeping.DAMPING,
        output_damping=1.0 / (1.0 + drive.size),
        colours=last + 1,
        accelerate=dynamics.acceleration == "anderson",
        max_sweeps=int(phase.max_steps),
    )
