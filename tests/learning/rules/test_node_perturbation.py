"""Laws of node perturbation; statistical tests: false alarms 1e-6 each."""

import numpy as np
import pytest

from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.rules.node_perturbation import NodePerturbation, compute_hadamard_column
from learning.rules.rule import RuleContext
from learning.schemes.nodes import Centred
from learning.schemes.unnudged import Unnudged
from substrate.protocol import Budget
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_batch, random_chip
from tests.statistics import assert_mean

UNITS = 16
"""Of the networks of the tests: a power of 2, so that a complete set has as many probes."""


def find_delta(rule, chip, batch, repeat=0, scheme=None, whole=False):
    free = measure_free(OnlyBench(chip), batch[0])
    how = RuleContext(scheme or Unnudged(kind="np"), repeat=repeat, whole=whole)
    return rule.estimate(OnlyBench(chip), free, batch[1], how).flat


def draw_errors(rule, chip, batch, repeats, scheme=None):
    """Return the relative squared errors of repeated estimates, (repeats,): mean over the samples."""
    measure_free(chip, batch[0])
    exact = compute_exact_errors(chip, batch[1]).delta
    errors = [find_delta(rule, chip, batch, r, scheme) - exact for r in range(repeats)]
    return np.array([np.mean(np.sum(e**2, axis=1) / np.sum(exact**2, axis=1)) for e in errors])


@pytest.mark.parametrize(("law", "activation"), [("additive", "sigmoid"), ("hopfield", "tanh")])
def test_a_complete_set_of_probes_finds_the_exact_error_whatever_the_couplings(law, activation):
    chip = random_chip("loop", sigma=0.5, law=law, activation=activation)
    batch = random_batch(chip)
    found = find_delta(NodePerturbation(probes=UNITS, size=1e-4), chip, batch)
    exact = compute_exact_errors(chip, batch[1]).delta
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6 * np.abs(exact).max())


@pytest.mark.parametrize(
    ("code", "probes", "law"),
    [
        ("random", 1, UNITS - 1.0),
        ("random", 4, (UNITS - 1.0) / 4.0),
        ("orthogonal", 1, UNITS - 1.0),
        ("orthogonal", 4, UNITS / 4.0 - 1.0),
    ],
)
def test_the_relative_variance_is_that_of_its_law(code, probes, law):
    chip = random_chip(cost="mse")
    values = draw_errors(NodePerturbation(code=code, probes=probes, size=1e-3), chip, random_batch(chip, 8), 60)
    assert_mean(values, law, values.std(ddof=1))
    assert values.std(ddof=1) < 0.6 * law  # else the test could see nothing


@pytest.mark.parametrize(("probes", "law"), [(8, 1.0), (24, 1.0 / 9.0)])
def test_half_a_set_of_probes_reflects_the_error(probes, law):
    """``2 P - 1`` keeps every length; a complete set beside it adds none, and takes its part in the mean."""
    chip = random_chip(cost="mse")
    values = draw_errors(NodePerturbation(probes=probes, size=1e-3), chip, random_batch(chip, 4), 3)
    np.testing.assert_allclose(values, law, rtol=1e-4, atol=0)


def test_the_estimate_of_a_nudge_takes_its_share_of_the_variance():
    """``(N - 1) r^2 / m`` with the relative error `r` of the nudge."""
    chip, scheme, probes = random_chip(cost="mse", sigma=0.3), Centred(beta=0.05), 4
    batch = random_batch(chip, 8)
    free = measure_free(chip, batch[0])
    exact = compute_exact_errors(chip, batch[1]).delta
    guess = estimate_error_vectors(chip, free, batch[1], scheme).flat
    left = np.mean(np.sum((guess - exact) ** 2, axis=1) / np.sum(exact**2, axis=1))
    rule = NodePerturbation(code="random", probes=probes, size=1e-3, control="ep")
    values = draw_errors(rule, chip, batch, 60, scheme)
    assert_mean(values, (UNITS - 1.0) * left / probes, values.std(ddof=1))
    assert left < 0.5


def test_the_bias_grows_with_the_square_of_the_size():
    chip = random_chip(cost="mse")
    batch, errors, sizes = random_batch(chip), [], [0.2, 0.1, 0.05]
    measure_free(chip, batch[0])
    exact = compute_exact_errors(chip, batch[1]).delta
    for size in sizes:
        found = find_delta(NodePerturbation(probes=UNITS, size=size), chip, batch)
        errors.append(np.linalg.norm(found - exact))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(sizes))
    assert np.abs(slopes - 2.0).max() < 0.15, errors


def test_only_the_outputs_are_read_under_probes():
    chip, rule = random_chip(), NodePerturbation(probes=3)
    find_delta(rule, chip, random_batch(chip, 5))
    spent = chip.budget._replace(settled_time=0.0, elapsed=0.0)
    assert spent == Budget(settlings=35, reads=5, probes=30, outputs_read=30, macs=5 * 3 * UNITS)


def test_draws_depend_on_the_sample_and_not_on_its_batch():
    chip, rule = random_chip(), NodePerturbation(probes=5)
    x, y = random_batch(chip, 6)
    whole = find_delta(rule, chip, (x, y))
    np.testing.assert_allclose(find_delta(rule, chip, (x[:2], y[:2])), whole[:2], rtol=0, atol=1e-9)
    assert np.abs(find_delta(rule, chip, (x, y), repeat=1) - whole).max() > 1e-3


def test_columns_are_those_of_a_hadamard_matrix():
    columns = np.array([compute_hadamard_column(k, 16) for k in range(16)])
    np.testing.assert_array_equal(columns @ columns.T, 16.0 * np.eye(16))
    np.testing.assert_array_equal(compute_hadamard_column(5, 11), columns[5][:11])
