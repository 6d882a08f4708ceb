"""The driver of the stepping kernels: trajectories of a batch, tile by tile."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dynamics.machine import Drive, Machine, count_planes
from ...dynamics.methods import TABLES, Phase
from ...protocol import Settled, State
from ..averages import judge_cycle
from ..lengths import Length, compute_gains, count_steps, make_options
from ..protocol import Average, Relaxed
from ..stopping import RUNNING
from .kernels import one_stage, stages
from .kernels.drift import Tile
from .kernels.noise import Noise, Window
from .kernels.stopping import Course, Plan
from .tiles import cell_law, cut, from_rows, in_order, make_tile, prepare, share
from .windows import make_noise, make_window, read_average, read_cycle

Array = NDArray[np.float64]


class _Part(NamedTuple):
    """All the arrays of one tile."""

    tile: Tile
    course: Course
    noise: Noise
    window: Window


def relax(
    machine: Machine,
    drive: Drive,
    start: State,
    phase: Phase,
    every: int | None = None,
    record: Callable[[State], object] | None = None,
) -> Relaxed:
    """Let every sample follow its trajectory, see `substrate.engine.protocol.SettlingEngine.relax`."""
    planes, length = count_planes(drive, start), count_steps(machine, drive, phase)
    parts = [_part(machine, drive, start, samples, planes, length) for samples in cut(machine, len(start))]
    wiring, cell = prepare(machine), cell_law(machine, drive.beta, planes)
    plan, options = _plan(machine), make_options(machine, drive, phase, length)
    units = machine.tau.shape[0]
    kernel = one_stage.advance if len(plan.b) == 1 else stages.advance_stages
    seen, before = set(range(0, length.limit, every or length.limit)), start
    cycle_begins = {length.first} if drive.swings else set()
    for done, end in itertools.pairwise(sorted(seen | cycle_begins | {length.limit})):
        if record is not None and done in seen:
            record(_state(parts, planes)[:, :units])
        if done in cycle_begins:
            before = _state(parts, planes)

        def advance(part: _Part, steps: int = end - done, last: bool = end == length.limit) -> None:
            tile, course, noise, window = part
            kernel(tile, course, wiring, machine.circuit, cell, plan, options, noise, window, steps, last)

        share(advance, parts, machine.threads)
        if all(part.tile.active[0] == 0 or (part.tile.status != RUNNING).all() for part in parts):
            break
    full = _state(parts, planes)
    if record is not None:
        record(full[:, :units])
    settled = _settled(machine, parts)
    if drive.swings:
        # Two states fluctuate, those at both ends of the cycle.
        tolerance = phase.end(machine.dynamics.precision, drive.size) + np.sqrt(2.0) * machine.fluctuation
        settled = judge_cycle(settled, before[:, :units], full[:, :units], tolerance)
        kept = np.concatenate([read_cycle(part.window, part.tile.sample, planes) for part in parts], axis=1)
        return Relaxed(full[:, :units], settled, full, cycle=kept, slow=_slow(parts, planes))
    return Relaxed(full[:, :units], settled, full, _average(machine, parts, planes, length), slow=_slow(parts, planes))


def _plan(machine: Machine) -> Plan:
    table, (gain, bound) = TABLES[machine.dynamics.method], compute_gains(machine)
    return Plan(table.a, table.b, table.c, table.error, gain.astype(machine.dtype), bound.astype(machine.dtype))


def _part(machine: Machine, drive: Drive, start: State, samples: slice, planes: int, length: Length) -> _Part:
    dynamics, units = machine.dynamics, machine.tau.shape[0]
    width = units * (2 if machine.synapse_tau > 0.0 else 1)
    tile = make_tile(machine, drive, start, samples, planes, width)
    rows, count = len(tile.y), len(tile.status)
    stages = len(TABLES[dynamics.method].b)
    track = np.zeros((count, 5))
    track[:, 2] = np.inf
    course = Course(
        drift=np.zeros((stages, rows, width), dtype=machine.dtype),
        stage=np.zeros((rows, width), dtype=machine.dtype),
        reference=np.zeros((rows, width), dtype=machine.dtype),
        total=np.zeros(count),
        track=track,
        dt=np.full(count, 1.0 if dynamics.method == "exponential" else dynamics.dt),
        time=np.zeros(count),
    )
    noise = make_noise(machine, drive, samples, count, planes)
    return _Part(tile, course, noise, make_window(rows, units, length.first, length.window, length.blocks))


def _state(parts: list[_Part], planes: int) -> State:
    return np.concatenate([from_rows(part.tile.y, part.tile.sample, planes) for part in parts])


def _slow(parts: list[_Part], planes: int) -> tuple[Array, ...]:
    if len(parts[0].noise.memory) == 0:
        return ()
    # Phases with noise have a fixed length, so that every sample keeps its place.
    places = [part.noise.slow[:, plane::planes] for plane in range(planes) for part in parts]
    joined = [np.concatenate(places[k : k + len(parts)], axis=1) for k in range(0, len(places), len(parts))]
    return tuple(values.astype(np.float64) for values in joined)


def _settled(machine: Machine, parts: list[_Part]) -> Settled:
    def of(values: Callable[[_Part], NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([in_order(values(part), part.tile.sample) for part in parts])

    steps = np.asarray(of(lambda part: part.tile.steps), dtype=np.int64)
    time = of(lambda part: part.course.time) if machine.dynamics.method == "rk45" else steps * machine.dynamics.dt
    return Settled(
        np.asarray(of(lambda part: part.tile.status), dtype=np.int64),
        steps,
        np.asarray(of(lambda part: part.tile.residual), dtype=np.float64),
        np.asarray(time, dtype=np.float64),
    )


def _average(machine: Machine, parts: list[_Part], planes: int, length: Length) -> Average | None:
    if length.window == 0:
        return None
    rows = [read_average(p.window, p.tile.sample, planes, length.window, machine.dynamics.dt) for p in parts]
    return Average(*(np.concatenate(column) for column in zip(*rows, strict=True)))
