"""The loss of Jacobian homeostasis against the reference vectors, dense Jacobians and finite differences."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from learning.oracle.homeostasis import ExactPull, SampledPull, compute_homeostatic_loss, estimate_homeostatic_loss
from learning.training import Samples
from substrate.network.topology import Topology
from tests.networks import LAYERS, WIRINGS, random_batch, random_blocks, random_chip
from tests.statistics import ALARM, assert_mean

DATA = Path(__file__).parents[2] / "data"
REFERENCE = {"reciprocal_sigmoid_xent": "reciprocal", "loop_sigmoid_xent": "loop", "reciprocal_dsilu_mse": "reciprocal"}


@pytest.mark.parametrize("name", REFERENCE)
def test_loss_and_gradient_are_those_of_the_reference(name):
    topology = Topology({"in": 12, "l1": 8, "l2": 7, "out": 5}, WIRINGS[REFERENCE[name]])
    expected = np.load(DATA / name / "expected.npz")
    found = compute_homeostatic_loss(topology, np.load(DATA / name / "parameters.npz"), per_unit=True)
    np.testing.assert_allclose(found.loss, expected["homeostasis/loss_over_n"], rtol=1e-9)
    for block, gradient in found.gradient.items():
        wanted = expected[f"homeostasis/gradient/{block}"]
        np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max(), err_msg=block)


def loss_of(topology, blocks):
    """Return ``|J|^2 - tr J^2`` of a Jacobian with an arbitrary diagonal."""
    jacobian = topology.coupling(blocks) - np.diag(np.linspace(1.0, 3.0, topology.units))
    return np.sum(jacobian**2) - np.trace(jacobian @ jacobian)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_loss_and_gradient_by_jacobian_and_finite_differences(wiring):
    topology = Topology(LAYERS, WIRINGS[wiring])
    blocks = random_blocks(topology, 0)
    found = compute_homeostatic_loss(topology, blocks)
    assert found.loss == pytest.approx(loss_of(topology, blocks), rel=1e-12)
    assert compute_homeostatic_loss(topology, blocks, per_unit=True).loss == pytest.approx(found.loss / topology.units)
    assert found.gradient.keys() == {c.block for c in topology.recurrent()}
    rng = np.random.default_rng(1)
    for name, gradient in found.gradient.items():
        assert gradient.shape == blocks[name].shape
        for _ in range(3):
            index, ends = tuple(rng.integers(0, n) for n in gradient.shape), []
            for step in (1e-4, -1e-4):
                moved = blocks | {name: blocks[name].copy()}
                moved[name][index] += step
                ends.append(loss_of(topology, moved))
            assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-9), name


def test_symmetric_couplings_are_at_rest_and_a_lone_connection_shrinks():
    topology = Topology(LAYERS, WIRINGS["reciprocal"])
    blocks = random_blocks(topology, 0)
    for forward, back in topology.pairs():
        blocks[back.block] = blocks[forward.block].T
    assert compute_homeostatic_loss(topology, blocks).loss == 0.0
    lone = Topology(LAYERS, WIRINGS["forward"])
    blocks = random_blocks(lone, 0)
    np.testing.assert_allclose(
        compute_homeostatic_loss(lone, blocks).gradient["weight/l1-l2"], 2.0 * blocks["weight/l1-l2"]
    )


def jacobian_of(topology, blocks):
    return topology.coupling(blocks) - np.eye(topology.units)


def test_the_two_sampled_terms_add_up_and_have_their_own_means():
    """Over the unit vectors, times sqrt(n), the mean is exact: ``|J|^2`` and ``-tr J^2``."""
    topology = Topology(LAYERS, WIRINGS["lateral"])
    blocks, basis = random_blocks(topology, 0), np.sqrt(topology.units) * np.eye(topology.units)
    both, norm, trace = (
        estimate_homeostatic_loss(topology, blocks, basis, terms) for terms in ("both", "norm", "trace")
    )
    jacobian, exact = jacobian_of(topology, blocks), compute_homeostatic_loss(topology, blocks)
    assert norm.loss == pytest.approx(np.sum(jacobian**2), rel=1e-12)
    assert trace.loss == pytest.approx(-np.trace(jacobian @ jacobian), rel=1e-12)
    assert both.loss == pytest.approx(exact.loss, rel=1e-12)
    for c in topology.recurrent():
        i, j = topology.columns[c.post], topology.columns[c.pre]
        for found, wanted in ((norm, 2.0 * jacobian), (trace, -2.0 * jacobian.T)):
            np.testing.assert_allclose(found.gradient[c.block], wanted[i, j].T, rtol=0, atol=1e-12)
        np.testing.assert_allclose(both.gradient[c.block], exact.gradient[c.block], rtol=0, atol=1e-12)


def test_a_sampled_gradient_is_that_of_its_loss():
    """By central differences, for fixed draws and each choice of terms."""
    topology = Topology(LAYERS, WIRINGS["lateral"])
    blocks, rng = random_blocks(topology, 0), np.random.default_rng(1)
    eps = rng.normal(size=(3, topology.units))
    for terms in ("both", "norm", "trace"):
        for name, gradient in estimate_homeostatic_loss(topology, blocks, eps, terms).gradient.items():
            index, ends = tuple(rng.integers(0, n) for n in gradient.shape), []
            for step in (1e-4, -1e-4):
                moved = blocks | {name: blocks[name].copy()}
                moved[name][index] += step
                ends.append(estimate_homeostatic_loss(topology, moved, eps, terms).loss)
            assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-7), name


def test_mean_and_variance_of_single_draws():
    """Variance of the loss ``2 |A J - J^T A|^2``; false alarms 1e-6 each for large samples, below 1e-4 in all."""
    topology = Topology(LAYERS, WIRINGS["reciprocal"])
    blocks, draws = random_blocks(topology, 0), np.random.default_rng(2).normal(size=(8000, topology.units))
    jacobian, exact = jacobian_of(topology, blocks), compute_homeostatic_loss(topology, blocks)
    odd = 0.5 * (jacobian - jacobian.T)
    variance = 2.0 * np.sum((odd @ jacobian - jacobian.T @ odd) ** 2)
    losses = np.array([estimate_homeostatic_loss(topology, blocks, eps[None]).loss for eps in draws])
    assert_mean(losses, exact.loss, np.sqrt(variance))
    # The loss is no normal variable: the spread of a sample variance needs its fourth moment.
    fourth = np.mean((losses - exact.loss) ** 4)
    spread = np.sqrt((fourth - variance**2) / len(losses))
    assert abs(losses.var() - variance) < stats.norm.isf(ALARM / 2) * spread
    found = np.array(
        [estimate_homeostatic_loss(topology, blocks, eps[None]).gradient["weight/l2-l1"] for eps in draws[:2000]]
    )
    for index in ((0, 0), (4, 6), (2, 3)):
        entry = found[:, *index]
        assert_mean(entry, exact.gradient["weight/l2-l1"][index], entry.std(ddof=1))


def test_at_symmetry_a_sampled_loss_is_exactly_0_but_no_sampled_gradient():
    chip = random_chip(symmetric=True)
    found = estimate_homeostatic_loss(
        chip.topology, chip.programmed, np.random.default_rng(0).normal(size=(2, chip.topology.units))
    )
    assert abs(found.loss) < 1e-12
    assert np.abs(found.gradient["weight/l1-l2"]).max() > 0.1


def test_pulls_of_the_oracle_are_shared_out_and_follow_the_chip_as_it_is():
    chip = random_chip(sigma=0.1)
    x, y = random_batch(chip)
    samples, exact = Samples(x, y), compute_homeostatic_loss(chip.topology, chip.effective, per_unit=True)
    pull = ExactPull(strength=3.0).pull(chip, samples)
    assert pull.keys() == exact.gradient.keys()
    for name, block in pull.items():
        np.testing.assert_allclose(block, 3.0 * exact.gradient[name], rtol=1e-14)
    many = SampledPull(draws=2000).pull(chip, samples)
    spread = np.linalg.norm(many["weight/l1-l2"] - exact.gradient["weight/l1-l2"])
    assert spread < 0.1 * np.linalg.norm(exact.gradient["weight/l1-l2"])
    again = SampledPull(draws=2).pull(chip, samples)
    for name, block in SampledPull(draws=2).pull(chip, samples._replace(ids=np.arange(5))).items():
        np.testing.assert_array_equal(block, again[name])
    assert np.any(SampledPull(draws=2, terms="norm").pull(chip, samples)["weight/l1-l2"] != again["weight/l1-l2"])
