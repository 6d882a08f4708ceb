"""One-sided pairs of one chip: requests become up pulses of one device or the other, and full pairs are refreshed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.programming.laws import OneSidedCells, Step
from devices.programming.one_sided import DevicePairs, SignDevices, apply_reset, find_full_pairs
from devices.random import Stream

from ..engine.door import CellBlock, apply_pulses, make_cell_block, make_pulse_train, raise_devices
from .budget import WriteOutcome

Array = NDArray[np.float64]


class _MovedDevices(NamedTuple):
    """The devices of one sign, as they are moved."""

    device: SignDevices
    moving: CellBlock
    sign: str
    """Prefix of the names of their draws."""


class OneSidedBlocks:
    """Pairs of all blocks.

    Parameters
    ----------
    law : Step
        What each device does, with `one_sided`.
    drawn : mapping of block name to Pair
        Sampled constants of both devices of every pair.
    stream : callable
        ``stream(purpose)`` names the draws of this chip.
    """

    def __init__(self, law: Step, drawn: Mapping[str, DevicePairs], stream: Callable[[str], Stream]) -> None:
        self._law, self._one, self._stream = law, law.one_sided or OneSidedCells(), stream
        self.drawn = drawn
        """Sampled constants of both devices of every pair, by block."""
        self._sides = {
            name: (
                _MovedDevices(pair.plus, make_cell_block(pair.plus.cells), ""),
                _MovedDevices(pair.minus, make_cell_block(pair.minus.cells), "minus/"),
            )
            for name, pair in self.drawn.items()
        }

    def step(
        self, block: str, weight: Array, common: Array, request: Array, name: str
    ) -> tuple[NDArray[np.int32], Array, WriteOutcome]:
        """Step the pairs of a block by a request, and refresh those that are full then; all of the shape of the block.

        Returns the pulses of the request, with sign, ``min(g+, g-)`` afterwards, and what became of the request.

        Parameters
        ----------
        block, name : str
            Names of the block and of the draws of this write.
        weight, common : array
            ``g+ - g-`` and ``min(g+, g-)``; units of the weight.
        request : array
            Requested change of the weight.
        """
        wanted = request + self._law.offset
        (plus, ups, most), (minus, downs, least) = (
            self._pulsed(side, common + np.maximum(s * weight, 0.0), np.maximum(s * wanted, 0.0), f"{block}/{name}")
            for side, s in zip(self._sides[block], (1.0, -1.0), strict=True)
        )
        touched = (ups != 0) | (downs != 0)
        pulses, lost = int(ups.sum() + downs.sum()), int(np.count_nonzero((request != 0.0) & ~touched))
        due = touched & find_full_pairs(self._one, float(self._law.w_max or 0.0), plus, minus)
        count, spent = int(np.count_nonzero(due)), 0
        if count:
            plus, minus, spent = self._refreshed(block, plus, minus, due, name)
        # Without a pulse every bit of the weight stays.
        after = np.where(touched, plus - minus, weight)
        common = np.where(touched, np.minimum(plus, minus), common)
        return ups - downs, common, WriteOutcome(after, pulses + spent, lost, most + least, count, spent)

    def _pulsed(
        self, side: _MovedDevices, conductance: Array, wanted: Array, name: str
    ) -> tuple[Array, NDArray[np.int32], int]:
        """Return the devices of one sign after their pulses, these, and how many were asked for too many."""
        rows = side.moving.low.shape
        new, counts = np.ascontiguousarray(conductance).reshape(rows), np.zeros(rows, dtype=np.int32)
        train = make_pulse_train(self._law, self._stream(f"write/{side.sign}{name}"), 0.0)
        asked = np.ascontiguousarray(wanted).reshape(rows)
        _, _, cut = apply_pulses(side.moving._replace(weight=new), asked, train, counts)
        return new.reshape(conductance.shape), counts.reshape(conductance.shape), int(cut)

    def _refreshed(
        self, block: str, plus: Array, minus: Array, due: NDArray[np.bool_], name: str
    ) -> tuple[Array, Array, int]:
        """Return both devices with those that are due reset and stepped back, and the pulses that took."""
        both, spent = [], 2 * int(np.count_nonzero(due))
        for side, before in zip(self._sides[block], (plus, minus), strict=True):
            noisy = self._one.reset_cycle_sigma > 0.0
            xi = self._stream(f"reset/{side.sign}{block}/{name}").normal(due.shape) if noisy else None
            both.append(np.ascontiguousarray(np.where(due, apply_reset(self._one, side.device, xi), before)))
        missing = (plus - minus) - (both[0] - both[1])
        for k, (side, s) in enumerate(zip(self._sides[block], (1.0, -1.0), strict=True)):
            target = np.ascontiguousarray(np.where(due & (s * missing > 0.0), both[k] + s * missing, -np.inf))
            rows = side.moving.low.shape
            train = make_pulse_train(self._law, self._stream(f"refresh/{side.sign}{block}/{name}"), 0.0)
            moved = side.moving._replace(weight=both[k].reshape(rows))
            spent += int(raise_devices(moved, target.reshape(rows), train, self._one.longest))
        return both[0], both[1], spent
