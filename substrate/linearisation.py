"""The oracle side of a chip: its true equilibrium, and the linear algebra around it.

All forms are inverse-free in the slopes ``R = diag rho'(u*)``, so a saturated unit is no problem.
Dense, one solve per sample. What differs between the laws is the response `M` of the activities to
the drives:

========= ================================== =======================================
law       linearisation ``J_u``              ``M``, response of activities to drives
========= ================================== =======================================
additive  ``-1 + W R``                       ``R (1 - W R)^-1``
hopfield  ``-1 + D + R W R``                 ``R (1 - D - R W R)^-1 R``
========= ================================== =======================================

with ``D = diag(rho'' h)``. EP with a vanishing nudge finds ``M e``, the exact error vector is ``M^T e``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from numpy.typing import NDArray

from devices import activation

from .chip import Chip
from .methods import Phase

Array = NDArray[np.float64]

TIGHT = Phase(max_steps=20_000, tolerance=1e-13)
"""A settling long enough to count as complete."""

_REACHED = 1e-11
_NEWTON_STEPS = 2


class Equilibrium(NamedTuple):
    """Rest point reached by continuing a chip's own free settling."""

    state: Array
    """Membrane state (batch, units)."""

    activity: Array
    """Activity (batch, units)."""

    reached: NDArray[np.bool_]
    """Whether the sample came to rest, (batch,)."""


class Linearisation(NamedTuple):
    """Linear responses around an equilibrium."""

    coupling: Array
    """Effective coupling ``W[post, pre]`` (units, units)."""

    slopes: Array
    """``rho'(u*)`` (batch, units)."""

    bend: Array | None = None
    """``rho''(u*) h`` (batch, units) of the hopfield law; None for the additive law."""

    def response(self, force: Array) -> Array:
        """Return ``M e``: minus the derivative of the activities with respect to beta.

        Parameters
        ----------
        force : array (batch, units)
            ``e = dC/da``, zero but on the outputs.
        """
        return self._solve(self.coupling, force)

    def adjoint(self, force: Array) -> Array:
        """Return ``M^T e``: backpropagation through the equilibrium, ``dC/d drive``."""
        return self._solve(self.coupling.T, force)

    def first_order(self, delta: Array) -> Array:
        """Return ``2 M_S A delta``: the asymmetry error to first order in ``A = (W - W^T)/2``.

        `M_S` is the response with ``S = (W + W^T)/2`` in place of `W`; `delta` is the adjoint,
        (batch, units). Laborieux & Zenke 2024, equation for the error of the vector-field derivative.
        """
        symmetric, antisymmetric = 0.5 * (self.coupling + self.coupling.T), 0.5 * (self.coupling - self.coupling.T)
        return self._solve(symmetric, 2.0 * delta @ antisymmetric.T)

    def inverse(self, sample: int) -> Array:
        """Return `M` of one sample, (units, units): response of the activities to the drives."""
        slopes = self.slopes[sample]
        before = np.eye(len(slopes)) if self.bend is None else np.diag(slopes)
        return np.asarray(slopes[:, None] * np.linalg.solve(-self._inner(self.coupling, sample), before))

    def jacobian(self, sample: int) -> Array:
        """Return ``J_u = dF/du`` of one sample, (units, units)."""
        return self._inner(self.coupling, sample)

    def _inner(self, coupling: Array, sample: int) -> Array:
        slopes = self.slopes[sample]
        if self.bend is None:
            return np.asarray(coupling * slopes - np.eye(len(slopes)))
        return np.asarray(slopes[:, None] * coupling * slopes + np.diag(self.bend[sample] - 1.0))

    def _solve(self, coupling: Array, right: Array) -> Array:
        before = np.ones_like(self.slopes) if self.bend is None else self.slopes
        return np.array(
            [
                self.slopes[i] * np.linalg.solve(-self._inner(coupling, i), before[i] * right[i])
                for i in range(len(right))
            ]
        )


DENSE = 300
"""Units up to which all eigenvalues are computed; beyond, ARPACK looks for the rightmost one."""


