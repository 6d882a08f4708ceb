"""From a requested weight to the conductances that hold it: window, levels, pairs, spread, stuck devices.

The order is: requested weight, window and levels, spread of the devices, stuck devices. Gains of the
paths and wires come behind, as they are read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .mismatch import WeightDevices, cell_gains, cell_offsets
from .random import Stream

Array = NDArray[np.float64]


class Devices(NamedTuple):
    """The devices of one polarity of an array of cells, as they were made; arrays of the shape of the weight."""

    gain: Array
    """Factor of the programmed conductance."""

    offset: Array | None
    """Added to it; None: nothing."""

    stuck: NDArray[np.bool_] | None
    """Devices that cannot be programmed; None: none of them."""

    def transposed(self) -> Devices:
        """Return the same devices, read in the other direction."""
        offset = None if self.offset is None else self.offset.T
        return Devices(self.gain.T, offset, None if self.stuck is None else self.stuck.T)


def made(shape: tuple[int, ...], cells: WeightDevices, spread: Stream, defects: Stream) -> Devices:
    """Return the devices of one polarity, drawn.

    Parameters
    ----------
    shape : tuple of int
        One device per weight.
    cells : WeightDevices
        What they are like; levels in units of the weight.
    spread, defects : Stream
        Name the draws. The same stream gives the same stuck devices, and more as their share grows.
    """
    stuck = defects.uniform(shape) < cells.stuck_fraction if cells.stuck_fraction else None
    gain = cell_gains(shape, cells.sigma, spread, cells.mismatch)
    return Devices(gain, cell_offsets(shape, cells.sigma, spread, cells.mismatch), stuck)


def within(cells: WeightDevices, weight: Array) -> Array:
    """Return weights cut to the window; a pair reaches from minus to plus its width."""
    if cells.window is None:
        return weight
    low, high = cells.window
    if cells.cell == "pair":
        low, high = low - high, high - low
    return np.asarray(np.clip(weight, low, high))


def held(cells: WeightDevices, weight: Array) -> Array:
    """Return what cells are programmed to when `weight` is requested: cut to the window, to the nearest level.

    Within a window and without levels this is the request, bit for bit.
    """
    inside = within(cells, weight)
    if cells.window is None or cells.levels is None:
        return inside
    low = cells.window[0]
    # The levels of a pair lie on both sides of 0, where both devices rest.
    step = (cells.window[1] - cells.window[0]) / (cells.levels - 1)
    zero = 0.0 if cells.cell == "pair" else low
    return np.asarray(zero + step * np.rint((inside - zero) / step))


def conductances(cells: WeightDevices, weight: Array, positive: Devices, negative: Devices) -> tuple[Array, Array]:
    """Return the conductances ``G+`` and ``G-`` of pairs that hold `weight`; never negative.

    Parameters
    ----------
    cells : WeightDevices
        The pair.
    weight : array
        As `held` gives it.
    positive, negative : Devices
        The two devices of every pair.
    """
    rest = cells.window[0] if cells.window else 0.0
    plus = _device(cells, rest + np.maximum(weight, 0.0), positive)
    return np.maximum(plus, 0.0), np.maximum(_device(cells, rest + np.maximum(-weight, 0.0), negative), 0.0)


def effective(cells: WeightDevices, weight: Array, positive: Devices, negative: Devices | None) -> Array:
    """Return the weights that cells really hold when `weight`, as `held` gives it, is programmed.

    Without spread and stuck devices this is `weight`, bit for bit. `negative` is used by pairs only.
    """
    if not cells.spread:
        return weight
    if negative is None:
        return _device(cells, weight, positive)
    plus, minus = conductances(cells, weight, positive, negative)
    return plus - minus


def variance(cells: WeightDevices, weight: Array) -> Array:
    """Return the variance of the weights that cells hold over chips, first order in their spread; none are stuck."""
    if cells.mismatch == "additive":
        return np.full(weight.shape, cells.sigma**2 * (2.0 if cells.cell == "pair" else 1.0))
    rest = cells.window[0] if cells.cell == "pair" and cells.window else 0.0
    return np.asarray(cells.sigma**2 * ((np.abs(weight) + rest) ** 2 + rest**2))


def _device(cells: WeightDevices, programmed: Array, devices: Devices) -> Array:
    real = programmed * devices.gain
    if devices.offset is not None:
        real += devices.offset
    if devices.stuck is not None:
        real[devices.stuck] = cells.stuck_at
    return np.asarray(real)
