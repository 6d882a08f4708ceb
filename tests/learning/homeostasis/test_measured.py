"""Measured Jacobian homeostasis: the mean of the probes, where it leads, where its floor is, and what it costs."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import linalg

from devices.interface.converter import Adc, Converters
from devices.neuron.noise import Noise
from learning.draws import draw_unit_normals, draw_unit_signs
from learning.estimator import measure_free
from learning.homeostasis.measured import ClosedLoop, OpenLoop, add_homeostasis, correlate_antisymmetrically
from learning.optimisers.optimiser import Sgd
from learning.oracle.exact import compute_exact_errors
from learning.oracle.homeostasis import ExactPull, compute_homeostatic_loss
from learning.oracle.ledger.statistics import compute_cosines
from learning.rules.error_vector import ErrorVector
from learning.rules.feedback_alignment import FeedbackAlignment
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred
from learning.training import Samples, TrainingState, train
from substrate.dynamics.methods import Phase
from substrate.laws.law import LAWS
from substrate.network.couplings import make_couplings
from substrate.protocol import Status
from substrate.theory.linearisation import linearise
from tests.learning.test_estimator import OnlyBench
from tests.networks import WIRINGS, random_batch, random_chip
from tests.statistics import assert_mean

UNITS = 16
BASIS = np.asarray(linalg.hadamard(UNITS), dtype=np.float64)
"""Signs whose mean outer product is the identity, exactly."""


def settled(chip, samples=5):
    """Return the samples that are clamped on a chip which has settled."""
    x, y = random_batch(chip, samples)
    measure_free(chip, x)
    return Samples(x, y)


def odd(chip):
    """Return ``|A|`` of the effective couplings."""
    return np.sqrt(compute_homeostatic_loss(chip.topology, chip.effective).loss / 2.0)


def total(blocks):
    return np.concatenate([blocks[name].ravel() for name in sorted(blocks)])


def basis_pull(monkeypatch, how, chip):
    """Return the pull with the rows of a full basis in place of random signs, times n."""
    monkeypatch.setattr("learning.homeostasis.measured.draw_unit_signs", lambda *_: BASIS)
    return {name: UNITS * block for name, block in how.pull(chip, settled(chip, UNITS)).items()}


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("size", [0.01, 1.0])
def test_over_a_basis_the_open_loop_is_the_exact_gradient(monkeypatch, wiring, size):
    """On the chip as it is: mismatch and offsets of the units included, whatever the size."""
    chip = random_chip(wiring, sigma=0.1)
    pull = basis_pull(monkeypatch, OpenLoop(size=size, draws=1), chip)
    exact = compute_homeostatic_loss(chip.topology, chip.effective).gradient
    assert pull.keys() == exact.keys()
    np.testing.assert_allclose(total(pull), total(exact), rtol=0, atol=1e-12)


def test_random_signs_have_the_exact_gradient_as_their_mean():
    """Of 40 entries drawn at random, each within its standard error; false alarms below 1e-4 in all."""
    chip, rng = random_chip(sigma=0.1), np.random.default_rng(0)
    samples, exact = settled(chip, 8), total(ExactPull().pull(chip, None))
    found = np.array([total(OpenLoop(seed=k, draws=1).pull(chip, samples)) for k in range(400)])
    for entry in rng.choice(len(exact), 40, replace=False):
        assert_mean(found[:, entry], exact[entry], found[:, entry].std(ddof=1))


def test_only_pairs_are_pulled_on_request():
    chip = random_chip("skip", sigma=0.1)
    samples = settled(chip)
    every, pairs = (OpenLoop(connections=c).pull(chip, samples) for c in ("all", "reciprocal"))
    assert pairs.keys() == {"weight/l1-out", "weight/out-l1"} < every.keys()
    for name, block in pairs.items():
        np.testing.assert_array_equal(block, every[name])
    assert ExactPull(connections="reciprocal").pull(chip, samples).keys() == pairs.keys()


def descended(chip, how, steps, rate):
    """Write the pull again and again."""
    x, y = random_batch(chip, 8)
    measure_free(chip, x)
    for step in range(steps):
        pull = how.pull(OnlyBench(chip), Samples(x, y, epoch=step))
        chip.write({name: -rate * block for name, block in pull.items()})


def test_a_chip_with_mismatch_becomes_symmetric_where_it_counts():
    """The *effective* couplings become symmetric, while the programmed ones keep what the mismatch needs."""
    chip = random_chip(sigma=0.1)
    before = odd(chip)
    descended(chip, OpenLoop(draws=20), 40, 0.3)
    assert odd(chip) < 0.1 * before
    programmed = make_couplings(chip.topology, chip.programmed).antisymmetric()
    assert np.sqrt(programmed.square()) > 1.2 * odd(chip)


def test_the_closed_loop_cures_the_asymmetry_that_error_vectors_meet():
    """``M - M^T``, the error of equilibrium propagation as an operator, falls faster than `A` itself."""
    chip = random_chip(sigma=0.1, phase=Phase(max_steps=500, tolerance=1e-8))
    ends = []
    for steps in (0, 40):
        descended(chip, ClosedLoop(draws=10), steps, 1.0)
        _, m = at_one_state(chip)
        ends.append((np.linalg.norm(m - m.T) / np.linalg.norm(m), odd(chip)))
    (error, asymmetry), (error_after, asymmetry_after) = ends
    assert error_after < 0.2 * error
    assert 0.3 * asymmetry < asymmetry_after < asymmetry


def test_unequal_gains_of_the_reads_set_the_floor():
    """The pull rests where ``g_i W_ij = g_j W_ji``, which is not symmetric."""
    chip = random_chip(converters=Converters(readout=Adc(bits=16, full_scale=4.0, gain_sigma=0.2)))
    descended(chip, OpenLoop(draws=40), 40, 0.5)
    gain = chip._reader._made[0][0].gain
    weighted = gain[:, None] * chip.topology.coupling(chip.effective)
    assert np.linalg.norm(weighted - weighted.T) / 2.0 < 0.25 * odd(chip)


def test_noise_and_converter_leave_the_mean_right():
    """With read noise of a step, an 8-bit converter rounds at random; false alarms below 1e-4 in all."""
    noise, converters = Noise(read=1 / 256), Converters(readout=Adc(bits=8))
    chip = random_chip(sigma=0.1, noise=noise, converters=converters)
    samples, exact_pull = settled(chip, 8), total(ExactPull().pull(chip, None))
    found, clipped = [], chip.clipped.outside
    for k in range(400):
        chip.set_input(samples.x, epoch=k)
        found.append(total(OpenLoop(seed=k, draws=1).pull(chip, samples)))
    entries = np.random.default_rng(0).choice(len(exact_pull), 40, replace=False)
    for entry in entries:
        column = np.array(found)[:, entry]
        assert_mean(column, exact_pull[entry], column.std(ddof=1))
    assert chip.clipped.outside == clipped


def at_one_state(chip):
    """Return as many copies of one settled sample as there are rows in a basis, and ``M = -J^-1`` there."""
    x, y = random_batch(chip, 1)
    samples = Samples(np.repeat(x, UNITS, axis=0), np.repeat(y, UNITS, axis=0))
    measure_free(chip, samples.x)
    return samples, linearise(chip, chip.state).inverse(0)


@pytest.mark.parametrize("law", LAWS)
def test_the_closed_loop_antisymmetrises_the_response_and_lowers_the_loss(monkeypatch, law):
    """``2 (M - M^T) = 4 M A M^T``; its product with ``4 A`` is a sum of positive terms where J is definite.

    With ``-J = P - A`` and ``B = P^-1/2 A P^-1/2``: ``<4 A, 4 M A M^T> = 16 |B (1 - B^2)^-1/2|^2``.
    """
    monkeypatch.setattr("learning.homeostasis.measured.draw_unit_signs", lambda *_: BASIS)
    chip = random_chip("lateral", sigma=0.1, law=law)
    samples, response = at_one_state(chip)
    q = np.sum(response**2) / UNITS
    pull = ClosedLoop(size=1e-3, draws=1).pull(chip, samples)
    wanted = 2.0 * (response - response.T)
    for c in chip.topology.recurrent():
        block = wanted[chip.topology.columns[c.post], chip.topology.columns[c.pre]].T / (q * UNITS)
        np.testing.assert_allclose(pull[c.block], block, rtol=0, atol=1e-4 * np.abs(wanted).max() / (q * UNITS))
    inverse = np.linalg.inv(response)
    symmetric, part = 0.5 * (inverse + inverse.T), 0.5 * (inverse.T - inverse)
    np.testing.assert_allclose(part, make_couplings(chip.topology, chip.effective).antisymmetric().dense(), atol=1e-12)
    root = np.linalg.inv(linalg.sqrtm(symmetric))
    b2 = np.linalg.matrix_power(root @ part @ root, 2)
    expected = -16.0 * np.trace(b2 @ np.linalg.inv(np.eye(UNITS) - b2))
    assert expected > 0.0
    assert np.vdot(4.0 * part, wanted) == pytest.approx(expected, rel=1e-9)


def test_a_symmetric_chip_is_left_alone_which_the_total_response_would_not_do(monkeypatch):
    """The trap: the evoked drive ``W r`` with the response `r` in place of the signs that were put in."""
    monkeypatch.setattr("learning.homeostasis.measured.draw_unit_signs", lambda *_: BASIS)
    chip = random_chip(symmetric=True)
    samples, response = at_one_state(chip)
    gradient = compute_homeostatic_loss(chip.topology, random_chip().effective).gradient
    scale = UNITS * np.abs(total(gradient)).max()
    assert np.abs(total(OpenLoop(draws=1).pull(chip, samples))).max() < 1e-14 * scale
    assert np.abs(total(ClosedLoop(draws=1, size=1e-3).pull(chip, samples))).max() < 1e-7 * scale
    parts = chip.topology.split(BASIS @ response.T)
    evoked = chip.topology.split(BASIS @ response.T @ chip.topology.coupling(chip.effective).T)
    ends = [(c.pre, c.post) for c in chip.topology.recurrent()]
    assert (
        np.abs(total(correlate_antisymmetrically(chip, ends, parts, evoked, np.zeros(len(BASIS), dtype=int)))).max()
        > 1e-4 * scale
    )


def test_units_without_slope_are_not_pulled():
    chip = random_chip(activation="hard-sigmoid")
    for name in chip.topology.names:
        chip.write({f"bias/{name}": np.full(chip.topology.layers[name], 9.0)})
    pull = ClosedLoop().pull(chip, settled(chip))
    assert not total(pull).any()


class Restless(OnlyBench):
    """The first samples cycle or diverge when they are probed, and are read somewhere on the way."""

    def __init__(self, chip, status, count=1):
        super().__init__(chip)
        self._status, self._count = status, count

    def settle_injected(self, drive):
        ended = self._chip.settle_injected(drive)
        ended.status[: self._count] = self._status
        self._chip.state[: self._count] = np.inf if self._status == Status.DIVERGED else 9.0 * drive["l1"][0, 0]
        return ended


@pytest.mark.parametrize("status", [Status.PERIOD_2, Status.CYCLE, Status.DIVERGED])
def test_a_probe_without_response_is_left_out(status):
    chip, how = random_chip(sigma=0.1), ClosedLoop(draws=1)
    samples = settled(chip, 5)
    found = how.pull(Restless(chip, status), samples)
    rest = Samples(samples.x[1:], samples.target[1:], np.arange(1, 5))
    measure_free(chip, rest.x)
    np.testing.assert_allclose(total(found), total(how.pull(chip, rest)), rtol=1e-9)
    assert not total(how.pull(Restless(chip, status, 4), rest)).any()


@pytest.mark.parametrize(("how", "settlings"), [(OpenLoop(draws=3), 0), (ClosedLoop(draws=3), 30)])
def test_probes_are_counted(how, settlings):
    chip = random_chip()
    samples = settled(chip, 5)
    before = chip.budget
    how.pull(chip, samples)
    spent = chip.budget.plus(before, -1)
    assert (spent.settlings, spent.reads, spent.writes) == (settlings, 30, 0)
    assert (spent.settled_time > 0.0) == (settlings > 0)


def test_the_draws_of_a_sample_depend_on_its_name_alone():
    ids = np.array([7, 3, 70_000])
    for draw in (draw_unit_signs, draw_unit_normals):
        whole = draw(1, ids, 2, 0, 130)
        np.testing.assert_array_equal(draw(1, ids[::-1], 2, 0, 130), whole[::-1])
        others = [
            draw(0, ids, 2, 0, 130),
            draw(1, ids, 3, 0, 130),
            draw(1, ids, 2, 1, 130),
            draw(1, ids + 1, 2, 0, 130),
        ]
        for other in others:
            assert abs(np.mean(other * whole)) < 5.0 / np.sqrt(whole.size)
    many = draw_unit_signs(0, np.arange(400), 0, 0, 100)
    assert set(np.unique(many)) == {-1.0, 1.0}
    assert_mean(many, 0.0, 1.0)
    assert_mean(many[:, ::2] * many[:, 1::2], 0.0, 1.0)


def test_a_pull_is_added_to_the_gradients_of_the_rule():
    chip = random_chip(sigma=0.1)
    samples, how = settled(chip), RuleContext(Centred(beta=0.1))
    rule, pull = make_rule(FeedbackAlignment(), chip, how), partial(ExactPull().pull, chip)
    plain, added, both = rule(samples).blocks, pull(samples), add_homeostasis(rule, pull)(samples).blocks
    assert "weight/out-l2" not in plain
    for name, block in both.items():
        zero = np.zeros_like(block)
        np.testing.assert_array_equal(block, plain.get(name, zero) + added.get(name, zero))


def taught(pull):
    """Train a chip with independent feedback; return the cosine of EP to the exact gradient in the first layer."""
    chip = random_chip(scale=0.7, phase=Phase(max_steps=500, tolerance=1e-8))
    x, y = random_batch(chip, 16)
    rule = make_rule(ErrorVector(), chip, RuleContext(Centred(beta=0.1)))
    if pull is not None:
        rule = add_homeostasis(rule, partial(pull.pull, chip))
    parts = [Samples(x[k::2], y[k::2], np.arange(k, 16, 2)) for k in range(2)]
    sgd = Sgd(rate=0.2, momentum=0.0)
    for _ in train(chip, rule, sgd, lambda epoch: [part._replace(epoch=epoch) for part in parts], 30, TrainingState()):
        pass
    measure_free(chip, x)
    found = compute_exact_errors(chip, y)
    return float(np.mean(compute_cosines(found.ep[:, :7], found.delta[:, :7])))


def test_training_with_homeostasis_aligns_the_first_layer():
    """A cosine of about 0 by equilibrium propagation alone."""
    alone = taught(None)
    found = [taught(pull) for pull in (OpenLoop(draws=2, strength=2.0), ClosedLoop(draws=2, strength=2.0))]
    assert alone < 0.5
    assert min(found) > 0.9
