"""The oracle side of a chip: its true equilibrium, and the linear algebra around it.

All forms are inverse-free in the slopes ``R = diag rho'(u*)``, so a saturated unit is no problem.
What differs between the laws is the response `M` of the activities to the drives:

========= ================================== =======================================
law       linearisation ``J_u``              ``M``, response of activities to drives
========= ================================== =======================================
additive  ``-1 + W R``                       ``R (1 - W R)^-1``
hopfield  ``-1 + D + R W R``                 ``R (1 - D - R W R)^-1 R``
========= ================================== =======================================

with ``D = diag(rho'' h)``. EP with a vanishing nudge finds ``M e``, the exact error vector is ``M^T e``.

Up to `DIRECT` units the systems are factorised sample by sample, those of a few samples up to twice as many.
Larger ones are solved for the whole batch from products of the couplings alone; a sample on which that fails is
factorised if memory allows. A row that could not be solved to double precision is NaN: no number that looks like a
result.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..chip.chip import Chip
from ..engine.door import load_engine
from ..laws.law import LAWS, DriftLaw
from ..network.couplings import Couplings, make_couplings
from ..network.dense import are_dense
from ..protocol import State
from ..settling.coupling import AnyCouplings, find_couplings
from . import krylov

Array = NDArray[np.float64]

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


DIRECT = 200
"""Units up to which a system is factorised at once."""

_FEW = 8
"""Samples for which twice as many units are factorised in half the time or less of products."""

LAST_RESORT = 3000
"""Units up to which a system is factorised when the products alone did not solve it."""


class Linearisation(NamedTuple):
    """Linear responses around an equilibrium; every array of units is (batch, units)."""

    couplings: AnyCouplings
    """Effective couplings `W`."""

    slopes: Array
    """``da/du`` at rest: ``rho'(u*)`` with the gain and steepness of every unit."""

    bend: Array | None = None
    """``rho''(u*) h``, of a law whose drift holds the slope."""

    law: DriftLaw = LAWS["additive"]

    def response(self, force: Array, correction: AnyCouplings | None = None) -> Array:
        """Return ``M e``: minus the derivative of the activities with respect to beta.

        Parameters
        ----------
        force : array (batch, units)
            ``e = dC/da``, zero but on the outputs.
        correction : Couplings, optional
            `A_hat` of a chip that adds the drive ``-2 A_hat (a - a0)`` while it is nudged: `W` becomes
            ``W - 2 A_hat``. It is `Couplings.antisymmetric` of the couplings the controller believes in;
            with that of `W` itself the response is the adjoint.
        """
        acting = self.couplings
        if correction is not None:
            acting = acting.plus(correction, -2.0)  # type: ignore[arg-type]  # both are of one kind
        return self._solve(acting, force)

    def adjoint(self, force: Array) -> Array:
        """Return ``M^T e``: backpropagation through the equilibrium, ``dC/d drive``."""
        return self._solve(self.couplings.transposed(), force)

    def iterate_adjoint(self, force: Array, iterations: int) -> Array:
        """Return ``M^T e`` after some Jacobi steps ``x <- x + (R e + J_u^T x) / (1 - D)`` from 0, which may diverge."""
        right, own = self.law.respond(force, self.slopes), 1.0 - (0.0 if self.bend is None else self.bend)
        mirrored, rows, x = self.couplings.transposed(), np.arange(len(force)), np.zeros_like(force)
        with np.errstate(all="ignore"):
            for _ in range(iterations):
                x = x + (right - self._outward(mirrored, x, rows)) / own
            return np.asarray(self.slopes * x)

    def first_order(self, delta: Array) -> Array:
        """Return ``2 M_S A delta``: the asymmetry error to first order in ``A = (W - W^T)/2``.

        `M_S` is the response with ``S = (W + W^T)/2`` in place of `W`; `delta` is the adjoint,
        (batch, units). Laborieux & Zenke 2024, equation for the error of the vector-field derivative.
        """
        return self._solve(self.couplings.symmetric(), 2.0 * self.couplings.antisymmetric().product(delta))

    def identity(self, delta: Array) -> Array:
        """Return ``delta + 2 M A delta``, which is ``M e`` exactly if `delta` is the adjoint ``M^T e``.

        The inverse-free form of ``(1 - 2 J^-1 A) delta`` with ``J = W - K``. It tests other code; it is
        no way to compute the response, which it needs.
        """
        return delta + self.response(2.0 * self.couplings.antisymmetric().product(delta))

    def jacobian_product(self, v: Array) -> Array:
        """Return ``J_u v`` of every sample, with ``J_u = dF/du``; `v` is (batch, units)."""
        return -self._outward(self.couplings, v, np.arange(len(v)))

    def newton_step(self, drift: Array) -> Array:
        """Return ``J_u^-1 F`` of every sample, the step that leads from the drift `F` to rest; NaN if singular."""
        return -self._inner_solve(self.couplings, drift)

    def only(self, rows: NDArray[np.int64]) -> Linearisation:
        """Return the linearisation of the samples `rows`."""
        bend = None if self.bend is None else self.bend[rows]
        return self._replace(couplings=self.couplings.only(rows), slopes=self.slopes[rows], bend=bend)

    def inverse(self, sample: int) -> Array:
        """Return `M` of one sample, (units, units): response of the activities to the drives."""
        slopes = self.slopes[sample]
        before = self.law.respond(np.eye(len(slopes)), slopes[:, None])
        return np.asarray(slopes[:, None] * np.linalg.solve(-self.jacobian(sample), before))

    def jacobian(self, sample: int) -> Array:
        """Return ``J_u = dF/du`` of one sample, (units, units)."""
        return -self._matrix(self.couplings.dense(sample), sample)

    def _matrix(self, coupling: Array, sample: int) -> Array:
        bend = None if self.bend is None else self.bend[sample]
        return self.law.stiffness_matrix(coupling, self.slopes[sample], bend)

    def _outward(self, couplings: AnyCouplings, v: Array, rows: NDArray[np.int64]) -> Array:
        """Return ``-J_u v`` of the samples `rows`, with `couplings` as `W`."""
        slopes, bend = self.slopes[rows], None if self.bend is None else self.bend[rows]
        return self.law.stiffness(v, couplings.product(slopes * v, rows), slopes, bend)

    def _solve(self, couplings: AnyCouplings, force: Array) -> Array:
        return self.slopes * self._inner_solve(couplings, self.law.respond(force, self.slopes))

    def _inner_solve(self, couplings: AnyCouplings, right: Array) -> Array:
        units = right.shape[1]
        if units <= (DIRECT if len(right) > _FEW else 2 * DIRECT):
            x = np.full_like(right, np.nan)
        else:
            x = krylov.solve_krylov(lambda v, rows: self._outward(couplings, v, rows), right)
        missing = np.flatnonzero(np.isnan(x).any(axis=1))
        if units <= LAST_RESORT and len(missing):
            shared = couplings.dense() if isinstance(couplings, Couplings) else None
            for i in missing:
                own = couplings.dense(int(i)) if shared is None else shared
                x[i] = krylov.solve_by_factorisation(self._matrix(own, int(i)), right[i])
        return x


