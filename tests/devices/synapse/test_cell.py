import numpy as np
import pytest
from pydantic import ValidationError

from devices.random import Stream
from devices.synapse.cell import FeedbackDevices, WeightDevices, sample_cell_gains
from tests.statistics import assert_mean, assert_normal_variance

SHAPE = (200, 200)


def test_no_spread_is_the_identity_bit_for_bit():
    assert (sample_cell_gains(SHAPE, WeightDevices().mismatch_sigma, Stream(0, "m")) == 1.0).all()


def test_the_spread_is_relative_and_normal():
    xi = sample_cell_gains(SHAPE, 0.1, Stream(0, "m")) - 1.0
    assert_mean(xi, 0.0, 0.1)
    assert_normal_variance(xi.ravel(), 0.01)


def test_one_chip_keeps_its_draw_while_its_spread_grows():
    small, large = (sample_cell_gains(SHAPE, sigma, Stream(0, "m", 4)) - 1.0 for sigma in (0.01, 0.3))
    np.testing.assert_allclose(30.0 * small, large, rtol=0, atol=1e-13)
    other = sample_cell_gains(SHAPE, 0.3, Stream(0, "m", 5)) - 1.0
    assert abs(np.corrcoef(other.ravel(), large.ravel())[0, 1]) < 0.03


@pytest.mark.parametrize("sigma", [-0.1, 11.0, float("nan"), float("inf"), "10 mV", "much"])
def test_nonsense_spread_is_refused(sigma):
    with pytest.raises(ValidationError, match="mismatch_sigma"):
        FeedbackDevices(mismatch_sigma=sigma)
