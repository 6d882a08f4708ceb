"""Noise on the membranes, compiled: draws that depend on names and indices, and averages over a window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compile import elementwise
from .kernels import Array, Integers, Reals, Tile
from .vector import normal_row

BLOCKS = 16
"""Blocks of an averaging window; their spread gives the standard error of the mean."""

_START = 2**40
"""Step number under which slow noise draws its value before the first step."""


class Noise(NamedTuple):
    """Noise of one tile; sources are white, common-mode, then one per Ornstein-Uhlenbeck process."""

    on: bool
    keys: NDArray[np.uint64]
    """Philox keys (sources, 2)."""

    ids: Integers
    """Names of the samples (samples,)."""

    white: Reals
    """Standard deviation of the white kick per step and unit (units,)."""

    common: Reals
    """The same for the kick that all units share."""

    memory: Array
    """Share of a slow process that survives a step, (processes,)."""

    size: Array
    """Standard deviation of a slow process, (processes,)."""

    slow: Reals
    """Slow processes (processes, samples, units); changed in place."""

    push: Reals
    """Their mean over the present step, added to the drift (samples, units)."""

    kick: Reals
    """White kick of the present step, added to the state (samples, units)."""

    words: NDArray[np.uint64]
    """Scratch (4, a quarter of the units)."""

    numbers: Reals
    """Scratch (all units, rounded up to a multiple of four)."""


class Window(NamedTuple):
    """Running sums of the activity over the last steps of a settling."""

    first: int
    """Step at which the window opens; beyond the last step: never."""

    block: int
    """Steps per block."""

    sums: Array
    """Sum of the activity (blocks, rows, units); changed in place."""

    squares: Array
    """Sum of its square (rows, units); changed in place."""


@elementwise
def _slow(noise: Noise, r: int, step: int, units: int) -> None:
    """Advance the slow processes by one step, exactly; their mean over the step is the trapezoid of both ends."""
    T = noise.push.dtype.type
    noise.push[r] = T(0.0)
    for k in range(noise.memory.shape[0]):
        x = noise.slow[k, r]
        if step == 0:
            normal_row(noise.keys[2 + k], _START, noise.ids[r], noise.words, noise.numbers, units)
            for i in range(units):
                x[i] = T(noise.size[k]) * noise.numbers[i]
        normal_row(noise.keys[2 + k], step, noise.ids[r], noise.words, noise.numbers, units)
        keep, fresh = T(noise.memory[k]), T(noise.size[k] * np.sqrt(1.0 - noise.memory[k] ** 2))
        for i in range(units):
            after = keep * x[i] + fresh * noise.numbers[i]
            noise.push[r, i] += T(0.5) * (x[i] + after)
            x[i] = after


@elementwise
def shake(noise: Noise, r: int, step: int) -> None:
    """Draw the noise of one step of sample `r`: its kick and its push."""
    units = noise.white.shape[0]
    _slow(noise, r, step, units)
    normal_row(noise.keys[0], step, noise.ids[r], noise.words, noise.numbers, units)
    for i in range(units):
        noise.kick[r, i] = noise.white[i] * noise.numbers[i]
    normal_row(noise.keys[1], step, noise.ids[r], noise.words[:, :1], noise.numbers[:4], 1)
    shared = noise.numbers[0]
    for i in range(units):
        noise.kick[r, i] += noise.common[i] * shared


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
