"""What several arrays of cells hold of a weight, and when they stall.

Weights are asked for what they miss, as a training does that has settled. An rms over 4000 cells that miss a uniform
amount is known to 0.7 %: bounds of 3 % and more are four standard deviations.
"""

import numpy as np
import pytest

from devices.programming.laws import ConstantStep
from learning.policies.policy import KnownCells
from learning.policies.tiles import Tiles
from tests.learning.policies.arrays import NAME, Replay
from tests.learning.policies.cells import rms

CELLS, STEP = 4000, 2.0 / 15.0
"""Cells of 16 states between +-1."""


def chase(policy, target, batches=20, **law):
    """Return what is missing of a target after so many batches of requests for it, and the replay."""
    replay = Replay(policy, ConstantStep(step=STEP, w_max=1.0, w_min=-1.0, **law), target.shape, plain=False)
    gains = (1.0, *policy.extra_arrays.gains)

    def find():
        return target - sum(gain * weight for gain, weight in zip(gains, replay.bench.weights.values(), strict=True))

    for _ in range(batches):
        replay.feed([find()])
    return find(), replay


@pytest.mark.parametrize(("gamma", "tiles"), [(0.15, 2), (0.15, 3), (0.15, 4), (STEP / 2, 2), (STEP / 2, 4)])
def test_every_array_refines_what_those_before_hold(gamma, tiles):
    """``gamma^(N-1) s / sqrt 12`` is missing, 1.1e-5 of a range of +-1 from four arrays of 16 states."""
    target = np.random.default_rng(0).uniform(-0.8, 0.8, CELLS)
    missing, _ = chase(Tiles(tiles=tiles, gamma=gamma, carry_every=1), target)
    assert rms(missing) == pytest.approx(gamma ** (tiles - 1) * STEP / np.sqrt(12), rel=0.05)


def test_an_array_that_holds_less_than_half_a_step_stalls():
    """Below ``gamma = s / (2 w_max)`` nothing is ever carried: of a step of +-s/2 what is beyond gamma is missing."""
    gamma = 0.05
    target = np.random.default_rng(0).uniform(-STEP / 2, STEP / 2, CELLS)
    missing, replay = chase(Tiles(tiles=2, gamma=gamma, carry_every=1), target)
    assert not replay.bench.weights[NAME].any()
    beyond = rms(np.maximum(np.abs(target) - gamma, 0.0))
    fine = gamma * STEP / np.sqrt(12)
    assert rms(missing) == pytest.approx(np.hypot(beyond, np.sqrt(2 * gamma / STEP) * fine), rel=0.03)
    assert rms(missing) == pytest.approx(5.1e-3, rel=0.05)


def test_rows_are_carried_in_turn_once_in_so_many_batches():
    replay = Replay(Tiles(tiles=3, carry_every=4), ConstantStep(step=STEP), (6, 2))
    replay.feed([np.zeros((6, 2))] * 8)
    assert replay.bench.reads == 2 * 2 * 12


def test_a_carry_changes_no_weight_where_steps_are_whole():
    """Steps of an array are gamma times those of the one before: ``1/gamma`` of them."""
    policy, law = Tiles(tiles=2, gamma=0.2, carry_every=2), ConstantStep(step=0.01)
    replay = Replay(policy, law, 500)
    fine = "array-1/" + NAME
    replay.bench.weights[fine][...] = 0.01 * np.random.default_rng(0).integers(-20, 20, 500)
    before = 0.2 * replay.bench.weights[fine]
    replay.feed([np.zeros(500)] * 2)
    np.testing.assert_allclose(replay.bench.weights[NAME] + 0.2 * replay.bench.weights[fine], before, atol=1e-12)
    assert np.abs(0.2 * replay.bench.weights[fine]).max() <= 0.005 + 1e-12
    assert np.abs(replay.bench.weights[NAME]).max() > 0.03


def test_requests_below_a_step_add_up_to_no_more_than_the_finest_array_holds():
    """Until they are carried; whole steps go where they fit."""
    replay = Replay(Tiles(tiles=2, gamma=0.2, carry_every=10), ConstantStep(step=0.05, w_max=0.5, w_min=-0.5), 3)
    fine = "array-1/" + NAME
    replay.feed([np.full(3, 0.02)] * 9)
    np.testing.assert_allclose(0.2 * replay.bench.weights[fine], 0.1)
    replay.feed([np.full(3, 0.02)])
    np.testing.assert_allclose(replay.bench.weights[NAME], 0.1)
    replay.feed([np.full(3, 0.16)])
    np.testing.assert_allclose(replay.bench.weights[NAME], 0.25)
    np.testing.assert_allclose(replay.bench.weights[fine], 0.05)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (KnownCells(None), "have none"),
        (KnownCells(0.1, copied=True), "several cells"),
        (KnownCells(0.1, forgetful=True), "forget"),
        (KnownCells(0.1, exact=False), "coincidences"),
    ],
)
def test_cells_that_cannot_be_carried_are_refused(cells, words):
    ((_, message, _),) = Tiles().find_faults(cells)
    assert words in message
