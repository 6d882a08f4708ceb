"""Pulse trains of devices out of columns: from which state every pulse moved a device, and how far."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Column, Columns, group_devices, require_choice
from .fitted import FitError

Array = NDArray[np.float64]

COLUMNS = (
    Column("device", ("cell",), needed=False),
    Column("direction", ("pulse", "sign", "polarity")),
    Column("weight", ("conductance", "state"), unit="S"),
)

FEWEST = 16
"""Least reads of a device, and pulses of either direction."""

_SMOOTH = 5
"""Reads whose mean tells how far a device comes."""


class DeviceTrain(NamedTuple):
    """Pulses of one device that tell its law."""

    state: Array
    """Before the pulse, free of the noise of the change, (pulses,)."""

    change: Array
    up: NDArray[np.bool_]
    following: Array
    """Number of the pulse, so that neighbours are known."""

    low: float
    high: float
    """Least and largest state that it reached."""

    near: dict[bool, tuple[float, float]]
    """Mean state near the upper end, and mean change by pulses up there; the same of the lower end and pulses down."""


def cut_trains(columns: Columns) -> tuple[list[DeviceTrain], list[int], Array]:
    """Return the trains of good devices, the numbers of stuck ones, and changes of reads without a pulse.

    Raises
    ------
    FitError
        If directions are none, or there are too few pulses of both, or nothing moves.
    """
    require_choice(columns.path, "direction", columns.values["direction"], (-1.0, 0.0, 1.0))
    weight, direction = columns.values["weight"], columns.values["direction"]
    devices = group_devices(columns)
    spans = np.array([np.ptp(weight[lines]) for lines in devices])
    stuck = [k + 1 for k in range(len(devices)) if spans[k] <= 0.1 * np.median(spans)]
    if not spans.any():
        raise FitError(f"{columns.path.name}: no device moves; check the column weight")
    trains, repeats = [], []
    for k, lines in enumerate(devices):
        if k + 1 in stuck:
            continue
        if len(lines) < FEWEST:
            raise FitError(f"{columns.path.name}: device {k + 1} has {len(lines)} reads; give {FEWEST} or more")
        train, still = _cut_train(weight[lines], direction[lines])
        trains.append(train)
        repeats.append(still)
    ups = sum(int(train.up.sum()) for train in trains)
    if min(ups, sum(len(train.up) for train in trains) - ups) < FEWEST:
        raise FitError(
            f"{columns.path.name}: pulses up and down are needed, {FEWEST} of each or more; there are {ups} up"
        )
    return trains, stuck, np.concatenate(repeats)


def _cut_train(weight: Array, direction: Array) -> tuple[DeviceTrain, Array]:
    """Return the pulses of a device that tell its law, and changes of reads without a pulse."""
    change, sign = np.diff(weight), direction[1:]
    means = {way: float(np.median(change[sign == way])) if (sign == way).any() else 0.0 for way in (-1.0, 1.0)}
    steps = np.where(sign > 0.0, means[1.0], np.where(sign < 0.0, means[-1.0], 0.0))
    pulse = np.flatnonzero(sign[1:] != 0.0) + 1  # the first has no read before the one it starts from
    state, up = weight[pulse - 1] + steps[pulse - 1], sign[pulse] > 0.0
    low, high = np.quantile(np.convolve(weight, np.full(_SMOOTH, 1.0 / _SMOOTH), "valid"), [0.01, 0.99])
    # Near its bound a device is held there, which is no property of the step.
    left = change - steps
    noise = math.sqrt(max(-float(np.mean(left[1:] * left[:-1])), 0.0))
    margin = 2.0 * max(abs(means[1.0]), abs(means[-1.0])) + 4.0 * noise
    free = np.where(up, state < high - margin, state > low + margin)
    after = change[pulse]
    near = {way: _average_pulses(state, after, (up == way) & ~free) for way in (True, False)}
    train = DeviceTrain(state[free], after[free], up[free], pulse[free], float(low), float(high), near)
    return train, change[sign == 0.0]


def _average_pulses(state: Array, change: Array, which: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean state and the mean change of some pulses; 0 where there are none."""
    return (float(state[which].mean()), float(change[which].mean())) if which.any() else (0.0, 0.0)
