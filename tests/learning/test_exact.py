"""The exact gradient against finite differences of the loss at equilibrium: no shared formula."""

import numpy as np
import pytest

from learning import cost
from learning.estimators import measure_free
from learning.exact import exact
from substrate.chip import Chip
from tests.networks import WIRINGS, random_batch, random_chip


def loss_at_rest(chip, blocks, x, y):
    moved = Chip(chip.design, blocks)
    free = measure_free(moved, x)
    assert (free.settled.status == 0).all()
    return cost.loss(moved.readout, free.activity["out"], y).mean()


@pytest.mark.parametrize("kind", ["mse", "cross-entropy"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_gradients_are_finite_differences_of_the_loss(wiring, kind):
    chip = random_chip(wiring, cost=kind)
    x, y = random_batch(chip, 3)
    free = measure_free(chip, x)
    delta = chip.topology.split(exact(chip, y).delta)
    keep = np.ones(3, dtype=bool)
    blocks = cost.gradients(chip.connections, free.activity, delta, keep)
    blocks |= cost.readout_gradients(chip.readout, free.activity["out"], y, keep)
    rng, step = np.random.default_rng(3), 1e-5
    for name, block in blocks.items():
        index = tuple(rng.integers(0, n) for n in block.shape)
        ends = []
        for sign in (1.0, -1.0):
            moved = {k: v.copy() for k, v in chip.programmed.items()}
            moved[name][index] += sign * step
            ends.append(loss_at_rest(chip, moved, x, y))
        assert block[index] == pytest.approx((ends[0] - ends[1]) / (2.0 * step), abs=2e-9), name


def test_without_feedback_ep_sees_only_the_output_layer():
    chip = random_chip("forward")
    x, y = random_batch(chip)
    measure_free(chip, x)
    reference = exact(chip, y)
    output = chip.topology.columns["out"]
    assert (reference.ep[:, : output.start] == 0.0).all()
    np.testing.assert_allclose(reference.ep[:, output], reference.delta[:, output], rtol=1e-12)
    assert np.abs(reference.delta[:, : output.start]).max() > 1e-3


def test_symmetric_couplings_make_ep_exact():
    chip = random_chip("reciprocal", symmetric=True)
    x, y = random_batch(chip)
    measure_free(chip, x)
    reference = exact(chip, y)
    np.testing.assert_allclose(reference.ep, reference.delta, rtol=0, atol=1e-14)
    assert np.abs(reference.first_order).max() == 0.0
