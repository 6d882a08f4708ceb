"""The matching rule against chips really drawn, with their statistical error."""

import numpy as np
import pytest

from devices.synapse.cell import FeedbackDevices, WeightDevices
from learning.estimator import measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.ledger.statistics import compute_cosines
from learning.oracle.matching import predict_matching_error
from substrate.chip.cells import compute_weight_spreads
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.network.couplings import make_couplings
from substrate.network.topology import Topology
from tests.networks import WIRINGS, dynamics, random_batch, random_blocks, random_chip

CHIPS = 300


def squares_over_chips(sigma, **changes):
    nominal = random_chip(sigma=0.0, **changes).ideal()
    x, y = random_batch(nominal, 4)
    measure_free(nominal, x)
    designed = compute_exact_errors(nominal, y)
    errors, cosine = [], []
    for instance in range(CHIPS):
        chip = random_chip(sigma=sigma, instance=instance, **changes)
        measure_free(chip, x)
        drawn = compute_exact_errors(chip, y)
        errors.append(drawn.ep - drawn.delta)
        cosine.append([compute_cosines(drawn.ep[:, c], drawn.delta[:, c]) for c in chip.topology.columns.values()])
    return nominal, designed, np.array(errors), np.array(cosine)


@pytest.mark.parametrize("sigma", [0.02, pytest.param(0.1, marks=pytest.mark.slow), 0.3])
def test_the_rule_is_what_drawn_chips_show(sigma):
    nominal, designed, errors, cosine = squares_over_chips(sigma, symmetric=True)
    rule = predict_matching_error(nominal, designed, feedback_spread(nominal, sigma))
    for k, (name, columns) in enumerate(nominal.topology.columns.items()):
        drawn = np.sum(errors[:, :, columns] ** 2, axis=2).mean(axis=1)
        expected = rule.square[name].mean()
        # Five standard errors (false alarms below 1e-6), and the next order in sigma.
        allowed = 5.0 * drawn.std() / np.sqrt(CHIPS) + 2.0 * sigma**2 * expected
        assert abs(drawn.mean() - expected) < allowed, name
        shortfall = 5.0 * cosine[:, k].mean(axis=1).std() / np.sqrt(CHIPS) + 0.1 * (1.0 - rule.cosine[name].mean())
        assert abs(rule.cosine[name].mean() - cosine[:, k].mean()) < shortfall + 1e-7, name


KINDS = {
    "gains of paths": {"gain_sigma": 0.1},
    "gains of paths and cells": {"gain_sigma": 0.1, "mismatch_sigma": 0.1},
    "additive pairs at rest": {"cell": "pair", "mismatch": "additive", "mismatch_sigma": 0.02},
    "pairs above 0": {"cell": "pair", "window": [0.1, 1e6], "mismatch_sigma": 0.1},
    "stuck cells": {"stuck_fraction": 0.01},
}


