import tracemalloc

import numpy as np
import pytest

from substrate.dynamics.methods import Phase
from substrate.laws.law import LAWS
from substrate.network.couplings import make_couplings
from substrate.network.topology import Topology
from substrate.protocol import Nudge
from substrate.theory import linearisation as module
from substrate.theory.linearisation import (
    Linearisation,
    compute_symmetry,
    compute_weight_angle,
    find_equilibrium,
    linearise,
)
from tests.networks import WIRINGS, one_block, random_batch, random_chip

WIDE = ["in-l1", "l1-l2", "l2-l1", "l2-l3", "l3-l2", "l3-out", "out-l3"]


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
    rest = find_equilibrium(chip)
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
    linear = linearise(chip, find_equilibrium(chip).state)
    p, q = np.random.default_rng(0).normal(size=(2, 3, chip.topology.units))
    left, right = np.sum(p * linear.response(q), axis=1), np.sum(linear.adjoint(p) * q, axis=1)
    np.testing.assert_allclose(left, right, rtol=1e-12)
    inverse = np.array([linear.inverse(i) @ q[i] for i in range(3)])
    np.testing.assert_allclose(inverse, linear.response(q), rtol=0, atol=1e-13)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("wiring", WIRINGS)
def test_asymmetry_identity(wiring, law):
    """EP limit = exact + 2 M A exact, without a remainder; also with a saturated unit, where R has no inverse."""
    chip, _ = settled_chip(wiring, law=law)
    linear = linearise(chip, find_equilibrium(chip).state)
    linear.slopes[:, 3] = 0.0
    force = np.random.default_rng(0).normal(size=(3, chip.topology.units))
    exact = linear.adjoint(force)
    np.testing.assert_allclose(linear.response(force), linear.identity(exact), rtol=0, atol=1e-12)
    if wiring != "forward":
        assert np.abs(linear.response(force) - exact).max() > 1e-3


