"""The ledger of error vectors: every cause planted alone, and laws that hold whatever is planted."""

import numpy as np
import pytest
from scipy import stats

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.fluctuations import predict_estimate_variance
from learning.oracle.ledger.runs import Trial, make_settling_complete, run_without_causes
from learning.oracle.ledger.vectors import (
    PARTS,
    TERMS,
    Ledger,
    compute_sample_moments,
    make_ledger,
    select_common_samples,
)
from learning.rules.dyadic import Dyadic
from learning.schemes.nodes import Centred, Circle, OneSided, RandomSign
from learning.schemes.scheme import QuasiStaticSwing, compute_noise_gain, unfold_mirrored_nodes
from learning.schemes.wave import LockIn, Rotation
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from tests.networks import random_batch, random_chip

NOISY = {"dt": 0.05, "phase": Phase(duration=8.0, window=2.0), "dynamics": {"method": "exponential"}}
BAD = {
    "sigma": 0.2,
    "noise": Noise(thermal=0.01, read=0.002),
    "converters": Converters(readout=Adc(bits=9, offset=0.003), nudge=NudgeCircuit(gain=1.1, offset=0.001)),
    "hold": Hold(pedestal=0.003, pedestal_sigma=0.001),
    **NOISY,
}
SINGLE = {"dynamics": {"precision": "single", "method": "exponential"}}


def book_of(chip, scheme, samples=5, repeats=1, rule=None):
    x, y = random_batch(chip, samples)
    trial = Trial(x, y, [scheme]) if rule is None else Trial(x, y, [scheme], rule)
    return make_ledger(run_without_causes(chip, trial, repeats), trial, 0)


def sizes(book):
    return {name: float(np.abs(term).max()) for name, term in book.terms().items()}


@pytest.mark.parametrize("scheme", [OneSided(beta=0.5), Circle(beta=0.3, points=4), RandomSign(beta=0.4)])
def test_terms_sum_to_the_total_error(scheme):
    book = book_of(random_chip(**BAD | SINGLE), scheme, repeats=3)
    terms = book.terms()
    total = book.steps[-1] - book.steps[0]
    assert tuple(terms) == TERMS
    np.testing.assert_allclose(sum(terms.values()), total, rtol=0, atol=1e-12 * np.abs(total).max())
    acting = set(TERMS) - {"locality", "presynaptic", "forgetting", "write", "write_noise"}
    assert all((np.abs(terms[name]).max() > 1e-9) == (name in acting) for name in TERMS)
    np.testing.assert_allclose(book.parts["gains"] + book.parts["irreducible"], terms["asymmetry"], rtol=0, atol=1e-15)
    assert book.parts.keys() == set(PARTS)


def test_a_cause_that_is_off_leaves_an_exact_zero():
    book = book_of(random_chip(symmetric=True), Centred(beta=0.5), repeats=4)
    found = sizes(book)
    for name in ("precision", "readout", "presynaptic", "noise", "write"):
        assert found[name] == 0.0
    assert found["asymmetry"] < 1e-14
    assert found["settling"] < 1e-11
    assert found["finite_nudge"] > 1e-5
    assert (book.variance == 0.0).all()


@pytest.mark.parametrize(
    ("term", "least", "changes", "scheme"),
    [
        ("asymmetry", 1e-3, {"sigma": 0.3}, Centred(beta=1e-3)),
        ("finite_nudge", 1e-3, {}, OneSided(beta=0.5)),
        ("finite_nudge", 1e-3, {"phases": Phases(nudge="held")}, Centred(beta=0.5)),
        ("settling", 1e-3, {"phase": Phase(steps=8)}, Centred(beta=1e-3)),
        ("precision", 2e-5, {"phase": Phase(steps=400), **SINGLE}, Centred(beta=1e-3)),
        ("readout", 1e-3, {"hold": Hold(pedestal=1e-5)}, Centred(beta=1e-3)),
        ("readout", 1e-3, {"converters": Converters(readout=Adc(bits=18))}, Centred(beta=1e-3)),
        ("readout", 1e-3, {"converters": Converters(nudge=NudgeCircuit(gain=1.1))}, Centred(beta=1e-3)),
        ("noise", 1e-3, {"noise": Noise(read=1e-5)}, Centred(beta=1e-3)),
        ("noise", 1e-3, {"converters": Converters(readout=Adc(bits=10, stochastic=True))}, None),
    ],
)
def test_a_planted_cause_shows_in_its_own_term_only(term, least, changes, scheme):
    chip = random_chip(symmetric=True, **changes)
    found = sizes(book_of(chip, scheme or Centred(beta=0.1), repeats=2))
    assert found.pop(term) > least
    if scheme is None:  # random rounding and rounding to the nearest differ: one is noise, the other readout
        assert found.pop("readout") > least
        assert found.pop("finite_nudge") < 1e-2
    assert max(found.values()) < 2e-6, found


