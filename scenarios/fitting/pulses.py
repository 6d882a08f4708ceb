"""Pulse trains of devices: the write law, and spreads between devices and from pulse to pulse.

What one pulse changes, ``dw = gain_d step f(w) (1 + cycle xi)``, is fitted with the mean step of every law of
`devices.programming`, and Akaike's criterion chooses. A read has noise `se`, which makes regressions of the change on
the state it is taken from too steep by ``se^2/var(w)``: the state is taken from the read before, carried on by a mean
step, whose noise is another one (an instrument). Noise of the read is told by reads without a pulse, or by neighbouring
residuals, whose covariance is ``-se^2``; it is taken off the scatter that is left for the cycles. Stuck devices, whose
range is below a tenth of the others', are counted and left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from devices.programming.laws import ConstantStep, ExponentialStep, LinearStep, PowerStep, SoftBounds, Step
from learning.identification.spreads import make_spread

from .bounds import FARTHEST, OWN_BOUNDS, compute_mean_changes, measure_bound_spreads, measure_bounds
from .columns import Columns
from .fitted import FitError, FitResult, FittedValue, make_value
from .trains import FEWEST, DeviceTrain, cut_trains

Array = NDArray[np.float64]

_DRAWS = 60
_LIMIT = 10.0
"""Largest size of a parameter of a shape."""


class DeviceBounds(NamedTuple):
    """Bounds of devices."""

    low: Any
    high: Any


class _Points(NamedTuple):
    """Pulses of all devices, means of those of one device and direction at neighbouring states."""

    state: Array
    change: Array
    up: NDArray[np.bool_]
    size: Array
    """Pulses of every point."""

    devices: NDArray[np.int64]
    """Points of every device."""

    own: DeviceBounds
    """Bounds of the device of every point."""

    within: float
    """Sum of squares around the means."""

    @property
    def pulses(self) -> int:
        """Pulses in all."""
        return int(self.size.sum())


class _LawFit(NamedTuple):
    name: str
    sizes: Array
    """Step up, step down, and what bends the law."""

    loss: float
    """Sum of squares."""

    pulses: int

    @property
    def criterion(self) -> float:
        """Akaike's."""
        return self.pulses * math.log(self.loss / self.pulses) + 2.0 * len(self.sizes)


_LAWS = ("constant-step", "soft-bounds", "linear-step", "power-step", "exponential-step")
"""Laws that are tried, the simpler ones first."""

_WORSE = 10.0
"""By so much a law may be worse than the best one and is taken because it is simpler: devices differ in more than a
gain, and pulses of one device are not independent."""

_POINTS = 12
_BEYOND, _FAR = 1.15, 3.0
"""While a law is chosen, its bounds lie at most this factor beyond what was reached: soft ones, and those of the power
law; any law is a constant step within bounds far away."""


def make_law(name: str, sizes: Array, ends: DeviceBounds) -> Step:
    """Return the law of pulses with these sizes: both steps, and what bends it."""
    up, down = (max(float(size), 1e-12) for size in sizes[:2])
    step = max(up, down)
    keys: dict[str, Any] = {"step": step, "w_max": ends.high, "w_min": ends.low}
    keys["up_down"] = 1.0 - down / step if up >= down else up / step - 1.0
    bends = [float(bend) for bend in sizes[2:]]
    if name == "linear-step":
        return LinearStep(**keys, slope_up=bends[0], slope_down=bends[1])
    if name in OWN_BOUNDS:
        keys |= {"w_max": bends[-2], "w_min": bends[-1]}
    if name == "power-step":
        return PowerStep(**keys, exponent_up=max(bends[0], 0.0), exponent_down=max(bends[1], 0.0))
    if name == "soft-bounds":
        return SoftBounds(**keys)
    if name == "exponential-step":
        keys |= dict(zip(("amplitude_up", "amplitude_down", "gamma_up", "gamma_down"), bends, strict=True))
        return ExponentialStep(**keys, a=0.5, b=0.0)
    return ConstantStep(**keys)