@pytest.mark.parametrize("law", LAWS)
def test_identity_with_the_inverse_of_the_activity_jacobian(law):
    """``delta_EP = (1 - 2 J^-1 A) delta_BP`` with ``J = W - K`` and `K` diagonal, where no slope vanishes."""
    chip, _ = settled_chip("skip", law=law)
    linear = linearise(chip, find_equilibrium(chip).state)
    force = np.random.default_rng(0).normal(size=(3, chip.topology.units))
    exact, ep, odd = linear.adjoint(force), linear.response(force), linear.couplings.antisymmetric().dense()
    for i in range(3):
        outer = 1.0 if law == "additive" else linear.slopes[i]
        jacobian = linear.jacobian(i) / linear.slopes[i] / np.reshape(outer, (-1, 1))
        off = ~np.eye(len(jacobian), dtype=bool)
        np.testing.assert_allclose(jacobian[off], linear.couplings.dense()[off], rtol=0, atol=1e-13)
        np.testing.assert_allclose(ep[i], exact[i] - 2.0 * np.linalg.solve(jacobian, odd @ exact[i]), atol=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_products_are_those_of_the_jacobian(law):
    chip, _ = settled_chip("lateral", law=law)
    linear = linearise(chip, find_equilibrium(chip).state)
    v = np.random.default_rng(0).normal(size=(3, chip.topology.units))
    for i in range(3):
        jacobian = linear.jacobian(i)
        np.testing.assert_allclose(linear.jacobian_product(v)[i], jacobian @ v[i], rtol=0, atol=1e-13)
        np.testing.assert_allclose(linear.newton_step(v)[i], np.linalg.solve(jacobian, v[i]), rtol=0, atol=1e-12)
        np.testing.assert_allclose(linear.only(np.array([i])).response(v[[i]])[0], linear.response(v)[i], atol=1e-14)


@pytest.mark.parametrize("law", LAWS)
def test_a_correction_by_the_true_asymmetry_makes_ep_exact(law):
    chip, _ = settled_chip("skip", law=law)
    linear = linearise(chip, find_equilibrium(chip).state)
    force = np.random.default_rng(0).normal(size=(3, chip.topology.units))
    corrected = linear.response(force, linear.couplings.antisymmetric())
    np.testing.assert_allclose(corrected, linear.adjoint(force), rtol=0, atol=1e-13)
    half = linear.response(force, linear.couplings.antisymmetric().times(0.5))
    symmetric = linear._replace(couplings=linear.couplings.symmetric())
    np.testing.assert_allclose(half, symmetric.response(force), rtol=0, atol=1e-13)


@pytest.mark.parametrize("law", LAWS)
def test_products_alone_solve_what_factorisation_solves(law, monkeypatch):
    chip, _ = settled_chip("lateral", law=law, scale=1.0)
    linear = linearise(chip, find_equilibrium(chip).state)
    force = np.random.default_rng(0).normal(size=(3, chip.topology.units))
    dense = linear.response(force), linear.adjoint(force), linear.newton_step(force)
    monkeypatch.setattr(module, "DIRECT", 0)
    monkeypatch.setattr(module, "LAST_RESORT", 0)
    for found, expected in zip(
        (linear.response(force), linear.adjoint(force), linear.newton_step(force)), dense, strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_what_products_do_not_solve_is_factorised_or_nan(monkeypatch):
    """Two units that turn each other by exactly a right angle: ``1 - W R`` maps every residual across itself."""
    linear = Linearisation(one_block(np.array([[1.0, 1.0], [-1.0, 1.0]])), np.ones((2, 2)))
    force = np.array([[1.0, 2.0], [0.0, 0.0]])
    expected = linear.response(force)
    np.testing.assert_allclose(expected, [[2.0, -1.0], [0.0, 0.0]], rtol=0, atol=1e-15)
    monkeypatch.setattr(module, "DIRECT", 0)
    np.testing.assert_array_equal(linear.response(force), expected)
    monkeypatch.setattr(module, "LAST_RESORT", 0)
    found = linear.response(force)
    assert np.isnan(found[0]).all()
    assert (found[1] == 0.0).all()


def test_five_thousand_units_need_no_dense_matrix():
    topology = Topology({"in": 2, "l1": 1500, "l2": 2000, "l3": 1490, "out": 10}, WIDE)
    rng = np.random.default_rng(0)
    blocks = {n: rng.normal(size=s) / np.sqrt(s[0]) for n, s in topology.shapes.items()}
    couplings = make_couplings(topology, {n: 0.5 * b for n, b in blocks.items()})
    linear = Linearisation(couplings, rng.uniform(size=(4, 5000)))
    force = np.zeros((4, 5000))
    force[:, -10:] = rng.normal(size=(4, 10))
    tracemalloc.start()
    ep, exact = linear.response(force), linear.adjoint(force)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5000 * 5000 * 8 / 2
    expected = linear.identity(exact)
    np.testing.assert_allclose(ep, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    assert np.abs(ep - exact).max() > 1e-3 * np.abs(exact).max()


def test_first_order_part_leaves_a_second_order_remainder():
    rng = np.random.default_rng(0)
    symmetric, odd = rng.normal(size=(2, 9, 9)) / 6.0
    symmetric, odd = symmetric + symmetric.T, odd - odd.T
    slopes, force = rng.uniform(0.2, 1.0, (1, 9)), rng.normal(size=(1, 9))
    sizes, remainders = [0.2, 0.1, 0.05, 0.025, 0.0125], []
    for size in sizes:
        linear = Linearisation(one_block(symmetric + size * odd), slopes)
        exact = linear.adjoint(force)
        remainders.append(np.linalg.norm(linear.response(force) - exact - linear.first_order(exact)))
    order = np.polyfit(np.log(sizes), np.log(remainders), 1)[0]
    assert abs(order - 2.0) < 0.15, (order, remainders)


def test_equilibrium_continues_an_unfinished_settling_to_rest():
    chip, _ = settled_chip("lateral")
    unfinished, _ = settled_chip("lateral", phase=Phase(steps=3))
    rest = find_equilibrium(unfinished)
    assert rest.reached.all()
    np.testing.assert_allclose(rest.state, chip.state, rtol=0, atol=1e-12)
    assert np.abs(unfinished.state - rest.state).max() > 1e-2


@pytest.mark.parametrize("law", LAWS)
def test_newton_finishes_near_rest_only(law):
    chip, _ = settled_chip("lateral", law=law)
    rest = find_equilibrium(chip).state
    shift = np.random.default_rng(0).normal(size=rest.shape) * np.array([[1e-7], [1e-3], [0.0]])
    left = shift - module._compute_newton_step(chip, rest + shift)
    assert np.abs(left[0]).max() < 1e-12
    np.testing.assert_array_equal(left[1:], shift[1:])


def test_a_diverged_sample_has_no_equilibrium():
    chip, _ = settled_chip("reciprocal", dt=3.0, phase=Phase(max_steps=500))
    rest = find_equilibrium(chip)
    assert not rest.reached.any()
    assert np.isfinite(rest.state).all()


def test_angle_and_symmetry():
    w = np.random.default_rng(0).normal(size=(40, 30))
    assert compute_weight_angle(w, 2.0 * w) == pytest.approx(0.0, abs=1e-5)
    assert compute_weight_angle(w, -w) == pytest.approx(180.0, abs=1e-5)
    assert np.isnan(compute_weight_angle(w, 0.0 * w))
    square = w[:30]
    assert compute_symmetry(one_block(square + square.T)) == 1.0
    assert compute_symmetry(one_block(square - square.T)) == 0.0
    assert np.isnan(compute_symmetry(one_block(np.zeros((2, 2)))))


def test_the_symmetry_figures_are_those_of_the_matrix():
    chip, _ = settled_chip("lateral")
    matrix, couplings = chip.topology.coupling(chip.effective), make_couplings(chip.topology, chip.effective)
    for leak in (0.0, 1.0):
        shifted = matrix - leak * np.eye(len(matrix))
        s, a = np.linalg.norm(shifted + shifted.T), np.linalg.norm(shifted - shifted.T)
        assert compute_symmetry(couplings, leak) == pytest.approx(s / (s + a), rel=1e-12)
