"""Settlings on the engine in JAX: what the host does around the programs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from devices.neuron.noise import compute_white_increment

from ...dynamics.machine import Drive, Machine, compute_slow_deviations, compute_white_deviation, count_planes
from ...dynamics.methods import TABLES, Phase
from ...protocol import SettlingResult, State
from ..averages import judge_cycle, summarise_window
from ..lengths import SettlingLength, compute_gains, count_steps, make_options, make_search_options
from ..names import find_ids, make_keys
from ..protocol import Average, Relaxation
from ..stopping import RUNNING
from ..sweeping import SearchOptions
from .batch import (
    Tile,
    fill_rows,
    make_cell,
    make_inputs,
    make_planes,
    make_spec,
    make_status,
    read_planes,
    read_rows,
    split_batch,
)
from .compile import calculate_in_double
from .programs.noise import Draws, NoiseSources
from .programs.spec import Cell, Inputs, Spec
from .programs.stopping import Ends, Rates, Track
from .programs.sweeps import SearchCarry, begin_search, search_rest
from .programs.trajectory import Carry, Run, Window, advance

Array = Any

PIECE, LONGEST = 256, 0.5
"""Steps between two looks at the statuses and at an interrupt; they double as long as they take less, in seconds."""


class _Part(NamedTuple):
    """One tile under way."""

    tile: Tile
    cell: Cell
    run: Run
    carry: Carry


@calculate_in_double
def relax(
    machine: Machine,
    drive: Drive,
    start: State,
    phase: Phase,
    every: int | None = None,
    record: Callable[[State], object] | None = None,
) -> Relaxation:
    """Let every sample follow its trajectory, see `substrate.engine.protocol.SettlingEngine.relax`."""
    planes, length, units = count_planes(drive, start), count_steps(machine, drive, phase), len(machine.tau)
    spec, block = _make_trajectory_spec(machine, planes, length)
    parts = [
        _begin(machine, spec, drive, start, phase, length, block, tile) for tile in split_batch(machine, len(start))
    ]
    seen, before = set(range(0, length.limit, every or length.limit)), start
    cycle_begins = {length.first} if drive.swings else set()
    for done, end in itertools.pairwise(sorted(seen | cycle_begins | {length.limit})):
        if record is not None and done in seen:
            record(_collect_state(parts)[:, :units])
        if done in cycle_begins:
            before = _collect_state(parts)
        # The step behind the last one gives those that still run their status.
        parts = _advance(spec, parts, done, end + (end == length.limit))
        if not _any_runs(parts):
            break
    full = _collect_state(parts)
    if record is not None:
        record(full[:, :units])
    settled, slow = _collect_settled(machine, parts), _collect_slow(spec, parts)
    if drive.swings:
        # Two states fluctuate, those at both ends of the cycle.
        tolerance = phase.end(machine.dynamics.precision, drive.size) + np.sqrt(2.0) * machine.fluctuation
        settled = judge_cycle(settled, before[:, :units], full[:, :units], tolerance)
        return Relaxation(full[:, :units], settled, full, cycle=_collect_sums(parts), slow=slow)
    average = _summarise(machine, parts, block, length) if length.window else None
    return Relaxation(full[:, :units], settled, full, average, slow=slow)


def _make_trajectory_spec(machine: Machine, planes: int, length: SettlingLength) -> tuple[Spec, int]:
    """Return what the program is compiled for, and the steps of a part of the window."""
    block = -(-length.window // min(length.blocks, length.window)) if length.window else 1
    processes, white = len(machine.slow_times), machine.white
    blocks = -(-length.window // block)
    return make_spec(machine)._replace(planes=planes, processes=processes, white=white, blocks=blocks), block


def _begin(
    machine: Machine,
    spec: Spec,
    drive: Drive,
    start: State,
    phase: Phase,
    length: SettlingLength,
    block: int,
    tile: Tile,
) -> _Part:
    real, method = machine.dtype, machine.dynamics.method
    width = spec.units * (2 if spec.pole else 1)
    begin = np.zeros((len(start), width), dtype=start.dtype)
    begin[:, : start.shape[1]] = start
    y = make_planes(begin, tile, spec.planes, real)
    gain, bound = compute_gains(machine)
    none, counts = np.zeros(tile.rows), np.zeros(tile.rows, dtype=np.int32)
    track = Track(np.zeros_like(y), counts, none, np.full(tile.rows, np.inf), none, counts)
    run = Run(
        make_inputs(machine, drive, tile, spec.planes),
        _make_noise(machine, spec, drive, tile),
        Rates(np.asarray(gain, dtype=real), np.asarray(bound, dtype=real)),
        make_options(machine, drive, phase, length),
        np.asarray(length.limit, dtype=np.int32),
        np.asarray(length.first, dtype=np.int32),
        np.asarray(block, dtype=np.int32),
    )
    shape = (spec.planes, tile.rows, spec.units)
    parts = np.zeros((spec.blocks, *(shape if spec.blocks else (0, 0, 0))))
    carry = Carry(
        k=np.zeros((), dtype=np.int32),
        y=y,
        steps=counts,
        time=none,
        dt=none + (1.0 if method == "exponential" else machine.dynamics.dt),
        ends=Ends(make_status(tile), none, track),
        draws=_make_draws(spec, drive, tile, real),
        window=Window(parts, np.zeros(shape if spec.blocks else (0, 0, 0))),
    )
    return _Part(tile, make_cell(machine, tile.device), run, carry)


def _make_noise(machine: Machine, spec: Spec, drive: Drive, tile: Tile) -> NoiseSources:
    noise, real, dt, tau = machine.noise, machine.dtype, machine.dynamics.dt, machine.tau
    times = machine.slow_times
    gain = -np.expm1(-dt / tau) if machine.dynamics.method == "exponential" else dt / tau
    ids = find_ids(drive, tile.samples, tile.samples.stop - tile.samples.start)
    named = np.zeros(tile.rows, dtype=np.int64)
    named[: len(ids)] = ids
    return NoiseSources(
        np.asarray(make_keys(machine, drive, spec.planes).astype(np.uint32)),
        np.asarray(named),
        np.asarray(_fill_samples(compute_white_increment(compute_white_deviation(machine, drive), gain), tile), real),
        np.asarray(compute_white_increment(noise.common * machine.common, gain), dtype=real),
        np.asarray(np.exp(-dt / times)),
        np.array([_fill_samples(size, tile) for size in compute_slow_deviations(machine, drive)], dtype=np.float64),
    )


def _fill_samples(values: NDArray[np.float64], tile: Tile) -> NDArray[np.float64]:
    """Return values (1 or batch, some) for the rows of a tile: the same for all of them, or each its own."""
    return values if len(values) == 1 else fill_rows(values, tile)


def _make_draws(spec: Spec, drive: Drive, tile: Tile, real: Any) -> Draws:
    before = spec.planes, tile.rows, (spec.units + 1) * spec.white
    slow = np.zeros((spec.processes, spec.planes, tile.rows, spec.units))
    for plane, values in enumerate(() if drive.slow is None else drive.slow.values):
        for k, value in enumerate(values):
            slow[k, plane] = fill_rows(value, tile)
    return Draws(np.zeros(before, dtype=real), np.asarray(slow, dtype=real))


def _advance(spec: Spec, parts: list[_Part], begin: int, end: int) -> list[_Part]:
    """Take the steps up to `end` in pieces; between two of them an interrupt is heard."""
    for until in _make_pieces(begin, end):
        # All tiles are on their way before the first one is waited for.
        parts = [part._replace(carry=_advance_part(spec, part, until)) for part in parts]
        if not _any_runs(parts):
            break
    return parts


def _advance_part(spec: Spec, part: _Part, until: int) -> Carry:
    with jax.default_device(part.tile.device):
        carry: Carry = advance(spec, part.cell, part.run, part.carry, np.int32(until))
        return carry


def _make_pieces(begin: int, end: int) -> Iterator[int]:
    """Yield where pieces end."""
    steps, done = PIECE, begin
    while done < end:
        done = min(done + steps, end)
        since = time.perf_counter()
        yield done
        steps *= 2 if time.perf_counter() - since < LONGEST else 1


def _any_runs(parts: list[_Part]) -> bool:
    return any(bool((np.asarray(part.carry.ends.status) == RUNNING).any()) for part in parts)


def _collect_state(parts: list[_Part]) -> State:
    return np.concatenate([read_planes(part.carry.y, part.tile) for part in parts])


def _collect_sums(parts: list[_Part]) -> State:
    """Return the sums of the activity by part of the window (blocks, batch, units)."""
    sums = [np.array([read_planes(block, part.tile) for block in part.carry.window.sums]) for part in parts]
    return np.concatenate(sums, axis=1)


def _summarise(machine: Machine, parts: list[_Part], block: int, length: SettlingLength) -> Average:
    squares = np.concatenate([read_planes(part.carry.window.squares, part.tile) for part in parts])
    return summarise_window(_collect_sums(parts), squares, block, length.window, machine.dynamics.dt)


def _collect_slow(spec: Spec, parts: list[_Part]) -> tuple[NDArray[np.float64], ...]:
    """Return the slow noise at the end, by plane (processes, batch, units)."""
    if spec.processes == 0:
        return ()
    ends = [np.asarray(p.carry.draws.slow, dtype=np.float64)[:, :, : _count(p.tile)] for p in parts]
    joined = np.concatenate(ends, axis=2)
    return tuple(np.ascontiguousarray(joined[:, plane]) for plane in range(spec.planes))


def _count(tile: Tile) -> int:
    return int(tile.samples.stop - tile.samples.start)


def _collect_settled(machine: Machine, parts: list[_Part]) -> SettlingResult:
    tiles = [part.tile for part in parts]
    steps = read_rows([part.carry.steps for part in parts], tiles, np.int64)
    adaptive = bool(TABLES[machine.dynamics.method].error.any())
    times = read_rows([part.carry.time for part in parts], tiles, np.float64)
    return SettlingResult(
        read_rows([part.carry.ends.status for part in parts], tiles, np.int64),
        steps,
        read_rows([part.carry.ends.residual for part in parts], tiles, np.float64),
        times if adaptive else steps * machine.dynamics.dt,
    )


class _Search(NamedTuple):
    """One tile whose rest points are looked for."""

    tile: Tile
    cell: Cell
    inputs: Inputs
    carry: SearchCarry


@calculate_in_double
def find_rest(machine: Machine, drive: Drive, start: State, phase: Phase) -> Relaxation:
    """Find the rest point of every sample, see `substrate.engine.protocol.SettlingEngine.rest`."""
    planes, options = count_planes(drive, start), make_search_options(machine, drive, phase)
    spec = make_spec(machine)._replace(planes=planes, pole=False, slewed=False, method="euler")
    searches = [_begin_search(machine, spec, drive, start, options, tile) for tile in split_batch(machine, len(start))]
    for until in _make_pieces(0, options.max_sweeps + 1):
        # All tiles are on their way before the first one is waited for.
        searches = [one._replace(carry=_advance_search(spec, one, options, until)) for one in searches]
        if not any(bool((np.asarray(one.carry.status) == RUNNING).any()) for one in searches):
            break
    carries, tiles = [one.carry for one in searches], [one.tile for one in searches]
    state = np.concatenate([read_planes(carry.y, tile) for carry, tile in zip(carries, tiles, strict=True)])
    settled = SettlingResult(
        read_rows([carry.status for carry in carries], tiles, np.int64),
        read_rows([carry.steps for carry in carries], tiles, np.int64),
        read_rows([carry.residual for carry in carries], tiles, np.float64),
        np.zeros(len(state)),
    )
    return Relaxation(state, settled, state)


def _begin_search(
    machine: Machine, spec: Spec, drive: Drive, start: State, options: SearchOptions, tile: Tile
) -> _Search:
    inputs = make_inputs(machine, drive, tile, spec.planes)
    y = make_planes(start[:, : spec.units], tile, spec.planes, machine.dtype)
    cell = make_cell(machine, tile.device)
    with jax.default_device(tile.device):
        carry = begin_search(spec, cell, inputs, y, make_status(tile), options.damping)
        return _Search(tile, cell, inputs, jax.tree.map(jnp.array, carry))


def _advance_search(spec: Spec, one: _Search, options: SearchOptions, until: int) -> SearchCarry:
    with jax.default_device(one.tile.device):
        carry: SearchCarry = search_rest(spec, one.cell, one.inputs, options, one.carry, np.int32(until))
        return carry
