"""Variance components of the equations of all units, by maximum likelihood.

Residuals `r` of all units and samples together are normal with the covariance

    V = D + sum_b t_b U_b U_b^T,    D = sum_a t_a diag_i(A_ai)

`A_ai` (samples, samples) belongs to unit `i` alone, as that of its cells; a column of `U_b` holds what one constant of
a unit, such as the gain of its converter, does to all units. With ``P = V^-1`` the slope of the logarithm of the
likelihood is ``(r^T P V_a P r - tr(P V_a))/2``, and scoring climbs with the average of its observed and its expected
curvature, ``I_ab = r^T P V_a P V_b P r / 2``, which needs no products of matrices (A. R. Gilmour, R. Thompson,
B. R. Cullis, Biometrics 51, 1440, 1995). `P` is ``D^-1 - C L C^T`` with ``C = D^-1 U`` and ``L = (1 + U^T D^-1 U)^-1``,
where `U` holds the roots of `t` (M. A. Woodbury, "Inverting modified matrices", 1950), so that only matrices of the
size of the samples, and one of that of the columns, are inverted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

Array = NDArray[np.float64]

_ROUNDS, _HALVINGS, _PRECISION = 60, 6, 1e-2
"""Most steps of scoring, most times that one is halved, and the gain of twice the logarithm that ends them: a variance
is then within a tenth of its standard error."""

_RIDGE = 1e-9
"""Added to the Fisher information, each component of unit size: those that are not told apart share what they say."""

_LEAST = 1e-9
"""Least variance of the noise of a read, relative to what it has to explain; keeps matrices regular without noise."""


class Equations(NamedTuple):
    """Residuals of units, and what every component does to them; 0 where nothing is told."""

    residual: Array
    """(units, samples)."""

    told: NDArray[np.bool_]
    """(units, samples)."""

    own: Mapping[str, Array]
    """``A_a`` by component, (units, samples, samples); ``read`` is one of them."""

    shared: Mapping[str, Array]
    """``U_b`` by component, (units, samples, columns)."""

    @property
    def names(self) -> list[str]:
        """Components in the order of their variances."""
        return [*self.own, *self.shared]


class Inverse(NamedTuple):
    """``P = V^-1`` in parts."""

    own: Array
    """``D^-1``, (units, samples, samples)."""

    reach: Array
    """``C``, (units, samples, columns)."""

    middle: Array
    """``L``, (columns, columns)."""

    def apply(self, values: Array) -> Array:
        """Return ``P`` times values (units, samples, any)."""
        return np.asarray(self.own @ values - self.reach @ (self.middle @ sum_products(self.reach, values)))


class Likelihood(NamedTuple):
    """The likelihood of variances, and what is known of its surroundings."""

    theta: Array
    """Variances, in the order of `Equations.names`."""

    deviance: float
    """Minus twice the logarithm, but for a constant."""

    information: Array
    """Mean of observed and expected curvature, (components, components)."""

    slope: Array
    """Of the logarithm, (components,)."""


def sum_products(left: Array, right: Array) -> Array:
    """Return ``left^T right`` of arrays (units, samples, any), summed over units and samples."""
    return np.tensordot(left, right, axes=((0, 1), (0, 1)))


def invert_covariance(equations: Equations, theta: Array) -> Inverse:
    """Return ``V^-1`` for the variances `theta`; what is not told stands apart with variance 1."""
    count = len(equations.own)
    total = np.where(equations.told, 0.0, 1.0)[:, :, None] * np.eye(equations.told.shape[1])
    for t, part in zip(theta[:count], equations.own.values(), strict=True):
        total += t * part
    own = np.asarray(np.linalg.inv(total), dtype=np.float64)
    roots = [np.sqrt(t) * part for t, part in zip(theta[count:], equations.shared.values(), strict=True)]
    columns = np.concatenate([np.zeros((*equations.told.shape, 0)), *roots], axis=2)
    reach = own @ columns
    return Inverse(own, reach, linalg.inv(np.eye(columns.shape[2]) + sum_products(columns, reach)))


def compute_likelihood(equations: Equations, theta: Array) -> Likelihood:
    """Return the likelihood of the variances `theta`, its slope and its curvature."""
    inverse, residual = invert_covariance(equations, theta), equations.residual[:, :, None]
    pulled = inverse.apply(residual)
    blocks = inverse.own - inverse.reach @ inverse.middle @ inverse.reach.transpose(0, 2, 1)
    own, shared = equations.own.values(), equations.shared.values()
    moved = [part @ pulled for part in own] + [part @ sum_products(part, pulled) for part in shared]
    traces = [np.sum(blocks * part) for part in own] + [np.sum(part * inverse.apply(part)) for part in shared]
    moves = np.concatenate(moved, axis=2)
    volumes = np.linalg.slogdet(inverse.own)[1].sum() + np.linalg.slogdet(inverse.middle)[1]
    return Likelihood(
        theta,
        float(np.sum(residual * pulled) - volumes),
        0.5 * sum_products(moves, inverse.apply(moves)),
        0.5 * (sum_products(moves, pulled)[:, 0] - np.array(traces)),
    )


def guess_variances(equations: Equations) -> Array:
    """Return variances of which each explains as much of the residuals, (components,)."""
    square = float(np.sum(equations.residual**2)) + np.finfo(float).tiny
    traces = [np.trace(part, axis1=1, axis2=2).sum() for part in equations.own.values()]
    traces += [np.sum(part**2) for part in equations.shared.values()]
    return np.asarray(square / len(traces) / np.array(traces))


def find_largest_likelihood(equations: Equations, theta: Array | None = None) -> Likelihood:
    """Return the variances of the largest likelihood, none below 0.

    Parameters
    ----------
    equations : Equations
        Of all units.
    theta : array (components,), optional
        Where to begin.
    """
    equal = guess_variances(equations)
    least = np.where([name == "read" for name in equations.names], _LEAST * equal, 0.0)
    now = compute_likelihood(equations, equal if theta is None else np.maximum(theta, 1e-3 * equal))
    every = np.ones(len(equal), dtype=bool)
    for _ in range(_ROUNDS):
        step, gained = np.maximum(climb_parabola(now, every), least) - now.theta, 0.0
        for _ in range(_HALVINGS):  # a whole step may go too far
            after = compute_likelihood(equations, now.theta + step)
            if (gained := now.deviance - after.deviance) > 0.0:
                now = after
                break
            step = 0.5 * step
        if gained < _PRECISION:
            break
    return now


def climb_parabola(now: Likelihood, free: NDArray[np.bool_]) -> Array:
    """Return the variances, none below 0, where the parabola through a likelihood is largest; the others are held."""
    information, size = now.information[np.ix_(free, free)], 1.0 / np.sqrt(np.diag(now.information)[free])
    root = linalg.cholesky(size[:, None] * information * size + _RIDGE * np.eye(len(size)), lower=True)
    right = size * (information @ now.theta[free] + now.slope[free])
    found = now.theta.copy()
    found[free] = size * optimize.nnls(root.T, linalg.solve_triangular(root, right, lower=True))[0]
    return found


def predict_constants(equations: Equations, theta: Array, features: Mapping[str, Array]) -> dict[str, Array]:
    """Return the most likely constants of units, given variances: ``t_a U_a^T P r`` (C. R. Henderson 1975).

    Parameters
    ----------
    equations : Equations
        Of all units.
    theta : array (components,)
        Variances.
    features : mapping of component to array
        What a constant of 1 does to the own equations, (units, samples), of components that no other unit feels.
    """
    pulled = invert_covariance(equations, theta).apply(equations.residual[:, :, None])
    size = dict(zip(equations.names, theta, strict=True))
    own = {name: part for name, part in features.items() if name in equations.own}
    found = {name: size[name] * np.sum(part * pulled[:, :, 0], axis=1) for name, part in own.items()}
    return found | {name: size[name] * sum_products(part, pulled)[:, 0] for name, part in equations.shared.items()}
