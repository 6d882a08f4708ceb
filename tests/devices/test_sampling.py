import numpy as np
import pytest
from pydantic import ValidationError

from devices.random import Stream
from devices.sampling import Hold, held, pedestals
from tests.statistics import assert_mean, assert_normal_variance

VALUE = np.linspace(-1.0, 1.0, 12).reshape(3, 4)


def test_a_held_value_keeps_its_pedestal_and_leaks_away():
    np.testing.assert_array_equal(held(VALUE, np.full(4, 0.01), None, 5.0), VALUE + 0.01)
    np.testing.assert_allclose(held(VALUE, np.zeros(4), 10.0, 1.0), VALUE * np.exp(-0.1), rtol=1e-15)
    once = held(held(VALUE, np.zeros(4), 10.0, 1.0), np.zeros(4), 10.0, 2.0)
    np.testing.assert_allclose(once, held(VALUE, np.zeros(4), 10.0, 3.0), rtol=1e-14)
    np.testing.assert_array_equal(held(VALUE, np.zeros(4), 10.0, 0.0), VALUE)


def test_pedestals_spread_around_the_common_one():
    drawn = pedestals(Hold(pedestal=0.02, pedestal_sigma=0.005), 40_000, Stream(0, "hold"))
    assert_mean(drawn, 0.02, 0.005)
    assert_normal_variance(drawn, 0.005**2)
    np.testing.assert_array_equal(pedestals(Hold(pedestal=0.02), 3, Stream(0, "hold")), np.full(3, 0.02))


def test_the_same_silicon_keeps_its_draw_while_the_spread_grows():
    small, large = (pedestals(Hold(pedestal_sigma=s), 50, Stream(0, "hold")) for s in (0.001, 0.01))
    np.testing.assert_allclose(10.0 * small, large, rtol=1e-12)


def test_an_ideal_hold_is_off():
    assert not Hold().on
    assert Hold(pedestal=1e-9).on
    assert Hold(droop_tau=5.0).on


@pytest.mark.parametrize("keys", [{"droop_tau": 0.0}, {"pedestal_sigma": -0.1}, {"pedestal": "1 s"}, {"droop": 1.0}])
def test_nonsense_is_refused(keys):
    with pytest.raises(ValidationError, match=next(iter(keys))):
        Hold(**keys)
