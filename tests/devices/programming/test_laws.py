import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from devices.programming import pulse
from devices.programming.laws import (
    ConstantStep,
    ExponentialStep,
    LinearStep,
    PiecewiseStep,
    PowerStep,
    SoftBounds,
    Update,
)
from devices.programming.sampled import CellConstants, compute_symmetry_point, make_nominal_cells, sample_cells
from devices.random import Stream
from tests.devices.programming.steps_twin import multipliers
from tests.statistics import assert_distribution, assert_mean, assert_normal_variance

SPREAD = {"step_sigma": 0.1, "up_down_sigma": 0.05, "w_max_sigma": 0.1, "w_min_sigma": 0.2}
SHAPE = (200, 300)


def drawn(law, instance=0):
    return sample_cells(law, SHAPE, lambda name: Stream(0, name, instance))


# One draw per cell


def test_without_spread_all_cells_are_nominal_bit_for_bit():
    law = SoftBounds(step=0.01, w_max=1.2, w_min=-0.7)
    for constant, value in zip(drawn(law), (0.01, 0.01, -0.7, 1.2, 1.0 / 1.2, -1.0 / 0.7, 0.0), strict=True):
        np.testing.assert_array_equal(constant, np.full(SHAPE, value))


def test_the_same_chip_has_the_same_cells_and_another_has_others():
    law = SoftBounds(step=0.01, **SPREAD)
    np.testing.assert_array_equal(drawn(law), drawn(law))
    assert (drawn(law).step_up != drawn(law, 1).step_up).all()


def test_no_spread_moves_the_draw_of_another():
    full, bounds = drawn(SoftBounds(step=0.01, **SPREAD)), drawn(SoftBounds(step=0.01, w_max_sigma=0.1))
    np.testing.assert_array_equal(full.high, bounds.high)


def test_spreads_have_their_moments():
    """Normal step, half difference and bounds of the given spreads; false alarms 1e-6 each."""
    cells = drawn(SoftBounds(step=0.01, **SPREAD))
    mean, half = (cells.step_up + cells.step_down) / 0.02, (cells.step_up - cells.step_down) / 0.02
    for values, centre, sigma in ((mean, 1.0, 0.1), (half, 0.0, 0.05), (cells.high, 1.0, 0.1), (-cells.low, 1.0, 0.2)):
        assert_mean(values, centre, sigma)
        assert_distribution((values - centre) / sigma, "norm")
    assert_normal_variance(mean, 0.01)


def test_a_log_normal_step_is_positive_and_its_log_normal():
    cells = drawn(ConstantStep(step=0.1, step_sigma=0.78, step_spread="log-normal"))
    assert_distribution(np.log(cells.step_up / 0.1) / 0.78, "norm")
    np.testing.assert_array_equal(cells.step_up, cells.step_down)


@pytest.mark.parametrize(("up_down", "up", "down"), [(0.2, 0.01, 0.008), (-0.2, 0.008, 0.01)])
def test_asymmetry_shortens_one_direction_only(up_down, up, down):
    cells = make_nominal_cells(ConstantStep(step=0.01, up_down=up_down))
    assert (cells.step_up, cells.step_down) == (pytest.approx(up), pytest.approx(down))


def test_folded_spreads_keep_steps_and_bounds_on_their_side():
    cells = drawn(
        LinearStep(step=0.01, step_sigma=2.0, w_max_sigma=2.0, w_min_sigma=2.0, slope_up=0.1, slope_sigma=1.0)
    )
    assert min(cells.step_up.min(), cells.step_down.min(), cells.high.min(), cells.bend_up.min()) >= 0.0
    assert max(cells.low.max(), cells.bend_down.max()) <= 0.0


def test_a_slope_refers_to_the_mean_bound_or_to_its_own():
    keys = {"step": 0.01, "slope_up": 0.4, "slope_down": 0.8, "w_max": 2.0, "w_min": -0.5, **SPREAD}
    mean, own = drawn(LinearStep(**keys)), drawn(LinearStep(**keys, reference="own"))
    np.testing.assert_allclose(mean.bend_up, 0.2, rtol=1e-15)
    np.testing.assert_allclose(mean.bend_down, -1.6, rtol=1e-15)
    np.testing.assert_allclose(own.bend_up * own.high, 0.4, rtol=1e-14)
    np.testing.assert_allclose(own.bend_down * own.low, 0.8, rtol=1e-14)


