"""The driver of the stepping kernels: trajectories of a batch, tile by tile."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dynamics.machine import Drive, Machine, count_planes
from ...dynamics.methods import TABLES, Phase
from ...protocol import SettlingResult, State
from ..averages import judge_cycle
from ..lengths import SettlingLength, compute_gains, count_steps, make_options
from ..protocol import Average, Relaxation
from ..stopping import RUNNING
from .kernels import one_stage, stages
from .kernels.drift import Tile
from .kernels.noise import TileNoise, Window
from .kernels.stopping import Course, Integrator
from .tiles import (
    make_tile,
    make_unit_law,
    prepare_wiring,
    read_tile_rows,
    run_in_threads,
    sort_by_sample,
    split_into_tiles,
)
from .windows import make_noise, make_window, read_average, read_cycle

Array = NDArray[np.float64]


class _TileRun(NamedTuple):
    """All the arrays of one tile."""

    tile: Tile
    course: Course
    noise: TileNoise
    window: Window


def relax_tiles(
    machine: Machine,
    drive: Drive,
    start: State,
    phase: Phase,
    every: int | None = None,
    record: Callable[[State], object] | None = None,
) -> Relaxation:
    """Let every sample follow its trajectory, see `substrate.engine.protocol.SettlingEngine.relax`."""
    planes, length = count_planes(drive, start), count_steps(machine, drive, phase)
    tiles = split_into_tiles(machine, len(start))
    parts = [_make_tile_run(machine, drive, start, samples, planes, length) for samples in tiles]
    wiring, cell = prepare_wiring(machine), make_unit_law(machine, drive.beta, planes)
    plan, options = _make_integrator(machine), make_options(machine, drive, phase, length)
    units = machine.tau.shape[0]
    kernel = one_stage.advance_one_stage if len(plan.b) == 1 else stages.advance_stages
    seen, before = set(range(0, length.limit, every or length.limit)), start
    cycle_begins = {length.first} if drive.swings else set()
    for done, end in itertools.pairwise(sorted(seen | cycle_begins | {length.limit})):
        if record is not None and done in seen:
            record(_collect_state(parts, planes)[:, :units])
        if done in cycle_begins:
            before = _collect_state(parts, planes)

        def advance(part: _TileRun, steps: int = end - done, last: bool = end == length.limit) -> None:
            tile, course, noise, window = part
            kernel(tile, course, wiring, machine.circuit, cell, plan, options, noise, window, steps, last)

        run_in_threads(advance, parts, machine.threads)
        if all(part.tile.active[0] == 0 or (part.tile.status != RUNNING).all() for part in parts):
            break
    full = _collect_state(parts, planes)
    if record is not None:
        record(full[:, :units])
    settled = _collect_settled(machine, parts)
    if drive.swings:
        # Two states fluctuate, those at both ends of the cycle.
        tolerance = phase.end(machine.dynamics.precision, drive.size) + np.sqrt(2.0) * machine.fluctuation
        settled = judge_cycle(settled, before[:, :units], full[:, :units], tolerance)
        kept = np.concatenate([read_cycle(part.window, part.tile.sample, planes) for part in parts], axis=1)
        return Relaxation(full[:, :units], settled, full, cycle=kept, slow=_collect_slow_state(parts, planes))
    return Relaxation(
        full[:, :units],
        settled,
        full,
        _collect_average(machine, parts, planes, length),
        slow=_collect_slow_state(parts, planes),
    )


def _make_integrator(machine: Machine) -> Integrator:
    table, (gain, bound) = TABLES[machine.dynamics.method], compute_gains(machine)
    return Integrator(table.a, table.b, table.c, table.error, gain.astype(machine.dtype), bound.astype(machine.dtype))


def _make_tile_run(
    machine: Machine, drive: Drive, start: State, samples: slice, planes: int, length: SettlingLength
) -> _TileRun:
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
    return _TileRun(tile, course, noise, make_window(rows, units, length.first, length.window, length.blocks))


def _collect_state(parts: list[_TileRun], planes: int) -> State:
    return np.concatenate([read_tile_rows(part.tile.y, part.tile.sample, planes) for part in parts])


def _collect_slow_state(parts: list[_TileRun], planes: int) -> tuple[Array, ...]:
    if len(parts[0].noise.memory) == 0:
        return ()
    # Phases with noise have a fixed length, so that every sample keeps its place.
    places = [part.noise.slow[:, plane::planes] for plane in range(planes) for part in parts]
    joined = [np.concatenate(places[k : k + len(parts)], axis=1) for k in range(0, len(places), len(parts))]
    return tuple(values.astype(np.float64) for values in joined)


def _collect_settled(machine: Machine, parts: list[_TileRun]) -> SettlingResult:
    def of(values: Callable[[_TileRun], NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([sort_by_sample(values(part), part.tile.sample) for part in parts])

    steps = np.asarray(of(lambda part: part.tile.steps), dtype=np.int64)
    time = of(lambda part: part.course.time) if machine.dynamics.method == "rk45" else steps * machine.dynamics.dt
    return SettlingResult(
        np.asarray(of(lambda part: part.tile.status), dtype=np.int64),
        steps,
        np.asarray(of(lambda part: part.tile.residual), dtype=np.float64),
        np.asarray(time, dtype=np.float64),
    )


def _collect_average(machine: Machine, parts: list[_TileRun], planes: int, length: SettlingLength) -> Average | None:
    if length.window == 0:
        return None
    rows = [read_average(p.window, p.tile.sample, planes, length.window, machine.dynamics.dt) for p in parts]
    return Average(*(np.concatenate(column) for column in zip(*rows, strict=True)))
