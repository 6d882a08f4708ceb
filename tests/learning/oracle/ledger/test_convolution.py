"""The ledger of a chip with kernels and devices, and the term of what no local product gives."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from devices.interface.converter import Adc, Converters
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep
from devices.synapse.cell import FeedbackDevices, WeightDevices
from learning.oracle.exact import compute_exact_gradients
from learning.oracle.ledger.connections import TrialWrite, make_connection_ledgers
from learning.oracle.ledger.runs import Trial, run_without_causes
from learning.oracle.ledger.vectors import TERMS, make_ledger
from learning.rules.contrastive import Contrastive
from learning.rules.dyadic import Dyadic
from learning.rules.error_vector import ErrorVector
from learning.schemes.nodes import OneSided
from substrate.dynamics.methods import Phase
from tests.networks import random_batch
from tests.substrate.kernel_chips import FEEDBACK, POOLS, make_dense_twin, make_kernel_chip

pytestmark = pytest.mark.jax

PHASE = Phase(max_steps=40, tolerance=1e-6)
BAD = {
    "weights": WeightDevices(mismatch_sigma=0.05),
    "feedback": FeedbackDevices(mismatch_sigma=0.2),
    "converters": Converters(readout=Adc(bits=9)),
    "noise": Noise(read=0.002),
    "update": ConstantStep(step=1e-3),
    "dynamics": {"precision": "single", "free": PHASE, "nudged": PHASE},
}
RULES = [ErrorVector(), Contrastive(), Dyadic()]


def make_books(chip, rule=RULES[0], repeats=2):
    """Return the ledgers of error vectors and of connections, the runs, and what was asked."""
    x, y = random_batch(chip, 4)
    trial = Trial(x, y, [OneSided(beta=0.5)], rule)
    runs = run_without_causes(chip, trial, repeats)
    book = make_ledger(runs, trial, 0)
    assert book.keep.all()
    return book, make_connection_ledgers(chip, runs, trial, 0, book.keep, TrialWrite(0.1, 1)), runs, trial


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_terms_sum_to_the_total_error_and_every_device_has_one(rule, pool):
    check_terms(make_kernel_chip(pool, **BAD), rule, {"write"})


def test_terms_of_copies_sum_to_the_total_error_too():
    check_terms(make_kernel_chip(cells="per-position", **BAD | {"update": None}), RULES[0])


def check_terms(chip, rule, more=frozenset()):
    book, books, _, _ = make_books(chip, rule)
    assert books.keys() == {c.block for c in chip.topology.connections}
    for name, one in {"vectors": book, **books}.items():
        terms, total = one.terms(), one.steps[-1] - one.steps[0]
        assert tuple(terms) == TERMS
        np.testing.assert_allclose(sum(terms.values()), total, rtol=0, atol=1e-12 * np.abs(total).max())
        if name in books:
            assert one.steps[0].shape == chip.topology.shapes[name]
            acting = {"settling", "precision", "readout", "noise", *more}
            acting |= set() if rule.kind == "dyadic" else {"asymmetry", "finite_nudge"}
            assert {term for term in acting if np.abs(terms[term]).max() == 0.0} == set(), name


@pytest.mark.parametrize("pool", POOLS)
def test_only_feedback_under_softmax_has_a_gradient_that_no_local_product_gives(pool):
    chip = make_kernel_chip(pool)
    _, books, _, _ = make_books(chip)
    for name, book in books.items():
        term, size = book.terms()["locality"], np.abs(book.steps[0]).max()
        if name == FEEDBACK and pool == "softmax":
            assert 0.01 * size < np.abs(term).max() < size
        else:
            assert (term == 0.0).all(), name


def test_a_dense_network_lacks_the_term():
    _, books, _, _ = make_books(make_dense_twin(make_kernel_chip("average"), "jax"))
    assert all((book.terms()["locality"] == 0.0).all() for book in books.values())


def test_the_first_step_is_the_exact_gradient():
    chip = make_kernel_chip(**BAD)
    _, books, runs, trial = make_books(chip)
    rest, split = runs.reference.equilibrium, chip.topology.split
    layers = {"in": trial.x} | split(rest.activity)
    exact = compute_exact_gradients(chip, layers, split(runs.reference.delta), np.ones(4, dtype=bool))
    for name, book in books.items():
        np.testing.assert_array_equal(book.steps[0], exact[name])


def test_without_samples_there_are_no_numbers():
    chip = make_kernel_chip()
    _, _, runs, trial = make_books(chip)
    books = make_connection_ledgers(chip, runs, trial, 0, np.zeros(4, dtype=bool), TrialWrite(0.1, 1))
    assert all(np.isnan(step).all() for book in books.values() for step in book.steps)


def test_parts_of_the_asymmetry_are_unknown_and_its_first_order_is_not():
    """A cell of a kernel serves many pairs of units, so what gains of units would cure is not defined."""
    chip = make_kernel_chip(symmetric=True, feedback=FeedbackDevices(mismatch_sigma=0.01))
    book, books, _, _ = make_books(chip)
    for one in (book, *books.values()):
        assert np.isnan(one.parts["gains"]).all()
        assert np.isnan(one.parts["irreducible"]).all()
        term = one.terms()["asymmetry"]
        assert np.linalg.norm(one.parts["first_order"] - term) < 0.1 * np.linalg.norm(term)
