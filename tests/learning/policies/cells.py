"""Ideal cells: a bench that keeps the sum and the pulses of what it is given."""

from __future__ import annotations

import numpy as np

from learning.optimisers.schedule import TrainingMoment
from learning.policies.policy import KnownCells

NAME = "weight/a-b"
STEP = 0.01
CELLS = KnownCells(STEP)


class CellBench:
    """Cells without bounds or spread; `rounding` as that of `devices.update`."""

    def __init__(self, shape, rounding="nearest", seed=0):
        self.weight, self.pulses = np.zeros(shape), np.zeros(shape)
        self.rounding, self.rng = rounding, np.random.default_rng(seed)

    def write(self, changes):
        for change in changes.values():
            wanted = change / STEP
            uniform = self.rng.random(wanted.shape) if self.rounding == "stochastic" else 0.5
            steps = np.floor(wanted + uniform)
            self.weight += steps * STEP
            self.pulses += np.abs(steps)

    def mirror(self, block, request):  # noqa: ARG002
        return request.T


def replay(policy, requests, rounding="nearest", steps=10**9):
    """Return the bench and the sum of the requests (batches, ...) after all batches."""
    bench, memory = CellBench(requests[0].shape, rounding), {}
    for k, request in enumerate(requests):
        policy.write(bench, {NAME: request}, memory, CELLS, TrainingMoment(k, steps))
    return bench, sum(requests)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))
