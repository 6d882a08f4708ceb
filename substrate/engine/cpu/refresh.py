"""Up pulses with a read after each, compiled: they bring devices back to a value after a reset."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compile import elementwise, kernel
from .elementwise import normals
from .pulses import FEW, FIRST, Block, Room, Train, noise_at, pulse_chosen, room_for

Array = NDArray[np.float64]
Counts = NDArray[np.int32]


@elementwise
def _raise_row(block: Block, target: Array, train: Train, r: int, longest: Counts, room: Room) -> int:
    """Step the devices of a row up; return the pulses that took."""
    weight, high, chosen, columns = block.weight[r], block.high[r], room.chosen, target.shape[0]
    noisy, near, left, pulses, k = train.law.cycle_sigma > 0.0, 0.5 * train.step, 0, 0, 0
    for j in range(columns):
        chosen[left] = j
        left += int((weight[j] + near < target[j]) & (weight[j] < high[j]))
    while left > 0:
        if noisy and left * FEW > columns:
            normals(train.key_0, train.key_1, FIRST + k, r, room.words, room.noise, columns)
        elif noisy:
            noise_at(train, FIRST + k, r, left, room)
        pulses += left
        still, left = pulse_chosen(block, train, r, longest, k, room, left), 0
        for i in range(still):
            j = chosen[i]
            chosen[left] = j
            left += int((weight[j] + near < target[j]) & (weight[j] < high[j]))
        k += 1
    return pulses


@kernel
def raised(block: Block, target: Array, train: Train, longest: int) -> int:
    """Step devices up, one pulse at a time, until they are within half a nominal step of a target or above it.

    `target` is (rows, columns). A device stops at its bound, and after `longest` pulses. Returns the pulses of all.
    """
    rows, columns = target.shape
    room, most, pulses = room_for(columns), np.full(columns, longest, dtype=np.int32), 0
    for r in range(rows):
        pulses += _raise_row(block, target[r], train, r, most, room)
    return pulses
