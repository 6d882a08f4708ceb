"""The mean of a pulse train, split by what makes it, against the walk of the kernels."""

import numpy as np
import pytest

from devices.programming.laws import (
    ConstantStep,
    ExponentialStep,
    LinearStep,
    OneSidedCells,
    PiecewiseStep,
    PowerStep,
    SoftBounds,
)
from devices.programming.mean_step import compute_steps, walk_cells, walk_pairs
from devices.programming.sampled import sample_cells
from devices.random import Stream
from substrate.engine.door import apply_pulses, make_cell_block, make_pulse_train
from tests.devices.programming.steps_twin import pulsed

SPREAD = {"step": 0.01, "step_sigma": 0.2, "up_down": 0.1, "up_down_sigma": 0.1}
BOUNDS = {"w_max": 0.6, "w_min": -0.5, "w_max_sigma": 0.2, "w_min_sigma": 0.2}
LAWS = [
    ConstantStep(**SPREAD),
    ConstantStep(**SPREAD, **BOUNDS),
    LinearStep(**SPREAD, **BOUNDS, slope_up=0.4, slope_down=0.7, slope_sigma=0.1),
    SoftBounds(**SPREAD, **BOUNDS),
    ExponentialStep(
        **SPREAD, **BOUNDS, a=1.0, b=0.2, amplitude_up=0.3, amplitude_down=0.4, gamma_up=1.0, gamma_down=1.5
    ),
    PowerStep(**SPREAD, **BOUNDS, exponent_up=2.0, exponent_down=1.5, exponent_sigma=0.1),
    PiecewiseStep(**SPREAD, **BOUNDS, up=[1.2, 1.0, 0.6, 0.1], down=[0.2, 0.8, 1.0, 1.3]),
]
SHAPE = (4, 30)


def cells_of(law, name=""):
    return sample_cells(law, SHAPE, lambda purpose: Stream(1, name + purpose))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
def test_the_parts_add_up_to_what_the_kernels_do(law):
    rng = np.random.default_rng(0)
    cells, pulses = cells_of(law), rng.integers(-60, 61, SHAPE).astype(np.int32)
    weight = np.clip(0.3 * rng.normal(size=SHAPE), cells.low, cells.high)
    after, counts = weight.copy(), np.zeros(SHAPE, dtype=np.int32)
    train = make_pulse_train(law, Stream(0, "write"), 0.0)
    apply_pulses(make_cell_block(cells)._replace(weight=after), pulses * law.step, train, counts)
    np.testing.assert_array_equal(counts, pulses)
    walk = walk_cells(law.shape(), cells, weight, pulses, law.step)
    total = pulses * law.step + walk.gain + walk.asymmetry + walk.window
    np.testing.assert_allclose(total, after - weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
@pytest.mark.parametrize("up", [True, False])
def test_a_step_is_that_of_the_law(law, up):
    cells = cells_of(law)
    weight = np.clip(np.full(SHAPE, 0.05), cells.low, cells.high)
    free = np.abs(compute_steps(law.shape(), cells, weight, up))
    moved = np.abs(pulsed(law, cells, weight, up) - weight)
    np.testing.assert_allclose(moved, free, rtol=1e-12, atol=1e-15)


def test_cells_as_they_should_be_have_no_part():
    law = ConstantStep(step=0.01)
    walk = walk_cells(law.shape(), cells_of(law), np.zeros(SHAPE), np.full(SHAPE, 7, dtype=np.int32), law.step)
    assert all(np.abs(part).max() < 1e-15 for part in walk)


def test_equal_steps_at_bounds_of_equal_size_are_all_gain():
    """Soft bounds at 0: up and down steps are nominal; away from it their difference is ``-2 step w``."""
    law, pulse = SoftBounds(step=0.01), np.ones(SHAPE, dtype=np.int32)
    cells = cells_of(law)
    at_zero = walk_cells(law.shape(), cells, np.zeros(SHAPE), pulse, law.step)
    assert not any(np.abs(part).max() > 1e-17 for part in at_zero)
    away = walk_cells(law.shape(), cells, np.full(SHAPE, 0.3), pulse, law.step)
    np.testing.assert_allclose(away.asymmetry, -0.01 * 0.3, rtol=1e-12)
    assert np.abs(away.gain).max() < 1e-17


def test_pairs_move_one_device_or_the_other():
    law = SoftBounds(step=0.01, step_sigma=0.2, w_max=0.5, one_sided=OneSidedCells())
    plus, minus = cells_of(law), cells_of(law, "minus/")
    rng = np.random.default_rng(0)
    pulses = rng.integers(-9, 10, SHAPE).astype(np.int32)
    states = 0.3 * rng.random(SHAPE), 0.3 * rng.random(SHAPE)
    walk = walk_pairs(law.shape(), (plus, minus), states, pulses, law.step)
    moved = [state.copy() for state in states]
    for k in range(9):
        moved[0] = np.where(pulses > k, pulsed(law, plus, moved[0], up=True), moved[0])
        moved[1] = np.where(-pulses > k, pulsed(law, minus, moved[1], up=True), moved[1])
    change = (moved[0] - moved[1]) - (states[0] - states[1])
    np.testing.assert_allclose(pulses * law.step + walk.gain + walk.asymmetry + walk.window, change, rtol=0, atol=1e-13)


def test_what_a_bound_refuses_is_window():
    law = ConstantStep(step=0.01, w_max=0.5, w_min=-0.5)
    walk = walk_cells(law.shape(), cells_of(law), np.full(SHAPE, 0.48), np.full(SHAPE, 5, dtype=np.int32), law.step)
    np.testing.assert_allclose(walk.window, -0.03, rtol=1e-9)
    assert not walk.gain.any()
    assert not walk.asymmetry.any()
