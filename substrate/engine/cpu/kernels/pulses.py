"""Pulses on the cells of one block, compiled: how many each cell gets, and the walk they make it take.

`devices.programming.pulse` is the specification of one pulse. Every draw is a function of the key, the cell and the
number of the pulse, never of the other cells. All cells of a row take their first pulse, then their second: without
branches from cell to cell while many move, one by one when few are left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.programming import pulse

from ..compile import elementwise, kernel, law
from .elementwise import exp2, log, write_normal_pairs, write_normals, write_philox, write_philox_at

Array = NDArray[np.float64]
Counts = NDArray[np.int32]
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Noise = NDArray[np.float32]

for function in (
    pulse.interpolate_nodes,
    pulse.compute_step_multiplier,
    pulse.round_to_nearest,
    pulse.round_stochastically,
):
    law(function)

_COUNTS, FIRST = 0, 1
"""Step numbers of the draws: of the number of pulses, and of the noise of the first one; others follow."""

FEW = 4
"""Few cells move if fewer than one in so many."""


class CellBlock(NamedTuple):
    """The cells of one block, all arrays (rows, columns); see `devices.programming.sampled.CellConstants`."""

    weight: Array
    """State; changed in place."""

    step: Array
    """Signed step, down and up, (2, rows, columns)."""

    bend: Array
    """Bend, down and up, (2, rows, columns)."""

    low: Array
    high: Array


class PulseTrain(NamedTuple):
    """How requests become pulses, and what these do."""

    key_0: np.uint64
    key_1: np.uint64
    rule: int
    length: int
    step: float
    offset: float
    law: pulse.PulseLaw


class RowScratch(NamedTuple):
    """Room for the draws of one row; `q` is a quarter of its columns, rounded up."""

    words: Words
    """(4, q)."""

    noise: Noise
    """Normal numbers of the columns, (4 q,)."""

    reals: Array
    """(5, 4 q)."""

    chosen: Integers
    """Columns that still move, (columns,)."""

    places: Integers
    """Their counters."""

    drawn: Words
    """Their words, (4, columns)."""

    normal: Noise
    """Their normal numbers, in pairs, (2, columns)."""


@elementwise
def _convert_to_uniforms(words: Words, uniform: Array) -> None:
    """Write words (4, q) as numbers in (0, 1)."""
    quarter = words.shape[1]
    for slot in range(4):
        row, part = words[slot], uniform[slot * quarter : (slot + 1) * quarter]
        for j in range(quarter):
            part[j] = (np.float64(np.int64(row[j])) + 0.5) * 2.0**-32


@elementwise
def _sample_coincidences(pulses: Array, length: int, uniform: Array, reals: Array, counts: Counts) -> None:
    """Write how often two random trains meet (Gokmen & Vlasov 2016): binomial numbers, the quantiles of `uniform`.

    They meet in one of `length` places with probability ``|pulses|/length``. Where that is more than 1/2, what is
    drawn is how often they do not meet.
    """
    columns, total, mass, odds = counts.shape[0], reals[0], reals[1], reals[2]
    for j in range(columns):
        share = min(abs(pulses[j]) / length, 1.0)
        rare = min(share, 1.0 - share)
        odds[j] = rare / (1.0 - rare)
        # Log in base e of a number of at least 1/2: far from any underflow.
        mass[j] = exp2(1.4426950408889634 * length * log(1.0 - rare))
        total[j] = mass[j]
        counts[j] = 0
    count, left = 0, 1
    while left > 0 and count < length:
        ratio, left, count = (length - count) / (count + 1.0), 0, count + 1
        for j in range(columns):
            more = int(total[j] < uniform[j])
            counts[j] += more
            left += more
            mass[j] *= odds[j] * ratio
            total[j] += mass[j]
    for j in range(columns):
        met = counts[j] if abs(pulses[j]) <= 0.5 * length else length - counts[j]
        counts[j] = met if pulses[j] > 0.0 else -met


@elementwise
def _count_row_pulses(request: Array, train: PulseTrain, r: int, room: RowScratch, counts: Counts) -> None:
    """Write the pulses of every cell of a row."""
    columns, offset, step, rule, words = request.shape[0], train.offset, train.step, train.rule, room.words
    pulses, uniform = room.reals[3], room.reals[4]
    for j in range(columns):
        pulses[j] = (request[j] + offset) / step
    if rule != pulse.NEAREST:
        write_philox(train.key_0, train.key_1, _COUNTS, r, words, words.shape[1])
        _convert_to_uniforms(words, uniform)
    if rule == pulse.NEAREST:
        for j in range(columns):
            counts[j] = pulse.round_to_nearest(pulses[j])
    elif rule == pulse.STOCHASTIC:
        for j in range(columns):
            counts[j] = pulse.round_stochastically(pulses[j], uniform[j])
    else:
        _sample_coincidences(pulses, train.length, uniform, room.reals, counts)


@elementwise
def draw_pulse_noise(train: PulseTrain, pulse: int, r: int, left: int, room: RowScratch) -> None:
    """Write the noise of one pulse of the chosen columns, the same as that of all columns."""
    quarter, chosen, places, drawn, normal = room.words.shape[1], room.chosen, room.places, room.drawn, room.normal
    for i in range(left):
        j = chosen[i]
        places[i] = j - quarter * (np.int64(j >= quarter) + np.int64(j >= 2 * quarter) + np.int64(j >= 3 * quarter))
    write_philox_at(train.key_0, train.key_1, pulse, r, places, drawn, left)
    for i in range(left):
        pair = 2 if chosen[i] >= 2 * quarter else 0
        drawn[0, i], drawn[1, i] = drawn[pair, i], drawn[pair + 1, i]
    write_normal_pairs(drawn[0, :left], drawn[1, :left], normal[0, :left], normal[1, :left])
    for i in range(left):
        j = chosen[i]
        room.noise[j] = normal[1 if (quarter <= j < 2 * quarter) | (j >= 3 * quarter) else 0, i]


@elementwise
def _count_left(counts: Counts, k: int) -> int:
    """Return how many cells take more than `k` pulses."""
    left, pulses = 0, np.int32(k)
    for j in range(counts.shape[0]):
        left += int(abs(counts[j]) > pulses)
    return left


@elementwise
def _apply_pulse_all(block: CellBlock, train: PulseTrain, r: int, counts: Counts, k: int, noise: Noise) -> None:
    """Give pulse `k` of a linear law to all cells of a row that take it."""
    weight, low, high, sigma, additive = (
        block.weight[r],
        block.low[r],
        block.high[r],
        train.law.cycle_sigma,
        train.law.additive,
    )
    down, up, bend_down, bend_up = block.step[0, r], block.step[1, r], block.bend[0, r], block.bend[1, r]
    for j in range(counts.shape[0]):
        # All numbers of a cell are loaded before any is chosen: a load behind a condition prevents vectors.
        w, pulses, bottom, top, xi = weight[j], counts[j], low[j], high[j], np.float64(noise[j])
        rise, fall, bend_rise, bend_fall = up[j], down[j], bend_up[j], bend_down[j]
        step = rise if pulses > 0 else fall
        change = step * (1.0 - (bend_rise if pulses > 0 else bend_fall) * w)
        size = step if additive else abs(change)
        moved = min(max(w + change + sigma * size * xi, bottom), top)
        weight[j] = moved if (abs(pulses) > k) & (bottom < top) else w


@elementwise
def apply_pulse_chosen(
    block: CellBlock, train: PulseTrain, r: int, counts: Counts, k: int, room: RowScratch, left: int
) -> int:
    """Give pulse `k` to the chosen cells; return how many of them take another one, which stay chosen."""
    # Everything in local names: a NamedTuple handed to a call in the innermost loop costs ten times the pulse.
    weight, lows, highs, sizes, bends = block.weight[r], block.low[r], block.high[r], block.step[:, r], block.bend[:, r]
    law, chosen, noise, stay = train.law, room.chosen, room.noise, 0
    code, sigma, additive, curves, nodes = law.code, law.cycle_sigma, law.additive, law.curves, law.nodes
    add, slope = law.cycle_add, law.cycle_slope
    for i in range(left):
        j = chosen[i]
        up = int(counts[j] > 0)
        w, low, high, step, bend = weight[j], lows[j], highs[j], sizes[up, j], bends[up, j]
        if code == pulse.LINEAR:
            change = step * (1.0 - bend * w)
        else:
            change = step * pulse.compute_step_multiplier(code, w, low, high, bend, curves[up], nodes[up])
        size = step if additive else abs(change) + add + slope * abs(w)
        moved = min(max(w + change + sigma * size * noise[j], low), high)
        weight[j] = moved if low < high else w
        chosen[stay] = j
        stay += int(abs(counts[j]) > k + 1)
    return stay


@elementwise
def _apply_row_pulses(block: CellBlock, train: PulseTrain, r: int, counts: Counts, room: RowScratch) -> None:
    """Move the cells of a row by their pulses."""
    columns, chosen, noisy = counts.shape[0], room.chosen, train.law.cycle_sigma > 0.0
    k, left, linear = 0, _count_left(counts, 0), train.law.code <= pulse.LINEAR
    while linear and left * FEW > columns:
        if noisy:
            write_normals(train.key_0, train.key_1, FIRST + k, r, room.words, room.noise, columns)
        _apply_pulse_all(block, train, r, counts, k, room.noise)
        k += 1
        left = _count_left(counts, k)
    if left == 0:
        return
    left = 0
    for j in range(columns):
        chosen[left] = j
        left += int(abs(counts[j]) > k)
    while left > 0:
        if noisy and left * FEW > columns:
            write_normals(train.key_0, train.key_1, FIRST + k, r, room.words, room.noise, columns)
        elif noisy:
            draw_pulse_noise(train, FIRST + k, r, left, room)
        left = apply_pulse_chosen(block, train, r, counts, k, room, left)
        k += 1


@elementwise
def make_row_scratch(columns: int) -> RowScratch:
    """Return room for the draws of rows of so many columns."""
    quarter = (columns + 3) // 4
    return RowScratch(
        np.zeros((4, quarter), dtype=np.uint64),
        np.zeros(4 * quarter, dtype=np.float32),
        np.zeros((5, 4 * quarter)),
        np.zeros(columns + 1, dtype=np.int64),
        np.zeros(columns, dtype=np.int64),
        np.zeros((4, columns), dtype=np.uint64),
        np.zeros((2, columns), dtype=np.float32),
    )


@kernel
def apply_pulses(block: CellBlock, request: Array, train: PulseTrain, counts: Counts) -> tuple[int, int, int]:
    """Apply the pulses that become of a request (rows, columns); `counts` of the same shape takes them, with sign.

    A cell without room, ``high <= low``, does not move. Returns the pulses of all cells, how many cells got none
    although something was requested, and how many were asked for more than one write can give.
    """
    rows, columns = request.shape
    room, most = make_row_scratch(columns), train.length if train.rule == pulse.COINCIDENCES else pulse.LONGEST
    pulses, lost, cut = 0, 0, 0
    for r in range(rows):
        wanted, row = request[r], counts[r]
        _count_row_pulses(wanted, train, r, room, row)
        for j in range(columns):
            pulses += abs(int(row[j]))
            lost += int((row[j] == 0) & (wanted[j] != 0.0))
            cut += int(abs(wanted[j] + train.offset) > most * train.step)
        _apply_row_pulses(block, train, r, row, room)
    return pulses, lost, cut


@elementwise
def _raise_row_devices(
    block: CellBlock, target: Array, train: PulseTrain, r: int, longest: Counts, room: RowScratch
) -> int:
    """Step the devices of a row up; return the pulses that took."""
    weight, high, chosen, columns = block.weight[r], block.high[r], room.chosen, target.shape[0]
    noisy, near, left, pulses, k = train.law.cycle_sigma > 0.0, 0.5 * train.step, 0, 0, 0
    for j in range(columns):
        chosen[left] = j
        left += int((weight[j] + near < target[j]) & (weight[j] < high[j]))
    while left > 0:
        if noisy and left * FEW > columns:
            write_normals(train.key_0, train.key_1, FIRST + k, r, room.words, room.noise, columns)
        elif noisy:
            draw_pulse_noise(train, FIRST + k, r, left, room)
        pulses += left
        still, left = apply_pulse_chosen(block, train, r, longest, k, room, left), 0
        for i in range(still):
            j = chosen[i]
            chosen[left] = j
            left += int((weight[j] + near < target[j]) & (weight[j] < high[j]))
        k += 1
    return pulses


@kernel
def raise_devices(block: CellBlock, target: Array, train: PulseTrain, longest: int) -> int:
    """Step devices up, one pulse at a time, until they are within half a nominal step of a target or above it.

    `target` is (rows, columns). A device stops at its bound, and after `longest` pulses. Returns the pulses of all.
    """
    rows, columns = target.shape
    room, most, pulses = make_row_scratch(columns), np.full(columns, longest, dtype=np.int32), 0
    for r in range(rows):
        pulses += _raise_row_devices(block, target[r], train, r, most, room)
    return pulses