def find_equilibrium(chip: Chip) -> Equilibrium:
    """Continue the chip's last free settling to its rest point, to double precision.

    The chip's own dynamics go on, with steps that lead to the end (`substrate.settling.completion`); Newton steps
    finish.
    The chip is left in its free state.
    """
    state = chip.continue_free()
    finite = np.asarray(np.isfinite(state).all(axis=1))
    state = np.where(finite[:, None], state, 0.0)
    for _ in range(_NEWTON_STEPS):
        state = state - _compute_newton_step(chip, state)
    residual = np.abs(_compute_net_drift(chip, state)).max(axis=1)
    return Equilibrium(
        state,
        np.asarray(chip.activity_of(state)),
        np.logical_and(finite, residual < _REACHED * np.maximum(1.0, np.abs(state).max(axis=1))),
    )


def linearise(chip: Chip, state: Array) -> Linearisation:
    """Return the linear responses of `chip` around the membrane state (batch, units)."""
    transfer = chip.membranes.transfer
    couplings = find_couplings(chip.machine, chip.topology, np.asarray(chip.activity_of(state)))
    law, slopes = LAWS[chip.design.law], transfer.slope(state)
    bend = transfer.curvature(state) * _compute_net_drive(chip, state) if law.SLOPED else None
    return Linearisation(couplings, slopes, bend, law)


def compute_recurrent_drive(chip: Chip, activity: State) -> State:
    """Return the drive that the units get from each other's activities, (batch, units), `constant_drive` not added."""
    if are_dense(chip.machine.kinds):
        return make_couplings(chip.topology, chip.effective).product(activity)
    return load_engine(chip.design.dynamics).drive(chip.machine, activity)


def _compute_net_drive(chip: Chip, state: Array) -> Array:
    activity = np.asarray(chip.activity_of(state), dtype=np.float64)
    return np.asarray(compute_recurrent_drive(chip, activity) + chip.constant_drive)


def _compute_net_drift(chip: Chip, state: Array) -> Array:
    slopes = chip.membranes.transfer.slope(state)
    return np.asarray(LAWS[chip.design.law].drift(state, _compute_net_drive(chip, state), slopes))


def _compute_newton_step(chip: Chip, state: Array) -> Array:
    drift, step = _compute_net_drift(chip, state), np.zeros_like(state)
    # A sample that is still far from rest must not be thrown into another basin.
    size = np.abs(drift).max(axis=1)
    near = np.flatnonzero((size >= _REACHED) & (size < 1e-6))
    step[near] = linearise(chip, state).only(near).newton_step(drift[near])
    return np.where(np.isnan(step).any(axis=1, keepdims=True), 0.0, step)


def find_saturated(chip: Chip, state: Array) -> NDArray[np.bool_]:
    """Tell which units (batch, units) have less than 5 % of the largest slope of their activation."""
    return chip.membranes.transfer.saturated(state)


def compute_weight_angle(forward: Array, mirrored: Array) -> float:
    """Return the angle between a forward weight and its feedback as the forward connection holds it, in degrees."""
    product = float(np.sum(forward * mirrored))
    size = float(np.linalg.norm(forward) * np.linalg.norm(mirrored))
    return float(np.degrees(np.arccos(np.clip(product / size, -1.0, 1.0)))) if size > 0.0 else float("nan")


def compute_symmetry(couplings: AnyCouplings, leak: float = 0.0) -> float:
    """Return ``|S| / (|S| + |A|)`` of ``W - leak`` (Frobenius norms); 1: symmetric, 0: antisymmetric.

    Parameters
    ----------
    couplings : Couplings or LocalCouplings
        Couplings `W`.
    leak : float
        Taken off every diagonal entry; 0: the couplings alone, 1: with the leak of the units.
    """
    s = couplings.symmetric().square() - 2.0 * leak * couplings.trace() + leak**2 * couplings.units
    s, a = math.sqrt(max(0.0, s)), math.sqrt(couplings.antisymmetric().square())
    return s / (s + a) if s + a > 0.0 else float("nan")
