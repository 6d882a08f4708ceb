"""The law of frozen noise of cells, against differences cell by cell, and against the scatter of 400 draws."""

import numpy as np
import pytest

from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.noise import CellNoise
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.forecast import ForecastBatch, forecast_variance
from learning.oracle.frozen import predict_frozen_variance
from learning.schemes.nodes import Centred
from tests.networks import random_batch, random_chip

DRAWS = 400
"""Their variances scatter by some 7 % a unit, and a layer has several."""
SLOW = CellNoise(relative=0.01, spectrum="ou")
SCHEME = Centred(beta=0.02)


def noisy_chip(storage="independent", **parts):
    return random_chip(
        scale=1.5,
        symmetric=storage != "independent",
        weights=WeightDevices(noise=SLOW),
        feedback=FeedbackDevices(storage=storage),
        dynamics={"mode": "equilibrium"},
        **parts,
    )


def foretell(chip, x, y):
    quiet = chip.variant(weights=WeightDevices())
    measure_free(quiet, x)
    reference = compute_exact_errors(quiet, y)
    return reference, predict_frozen_variance(chip, reference, x, y)


def test_the_law_is_the_sum_over_cells_of_what_each_alone_changes():
    """Central differences of the error vectors at a vanishing nudge, cell by cell: no draw, no scatter."""
    noisy = noisy_chip()
    x, y = random_batch(noisy, 3)
    _, law = foretell(noisy, x, y)
    chip, total, size = noisy.variant(weights=WeightDevices()), np.zeros_like(law), 1e-4
    for block, variances in noisy.compute_frozen_variances().items():
        for cell in zip(*np.nonzero(variances), strict=True):
            ends, change = [], np.zeros_like(variances)
            change[cell] = size
            for times in (1.0, -2.0):
                chip.write({block: times * change})
                measure_free(chip, x)
                ends.append(compute_exact_errors(chip, y).ep)
            chip.write({block: change})
            total += variances[cell] * ((ends[0] - ends[1]) / (2.0 * size)) ** 2
    np.testing.assert_allclose(law, total, rtol=1e-4, atol=1e-6 * total.max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage", "parts"),
    [
        ("independent", {}),
        ("shared-device", {"activation": "tanh", "cost": "mse"}),
    ],
)
def test_the_variance_of_estimates_is_that_of_the_law(storage, parts):
    chip = noisy_chip(storage, **parts)
    x, y = random_batch(chip, 3)
    _, law = foretell(chip, x, y)
    found = []
    for draw in range(DRAWS):
        free = measure_free(chip, x, epoch=draw)
        found.append(estimate_error_vectors(chip, free, y, SCHEME).flat)
    measured = np.var(found, axis=0, ddof=1)
    for columns in chip.topology.columns.values():
        assert measured[:, columns].sum() == pytest.approx(law[:, columns].sum(), rel=0.15)


def test_what_moves_with_the_rest_point_is_a_part_of_it():
    """Without the second bracket, the change of the rest point, the law would be another one."""
    chip = noisy_chip()
    x, y = random_batch(chip, 3)
    reference, law = foretell(chip, x, y)
    direct = np.zeros_like(law)
    blocks = chip.compute_frozen_variances()
    for i in range(len(x)):
        response = reference.linear.slopes[i][:, None] * np.linalg.inv(-reference.linear.jacobian(i))
        sums = np.zeros(law.shape[1])
        for c in chip.topology.recurrent():
            columns = chip.topology.columns
            sums[columns[c.post]] += reference.ep[i, columns[c.pre]] ** 2 @ blocks[c.block]
        direct[i] = response**2 @ sums
    assert np.abs(law - direct).max() > 0.3 * law.max()


def test_it_is_a_part_of_the_forecast_and_does_not_grow_with_a_smaller_nudge():
    chip = noisy_chip()
    x, y = random_batch(chip, 3)
    reference, law = foretell(chip, x, y)
    for beta in (0.2, 0.01):
        found = forecast_variance(chip, reference, ForecastBatch(x, y), Centred(beta=beta))
        np.testing.assert_allclose(found, law, rtol=1e-12)


def test_laws_that_are_not_known_are_not_foretold():
    chip = noisy_chip(law="hopfield")
    x, y = random_batch(chip, 2)
    reference, law = foretell(chip, x, y)
    assert law is None
    assert forecast_variance(chip, reference, ForecastBatch(x, y), SCHEME) is None
