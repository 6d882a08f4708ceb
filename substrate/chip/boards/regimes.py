"""By its correlation time, noise of cells is simulated in one of three ways; here is decided which, and told in words.

========= ============================================== =======================================================
way       noise                                          how
========= ============================================== =======================================================
white     faster than a fifth of tau                     one draw per unit and step of the variance ``sum sigma^2 a^2``
drift     up to the time of one sample                   one process per unit and sample of that variance
frozen    slower than the samples of a batch             one draw of ``W + eta`` per batch, for all its phases
========= ============================================== =======================================================

Between the time of a sample, `T`, and that of a batch of `B` samples, ``B T``, it is the nearer one: `drift` up to ``T
sqrt(B)``. White noise of devices that are read both ways is drawn per unit, too, with its covariance between units. The
sum over many cells is exact in law where the activities stand still: white noise and drifts miss what
changes with the nudge, a share of the order of the nudged displacement. A drift knows no error that is common to the
phases of a sample, and a frozen draw no change between them.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from devices.synapse.noise import CellNoise

from ...dynamics.methods import Dynamics, Phase
from ...dynamics.phases import Phases
from ..design import Design

FAST = 0.2
"""Correlation times below this, in tau, are white."""

Way = Literal["white", "drift", "frozen"]


class CellProcess(NamedTuple):
    """One process of the noise of some cells."""

    way: Way
    time: float
    """Correlation time, in tau; 0: white, infinite: longer than any batch."""

    share: float
    """Of the variance of the noise."""

    noise: CellNoise
    blocks: tuple[str, ...]
    """Of the parameters whose cells have it."""


def list_cell_processes(design: Design) -> list[CellProcess]:
    """Return every process of the noise of the cells of a design, by block and correlation time."""
    sample, found = compute_sample_time(design.dynamics, design.phases), []
    for noise, blocks in _group_blocks(design):
        for time, share in noise.list_processes():
            found.append(CellProcess(choose_way(time, sample, design.batch), time, share, noise, blocks))
    return found


def choose_way(time: float, sample: float | None, batch: int) -> Way:
    """Return how noise of a correlation time is simulated.

    Parameters
    ----------
    time : float
        In tau.
    sample : float or None
        How long the phases of a sample take, in tau; None: they have no fixed time.
    batch : int
        Samples that follow each other on the chip until something is written.
    """
    if time < FAST:
        return "white"
    return "frozen" if sample is None or time > sample * math.sqrt(batch) else "drift"


def compute_sample_time(dynamics: Dynamics, phases: Phases) -> float | None:
    """Return how long a free and a nudged phase take, in tau; None if no clock ends them."""
    if not (dynamics.free.fixed and dynamics.nudged.fixed):
        return None
    return sum(_compute_length(phase, dynamics.dt) for phase in (dynamics.free, dynamics.nudged)) + phases.hold_time


def _compute_length(phase: Phase, dt: float) -> float:
    return (phase.duration or (phase.steps or 0) * dt) + phase.window


def _group_blocks(design: Design) -> list[tuple[CellNoise, tuple[str, ...]]]:
    """Return every noise of cells with the blocks that have it."""
    topology, devices = design.topology, design.devices
    own = devices.feedback.over(devices.weights).noise
    # A device that is read in both directions is a forward one.
    shared = devices.feedback.storage == "shared-device"
    again = {back.block for _, back in topology.pairs()} if shared else set()
    cells = [c for c in topology.connections if c.block not in again]
    back = [c.block for c in cells if topology.is_feedback(c)]
    front = [c.block for c in cells if not topology.is_feedback(c)] + [f"bias/{n}" for n in topology.names]
    groups = [(devices.weights.noise, front), (own, back)]
    if own == devices.weights.noise:
        groups = [(own, front + back)]
    return [(noise, tuple(blocks)) for noise, blocks in groups if noise.on and blocks]


def shakes_membranes(design: Design) -> bool:
    """Tell whether membranes move at rest, by noise of their own or of their cells."""
    return design.devices.noise.on or any(process.way != "frozen" for process in list_cell_processes(design))


def has_slow_noise(design: Design) -> bool:
    """Tell whether a settling or a read begins with noise that the one before has left."""
    return design.devices.noise.slow or any(process.way == "drift" for process in list_cell_processes(design))


def list_pace(design: Design) -> tuple[float, ...] | None:
    """Return the correlation times of the slow noise that steps must follow; None without any noise of membranes."""
    if not shakes_membranes(design):
        return None
    drifts = [process.time for process in list_cell_processes(design) if process.way == "drift"]
    return *(float(time) for time in design.devices.noise.processes()[0]), *drifts
