"""Equilibrium mode: find the rest point of every sample without following time.

Far cheaper than a trajectory, but where several rest points exist it may find another one than the
machine would, even one the machine could not stay in. An audit counts how often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from ..engine.cpu.anderson import DEPTH, MEMORY, Search
from ..engine.cpu.drift import Tile
from ..engine.cpu.sweeps import CHUNK, Options, search_rest
from ..laws.law import LAWS
from ..protocol import Settled, State, has_settled
from .completion import follow
from .machine import Drive, Machine, cell_law, cut, from_rows, in_order, make_tile, share
from .methods import MOST_STEPS, Phase
from .trajectory import Relaxed, planes_of

Array = NDArray[np.float64]

DAMPING = 0.5
"""Share of a sweep that is taken where a whole one need not converge."""

LONGER = 100
"""A trajectory that is followed to its rest may take so many times as many steps as sweeps are allowed."""

ELSEWHERE = 1e-3
"""Two rest points further apart than this (largest unit, state units) are not the same one."""


class Audit(NamedTuple):
    """What following the trajectory of some samples showed."""

    checked: int = 0
    elsewhere: int = 0
    """Came to rest at another point than the sweeps found."""

    restless: int = 0
    """Did not come to rest within `LONGER` times as many time steps as sweeps are allowed."""

    def plus(self, other: Audit) -> Audit:
        """Return the sum of two audits."""
        return Audit(*(a + b for a, b in zip(self, other, strict=True)))


class Found(NamedTuple):
    """What a search found."""

    relaxed: Relaxed
    audit: Audit


def settle_by_sweeps(machine: Machine, drive: Drive, start: State, phase: Phase) -> Found:
    """Find the rest point of every sample of a batch.

    Parameters
    ----------
    machine : Machine
        The chip; time constants do not matter.
    drive : Drive
        Inputs, nudge and targets; a complex nudge makes the state complex.
    start : array (batch, units)
        Where to start from.
    phase : Phase
        Tolerance, and how many sweeps at most.
    """
    units = machine.tau.shape[0]
    start = start[:, :units]
    planes = planes_of(drive, start)
    parts = [_part(machine, drive, start, samples, planes) for samples in cut(machine, len(start))]
    wiring = machine.wiring()
    last = int(machine.layers[:, 2].max())
    first_law = cell_law(machine, drive.beta, planes, 0)
    second_law = cell_law(machine, drive.beta, planes, last)
    options = _options(machine, drive, phase, last)

    def find(part: tuple[Tile, Search]) -> None:
        tile, search = part
        search_rest(tile, search, wiring, machine.circuit, first_law, second_law, machine.layers, options)

    share(find, parts, machine.threads)
    tiles = [tile for tile, _ in parts]
    state = np.concatenate([from_rows(tile.y, tile.sample, planes) for tile in tiles])
    status, steps, residual = (
        np.concatenate([in_order(getattr(tile, name), tile.sample) for tile in tiles])
        for name in ("status", "steps", "residual")
    )
    relaxed = Relaxed(state, Settled(status, steps, residual, np.zeros(len(state))), state)
    return Found(relaxed, _audit(machine, drive, start, phase, relaxed))


def _options(machine: Machine, drive: Drive, phase: Phase, last: int) -> Options:
    dynamics = machine.dynamics
    return Options(
        tolerance=float(phase.end(dynamics.precision, drive.size)),
        damping=_damping(machine, last),
        output_damping=1.0 / (1.0 + drive.size),
        colours=last + 1,
        accelerate=dynamics.acceleration == "anderson",
        max_sweeps=int(phase.max_steps),
    )


def _damping(machine: Machine, last: int) -> float:
    """Return the share of its drift that a layer moves at first; layers of one colour all move at once."""
    return LAWS[machine.law].SWEEP_DAMPING if last == 1 else DAMPING


def _part(machine: Machine, drive: Drive, start: State, samples: slice, planes: int) -> tuple[Tile, Search]:
    units, layers, dtype = machine.tau.shape[0], machine.layers, machine.dtype
    tile = make_tile(machine, drive, start, samples, planes, units)
    rows, count = len(tile.y), len(tile.status)
    last = layers[:, 2].max()
    n = planes * int((layers[:, 1] - layers[:, 0])[layers[:, 2] == last].sum())
    memory = np.zeros((count, MEMORY))
    memory[:, 0] = _damping(machine, int(last))
    memory[:, 2:4] = np.inf
    memory[:, 8] = 1.0
    search = Search(
        drift=np.zeros((planes * CHUNK, units), dtype=dtype),
        bare=np.zeros((rows, units - machine.circuit.first_output), dtype=dtype),
        **{name: np.zeros(n, dtype=dtype) for name in ("x", "g", "f")},
        **{name: np.empty((count, n), dtype=dtype) for name in ("old_g", "old_f")},
        **{name: np.empty((count, DEPTH * n), dtype=dtype) for name in ("dg", "df")},
        gram=np.zeros((count, DEPTH * DEPTH)),
        memory=memory,
    )
    return tile, search


def _audit(machine: Machine, drive: Drive, start: State, phase: Phase, found: Relaxed) -> Audit:
    """Follow the trajectories of some settled samples and compare."""
    count = min(machine.dynamics.audit, len(start))
    if count == 0:
        return Audit()
    seed, instance, name = drive.names
    order = np.argsort(Stream(seed, f"audit/{name}", instance).uniform((len(start),)))[:count]
    limit = phase.model_copy(update={"max_steps": min(MOST_STEPS, LONGER * phase.max_steps)})
    followed = follow(machine, drive.only(order), start[order], limit)
    distance = np.abs(followed.state - found.state[order]).max(axis=1)
    rested = has_settled(followed.settled.status) & has_settled(found.settled.status[order])
    return Audit(count, int(np.sum(rested & (distance > ELSEWHERE))), int(np.sum(~rested)))
