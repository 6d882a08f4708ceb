"""What pulses do that cancel: they pull cells to their symmetry point, and every one adds its own noise.

Means over 20,000 cells of a weight that scatters by a tenth are known to 0.1 %, variances to 1 %: bounds of 3 and 5 %
are three standard deviations or more, false alarms below 0.3 % each.
"""

import numpy as np
import pytest

from devices.programming.laws import ConstantStep, SoftBounds
from devices.random import Stream
from devices.synapse.retention import Retention
from learning.optimisers.schedule import TrainingMoment
from learning.policies.accumulate import Accumulate
from learning.policies.direct import Direct
from learning.policies.policy import KnownCells
from substrate.chip.programming import Writer

COUNT, BATCHES, SPREAD, START = 20_000, 300, 0.2, 0.5

POLICIES = {
    # Pulses per cell and batch, for requests around 0 of SPREAD steps.
    "direct": (Direct(), "stochastic", np.sqrt(2.0 / np.pi) * SPREAD),
    "accumulate": (Accumulate(bits=40), "nearest", (SPREAD / (1.0 + 0.583 * SPREAD)) ** 2),
}


class WrittenCells:
    """Cells of a law, as a chip writes them."""

    def __init__(self, law, weight):
        self.writer = Writer(law, Retention(), {"weight": weight.shape}, lambda purpose: Stream(0, purpose), {}, None)
        self.weight, self.count = weight, 0

    def write(self, changes):
        """Step the cells as a chip does."""
        for change in changes.values():
            self.weight = self.writer.write("weight", self.weight, change, str(self.count)).weight
            self.count += 1


def replay(law, policy, start):
    """Return the weights and the sum of the requests after all batches."""
    rng, memory = np.random.default_rng(1), {}
    bench, total = WrittenCells(law, np.full((COUNT, 1), start)), np.zeros((COUNT, 1))
    for k in range(BATCHES):
        request = SPREAD * law.step * rng.normal(size=(COUNT, 1))
        total += request
        policy.write(bench, {"weight": request}, memory, KnownCells(law.step), TrainingMoment(k, 10**9))
    return bench.weight, total


@pytest.mark.parametrize("name", POLICIES)
def test_traffic_draws_cells_with_soft_bounds_to_their_symmetry_point(name):
    """``w(K) = w0 exp(-p K s / w_max)``: hidden decay in proportion to the pulses, which registers save."""
    policy, rounding, pulses = POLICIES[name]
    law = SoftBounds(step=0.02, rounding=rounding)
    weight, _ = replay(law, policy, START)
    fill = 6.0 if name == "accumulate" else 0.0  # batches until registers have filled, (s/d)^2 / 4
    assert np.log(START / weight.mean()) == pytest.approx(pulses * (BATCHES - fill) * law.step, rel=0.03)


@pytest.mark.parametrize("name", POLICIES)
def test_every_pulse_adds_its_own_noise(name):
    """Variance ``cycle_sigma^2 s^2`` per pulse, whichever policy asks for it, beside what the policy itself misses."""
    policy, rounding, pulses = POLICIES[name]
    plain, noisy = (ConstantStep(step=0.01, w_max=100.0, cycle_sigma=s, rounding=rounding) for s in (0.0, 0.5))
    quiet, total = replay(plain, policy, 0.0)
    weight, _ = replay(noisy, policy, 0.0)
    added = np.var(weight - total) - np.var(quiet - total)
    fill = 6.0 if name == "accumulate" else 0.0
    assert added == pytest.approx(0.25 * plain.step**2 * pulses * (BATCHES - fill), rel=0.05)