def fit_pulses(columns: Columns) -> FitResult:
    """Return the write law of devices with its spreads.

    Raises
    ------
    FitError
        If directions are none, there are too few pulses of both, states lie on one side of 0, or nothing moves.
    """
    trains, stuck, repeats = cut_trains(columns)
    ends = DeviceBounds(*(float(np.median([getattr(t, end) for t in trains])) for end in ("low", "high")))
    if not ends.low < 0.0 < ends.high:
        words = f"{columns.path.name}: states go from {ends.low:.3g} to {ends.high:.3g}, but weights lie around 0"
        raise FitError(f'{words}; say what conductance a weight of 0 has, such as --zero "12 uS" (beside --weight)')
    points = [_gather_points(train) for train in trains]
    fits = {name: _fit_law(name, _join_points(points), ends) for name in _LAWS}
    least = min(one.criterion for one in fits.values())
    best = next(one for one in fits.values() if one.criterion <= least + _WORSE)
    least = best.criterion
    if best.name in OWN_BOUNDS:
        best = _fit_law(best.name, _join_points(points), ends, best.sizes, FARTHEST)
    drawn = _draw_laws(best, points, ends)
    law, count = make_law(best.name, best.sizes, ends), _join_points(points).pulses
    bounds = measure_bounds(law, drawn, trains)
    values = _list_law_values(law, drawn, count, len(trains)) | {bound.key: bound.value for bound in bounds}
    spreads, notes = _measure_spreads(law, trains, ends, repeats)
    spreads = measure_bound_spreads(trains) | spreads
    notes += [
        *(bound.note for bound in bounds if bound.note),
        f"stuck devices, left out: {stuck or 'none'} (of {len(trains) + len(stuck)})",
    ]
    told = f"{count} pulses of {len(trains)} devices, states {ends.low:.3g} to {ends.high:.3g}"
    order = sorted(((name, one.criterion - least) for name, one in fits.items()), key=lambda pair: pair[1])
    return FitResult(f"Write law: {best.name}", {"update": values | spreads}, told, order, notes)


