"""Oracle side: standard error of the squared norm of a mean, from repeats whose components may be correlated.

With errors ``e_r`` of independent repeats, mean `m` and covariance `C`, the unbiased ``|m|^2`` is the mean of
``e_r e_s`` over pairs of different repeats. Its variance is (W. Hoeffding, Ann. Math. Statist. 19, 1948)::

    4 m C m / R + 2 tr(C C) / (R (R - 1))

Noise that all units share has one large eigenvalue of `C`, which variances of single components do not show.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PARTS = 64
"""More repeats than this are averaged in so many parts, which serve as repeats: enough for an error to 10 %."""

_FEWEST = 4


def compute_standard_error(repeats: Array) -> float:
    """Return the standard error of the unbiased ``|mean|^2``; 0 if the repeats are alike, NaN for fewer than four.

    Neither term is let below 0, so that where `m` vanishes the error is too large, by up to a factor of 1.6.

    Parameters
    ----------
    repeats : array (repeats, components)
        One row per repeat, or per part of them.
    """
    count = len(repeats)
    if (repeats == repeats[0]).all():
        return 0.0
    if count < _FEWEST:
        return math.nan
    linear, trace = _estimate_along_mean(repeats), _estimate_squared_covariance(repeats)
    return math.sqrt(4.0 * max(0.0, linear) / count + 2.0 * trace / (count * (count - 1)))


def _estimate_along_mean(repeats: Array) -> float:
    """Return the unbiased ``m C m``: mean products of pairs that share one repeat, less those that share none."""
    count, products = len(repeats), _compute_pair_products(repeats)
    np.fill_diagonal(products, 0.0)
    rows, triples = products.sum(axis=1), count * (count - 1) * (count - 2)
    whole, squares, shared = rows.sum(), np.sum(products**2), np.sum(rows**2)
    # Sums over ordered pairs (r, s), (r, t) with s != t; and (r, s), (t, u) of four different repeats.
    one, none = shared - squares, whole**2 - 4.0 * shared + 2.0 * squares
    return float(one / triples - none / (triples * (count - 3)))


def _estimate_squared_covariance(repeats: Array) -> float:
    """Return ``tr(C C)`` from the spread of the products of deviations from the mean; unbiased for normal noise.

    With ``a = 1 - 1/R`` and ``b = 1/R``, products of two of them have the mean square
    ``b^2 tr(C)^2 + (a^2 + b^2) tr(C C)``, and the squared trace of the sample covariance is
    ``tr(C)^2 + 2 tr(C C) / (R - 1)`` in the mean.
    """
    count = len(repeats)
    products = _compute_pair_products(repeats - repeats.mean(axis=0))
    spread = float(np.var(products[~np.eye(count, dtype=bool)]))  # their mean is -tr(C)/R, of the sample covariance
    a, b = 1.0 - 1.0 / count, 1.0 / count
    return spread / (a**2 + b**2 - 2.0 * b**2 / (count - 1))


def _compute_pair_products(rows: Array) -> Array:
    return np.asarray(np.einsum("ik,jk->ij", rows, rows))
