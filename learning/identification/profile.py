"""Intervals of variance components by their profile likelihood.

A variance lies in its interval as long as the likelihood, the largest that the other variances allow, is not below the
largest of all by more than chance: ``-2 log`` of their ratio has a chi-square distribution of one degree of freedom
(S. S. Wilks, Ann. Math. Stat. 9, 60, 1938). Ends that lie far apart, as of few units, are right with it, and one that
cannot be told from 0 is one-sided.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .components import Equations, Likelihood, climb_parabola, compute_likelihood

Array = NDArray[np.float64]

_EVALUATIONS = 5
"""Of the likelihood towards one end."""

_CLOSE = 0.05
"""Of the root of the ratio of likelihoods, in standard deviations."""


def find_profile_interval(equations: Equations, best: Likelihood, which: int, level: float) -> tuple[float, float]:
    """Return the ends between which a variance lies with the probability `level`.

    Parameters
    ----------
    equations : Equations
        Of all units.
    best : Likelihood
        Where their likelihood is largest.
    which : int
        Component.
    level : float
        Probability.
    """
    far, error = float(stats.norm.isf(0.5 * (1.0 - level))), float(1.0 / np.sqrt(best.information[which, which]))
    value, ends = float(best.theta[which]), []
    for sign in (-1.0, 1.0):
        now, near, reached = best, value, 0.0
        place = max(value + sign * 1.5 * far * error, 0.0)
        for _ in range(_EVALUATIONS):
            now = _maximise_others(equations, now.theta, which, place, best)
            root = float(np.sqrt(max(now.deviance - best.deviance, 0.0)))
            if abs(root - far) <= _CLOSE or (place == 0.0 and root < far):
                break
            # The root is all but linear in the standard deviation.
            slope = (root - reached) / (np.sqrt(place) - np.sqrt(near)) if place != near else 0.0
            step = (far - root) / slope if slope * sign > 0.0 else sign * np.sqrt(error)
            near, reached, place = place, root, max(np.sqrt(place) + step, 0.0) ** 2
        ends.append(place)
    return ends[0], ends[1]


def _maximise_others(equations: Equations, theta: Array, which: int, place: float, best: Likelihood) -> Likelihood:
    """Return the likelihood after one step of scoring, or half of it, with one variance held."""
    others, held = np.arange(len(theta)) != which, theta.copy()
    held[which] = place
    now = compute_likelihood(equations, held)
    # Without any noise of the reads matrices are singular.
    least = np.where([name == "read" for name in equations.names] & others, 0.5 * best.theta, 0.0)
    step = np.maximum(climb_parabola(now, others), least) - held
    for size in (1.0, 0.5):
        after = compute_likelihood(equations, held + size * step)
        if after.deviance < now.deviance:
            return after
    return now
