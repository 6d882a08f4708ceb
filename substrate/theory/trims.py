"""Oracle side: the part of an asymmetry that gains of single units explain, and that trims could cure.

A coupling ``W = D_in S D_out`` with `S` symmetric and positive gains per unit is harmless when the
activity is read behind the output gain and the nudge enters before the input gain. Then
``diag(r) W`` is symmetric with ``r = D_out/D_in``, so ``W^T = r W r^-1`` and, as every other factor
of the response is diagonal, ``M^T = r M r^-1``: nudges scaled by ``1/r`` and readings scaled by `r`
give the exact error vector. Of the 2n trims only the n ratios `r` count; the products
``D_in D_out`` keep a symmetric coupling symmetric.

For any other coupling the best trims make ``W' = r^(1/2) W r^(-1/2)`` as symmetric as it can be. Since
``tr W'^2`` does not depend on `r`, ``2 |A'|^2 = |W'|^2 - tr W'^2`` is least where ``|W'|`` is: the
balancing of a matrix (E. E. Osborne, J. ACM 7, 338, 1960), convex in ``x = log r``, by Newton steps.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse.linalg
from numpy.typing import NDArray

from ..network.couplings import Couplings

Array = NDArray[np.float64]

_STEPS = 50
_SMALL = 1e-8
"""After so small a step the next one, its square, is below rounding."""


def find_trims(couplings: Couplings) -> Array:
    """Return the ratios `r` of output to input gain that make the couplings most symmetric, (units,).

    Only couplings present in both directions count: no gain restores one that is missing. Units that
    none of them joins keep the ratio 1.

    Parameters
    ----------
    couplings : Couplings
        Effective couplings `W`.
    """
    squares = _square_reciprocal(couplings)
    x = np.zeros(couplings.units)
    for _ in range(_STEPS):
        rows, columns = _sum_rows_columns(squares, x)
        step = _compute_trim_step(squares, x, columns - rows, rows + columns)
        x += step
        if np.abs(step).max() < _SMALL:
            break
    return np.asarray(np.exp(x))


def _square_reciprocal(couplings: Couplings) -> Couplings:
    """Return ``W_ij^2`` where ``W_ij`` and ``W_ji`` both act, and 0 elsewhere."""
    squares = {}
    for (pre, post), weight in couplings.weights.items():
        back = couplings.weights.get((post, pre))
        if back is not None:
            squares[pre, post] = np.where(couplings.kinds[post, pre].mirror(back) != 0.0, weight, 0.0) ** 2
    return couplings._replace(weights=squares)


def _sum_rows_columns(squares: Couplings, x: Array) -> tuple[Array, Array]:
    """Return the sums of the rows and of the columns of ``P_ij = W_ij^2 exp(x_i - x_j)``."""
    up = np.exp(x)
    rows = up * squares.product(1.0 / up[None])[0]
    return rows, squares.transposed().product(up[None])[0] / up


def _compute_trim_step(squares: Couplings, x: Array, downhill: Array, scale: Array) -> Array:
    """Return the step of `x`; the Hessian is the Laplacian of ``P + P^T``."""
    up, units = np.exp(x), len(x)
    back = squares.transposed()

    def hessian(v: Array) -> Array:
        forth = up * squares.product((v / up)[None])[0]
        return np.asarray(scale * v - forth - back.product((up * v)[None])[0] / up)

    operator = scipy.sparse.linalg.LinearOperator((units, units), hessian, dtype=np.float64)
    rounding = 1e-15 * float(scale.max())
    return np.asarray(scipy.sparse.linalg.cg(operator, downhill, rtol=1e-6, atol=rounding, maxiter=10 * units)[0])
