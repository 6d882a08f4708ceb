"""Figures of error vectors: closed forms, the split, and debiasing over many noisy ledgers."""

import numpy as np
import pytest
from scipy import stats

from learning.oracle.ledger.statistics import (
    TermSize,
    average_defined,
    compute_cosines,
    compute_norm_ratios,
    compute_rms_norm,
    compute_square_norms,
    compute_term_size,
    split_scale,
)
from learning.oracle.ledger.vectors import compute_sample_moments


def rows(seed, samples=6, units=4):
    return np.random.default_rng(seed).normal(size=(samples, units))


def test_measures_of_vectors():
    a = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]])
    b = np.array([[6.0, 8.0], [1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(compute_cosines(a, b), [1.0, np.nan, 0.0], atol=1e-15)
    np.testing.assert_allclose(compute_norm_ratios(a, b), [0.5, 0.0, 0.5], atol=1e-15)
    np.testing.assert_allclose(compute_norm_ratios(b, a), [2.0, np.nan, 2.0], atol=1e-15)
    assert compute_rms_norm(a) == pytest.approx(np.sqrt(26.0 / 3.0))
    assert compute_rms_norm(a, 0.5) == pytest.approx(np.sqrt(23.0 / 3.0))
    assert compute_rms_norm(a, 100.0) == 0.0
    assert np.isnan(compute_rms_norm(a[:0]))
    assert average_defined(np.array([1.0, np.nan, 3.0])) == (2.0, 1.0)
    assert np.isnan(average_defined(np.array([np.nan]))[0])


def test_the_split_finds_what_was_put_in():
    true, constant = rows(0), np.array([0.5, -0.2, 0.0, 0.1])
    found = compute_term_size(-0.3 * true + constant, true, np.zeros_like(true))
    assert found.scale == pytest.approx(-0.3)
    assert found.constant == pytest.approx(np.linalg.norm(constant))
    assert found.rotation < 1e-14
    assert found.standard_error == 0.0


def test_the_split_adds_up():
    true, term = rows(1), rows(2)
    scale, constant, rotation = split_scale(term, true, np.zeros_like(true))
    centre = true.mean(axis=0)
    fitted = scale * true + term.mean(axis=0) - scale * centre
    assert constant == pytest.approx(np.sum((term.mean(axis=0) - scale * centre) ** 2))
    assert np.mean(np.sum(fitted**2, axis=1)) + rotation == pytest.approx(compute_rms_norm(term) ** 2)
    # No other scale and constant leave less.
    for change in (0.01, -0.01):
        other = term - (scale + change) * (true - centre) - term.mean(axis=0)
        assert np.sum(other**2) / len(term) > rotation


def test_a_single_row_is_split_into_scale_and_rotation():
    found = compute_term_size(np.array([[1.0, 1.0]]), np.array([[2.0, 0.0]]), np.zeros((1, 2)))
    assert (found.scale, found.rotation, found.rms) == (0.5, 1.0, pytest.approx(np.sqrt(2.0)))
    assert np.isnan(found.constant)


def test_without_rows_or_without_a_gradient_there_are_no_numbers():
    assert np.isnan(compute_term_size(rows(0)[:0], rows(0)[:0], rows(0)[:0])).all()
    found = compute_term_size(rows(0), np.zeros((6, 4)), np.zeros((6, 4)))
    assert np.isnan([found.scale, found.constant, found.rotation, found.median]).all()
    assert found.rms == pytest.approx(compute_rms_norm(rows(0)))


def test_an_unknown_variance_debiases_nothing_and_has_no_standard_error():
    unknown = np.full((6, 4), np.nan)
    found, plain = compute_term_size(rows(0), rows(1), unknown), compute_term_size(rows(0), rows(1), np.zeros((6, 4)))
    assert found[:-1] == plain[:-1]
    assert np.isnan(found.standard_error)


def test_noise_that_explains_everything_leaves_nothing():
    found = compute_term_size(rows(0), rows(1), np.full((6, 4), 1e3))
    assert (found.rms, found.mean_norm, found.constant, found.rotation) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", ["rms", "mean_norm", "scale", "constant", "rotation"])
def test_debiased_figures_are_right_in_the_mean_over_many_noisy_ledgers(name):
    """Mean of 3000 ledgers of 4 repeats against the figures without noise; false alarms: 1e-6."""
    true = rows(0) + 1.0
    term = 0.4 * true + rows(1) + np.array([2.0, -1.0, 0.0, 1.0])
    power = 1 if name == "scale" else 2
    expected = getattr(compute_term_size(term, true, np.zeros_like(true)), name) ** power
    sigma = 0.3 + np.abs(rows(2))
    rng, repeats, seen, biased = np.random.default_rng(3), 4, [], []
    for _ in range(3000):
        mean, variance = compute_sample_moments(list(term + sigma * rng.normal(size=(repeats, *term.shape))))
        seen.append(getattr(compute_term_size(mean, true, variance / repeats), name) ** power)
        biased.append(getattr(compute_term_size(mean, true, 0.0 * variance), name) ** power)
    error = np.std(seen, ddof=1) / np.sqrt(len(seen))
    limit = stats.norm.isf(5e-7)
    assert abs(np.mean(seen) - expected) < limit * error
    if name != "scale":
        assert np.mean(biased) - expected > limit * error


def test_squares_may_be_negative():
    assert compute_square_norms(np.zeros((1, 2)), np.ones((1, 2))).tolist() == [-2.0]


def test_debiased_cosines_are_right_in_the_mean_and_at_most_one():
    """Mean over 2000 rows: its spread is 0.002; false alarms below 1e-5."""
    rng = np.random.default_rng(5)
    true, mean = rows(0, 2000, 40), rows(0, 2000, 40) + rows(1, 2000, 40)
    noise = np.full(mean.shape, 0.5)
    noisy = mean + np.sqrt(0.5) * rng.normal(size=mean.shape)
    expected = compute_cosines(mean, true).mean()
    assert abs(compute_cosines(noisy, true, noise).mean() - expected) < 0.01
    assert compute_cosines(noisy, true).mean() < expected - 0.05
    assert compute_cosines(true, true, 0.5 * noise).max() == 1.0
    assert np.isnan(compute_cosines(noisy, true, np.full(mean.shape, 2.0))).all()
    unknown = np.full(mean.shape, np.nan)
    np.testing.assert_array_equal(compute_cosines(noisy, true, unknown), compute_cosines(noisy, true))
    assert len(TermSize._fields) == 7
