"""Oracle side: the rest points of a chip along a growing nudge, on one branch from the free state.

A rest point under the nudge `u` obeys ``F(s, h - u e(a)) = 0``. It is followed by Newton steps from one nudge to the
next, with the couplings ``W - u C''`` that the nudge makes; a held nudge has a constant force, so its couplings are
`W`. A step that does not converge, or that leads further than `_FAR` from where a straight line points, is halved; a
sample on which that fails is lost, since its branch has ended.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.laws.law import LAWS
from substrate.protocol import Readout, State
from substrate.settling.coupling import AnyCouplings, find_couplings
from substrate.theory.linearisation import Linearisation, compute_recurrent_drive

from ..cost import compute_cost_force, compute_logits

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64] | None

_REACHED = 1e-11
"""Largest drift at a rest point, relative to the state."""

_FAR = 0.25
"""A state that moves further than this from where it is expected is approached in smaller steps; units of the state."""

_NEWTON, _HALVINGS = 8, 6


class NudgeForce(NamedTuple):
    """What the circuit of an ideal nudge applies to the outputs: ``-u e``."""

    readout: Readout | None
    target: Array
    """Targets (batch, classes) or (batch, outputs)."""

    columns: slice
    """Where the outputs stand among the units."""

    held: Array | None = None
    """Force of a held nudge, that of the free outputs, (batch, outputs); None: it follows the outputs."""

    def at(self, activity: State) -> State:
        """Return ``e`` of all units, (batch, units)."""
        force = np.zeros_like(activity)
        output = activity[:, self.columns]
        force[:, self.columns] = (
            compute_cost_force(self.readout, output, self.target) if self.held is None else self.held
        )
        return force

    def only(self, rows: NDArray[np.int64]) -> NudgeForce:
        """Return that of the samples `rows`."""
        held = None if self.held is None else self.held[rows]
        return self._replace(target=self.target[rows], held=held)

    def curve(self, activity: State, v: State, rows: Rows = None) -> State:
        """Return ``C'' v`` on the outputs, (batch, outputs): how the force follows the outputs `v`."""
        if self.held is not None:
            return np.zeros_like(v)
        if self.readout is None:
            return v
        some = slice(None) if rows is None else rows
        z = compute_logits(self.readout, activity[some][:, self.columns])
        share = np.exp(z - z.real.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        logits = v @ self.readout.weight
        moved = share * (logits - np.sum(share * logits, axis=1, keepdims=True))
        return np.asarray(moved @ self.readout.weight.T)


class NudgedCouplings(NamedTuple):
    """The couplings ``W - u C''`` of units under a nudge, one of every sample."""

    plain: AnyCouplings
    """`W`."""

    force: NudgeForce
    activity: State
    nudge: State
    """`u` of every sample, (batch, 1)."""

    def product(self, v: State, rows: Rows = None) -> State:
        """Return ``(W - u C'') v``, (batch, units)."""
        result: State = np.require(self.plain.product(v, rows), requirements="W")  # JAX lets nobody write
        columns = self.force.columns
        nudge = self.nudge if rows is None else self.nudge[rows]
        result[:, columns] -= nudge * self.force.curve(self.activity, v[:, columns], rows)
        return result

    def transposed(self) -> NudgedCouplings:
        """Return the transpose; ``C''`` is symmetric."""
        return self._replace(plain=self.plain.transposed())

    def only(self, rows: NDArray[np.int64]) -> NudgedCouplings:
        """Return the couplings of the samples `rows`."""
        plain = self.plain.only(rows)
        return NudgedCouplings(plain, self.force.only(rows), self.activity[rows], self.nudge[rows])

    def dense(self, sample: int = 0) -> State:
        """Return the matrix of one sample, (units, units)."""
        columns = self.force.columns
        matrix: State = self.plain.dense(sample).astype(self.activity.dtype)
        outputs = np.eye(self.activity[:, columns].shape[1], dtype=self.activity.dtype)
        rows = np.full(len(outputs), sample)
        matrix[columns, columns] -= self.nudge[sample] * self.force.curve(self.activity, outputs, rows)
        return matrix


class NudgedRest(NamedTuple):
    """Rest points of a batch under one nudge, and the linear responses there; arrays (batch, units)."""

    activity: State

    adjoint: State
    """``dC/d drive`` of the nudged chip, ``M^T e``; NaN where a sample is lost."""

    slope: State
    """``da/du = -M e`` along the path; NaN where a sample is lost."""


class NudgePath:
    """The rest points of a batch, from its free state to the nudge that it was led to last.

    Parameters
    ----------
    chip : Chip
        The chip.
    constant : array (batch, units)
        Drive of the clamped inputs and the biases.
    state : array (batch, units)
        Rest points where the path begins.
    force : NudgeForce
        How the samples are nudged.
    sign : array (batch, 1)
        Sign of the nudge of every sample.
    nudge : complex
        Where the path begins; 0: at the free state.
    """

    def __init__(
        self, chip: Chip, constant: Array, state: State, force: NudgeForce, sign: Array, nudge: complex = 0.0
    ) -> None:
        self._chip, self._constant, self._force, self._law = chip, constant, force, LAWS[chip.design.law]
        self._sign, self._nudge = sign, nudge
        self.state: State = state.copy()
        self._before: tuple[complex, State] | None = None
        """Nudge and state one step ago."""
        self.lost: Mask = np.zeros(len(state), dtype=bool)
        """Samples whose branch has ended, (batch,)."""

    @property
    def activity(self) -> State:
        """Activities now, (batch, units)."""
        return np.asarray(self._chip.activity_of(self.state))

    def select(self, rows: NDArray[np.int64]) -> NudgePath:
        """Return a path of some samples from where this one stands."""
        parts = self._constant[rows], self.state[rows], self._force.only(rows), self._sign[rows]
        found = NudgePath(self._chip, *parts, self._nudge)
        found.lost = self.lost[rows]
        return found

    def advance(self, nudge: complex, halvings: int = _HALVINGS) -> None:
        """Follow the rest points to another nudge."""
        rows = np.flatnonzero(~self.lost)
        state, good = self._solve(nudge, self._expect(nudge), rows)
        bad = rows[~good]
        if len(bad) and halvings:
            part = self.select(bad)
            part.advance(0.5 * (self._nudge + nudge), halvings - 1)
            part.advance(nudge, halvings - 1)
            state[bad], self.lost[bad] = part.state, part.lost
        else:
            self.lost[bad] = True
        self._before = (self._nudge, self.state)
        self._nudge, self.state = nudge, state

    def measure(self) -> NudgedRest:
        """Return activities and linear responses where the path stands now."""
        activity, force = self.activity, self._force.at(self.activity)
        linear = self._linearise(self.state, self._nudge, np.arange(len(self.state)))
        adjoint, slope = linear.adjoint(force), -self._sign * linear.response(force)
        adjoint[self.lost], slope[self.lost] = np.nan, np.nan
        return NudgedRest(activity, adjoint, slope)

    def _expect(self, nudge: complex) -> State:
        """Return where a straight line through the last two rest points leads."""
        if self._before is None:
            return self.state.astype(np.result_type(self.state, np.asarray(nudge)))
        before, state = self._before
        return np.asarray(self.state + (nudge - self._nudge) / (self._nudge - before) * (self.state - state))

    def _solve(self, nudge: complex, expected: State, rows: NDArray[np.int64]) -> tuple[State, Mask]:
        """Return the states after Newton steps from where they are expected, and which of `rows` arrived."""
        state, going = expected.copy(), rows
        arrived = np.zeros(len(state), dtype=bool)
        for step in range(_NEWTON + 1):
            slopes = self._chip.membranes.transfer.slope(state[going])
            drift = self._law.drift(state[going], self._drive(state[going], nudge, going), slopes)
            size, scale = np.abs(drift).max(axis=1), np.maximum(1.0, np.abs(state[going]).max(axis=1))
            near = np.abs(state[going] - expected[going]).max(axis=1) <= _FAR
            done = size <= _REACHED * scale
            arrived[going[done & near]] = True
            kept = ~done & near & np.isfinite(size)
            going, drift = going[kept], drift[kept]
            if not len(going) or step == _NEWTON:
                break
            state[going] -= self._linearise(state[going], nudge, going).newton_step(drift)
        return state, arrived[rows]

    def _drive(self, state: State, nudge: complex, rows: NDArray[np.int64]) -> State:
        """Return the net drive of the samples `rows`, (rows, units)."""
        activity = np.asarray(self._chip.activity_of(state))
        pull = nudge * self._sign[rows] * self._force.only(rows).at(activity)
        return np.asarray(compute_recurrent_drive(self._chip, activity) + self._constant[rows] - pull)

    def _linearise(self, state: State, nudge: complex, rows: NDArray[np.int64]) -> Linearisation:
        """Return the linear responses of the samples `rows`."""
        transfer, activity = self._chip.membranes.transfer, np.asarray(self._chip.activity_of(state))
        plain = find_couplings(self._chip.machine, self._chip.topology, activity)
        couplings: Any = NudgedCouplings(plain, self._force.only(rows), activity, nudge * self._sign[rows])
        bend = transfer.curvature(state) * self._drive(state, nudge, rows) if self._law.SLOPED else None
        return Linearisation(couplings, transfer.slope(state), bend, self._law)
