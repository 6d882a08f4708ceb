"""Trajectory mode: follow the state of a batch from its start to its end, in steps as fine as the noise asks for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..dynamics.machine import Drive, Machine
from ..dynamics.methods import Phase
from ..engine.door import load_engine
from ..engine.lengths import count_steps
from ..engine.protocol import Relaxation
from ..protocol import State


def relax_finely(
    machine: Machine,
    drive: Drive,
    start: State,
    phase: Phase,
    every: int | None = None,
    record: Callable[[State], object] | None = None,
) -> Relaxation:
    """Let every sample follow its trajectory, every step cut into the substeps of the machine.

    The parameters are those of `substrate.engine.protocol.SettlingEngine.relax`; counts and cycles are of whole steps.
    """
    engine, parts, dt = load_engine(machine.dynamics), machine.substeps, machine.dynamics.dt
    if parts == 1:
        return engine.relax(machine, drive, start, phase, every, record)
    fine = machine._replace(substeps=1, dynamics=machine.dynamics.model_copy(update={"dt": dt / parts}))
    length = count_steps(machine, drive, phase)
    steps = {"steps": parts * length.first, "duration": None, "window": length.window * dt}
    cut = phase.model_copy(update=steps if phase.fixed else {"max_steps": parts * phase.max_steps})
    if drive.swings:
        drive = drive._replace(beta=np.repeat(np.asarray(drive.beta), parts))
    found = engine.relax(fine, drive, start, cut, None if every is None else parts * every, record)
    settled = found.settled._replace(steps=-(-found.settled.steps // parts))
    return found._replace(settled=settled, cycle=None if found.cycle is None else found.cycle[::parts])
