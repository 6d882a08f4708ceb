import numpy as np
import pytest
from pydantic import ValidationError

from devices.interface.hold import Hold, Leak, apply_droop, compute_ktc_noise, sample_hold_leaks, sample_pedestals
from devices.random import Stream
from tests.statistics import assert_mean, assert_normal_variance

VALUE = np.linspace(-1.0, 1.0, 12).reshape(3, 4)


def test_a_held_value_keeps_its_pedestal_and_leaks_away():
    zero, one = np.zeros(4), np.ones(4)
    none, leak = Leak(zero, zero), Leak(np.full(4, 0.1), zero)
    np.testing.assert_array_equal(apply_droop(VALUE, np.full(4, 0.01), none, 5.0 * one), VALUE + 0.01)
    np.testing.assert_allclose(apply_droop(VALUE, zero, leak, one), VALUE * np.exp(-0.1), rtol=1e-15)
    once = apply_droop(apply_droop(VALUE, zero, leak, one), zero, leak, 2.0 * one)
    np.testing.assert_allclose(once, apply_droop(VALUE, zero, leak, 3.0 * one), rtol=1e-14)
    np.testing.assert_array_equal(apply_droop(VALUE, zero, leak, zero), VALUE)
    np.testing.assert_allclose(
        apply_droop(VALUE, zero, Leak(zero, 0.02 * one), 3.0 * one), VALUE - 0.06, rtol=0, atol=1e-15
    )


def test_leaks_spread_around_the_common_one():
    """``log(leak droop_tau)`` is normal."""
    drawn = np.log(5.0 * sample_hold_leaks(Hold(droop_tau=5.0, droop_sigma=0.2), 40_000, Stream(0, "hold")).share)
    assert_mean(drawn, 0.0, 0.2)
    assert_normal_variance(drawn, 0.04)
    np.testing.assert_array_equal(
        sample_hold_leaks(Hold(droop_tau=5.0), 3, Stream(0, "hold")), [np.full(3, 0.2), np.zeros(3)]
    )
    np.testing.assert_array_equal(sample_hold_leaks(Hold(), 3, Stream(0, "hold")), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("capacitance", "volts"), [(1e-15, 2.04e-3), (1e-14, 0.64e-3), (1e-13, 204e-6), (1e-12, 64e-6)]
)
def test_thermal_noise_of_a_sample_is_the_published_one(capacitance, volts):
    """At 300 K, three digits; it grows with the root of the temperature."""
    assert compute_ktc_noise(capacitance, 300.0) == pytest.approx(volts, rel=6e-3)
    assert compute_ktc_noise(capacitance, 1200.0) == pytest.approx(2.0 * compute_ktc_noise(capacitance, 300.0))


def test_pedestals_spread_around_the_common_one():
    drawn = sample_pedestals(Hold(pedestal=0.02, pedestal_sigma=0.005), 40_000, Stream(0, "hold"))
    assert_mean(drawn, 0.02, 0.005)
    assert_normal_variance(drawn, 0.005**2)
    np.testing.assert_array_equal(sample_pedestals(Hold(pedestal=0.02), 3, Stream(0, "hold")), np.full(3, 0.02))


def test_the_same_silicon_keeps_its_draw_while_the_spread_grows():
    small, large = (sample_pedestals(Hold(pedestal_sigma=s), 50, Stream(0, "hold")) for s in (0.001, 0.01))
    np.testing.assert_allclose(10.0 * small, large, rtol=1e-12)


def test_an_ideal_hold_is_off():
    assert not Hold().on
    assert Hold(pedestal=1e-9).on
    assert Hold(droop_tau=5.0).on


@pytest.mark.parametrize(
    "keys",
    [
        {"droop_tau": 0.0},
        {"pedestal_sigma": -0.1},
        {"droop_sigma": 0.1},
        {"noise": -0.1},
        {"capacitance": 1e-13, "noise": 0.1},
        {"capacitance": "1 V"},
        {"read_skew": -1.0},
        {"pedestal": "1 s"},
        {"droop": "1 V"},
    ],
)
def test_nonsense_is_refused(keys):
    with pytest.raises(ValidationError, match=next(iter(keys))):
        Hold(**keys)
