"""Pulses on the cells of one block, compiled: how many each cell gets, and the walk they make it take.

`devices.steps` is the specification of one pulse. Every draw is a function of the key, the cell and
the number of the pulse, never of the other cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices import steps

from .compile import elementwise, kernel, law
from .vector import exp2, log, pairs, philox, philox_at

Array = NDArray[np.float64]
Counts = NDArray[np.int32]
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Noise = NDArray[np.float32]

for function in (
    steps.interpolated,
    steps.multiplier,
    steps.nearest,
    steps.rounded,
    steps.coincidences,
):
    law(function)

_COUNTS, _FIRST = 0, 1
"""Step numbers of the draws: of the number of pulses, and of the noise of the first four; others follow."""


class Block(NamedTuple):
    """The cells of one block, all arrays (rows, columns); see `devices.cells.Cells`."""

    weight: Array
    """State; changed in place."""

    step: Array
    """Signed step, down and up, (2, rows, columns)."""

    bend: Array
    """Bend, down and up, (2, rows, columns)."""

    low: Array
    high: Array


class Train(NamedTuple):
    """How requests become pulses, and how noisy those are; see `devices.cells.Shape`."""

    key_0: np.uint64
    key_1: np.uint64
    rule: int
    length: int
    step: float
    offset: float
    code: int
    curves: Array
    nodes: Array
    cycle_sigma: float
    additive: bool
    cycle_add: float
    cycle_slope: float


@elementwise
def _count_row(request: Array, train: Train, r: int, words: Words, none: Array, counts: Counts) -> int:
    """Write the pulses of every cell of a row; return the longest train."""
    columns, longest = request.shape[1], 0
    quarter = (columns + 3) // 4
    wanted, row, rule, length = request[r], counts[r], train.rule, train.length
    offset, step = train.offset, train.step
    if rule != steps.NEAREST:
        philox(train.key_0, train.key_1, _COUNTS, r, words, quarter)
    if rule == steps.COINCIDENCES:
        for j in range(columns):
            share = min(abs(wanted[j] + offset) / (step * length), 1.0)
            # Log in base e of the larger of meeting and not meeting, at least 1/2: far from any underflow.
            none[j] = exp2(1.4426950408889634 * length * log(max(share, 1.0 - share)))
    for slot in range(4):
        draws, first = words[slot], slot * quarter
        for j in range(first, min(first + quarter, columns)):
            pulses, uniform = (wanted[j] + offset) / step, (np.float64(draws[j - first]) + 0.5) * 2.0**-32
            if rule == steps.NEAREST:
                row[j] = steps.nearest(pulses)
            elif rule == steps.STOCHASTIC:
                row[j] = steps.rounded(pulses, uniform)
            else:
                share = min(abs(pulses) / length, 1.0)
                met = steps.coincidences(min(share, 1.0 - share), length, uniform, none[j]) if uniform > none[j] else 0
                met = met if share <= 0.5 else length - met
                row[j] = met if pulses > 0.0 else -met
            longest = max(longest, abs(row[j]))
    return longest


@elementwise
def _walk_row(block: Block, train: Train, r: int, counts: Counts, chosen: Integers, words: Words, noise: Noise) -> None:
    """Move the cells of a row by their pulses, four at a time."""
    # Everything in local names: a NamedTuple handed to a call in the innermost loop costs ten times the pulse.
    weight, row, code, sigma, additive = block.weight[r], counts[r], train.code, train.cycle_sigma, train.additive
    sizes, bends, lows, highs = block.step[:, r], block.bend[:, r], block.low[r], block.high[r]
    add, slope, curves, nodes = train.cycle_add, train.cycle_slope, train.curves, train.nodes
    count, group = 0, 0
    for j in range(row.shape[0]):
        chosen[count] = j
        count += row[j] != 0 and highs[j] > lows[j]
    while count > 0:
        if sigma > 0.0:
            philox_at(train.key_0, train.key_1, _FIRST + group, r, chosen, words, count)
            pairs(words[0, :count], words[1, :count], noise[0, :count], noise[1, :count])
            pairs(words[2, :count], words[3, :count], noise[2, :count], noise[3, :count])
        left = 0
        for i in range(count):
            j = chosen[i]
            up, pulses = int(row[j] > 0), abs(row[j]) - 4 * group
            w, low, high, step, bend = weight[j], lows[j], highs[j], sizes[up, j], bends[up, j]
            for k in range(min(pulses, 4)):
                if code == steps.LINEAR:
                    change = step * (1.0 - bend * w)
                else:
                    change = step * steps.multiplier(code, w, low, high, bend, curves[up], nodes[up])
                size = step if additive else abs(change) + add + slope * abs(w)
                w = min(max(w + change + sigma * size * noise[k, i], low), high)
            weight[j] = w
            chosen[left] = j
            left += pulses > 4
        count, group = left, group + 1


@kernel
def pulse(block: Block, request: Array, train: Train, counts: Counts) -> None:
    """Apply the pulses that become of a request (rows, columns); `counts` of the same shape takes them, with sign.

    A cell without room, ``high <= low``, does not move.
    """
    rows, columns = request.shape
    words, noise = np.zeros((4, columns), dtype=np.uint64), np.zeros((4, columns), dtype=np.float32)
    chosen, none = np.zeros(columns + 1, dtype=np.int64), np.zeros(columns)
    for r in range(rows):
        if _count_row(request, train, r, words, none, counts) > 0:
            _walk_row(block, train, r, counts, chosen, words, noise)
