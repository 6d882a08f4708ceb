"""Trajectory mode: follow the state of a batch from its start to its rest.

The batch is cut into tiles whose size depends on the batch alone; tiles run on Python threads over
kernels that release the lock. A sample's result is the same bits for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import kernels
from .compile import single_threaded_blas
from .kernels import RUNNING, Circuit, Options, Tile, Wiring
from .methods import Phase
from .protocol import Settled, State

Array = NDArray[np.float64]


class Machine(NamedTuple):
    """What stays the same over all settlings of one chip."""

    wiring: Wiring
    circuit: Circuit
    activation: int
    dt: float
    threads: int


class Drive(NamedTuple):
    """What is applied to a batch during one settling."""

    constant: Array
    """Drive of the clamped input plus bias, (batch, units)."""

    beta: complex
    target: Array
    """(batch, classes or outputs); not read when beta is 0."""


def available_threads() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tile_rows(batch: int) -> int:
    """Return the rows of a tile: half the batch in multiples of 16, from 16 to 128."""
    return min(128, max(16, -(-batch // 32) * 16))


def relax(
    machine: Machine,
    drive: Drive,
    start: State,
    phase: Phase,
    every: int | None = None,
    record: Callable[[State], object] | None = None,
) -> tuple[State, Settled]:
    """Let every sample settle.

    Parameters
    ----------
    machine : Machine
        Wiring, nudge circuit, activation and time step.
    drive : Drive
        Inputs, nudge and targets; a complex nudge makes the state complex.
    start : array (batch, units)
        State at the beginning; left as it is.
    phase : Phase
        When to stop.
    every, record : int, callable, optional
        Call ``record(state)`` at the start and after every so many steps.

    Returns
    -------
    state : array (batch, units)
        Complex if the nudge or the start is.
    settled : Settled
        Status, steps and residual per sample.
    """
    planes = 2 if np.iscomplexobj(start) or complex(drive.beta).imag != 0.0 else 1
    batch = start.shape[0]
    rows = tile_rows(batch)
    tiles = [_tile(drive, start, slice(first, first + rows), planes) for first in range(0, batch, rows)]
    options = _options(machine, drive.beta, phase, planes)
    limit = phase.steps or phase.max_steps
    chunk = every or limit

    with single_threaded_blas(), ThreadPoolExecutor(machine.threads) as pool:
        for done in range(0, limit, chunk):
            if record is not None:
                record(_state(tiles))
            steps = min(chunk, limit - done)
            last = done + steps == limit

            def advance(tile: Tile, steps: int = steps, last: bool = last) -> None:
                kernels.advance(tile, machine.wiring, machine.circuit, options, steps, last)

            list(pool.map(advance, tiles))
            if all((tile.status != RUNNING).all() for tile in tiles):
                break
        if record is not None:
            record(_state(tiles))
    status, taken, residual = (np.concatenate(parts) for parts in zip(*(t[6:9] for t in tiles), strict=True))
    return _state(tiles), Settled(status, taken, residual)


def activate(code: int, state: State) -> State:
    """Return the activity ``rho(u)`` of a state (batch, units), real or complex."""
    planes = 2 if np.iscomplexobj(state) else 1
    u = np.ascontiguousarray(np.concatenate([state.real, state.imag]) if planes == 2 else state)
    a = np.empty_like(u)
    kernels.activate(u, a, code, planes)
    return a if planes == 1 else _complex(a[: len(state)], a[len(state) :])


def _complex(real: Array, imaginary: Array) -> State:
    z = real.astype(np.complex128)
    z.imag = imaginary
    return z


def _options(machine: Machine, beta: complex, phase: Phase, planes: int) -> Options:
    beta = complex(beta)
    return Options(
        dt=float(machine.dt),
        tolerance=float(phase.tolerance),
        activation=int(machine.activation),
        planes=planes,
        beta_real=beta.real,
        beta_imaginary=beta.imag,
        stop_early=phase.steps is None,
    )


def _tile(drive: Drive, start: State, rows: slice, planes: int) -> Tile:
    part = start[rows]
    u = np.ascontiguousarray(part.real if planes == 1 else np.concatenate([part.real, part.imag]), dtype=np.float64)
    if u is start or np.shares_memory(u, start):
        u = u.copy()
    samples = part.shape[0]
    return Tile(
        u=u,
        drift=np.zeros_like(u),
        a=np.empty_like(u),
        h=np.empty_like(u),
        constant=np.ascontiguousarray(drive.constant[rows]),
        target=np.ascontiguousarray(drive.target[rows], dtype=np.float64),
        status=np.full(samples, RUNNING, dtype=np.int64),
        steps=np.zeros(samples, dtype=np.int64),
        residual=np.zeros(samples),
    )


def _state(tiles: list[Tile]) -> State:
    """Return the state of the whole batch, a copy."""
    real = np.concatenate([tile.u[: tile.status.shape[0]] for tile in tiles])
    if tiles[0].u.shape[0] == tiles[0].status.shape[0]:
        return real
    return _complex(real, np.concatenate([tile.u[tile.status.shape[0] :] for tile in tiles]))
