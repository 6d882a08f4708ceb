"""Trajectory mode: follow the state of a batch from its start to its rest."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.cpu import one_stage as trajectory
from ..engine.cpu import stages
from ..engine.cpu.drift import RUNNING, Tile
from ..engine.cpu.drift import activate as activate_rows
from ..engine.cpu.noise import BLOCKS, Noise, Window
from ..engine.cpu.stopping import FLOOR_STEPS, FLOOR_TIME, LATE, STALL_STEPS, STALL_TIME, Course, Options, Plan
from ..protocol import Settled, State, Status
from .machine import Drive, Machine, cell_law, cut, from_rows, in_order, make_tile, share, to_rows
from .methods import TABLES, Phase, whole_steps
from .windows import Average, average, cycle, make_noise, make_window

Array = NDArray[np.float64]


class Relaxed(NamedTuple):
    """Where a settling led."""

    state: State
    """Membrane state (batch, units); complex if the nudge or the start is."""

    settled: Settled
    full: State
    """The same with the synaptic poles behind the membranes (batch, width)."""

    average: Average | None = None
    """Activity over the window of the phase, if it has one."""

    cycle: State | None = None
    """Activity at every step of the last cycle of a nudge that swings, (steps, batch, units)."""

    slow: tuple[Array, ...] = ()
    """Slow noise of the membranes at the end, by plane, (processes, batch, units); empty without any."""


class _Part(NamedTuple):
    """All the arrays of one tile."""

    tile: Tile
    course: Course
    noise: Noise
    window: Window


class _Length(NamedTuple):
    """Steps of a settling."""

    limit: int
    first: int
    """Step at which the window opens."""

    window: int
    blocks: int = BLOCKS
    """Parts of the window that are summed one by one, at most."""


def relax(
    machine: Machine,
    drive: Drive,
    start: State,
    phase: Phase,
    every: int | None = None,
    record: Callable[[State], object] | None = None,
) -> Relaxed:
    """Let every sample follow its trajectory.

    Parameters
    ----------
    machine : Machine
        The chip and its dynamics.
    drive : Drive
        Inputs, nudge and targets; a complex nudge makes the state complex.
    start : array (batch, units) or (batch, width)
        State at the beginning; left as it is. Synaptic poles that are not given start at 0.
    phase : Phase
        When to stop.
    every, record : int, callable, optional
        Call ``record(state)`` at the start and after every so many steps.
    """
    if machine.substeps > 1:
        return _relax_finely(machine, drive, start, phase, every, record)
    planes, tolerance = planes_of(drive, start), phase.end(machine.dynamics.precision, drive.size)
    length = _length(machine, drive, phase)
    if drive.swings:
        phase = Phase(steps=length.limit)
    parts = [_part(machine, drive, start, samples, planes, length) for samples in cut(machine, len(start))]
    wiring, cell = machine.wiring(), cell_law(machine, drive.beta, planes)
    plan, options = _plan(machine), _options(machine, drive.size, phase, length)
    units = machine.tau.shape[0]
    kernel = trajectory.advance if len(plan.b) == 1 else stages.advance_stages
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
        settled = _closed(settled, before[:, :units], full[:, :units], tolerance + np.sqrt(2.0) * machine.fluctuation)
        kept = np.concatenate([cycle(part.window, part.tile.sample, planes) for part in parts], axis=1)
        return Relaxed(full[:, :units], settled, full, cycle=kept, slow=_slow(parts, planes))
    return Relaxed(full[:, :units], settled, full, _average(machine, parts, planes, length), slow=_slow(parts, planes))


def longest(machine: Machine, drive: Drive, phase: Phase) -> float:
    """Return the time that a trajectory of fixed steps takes at most, in tau."""
    return _length(machine, drive, phase).limit * machine.dynamics.dt


def _relax_finely(
    machine: Machine,
    drive: Drive,
    start: State,
    phase: Phase,
    every: int | None,
    record: Callable[[State], object] | None,
) -> Relaxed:
    """Do what `relax` does, every step cut into the substeps of the machine; counts and cycles are of whole steps."""
    parts, dt = machine.substeps, machine.dynamics.dt
    fine = machine._replace(substeps=1, dynamics=machine.dynamics.model_copy(update={"dt": dt / parts}))
    length = _length(machine, drive, phase)
    steps = {"steps": parts * length.first, "duration": None, "window": length.window * dt}
    cut_phase = phase.model_copy(update=steps if phase.fixed else {"max_steps": parts * phase.max_steps})
    if drive.swings:
        drive = drive._replace(beta=np.repeat(np.asarray(drive.beta), parts))
    found = relax(fine, drive, start, cut_phase, None if every is None else parts * every, record)
    settled = found.settled._replace(steps=-(-found.settled.steps // parts))
    return found._replace(settled=settled, cycle=None if found.cycle is None else found.cycle[::parts])


def _closed(settled: Settled, before: State, after: State, tolerance: float) -> Settled:
    """Return how samples ended under a nudge that swings: those have settled whose last cycle closes."""
    with np.errstate(invalid="ignore", over="ignore"):  # of samples that diverged
        gap = np.abs(after - before).max(axis=1)
    status = np.where(gap < tolerance, Status.SETTLED, Status.STEP_LIMIT)
    diverged = settled.status == Status.DIVERGED
    return settled._replace(
        status=np.where(diverged, settled.status, status), residual=np.where(diverged, settled.residual, gap)
    )


def activate(machine: Machine, state: State) -> State:
    """Return the activity ``rho(u)`` of a state (batch, units), real or complex, in double precision."""
    planes = 2 if np.iscomplexobj(state) else 1
    u = np.empty((planes * len(state), state.shape[1]))
    to_rows(state, u, planes)
    a = np.empty_like(u)
    activate_rows(u, a, cell_law(machine, 0.0, planes))
    return from_rows(a, np.arange(len(state)), planes)


def planes_of(drive: Drive, start: State) -> int:
    """Return 2 if the settling happens in the complex plane, else 1."""
    return (
        2
        if np.iscomplexobj(start) or np.iscomplexobj(drive.constant) or np.asarray(np.iscomplex(drive.beta)).any()
        else 1
    )


def _length(machine: Machine, drive: Drive, phase: Phase) -> _Length:
    if drive.swings:
        return _swing(drive)
    dt = machine.dynamics.dt
    window = whole_steps(phase.window, dt)
    if machine.dynamics.method == "rk45":
        return _Length(phase.max_steps, 0, 0)
    if phase.fixed:
        first = phase.steps or whole_steps(phase.duration or 0.0, dt)
        return _Length(first + window, first, window)
    return _Length(phase.max_steps, 0, 0)


def _swing(drive: Drive) -> _Length:
    """Return the length of a settling under a nudge that swings; the last cycle is kept step by step."""
    steps = len(np.atleast_1d(drive.beta))
    return _Length((drive.cycles + 1) * steps, drive.cycles * steps, steps, steps)


def _plan(machine: Machine) -> Plan:
    dynamics, tau = machine.dynamics, machine.tau
    if machine.synapse_tau > 0.0:
        tau = np.concatenate([tau, np.full(len(tau), machine.synapse_tau)])
    table = TABLES[dynamics.method]
    gain = -np.expm1(-dynamics.dt / tau) if dynamics.method == "exponential" else 1.0 / tau
    # A step of the exponential method moves by gain times the drift, whatever its length.
    step = dynamics.dt if dynamics.method == "exponential" else 1.0
    bound = machine.slew * step / gain[: len(machine.slew)]
    return Plan(table.a, table.b, table.c, table.error, gain.astype(machine.dtype), bound.astype(machine.dtype))


def _options(machine: Machine, beta: float, phase: Phase, length: _Length) -> Options:
    dynamics = machine.dynamics
    adaptive = dynamics.method == "rk45"
    # A sample that stops at its residual, or chooses its steps, is judged at every step; noise has no cycles.
    watch = length.limit - LATE * (not machine.noise.on) if phase.fixed and not adaptive else 0
    end = phase.duration if phase.duration is not None and adaptive else np.inf
    waits = [STALL_TIME * machine.slowest, FLOOR_TIME * machine.slowest]
    if not adaptive:
        waits = [max(STALL_STEPS, waits[0] / dynamics.dt), max(FLOOR_STEPS, waits[1] / dynamics.dt)]
    return Options(
        tolerance=float(phase.end(dynamics.precision, beta) + machine.fluctuation),
        stop_early=not phase.fixed,
        watch=int(max(0, watch)),
        adaptive=adaptive,
        accuracy=float(dynamics.accuracy),
        end=float(end),
        patience=float(waits[0]),
        floor_patience=float(waits[1]),
    )


def _part(machine: Machine, drive: Drive, start: State, samples: slice, planes: int, length: _Length) -> _Part:
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


def _average(machine: Machine, parts: list[_Part], planes: int, length: _Length) -> Average | None:
    if length.window == 0:
        return None
    rows = [average(p.window, p.tile.sample, planes, length.window, machine.dynamics.dt) for p in parts]
    return Average(*(np.concatenate(column) for column in zip(*rows, strict=True)))
