"""Noise and averaging windows of one tile: from parameters to what the kernels take, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.neuron.noise import compute_white_increment

from ...dynamics.machine import Drive, Machine, compute_slow_deviations, compute_white_deviation
from ...dynamics.methods import TABLES
from ...protocol import State
from ..averages import summarise_window
from ..lengths import BLOCKS
from ..names import find_ids, make_keys
from ..protocol import Average
from .kernels.noise import TileNoise, Window
from .tiles import read_tile_rows

Array = NDArray[np.float64]

NEVER = 2**62
"""A step that no settling reaches."""


def make_noise(machine: Machine, drive: Drive, samples: slice, count: int, planes: int) -> TileNoise:
    """Return the noise of one tile."""
    noise, units, dtype, dt = machine.noise, machine.tau.shape[0], machine.dtype, machine.dynamics.dt
    on, times = machine.noisy, machine.slow_times
    method, tau = machine.dynamics.method, machine.tau
    gain = -np.expm1(-dt / tau) if method == "exponential" else dt / tau
    quarter = (units + 3) // 4
    places, shown = (planes * count, units) if on else (1, 1)
    values = np.zeros((max(len(times), 1), places, shown), dtype=dtype)
    for plane, value in enumerate(() if drive.slow is None else drive.slow.values):
        values[:, plane::planes] = value[:, samples]
    memory = np.exp(-dt / times)
    white, fresh = np.empty((places, units), dtype=dtype), np.empty((len(times), places, shown), dtype=dtype)
    for k, size in enumerate(compute_slow_deviations(machine, drive)):
        _fill_places(size * np.sqrt(1.0 - memory[k] ** 2), samples, fresh[k])
    return TileNoise(
        on=on,
        keys=make_keys(machine, drive, planes),
        ids=find_ids(drive, samples, count),
        averaged=len(TABLES[method].b) == 1,
        white=_fill_places(compute_white_increment(compute_white_deviation(machine, drive), gain), samples, white),
        root=_make_joint_increments(drive, gain, samples).astype(dtype),
        common=compute_white_increment(noise.common * machine.common, gain).astype(dtype),
        before=np.zeros((places, shown + 1), dtype=dtype),
        memory=memory,
        fresh=fresh,
        slow=values,
        push=np.zeros((places, shown), dtype=dtype),
        kick=np.zeros((places, shown), dtype=dtype),
        words=np.zeros((4, quarter), dtype=np.uint64),
        numbers=np.zeros(4 * quarter, dtype=dtype),
    )


def _make_joint_increments(drive: Drive, gain: Array, samples: slice) -> Array:
    """Return the weights of all draws in the kicks of every unit, (samples, draws, units); (0, 0, 0): its own alone."""
    if drive.cells is None or drive.cells.root is None:
        return np.zeros((0, 0, 0))
    return np.asarray(compute_white_increment(drive.cells.root[samples], gain))


def _fill_places(values: Array, samples: slice, places: Any) -> Any:
    """Write values (1 or batch, 1 or units) to the places of a tile, where the planes of a sample are neighbours."""
    own = values if len(values) == 1 else values[samples]
    planes = len(places) // len(own) if len(values) > 1 else 1
    for plane in range(planes):
        places[plane::planes] = own
    return places


def make_window(rows: int, units: int, first: int, steps: int, blocks: int = BLOCKS) -> Window:
    """Return an averaging window that opens at step `first`, of at most so many blocks; 0 steps: never."""
    if steps == 0:
        return Window(NEVER, 1, np.zeros((1, 1, 1)), np.zeros((1, 1)))
    length = -(-steps // min(blocks, steps))
    return Window(first, length, np.zeros((-(-steps // length), rows, units)), np.zeros((rows, units)))


def read_cycle(window: Window, index: NDArray[np.int64], planes: int) -> State:
    """Return the activity of every step of a window with one step per block, (steps, samples, units)."""
    return np.array([read_tile_rows(total, index, planes) for total in window.sums])


def read_average(window: Window, index: NDArray[np.int64], planes: int, steps: int, dt: float) -> Average:
    """Return mean, standard error and autocorrelation time of one tile."""
    sums = np.array([read_tile_rows(total, index, planes) for total in window.sums])
    return summarise_window(sums, read_tile_rows(window.squares, index, planes), window.block, steps, dt)