@pytest.mark.parametrize("units_differ", [False, True])
def test_a_pedestal_makes_a_bias_of_pedestal_over_beta(units_differ):
    hold = Hold(pedestal=0.002, pedestal_sigma=0.001 if units_differ else 0.0)
    term = book_of(random_chip(hold=hold), OneSided(beta=0.2)).terms()["readout"]
    np.testing.assert_allclose(term, np.broadcast_to(term[0], term.shape), rtol=0, atol=1e-13)
    if units_differ:
        assert term[0].std() > 0.2 * 0.001 / 0.2
    else:
        np.testing.assert_allclose(term, 0.002 / 0.2, rtol=0, atol=1e-13)


def test_an_offset_of_the_converter_cancels_where_nothing_is_rounded():
    chip = random_chip(converters=Converters(readout=Adc(bits=24, range=[-1.0, 2.0], offset=0.05)))
    assert np.abs(book_of(chip, Centred(beta=0.2)).terms()["readout"]).max() < 2.0 * 3.0 * 2.0**-24 / 0.4


def test_a_gain_of_the_nudge_scales_the_error_vector():
    chip = random_chip(symmetric=True, converters=Converters(nudge=NudgeCircuit(gain=1.25)))
    book = book_of(chip, Centred(beta=1e-3))
    np.testing.assert_allclose(book.terms()["readout"], 0.25 * book.steps[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("scheme", [OneSided(beta=0.3), Centred(beta=0.3), Circle(beta=0.3, points=4)])
def test_read_noise_has_the_variance_that_the_gain_predicts(scheme):
    """Chi-square interval over all components; false alarms: 1e-6."""
    sigma, repeats, samples = 0.01, 40, 8
    chip = random_chip(noise=Noise(read=sigma))
    book = book_of(chip, scheme, samples, repeats)
    expected = compute_noise_gain(unfold_mirrored_nodes(scheme.nodes())) * sigma**2 / scheme.beta**2
    freedom = (repeats - 1) * book.variance.size
    low, high = stats.chi2.ppf([5e-7, 1.0 - 5e-7], freedom) / freedom
    assert low < book.variance.mean() / expected < high
    assert np.array_equal(book.noise_of("noise"), book.variance / repeats)
    # What is left of the noise is its own measure of zero.
    square = np.sum(book.terms()["noise"] ** 2) / book.variance.size
    low, high = stats.chi2.ppf([5e-7, 1.0 - 5e-7], book.variance.size) / book.variance.size
    assert low < square / (expected / repeats) < high


def test_noise_of_the_membranes_has_the_variance_of_the_lyapunov_equation():
    """Mean over all components; the interval is that of independent normal numbers, and 5 % for the step of time."""
    repeats, samples = 150, 4
    chip = random_chip(noise=Noise(thermal=0.003), **NOISY | {"dt": 0.05, "phase": Phase(duration=12.0)})
    x, y = random_batch(chip, samples)
    scheme = Centred(beta=0.05)
    trial = Trial(x, y, [scheme])
    runs = run_without_causes(chip, trial, repeats)
    book = make_ledger(runs, trial, 0)
    ratio = book.variance / predict_estimate_variance(chip, runs.reference.linear, scheme)
    spread = np.sqrt(2.0 / ((repeats - 1) * samples))  # units of a sample may move together
    assert abs(ratio.mean() - 1.0) < 0.05 + 4.9 * spread
    assert np.abs(sizes(book)["noise"]) > 0.0


def test_one_random_measurement_has_no_known_variance():
    book = book_of(random_chip(**BAD), Centred(beta=0.5))
    assert np.isnan(book.variance).all()
    assert sizes(book)["noise"] > 0.0


def test_the_second_state_of_the_dyadic_rule_has_neither_asymmetry_nor_nudge():
    found = sizes(book_of(random_chip(sigma=0.3, phase=Phase(steps=8)), Centred(beta=0.5), rule=Dyadic()))
    assert found["asymmetry"] == found["finite_nudge"] == 0.0
    assert found["settling"] > 1e-4


def test_drawn_signs_are_the_same_in_every_step():
    book = book_of(random_chip(symmetric=True, noise=Noise(read=1e-9)), RandomSign(beta=0.5), repeats=2)
    assert sizes(book)["settling"] < 1e-10
    assert sizes(book)["noise"] < 1e-7


def test_a_sample_that_did_not_settle_is_not_kept():
    assert book_of(random_chip(phase=Phase(max_steps=30, tolerance=1e-6)), Centred(beta=0.5)).keep.all()
    assert not book_of(random_chip(phase=Phase(max_steps=3, tolerance=1e-6)), Centred(beta=0.5)).keep.any()


def test_a_sample_that_rests_elsewhere_is_not_kept():
    chip = random_chip()
    x, y = random_batch(chip, 3)
    trial = Trial(x, y, [Centred(beta=0.2)])
    runs = run_without_causes(chip, trial)
    state = runs.complete.state.copy()
    state[1, 2] += 1e-3
    assert runs._replace(complete=runs.complete._replace(state=state)).keep(0).tolist() == [True, False, True]


def test_settling_by_the_clock_is_counted_and_its_shortfall_is_a_term():
    book = book_of(random_chip(phase=Phase(steps=8, tolerance=1e-9)), Centred(beta=0.5))
    assert book.keep.all()
    assert sizes(book)["settling"] > 1e-4


def test_all_figures_are_averages_over_the_same_samples():
    def book(*keep):
        nothing = np.zeros((4, 2))
        return Ledger((nothing,) * (len(TERMS) + 1), {}, nothing, {}, {}, {}, np.array(keep, dtype=bool))

    reached = np.array([True, True, True, False])
    books, common = select_common_samples([book(1, 1, 0, 1), book(0, 1, 1, 1), book(0, 0, 0, 1)], reached)
    assert list(common) == [False, True, False, False]
    assert [list(b.keep) for b in books] == [[False, True, False, False]] * 2 + [[False] * 4]


def test_fewer_than_one_repeat_is_refused():
    chip = random_chip()
    x, y = random_batch(chip)
    with pytest.raises(ValueError, match="repeats = 0: must be 1 or more"):
        run_without_causes(chip, Trial(x, y, [Centred(beta=0.2)]), 0)


def test_moments_are_those_of_numpy():
    values = list(np.random.default_rng(0).normal(size=(6, 3, 2)))
    mean, variance = compute_sample_moments(values)
    np.testing.assert_allclose(mean, np.mean(values, axis=0), rtol=1e-13)
    np.testing.assert_allclose(variance, np.var(values, axis=0, ddof=1), rtol=1e-13)
    assert np.isnan(compute_sample_moments(values[:1])[1]).all()


def test_the_reference_is_that_of_the_chip_without_noise():
    chip = random_chip(**BAD)
    x, y = random_batch(chip)
    trial = Trial(x, y, [Centred(beta=0.2)])
    quiet = chip.without("noise", "read-noise")
    quiet.set_input(x)
    quiet.settle()
    np.testing.assert_allclose(
        run_without_causes(chip, trial, 2).reference.delta, compute_exact_errors(quiet, y).delta, rtol=0, atol=1e-13
    )


def test_a_complete_settling_is_read_ideally_by_the_same_silicon():
    chip = random_chip(**BAD | {"neurons": NeuronDevices(tau_sigma=0.1), "correction": "programmed"})
    complete = make_settling_complete(chip)
    assert complete.causes == ["mismatch", "neurons", "correction-knowledge"]
    np.testing.assert_array_equal(complete.effective["weight/l2-l1"], chip.effective["weight/l2-l1"])
    assert complete.design.dynamics.precision == "double"


@pytest.mark.parametrize("kind", [LockIn, Rotation])
def test_the_ledger_compares_a_swing_with_its_stopped_nudges(kind):
    chip = random_chip(sigma=0.2)
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    scheme = kind(beta=0.3, period=9.0)
    measured = estimate_error_vectors(chip, free, y, QuasiStaticSwing(scheme))
    trial = Trial(x, y, [scheme])
    book = make_ledger(run_without_causes(chip, trial), trial, 0)
    np.testing.assert_allclose(book.steps[3], measured.flat, rtol=0, atol=1e-10)
    assert book.keep.all()
