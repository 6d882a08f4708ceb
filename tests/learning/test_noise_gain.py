"""The spread of estimates on noisy chips is that of theory; every statistic has a rate of false alarms."""

import numpy as np
import pytest
from scipy import stats

from devices.neuron.noise import Noise
from learning.estimator import Free, estimate
from learning.oracle.best_nudge import best_nudge
from learning.oracle.exact import exact
from learning.oracle.fluctuations import estimate_variance
from learning.oracle.ledger.runs import joined
from learning.schemes.allowance import Allowance
from learning.schemes.scheme import (
    Backward,
    Centred,
    Chebyshev,
    Circle,
    LockIn,
    OneSided,
    RandomSign,
    Rotation,
    demand,
    noise_gain,
    unfolded,
)
from substrate.dynamics.methods import Phase
from substrate.theory.linearisation import equilibrium, linearise
from tests.networks import random_batch, random_chip
from tests.statistics import ALARM, assert_normal_variance

SIGMA, BETA, SAMPLES = 0.03, 0.3, 600
POINTS = 16
"""Steps of a cycle."""

SETTLED = [
    OneSided(beta=BETA),
    Backward(beta=BETA),
    RandomSign(beta=BETA),
    Centred(beta=BETA),
    *(Circle(beta=BETA, points=n) for n in (3, 4, 6)),
    *(Chebyshev(beta=BETA, points=n) for n in (2, 4, 6)),
]
SWINGING = [
    *(LockIn(beta=BETA, period=0.5 * POINTS, cycles=0, harmonics=m) for m in (1, 2)),
    Rotation(beta=BETA, period=0.5 * POINTS, cycles=0),
]
CASES = [
    *((scheme, mirror) for scheme in SETTLED for mirror in (True, False)),
    *((scheme, False) for scheme in SWINGING),
]


def nodes_of(scheme, mirror):
    if isinstance(scheme, LockIn | Rotation):
        return scheme.nodes(POINTS)
    return scheme.nodes() if mirror else unfolded(scheme.nodes())


def delta_of(chip, x, y, scheme, mirror):
    chip.set_input(x)
    settled = chip.settle()
    return joined(estimate(chip, Free(chip.read(), settled), y, scheme, mirror=mirror))


@pytest.mark.parametrize(("scheme", "mirror"), CASES, ids=lambda case: getattr(case, "kind", case))
def test_read_noise_has_the_gain_of_the_scheme(scheme, mirror):
    """Over 9600 components, 7 % of the variance; false alarms 1e-6."""
    chip = random_chip(phase=Phase(steps=10), noise=Noise(read=SIGMA))
    x, y = random_batch(chip, SAMPLES)
    quiet = chip.without("read-noise")
    noise = delta_of(chip, x, y, scheme, mirror) - delta_of(quiet, x, y, scheme, mirror)
    assert_normal_variance(noise.ravel(), noise_gain(nodes_of(scheme, mirror)) * SIGMA**2 / BETA**2)


@pytest.mark.parametrize(
    ("scheme", "mirror", "expected"),
    [
        (OneSided(beta=BETA), True, 2.0),
        (Backward(beta=BETA), True, 2.0),
        (RandomSign(beta=BETA), True, 2.0),
        (Centred(beta=BETA), True, 0.5),
        *((Circle(beta=BETA, points=n), False, 1.0 / n) for n in (3, 4, 6)),
        *((Circle(beta=BETA, points=n), True, (2.0 * n - 2.0) / n**2) for n in (4, 6)),
        (Chebyshev(beta=BETA, points=2), True, 0.5),
        (Chebyshev(beta=BETA, points=4), True, 65.0 / 18.0),
        (SWINGING[0], False, 2.0 / POINTS),
        (SWINGING[1], False, 20.0 / POINTS),
        (SWINGING[2], False, 1.0 / POINTS),
    ],
)
def test_gains_in_closed_form(scheme, mirror, expected):
    assert noise_gain(nodes_of(scheme, mirror)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("noise", [Noise(), Noise(read=0.01)])
def test_a_study_knows_gain_and_cost_of_every_scheme(noise):
    """Without noise half of a circle is settled and mirrored, with noise the whole circle."""
    chip = random_chip(phase=Phase(steps=10), noise=noise)
    x, y = random_batch(chip, 2)
    schemes = [*SETTLED, *SWINGING]
    found = best_nudge(chip, x, y, schemes, 2)
    mirror = not noise.random
    np.testing.assert_allclose(found.gain, [noise_gain(nodes_of(scheme, mirror)) for scheme in schemes], rtol=1e-12)
    asked = [demand(scheme, mirror, POINTS) for scheme in schemes]
    assert list(zip(found.settlings, found.reads, strict=True)) == asked


def test_noise_of_the_membranes_spreads_every_scheme_as_the_linearised_chip_says():
    """False alarms 1e-6 for each of nine variances; units of a layer taken as one, which only widens the interval."""
    schemes = [Centred(beta=0.05), Circle(beta=0.05, points=4), Chebyshev(beta=0.05, points=4)]
    phase = Phase(duration=8.0, window=1.0)
    chip = random_chip(noise=Noise(thermal=2e-3), phase=phase, dt=0.05, dynamics={"method": "heun"}, scale=0.3)
    x, y = random_batch(chip, 1)
    # The same input for all, each with noise of its own.
    x, y = np.repeat(x, 200, axis=0), np.repeat(y, 200, axis=0)
    repeats = 4
    study = best_nudge(chip, x, y, schemes, repeats, Allowance(settlings=10, reads=10))
    chip.set_input(x[:1])
    chip.settle()
    linear, true = linearise(chip, equilibrium(chip).state), exact(chip, y[:1]).delta[0]
    freedom = len(x) * (repeats - 1)
    low, high = stats.chi2.ppf([ALARM / 2, 1 - ALARM / 2], freedom) / freedom
    assert high < 1.35  # a mirrored circle would be 1.5 times as loud, one plane without noise half as loud
    for s, scheme in enumerate(schemes):
        expected = estimate_variance(chip, linear, scheme)[0]
        for k, columns in enumerate(chip.topology.columns.values()):
            relative = expected[columns].sum() / np.sum(true[columns] ** 2)
            ratio = study.variance[s, k] * study.averaged[s] / relative
            assert low < ratio < high, (scheme.kind, k, ratio)
