"""The standard error of a squared mean, for any correlation between the components."""

import numpy as np
import pytest

from learning.oracle.squared_mean import compute_standard_error


def unbiased(repeats):
    """Return the mean product of two different repeats, from its definition."""
    products, count = repeats @ repeats.T, len(repeats)
    return (products.sum() - np.trace(products)) / (count * (count - 1))


def moments_of(count, mean, shared, trials=4000, components=30):
    """Return the mean square of the reported errors over the variance of the squared means, and its own error."""
    rng = np.random.default_rng(5)
    drawn = mean + rng.normal(size=(trials, count, components)) + shared * rng.normal(size=(trials, count, 1))
    deviations = np.array([unbiased(repeats) for repeats in drawn])
    deviations = (deviations - deviations.mean()) ** 2
    squares = np.array([compute_standard_error(repeats) for repeats in drawn]) ** 2
    relative = [a.std(ddof=1) / a.mean() / np.sqrt(trials) for a in (squares, deviations)]
    return squares.mean() / deviations.mean(), np.hypot(*relative)


@pytest.mark.parametrize("count", [4, 16])
@pytest.mark.parametrize("shared", [0.0, 2.0])
def test_its_square_is_the_variance_whatever_the_components_share(count, shared):
    """Ratio 1 within 4.9 of its standard errors, and what the cut at 0 adds; false alarms 1e-6."""
    ratio, error = moments_of(count, 2.0, shared)
    assert abs(ratio - 1.0) < 4.9 * error


@pytest.mark.parametrize("count", [4, 16])
@pytest.mark.parametrize("shared", [0.0, 2.0])
def test_without_a_mean_it_is_rather_too_large_but_not_by_more_than_1_6(count, shared):
    ratio, error = moments_of(count, 0.0, shared)
    assert 1.0 - 4.9 * error < ratio < 1.6**2 + 4.9 * error


def test_repeats_that_are_alike_have_none_and_few_do_not_tell():
    row = np.random.default_rng(1).normal(size=7)
    assert compute_standard_error(np.tile(row, (2, 1))) == 0.0
    assert np.isnan(compute_standard_error(np.array([row, 2.0 * row, 3.0 * row])))
