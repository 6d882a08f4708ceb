"""Single cells with further arrays of cells beside them: a bench without a chip."""

from __future__ import annotations

import numpy as np

from devices.programming.laws import ConstantStep
from devices.random import Stream
from devices.synapse.retention import Retention
from learning.optimisers.schedule import TrainingMoment
from learning.policies.policy import KnownCells
from substrate.chip.programming import Writer
from substrate.protocol import name_array_block

NAME, FAST = "bias/a", "array-1/bias/a"


class ArrayBench:
    """Cells of one law in several arrays, as a chip writes them; `error` is added to what is read of the second one.

    The first array takes any number of steps, where `plain` says so: what it gets is seen as it is.
    """

    def __init__(self, law, cells, arrays, error=0.0, plain=True, seed=0):
        self.weights = {name_array_block(n, NAME): np.zeros(cells) for n in range(arrays)}
        first = ConstantStep(step=law.step, rounding="stochastic") if plain else law
        laws = {name: law if name != NAME else first for name in self.weights}
        self.writers = {
            name: Writer(
                law, Retention(), {name: self.weights[name].shape}, lambda purpose: Stream(seed, purpose), {}, None
            )
            for name, law in laws.items()
        }
        self.error, self.writes, self.reads, self.pulses = error, 0, 0, dict.fromkeys(laws, 0)

    def write(self, changes):
        """Step cells as a chip does."""
        for name, change in changes.items():
            done = self.writers[name].write(name, self.weights[name], change, str(self.writes))
            self.weights[name], self.pulses[name] = done.weight, self.pulses[name] + done.pulses
        self.writes += 1

    def read_cells(self, block, chosen):
        """Read cells as they are, but for the error of the second array."""
        self.reads += int(np.count_nonzero(chosen))
        return self.weights[block][chosen] + (self.error if block == FAST else 0.0)

    def mirror(self, block, request):  # noqa: ARG002
        return request.T


class Replay:
    """A policy on single cells, batch after batch."""

    def __init__(self, policy, law, cells, **bench):
        self.policy, self.law, self.memory, self.batches = policy, law, {}, 0
        self.bench = ArrayBench(law, cells, 1 + len(policy.extra_arrays.gains), **bench)

    def feed(self, requests):
        """Write requests (cells,), one batch after the other."""
        for request in requests:
            moment = TrainingMoment(self.batches, 10**9)
            self.policy.write(self.bench, {NAME: request}, self.memory, KnownCells(self.law.step), moment)
            self.batches += 1

    @property
    def moved(self):
        """What the weights got, what waits in a buffer included."""
        waiting = self.memory.get(f"write/buffer/{NAME}", 0.0)
        return self.bench.weights[NAME] + self.law.step * waiting
