"""The ledger of connections: products with the presynaptic factor, the tied sum, and writes."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters
from devices.interface.hold import Hold
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep
from devices.synapse.cell import FeedbackDevices
from devices.synapse.retention import Retention
from learning import cost
from learning.oracle.ledger.connections import TrialWrite, make_connection_ledgers
from learning.oracle.ledger.runs import Trial, run_without_causes
from learning.oracle.ledger.vectors import TERMS, make_ledger
from learning.rules.asym_ep import AsymEP
from learning.rules.contrastive import Contrastive
from learning.rules.dyadic import Dyadic
from learning.rules.error_vector import ErrorVector
from learning.rules.feedback_alignment import FeedbackAlignment
from learning.rules.kolen_pollack import KolenPollack
from learning.schemes.nodes import Centred, OneSided
from substrate.dynamics.methods import Phase
from tests.networks import random_batch, random_chip
from tests.statistics import assert_chi_square

RULES = [ErrorVector(), Contrastive(), AsymEP(), Dyadic(), KolenPollack(), FeedbackAlignment()]
PROBE = TrialWrite(rate=0.1, repeats=1)
BAD = {
    "sigma": 0.2,
    "noise": Noise(thermal=0.01, read=0.002),
    "converters": Converters(readout=Adc(bits=9)),
    "hold": Hold(pedestal=0.003),
    "update": ConstantStep(step=1e-3),
    "dt": 0.05,
    "phase": Phase(duration=8.0, window=2.0),
    "dynamics": {"method": "exponential", "precision": "single"},
}


def books_of(chip, scheme, rule=RULES[0], repeats=1, probe=PROBE, presynaptic="mean"):
    x, y = random_batch(chip)
    trial = Trial(x, y, [scheme], rule, presynaptic)
    runs = run_without_causes(chip, trial, repeats)
    keep = make_ledger(runs, trial, 0).keep
    assert keep.all()
    return make_connection_ledgers(chip, runs, trial, 0, keep, probe), runs, trial


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_terms_sum_to_the_total_error(rule):
    chip = random_chip(**BAD)
    books, _, _ = books_of(chip, OneSided(beta=0.5), rule, 3)
    backward = {"weight/l2-l1", "weight/out-l2"} if rule.kind == "feedback-alignment" else set()
    assert books.keys() == {c.block for c in chip.topology.connections} - backward
    for name, book in books.items():
        terms, total = book.terms(), book.steps[-1] - book.steps[0]
        assert tuple(terms) == TERMS
        np.testing.assert_allclose(sum(terms.values()), total, rtol=0, atol=1e-12 * np.abs(total).max())
        assert book.steps[0].shape == chip.topology.shapes[name]
        parts = book.parts["gains"] + book.parts["irreducible"]
        if rule.kind != "dyadic":
            np.testing.assert_allclose(parts, terms["asymmetry"], rtol=0, atol=1e-14)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_cause_that_is_off_leaves_an_exact_zero(rule):
    books, _, _ = books_of(random_chip(symmetric=True), Centred(beta=0.3), rule, 3)
    for book in books.values():
        terms = book.terms()
        for name in ("precision", "readout", "noise", "write"):
            assert (terms[name] == 0.0).all()
        assert (book.variance == 0.0).all()
    assert (books["weight/in-l1"].terms()["presynaptic"] == 0.0).all()


@pytest.mark.parametrize("wiring", ["reciprocal", "loop", "lateral", "skip"])
def test_the_contrastive_rule_tends_to_the_tied_sum(wiring):
    chip = random_chip(wiring)
    books, runs, trial = books_of(chip, Centred(beta=1e-3), Contrastive())
    topology, keep = chip.topology, np.ones(5, dtype=bool)
    rest = {"in": trial.x} | topology.split(runs.reference.equilibrium.activity)
    exact = cost.compute_gradients(chip, rest, topology.split(runs.reference.delta), keep)
    found = topology.split(runs.reference.ep)
    for pre, post in chip.connections:
        name, back = f"weight/{pre}-{post}", f"weight/{post}-{pre}"
        tied = rest[pre].T @ found[post] / 5
        if pre != "in":
            tied = tied + found[pre].T @ rest[post] / 5
        np.testing.assert_allclose(books[name].steps[3], tied, rtol=0, atol=1e-5)
        np.testing.assert_allclose(books[name].steps[2], tied, rtol=0, atol=1e-14)
        expected = exact[name] + (exact[back].T if back in exact else 0.0)
        np.testing.assert_allclose(books[name].steps[1], expected, rtol=0, atol=1e-14)
        assert (books[name].terms()["presynaptic"] == 0.0).all()


def test_on_symmetric_couplings_the_contrastive_rule_has_no_asymmetry():
    books, _, _ = books_of(random_chip(symmetric=True), Centred(beta=1e-3), Contrastive())
    assert max(np.abs(book.terms()["asymmetry"]).max() for book in books.values()) < 1e-14


def test_an_offset_of_the_converter_is_an_error_of_the_presynaptic_factor():
    offset = 0.05
    chip = random_chip(converters=Converters(readout=Adc(bits=24, range=[-1.0, 2.0], offset=offset)))
    books, runs, _ = books_of(chip, Centred(beta=0.2), presynaptic="free")
    delta = runs.static.taken[0].estimate.delta
    expected = np.broadcast_to(offset * delta["l2"].mean(axis=0), (7, 5))
    np.testing.assert_allclose(books["weight/l1-l2"].terms()["presynaptic"], expected, rtol=0, atol=1e-5)
    assert np.abs(books["weight/l1-l2"].terms()["readout"]).max() < 1e-5


def test_the_phase_mean_is_a_part_of_the_finite_nudge():
    chip = random_chip()
    scheme = OneSided(beta=0.5)
    books, runs, _ = books_of(chip, scheme)
    activity = chip.topology.split(runs.reference.equilibrium.activity)
    taken = runs.complete.taken[0].estimate
    expected = (taken.presynaptic["l1"] - activity["l1"]).T @ taken.delta["l2"] / 5
    free, _, _ = books_of(chip, scheme, presynaptic="free")
    found = [one["weight/l1-l2"].terms() for one in (books, free)]
    np.testing.assert_allclose(found[0]["finite_nudge"] - found[1]["finite_nudge"], expected, rtol=0, atol=1e-13)
    assert np.abs(expected).max() > 1e-5
    assert max(np.abs(terms["presynaptic"]).max() for terms in found) < 1e-12


@pytest.mark.parametrize("step", [1e-2, 1e-4])
def test_a_write_by_constant_steps_has_its_closed_form(step):
    rate = 0.3
    chip = random_chip(update=ConstantStep(step=step))
    before = {name: block.copy() for name, block in chip.programmed.items()}
    books, _, _ = books_of(chip, Centred(beta=0.2), probe=TrialWrite(rate, 1))
    for book in books.values():
        asked = -rate * book.steps[TERMS.index("write")]
        expected = (step * np.rint(asked / step) - asked) / -rate
        np.testing.assert_allclose(book.terms()["write"], expected, rtol=0, atol=1e-13)
    assert all((chip.programmed[name] == block).all() for name, block in before.items())


@pytest.mark.parametrize("storage", ["independent", "copied"])
@pytest.mark.parametrize("step", [None, 1e-2])
def test_what_cells_forget_is_no_fault_of_the_write(storage, step):
    """The leak of one interval, over the rate; a write of whole steps misses what it misses without any leak."""
    rate, leak = 0.3, Retention(age=2.0, interval=0.5, leak_tau=100.0, leak_tau_sigma=0.2)
    law = None if step is None else ConstantStep(step=step)
    chip = random_chip(symmetric=True).variant(update=law, retention=leak, feedback=FeedbackDevices(storage=storage))
    books, _, _ = books_of(chip, Centred(beta=0.2), probe=TrialWrite(rate, 1))
    for name in ("weight/in-l1", "weight/l1-l2", "weight/l2-l1"):
        owner, turned = ("weight/l1-l2", True) if (name, storage) == ("weight/l2-l1", "copied") else (name, False)
        speed = chip.writer.forgetting[owner].rate
        speed, terms = speed.T if turned else speed, books[name].terms()
        left = chip.programmed[name] * np.exp(-2.0 * speed)
        np.testing.assert_allclose(terms["forgetting"], left * np.expm1(-0.5 * speed) / -rate, rtol=0, atol=1e-13)
        if storage == "independent":
            asked = -rate * books[name].steps[TERMS.index("forgetting")]
            missed = 0.0 if step is None else step * np.rint(asked / step) - asked
            np.testing.assert_allclose(terms["write"], missed / -rate, rtol=0, atol=1e-13)


@pytest.mark.parametrize("storage", ["copied", "shared-device"])
@pytest.mark.parametrize("rule", [ErrorVector(), KolenPollack()], ids=lambda rule: rule.kind)
def test_both_directions_of_one_number_are_judged_by_their_sum(rule, storage):
    chip = random_chip(symmetric=True, update=ConstantStep(step=1e-6)).variant(
        feedback=FeedbackDevices(storage=storage)
    )
    plain, _, _ = books_of(random_chip(symmetric=True), Centred(beta=0.1), rule)
    books, _, _ = books_of(chip, Centred(beta=0.1), rule)
    for forward, back in (("weight/l1-l2", "weight/l2-l1"), ("weight/l2-out", "weight/out-l2")):
        steps = [one + other.T for one, other in zip(plain[forward].steps, plain[back].steps, strict=True)]
        for found, turned, expected in zip(books[forward].steps, books[back].steps, steps, strict=True):
            np.testing.assert_array_equal(turned, found.T)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert np.abs(books[forward].terms()["write"]).max() < 1e-5


def test_stochastic_rounding_writes_right_in_the_mean():
    """All entries within five standard errors of the mean of 400 writes; false alarms below 1e-4."""
    repeats, rate, step = 400, 0.1, 1e-3
    chip = random_chip(update=ConstantStep(step=step, rounding="stochastic"))
    books, _, _ = books_of(chip, Centred(beta=0.2), repeats=repeats, probe=TrialWrite(rate, repeats))
    book = books["weight/l1-l2"]
    wanted = np.abs(rate * book.steps[TERMS.index("write")] / step)
    part = wanted - np.floor(wanted)
    error = np.sqrt(part * (1.0 - part) / repeats) * step / rate
    assert (np.abs(book.terms()["write"]) < 5.5 * error + 0.02 * step / rate).all()
    ratio = book.noise_of("write").mean() / (error**2).mean()
    assert abs(ratio - 1.0) < 0.2
    np.testing.assert_allclose(book.noise_after("write"), book.noise_of("write"), rtol=1e-9)


@pytest.mark.parametrize("storage", ["independent", "copied"])
def test_what_is_felt_around_a_write_has_a_term_of_its_own(storage):
    """Variance of one write ``(write_noise step / rate)^2`` in every cell; false alarms below 1e-5 by chi-square."""
    rate, step, noise, repeats = 0.1, 1e-8, 1e4, 12
    changes = {"symmetric": True, "sigma": 0.0}
    chip = random_chip(**changes, update=ConstantStep(step=step, write_noise=noise))
    stored = {"feedback": FeedbackDevices(storage=storage)}
    probe = TrialWrite(rate, repeats)
    books, _, _ = books_of(chip.variant(**stored), Centred(beta=0.2), repeats=repeats, probe=probe)
    plain = random_chip(**changes, update=ConstantStep(step=step)).variant(**stored)
    without, _, _ = books_of(plain, Centred(beta=0.2), probe=probe)
    expected = (noise * step / rate) ** 2
    for name in ("weight/in-l1", "weight/l1-l2", "weight/l2-l1"):
        book = books[name]
        np.testing.assert_allclose(book.terms()["write"], without[name].terms()["write"], rtol=0, atol=1e-12)
        assert (without[name].terms()["write_noise"] == 0.0).all()
        assert_chi_square(book.spread_of("write_noise").sum() / expected * (repeats - 1), book.steps[0].size * 11)
        assert_chi_square(repeats * np.sum(book.terms()["write_noise"] ** 2) / expected, book.steps[0].size)
        np.testing.assert_allclose(book.noise_of("write_noise"), book.spread_of("write_noise") / repeats, rtol=1e-12)
        total = sum(book.terms().values())
        np.testing.assert_allclose(total, book.steps[-1] - book.steps[0], rtol=0, atol=1e-12 * np.abs(total).max())


def test_noise_dithers_a_write_that_would_be_lost():
    """A request below half a step moves nothing; with noise some of the writes get through."""
    changes = {"update": ConstantStep(step=6e-3), "noise": Noise(read=0.02)}
    books, _, _ = books_of(random_chip(**changes), Centred(beta=0.2), repeats=20, probe=TrialWrite(0.3, 20))
    book = books["weight/l1-l2"]
    assert np.abs(book.steps[-1]).max() > 1e-4
    quiet, _, _ = books_of(random_chip(update=changes["update"]), Centred(beta=0.2), probe=TrialWrite(0.3, 1))
    assert np.abs(quiet["weight/l1-l2"].steps[-1]).max() < 1e-15
    assert (book.noise_after("write") > 0.0).any()


def test_kolen_pollack_is_judged_with_its_decay():
    chip = random_chip()
    books, _, _ = books_of(chip, Centred(beta=0.1), KolenPollack(decay=0.01))
    forward, back = books["weight/l1-l2"], books["weight/l2-l1"]
    difference = 0.01 * (chip.programmed["weight/l1-l2"] - chip.programmed["weight/l2-l1"].T)
    for step in range(2, 10):
        np.testing.assert_allclose(forward.steps[step] - back.steps[step].T, difference, rtol=0, atol=1e-15)


def test_without_samples_there_are_no_numbers():
    chip = random_chip(update=ConstantStep(step=1e-3))
    x, y = random_batch(chip)
    trial = Trial(x, y, [Centred(beta=0.2)])
    books = make_connection_ledgers(chip, run_without_causes(chip, trial), trial, 0, np.zeros(5, dtype=bool), PROBE)
    assert all(np.isnan(step).all() for book in books.values() for step in book.steps)
