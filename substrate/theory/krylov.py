"""Linear systems of a whole batch, one matrix per sample, known by their products only.

Generalised conjugate residuals (S. C. Eisenstat, H. C. Elman, M. H. Schultz, SIAM J. Numer. Anal. 20,
345, 1983, algorithm GCR): the residual of every sample is the smallest in its Krylov space, as in GMRES.
All samples advance together, so one step costs one product of the couplings with the batch. Systems may be complex.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Product = Callable[[Array, Rows], Array]
"""``product(v, rows)``: the matrix of each sample in `rows` times the row of `v` (len(rows), units)."""

TOLERANCE = 1e-13
"""A sample is solved when ``|b - A x| <= TOLERANCE (|b| + |x|)``."""

_DEPTH = 40
_CYCLES = 25
_GIVE_UP = 0.5
_STORE = 2**23


def solve_krylov(product: Product, right: Array) -> Array:
    """Return the solutions `x` of ``A x = b``, (batch, units).

    The residual that decides is computed anew from `x`, never carried along.

    Parameters
    ----------
    product : callable
        ``product(v, rows)``, see `Product`.
    right : array (batch, units)
        Right-hand sides `b`.

    Returns
    -------
    array (batch, units)
        A row is NaN if its sample was not solved: 40 products did not halve its residual, or 1000 were not enough.
    """
    batch, units = right.shape
    x = np.zeros_like(right)
    # The directions of one part of the batch must fit into memory.
    size = max(1, _STORE // (2 * _DEPTH * units))
    for first in range(0, batch, size):
        _solve_part(product, right, x, np.arange(first, min(first + size, batch)))
    return x


def solve_by_factorisation(matrix: Array, right: Array) -> Array:
    """Return the solution `x` of one system by factorisation, (units,); NaN if it is singular or too inexact.

    Parameters
    ----------
    matrix : array (units, units)
        `A`.
    right : array (units,)
        `b`.
    """
    try:
        x = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return np.full_like(right, np.nan)
    # Solutions of ill-conditioned systems still have a small backward error.
    allowed = np.linalg.norm(right) + np.linalg.norm(matrix) * np.linalg.norm(x)
    good = np.linalg.norm(right - matrix @ x) <= TOLERANCE * allowed
    return np.asarray(x if good else np.full_like(right, np.nan))


def _solve_part(product: Product, right: Array, x: Array, rows: Rows) -> None:
    before = np.full(len(right), np.inf)
    for cycle in range(_CYCLES + 1):
        residual = right[rows] - product(x[rows], rows)
        size = _compute_row_norms(residual)
        going = size > TOLERANCE * (_compute_row_norms(right[rows]) + _compute_row_norms(x[rows]))
        hopeless = going & ((size > _GIVE_UP * before[rows]) | (cycle == _CYCLES))
        before[rows] = size
        x[rows[hopeless]] = np.nan
        going &= ~hopeless
        rows, residual = rows[going], residual[going]
        if len(rows) == 0:
            return
        x[rows] += _run_gcr_cycle(product, residual, rows, 0.5 * TOLERANCE * _compute_row_norms(right[rows]))


def _run_gcr_cycle(product: Product, residual: Array, rows: Rows, small: Array) -> Array:
    """Return the correction of `x` found with `_DEPTH` products from the residual."""
    total = np.zeros_like(residual)
    directions, images = np.empty((2, len(rows), _DEPTH, residual.shape[1]), dtype=residual.dtype)
    for k in range(_DEPTH):
        direction, image = residual.copy(), product(residual, rows)
        overlap = (images[:, :k].conj() @ image[:, :, None]).transpose(0, 2, 1)
        image -= (overlap @ images[:, :k])[:, 0]
        direction -= (overlap @ directions[:, :k])[:, 0]
        size = _compute_row_norms(image)
        # An image that vanishes belongs to a residual that is zero, or that no direction lowers.
        scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0.0)[:, None]
        directions[:, k], images[:, k] = direction * scale, image * scale
        step = np.sum(images[:, k].conj() * residual, axis=1)[:, None]
        total += step * directions[:, k]
        residual = residual - step * images[:, k]
        if (_compute_row_norms(residual) <= small).all():
            break
    return total


def _compute_row_norms(v: Array) -> Array:
    return np.asarray(np.linalg.norm(v, axis=1))
