"""Laws of weight perturbation; statistical tests: false alarms 1e-6 each."""

import numpy as np
import pytest

from learning.oracle.exact import make_exact_rule
from learning.rules.rule import RuleContext, make_rule
from learning.rules.weight_perturbation import WeightPerturbation
from learning.schemes.unnudged import Unnudged
from learning.training import Samples
from substrate.protocol import Budget
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_batch, random_chip
from tests.statistics import assert_mean


def find_blocks(rule, chip, samples, repeat=0):
    how = RuleContext(Unnudged(kind="wp"), repeat=repeat)
    return make_rule(rule, OnlyBench(chip), how)(samples).blocks


@pytest.mark.parametrize("probes", [1, 4])
def test_the_relative_variance_is_that_of_the_batch_mean(probes):
    """``(P - 1) / m`` for `P` cells and `m` probes, whatever the couplings and the size of the batch."""
    chip = random_chip("loop", sigma=0.3, cost="mse")
    samples = Samples(*random_batch(chip, 6))
    exact = make_exact_rule(chip)(samples).blocks
    true = np.concatenate([block.ravel() for block in exact.values()])
    errors = []
    for repeat in range(150):
        found = find_blocks(WeightPerturbation(probes=probes, size=1e-4), chip, samples, repeat)
        error = np.concatenate([found[name].ravel() for name in exact]) - true
        errors.append(np.sum(error**2) / np.sum(true**2))
    assert_mean(np.array(errors), (len(true) - 1.0) / probes, np.std(errors, ddof=1))


def test_the_chip_is_left_as_it_was_and_outputs_alone_are_read():
    chip = random_chip(sigma=0.3)
    before = {name: block.copy() for name, block in chip.effective.items()}
    found = find_blocks(WeightPerturbation(probes=2), chip, Samples(*random_batch(chip, 5)))
    for name, block in before.items():
        np.testing.assert_array_equal(chip.effective[name], block)
    assert chip.budget._replace(settled_time=0.0, elapsed=0.0) == Budget(settlings=25, reads=5, outputs_read=20)
    assert set(found) == set(chip.topology.shapes)  # those of the readout are exact


def test_a_perturbation_acts_as_a_write_would_until_the_next():
    chip, other = random_chip(), random_chip()
    signs = {"weight/in-l1": np.ones((6, 7)), "weight/l1-l2": np.ones((7, 5)), "bias/out": -np.ones(4)}
    x = random_batch(chip)[0]
    other.write({name: 0.1 * sign for name, sign in signs.items()})
    chip.set_input(x)
    chip.perturb(signs, 0.1)
    other.set_input(x)
    for one in (chip, other):
        one.settle()
    np.testing.assert_allclose(chip.state, other.state, rtol=0, atol=1e-12)
    chip.perturb({"bias/out": np.ones(4)}, 0.2)
    np.testing.assert_allclose(
        chip.effective["bias/out"], random_chip().effective["bias/out"] + 0.2, rtol=0, atol=1e-15
    )
    np.testing.assert_array_equal(chip.effective["weight/l1-l2"], random_chip().effective["weight/l1-l2"])
    chip.write({"weight/l1-l2": np.full((7, 5), 0.3)})
    np.testing.assert_array_equal(chip.effective["bias/out"], random_chip().effective["bias/out"])
    with pytest.raises(ValueError, match="no block of cells"):
        chip.perturb({"readout/bias": np.ones(3)}, 0.1)
