import numpy as np
import pytest

from devices.converter import Adc, Converters, NudgeCircuit
from devices.neurons import NeuronDevices
from devices.noise import Noise
from devices.sampling import Hold
from learning.estimators import estimate, measure_free
from learning.exact import exact
from learning.ledger import (
    TERMS,
    Ledger,
    compared,
    complete_settling,
    cosines,
    joined,
    ledger,
    mean_defined,
    norm_ratios,
    rms,
)
from learning.schemes import Centred, OneSided
from substrate.methods import Phase
from tests.networks import random_batch, random_chip


def book_of(chip, scheme, samples=5):
    x, y = random_batch(chip, samples)
    free = measure_free(chip, x)
    measured = estimate(chip, free, y, scheme)
    reference = exact(chip, y)
    return ledger(complete_settling(chip), x, y, reference, scheme, measured), joined(measured) - reference.delta


@pytest.mark.parametrize("phase", [Phase(steps=15, tolerance=1.0), Phase(tolerance=1e-6)])
def test_terms_sum_to_the_total_error(phase):
    book, total = book_of(random_chip(sigma=0.2, phase=phase), OneSided(beta=0.5))
    terms = book.terms()
    assert tuple(terms) == TERMS
    np.testing.assert_allclose(sum(terms.values()), total, rtol=0, atol=1e-12 * np.abs(total).max())
    assert all(np.abs(term).max() > 1e-9 for term in terms.values())


def test_a_cause_that_is_off_leaves_nothing():
    book, _ = book_of(random_chip(symmetric=True), Centred(beta=0.5))
    terms = book.terms()
    assert np.abs(terms["asymmetry"]).max() < 1e-14
    assert np.abs(terms["settling"]).max() < 1e-11
    assert np.abs(terms["finite_nudge"]).max() > 1e-5


def test_a_sample_that_did_not_settle_is_not_kept():
    book, _ = book_of(random_chip(phase=Phase(max_steps=30, tolerance=1e-6)), Centred(beta=0.5))
    assert book.keep.all()
    book, _ = book_of(random_chip(phase=Phase(max_steps=3, tolerance=1e-6)), Centred(beta=0.5))
    assert not book.keep.any()


def test_settling_by_the_clock_is_counted_and_its_shortfall_is_a_term():
    chip = random_chip(phase=Phase(steps=8, tolerance=1e-9))
    x, y = random_batch(chip)
    measured = estimate(chip, measure_free(chip, x), y, Centred(beta=0.5))
    book = ledger(complete_settling(chip), x, y, exact(chip, y), Centred(beta=0.5), measured, restless=True)
    assert book.keep.all()
    assert np.abs(book.terms()["settling"]).max() > 1e-4
    assert not book_of(chip, Centred(beta=0.5))[0].keep.any()


def test_all_figures_are_averages_over_the_same_samples():
    def book(*keep):
        return Ledger((np.zeros((4, 2)),) * 4, np.array(keep, dtype=bool))

    reached = np.array([True, True, True, False])
    books, common = compared([book(1, 1, 0, 1), book(0, 1, 1, 1), book(0, 0, 0, 1)], reached)
    assert list(common) == [False, True, False, False]
    assert [list(b.keep) for b in books] == [[False, True, False, False]] * 2 + [[False] * 4]


def test_measures_of_vectors():
    a = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]])
    b = np.array([[6.0, 8.0], [1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(cosines(a, b), [1.0, np.nan, 0.0], atol=1e-15)
    np.testing.assert_allclose(norm_ratios(a, b), [0.5, 0.0, 0.5], atol=1e-15)
    np.testing.assert_allclose(norm_ratios(b, a), [2.0, np.nan, 2.0], atol=1e-15)
    assert rms(a) == pytest.approx(np.sqrt(26.0 / 3.0))
    assert np.isnan(rms(a[:0]))
    assert mean_defined(np.array([1.0, np.nan, 3.0])) == (2.0, 1.0)
    assert np.isnan(mean_defined(np.array([np.nan]))[0])


def test_a_complete_settling_is_read_ideally_by_the_same_silicon():
    chip = random_chip(
        sigma=0.1,
        noise=Noise(thermal=0.01, read=0.01),
        converters=Converters(readout=Adc(bits=6), nudge=NudgeCircuit(gain=1.1)),
        hold=Hold(pedestal=0.01),
        neurons=NeuronDevices(tau_sigma=0.1),
        correction="programmed",
    )
    complete = complete_settling(chip)
    assert complete.causes == ["mismatch", "neurons", "correction-knowledge"]
    np.testing.assert_array_equal(complete.effective["weight/l2-l1"], chip.effective["weight/l2-l1"])
    assert complete.design.dynamics.precision == "double"
