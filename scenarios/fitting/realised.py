"""Realised against target weights: how much of the error is absolute, how much in proportion to the weight.

``measured - target`` is normal around ``offset + (gain - 1) target`` with the variance ``absolute^2 + relative^2
target^2``; both parts by maximum likelihood (Fisher scoring). Cells beyond 4.5 standard deviations are stuck: counted,
shown, and left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from learning.identification.spreads import LEVEL, make_spread

from .columns import Column, Columns
from .fitted import FitError, FitResult, FittedValue, estimate_interval, make_value

Array = NDArray[np.float64]

COLUMNS = (
    Column("target", ("programmed", "set", "requested"), unit="S"),
    Column("measured", ("realised", "actual", "read", "effective"), unit="S"),
)

_STUCK = 4.5
"""Standard deviations: one of 150 000 good cells is that far."""

_BINS, _ROUNDS = 8, 50


class _Spread(NamedTuple):
    """Coefficients of mean and variance."""

    mean: Array
    """Offset and gain less 1, (2,)."""

    variance: Array
    """Absolute and relative, squared, (2,)."""

    fisher: Array
    """Information on `variance`, (2, 2)."""

    loss: float
    """Minus twice the log likelihood."""

    mean_error: Array
    """Standard errors of `mean`, (2,)."""


def fit_realised_weights(columns: Columns) -> FitResult:
    """Return the spread of programmed cells, and how they realise a verified write.

    Raises
    ------
    FitError
        If all targets are equal, or hardly any cell is where it should be.
    """
    target, error = columns.values["target"], columns.values["measured"] - columns.values["target"]
    if np.ptp(np.abs(target)) == 0.0:
        raise FitError(
            f"{columns.path.name}: all targets have one size; give several, which tell absolute from relative"
        )
    good = _find_good(target, error)
    if good.sum() < max(8, 0.5 * len(good)):
        words = f"{columns.path.name}: {np.sum(~good)} of {len(good)} cells are far from their targets"
        raise FitError(f"{words}; check the columns and their units")
    t, e = target[good], error[good]
    laws = {name: _fit_spread(t, e, parts) for name, parts in _PARTS.items()}
    worth = {name: fit.loss + 2.0 * len(_PARTS[name]) for name, fit in laws.items()}
    best = min(worth.values())
    both, single = laws["absolute and relative"], min(("absolute", "relative"), key=lambda name: worth[name])
    sigma = make_spread(*_get_variance(laws[single], int(single == "relative"), _PARTS[single]))
    law, unit = {"absolute": ("additive", "weight"), "relative": ("relative", "1")}[single]
    weights = {
        "mismatch": FittedValue(law),
        "mismatch_sigma": make_value(sigma.value, unit, (sigma.low, sigma.high), len(t)),
    }
    weights |= _describe_stuck(columns.values["measured"][~good], len(good))
    top = float(np.abs(target).max())
    facts = _list_facts(both, t)
    coefficients = _fit_verified(t, e - np.column_stack([np.ones_like(t), t]) @ both.mean, top)
    update = {"kind": FittedValue("verified"), "w_max": make_value(top, "weight")}
    update["error"] = FittedValue([float(f"{c:.6g}") for c in coefficients], "1", n=len(t))
    notes = [f"cells beyond {_STUCK:g} standard deviations, left out as stuck: {np.sum(~good)} of {len(good)}"]
    notes.append("weights and update say the same in two ways, as a spread and as a verified write: take one of them")
    told = f"{len(good)} cells, targets {target.min():.3g} to {target.max():.3g}"
    alternatives = sorted(((name, value - best) for name, value in worth.items()), key=lambda pair: pair[1])
    tables = {"weights": weights, "update": update, "realised": facts}
    return FitResult("Realised against target weights", tables, told, alternatives, notes)


_PARTS = {"absolute": (0,), "relative": (1,), "absolute and relative": (0, 1)}


def _find_good(target: Array, error: Array) -> NDArray[np.bool_]:
    """Return which cells are no outliers, from medians that these cannot move."""
    design = np.column_stack([np.ones_like(target), target])
    good = np.ones(len(target), dtype=bool)
    for _ in range(3):
        mean, *_ = np.linalg.lstsq(design[good], error[good], rcond=None)
        left = error - design @ mean
        order = np.argsort(np.abs(target))
        bins = np.array_split(order, min(_BINS, max(2, len(order) // 20)))
        squares = np.array([np.mean(target[k] ** 2) for k in bins])
        widths = np.array([(1.4826 * np.median(np.abs(left[k] - np.median(left[k])))) ** 2 for k in bins])
        line, _ = optimize.nnls(np.column_stack([np.ones_like(squares), squares]), widths)
        good = np.abs(left) <= _STUCK * np.sqrt(line[0] + line[1] * target**2) + 1e-12 * np.abs(target).max()
    return good


def _fit_spread(target: Array, error: Array, parts: tuple[int, ...]) -> _Spread:
    design = np.column_stack([np.ones_like(target), target])
    shapes = np.column_stack([np.ones_like(target), target**2])[:, parts]
    variance = np.full(len(parts), 1.0) * error.var() / shapes.mean(axis=0) / len(parts) + np.finfo(float).tiny
    for _ in range(_ROUNDS):
        weight = 1.0 / np.maximum(shapes @ variance, np.finfo(float).tiny)
        normal = design.T @ (weight[:, None] * design)
        mean = np.linalg.lstsq(normal, design.T @ (weight * error), rcond=None)[0]
        left = error - design @ mean
        fisher = 0.5 * shapes.T @ (weight[:, None] ** 2 * shapes)
        step = np.linalg.lstsq(fisher, 0.5 * shapes.T @ (weight**2 * left**2), rcond=None)[0]
        variance = np.where(step > 0.0, step, 0.1 * variance)
    loss = float(np.sum(weight * left**2 - np.log(weight)))
    return _Spread(mean, variance, fisher, loss, np.sqrt(np.diag(np.linalg.pinv(normal))))


def _get_variance(fit: _Spread, which: int, parts: tuple[int, ...]) -> tuple[float, float]:
    """Return one variance and its standard error."""
    k = parts.index(which)
    return float(fit.variance[k]), float(np.sqrt(np.linalg.pinv(fit.fisher)[k, k]))


def _list_facts(both: _Spread, target: Array) -> dict[str, FittedValue]:
    count, found = len(target), {}
    for k, (name, unit) in enumerate((("absolute", "weight"), ("relative", "1"))):
        spread = make_spread(*_get_variance(both, k, (0, 1)))
        found[name] = make_value(spread.value, unit, (spread.low, spread.high), count)
    for k, (name, unit, zero) in enumerate((("offset", "weight", 0.0), ("gain", "1", 1.0))):
        value = zero + float(both.mean[k])
        found[name] = make_value(value, unit, estimate_interval(value, float(both.mean_error[k])), count)
    return found


def _describe_stuck(held: Array, count: int) -> dict[str, FittedValue]:
    if not len(held):
        return {}
    ends = stats.binomtest(len(held), count).proportion_ci(LEVEL)
    share = make_value(len(held) / count, "1", (ends.low, ends.high), count)
    return {"stuck_fraction": share, "stuck_at": make_value(float(np.median(held)), "weight", n=len(held))}


def _fit_verified(target: Array, left: Array, top: float) -> Array:
    """Return coefficients of 1 and ``|target|/top`` of the standard deviation over `top`, by maximum likelihood."""
    x, scale = np.abs(target) / top, float(np.std(left)) / top + np.finfo(float).tiny

    def loss(p: Array) -> float:
        sigma = scale * (p[0] ** 2 + p[1] ** 2 * x) + 1e-9 * scale
        return float(np.sum(0.5 * (left / top / sigma) ** 2 + np.log(sigma)))

    found = optimize.minimize(loss, np.array([0.7, 0.7]), method="Nelder-Mead")
    return np.asarray(scale * found.x**2)
