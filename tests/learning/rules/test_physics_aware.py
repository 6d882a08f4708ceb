"""Laws of the backward pass through a model of the chip; statistical tests: false alarms 1e-6 each."""

import numpy as np
import pytest

from learning.estimator import measure_free
from learning.oracle.exact import compute_exact_errors, make_exact_rule
from learning.oracle.models import make_rule_model
from learning.rules.physics_aware import PhysicsAware
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.unnudged import Unnudged
from learning.training import Samples
from substrate.protocol import Budget, Status
from substrate.theory.linearisation import find_equilibrium, linearise
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_batch, random_chip
from tests.statistics import assert_mean

LAWS = [("additive", "sigmoid"), ("hopfield", "tanh")]


def find_delta(rule, chip, batch, bench=None):
    """Return the error vectors that `rule` finds, (batch, units)."""
    free = measure_free(bench or chip, batch[0])
    how = RuleContext(Unnudged(kind="pat"), model=make_rule_model(rule, chip))
    return rule.estimate(bench or chip, free, batch[1], how).flat


@pytest.mark.parametrize(("law", "activation"), LAWS)
@pytest.mark.parametrize("wiring", ["reciprocal", "loop", "skip", "lateral"])
@pytest.mark.parametrize("iterations", [None, 400])
def test_a_perfect_model_finds_the_exact_gradient(law, activation, wiring, iterations):
    chip = random_chip(wiring, sigma=0.3, law=law, activation=activation)
    samples, rule = Samples(*random_batch(chip)), PhysicsAware(model="exact", iterations=iterations)
    how = RuleContext(Unnudged(kind="pat"), model=make_rule_model(rule, chip))
    found, true = make_rule(rule, OnlyBench(chip), how)(samples), make_exact_rule(chip)(samples)
    assert set(found.blocks) == set(true.blocks)
    for name, block in true.blocks.items():
        np.testing.assert_allclose(found.blocks[name], block, rtol=0, atol=1e-10 * np.abs(block).max())


def test_a_model_of_the_programmed_weights_lacks_what_cells_and_units_miss():
    chip, ideal = random_chip(sigma=0.3), random_chip(sigma=0.0)
    batch, rule = random_batch(chip), PhysicsAware()
    measure_free(ideal, batch[0])
    exact = compute_exact_errors(ideal, batch[1]).delta
    np.testing.assert_allclose(find_delta(rule, ideal, batch), exact, rtol=0, atol=1e-14)
    assert np.abs(find_delta(rule, chip, batch) - exact).max() > 1e-3 * np.abs(exact).max()


def test_the_model_follows_the_writes():
    chip, rule = random_chip(), PhysicsAware()
    batch, model = random_batch(chip), make_rule_model(PhysicsAware(), chip)
    chip.write({"weight/l1-l2": np.full((7, 5), 0.1)})
    free = measure_free(chip, batch[0])
    found = rule.estimate(chip, free, batch[1], RuleContext(Unnudged(kind="pat"), model=model)).flat
    exact = compute_exact_errors(chip, batch[1]).delta
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("law", "activation"), LAWS)
def test_a_spread_of_the_model_makes_the_error_of_its_law(law, activation):
    """``E |delta_t - delta|^2 = tr (M diag(T^T delta^2) M^T)`` with variances `T` of the weights, to first order."""
    sigma, draws, ratios = 1e-4, 60, []
    for instance in range(draws):
        chip = random_chip(law=law, activation=activation, instance=instance)
        batch = random_batch(chip, samples=3)
        error = find_delta(PhysicsAware(model="exact", weight_sigma=sigma), chip, batch)
        exact = compute_exact_errors(chip, batch[1])
        squares = (exact.linear.couplings.dense() * sigma) ** 2
        for k in range(len(error)):
            response = exact.linear.inverse(k).T
            expected = np.einsum("ij,j,ij->", response, squares.T @ exact.delta[k] ** 2, response)
            ratios.append(np.sum((error[k] - exact.delta[k]) ** 2) / expected)
    ratios = np.reshape(ratios, (draws, -1)).mean(axis=1)
    assert_mean(ratios, 1.0, ratios.std(ddof=1))
    assert ratios.std() < 1.5  # else the test could see nothing


def test_read_noise_is_not_divided_by_a_nudge():
    """``d delta = (1 - R W^T)^-1 (dR q + R H da)`` with ``q = delta/R``: linear in the noise, of order 1 in size."""
    sigma, rule = 1e-4, PhysicsAware(model="exact")
    chip = random_chip(cost="mse", instance=0)
    x, y = random_batch(chip, samples=2)
    free = measure_free(chip, x)
    exact = compute_exact_errors(chip, y)
    state = find_equilibrium(chip).state
    linear, transfer = linearise(chip, state), chip.membranes.transfer
    how, rng, ratios = (
        RuleContext(Unnudged(kind="pat"), model=make_rule_model(rule, chip)),
        np.random.default_rng(0),
        [],
    )
    output = chip.topology.columns["out"]
    seen = np.zeros(chip.topology.units)
    seen[output] = 1.0
    gains = transfer.curvature(state) / transfer.slope(state) ** 2
    for _ in range(200):
        noise = sigma * rng.normal(size=exact.delta.shape)
        read = {
            name: a + part for (name, a), part in zip(list(free.activity.items())[1:], _split(chip, noise), strict=True)
        }
        found = rule.estimate(chip, free._replace(activity={"in": x} | read), y, how).flat
        ratios.append(np.sum((found - exact.delta) ** 2, axis=1))
    for k in range(2):
        response = np.linalg.inv(np.eye(len(seen)) - linear.slopes[k][:, None] * linear.couplings.dense().T)
        per_unit = np.diag(gains[k] * exact.delta[k]) + np.diag(linear.slopes[k] * seen)
        expected = sigma**2 * np.sum((response @ per_unit) ** 2)
        values = np.array(ratios)[:, k] / expected
        assert_mean(values, 1.0, values.std(ddof=1))


def _split(chip, flat):
    return list(chip.topology.split(flat).values())


def test_the_account_has_one_settling_one_read_and_the_multiply_adds():
    chip = random_chip()
    batch = random_batch(chip, samples=3)
    find_delta(PhysicsAware(iterations=7), chip, batch)
    products = 7 * 5 * 2 + 5 * 4 * 2
    spent = chip.budget._replace(settled_time=0.0, elapsed=0.0)
    assert spent == Budget(settlings=3, reads=3, macs=3 * 7 * (products + 16))


def test_what_diverges_in_the_model_is_left_out():
    chip = random_chip("lateral", scale=6.0, activation="identity", dynamics={"mode": "trajectory"}, dt=0.01)
    rule, batch = PhysicsAware(iterations=5000), random_batch(chip)
    free = measure_free(chip, batch[0])
    free = free._replace(activity={name: np.full_like(a, 0.5) for name, a in free.activity.items()})
    how = RuleContext(Unnudged(kind="pat"), model=make_rule_model(rule, chip))
    assert (rule.estimate(chip, free, batch[1], how).status == Status.DIVERGED).all()


def test_a_rule_without_a_model_is_refused():
    chip = random_chip()
    rule, batch = PhysicsAware(), random_batch(chip)
    with pytest.raises(ValueError, match="pat needs a model of the chip"):
        rule.estimate(chip, measure_free(chip, batch[0]), batch[1], RuleContext(Unnudged(kind="pat")))
