"""Benches that are no chips: activities known in closed form, and a chip that is given signs by hand."""

from __future__ import annotations

import numpy as np

from learning.oracle.exact import compute_exact_errors
from substrate.protocol import Budget, SettlingResult, Status
from tests.learning.test_estimator import OnlyBench

GRID = 512
"""Phases of a cycle at which the lag is computed."""


class FunctionBench:
    """Unit i answers the instantaneous nudge with ``exp(g_i beta) / g_i``, after a first-order lag, read with noise.

    The error vector is -1 for every unit, exactly. `lag` is the time constant in tau.
    """

    connections = (("in", "out"),)
    readout = None

    def __init__(self, gains=(0.5, 1.0, -1.5), points=32, lag=0.0, sigma=0.0, seed=0):
        self.gains, self.points, self.lag, self.sigma = np.array(gains), points, lag, sigma
        self.rng = np.random.default_rng(seed)
        self.budget = Budget()

    def set_input(self, x, *_):
        self.x = x

    def settle(self, nudge=None, **_):
        self.nudge, count = nudge, len(self.x)
        self.budget = self.budget.plus(Budget(settlings=count))
        zero = np.zeros(count)
        return SettlingResult(np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64), zero, zero)

    def read(self, waits=False):  # noqa: ARG002
        beta = np.zeros(len(self.x)) if self.nudge is None else self._beta()
        return {"in": self.x, "out": self._noisy(self._answer(beta[:, None]))}

    def read_cycle(self):
        kind, period, _ = self.nudge.wave
        phase = 2.0 * np.pi * np.arange(GRID) / GRID
        swing = np.cos(phase) if kind == "cosine" else np.exp(1j * phase)
        answer = self._answer(np.multiply.outer(swing, self._beta())[:, :, None])
        turns = np.fft.fftfreq(GRID, 1.0 / GRID)
        lagging = np.fft.fft(answer, axis=0) / (1.0 + 2j * np.pi * turns * self.lag / period)[:, None, None]
        cycle = np.fft.ifft(lagging, axis=0)[:: GRID // self.points]
        cycle = cycle.real if kind == "cosine" else cycle
        return {"in": np.repeat(self.x[None], self.points, axis=0), "out": self._noisy(cycle)}

    def _beta(self):
        signs = np.ones(len(self.x)) if self.nudge.signs is None else self.nudge.signs
        beta = complex(self.nudge.beta)
        return signs * (beta if beta.imag else beta.real)

    def _answer(self, beta):
        return np.exp(self.gains * beta) / self.gains

    def _noisy(self, activity):
        """Return one real read per plane."""
        planes = 2 if np.iscomplexobj(activity) else 1
        self.budget = self.budget.plus(Budget(reads=planes * int(np.prod(activity.shape[:-1]))))
        noise = self.rng.normal(size=activity.shape)
        if planes == 2:
            noise = noise + 1j * self.rng.normal(size=activity.shape)
        return activity + self.sigma * noise


class SignedBench(OnlyBench):
    """A chip whose nudges get their signs by settling the whole batch under both."""

    def settle(self, nudge=None, start="zero"):
        if nudge is None or nudge.signs is None:
            self._activity = None
            return self._chip.settle(nudge, start)
        plain, self._activity = nudge._replace(signs=None), {}
        for sign in (1.0, -1.0):
            settled = self._chip.settle(plain._replace(beta=sign * nudge.beta), start)
            for name, a in self._chip.read().items():
                self._activity.setdefault(name, a.copy())[nudge.signs == sign] = a[nudge.signs == sign]
        return settled

    def read(self, waits=False):  # noqa: ARG002
        return self._chip.read() if self._activity is None else self._activity


class AdjointBench(OnlyBench):
    """A chip with a second state that settles to the exact adjoint."""

    def settle_errors(self, target):
        found = compute_exact_errors(self._chip, target)
        self._errors = self._chip.topology.split(found.delta)
        status = np.where(found.equilibrium.reached, Status.SETTLED, Status.STEP_LIMIT)
        return SettlingResult(
            status, np.ones(len(target), dtype=np.int64), np.zeros(len(target)), np.zeros(len(target))
        )

    def read_errors(self):
        return self._errors
