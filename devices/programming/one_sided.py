"""Pairs of devices that pulses can only raise: two draws per cell, when a pair is full, and what a reset leaves.

``w = g+ - g-`` (G. W. Burr et al., IEEE Trans. Electron Devices 62, 2015; thresholds of refresh as in M. J. Rasch et
al., AICAS 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..random import Stream
from .laws import OneSidedCells, Step
from .sampled import CellConstants, sample_cells

Array = NDArray[np.float64]


class SignDevices(NamedTuple):
    """The devices of one sign of all pairs of a block."""

    cells: CellConstants
    """Constants of their pulses."""

    reset: Array
    """What a reset leaves in the mean, of the shape of the block; units of the weight."""


class DevicePairs(NamedTuple):
    """Both devices of every pair of a block."""

    plus: SignDevices
    minus: SignDevices


def sample_pair(law: Step, shape: tuple[int, ...], stream: Callable[[str], Stream]) -> DevicePairs:
    """Return the pairs of one block, drawn.

    Parameters
    ----------
    law : Step
        What each device does, with `one_sided`.
    shape : tuple of int
        One pair per parameter.
    stream : callable
        ``stream(name)`` gives the stream of one property; those of g- are called ``minus/<name>``.
    """
    pair = law.one_sided or OneSidedCells()

    def device(sign: str) -> SignDevices:
        spread = pair.reset_sigma * stream(f"{sign}reset").normal(shape) if pair.reset_sigma else 0.0
        return SignDevices(
            sample_cells(law, shape, lambda name: stream(sign + name)), np.full(shape, pair.reset) + spread
        )

    return DevicePairs(device(""), device("minus/"))


def compute_rest_conductances(pair: OneSidedCells, drawn: DevicePairs) -> Array:
    """Return the conductance of both devices of every pair when it is programmed: `reset`, as far as they can."""
    return np.minimum(pair.reset, np.minimum(drawn.plus.cells.high, drawn.minus.cells.high))


def compute_pair_limits(drawn: DevicePairs, common: Array) -> tuple[Array, Array]:
    """Return the least and the largest weight of pairs whose smaller device is at `common`."""
    return common - drawn.minus.cells.high, drawn.plus.cells.high - common


def find_full_pairs(pair: OneSidedCells, w_max: float, plus: Array, minus: Array) -> NDArray[np.bool_]:
    """Return which pairs are to be refreshed.

    They have ``max(g+, g-) > refresh_above w_max`` and ``min(g+, g-) > refresh_spare w_max``.

    Parameters
    ----------
    pair : OneSided
        Both shares.
    w_max : float
        Mean upper bound of a device; units of the weight.
    plus, minus : array
        ``g+`` and ``g-``.
    """
    larger, smaller = np.maximum(plus, minus), np.minimum(plus, minus)
    return np.asarray((larger > pair.refresh_above * w_max) & (smaller > pair.refresh_spare * w_max))


def apply_reset(pair: OneSidedCells, device: SignDevices, xi: Array | None) -> Array:
    """Return what a reset leaves in devices, ``max(reset + reset_cycle_sigma xi, 0)``, at most their upper bounds.

    Parameters
    ----------
    pair : OneSided
        Spread from reset to reset.
    device : Device
        The devices.
    xi : array or None
        Standard normal numbers; None: no spread.
    """
    left = device.reset if xi is None else device.reset + pair.reset_cycle_sigma * xi
    return np.clip(left, device.cells.low, device.cells.high)
