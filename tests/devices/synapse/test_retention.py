import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from devices.random import Stream
from devices.synapse.retention import Retention, apply_retention, sample_drift_exponents, sample_retention
from tests.statistics import assert_distribution, assert_variance_ratio

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "pulsed-steps" / "aihwkit.json").read_text(encoding="utf-8"))
SHAPE = (200, 300)


def drawn(law):
    return sample_retention(law, SHAPE, lambda name: Stream(0, name))


def test_an_ideal_cell_keeps_its_weight_bit_for_bit():
    w = np.linspace(-1.0, 1.0, 60_000).reshape(SHAPE)
    assert not Retention(age=1e6).on
    np.testing.assert_array_equal(apply_retention(Retention(), w, np.full(SHAPE, 1e6), drawn(Retention())), w)


def test_a_leak_is_exponential_and_composes():
    law = Retention(leak_tau=100.0)
    cells = drawn(law)
    w, t = np.ones(SHAPE), np.full(SHAPE, 30.0)
    once = apply_retention(law, w, t, cells)
    np.testing.assert_allclose(once, np.exp(-0.3), rtol=1e-15)
    np.testing.assert_allclose(apply_retention(law, once, t, cells), np.exp(-0.6), rtol=1e-15)


def test_drift_has_slope_minus_nu_on_logarithmic_axes():
    law = Retention(drift=0.05)
    cells = drawn(law)
    times = np.logspace(5, 9, 9)
    left = [float(apply_retention(law, np.ones(SHAPE), np.full(SHAPE, t), cells)[0, 0]) for t in times]
    slope = np.diff(np.log(left)) / np.diff(np.log(times))
    np.testing.assert_allclose(slope, -0.05, rtol=2e-4)
    np.testing.assert_allclose(apply_retention(law, np.ones(SHAPE), np.zeros(SHAPE), cells), 1.0, rtol=0)
    np.testing.assert_allclose(
        apply_retention(law, np.ones(SHAPE), np.full(SHAPE, 20.0), cells), 2.0**-0.05, rtol=1e-14
    )


def test_spreads_have_their_distribution():
    law = Retention(drift=0.05, drift_sigma=0.008, leak_tau=10.0, leak_tau_sigma=0.1)
    cells = drawn(law)
    assert_distribution((sample_drift_exponents(law, np.ones(SHAPE), cells) - 0.05) / 0.008, "norm")
    assert_distribution((0.1 / cells.rate - 1.0) / 0.1, "norm")


PCM = Retention(
    drift=0.0244,
    drift_slope=-0.0155,
    drift_range=[0.049, 0.1],
    drift_sigma=-0.0059,
    drift_sigma_slope=-0.0125,
    drift_sigma_range=[0.008, 0.045],
    drift_scale=2.0,
)
"""Phase-change memory, weight 2 at the largest conductance."""


def test_the_exponent_follows_the_weight_as_published():
    """Nandakumar et al. 2019, by hand, of both signs; a weight of 0 has the largest exponent and stays 0."""
    cells = drawn(PCM)._replace(spread=np.zeros(1))
    x = np.array([1.0, -0.5, 0.1, 0.01, 1e-9])
    expected = np.clip(-0.0155 * np.log(np.abs(x)) + 0.0244, 0.049, 0.1)
    np.testing.assert_allclose(sample_drift_exponents(PCM, 2.0 * x, cells), expected, rtol=1e-14)
    assert expected[2] == pytest.approx(0.0601, abs=1e-4)
    sigma = sample_drift_exponents(PCM, 2.0 * x, cells._replace(spread=np.ones(1))) - expected
    np.testing.assert_allclose(sigma, np.clip(-0.0125 * np.log(np.abs(x)) - 0.0059, 0.008, 0.045), rtol=1e-12)
    assert sample_drift_exponents(PCM, np.zeros(1), cells) == 0.1
    assert apply_retention(PCM, np.zeros(1), np.zeros(1), cells._replace(rate=np.zeros(1))) == 0.0


@pytest.mark.parametrize("row", GOLDEN["pcm"])
def test_the_exponent_has_the_moments_of_the_published_simulator(row):
    """400 000 cells there, 60 000 here: the means differ by less than 5 joint standard errors."""
    x, _, _, mean, spread = row
    found = sample_drift_exponents(PCM, np.full(SHAPE, 2.0 * x), drawn(PCM))
    assert abs(found.mean() - mean) < 5.0 * spread * np.sqrt(1 / 60_000 + 1 / 400_000)
    assert_variance_ratio(found.var(), spread**2, 1.0, 20_000)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"drift_slope": -0.01}, "no end at small weights: give `drift_range`"),
        ({"drift_sigma": -0.01}, "give `drift_sigma_range`"),
        ({"drift_range": [0.1, 0.05]}, "must rise: 0.1 is above 0.05"),
    ],
)
def test_an_exponent_without_limits_is_refused(keys, words):
    with pytest.raises(ValidationError, match=words):
        Retention(**keys)


@pytest.mark.parametrize("keys", [{"leak_tau": 0.0}, {"drift": -0.1}, {"drift_start": 0.0}, {"interval": -1.0}])
def test_nonsense_is_refused(keys):
    with pytest.raises(ValidationError, match=next(iter(keys))):
        Retention(**keys)
