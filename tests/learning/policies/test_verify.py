"""Cells that are read until they are right: tries, what is left, and what is given up."""

import numpy as np
import pytest
from scipy.special import ndtr

from devices.programming.laws import ConstantStep
from learning.optimisers.schedule import TrainingMoment
from learning.policies.policy import KnownCells
from learning.policies.verify import Verify, count_given_up
from tests.learning.policies.cells import CELLS, NAME, STEP, rms
from tests.networks import random_chip

MOMENT = TrainingMoment(0, 100)


class NoisyCells:
    """Cells of one step whose write noise is drawn anew by every pulse, in steps."""

    def __init__(self, cells, noise, gain=1.0, seed=0):
        self.kept, self.noise, self.gain = np.zeros(cells), noise, gain
        self.rng = np.random.default_rng(seed)
        self.around, self.reads, self.pulses = np.zeros(cells), 0, 0

    def write(self, changes):
        change = changes.get(NAME, np.zeros_like(self.kept))
        hit = change != 0.0
        self.kept += self.gain * change
        self.around[hit] = self.noise * STEP * self.rng.normal(size=np.count_nonzero(hit))
        self.pulses += int(np.abs(np.rint(change / STEP)).sum())

    def read_cells(self, block, chosen):  # noqa: ARG002
        self.reads += int(np.count_nonzero(chosen))
        return (self.kept + self.around)[chosen]


@pytest.mark.parametrize(("share", "law"), [(0.5, 2.61), (0.1, 12.6)])
def test_tries_follow_the_normal_law(share, law):
    """``1 / (2 Phi(t / s_w) - 1)``: mean over 20,000 cells, which scatters by less than 1 %."""
    noise = 200.0
    bench = NoisyCells(20_000, noise)
    policy = Verify(tolerance=share * noise, longest=1000)
    policy.write(bench, {NAME: np.full(20_000, 1.0001 * share * noise * STEP)}, {}, CELLS, MOMENT)
    # The noise is centred a tolerance away from the target.
    tries = 1.0 / (ndtr(2.0 * share) - ndtr(0.0))
    assert bench.pulses / 20_000 == pytest.approx(tries, rel=0.03)
    assert 1.0 / (2.0 * ndtr(share) - 1.0) == pytest.approx(law, rel=0.01)
    assert bench.reads == 20_000 + bench.pulses


def test_what_is_left_is_uniform_within_the_tolerance():
    bench, memory, policy = NoisyCells(20_000, 100.0), {}, Verify(tolerance=10.0, longest=1000)
    request = 50 * STEP * np.random.default_rng(1).normal(size=20_000)
    policy.write(bench, {NAME: request}, memory, CELLS, MOMENT)
    due = np.abs(request) > 10.0 * STEP
    missing = (request - bench.kept - bench.around)[due]
    assert np.abs(missing).max() <= 10.0 * STEP * (1 + 1e-9)
    assert rms(missing) / STEP == pytest.approx(10.0 / np.sqrt(3), rel=0.03)
    np.testing.assert_allclose(memory[f"write/{NAME}"][due], missing, rtol=0, atol=1e-12)
    assert count_given_up(memory) == 0


def test_steps_of_another_size_are_corrected():
    bench, policy = NoisyCells(10, 0.0, gain=0.7), Verify(longest=100)
    policy.write(bench, {NAME: np.full(10, 20 * STEP)}, {}, CELLS, MOMENT)
    assert np.abs(bench.kept - 20 * STEP).max() <= STEP
    assert bench.pulses == 10 * 28


def test_what_is_given_up_is_counted_and_waits():
    bench, memory, policy = NoisyCells(10, 0.0), {}, Verify(longest=3)
    policy.write(bench, {NAME: np.full(10, 9.5 * STEP)}, memory, CELLS, MOMENT)
    assert count_given_up(memory) == 10
    np.testing.assert_allclose(memory[f"write/{NAME}"], 6.5 * STEP)
    for _ in range(2):
        policy.write(bench, {NAME: np.zeros(10)}, memory, CELLS, MOMENT)
    assert count_given_up(memory) == 20
    np.testing.assert_allclose(bench.kept, 9 * STEP)


def test_cells_below_the_tolerance_are_neither_read_nor_written():
    bench = NoisyCells(10, 1.0)
    Verify().write(bench, {NAME: np.full(10, 0.9 * STEP)}, {}, CELLS, MOMENT)
    assert (bench.reads, bench.pulses) == (0, 0)


def test_more_pulses_of_a_try_take_fewer_tries():
    found = []
    for pulses in (1, 10):
        bench = NoisyCells(10, 0.0)
        Verify(pulses=pulses, longest=100).write(bench, {NAME: np.full(10, 20 * STEP)}, {}, CELLS, MOMENT)
        found.append((bench.reads, bench.pulses))
    # One step is within the tolerance.
    assert found == [(200, 190), (30, 200)]


def test_a_chip_is_read_as_its_units_feel_it():
    chip = random_chip(sigma=0.1, update=ConstantStep(step=0.01, write_noise=3.0))
    chip.set_input(np.zeros((1, 6)))
    chosen = np.zeros((7, 5), dtype=bool)
    chosen[2] = True
    before = chip.budget
    np.testing.assert_array_equal(chip.read_cells("weight/l1-l2", chosen), chip.effective["weight/l1-l2"][2])
    assert chip.budget.cell_reads - before.cell_reads == 5
    for block, mask in (("weight/l1-l2", chosen.T), ("readout/bias", np.ones(3, dtype=bool)), ("none", chosen)):
        with pytest.raises(ValueError, match="no cells of shape"):
            chip.read_cells(block, mask)


@pytest.mark.parametrize("cells", [KnownCells(0.1, copied=True), KnownCells(0.1, forgetful=True)])
def test_cells_that_one_read_does_not_tell_are_refused(cells):
    ((key, message, _),) = Verify().find_faults(cells)
    assert key == ""
    assert "reads cells one by one, but" in message
