"""From a requested weight to the conductances that hold it: window, levels, pairs, spread, stuck devices.

The order is: requested weight, window and levels, spread of the devices, stuck devices. Gains of the
paths and wires come behind, as they are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..random import Stream
from .cell import WeightDevices, sample_cell_gains, sample_cell_offsets

Array = NDArray[np.float64]


class PolarityDevices(NamedTuple):
    """The devices of one polarity of an array of cells, as they were made; arrays of the shape of the weight."""

    gain: Array
    """Factor of the programmed conductance."""

    offset: Array | None
    """Added to it; None: nothing."""

    stuck: NDArray[np.bool_] | None
    """Devices that cannot be programmed; None: none of them."""

    def read_backwards(self, mirror: Callable[[NDArray[Any]], NDArray[Any]]) -> PolarityDevices:
        """Return the same devices, read in the other direction; `mirror` turns an array of weights round."""
        offset = None if self.offset is None else mirror(self.offset)
        return PolarityDevices(mirror(self.gain), offset, None if self.stuck is None else mirror(self.stuck))


def sample_polarity_devices(
    shape: tuple[int, ...], cells: WeightDevices, spread: Stream, defects: Stream
) -> PolarityDevices:
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
    gain = sample_cell_gains(shape, cells.sigma, spread, cells.mismatch)
    return PolarityDevices(gain, sample_cell_offsets(shape, cells.sigma, spread, cells.mismatch), stuck)


def clip_to_window(cells: WeightDevices, weight: Array) -> Array:
    """Return weights cut to the window; a pair reaches from minus to plus its width."""
    if cells.window is None:
        return weight
    low, high = cells.window
    if cells.cell == "pair":
        low, high = low - high, high - low
    return np.asarray(np.clip(weight, low, high))


def program_weight(cells: WeightDevices, weight: Array) -> Array:
    """Return what cells are programmed to when `weight` is requested: cut to the window, to the nearest level.

    Within a window and without levels this is the request, bit for bit.
    """
    inside = clip_to_window(cells, weight)
    if cells.window is None or cells.levels is None:
        return inside
    low = cells.window[0]
    # The levels of a pair lie on both sides of 0, where both devices rest.
    step = (cells.window[1] - cells.window[0]) / (cells.levels - 1)
    zero = 0.0 if cells.cell == "pair" else low
    return np.asarray(zero + step * np.rint((inside - zero) / step))


def compute_conductances(
    cells: WeightDevices, weight: Array, positive: PolarityDevices, negative: PolarityDevices
) -> tuple[Array, Array]:
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
    plus = _compute_device_conductance(cells, rest + np.maximum(weight, 0.0), positive)
    return np.maximum(plus, 0.0), np.maximum(
        _compute_device_conductance(cells, rest + np.maximum(-weight, 0.0), negative), 0.0
    )


def compute_effective_weight(
    cells: WeightDevices, weight: Array, positive: PolarityDevices, negative: PolarityDevices | None
) -> Array:
    """Return the weights that cells really hold when `weight`, as `held` gives it, is programmed.

    Without spread and stuck devices this is `weight`, bit for bit. `negative` is used by pairs only.
    """
    if not cells.spread:
        return weight
    if negative is None:
        return _compute_device_conductance(cells, weight, positive)
    plus, minus = compute_conductances(cells, weight, positive, negative)
    return plus - minus


def compute_weight_moments(cells: WeightDevices, weight: Array) -> tuple[Array, Array]:
    """Return mean and variance over chips of the weights that cells hold when `weight`, as `held` gives it, is asked.

    The devices of a pair are cut at 0: a device that rests there and has an additive spread holds
    ``sigma/sqrt(2 pi)`` in the mean. Stuck devices count; the log-normal spread counts to first order.

    Parameters
    ----------
    cells : WeightDevices
        Spread of one device, and how many are stuck.
    weight : array
        Units of the weight.
    """
    if cells.cell == "single":
        return _compute_device_moments(cells, weight)
    rest = cells.window[0] if cells.window else 0.0
    plus, minus = (_compute_device_moments(cells, rest + np.maximum(s * weight, 0.0)) for s in (1.0, -1.0))
    return plus[0] - minus[0], plus[1] + minus[1]


def _compute_device_moments(cells: WeightDevices, programmed: Array) -> tuple[Array, Array]:
    """Return mean and variance of what devices of one polarity hold."""
    spread = np.full(programmed.shape, cells.sigma) if cells.mismatch == "additive" else cells.sigma * programmed
    mean, variance = programmed, spread**2
    if cells.cell == "pair" and cells.mismatch != "lognormal":
        mean, variance = _rectify_normal_moments(programmed, np.abs(spread))
    if cells.stuck_fraction == 0.0:
        return mean, variance
    share, away = cells.stuck_fraction, mean - cells.stuck_at
    return mean - share * away, (1.0 - share) * (variance + share * away**2)


def _rectify_normal_moments(mean: Array, spread: Array) -> tuple[Array, Array]:
    """Return mean and variance of ``max(x, 0)`` of a normal `x`, where `mean` is at least 0."""
    moves = spread > 0.0
    z = np.where(moves, mean, 0.0) / np.where(moves, spread, 1.0)
    below = 0.5 * np.vectorize(math.erfc, otypes=[float])(z / math.sqrt(2.0))
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    first = np.where(moves, mean * (1.0 - below) + spread * density, mean)
    second = (mean**2 + spread**2) * (1.0 - below) + mean * spread * density
    return first, np.where(moves, second - first**2, 0.0)


def _compute_device_conductance(cells: WeightDevices, programmed: Array, devices: PolarityDevices) -> Array:
    real = programmed * devices.gain
    if devices.offset is not None:
        real += devices.offset
    if devices.stuck is not None:
        real[devices.stuck] = cells.stuck_at
    return np.asarray(real)
