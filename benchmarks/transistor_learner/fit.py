"""At most twelve numbers of the machine, fitted to each experiment by least squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from .comparison import Comparison, compare_machine
from .machine import Machine
from .measured import Array, Measured


class Free(NamedTuple):
    """A number that is fitted."""

    size: float
    """A step that matters."""

    low: float
    high: float


FREE = {
    "rate": Free(0.5, 0.5, 5.0),
    "bias_minus": Free(1.0, -20.0, 20.0),
    "bias_plus": Free(1.0, -20.0, 20.0),
    "threshold_minus": Free(0.2, -0.5, 1.5),
    "threshold_plus": Free(0.2, -0.5, 1.5),
    "aim_b": Free(0.005, -0.05, 0.05),
    "aim_a": Free(0.005, -0.05, 0.05),
    "aim_a2": Free(0.005, -0.05, 0.05),
    "transconductance_minus": Free(1e-4, 4e-4, 1.6e-3),
    "transconductance_plus": Free(1e-4, 4e-4, 1.6e-3),
    "offset_minus": Free(2e-3, -0.03, 0.03),
    "offset_plus": Free(2e-3, -0.03, 0.03),
    "leak": Free(0.3, -3.0, 3.0),
    "delay": Free(1e-4, -3e-4, 3e-4),
    "read_noise": Free(5e-4, 0.0, 4e-3),
    "low": Free(0.1, 0.5, 2.0),
}

_BASE = ("rate", "bias_minus", "bias_plus", "threshold_minus", "threshold_plus", "aim_b", "aim_a")
_SLOPES = ("transconductance_minus", "transconductance_plus")
FITTED = {
    1: (*_BASE, "leak", "delay", "offset_minus", *_SLOPES),
    2: (*_BASE, "leak", "read_noise", "offset_minus", *_SLOPES),
    3: (*_BASE, "aim_a2", "low", "offset_minus", *_SLOPES),
}
"""What is fitted in each experiment."""

FIRST = {1: _BASE, 2: _BASE, 3: (*_BASE, "aim_a2", "low")}
"""What is fitted before the rest."""

_GUESS = Machine(threshold_minus=0.5, threshold_plus=0.5, read_noise=5e-4, low=1.05)
BEGIN = {
    1: _GUESS._replace(bias_minus=3.0, bias_plus=3.0),
    2: _GUESS._replace(bias_minus=3.0, bias_plus=3.0),
    3: _GUESS._replace(bias_minus=-1.0, bias_plus=-1.0),
}
"""Where fits begin, in what they change."""

SHORTEST = {1: 0.0, 2: 1.5e-3, 3: 0.0}
"""Shortest period whose error counts, in seconds: below, those of experiment 2 scatter by a factor of two."""

LONGEST = 11.0
"""Longest period that is fitted, in seconds: beyond, the machine has long come to rest before the task changes."""

SPREADS = {"span": 0.05, "error": 0.07, "cycle": 0.04, "drift": 0.1, "line": 0.1}
"""How far off the model may be: logarithms of spans, errors and slopes, volts of cycles, drifts and lines."""


class Fit(NamedTuple):
    """The fitted machine and what is known of its numbers."""

    machine: Machine
    names: tuple[str, ...]
    values: Array
    deviation: Array
    """Standard deviations, from the covariance of the fit scaled to its residuals."""

    correlation: Array
    calls: int


def fit_machine(experiment: int, measured: Measured, calls: int = 30) -> Fit:
    """Fit first a few numbers of an experiment, then all, in at most `calls` steps each."""
    seen, names = measured.select(measured.periods < LONGEST), FITTED[experiment]
    begin = Machine()._replace(**{name: getattr(BEGIN[experiment], name) for name in names})
    machine, _ = _fit_numbers(experiment, seen, begin, FIRST[experiment], calls)
    machine, found = _fit_numbers(experiment, seen, machine, names, calls)
    size = np.array([FREE[name].size for name in names])
    scale = 2.0 * found.cost / max(1, len(found.fun) - len(names))
    covariance = scale * np.linalg.pinv(found.jac.T @ found.jac)
    deviation = np.sqrt(np.diag(covariance))
    return Fit(
        machine, names, found.x * size, deviation * size, covariance / np.outer(deviation, deviation), found.nfev
    )


def _fit_numbers(
    experiment: int, seen: Measured, begin: Machine, names: tuple[str, ...], calls: int
) -> tuple[Machine, OptimizeResult]:
    size, low, high = np.array([FREE[name] for name in names]).T

    def build(x: Array) -> Machine:
        return begin._replace(**dict(zip(names, (x * size).tolist(), strict=True)))

    def weigh(x: Array) -> Array:
        found = compare_machine(build(x), experiment, seen, longest=8e-3)
        return _weigh(found._replace(error=found.error[seen.periods > SHORTEST[experiment]]))

    first = np.array([getattr(begin, name) for name in names]) / size
    found = least_squares(weigh, first, bounds=(low / size, high / size), diff_step=1e-4, ftol=1e-3, max_nfev=calls)
    return build(found.x), found


def _weigh(found: Comparison) -> Array:
    """Return all differences in units of their spreads; a curve counts as three rows, a drift as two."""
    curves = [(one, "cycle", 3.0) for one in found.cycles] + [(one, "drift", 2.0) for one in found.drifts]
    parts = [part.ravel() / SPREADS[kind] * np.sqrt(rows / len(part)) for part, kind, rows in curves]
    parts += [found.span / SPREADS["span"], found.error / SPREADS["error"], found.lines.ravel() / SPREADS["line"]]
    return np.asarray(np.nan_to_num(np.concatenate(parts), nan=1e3))