def _gather_points(train: DeviceTrain) -> _Points:
    """Return the means of pulses at neighbouring states."""
    rows, within = [], 0.0
    for way in (True, False):
        order = np.flatnonzero(train.up == way)
        order = order[np.argsort(train.state[order], kind="stable")]
        for part in np.array_split(order, min(_POINTS, max(1, len(order) // 4))):
            if len(part):
                change = train.change[part]
                rows.append((train.state[part].mean(), change.mean(), float(way), float(len(part))))
                within += float(np.sum((change - change.mean()) ** 2))
    state, mean, up, count = np.array(rows).reshape(-1, 4).T
    ends = DeviceBounds(np.full(len(state), train.low), np.full(len(state), train.high))
    return _Points(state, mean, up > 0.5, count, np.array([len(state)]), ends, within)


def _join_points(points: Sequence[_Points]) -> _Points:
    """Return the points of several devices behind each other."""
    state, change, up, size, devices = (
        np.concatenate([getattr(one, part) for one in points]) for part in ("state", "change", "up", "size", "devices")
    )
    own = DeviceBounds(*(np.concatenate([getattr(one.own, end) for one in points]) for end in ("low", "high")))
    return _Points(state, change, up, size, devices, own, sum(one.within for one in points))


def _scale_states(name: str, state: Array, own: DeviceBounds, ends: DeviceBounds) -> Array:
    """Return states as a device with mean bounds would have them, for laws that refer to the bounds of a device."""
    if name == "soft-bounds":
        return np.asarray(state * np.where(state > 0.0, ends.high / own.high, ends.low / own.low))
    if name == "power-step":
        return np.asarray(ends.low + (state - own.low) * (ends.high - ends.low) / (own.high - own.low))
    return state


def _fit_law(
    name: str, points: _Points, ends: DeviceBounds, start: Array | None = None, far: float | None = None
) -> _LawFit:
    """Return the sizes of a law that fit all devices best, each device with a gain of its own; bounds up to `far`."""
    root, gain = np.sqrt(points.size), np.ones(len(points.state))
    state = _scale_states(name, points.state, points.own, ends)
    sizes = _guess_sizes(name, points, ends) if start is None else start
    lows, highs = _list_limits(name, _guess_sizes(name, points, ends), ends, far)

    def miss(sizes: Array) -> Array:
        mean = compute_mean_changes(make_law(name, sizes, ends), state, points.up)
        return np.asarray(root * (gain * mean - points.change))

    for _ in range(2):
        scale = np.maximum(np.abs(sizes), np.concatenate([np.zeros(2), np.full(len(sizes) - 2, 0.1)]))
        found = optimize.least_squares(miss, np.clip(sizes, lows, highs), bounds=(lows, highs), x_scale=scale)
        sizes = found.x
        mean = compute_mean_changes(make_law(name, sizes, ends), state, points.up)
        gains = _fit_gains(mean, points)
        gain = np.repeat(gains / gains.mean(), points.devices)
    return _LawFit(name, sizes, float(np.sum(miss(sizes) ** 2)) + points.within, points.pulses)


def _guess_sizes(name: str, points: _Points, ends: DeviceBounds) -> Array:
    total = points.size * points.change
    ways = ((1.0, points.up), (-1.0, ~points.up))
    steps = [max(sign * float(total[way].sum() / points.size[way].sum()), 1e-9) for sign, way in ways]
    soft = [1.01 * ends.high, 1.01 * ends.low]
    bends = {"linear-step": [0.1, 0.1], "soft-bounds": soft, "power-step": [1.0, 1.0, *soft]}
    bends["exponential-step"] = [0.3, 0.3, 1.0, 1.0]
    factor = {"power-step": 2.0, "exponential-step": 1.4}.get(name, 1.0)
    return np.array([factor * step for step in steps] + bends.get(name, []))


def _list_limits(name: str, guess: Array, ends: DeviceBounds, far: float | None) -> tuple[Array, Array]:
    """Return the least and the largest sizes of a law."""
    steps, largest, soft, power = guess[:2].max(), _LIMIT, far or _BEYOND, far or _FAR
    bends = {
        "linear-step": [(-largest, largest)] * 2,
        "soft-bounds": [(ends.high, soft * ends.high), (soft * ends.low, ends.low)],
        "power-step": [(0.0, largest)] * 2 + [(ends.high, power * ends.high), (power * ends.low, ends.low)],
        # With a smaller gamma it is a linear law, in numbers that nobody can read.
        "exponential-step": [(-largest, largest)] * 2 + [(0.3, largest)] * 2,
    }
    pairs = [(1e-3 * steps, 1e3 * steps)] * 2 + bends.get(name, [])
    low, high = np.array(pairs).T
    return low, high


def _fit_gains(mean: Array, points: _Points) -> Array:
    """Return the factor of the steps of every device."""
    parts = np.cumsum(points.devices)[:-1]
    both, own = (np.split(points.size * mean * other, parts) for other in (points.change, mean))
    return np.array([float(b.sum() / max(o.sum(), 1e-300)) for b, o in zip(both, own, strict=True)])


def _draw_laws(best: _LawFit, points: list[_Points], ends: DeviceBounds) -> list[Step]:
    """Return the laws that fit devices drawn with replacement; none of fewer than 4 devices."""
    rng, laws = np.random.default_rng(0), []
    for _ in range(_DRAWS if len(points) >= 4 else 0):
        chosen = _join_points([points[k] for k in rng.integers(0, len(points), len(points))])
        laws.append(make_law(best.name, _fit_law(best.name, chosen, ends, best.sizes, FARTHEST).sizes, ends))
    return laws


_KEYS = {
    "linear-step": ("slope_up", "slope_down"),
    "power-step": ("exponent_up", "exponent_down"),
    "exponential-step": ("a", "b", "amplitude_up", "amplitude_down", "gamma_up", "gamma_down"),
}
"""Keys of every law beside step and asymmetry."""


def _widen(devices: int) -> float:
    """Return how much wider than those of drawn devices intervals are: by a scatter of the mean, and Student's t."""
    return float(stats.t.isf(0.05, devices - 1) / stats.norm.isf(0.05) * math.sqrt(devices / (devices - 1)))


def _list_law_values(law: Step, drawn: Sequence[Step], count: int, devices: int) -> dict[str, FittedValue]:
    found = {"kind": FittedValue(law.kind), "rounding": FittedValue("stochastic")}
    for key in ("step", "up_down", *_KEYS.get(law.kind, ())):
        value = float(getattr(law, key))
        ends = (
            np.quantile([getattr(one, key) for one in drawn], [0.05, 0.95]) if drawn and key not in {"a", "b"} else []
        )
        interval = [value + _widen(devices) * float(end - value) for end in ends]
        found[key] = make_value(value, "weight" if key == "step" else "1", interval, count)
    return found


class _DeviceFit(NamedTuple):
    """Gains of both directions, their squared errors for changes of variance 1, and residuals by pulse."""

    gains: tuple[float, float]
    errors: tuple[float, float]
    left: Array
    mean: Array
    """Mean changes, with the gains."""


def _fit_device(law: Step, train: DeviceTrain, ends: DeviceBounds) -> _DeviceFit:
    state = _scale_states(law.kind, train.state, DeviceBounds(train.low, train.high), ends)
    shape = compute_mean_changes(law, state, train.up)
    left, gains, errors = train.change.copy(), [], []
    for way in (train.up, ~train.up):
        s, c = shape[way], train.change[way]
        square = float(s @ s)
        gain = float(s @ c / square) if square > 0.0 else 1.0
        left[way] = c - gain * s
        shape[way] = gain * s
        gains.append(gain)
        errors.append(1.0 / square if square > 0.0 else math.inf)
    return _DeviceFit((gains[0], gains[1]), (errors[0], errors[1]), left, shape)


def _measure_spreads(
    law: Step, trains: list[DeviceTrain], ends: DeviceBounds, repeats: Array
) -> tuple[dict[str, FittedValue], list[str]]:
    """Return spreads between devices and from pulse to pulse, and what has to be said of the noise of the reads."""
    fits = [_fit_device(law, train, ends) for train in trains]
    noise = _estimate_read_noise(fits, trains, repeats)
    left, mean = (np.concatenate([getattr(fit, part) for fit in fits]) for part in ("left", "mean"))
    square, scatter = float(np.mean(mean**2)), max(float(np.mean(left**2)) - 2.0 * noise.variance, 0.0)
    found: dict[str, FittedValue] = {}
    if len(trains) > 2:
        gains, errors = (np.array([getattr(fit, part) for fit in fits]) for part in ("gains", "errors"))
        # Noise of the reads all but cancels in a train: one change has what the next one lacks.
        missed = scatter * float(np.mean(errors.sum(axis=1))) / 4.0
        nominal = gains.mean(axis=0)
        for key, weights in (("step_sigma", (0.5, 0.5)), ("up_down_sigma", (0.5, -0.5))):
            values = (gains / nominal) @ np.array(weights)
            total = float(values.var(ddof=1))
            one = make_spread(max(total - missed, 0.0), total * math.sqrt(2.0 / (len(fits) - 1)))
            found[key] = make_value(one.value, "1", (one.low, one.high), len(fits))
    # Cautious: noise that the same residuals tell is too large where the rest of them is too small.
    error = math.hypot(float(np.std(left**2)) / math.sqrt(len(left)), 2.0 * noise.error)
    one = make_spread(scatter / square, error / square)
    found["cycle_sigma"] = make_value(one.value, "1", (one.low, one.high), len(left))
    told = f"noise of a read {math.sqrt(noise.variance):.3g} in units of the weight, {noise.how}"
    return found, [f"{told}; it is taken off the spreads"]


class _ReadNoise(NamedTuple):
    """Variance of a read, its standard error, and how they are known."""

    variance: float
    error: float
    how: str


def _estimate_read_noise(fits: list[_DeviceFit], trains: list[DeviceTrain], repeats: Array) -> _ReadNoise:
    if len(repeats) >= FEWEST:
        squares = 0.5 * repeats**2
        error = float(np.std(squares)) / math.sqrt(len(squares))
        return _ReadNoise(float(np.mean(squares)), error, f"by {len(repeats)} reads without a pulse")
    neighbours = [np.diff(train.following) == 1 for train in trains]
    products = [fit.left[1:][near] * fit.left[:-1][near] for fit, near in zip(fits, neighbours, strict=True)]
    whole = np.concatenate([*products, np.zeros(1)])
    variance, error = max(-float(np.mean(whole)), 0.0), float(np.std(whole)) / math.sqrt(len(whole))
    return _ReadNoise(variance, error, "by the covariance of neighbouring residuals")
