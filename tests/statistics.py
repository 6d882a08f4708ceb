"""Statistical assertions with a stated rate of false alarms (for other seeds than the fixed ones)."""

from __future__ import annotations

import numpy as np
from scipy import stats

ALARM = 1e-6


def assert_mean(samples: np.ndarray, expected: float, spread: float) -> None:
    """Assert the mean of independent samples of known standard deviation; false alarms: 1e-6."""
    z = (samples.mean() - expected) / (spread / np.sqrt(samples.size))
    assert abs(z) < stats.norm.isf(ALARM / 2), f"mean {samples.mean():.6g}, expected {expected:.6g}, z = {z:.2f}"


def assert_normal_variance(samples: np.ndarray, expected: float) -> None:
    """Assert the variance of independent normal samples (chi-square interval); false alarms: 1e-6."""
    n = samples.size
    ratio = samples.var(ddof=1) / expected * (n - 1)
    low, high = stats.chi2.ppf([ALARM / 2, 1 - ALARM / 2], n - 1)
    assert low < ratio < high, f"variance {samples.var(ddof=1):.6g}, expected {expected:.6g}"


def assert_chi_square(value: float, freedom: int) -> None:
    """Assert a sum of so many squares of independent standard normals; false alarms: 1e-6."""
    low, high = stats.chi2.ppf([ALARM / 2, 1 - ALARM / 2], freedom)
    assert low < value < high, f"{value:.6g} is not within {low:.3g} to {high:.3g}"


def assert_variance_ratio(a: float, b: float, expected: float, freedom: int) -> None:
    """Assert the ratio of two independent variances of at least `freedom` degrees of freedom; false alarms: 1e-6."""
    low, high = stats.f.ppf([ALARM / 2, 1 - ALARM / 2], freedom, freedom)
    assert low < a / b / expected < high, f"ratio {a / b:.4g}, expected {expected:.4g}, within {low:.3g} to {high:.3g}"


def assert_distribution(samples: np.ndarray, cdf: str) -> None:
    """Assert the distribution by Kolmogorov and Smirnov; false alarms: 1e-6."""
    p = stats.kstest(samples.ravel(), cdf).pvalue
    assert p > ALARM, f"p = {p:.2e}"
