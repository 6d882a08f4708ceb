"""The laws of sums, signs and outer products; bounds and false alarms as in the tests of registers."""

import numpy as np
import pytest
from scipy.special import erf

from learning.policies.batches import SummedBatches
from learning.policies.direct import Direct
from learning.policies.low_rank import LowRank
from learning.policies.sign import Sign
from tests.learning.policies.cells import STEP, replay, rms
from tests.learning.policies.test_accumulate import noise


def test_stochastic_rounding_walks_at_random():
    """Variance ``s^2 sum f(1 - f)``."""
    requests = noise(0.3, 100, 20_000)
    bench, total = replay(Direct(), requests, "stochastic")
    f = np.abs(np.concatenate(requests)) / STEP % 1.0
    assert rms(bench.weight - total) / STEP == pytest.approx(np.sqrt(100 * np.mean(f * (1.0 - f))), rel=0.03)


def test_the_nearest_step_loses_what_is_below_half_of_one():
    bench, _ = replay(Direct(), [np.full(10, 0.49 * STEP)] * 50)
    assert not bench.weight.any()


@pytest.mark.parametrize("every", [4, 16])
def test_sums_of_batches_take_fewer_pulses(every):
    """``E|sum q| / (k s)``, the root of the batches fewer, and the error falls as ``s^2 (K/k) E f(1 - f)``."""
    requests = noise(0.05, 320, 20_000)
    bench, total = replay(SummedBatches(every=every), requests, "stochastic")
    assert bench.pulses.mean() / 320 == pytest.approx(np.sqrt(2 / np.pi) * 0.05 / np.sqrt(every), rel=0.03)
    f = np.abs(np.random.default_rng(3).normal(size=100_000)) * 0.05 * np.sqrt(every) % 1.0
    assert rms(bench.weight - total) / STEP == pytest.approx(np.sqrt(320 / every * np.mean(f * (1.0 - f))), rel=0.03)


@pytest.mark.parametrize("policy", [SummedBatches(every=4), LowRank(every=4, rank=100)])
def test_the_last_batch_of_a_training_writes_what_there_is(policy):
    requests = [np.full((2, 3), 5 * STEP)] * 6
    bench, total = replay(policy, requests, steps=6)
    np.testing.assert_allclose(bench.weight, total, rtol=1e-12)
    bench, _ = replay(policy, requests, steps=7)
    np.testing.assert_allclose(bench.weight, 4 * requests[0], rtol=1e-12)


def test_signs_have_a_gain_of_their_own():
    """``E sign = erf(mu / (d sqrt 2))``, and the cosine of a normal vector to its signs is root 2 over pi."""
    requests = [request + 0.03 * STEP for request in noise(0.1, 200, 20_000)]
    bench, _ = replay(Sign(), requests)
    assert bench.weight.mean() / STEP / 200 == pytest.approx(erf(0.3 / np.sqrt(2)), rel=0.03)
    (request,) = noise(1.0, 1, 100_000)
    bench, _ = replay(Sign(), [request])
    cosine = bench.weight @ request / np.linalg.norm(bench.weight) / np.linalg.norm(request)
    assert cosine == pytest.approx(np.sqrt(2 / np.pi), rel=0.01)


def test_a_dead_zone_writes_nothing():
    bench, _ = replay(Sign(deadzone=2 * STEP), [np.array([1.9, 2.1, -2.1, 0.0]) * STEP])
    np.testing.assert_allclose(bench.weight / STEP, [0.0, 1.0, -1.0, 0.0])


def test_outer_products_keep_the_largest_singular_values():
    """The cosine is ``sqrt(sum_{i<=r} s_i^2 / sum s_i^2)`` of the sum, streamed or not."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(20, 3)) @ rng.normal(size=(3, 30)) / 3
    requests = [1e4 * STEP * (base + 0.02 * rng.normal(size=base.shape)) for _ in range(20)]
    bench, total = replay(LowRank(rank=3, every=20, feedback=False), requests)
    sizes = np.linalg.svd(total, compute_uv=False)
    law = np.sqrt(np.sum(sizes[:3] ** 2) / np.sum(sizes**2))
    cosine = np.vdot(bench.weight, total) / np.linalg.norm(bench.weight) / np.linalg.norm(total)
    assert cosine == pytest.approx(law, abs=1e-4)


def test_what_is_cut_off_comes_back_only_if_it_is_fed_back():
    """Ten writes of a full matrix as outer products: fed back, what is missing stays that of one write."""
    requests = [1e3 * STEP * np.eye(6) + 1e3 * STEP * np.diag(np.arange(6.0))] * 10
    missing = []
    for fed in (True, False):
        bench, total = replay(LowRank(rank=2, every=1, feedback=fed), requests)
        missing.append(rms(bench.weight - total))
    assert missing[0] < 0.35 * missing[1]
