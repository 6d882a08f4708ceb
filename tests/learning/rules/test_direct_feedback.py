"""Laws of direct feedback alignment; statistical tests: false alarms 1e-6 each."""

import numpy as np

from learning.estimator import measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.models import make_rule_model
from learning.rules.direct_feedback import DirectFeedback
from learning.rules.rule import RuleContext
from learning.schemes.unnudged import Unnudged
from substrate.protocol import Budget
from tests.networks import random_batch, random_chip
from tests.statistics import assert_mean


def find_deltas(chip, batch, seeds):
    """Return free slopes, and the error vectors of every seed, per layer."""
    free, model = measure_free(chip, batch[0]), make_rule_model(DirectFeedback(), chip)
    how = RuleContext(Unnudged(kind="dfa"), model=model)
    found = [DirectFeedback(seed=seed).estimate(chip, free, batch[1], how).delta for seed in seeds]
    return model.slopes(free.activity), found


def test_the_squared_cosine_at_the_start_is_that_of_its_law():
    """``E (d.delta)^2 = c^2 |delta|^2 E |d|^2`` with ``c^2 = sum R^2 delta^2 / (sum R^2 sum delta^2)``, exactly."""
    chip = random_chip(scale=0.2)
    batch = random_batch(chip, 3)
    slopes, found = find_deltas(chip, batch, range(400))
    exact = chip.topology.split(compute_exact_errors(chip, batch[1]).delta)
    for name in ("l1", "l2"):
        square, true = slopes[name] ** 2, exact[name]
        law = np.sum(square * true**2, axis=1) / np.sum(square, axis=1)
        values = np.array([np.sum(d[name] * true, axis=1) ** 2 - law * np.sum(d[name] ** 2, axis=1) for d in found])
        for k in range(3):
            assert_mean(values[:, k], 0.0, values[:, k].std(ddof=1))


def test_the_outputs_have_their_own_error_and_one_read_is_enough():
    chip = random_chip(cost="mse")
    batch = random_batch(chip, 3)
    slopes, (found,) = find_deltas(chip, batch, [0])
    assert chip.budget._replace(settled_time=0.0, elapsed=0.0) == Budget(settlings=3, reads=3, macs=3 * 4 * 12)
    error = chip.read()["out"] - batch[1]
    np.testing.assert_allclose(found["out"], slopes["out"] * error, rtol=0, atol=1e-14)