def rightmost(chip: Chip, state: Array) -> Array:
    """Return the real part of the rightmost eigenvalue of the motion around each rest point, (batch,).

    Below 0 the sample can stay where it is; in units of 1/tau, time constants included, without the
    synaptic pole.

    Parameters
    ----------
    chip : Chip
        The chip, clamped.
    state : array (batch, units)
        Rest points.
    """
    linear = linearise(chip, state)
    values = []
    for i in range(len(state)):
        motion = linear.jacobian(int(i)) / chip.time_constants[:, None]
        if len(motion) <= DENSE:
            values.append(scipy.linalg.eigvals(motion).real.max())
        else:
            start = np.ones(len(motion))
            found = scipy.sparse.linalg.eigs(motion, k=1, which="LR", v0=start, return_eigenvectors=False)
            values.append(found.real.max())
    return np.array(values)


def equilibrium(chip: Chip) -> Equilibrium:
    """Continue the chip's last free settling to its rest point, to double precision.

    The chip's own dynamics go on (so that the basin is the one it chose); Newton steps finish.
    The chip is left in its free state.
    """
    state = chip.continue_free(TIGHT)
    finite = np.asarray(np.isfinite(state).all(axis=1))
    state = np.where(finite[:, None], state, 0.0)
    for _ in range(_NEWTON_STEPS):
        state = state - _newton_step(chip, state)
    residual = np.abs(_drift(chip, state)).max(axis=1)
    return Equilibrium(
        state,
        np.asarray(chip.activity_of(state)),
        np.logical_and(finite, residual < _REACHED * np.maximum(1.0, np.abs(state).max(axis=1))),
    )


def linearise(chip: Chip, state: Array) -> Linearisation:
    """Return the linear responses of `chip` around the membrane state (batch, units)."""
    code, table = activation.code_of(chip.design.activation), activation.table_of(chip.design.activation)
    coupling = chip.topology.coupling(chip.effective)
    slopes = np.asarray(activation.slope(code, state, table))
    if chip.design.law == "additive":
        return Linearisation(coupling, slopes)
    return Linearisation(coupling, slopes, np.asarray(activation.curvature(code, state) * _net_drive(chip, state)))


def _net_drive(chip: Chip, state: Array) -> Array:
    coupling = chip.topology.coupling(chip.effective)
    return np.asarray(chip.activity_of(state) @ coupling.T + chip.constant_drive)


def _drift(chip: Chip, state: Array) -> Array:
    drive = _net_drive(chip, state)
    if chip.design.law == "additive":
        return drive - state
    return linearise(chip, state).slopes * drive - state


def _newton_step(chip: Chip, state: Array) -> Array:
    drift, linear = np.asarray(_drift(chip, state), dtype=np.float64), linearise(chip, state)
    step = np.zeros_like(state)
    # A sample that is still far from rest must not be thrown into another basin.
    size = np.abs(drift).max(axis=1)
    for i in np.flatnonzero((size >= _REACHED) & (size < 1e-6)):
        step[i] = np.linalg.solve(linear.jacobian(int(i)), drift[i])
    return step


def saturated(chip: Chip, state: Array) -> NDArray[np.bool_]:
    """Tell which units (batch, units) have less than 5 % of the largest slope of their activation."""
    code, table = activation.code_of(chip.design.activation), activation.table_of(chip.design.activation)
    largest = np.max(activation.slope(code, np.linspace(-8.0, 8.0, 1601), table))
    return np.asarray(np.abs(activation.slope(code, state, table)) < 0.05 * largest)


def angle(forward: Array, feedback: Array) -> float:
    """Return the angle between a forward weight (pre, post) and its feedback (post, pre), in degrees."""
    product = float(np.sum(forward * feedback.T))
    size = float(np.linalg.norm(forward) * np.linalg.norm(feedback))
    return float(np.degrees(np.arccos(np.clip(product / size, -1.0, 1.0)))) if size > 0.0 else float("nan")


def symmetry(coupling: Array) -> float:
    """Return ``|S| / (|S| + |A|)`` of a square matrix (Frobenius norms); 1: symmetric, 0: antisymmetric."""
    s, a = np.linalg.norm(coupling + coupling.T), np.linalg.norm(coupling - coupling.T)
    return float(s / (s + a)) if s + a > 0.0 else float("nan")
