"""Noise on the membranes, compiled: draws that depend on names and indices, and averages over a window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...stopping import RUNNING
from ..compile import elementwise
from .drift import Array, Integers, Reals, Tile
from .elementwise import write_normals


class TileNoise(NamedTuple):
    """Noise of one tile; sources are white, common-mode, then one per Ornstein-Uhlenbeck process."""

    on: bool
    keys: NDArray[np.uint64]
    """Philox keys (planes, sources, 2): the imaginary plane is a machine of its own, with noise of its own."""

    ids: Integers
    """Names of the samples (samples,)."""

    averaged: bool
    """A kick is the mean of the draws of two successive steps (B. Leimkuhler, C. Matthews 2013, Appl. Math. Res.
    Express, 34): methods of one stage then have the exact covariance of linear units with symmetric couplings."""

    white: Reals
    """Standard deviation of the white draw per step and unit (rows, units)."""

    common: Reals
    """The same for the draw that all units share (units,)."""

    root: Reals
    """Where the draws of units depend on each other, the weights of the draw of unit j in the kick of unit i, (rows, j,
    i); elsewhere (0, 0, 0)."""

    before: Reals
    """Draws of the step before: of all units, and of what they share (rows, units + 1); changed in place."""

    memory: Array
    """Share of a slow process that survives a step, (processes,)."""

    fresh: Reals
    """Standard deviation of what a step adds to a slow process, (processes, rows, units)."""

    slow: Reals
    """Slow processes now (processes, rows, units); changed in place."""

    push: Reals
    """Their mean over the present step, added to the drift (rows, units)."""

    kick: Reals
    """White kick of the present step, added to the state (rows, units)."""

    words: NDArray[np.uint64]
    """Scratch (4, a quarter of the units)."""

    numbers: Reals
    """Scratch (all units, rounded up to a multiple of four)."""


class Window(NamedTuple):
    """Running sums of the activity over the last steps of a settling."""

    first: int
    """Step at which the window opens; beyond the last step: never."""

    block: int
    """Steps per block; the last one has those that are left."""

    sums: Array
    """Sum of the activity (blocks, rows, units); changed in place."""

    squares: Array
    """Sum of its square (rows, units); changed in place."""


@elementwise
def _advance_slow_noise(
    noise: TileNoise, keys: NDArray[np.uint64], row: int, sample: int, step: int, units: int
) -> None:
    """Advance the slow processes by one step, exactly; their mean over the step is the trapezoid of both ends."""
    slow, push, numbers = noise.slow, noise.push, noise.numbers
    T = push.dtype.type
    for i in range(units):
        push[row, i] = T(0.0)
    for k in range(noise.memory.shape[0]):
        write_normals(keys[2 + k, 0], keys[2 + k, 1], step, sample, noise.words, numbers, units)
        keep, fresh = T(noise.memory[k]), noise.fresh[k, row]
        for i in range(units):
            after = keep * slow[k, row, i] + fresh[i] * numbers[i]
            push[row, i] += T(0.5) * (slow[k, row, i] + after)
            slow[k, row, i] = after


@elementwise
def _sum_slow_noise(noise: TileNoise, row: int, units: int) -> None:
    """Push with the slow processes as they are now; they go on with the next settling."""
    T = noise.push.dtype.type
    for i in range(units):
        total = T(0.0)
        for k in range(noise.memory.shape[0]):
            total += noise.slow[k, row, i]
        noise.push[row, i] = total


@elementwise
def _draw_step_normals(
    noise: TileNoise, key: NDArray[np.uint64], row: int, sample: int, step: int, first: int, count: int
) -> None:
    """Write the draws of a step to the numbers of the noise; where kicks are averaged, the mean with those before."""
    if not noise.averaged:
        write_normals(key[0], key[1], step, sample, noise.words, noise.numbers, count)
        return
    before = noise.before[row, first:]
    T = before.dtype.type
    if step == 0:
        # Half of the first draw is missing: sqrt(3) of the other half makes up for its variance.
        write_normals(key[0], key[1], step, sample, noise.words, noise.numbers, count)
        for i in range(count):
            before[i] = T(np.sqrt(3.0)) * noise.numbers[i]
    write_normals(key[0], key[1], step + 1, sample, noise.words, noise.numbers, count)
    for i in range(count):
        fresh = noise.numbers[i]
        noise.numbers[i] = T(0.5) * (before[i] + fresh)
        before[i] = fresh


@elementwise
def _write_white_increment(scale: Reals, numbers: Reals, r: int, kick: Reals) -> None:
    for i in range(kick.shape[1]):
        kick[r, i] = scale[r, i] * numbers[i]


@elementwise
def _write_joint_increment(root: Reals, numbers: Reals, r: int, kick: Reals) -> None:
    for i in range(kick.shape[1]):
        kick[r, i] = kick.dtype.type(0.0)
    for j in range(kick.shape[1]):
        for i in range(kick.shape[1]):
            kick[r, i] += root[r, j, i] * numbers[j]


@elementwise
def _add_common_increment(scale: Reals, number: float, r: int, kick: Reals) -> None:
    for i in range(kick.shape[1]):
        kick[r, i] += scale[i] * number


@elementwise
def draw_noise_increment(noise: TileNoise, first: int, stop: int, tile: Tile, last: bool) -> None:
    """Draw the noise of one step of the running samples ``first:stop``: the kicks and pushes of all their planes.

    After the `last` step there is no kick, and the push is that of the moment.
    """
    units, planes = noise.white.shape[1], noise.keys.shape[0]
    for r in range(first, stop):
        if tile.status[r] != RUNNING:
            continue
        sample, step = noise.ids[r], tile.steps[r]
        for plane in range(planes):
            row, keys = planes * r + plane, noise.keys[plane]
            if last:
                _sum_slow_noise(noise, row, units)
                continue
            if noise.memory.shape[0] > 0:
                _advance_slow_noise(noise, keys, row, sample, step, units)
            _draw_step_normals(noise, keys[0], row, sample, step, 0, units)
            if noise.root.shape[0] > 0:
                _write_joint_increment(noise.root, noise.numbers, row, noise.kick)
            else:
                _write_white_increment(noise.white, noise.numbers, row, noise.kick)
            if noise.common[0] > 0.0:
                _draw_step_normals(noise, keys[1], row, sample, step, units, 1)
                _add_common_increment(noise.common, noise.numbers[0], row, noise.kick)


@elementwise
def gather(window: Window, tile: Tile, r: int, planes: int) -> None:
    """Add the present activity of sample `r` to its block of the window."""
    step = tile.steps[r] - window.first
    if step < 0:
        return
    block = min(step // window.block, window.sums.shape[0] - 1)
    for p in range(planes * r, planes * r + planes):
        total, square, a = window.sums[block, p], window.squares[p], tile.a[p]
        for i in range(a.shape[0]):
            x = np.float64(a[i])
            total[i] += x
            square[i] += x * x
