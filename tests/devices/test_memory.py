import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.memory import ConstantStep, write
from devices.random import Stream
from tests.statistics import assert_mean

REQUESTS = st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=20).map(np.array)


@given(st.floats(1e-3, 1.0), REQUESTS)
def test_a_change_is_the_nearest_whole_number_of_pulses(step, request_):
    done = write(ConstantStep(step=step), request_)
    pulses = done.change / step
    np.testing.assert_allclose(pulses, np.rint(pulses), rtol=0, atol=1e-9)
    assert np.abs(done.change - request_).max() <= 0.5 * step * (1.0 + 1e-9)
    assert done.pulses == int(np.abs(np.rint(pulses)).sum())
    np.testing.assert_array_equal(write(ConstantStep(step=step), -request_).change, -done.change)


def test_requests_below_half_a_step_are_lost_and_counted():
    done = write(ConstantStep(step=0.1), np.array([0.04, -0.04, 0.0, 0.06, -0.26]))
    np.testing.assert_allclose(done.change, [0.0, 0.0, 0.0, 0.1, -0.3], rtol=0, atol=1e-15)
    assert (done.pulses, done.lost) == (4, 2)


@pytest.mark.parametrize("share", [0.03, 0.5, 2.7, -0.2])
def test_stochastic_rounding_is_right_in_the_mean(share):
    """Pulses are whole and Bernoulli around the request: variance f (1 - f) of a squared step; false alarms 1e-6."""
    law, request_ = ConstantStep(step=0.01, rounding="stochastic"), np.full((300, 300), 0.01 * share)
    done = write(law, request_, Stream(0, "write").uniform(request_.shape))
    fraction = share - np.floor(share)
    assert_mean(done.change / 0.01, share, np.sqrt(fraction * (1.0 - fraction)))
    assert set(np.rint(done.change / 0.01).ravel()) <= {np.floor(share), np.floor(share) + 1.0}


def test_stochastic_rounding_needs_a_draw():
    with pytest.raises(ValueError, match="needs uniform numbers"):
        write(ConstantStep(step=0.1, rounding="stochastic"), np.zeros(3))


@pytest.mark.parametrize(
    "keys", [{"step": 0.0}, {"step": -1.0}, {"rounding": "down", "step": 0.1}, {"kind": "soft", "step": 0.1}]
)
def test_nonsense_is_refused(keys):
    with pytest.raises(ValidationError, match=next(iter(keys))):
        ConstantStep(**keys)
