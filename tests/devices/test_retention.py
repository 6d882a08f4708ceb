import numpy as np
import pytest
from pydantic import ValidationError

from devices.random import Stream
from devices.retention import Retention, retained, sample_forgetting
from tests.statistics import assert_distribution

SHAPE = (200, 300)


def drawn(law):
    return sample_forgetting(law, SHAPE, lambda name: Stream(0, name))


def test_an_ideal_cell_keeps_its_weight_bit_for_bit():
    w = np.linspace(-1.0, 1.0, 60_000).reshape(SHAPE)
    assert not Retention(age=1e6).on
    np.testing.assert_array_equal(retained(w, np.full(SHAPE, 1e6), drawn(Retention()), 20.0), w)


def test_a_leak_is_exponential_and_composes():
    cells = drawn(Retention(leak_tau=100.0))
    w, t = np.ones(SHAPE), np.full(SHAPE, 30.0)
    once = retained(w, t, cells, 20.0)
    np.testing.assert_allclose(once, np.exp(-0.3), rtol=1e-15)
    np.testing.assert_allclose(retained(once, t, cells, 20.0), np.exp(-0.6), rtol=1e-15)


def test_drift_has_slope_minus_nu_on_logarithmic_axes():
    cells = drawn(Retention(drift=0.05))
    times = np.logspace(5, 9, 9)
    left = [float(retained(np.ones(SHAPE), np.full(SHAPE, t), cells, 20.0)[0, 0]) for t in times]
    slope = np.diff(np.log(left)) / np.diff(np.log(times))
    np.testing.assert_allclose(slope, -0.05, rtol=2e-4)
    np.testing.assert_allclose(retained(np.ones(SHAPE), np.zeros(SHAPE), cells, 20.0), 1.0, rtol=0)
    np.testing.assert_allclose(retained(np.ones(SHAPE), np.full(SHAPE, 20.0), cells, 20.0), 2.0**-0.05, rtol=1e-14)


def test_spreads_have_their_distribution():
    cells = drawn(Retention(drift=0.05, drift_sigma=0.008, leak_tau=10.0, leak_tau_sigma=0.1))
    assert_distribution((cells.exponent - 0.05) / 0.008, "norm")
    assert_distribution((0.1 / cells.rate - 1.0) / 0.1, "norm")


@pytest.mark.parametrize("keys", [{"leak_tau": 0.0}, {"drift": -0.1}, {"drift_start": 0.0}, {"interval": -1.0}])
def test_nonsense_is_refused(keys):
    with pytest.raises(ValidationError, match=next(iter(keys))):
        Retention(**keys)
