"""Noise and averaging windows of a settling: from parameters to what the kernels take, and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.neuron.noise import white_kick
from devices.random import Stream

from ..engine.cpu.noise import BLOCKS, Noise, Window
from ..protocol import State
from .autocorrelation import error_of_mean
from .machine import Drive, Machine, from_rows
from .methods import TABLES
from .slow_drive import PLANES

Array = NDArray[np.float64]
NEVER = 2**62


class Average(NamedTuple):
    """Mean activity over a window; arrays (batch, units), complex if the state is."""

    mean: State
    error: Array
    """Standard error of the mean (of both planes together if complex), see `substrate.dynamics.autocorrelation`.

    NaN for a window of less than three steps. No window shows what is slower than itself: where the correlation
    time is a third of the window or more, this is a lower bound.
    """

    autocorrelation: Array
    """Integrated autocorrelation time `t` in tau, in ``error^2 = 2 t/T variance`` for a window `T`."""


def make_noise(machine: Machine, drive: Drive, samples: slice, count: int, planes: int) -> Noise:
    """Return the noise of one tile."""
    noise, units, dtype, dt = machine.noise, machine.tau.shape[0], machine.dtype, machine.dynamics.dt
    on = noise.on
    times, sizes = noise.processes()
    seed, instance, phase = drive.names
    method, tau = machine.dynamics.method, machine.tau
    gain = -np.expm1(-dt / tau) if method == "exponential" else dt / tau
    slow = "" if drive.slow is None else drive.slow.name
    named = [(source, slow if source.startswith("slow") else phase) for source in noise.sources()]
    names = [f"noise{plane}/{source}/{name}" for plane in PLANES[:planes] for source, name in named]
    keys = np.array([Stream(seed, name, instance).key() for name in names], dtype=np.uint64)
    ids = np.arange(samples.start, samples.start + count) if drive.ids is None else drive.ids[samples]
    quarter = (units + 3) // 4
    places, shown = (planes * count, units) if on else (1, 1)
    values = np.zeros((max(len(times), 1), places, shown), dtype=dtype)
    for plane, value in enumerate(() if drive.slow is None else drive.slow.values):
        values[:, plane::planes] = value[:, samples]
    return Noise(
        on=on,
        keys=keys.reshape(planes, -1, 2),
        ids=np.array(ids, dtype=np.int64),
        averaged=len(TABLES[method].b) == 1,
        white=white_kick(noise.thermal * machine.thermal, gain).astype(dtype),
        common=white_kick(noise.common * machine.common, gain).astype(dtype),
        before=np.zeros((places, shown + 1), dtype=dtype),
        memory=np.exp(-dt / times),
        size=sizes,
        slow=values,
        push=np.zeros((places, shown), dtype=dtype),
        kick=np.zeros((places, shown), dtype=dtype),
        words=np.zeros((4, quarter), dtype=np.uint64),
        numbers=np.zeros(4 * quarter, dtype=dtype),
    )


def make_window(rows: int, units: int, first: int, steps: int, blocks: int = BLOCKS) -> Window:
    """Return an averaging window that opens at step `first`, of at most so many blocks; 0 steps: never."""
    if steps == 0:
        return Window(NEVER, 1, np.zeros((1, 1, 1)), np.zeros((1, 1)))
    length = -(-steps // min(blocks, steps))
    return Window(first, length, np.zeros((-(-steps // length), rows, units)), np.zeros((rows, units)))


def cycle(window: Window, index: NDArray[np.int64], planes: int) -> State:
    """Return the activity of every step of a window with one step per block, (steps, samples, units)."""
    return np.array([from_rows(total, index, planes) for total in window.sums])


def average(window: Window, index: NDArray[np.int64], planes: int, steps: int, dt: float) -> Average:
    """Return mean, standard error and autocorrelation time of one tile."""
    parts = np.array([from_rows(total, index, planes) for total in window.sums])
    mean = parts.sum(axis=0) / steps
    squares = from_rows(window.squares, index, planes)
    variance = np.maximum((np.real(squares) + np.imag(squares)) / steps - np.abs(mean) ** 2, 0.0)
    # The last block has the steps that are left.
    error = error_of_mean(parts[: steps // window.block] / window.block, variance, window.block, steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The variance of the signal is that within the window and that of its mean.
        time = np.where(error > 0.0, 0.5 * steps * dt * error**2 / (variance + error**2), 0.0)
    return Average(mean, error, time)
