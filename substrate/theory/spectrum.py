"""Oracle side: eigenvalues of the linearised motion around rest points, in units of 1/tau.

The motion of a small departure `x` is ``tau dx/dt = J_u x``, time constants of the units included,
without the synaptic pole.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from numpy.typing import NDArray

from ..chip.chip import Chip
from .linearisation import LAST_RESORT, Linearisation, linearise

Array = NDArray[np.float64]

DENSE = 300
"""Units up to which all eigenvalues are computed; beyond, ARPACK looks for the rightmost one."""

_VECTORS = 60
"""Krylov vectors of ARPACK; its usual 20 take many more products and can end at a neighbour where they crowd."""

_ACCURACY = 1e-9


def find_rightmost(chip: Chip, state: Array) -> Array:
    """Return the real part of the rightmost eigenvalue of the motion around each rest point, (batch,).

    Below 0 the sample can stay where it is. Beyond `DENSE` units by a search to a relative 1e-9,
    which where eigenvalues crowd may end at a neighbour of the rightmost one; NaN where it does not converge.

    Parameters
    ----------
    chip : Chip
        The chip, clamped.
    state : array (batch, units)
        Rest points.
    """
    if state.shape[1] <= DENSE:
        return np.asarray(compute_spectrum(chip, state).real.max(axis=1))
    linear = linearise(chip, state)
    return np.array([_search_rightmost(linear.only(np.array([i])), chip.membranes.tau) for i in range(len(state))])


def find_unstable(linear: Linearisation, time_constants: Array) -> NDArray[np.bool_]:
    """Tell which rest points a chip leaves at the slightest push, as a saddle or the middle of a cycle, (batch,).

    Where the symmetric part of ``J_u`` is negative definite every departure dies out, whatever the time constants;
    only elsewhere eigenvalues are needed. A sample whose eigenvalue is not found is not told.

    Parameters
    ----------
    linear : Linearisation
        The responses around the rest points.
    time_constants : array (units,)
        Of the membranes, in tau.
    """
    found = np.zeros(len(linear.slopes), dtype=np.bool_)
    for i in range(len(found)):
        one = linear.only(np.array([i]))
        if linear.slopes.shape[1] <= LAST_RESORT and _is_contracting(one.jacobian(0)):
            continue
        found[i] = _find_rightmost_value(one, time_constants) > _ACCURACY
    return found


def _is_contracting(jacobian: Array) -> bool:
    """Tell whether the symmetric part of a Jacobian (units, units) is negative definite."""
    try:
        np.linalg.cholesky(-(jacobian + jacobian.T))
    except np.linalg.LinAlgError:  # how the library says that a matrix is not positive definite
        return False
    return True


def compute_spectrum(chip: Chip, state: Array) -> NDArray[np.complex128]:
    """Return all eigenvalues of the motion around each rest point, (batch, units), the rightmost first.

    Parameters
    ----------
    chip : Chip
        The chip, clamped.
    state : array (batch, units)
        Rest points.

    Raises
    ------
    ValueError
        If the chip has more than `DENSE` units.
    """
    if state.shape[1] > DENSE:
        raise ValueError(f"state has {state.shape[1]} units: at most {DENSE}; use rightmost for larger chips")
    linear = linearise(chip, state)
    values = [scipy.linalg.eigvals(linear.jacobian(i) / chip.membranes.tau[:, None]) for i in range(len(state))]
    return np.array([row[np.argsort(-row.real, kind="stable")] for row in values], dtype=np.complex128)


def _find_rightmost_value(linear: Linearisation, time_constants: Array) -> float:
    if linear.slopes.shape[1] <= DENSE:
        return float(scipy.linalg.eigvals(linear.jacobian(0) / time_constants[:, None]).real.max())
    return _search_rightmost(linear, time_constants)


def _search_rightmost(linear: Linearisation, time_constants: Array) -> float:
    units = linear.slopes.shape[1]
    motion = scipy.sparse.linalg.LinearOperator(
        (units, units), lambda v: linear.jacobian_product(v.reshape(1, -1))[0] / time_constants, dtype=np.float64
    )
    try:
        found = scipy.sparse.linalg.eigs(
            motion,
            k=1,
            which="LR",
            v0=np.ones(units),
            ncv=min(_VECTORS, units),
            tol=_ACCURACY,
            return_eigenvectors=False,
        )
    except scipy.sparse.linalg.ArpackNoConvergence:
        return float("nan")
    return float(found.real.max())
