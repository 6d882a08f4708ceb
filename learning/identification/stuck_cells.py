"""Stuck cells and strange units among the equations of units, so that they pull no estimate.

A stuck cell adds its error times the activity that it sees, a known direction, to the equations of its unit. With the
variances of all that are not stuck, the best of these directions is taken out of the residual of the unit, then the
best of the rest, as long as one explains more than chance does (orthogonal matching pursuit, weighed by the inverse
covariance: Y. C. Pati, R. Rezaiifar, P. S. Krishnaprasad, Asilomar 1993). Variances and stuck cells are found in turn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .components import Equations
from .unit_equations import LayerEquations, UnitEquations

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_STUCK, _STRANGE = 0.05, 1e-4
"""Probability that any good cell of a chip is taken for a stuck one, and any good unit for a strange one: a cell more
or less changes nothing, a unit a lot."""

_SHARE = 3
"""A unit with more stuck cells than a third of its equations is left out as a whole."""


class Outliers(NamedTuple):
    """What does not belong to the rest."""

    cells: dict[str, Flags]
    """Stuck cells of every layer, (fan-in, units)."""

    units: Flags
    """Units that do not fit the rest, (units,)."""

    def same(self, other: Outliers) -> bool:
        """Tell whether another search found the same."""
        cells = all(np.array_equal(one, other.cells[name]) for name, one in self.cells.items())
        return cells and np.array_equal(self.units, other.units)


def find_outliers(found: UnitEquations, theta: Array) -> Outliers:
    """Return stuck cells and strange units, for variances of the others.

    Parameters
    ----------
    found : UnitEquations
        Of all units, without a component of stuck cells.
    theta : array (components,)
        Variances, in the order of their names.
    """
    equations, total = found.equations, _add_variances(found.equations, theta)
    cells = sum(one.weights[:-1].size for one in found.layers)
    least, strange = stats.chi2.isf(_STUCK / cells, 1), np.zeros(len(equations.told), dtype=bool)
    stuck = {one.rows.layer: np.zeros(one.weights[:-1].shape, dtype=bool) for one in found.layers}
    for one in found.layers:
        for k in range(one.weights.shape[1]):
            unit = one.units.start + k
            told = equations.told[unit]
            inverse = np.linalg.inv(total[unit][np.ix_(told, told)])
            seen = one.rows.regressors[told, :-1]
            which, left, freedoms = _pursue(inverse, equations.residual[unit, told], seen, least)
            if freedoms and stats.chi2.sf(left, freedoms) < _STRANGE / len(equations.told):
                strange[unit] = True
            else:
                stuck[one.rows.layer][which, k] = True
    return Outliers(stuck, strange)


def _add_variances(equations: Equations, theta: Array) -> Array:
    """Return the covariance of every unit by itself, (units, samples, samples)."""
    count = len(equations.own)
    total = sum(t * part for t, part in zip(theta[:count], equations.own.values(), strict=True))
    for t, part in zip(theta[count:], equations.shared.values(), strict=True):
        total += t * (part @ part.transpose(0, 2, 1))
    return np.asarray(total)


def _pursue(inverse: Array, residual: Array, seen: Array, least: float) -> tuple[list[int], float, int]:
    """Return which directions explain the residual of a unit, the chi-square that is left, and its freedoms."""
    pulled, which = inverse @ residual, list[int]()
    while len(which) < len(residual) // _SHARE:
        size = np.einsum("kp,kl,lp->p", seen, inverse, seen, optimize=True)
        gain = np.where(size > 1e-9 * size.max(initial=0.0), (seen.T @ pulled) ** 2 / np.maximum(size, 1e-300), 0.0)
        gain[which] = 0.0
        best = int(np.argmax(gain))
        if gain[best] < least:
            break
        which.append(best)
        turned = inverse @ seen[:, best] / np.sqrt(size[best])
        residual = residual - seen[:, best] * (turned @ residual) / np.sqrt(size[best])
        inverse = inverse - np.outer(turned, turned)
        pulled = inverse @ residual
    return which, float(residual @ pulled), len(residual) - len(which)


def add_stuck_cells(found: UnitEquations, outliers: Outliers) -> UnitEquations:
    """Return equations without strange units, and with stuck cells as a component of their own, ``stuck``."""
    kept = found.keep(~outliers.units[:, None] & found.equations.told)
    equations, part = kept.equations, np.zeros_like(found.equations.own["read"])
    for one in found.layers:
        part[one.units] = _make_stuck_part(one, outliers.cells[one.rows.layer])
    told = equations.told
    part = np.where(told[:, :, None] & told[:, None, :], part, 0.0)
    own = {**equations.own, "stuck": part} if part.any() else equations.own
    return kept._replace(equations=equations._replace(own=own))


def _make_stuck_part(one: LayerEquations, stuck: Flags) -> Array:
    """Return the covariance of stuck cells for errors of the size of weights, (units, samples, samples)."""
    seen, weights = one.rows.regressors[:, :-1], one.weights[:-1]
    size = np.where(stuck, weights**2 + np.mean(weights**2), 0.0)
    return np.stack([(seen * part) @ seen.T for part in size.T])
