"""What was identified on one chip foretells the gradients of another one."""

import numpy as np
import pytest

from devices.synapse.cell import FeedbackDevices, WeightDevices
from learning.estimator import measure_free
from learning.identification.reads import get_wiring, read_free_states
from learning.identification.spreads import estimate_spreads
from learning.oracle.exact import compute_exact_errors
from learning.oracle.ledger.statistics import compute_cosines
from learning.oracle.matching import predict_matching_error
from substrate.chip.cells import compute_weight_spreads
from substrate.theory.inverse_curve import InverseCurve

from .test_spreads import make_chip

LAYERS = {"in": 60, "l1": 40, "out": 10}


def make_symmetric(instance, **devices):
    """Return a chip that is symmetric by design, and its programmed blocks."""
    chip, blocks = make_chip(LAYERS, instance, **devices)
    blocks["weight/out-l1"] = blocks["weight/l1-out"].T.copy()
    return chip.reprogrammed(blocks), blocks


def find_cosines(chip, x, target):
    measure_free(chip, x)
    exact = compute_exact_errors(chip, target)
    columns = chip.topology.columns.values()
    return [float(np.mean(compute_cosines(exact.ep[:, c], exact.delta[:, c]))) for c in columns]


@pytest.mark.parametrize("spread", [0.1, 0.2])
def test_the_matching_rule_foretells_the_cosine_of_other_chips_from_identified_spreads(spread):
    """Identified on chip 0 by 20 reads, foretold for chips 1 to 8: each within .03, in both layers."""
    devices = {"feedback": FeedbackDevices(mismatch_sigma=spread)}
    chip, blocks = make_symmetric(0, **devices)
    rng = np.random.default_rng(0)
    reads = read_free_states(chip, rng.uniform(size=(20, LAYERS["in"])))
    found = estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "tanh"), blocks).spreads
    x, target = rng.uniform(size=(16, LAYERS["in"])), rng.uniform(size=(16, LAYERS["out"]))
    nominal = chip.ideal()
    measure_free(nominal, x)
    identified = nominal.design.replace(
        weights=WeightDevices(mismatch_sigma=found["forward"].value),
        feedback=FeedbackDevices(mismatch_sigma=found["feedback"].value),
    )
    spreads = compute_weight_spreads(identified, blocks)
    forecast = predict_matching_error(nominal, compute_exact_errors(nominal, target), spreads).cosine
    means = [float(np.mean(values)) for values in forecast.values()]
    for instance in range(1, 9):
        other, _ = make_symmetric(instance, **devices)
        np.testing.assert_allclose(find_cosines(other, x, target), means, atol=0.03)
    assert min(means) < 0.995
