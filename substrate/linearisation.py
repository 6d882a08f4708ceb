"""The oracle side of a chip: its true equilibrium, and the linear algebra around it.

All forms are inverse-free in the slopes ``R = diag rho'(u*)``, so a saturated unit is no problem.
Dense, one solve per sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
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
    """Linear responses of the additive law around an equilibrium."""

    coupling: Array
    """Effective coupling ``W[post, pre]`` (units, units)."""

    slopes: Array
    """``rho'(u*)`` (batch, units)."""

    def response(self, force: Array) -> Array:
        """Return ``R (1 - W R)^-1 e``: minus the derivative of the activities with respect to beta.

        Parameters
        ----------
        force : array (batch, units)
            ``e = dC/da``, zero but on the outputs.
        """
        return self._solve(self.coupling, force)

    def adjoint(self, force: Array) -> Array:
        """Return ``R (1 - W^T R)^-1 e``: backpropagation through the equilibrium, ``dC/d drive``."""
        return self._solve(self.coupling.T, force)

    def first_order(self, delta: Array) -> Array:
        """Return ``2 R (1 - S R)^-1 A delta``: the asymmetry error to first order in ``A = (W - W^T)/2``.

        Laborieux & Zenke 2024, equation for the error of the vector-field derivative; `delta` is the
        adjoint, (batch, units).
        """
        symmetric, antisymmetric = 0.5 * (self.coupling + self.coupling.T), 0.5 * (self.coupling - self.coupling.T)
        return self._solve(symmetric, 2.0 * delta @ antisymmetric.T)

    def inverse(self, sample: int) -> Array:
        """Return ``R (1 - W R)^-1`` of one sample, (units, units): response of the activities to the drives."""
        slopes = self.slopes[sample]
        return np.asarray(slopes[:, None] * np.linalg.inv(np.eye(len(slopes)) - self.coupling * slopes))

    def _solve(self, coupling: Array, right: Array) -> Array:
        one = np.eye(coupling.shape[0])
        pairs = zip(self.slopes, right, strict=True)
        return np.array([r * np.linalg.solve(one - coupling * r, e) for r, e in pairs])


def equilibrium(chip: Chip) -> Equilibrium:
    """Continue the chip's last free settling to its rest point, to double precision.

    The chip's own dynamics go on (so that the basin is the one it chose); Newton steps finish.
    The chip is left in its free state.
    """
    state = chip.continue_free(TIGHT)
    finite = np.asarray(np.isfinite(state).all(axis=1))
    state = np.where(finite[:, None], state, 0.0)
    coupling = chip.topology.coupling(chip.effective)
    for _ in range(_NEWTON_STEPS):
        state = state - _newton_step(chip, coupling, state)
    residual = np.abs(_drift(chip, coupling, state)).max(axis=1)
    return Equilibrium(state, np.asarray(chip.activity_of(state)), np.logical_and(finite, residual < _REACHED))


def linearise(chip: Chip, state: Array) -> Linearisation:
    """Return the linear responses of `chip` around the membrane state (batch, units)."""
    code = activation.CODES[chip.design.activation]
    return Linearisation(chip.topology.coupling(chip.effective), np.asarray(activation.slope(code, state)))


def _drift(chip: Chip, coupling: Array, state: Array) -> Array:
    return np.asarray(chip.activity_of(state) @ coupling.T + chip.constant_drive - state)


def _newton_step(chip: Chip, coupling: Array, state: Array) -> Array:
    code = activation.CODES[chip.design.activation]
    drift = _drift(chip, coupling, state)
    step = np.zeros_like(state)
    # A sample that is still far from rest must not be thrown into another basin.
    size = np.abs(drift).max(axis=1)
    for i in np.flatnonzero((size >= _REACHED) & (size < 1e-6)):
        jacobian = coupling * np.asarray(activation.slope(code, state[i])) - np.eye(state.shape[1])
        step[i] = np.linalg.solve(jacobian, drift[i])
    return step


def saturated(chip: Chip, state: Array) -> NDArray[np.bool_]:
    """Tell which units (batch, units) have less than 5 % of the largest slope of their activation."""
    code = activation.CODES[chip.design.activation]
    largest = np.max(activation.slope(code, np.linspace(-8.0, 8.0, 1601)))
    return np.asarray(activation.slope(code, state) < 0.05 * largest)


def angle(forward: Array, feedback: Array) -> float:
    """Return the angle between a forward weight (pre, post) and its feedback (post, pre), in degrees."""
    product = float(np.sum(forward * feedback.T))
    size = float(np.linalg.norm(forward) * np.linalg.norm(feedback))
    return float(np.degrees(np.arccos(np.clip(product / size, -1.0, 1.0)))) if size > 0.0 else float("nan")


def symmetry(coupling: Array) -> float:
    """Return ``|S| / (|S| + |A|)`` of a square matrix (Frobenius norms); 1: symmetric, 0: antisymmetric."""
    s, a = np.linalg.norm(coupling + coupling.T), np.linalg.norm(coupling - coupling.T)
    return float(s / (s + a)) if s + a > 0.0 else float("nan")