SELDOM = {"gains of paths", "pairs above 0"}
"""Kinds that the default suite leaves out: others there have the same gains, and the same pairs."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in SELDOM else []) for kind in KINDS]
)
def test_the_rule_counts_whatever_spreads_the_weights(kind):
    """Squared errors of drawn chips; five standard errors (false alarms below 1e-6), and a tenth for higher orders."""
    weights = WeightDevices(**KINDS[kind])
    nominal, designed, errors, _ = squares_over_chips(0.0, symmetric=True, weights=weights)
    rule = predict_matching_error(
        nominal, designed, compute_weight_spreads(nominal.design.replace(weights=weights), nominal.programmed)
    )
    for name, columns in nominal.topology.columns.items():
        drawn = np.sum(errors[:, :, columns] ** 2, axis=2).mean(axis=1)
        expected = rule.square[name].mean()
        assert abs(drawn.mean() - expected) < 5.0 * drawn.std() / np.sqrt(CHIPS) + 0.1 * expected, name


def test_what_feedback_cells_miss_in_the_mean_is_an_error_of_its_own():
    """Additive pairs at rest, in the feedback alone: their mean misses ``sigma/sqrt(2 pi)`` towards 0."""
    feedback = FeedbackDevices(cell="pair", mismatch="additive", mismatch_sigma=0.05)
    nominal = random_chip(symmetric=True)
    x, y = random_batch(nominal, 4)
    measure_free(nominal, x)
    designed = compute_exact_errors(nominal, y)
    rule = predict_matching_error(
        nominal, designed, compute_weight_spreads(nominal.design.replace(feedback=feedback), nominal.programmed)
    )
    found = []
    for instance in range(CHIPS):
        chip = Chip(nominal.design.replace(feedback=feedback), nominal.programmed, Fabrication(0, instance))
        measure_free(chip, x)
        drawn = compute_exact_errors(chip, y)
        found.append(
            [np.sum((drawn.ep - drawn.delta)[:, c] ** 2, axis=1).mean() for c in chip.topology.columns.values()]
        )
    for name, drawn in zip(nominal.topology.names, np.transpose(found), strict=True):
        expected = rule.square[name].mean()
        assert abs(drawn.mean() - expected) < 5.0 * drawn.std() / np.sqrt(CHIPS) + 0.1 * expected, name


def feedback_spread(nominal, sigma):
    return compute_weight_spreads(
        nominal.design.replace(feedback=FeedbackDevices(mismatch_sigma=sigma)), nominal.programmed
    )


def first_and_whole(scale, law, chips):
    """Return the rule and, over chips, squared errors per layer: to first order in the drawn devices, and whole."""
    topology = Topology({"in": 6, "l1": 60, "l2": 60, "out": 20}, WIRINGS["reciprocal"], 3)
    blocks = random_blocks(topology, 0, scale)
    for forward, back in topology.pairs():
        blocks[back.block] = blocks[forward.block].T.copy()
    design = Design(topology, "sigmoid", "cross-entropy", dynamics(), law=law)
    spread = design.replace(feedback=FeedbackDevices(mismatch_sigma=0.3))
    nominal = Chip(design, blocks)
    x, y = random_batch(nominal, 4)
    measure_free(nominal, x)
    designed = compute_exact_errors(nominal, y)
    first, whole = [], []
    for instance in range(chips):
        chip = Chip(spread, blocks, Fabrication(0, instance))
        measure_free(chip, x)
        drawn = compute_exact_errors(chip, y)
        odd = make_couplings(topology, chip.effective).antisymmetric()
        errors = designed.linear.response(2.0 * odd.product(designed.delta)), drawn.ep - drawn.delta
        for kept, error in zip((first, whole), errors, strict=True):
            kept.append([np.sum(error[:, c] ** 2, axis=1).mean() for c in topology.columns.values()])
    rule = predict_matching_error(nominal, designed, feedback_spread(nominal, 0.3))
    return np.array([rule.square[name].mean() for name in topology.names]), np.array(first), np.array(whole)


@pytest.mark.parametrize(("law", "scale"), [("additive", 0.5), pytest.param("hopfield", 0.15, marks=pytest.mark.slow)])
def test_mild_wide_chips_follow_the_rule_to_three_percent_at_thirty_percent_spread(law, scale):
    """Five standard errors, false alarms below 1e-6; the first-order error of the same chips takes out most chance."""
    rule, first, whole = first_and_whole(scale, law, 250)
    error = np.sqrt(len(first))
    assert (np.abs(first.mean(axis=0) / rule - 1.0) < 5.0 * first.std(axis=0) / rule / error).all()
    beyond = (whole - first) / rule
    ratio = np.sqrt(1.0 + beyond.mean(axis=0))
    assert (np.abs(ratio - 1.0) < 0.03 + 5.0 * 0.5 * beyond.std(axis=0) / error).all()
    assert (0.5 * beyond.std(axis=0) / error < 0.006).all()


def test_a_nominally_asymmetric_chip_keeps_its_own_error():
    nominal, designed, _, cosine = squares_over_chips(0.1, symmetric=False)
    rule = predict_matching_error(nominal, designed, feedback_spread(nominal, 0.1))
    for k, name in enumerate(nominal.topology.names):
        assert rule.cosine[name].mean() == pytest.approx(cosine[:, k].mean(), abs=0.02)


def test_no_spread_predicts_the_nominal_cosine():
    chip = random_chip(seed=4)
    x, y = random_batch(chip)
    measure_free(chip, x)
    designed = compute_exact_errors(chip, y)
    rule = predict_matching_error(chip, designed, feedback_spread(chip, 0.0))
    for name, columns in chip.topology.columns.items():
        assert (rule.square[name] == 0.0).all()
        expected = compute_cosines(designed.ep[:, columns], designed.delta[:, columns])
        np.testing.assert_allclose(rule.cosine[name], expected, rtol=1e-12)
