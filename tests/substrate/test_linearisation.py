import numpy as np
import pytest

from substrate.linearisation import Linearisation, angle, equilibrium, linearise, symmetry
from substrate.methods import Phase
from substrate.protocol import Nudge
from tests.networks import WIRINGS, random_batch, random_chip


def settled_chip(wiring, **changes):
    chip = random_chip(wiring, cost="mse", **changes)
    x, y = random_batch(chip, 3)
    chip.set_input(x)
    chip.settle()
    return chip, y


@pytest.mark.parametrize("activation", ["sigmoid", "dsilu"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_response_is_the_derivative_with_respect_to_the_nudge(wiring, activation):
    chip, y = settled_chip(wiring, activation=activation)
    rest = equilibrium(chip)
    force = np.zeros_like(rest.state)
    output = chip.topology.columns["out"]
    force[:, output] = rest.activity[:, output] - y
    step = 1e-4
    ends = []
    for beta in (step, -step):
        chip.settle(Nudge(beta, y), "free")
        ends.append(chip.activity_of(chip.state))
    difference = -(ends[0] - ends[1]) / (2.0 * step)
    np.testing.assert_allclose(linearise(chip, rest.state).response(force), difference, rtol=0, atol=2e-8)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_response_and_adjoint_are_adjoint(wiring):
    chip, _ = settled_chip(wiring)
    linear = linearise(chip, equilibrium(chip).state)
    p, q = np.random.default_rng(0).normal(size=(2, 3, chip.topology.units))
    left, right = np.sum(p * linear.response(q), axis=1), np.sum(linear.adjoint(p) * q, axis=1)
    np.testing.assert_allclose(left, right, rtol=1e-12)
    inverse = np.array([linear.inverse(i) @ q[i] for i in range(3)])
    np.testing.assert_allclose(inverse, linear.response(q), rtol=0, atol=1e-13)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_asymmetry_identity(wiring):
    """EP limit = exact + 2 R (1 - W R)^-1 A exact, without a remainder."""
    chip, _ = settled_chip(wiring)
    linear = linearise(chip, equilibrium(chip).state)
    force = np.random.default_rng(0).normal(size=(3, chip.topology.units))
    exact = linear.adjoint(force)
    antisymmetric = 0.5 * (linear.coupling - linear.coupling.T)
    expected = exact + linear.response(2.0 * exact @ antisymmetric.T)
    np.testing.assert_allclose(linear.response(force), expected, rtol=0, atol=1e-12)


def test_first_order_part_leaves_a_second_order_remainder():
    rng = np.random.default_rng(0)
    symmetric, odd = rng.normal(size=(2, 9, 9)) / 6.0
    symmetric, odd = symmetric + symmetric.T, odd - odd.T
    slopes, force = rng.uniform(0.2, 1.0, (1, 9)), rng.normal(size=(1, 9))
    sizes, remainders = [0.2, 0.1, 0.05, 0.025, 0.0125], []
    for size in sizes:
        linear = Linearisation(symmetric + size * odd, slopes)
        exact = linear.adjoint(force)
        remainders.append(np.linalg.norm(linear.response(force) - exact - linear.first_order(exact)))
    order = np.polyfit(np.log(sizes), np.log(remainders), 1)[0]
    assert abs(order - 2.0) < 0.15, (order, remainders)


def test_equilibrium_continues_an_unfinished_settling_to_rest():
    chip, _ = settled_chip("lateral")
    unfinished, _ = settled_chip("lateral", phase=Phase(steps=3))
    rest = equilibrium(unfinished)
    assert rest.reached.all()
    np.testing.assert_allclose(rest.state, chip.state, rtol=0, atol=1e-12)
    assert np.abs(unfinished.state - rest.state).max() > 1e-2


def test_a_diverged_sample_has_no_equilibrium():
    chip, _ = settled_chip("reciprocal", dt=3.0, phase=Phase(max_steps=500))
    rest = equilibrium(chip)
    assert not rest.reached.any()
    assert np.isfinite(rest.state).all()


def test_angle_and_symmetry():
    w = np.random.default_rng(0).normal(size=(40, 30))
    assert angle(w, 2.0 * w.T) == pytest.approx(0.0, abs=1e-5)
    assert angle(w, -w.T) == pytest.approx(180.0, abs=1e-5)
    assert np.isnan(angle(w, 0.0 * w.T))
    square = w[:30]
    assert symmetry(square + square.T) == 1.0
    assert symmetry(square - square.T) == 0.0
    assert np.isnan(symmetry(np.zeros((2, 2))))
