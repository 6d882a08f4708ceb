"""The laws of registers: what is missing, and how many pulses it takes.

An rms over 4000 cells scatters by 0.8 % (kurtosis 2.4), a mean number of pulses by less: a bound of 3 % is more than
three standard deviations, false alarms are below 0.3 % each.
"""

import numpy as np
import pytest

from learning.optimisers.schedule import TrainingMoment
from learning.policies.accumulate import Accumulate
from learning.policies.direct import Direct
from learning.policies.policy import KnownCells
from tests.learning.policies.cells import CELLS, STEP, replay, rms

FINE = {"bits": 40}
CELLS_MANY = 40_000


def noise(spread, batches, cells=CELLS_MANY, seed=1):
    """Return requests around 0 of so many steps, one batch after the other."""
    rng = np.random.default_rng(seed)
    return [spread * STEP * rng.normal(size=cells) for _ in range(batches)]


@pytest.mark.parametrize(("rounding", "law"), [("toward-zero", 1 / np.sqrt(3)), ("nearest", 1 / np.sqrt(12))])
def test_requests_of_one_sign_leave_what_is_uniform(rounding, law):
    rng = np.random.default_rng(0)
    requests = [0.3 * STEP * rng.random(CELLS_MANY) for _ in range(60)]
    bench, total = replay(Accumulate(rounding=rounding, **FINE), requests)
    assert rms(bench.weight - total) / STEP == pytest.approx(law, rel=0.03)


def test_requests_around_zero_leave_what_is_triangular():
    """On a band that is wider than a step by the overshoot of the walk."""
    bench, total = replay(Accumulate(**FINE), noise(0.05, 1500, 5000))
    assert rms(bench.weight - total) / STEP == pytest.approx((1 + 0.583 * 0.05) / np.sqrt(6), rel=0.03)


@pytest.mark.parametrize(("spread", "batches", "bound"), [(0.1, 1500, 0.03), (0.2, 600, 0.03), (0.4, 300, 0.05)])
def test_the_pulses_are_those_of_a_walk_that_leaves_a_band(spread, batches, bound):
    """``(d / (s + 0.583 d))^2`` per batch, once registers have filled: the first fifth of the batches is left out."""
    requests = noise(spread, batches, 4000)
    begin = batches // 5
    early, _ = replay(Accumulate(**FINE), requests[:begin])
    bench, _ = replay(Accumulate(**FINE), requests)
    rate = (bench.pulses.mean() - early.pulses.mean()) / (batches - begin)
    assert rate == pytest.approx((spread / (1 + 0.583 * spread)) ** 2, rel=bound)


def test_stochastic_rounding_takes_17_times_as_many_pulses():
    """At requests of a twentieth of a step: 0.0399 against 0.00236 per batch."""
    requests = noise(0.05, 4000, 1500)
    saved, _ = replay(Accumulate(**FINE), requests)
    stochastic, _ = replay(Direct(), requests, "stochastic")
    assert stochastic.pulses.mean() / 4000 == pytest.approx(np.sqrt(2 / np.pi) * 0.05, rel=0.03)
    assert stochastic.pulses.mean() / saved.pulses.mean() == pytest.approx(17.0, rel=0.1)


def test_the_nearest_step_saves_no_pulse():
    requests = noise(0.1, 1000, 4000)
    bench, _ = replay(Accumulate(rounding="nearest", **FINE), requests)
    assert bench.pulses.mean() / 1000 == pytest.approx(np.sqrt(2 / np.pi) * 0.1, rel=0.03)


def test_a_mean_makes_pulses_as_it_asks_for():
    """``mu / (s tanh(mu s / d^2))`` per batch; the band is wider by the overshoot, 3 % here."""
    requests = [request + 0.05 * STEP for request in noise(0.1, 1000, 4000)]
    bench, _ = replay(Accumulate(**FINE), requests)
    assert bench.pulses.mean() / 1000 == pytest.approx(0.05, rel=0.04)


@pytest.mark.parametrize(("bits", "step"), [(4, 0.125), (3, 0.25)])
def test_few_bits_scatter_as_the_law_has_it(bits, step):
    """``s^2/6 (1 - 2 c) + K lsb^2 E f(1 - f)``: a request is a fraction f of the least bit.

    c: share of the rounding in what a register took in, since what is in it now is no error of the sum yet.
    """
    batches, lsb = noise(0.05, 600, 5000), step * STEP
    bench, total = replay(Accumulate(bits=bits), batches)
    f = np.abs(np.concatenate(batches)) / lsb % 1.0
    added = step**2 * np.mean(f * (1.0 - f))
    law = (1.0 - 2.0 * added / (added + 0.05**2)) / 6.0 + 600 * added
    assert rms(bench.weight - total) / STEP == pytest.approx(np.sqrt(law), rel=0.03)


def test_a_register_holds_no_more_than_its_bits():
    policy, memory = Accumulate(bits=5, threshold=3.0), {}
    rng = np.random.default_rng(0)
    for k in range(200):
        changes = policy.choose_changes({"w": STEP * rng.normal(size=500)}, memory, CELLS, TrainingMoment(k, 200))
        written = np.abs(changes["w"][changes["w"] != 0.0]) / STEP
        assert written.size == 0 or written.min() > 2.99
        assert np.abs(memory["write/w"]).max() <= 2**4
        np.testing.assert_array_equal(memory["write/w"], np.rint(memory["write/w"]))


def test_a_register_too_small_for_its_threshold_is_refused():
    ((key, message, hint),) = Accumulate(bits=2, threshold=4.0).find_faults(KnownCells(0.1))
    assert key == "bits"
    assert "holds no sum of 4 steps" in message
    assert "at least 3" in hint
    assert Accumulate(bits=3, threshold=4.0).find_faults(KnownCells(0.1)) == []


def test_the_rounding_into_registers_has_a_seed():
    found = [replay(Accumulate(bits=2, seed=seed), noise(0.3, 10, 100))[0].weight for seed in (0, 0, 1)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()
