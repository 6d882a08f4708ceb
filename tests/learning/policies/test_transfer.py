"""The laws of a fast array that is read, at cells with bounds of +-1 whose weights get what they are asked for.

Means over 4000 cells are known to 0.5 % of what scatters at most, standard deviations to 1.2 %: bounds of 4 % are more
than three standard deviations, false alarms below 0.3 % each; where a bound is tighter its test says so.
"""

import numpy as np
import pytest

from devices.programming.laws import SoftBounds
from learning.policies.policy import KnownCells
from learning.policies.transfer import TransferWrites
from tests.learning.policies.arrays import FAST, NAME, Replay

CELLS = 4000


def noise(mean, spread, batches, cells=CELLS, seed=1):
    """Yield requests of this mean and spread, in units of the weight."""
    rng = np.random.default_rng(seed)
    for _ in range(batches):
        yield mean + spread * rng.normal(size=cells)


def describe(mean, spread):
    """Return rate and rest point of a fast cell, ``E|q|`` and ``E q / E|q|``."""
    drawn = next(noise(mean, spread, 1, 400_000, 9))
    rate = np.abs(drawn).mean()
    return rate, mean / rate


def run(policy, law, requests, batches, error=0.0, cells=CELLS):
    """Return the replay, and what its weights gained in the second half of so many batches."""
    replay = Replay(policy, law, cells, error=error)
    replay.feed(noise(*requests, batches // 2, cells))
    before = replay.moved.copy()
    replay.feed(noise(*requests, batches - batches // 2, cells, 2))
    return replay, replay.moved - before


@pytest.mark.parametrize(
    ("requests", "step", "rest"),
    [((0.005, 0.025), 0.04, 0.2455), ((0.02, 0.027), 0.04, 0.73), ((0.01, 0.05), 0.2, 0.2455)],
)
def test_a_fast_cell_follows_the_mean_over_the_mean_size(requests, step, rest):
    """``A* = E q / E|q|``, whatever the step: normalised cell by cell."""
    rate, law = describe(*requests)
    assert law == pytest.approx(rest, abs=0.01)
    replay, _ = run(TransferWrites(), SoftBounds(step=step, rounding="stochastic"), requests, int(8 / rate))
    # A cell scatters by the root of half a step: 0.31 at most, so that the mean is known to 0.005.
    assert replay.bench.weights[FAST].mean() == pytest.approx(law, abs=0.016)


def test_a_fast_cell_between_other_bounds_rests_elsewhere():
    """``(P - M) / (P / high + M / |low|)`` with P and M the means of both signs."""
    law = SoftBounds(step=0.04, rounding="stochastic", w_max=0.8, w_min=-1.6)
    replay, _ = run(TransferWrites(), law, (0.01, 0.05), 400)
    drawn = next(noise(0.01, 0.05, 1, 400_000, 9))
    up, down = np.maximum(drawn, 0.0).mean(), np.maximum(-drawn, 0.0).mean()
    assert replay.bench.weights[FAST].mean() == pytest.approx((up - down) / (up / 0.8 + down / 1.6), rel=0.04)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_scatter_of_a_fast_cell_is_that_of_its_steps(share):
    """``Var A = s (1 - A*^2) / (2 - s)`` for requests up to a step, in equilibrium; a variance scatters by 2.2 %."""
    step, rng = 0.1, np.random.default_rng(3)
    replay = Replay(TransferWrites(), SoftBounds(step=step, rounding="stochastic"), CELLS)
    replay.feed(step * np.where(rng.random(CELLS) < 0.5 + 0.5 * share, 0.7, -0.7) for _ in range(100))
    fast = replay.bench.weights[FAST]
    assert fast.mean() == pytest.approx(share, abs=0.015)
    assert fast.var() == pytest.approx(step * (1.0 - share**2) / (2.0 - step), rel=0.08)


@pytest.mark.parametrize("version", ["tt1", "tt2"])
def test_weights_gain_what_fast_cells_hold_and_the_error_of_their_reference(version):
    """``slow_rate K (A* + r)``, scattered by ``slow_rate sqrt(K Var q) / E|q|``: signal to noise of the requests."""
    requests, batches, slow = (0.02, 0.08), 800, 0.01
    rate, rest = describe(*requests)
    for error in (0.0, 0.1):
        law = SoftBounds(step=0.005, rounding="stochastic")
        _, gained = run(TransferWrites(version=version, slow_rate=slow), law, requests, batches, error)
        assert gained.mean() / (batches / 2 * slow) == pytest.approx(rest + error, rel=0.04)
    # Less what the walk of A at the rest point weighs less than q, and than the time in which it follows.
    expected = slow * requests[1] / rate * np.sqrt(batches / 2 - 1 / rate)
    assert gained.std() == pytest.approx(expected, rel=0.08)


TURNED = (0.004, 0.012)
"""Requests at which a fast cell takes a hundred batches to follow, so that turns are long in reads."""


@pytest.mark.parametrize(("period", "product"), [(40, 0.4), (160, 1.6), (640, 6.5)])
def test_turns_shorter_than_a_fast_cell_takes_lose_what_it_holds(period, product):
    """The share of ``A*`` is 1 - tanh(x)/x, and no error of the reference is in it."""
    rate, rest = describe(*TURNED)
    assert rate * period == pytest.approx(product, rel=0.05)
    policy = TransferWrites(version="chopped", turns="regular", chop=1 / period, slow_rate=0.01)
    batches = 2 * period * max(2, 640 // period)
    law = SoftBounds(step=0.02, rounding="stochastic")
    found = [run(policy, law, TURNED, batches, error, 1000)[1].mean() / batches * 2 / 0.01 for error in (0.0, 0.1)]
    share = policy.compute_turn_share(0.5 * rate * period)
    assert share == pytest.approx(1 - np.tanh(0.5 * rate * period) / (0.5 * rate * period))
    # Reads follow the pulses of their batch, half a batch late: 1/period of the share that is lost.
    assert found[0] / rest == pytest.approx(share + 0.5 * rate * (1 - share), rel=0.06, abs=0.006)
    assert found[1] == pytest.approx(found[0], rel=0.04, abs=0.001)


def test_turns_by_chance_leave_what_a_random_telegraph_does():
    """``E|q| / (1 - (1 - E|q|)(1 - 2 chop))``, E|q| / (E|q| + 2 chop) for few; every row has turns of its own."""
    rate, rest = describe(0.02, 0.08)
    replay = Replay(
        TransferWrites(version="chopped", rows=4000, slow_rate=0.01),
        SoftBounds(step=0.04, rounding="stochastic"),
        (CELLS, 1),
    )
    replay.feed(request[:, None] for request in noise(0.02, 0.08, 300))
    law = rate / (1.0 - (1.0 - rate) * 0.8)
    assert TransferWrites(version="chopped").compute_turn_share(0.5 * rate * 10) == pytest.approx(law, rel=0.06)
    assert replay.moved.mean() / (300 * 0.01) / rest == pytest.approx(law, rel=0.06)


@pytest.mark.parametrize("period", [80, 160, 640])
def test_a_mean_of_the_reads_before_a_turn_gives_back_what_turns_lose(period):
    """The share is 1 - tanh(x)/x and the mean before the last turn; the error of the reference is taken off."""
    rate, rest = describe(*TURNED)
    policy = TransferWrites(version="agad", chop=1 / period, slow_rate=0.01)
    batches = 2 * period * max(2, 640 // period)
    law = SoftBounds(step=0.02, rounding="stochastic")
    found = [run(policy, law, TURNED, batches, error, 1000)[1].mean() / batches * 2 / 0.01 for error in (0.0, 0.1)]
    assert found[0] / rest == pytest.approx(policy.compute_turn_share(0.5 * rate * period), rel=0.06)
    assert found[1] == pytest.approx(found[0], rel=0.02)


def test_nothing_is_written_before_a_mean_is_known():
    replay = Replay(
        TransferWrites(version="agad", chop=0.1, slow_rate=1.0), SoftBounds(step=0.04, rounding="stochastic"), 50
    )
    replay.feed(noise(0.02, 0.08, 10, 50))
    assert not replay.moved.any()
    replay.feed(noise(0.02, 0.08, 1, 50))
    assert replay.moved.any()


def test_rows_are_read_in_turn_and_count_for_the_batches_between():
    """Two of five rows every third batch: after 15 batches every row has been read twice."""
    policy, law = TransferWrites(version="tt1", rows=2, every=3, slow_rate=0.5), SoftBounds(step=0.01)
    replay = Replay(policy, law, (5, 3))
    replay.bench.weights["array-1/" + NAME][...] = np.arange(15.0).reshape(5, 3) / 100
    held = replay.bench.weights["array-1/" + NAME].copy()
    replay.feed([np.zeros((5, 3))] * 15)
    assert replay.bench.reads == 30
    np.testing.assert_allclose(replay.bench.weights[NAME], 0.5 * 15 * held, atol=0.011)


def test_a_buffer_forgets_nothing_but_what_is_written():
    policy, law = TransferWrites(slow_rate=0.3, momentum=0.25), SoftBounds(step=0.01)
    replay = Replay(policy, law, 1)
    replay.bench.weights[FAST][...] = 0.05
    replay.feed([np.zeros(1)])
    assert replay.bench.weights[NAME] == pytest.approx(0.01)
    assert replay.memory[f"write/buffer/{NAME}"] == pytest.approx(1.5 - 0.75)


@pytest.mark.parametrize(
    ("policy", "key", "words"),
    [
        (TransferWrites(version="tt1", momentum=0.1), "momentum", "no buffer"),
        (TransferWrites(version="chopped", tail=2.0), "tail", "only agad"),
        (TransferWrites(chop=0.2), "chop", "only chopped and agad"),
        (TransferWrites(version="agad", seed=3), "seed", "only chopped draws"),
        (TransferWrites(version="agad", turns="regular"), "turns", "agad are regular"),
        (TransferWrites(version="chopped", turns="regular", seed=1), "seed", "regular turns are not drawn"),
    ],
)
def test_keys_of_another_version_are_refused(policy, key, words):
    ((found, message, hint),) = policy.find_faults(KnownCells(0.01))
    assert (found, "changes nothing" in message, words in message) == (key, True, True)
    assert "version" in hint or "turns" in hint


@pytest.mark.parametrize(("policy", "bits"), [("tt1", 0), ("tt2", 32), ("chopped", 32 + 1 / 6), ("agad", 96)])
def test_digital_numbers_are_counted(policy, bits):
    assert TransferWrites(version=policy).count_bits((4, 6)) / 24 == pytest.approx(bits)
