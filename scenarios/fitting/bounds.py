"""Bounds of devices out of pulse trains: where devices were held, or where their steps would end.

Trains that are too short do not tell a bound. Then its interval begins at what devices reached and ends where steps
would end by their law, or is open; how many more pulses would tell it follows from the law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.programming.laws import Step
from devices.programming.mean_step import compute_steps
from devices.programming.sampled import make_nominal_cells
from learning.identification.spreads import make_spread

from .fitted import FittedValue, make_value
from .trains import DeviceTrain

Array = NDArray[np.float64]

OWN_BOUNDS = ("soft-bounds", "power-step")
"""Laws whose steps say where the bounds are, though no device reaches them."""

FARTHEST = 10.0
"""Bounds that the steps tell lie at most this factor beyond what was reached."""

_REACHED = 1.1
"""A bound within this factor of what devices reached was reached."""

_OPEN = 0.5
"""Share of the farthest bound beyond which an end of an interval is open."""

_HELD = 0.5
"""Share of the step by the law that a device is moved near its end and that tells that it is not held there."""

_MOST = 100_000
"""Pulses of a train that nobody makes."""


class FittedBound(NamedTuple):
    """A bound, and what has to be said of it."""

    key: str
    value: FittedValue
    note: str


class _End(NamedTuple):
    """One end of the range of all devices."""

    key: str
    up: bool
    reached: Array
    """By device."""

    @property
    def mean(self) -> float:
        return float(self.reached.mean())


def compute_mean_changes(law: Step, state: Array, up: NDArray[np.bool_]) -> Array:
    """Return the mean change of a pulse at every state, with sign."""
    cells = make_nominal_cells(law, state.shape)
    rise, fall = (compute_steps(law.shape(), cells, state, up=way) for way in (True, False))
    return np.asarray(np.where(up, rise, -fall))


def measure_bounds(law: Step, drawn: Sequence[Step], trains: list[DeviceTrain]) -> list[FittedBound]:
    """Return both bounds: those of the law, or where devices were held.

    Parameters
    ----------
    law : Step
        That fits all devices.
    drawn : sequence of Step
        Laws that fit devices drawn with replacement.
    trains : list of DeviceTrain
        Of all devices.
    """
    ends = [
        _End(f"w_{key}", key == "max", np.array([_get_end(one, key == "max") for one in trains]))
        for key in ("max", "min")
    ]
    measure = _take_bound if law.kind in OWN_BOUNDS else _measure_bound
    return [measure(law, drawn, trains, end) for end in ends]


def _get_end(train: DeviceTrain, up: bool) -> float:
    return train.high if up else train.low


def _take_bound(law: Step, drawn: Sequence[Step], trains: list[DeviceTrain], end: _End) -> FittedBound:
    """Return the bound that the steps tell."""
    value = float(getattr(law, end.key))
    sizes = sorted(abs(getattr(one, end.key)) for one in drawn)
    near, far = np.quantile(sizes, [0.05, 0.95]).tolist() if sizes else (math.nan, math.nan)
    if abs(value) <= _REACHED * abs(end.mean):
        return FittedBound(end.key, _make_bound(value, end, near, far, len(trains)), "")
    told = (
        f"{end.key}: the steps tell it, no device reached it; its spread is that of what devices reached, which steps"
    )
    told += f" make, too; {_count_pulses(law, value, end)}"
    # Beyond what was reached nothing but the law tells that no hard bound is nearer.
    near = min(near, abs(end.mean))
    if far > _OPEN * FARTHEST * abs(end.mean):
        far, told = math.inf, f"{told}; how far it lies beyond is not determined by these trains"
    return FittedBound(end.key, _make_bound(value, end, near, far, len(trains)), told)


def _count_pulses(law: Step, bound: float, end: _End) -> str:
    """Return how many more pulses come near a bound, by the law."""
    state = end.mean
    for pulses in range(_MOST):
        if abs(state) >= abs(bound) / _REACHED:
            return f"about {max(pulses, 1)} more pulses in a row come within a tenth of it"
        state += float(compute_mean_changes(law, np.array([state]), np.array([end.up]))[0])
    return f"more than {_MOST} more pulses in a row would not come within a tenth of it"


def _measure_bound(law: Step, _: Sequence[Step], trains: list[DeviceTrain], end: _End) -> FittedBound:
    """Return the bound where devices were held; an open interval where they were not."""
    spread, count = float(end.reached.std(ddof=1)) if len(trains) > 1 else math.nan, len(trains)
    width = 1.645 * spread / math.sqrt(count)
    near, far = abs(end.mean) - width, abs(end.mean) + width
    states, changes = np.array([train.near[end.up] for train in trains]).T
    if np.median(changes / compute_mean_changes(law, states, np.full(count, end.up))) <= _HELD:
        return FittedBound(end.key, _make_bound(end.mean, end, near, far, count), "")
    step = abs(float(compute_mean_changes(law, np.array([end.mean]), np.array([end.up]))[0]))
    more = math.ceil(0.1 * abs(end.mean) / max(step, 1e-12))
    told = (
        f"{end.key} is not determined by these trains: devices still move there, so it is what they reached, or beyond;"
    )
    told += f" {more} more pulses in a row would tell whether it lies within the next tenth"
    return FittedBound(end.key, _make_bound(end.mean, end, near, math.inf, count), told)


def _make_bound(value: float, end: _End, near: float, far: float, count: int) -> FittedValue:
    """Return a bound with an interval of its size from `near` to `far`; an end that is not finite is open."""
    return make_value(value, "weight", (near, far) if end.up else (-far, -near), count)


def measure_bound_spreads(trains: list[DeviceTrain]) -> dict[str, FittedValue]:
    """Return the spreads of what devices reached, relative to its mean."""
    found = {}
    for key, up in (("w_max", True), ("w_min", False)) if len(trains) > 2 else ():
        values = np.array([_get_end(train, up) for train in trains])
        square = float(values.var(ddof=1) / values.mean() ** 2)
        one = make_spread(square, square * math.sqrt(2.0 / (len(values) - 1)))
        found[f"{key}_sigma"] = make_value(one.value, "1", (one.low, one.high), len(values))
    return found
