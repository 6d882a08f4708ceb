"""The ledger of rules that take no nudge."""

import numpy as np
import pytest
from scipy import stats

from devices.interface.converter import Adc, Converters
from devices.neuron.noise import Noise
from learning.cost import compute_cost_force
from learning.oracle.ledger.connections import TrialWrite, make_connection_ledgers
from learning.oracle.ledger.runs import Trial, run_without_causes
from learning.oracle.ledger.vectors import TERMS, make_ledger
from learning.rules.direct_feedback import DirectFeedback
from learning.rules.node_perturbation import NodePerturbation
from learning.rules.physics_aware import PhysicsAware
from learning.schemes.nodes import Centred
from substrate.dynamics.methods import Phase
from substrate.theory.linearisation import find_equilibrium
from tests.networks import random_batch, random_chip

RULES = [
    PhysicsAware(),
    DirectFeedback(),
    NodePerturbation(probes=4),
    NodePerturbation(probes=3, code="random", control="ep"),
]
NAMES = [rule.label for rule in RULES]
BAD = {
    "sigma": 0.2,
    "phase": Phase(steps=12),
    "noise": Noise(read=0.002),
    "converters": Converters(readout=Adc(bits=12)),
}


def books_of(chip, rule, repeats=3, samples=4):
    """Return the ledger of the error vectors, and those of the connections."""
    x, y = random_batch(chip, samples)
    trial = Trial(x, y, [rule.stand_in([Centred(beta=0.1)])], rule, beside=Centred(beta=0.1))
    runs = run_without_causes(chip, trial, repeats)
    book = make_ledger(runs, trial, 0)
    return book, make_connection_ledgers(chip, runs, trial, 0, book.keep, TrialWrite(0.1, repeats))


def size(book, term):
    return float(np.abs(book.terms()[term]).max() / np.abs(book.steps[0]).max())


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_terms_sum_to_the_total_error(rule):
    book, connections = books_of(random_chip(**BAD), rule)
    expected = [rule.terms.get(term, term) for term in TERMS]
    assert book.names == tuple(term for term in expected if term)
    for one in (book, *connections.values()):
        total = one.steps[-1] - one.steps[0]
        np.testing.assert_allclose(sum(one.terms().values()), total, rtol=0, atol=1e-12 * np.abs(total).max())
        assert one.names == book.names


def test_a_model_of_the_programmed_weights_has_the_error_of_the_model_and_of_nothing_else():
    book, connections = books_of(random_chip(sigma=0.2), PhysicsAware())
    assert size(book, "model") > 1e-3
    assert not book.variance.any()
    for term in set(book.names) - {"model"}:
        assert size(book, term) < 1e-11, term
    assert all(np.isnan(part).all() for part in book.parts.values())
    assert size(connections["weight/l2-l1"], "model") > 1e-3


def test_fixed_projections_are_the_only_error_of_direct_feedback():
    """What it computes at rest is what it measures there: it has no term for the size of anything."""
    book, connections = books_of(random_chip(sigma=0.2), DirectFeedback())
    assert size(book, "projection") > 0.1
    for term in set(book.names) - {"projection"}:
        assert size(book, term) < 1e-11, term
    assert not {"asymmetry", "finite_nudge"} & set(book.names)
    assert size(connections["weight/l2-l1"], "projection") > 0.1


def test_an_exact_model_has_no_error():
    book, _ = books_of(random_chip(sigma=0.2), PhysicsAware(model="exact"))
    assert max(size(book, term) for term in book.names) < 1e-11


def test_few_iterations_are_an_error_of_their_own():
    book, _ = books_of(random_chip(sigma=0.2), PhysicsAware(model="exact", iterations=3))
    assert size(book, "iterations") > 1e-3
    assert size(book, "model") < 1e-11


def test_node_perturbation_has_no_asymmetry_but_a_size_and_what_its_probes_leave_to_chance():
    """Variance ``(N - 1)/m`` of its law, as chi-square of about N degrees of freedom a sample; false alarms 1e-6."""
    repeats, samples, probes = 40, 4, 4
    rule = NodePerturbation(probes=probes, code="random", size=0.05)
    book, connections = books_of(random_chip("loop", sigma=0.5), rule, repeats, samples)
    assert size(book, "asymmetry") == 0.0
    assert 1e-6 < size(book, "finite_perturbation") < 0.05
    assert max(size(book, term) for term in ("settling", "precision", "readout")) < 1e-8
    ratio = book.variance.sum(axis=1) / np.sum(book.steps[0] ** 2, axis=1) / (15.0 / probes)
    freedom = (repeats - 1) * samples
    low, high = stats.chi2.ppf([5e-7, 1.0 - 5e-7], freedom) / freedom
    assert low < ratio.mean() < high
    assert not connections["weight/l1-l2"].parts["gains"].any()
    assert connections["weight/l1-l2"].variance.any()


def test_noise_of_the_outputs_adds_to_the_variance_of_node_perturbation():
    """``N sigma^2 |e|^2 / (2 s^2 m)`` on top of a complete set of probes, which leaves nothing to chance."""
    sigma, move, repeats = 1e-4, 0.05, 40
    chip = random_chip(cost="mse", noise=Noise(read=sigma), phase=Phase(steps=400))
    book, _ = books_of(chip, NodePerturbation(probes=16, size=move), repeats)
    chip.set_input(random_batch(chip, 4)[0])
    chip.settle()
    rest = chip.topology.split(find_equilibrium(chip).activity)["out"]
    force = compute_cost_force(None, rest, random_batch(chip, 4)[1])
    law = 16.0 * sigma**2 * np.sum(force**2, axis=1) / (2.0 * move**2 * 16.0)
    ratio = (book.variance.sum(axis=1) / law).mean()
    freedom = (repeats - 1) * 16 * 4
    low, high = stats.chi2.ppf([5e-7, 1.0 - 5e-7], freedom) / freedom
    assert low < ratio < high
