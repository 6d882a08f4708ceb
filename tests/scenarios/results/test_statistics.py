"""Means with intervals, pairs and breakdown points: against SciPy, closed forms and a stated coverage."""

import numpy as np
import pytest
from scipy import stats

from scenarios.results.statistics import compute_differences, compute_interval, find_breakdown

X = np.array([0.0, 1.0, 2.0, 3.0])


def test_the_interval_is_that_of_student():
    values = np.random.default_rng(1).normal(size=(3, 7))
    found = compute_interval(values)
    for k, row in enumerate(values):
        wanted = stats.ttest_1samp(row, 0.0).confidence_interval(0.95)
        np.testing.assert_allclose([found.low[k], found.high[k]], wanted, rtol=1e-12)
    np.testing.assert_allclose(found.mean, values.mean(axis=1), rtol=1e-15)


def test_chips_without_a_number_do_not_count():
    values = np.array([[1.0, np.nan, 3.0], [np.nan, 5.0, np.nan], [np.nan] * 3])
    found = compute_interval(values)
    np.testing.assert_array_equal(found.chips, [2, 1, 0])
    np.testing.assert_array_equal(found.mean, [2.0, 5.0, np.nan])
    np.testing.assert_allclose(found.high[0] - 2.0, stats.t.ppf(0.975, 1), rtol=1e-12)
    assert np.isnan(found.low[1:]).all()


def test_pairs_cancel_what_chips_differ_by():
    chip = np.random.default_rng(2).normal(scale=100.0, size=5)
    values = np.array([0.0, 1.0, 4.0])[:, None] + chip
    np.testing.assert_allclose(compute_differences(values), np.array([[0.0], [1.0], [4.0]]) * np.ones(5), atol=1e-12)


def test_the_breakdown_of_a_straight_line_is_where_it_crosses():
    values = 1.0 - 0.2 * X[:, None] * np.array([1.0, 2.0, 0.5])
    found = find_breakdown(X, values, 0.9)
    assert found.falling
    np.testing.assert_allclose([found.low, found.median, found.high], [0.25, 0.5, 1.0], rtol=1e-12)
    assert found.chips == 3


def test_where_more_is_better_the_breakdown_is_the_least_that_will_do():
    found = find_breakdown(X, (0.3 * X)[:, None], 0.75)
    assert not found.falling
    np.testing.assert_allclose(found.median, 2.5, rtol=1e-12)


def test_the_order_of_the_levels_does_not_matter():
    values = (1.0 - 0.2 * X)[:, None]
    order = [2, 0, 3, 1]
    assert find_breakdown(X[order], values[order], 0.9) == find_breakdown(X, values, 0.9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 0.95, 0.93, 0.91], np.inf),
        ([0.8, 0.7, 0.6, 0.5], -np.inf),
        ([1.0, 0.8, 0.95, 0.0], 0.5),  # beyond the first crossing it is good by chance
        ([1.0, np.nan, 0.95, 0.0], 0.0),  # what is not known is not good
    ],
)
def test_a_chip_is_good_up_to_its_first_crossing(values, expected):
    found = find_breakdown(X, np.array(values)[:, None], 0.9)
    np.testing.assert_allclose(found.median, expected, rtol=1e-12)


def test_a_chip_that_never_breaks_is_infinitely_good():
    values = np.array([[1.0, 1.0], [1.0, 0.9], [0.99, 0.8], [0.98, 0.5]])
    found = find_breakdown(X, values, 0.9)
    assert (found.low, found.high, found.median) == (1.0, np.inf, 1.0)
    assert find_breakdown(X, values[:, [0, 0, 1]], 0.9).median == np.inf


def test_there_is_no_breakdown_without_two_numbers():
    assert find_breakdown(X, np.array([[1.0], [np.nan], [np.nan], [np.nan]]), 0.9) is None
