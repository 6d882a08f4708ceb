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

_LEAST = 0.25
"""Least share of the variance of cells with small targets that counts as absolute."""

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
    sigma = make_spread(*_get_variance(laws[single], 0))
    law, unit = {"absolute": ("additive", "weight"), "relative": ("relative", "1")}[single]
    weights = {
        "mismatch": FittedValue(law),
        "mismatch_sigma": make_value(sigma.value, unit, (sigma.low, sigma.high), len(t)),
    }
    weights |= _describe_stuck(columns.values["measured"][~good], len(good))
    top = float(np.abs(target).max())
    facts = _list_facts(both, t, e)
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
    """Return which cells are no outliers: by medians that these cannot move, then by the likelihood of the others."""
    design, shapes = (np.column_stack([np.ones_like(target), x]) for x in (target, target**2))
    good, bins = np.ones(len(target), dtype=bool), _split_by_size(target)
    squares, tiny = np.array([np.mean(target[k] ** 2) for k in bins]), 1e-12 * np.abs(target).max()
    for round_ in range(6):
        if round_ < 3:
            mean, *_ = np.linalg.lstsq(design[good], error[good], rcond=None)
            left = error - design @ mean
            widths = np.array([(1.4826 * np.median(np.abs(left[k] - np.median(left[k])))) ** 2 for k in bins])
            line, _ = optimize.nnls(np.column_stack([np.ones_like(squares), squares]), widths)
        else:
            fit = _fit_spread(target[good], error[good], (0, 1))
            left, line = error - design @ fit.mean, fit.variance
        # Where the line misses the spread of the smallest targets, all of these would be outliers.
        line[0] = max(line[0], _LEAST * (widths[0] - line[1] * squares[0]))
        good = np.abs(left) <= _STUCK * np.sqrt(shapes @ line) + tiny
    return good


def _split_by_size(target: Array) -> list[NDArray[np.int64]]:
    """Return cells of like targets, those of the smallest ones first."""
    order = np.argsort(np.abs(target))
    return np.array_split(order, min(_BINS, max(2, len(order) // 20)))


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


def _get_variance(fit: _Spread, k: int) -> tuple[float, float]:
    """Return one variance and its standard error."""
    return float(fit.variance[k]), float(np.sqrt(np.linalg.pinv(fit.fisher)[k, k]))


def _find_spread_ends(both: _Spread, target: Array, error: Array, k: int) -> tuple[float, float]:
    """Return the interval of one of two standard deviations by the likelihood, the largest that the other allows."""
    shapes = np.column_stack([np.ones_like(target), target**2])
    left, best = error - np.column_stack([np.ones_like(target), target]) @ both.mean, both.variance
    far, tiny = stats.chi2.ppf(LEVEL, 1), float(np.finfo(float).tiny)

    def miss(spread: float) -> float:
        def loss(other: float) -> float:
            variance = shapes[:, k] * spread**2 + shapes[:, 1 - k] * np.exp(other) + tiny
            return float(np.sum(left**2 / variance + np.log(variance)))

        middle = np.log(best[1 - k] + 1e-6 * best[k] + tiny)
        found = optimize.minimize_scalar(loss, bounds=(middle - 8.0, middle + 3.0), method="bounded")
        return float(found.fun - both.loss - far)

    value, top = float(np.sqrt(best[k])), float(np.sqrt(np.mean(left**2) / shapes[:, k].mean()))
    high = float(optimize.brentq(miss, value, 10.0 * top)) if miss(value) < 0.0 else value
    low = float(optimize.brentq(miss, 0.0, value)) if miss(0.0) > 0.0 > miss(value) else 0.0
    return low, high


def _list_facts(both: _Spread, target: Array, error: Array) -> dict[str, FittedValue]:
    count, found = len(target), {}
    for k, (name, unit) in enumerate((("absolute", "weight"), ("relative", "1"))):
        value = float(np.sqrt(both.variance[k]))
        found[name] = make_value(value, unit, _find_spread_ends(both, target, error, k), count)
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
