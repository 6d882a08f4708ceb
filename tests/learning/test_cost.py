import numpy as np
import pytest

from devices.interface import cost_force
from learning import cost
from substrate.protocol import Readout
from tests.networks import random_chip

RNG = np.random.default_rng(0)
OUTPUT = RNG.uniform(size=(4, 5))
READOUT = Readout(RNG.normal(size=(5, 3)), RNG.normal(size=3))
CASES = [(None, RNG.uniform(size=(4, 5))), (READOUT, np.eye(3)[[0, 2, 1, 1]]), (READOUT, RNG.dirichlet(np.ones(3), 4))]


@pytest.mark.parametrize(("readout", "target"), CASES)
def test_force_is_the_derivative_of_the_loss(readout, target):
    step, difference = 1e-6, np.zeros_like(OUTPUT)
    for i in range(OUTPUT.shape[1]):
        move = np.zeros_like(OUTPUT)
        move[:, i] = step
        rise = cost.compute_loss(readout, OUTPUT + move, target) - cost.compute_loss(readout, OUTPUT - move, target)
        difference[:, i] = rise / (2.0 * step)
    np.testing.assert_allclose(cost.compute_cost_force(readout, OUTPUT, target), difference, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("readout", "target"), CASES)
@pytest.mark.parametrize("imaginary", [0.0, 0.3])
def test_the_nudge_circuit_applies_this_force_in_the_complex_plane(readout, target, imaginary):
    """Complex NumPy is the oracle for the planes of the device law; the real plane is `cost.compute_cost_force`."""
    still = np.full(5, imaginary)
    for a, y in zip(OUTPUT, target, strict=True):
        force = np.empty((2, 5))
        if readout is None:
            cost_force.compute_mse_force(a, still, y, force)
            expected = a + 1j * imaginary - y
        else:
            cost_force.compute_cross_entropy_force(a, still, y, *readout, np.empty((2, 3)), force)
            z = np.exp((a + 1j * imaginary) @ readout.weight + readout.bias)
            expected = (z / z.sum() - y) @ readout.weight.T
        np.testing.assert_allclose(force[0] + 1j * force[1], expected, rtol=0, atol=1e-13)
        if imaginary == 0.0:
            np.testing.assert_allclose(
                force[0], cost.compute_cost_force(readout, a[None], y[None])[0], rtol=0, atol=1e-14
            )


def test_cross_entropy_survives_large_logits():
    readout = Readout(1e4 * np.eye(3), np.zeros(3))
    output, target = np.eye(3)[:1], np.eye(3)
    np.testing.assert_allclose(cost.compute_loss(readout, np.repeat(output, 3, 0), target), [0.0, 1e4, 1e4], rtol=1e-12)
    force = np.empty((2, 3))
    cost_force.compute_cross_entropy_force(output[0], np.zeros(3), target[1], *readout, np.empty((2, 3)), force)
    np.testing.assert_allclose(force[0], [1e4, -1e4, 0.0], rtol=1e-12)


def test_readout_gradients_are_derivatives():
    target = np.eye(3)[[0, 2, 1, 1]]
    keep = np.array([True, True, False, True])
    blocks = cost.compute_readout_gradients(READOUT, OUTPUT, target, keep)
    step = 1e-6
    for name, field in (("readout/weight", "weight"), ("readout/bias", "bias")):
        base = getattr(READOUT, field)
        for index in np.ndindex(base.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = base.copy()
                moved[index] += sign * step
                ends.append(cost.compute_loss(READOUT._replace(**{field: moved}), OUTPUT, target)[keep].mean())
            assert blocks[name][index] == pytest.approx((ends[0] - ends[1]) / (2.0 * step), abs=1e-8)


def test_without_a_kept_sample_a_gradient_is_not_a_number():
    blocks = cost.compute_gradients(
        random_chip(), {"in": np.ones((4, 6))}, {"l1": np.ones((4, 7))}, np.zeros(4, dtype=bool)
    )
    assert blocks.keys() == {"weight/in-l1", "bias/l1"}
    assert all(np.isnan(block).all() for block in blocks.values())