def test_the_symmetry_point_is_where_both_steps_are_equal():
    law = SoftBounds(step=0.01, up_down=0.3, w_min=-0.6)
    cells = make_nominal_cells(law)
    w = compute_symmetry_point(cells)
    # (up - down)/(up/high - down/low) by hand.
    assert w == pytest.approx(0.003 / (0.01 + 0.007 / 0.6))
    assert np.isnan(compute_symmetry_point(make_nominal_cells(LinearStep(step=0.01))))


# Whole pulses


def test_nearest_is_odd_and_cut():
    pulses = np.linspace(-3.3, 3.3, 101)
    np.testing.assert_array_equal([pulse.round_to_nearest(x) for x in pulses], np.rint(pulses))
    assert pulse.round_to_nearest(1e300) == pulse.LONGEST == -pulse.round_to_nearest(-1e300)


# Nonsense


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"kind": "constant-step", "step": 0.0}, "step"),
        ({"kind": "constant-step", "step": -1.0}, "step"),
        ({"kind": "constant-step", "step": 0.1, "rounding": "down"}, "rounding"),
        ({"kind": "soft-bounds", "step": 0.1, "w_max": -1.0}, "w_max"),
        ({"kind": "soft-bounds", "step": 0.1, "w_min": 0.0}, "w_min"),
        ({"kind": "soft-bounds", "step": 0.1, "step_sigma": -0.1}, "step_sigma"),
        ({"kind": "soft-bounds", "step": 0.1, "train": 0}, "train"),
        ({"kind": "exponential-step", "step": 0.1}, "amplitude_up"),
        ({"kind": "power-step", "step": 0.1, "exponent_up": -1.0}, "exponent_up"),
        ({"kind": "piecewise-step", "step": 0.1, "up": [1.0], "down": [1.0, 2.0]}, "`up` has 1 values, `down` 2"),
        ({"kind": "verified", "error": []}, "error"),
        ({"kind": "soft", "step": 0.1}, "kind"),
    ],
)
def test_nonsense_is_refused(keys, field):
    with pytest.raises(ValidationError, match=field):
        TypeAdapter(Update).validate_python(keys)


def test_cells_of_other_laws():
    power = drawn(PowerStep(step=0.01, exponent_up=2.0, exponent_down=3.0, exponent_sigma=0.1))
    assert_mean(power.bend_up, 2.0, 0.2)
    assert_mean(power.bend_down, -3.0, 0.3)
    piecewise = make_nominal_cells(PiecewiseStep(step=0.01, up=[1.0, 0.5], down=[0.5, 1.0]))
    assert isinstance(piecewise, CellConstants)
    assert float(piecewise.bend_up) == 0.0


@pytest.mark.parametrize(
    "law",
    [
        ConstantStep(step=0.01, w_max=1.0, w_min=-1.0),
        LinearStep(step=0.01, slope_up=0.4, slope_down=0.7, w_min=-0.8),
        SoftBounds(step=0.01, w_min=-0.8),
        PowerStep(step=0.01, exponent_up=2.0, exponent_down=3.0, w_min=-0.8),
        PiecewiseStep(step=0.01, up=[1.2, 1.0, 0.6, 0.1], down=[0.2, 0.8, 1.0, 1.3], w_min=-0.8),
        ExponentialStep(
            step=0.01, a=0.5, b=0.2, amplitude_up=0.1, amplitude_down=0.2, gamma_up=3.0, gamma_down=2.0, w_min=-0.8
        ),
    ],
    ids=lambda law: law.kind,
)
def test_the_multiplier_of_one_state_is_that_of_the_numpy_twin(law):
    cells, shape = make_nominal_cells(law), law.shape()
    for w in (-0.75, -0.1, 0.0, 0.3, 0.95):
        bends = (float(cells.bend_down), float(cells.bend_up))
        found = [
            pulse.compute_step_multiplier(
                shape.code, w, float(cells.low), float(cells.high), bends[up], shape.curves[up], shape.nodes[up]
            )
            for up in (1, 0)
        ]
        np.testing.assert_allclose(found, multipliers(law, cells, np.array(w)), rtol=1e-14)
