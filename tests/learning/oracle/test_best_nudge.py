import numpy as np
import pytest
from scipy import stats

from devices.interface.hold import Hold
from devices.neuron.noise import Noise
from learning.estimator import FreeReading, estimate_error_vectors, measure_free
from learning.oracle.best_nudge import compare_schemes
from learning.oracle.exact import compute_exact_errors
from learning.oracle.fluctuations import predict_estimate_variance
from learning.schemes.allowance import Allowance
from learning.schemes.nodes import Backward, Centred, Chebyshev, Circle, OneSided, RandomSign
from learning.schemes.scheme import compute_noise_gain, count_demand, unfold_mirrored_nodes
from learning.schemes.wave import LockIn, Rotation
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.dynamics.methods import Dynamics, Phase
from substrate.network.topology import Topology
from substrate.theory.linearisation import find_equilibrium, linearise
from tests.networks import random_batch, random_blocks, random_chip, slope_of
from tests.statistics import ALARM, assert_variance_ratio

NOISY = Phase(duration=10.0, window=2.0)
BETAS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]


def noisy_chip(thermal=0.01, **changes):
    return random_chip(
        seed=2, dt=0.1, phase=NOISY, dynamics={"method": "exponential"}, noise=Noise(thermal=thermal), **changes
    )


@pytest.fixture(scope="module")
def study():
    chip = noisy_chip(symmetric=True)
    x, y = random_batch(chip, 8)
    schemes = [kind(beta=beta) for kind in (OneSided, Centred) for beta in BETAS]
    return compare_schemes(chip, x, y, schemes, 32, Allowance(settlings=600, reads=700))


@pytest.mark.parametrize(
    ("kind", "order", "betas"),
    [
        (OneSided, 1, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
        (Centred, 2, [0.2, 0.1, 0.05, 0.025, 0.0125]),
        (Circle, 4, [0.4, 0.2, 0.1, 0.05, 0.025]),
    ],
)
def test_without_noise_the_bias_is_the_truncation(kind, order, betas):
    chip = random_chip(symmetric=True, seed=2)
    x, y = random_batch(chip)
    found = compare_schemes(chip, x, y, [kind(beta=beta) for beta in betas], 2)
    assert (found.variance < 1e-25).all()
    assert (found.asymmetry < 1e-20).all()
    for layer in range(3):
        assert abs(slope_of(betas, list(np.sqrt(found.bias[:, layer]))) - order) < 0.15, found.bias[:, layer]
    assert found.best == len(betas) - 1


def test_the_variance_falls_with_the_square_of_the_nudge(study):
    """Freedom: units of a layer taken as one, which only widens the interval."""
    single = study.variance * study.averaged[:, None]
    for first in (0, len(BETAS)):
        for layer in range(3):
            for k in (1, 2):
                assert_variance_ratio(single[first, layer], single[first + k, layer], 4.0**k, 8 * 31)


def test_one_sided_estimates_have_four_times_the_variance_of_centred_ones(study):
    single = study.variance * study.averaged[:, None]
    for k in range(3):
        for layer in range(3):
            assert_variance_ratio(single[k, layer], single[len(BETAS) + k, layer], 4.0, 8 * 31)


def test_the_bias_is_seen_through_the_noise(study):
    """Within five standard errors of the bias of the quiet chip."""
    chip = random_chip(symmetric=True, seed=2)
    x, y = random_batch(chip, 8)
    quiet = compare_schemes(chip, x, y, study.schemes, 2)
    assert (np.abs(study.bias - quiet.bias) < 5.0 * study.bias_error + 1e-4).all()
    large = quiet.bias > 20.0 * study.bias_error
    assert large.sum() > 5  # so that the comparison says something


def test_a_bias_below_the_noise_is_not_made_of_noise():
    """Over so many samples the noise of the mean alone, not subtracted, would be many standard errors."""
    chip = noisy_chip(symmetric=True)
    x, y = random_batch(chip, 500)
    found = compare_schemes(chip, x, y, [Centred(beta=0.05)], 6)
    assert (found.bias < 5.0 * found.bias_error).all()
    noise_of_mean = found.variance * found.averaged / 6
    assert (noise_of_mean > 7.0 * found.bias_error).all()


@pytest.mark.parametrize("kind", ["read", pytest.param("thermal", marks=pytest.mark.slow), "common"])
def test_the_standard_error_of_a_bias_is_its_spread_over_chips_of_other_noise(kind):
    """On 120 units, which share common noise. Sd of 40 studies within 50 % of its own error; false alarms 1e-5."""
    topology = Topology({"in": 6, "l1": 120, "out": 4}, ["in-l1", "l1-out", "out-l1"], None)
    blocks = random_blocks(topology, 3)
    dynamics = Dynamics(dt=0.25, method="exponential", free=Phase(duration=5.0), nudged=Phase(duration=5.0))
    design = Design(topology, "tanh", "mse", dynamics).replace(noise=Noise(**{kind: 0.03}))
    rng = np.random.default_rng(1)
    x, y = rng.uniform(size=(4, 6)), rng.uniform(size=(4, 4))
    studies = [
        compare_schemes(Chip(design, blocks, Fabrication(seed), 1), x, y, [OneSided(beta=0.3)], 12)
        for seed in range(40)
    ]
    bias, error = (np.array([getattr(study, name)[0] for study in studies]) for name in ("bias", "bias_error"))
    assert (bias > 0.0).mean(axis=0).min() > 0.9  # so that the cut at 0 does not narrow the spread
    ratio = bias.std(axis=0, ddof=1) / np.sqrt(np.mean(error**2, axis=0))
    assert (np.abs(np.log(ratio)) < np.log(1.5)).all(), ratio


def test_few_repeats_that_differ_do_not_tell_the_error_of_a_bias():
    chip = noisy_chip()
    x, y = random_batch(chip, 3)
    assert np.isnan(compare_schemes(chip, x, y, [Centred(beta=0.5)], 3).bias_error).all()
    assert (compare_schemes(chip, x, y, [Centred(beta=0.5)], 4).bias_error > 0.0).all()
    assert (compare_schemes(random_chip(), x, y, [Centred(beta=0.5)], 2).bias_error == 0.0).all()


def test_moments_are_those_of_repeats_by_hand():
    chip = noisy_chip(sigma=0.3)
    x, y = random_batch(chip, 3)
    found = compare_schemes(chip, x, y, [Centred(beta=0.5)], 4, Allowance(settlings=30, reads=30))
    chip.set_input(x)
    chip.settle()
    true, errors = compute_exact_errors(chip, y).delta, []
    for repeat in range(4):
        chip.set_input(x, repeat=repeat)
        free = FreeReading(chip.read(), chip.settle())
        errors.append(estimate_error_vectors(chip, free, y, Centred(beta=0.5)).flat - true)
    mean, variance = np.mean(errors, axis=0), np.var(errors, axis=0, ddof=1)
    for k, columns in enumerate(chip.topology.columns.values()):
        size = np.sum(true[:, columns] ** 2)
        assert found.variance[0, k] == pytest.approx(np.sum(variance[:, columns]) / 10 / size, rel=1e-9)
        square = np.sum(mean[:, columns] ** 2 - variance[:, columns] / 4) / size
        assert found.bias[0, k] == pytest.approx(max(square, 0.0), rel=1e-9)


def test_the_best_nudge_lies_between_too_noisy_and_too_large(study):
    np.testing.assert_allclose(study.mse, study.bias + study.variance, rtol=1e-15)
    worst = study.mse.max(axis=1)
    for rows in (slice(0, len(BETAS)), slice(len(BETAS), None)):
        assert 0 < worst[rows].argmin() < len(BETAS)
        assert worst[rows][0] > 10.0 * worst[rows].min()
    assert study.best == worst.argmin()
    assert f"beta {study.beta[study.best]:g}, mean of {study.averaged[study.best]} estimates" in study.answer
    assert f"worst layer, {study.layers[study.mse[study.best].argmax()]}," in study.answer


def test_the_cosine_is_that_of_an_average(study):
    assert (study.cosine[-1] > 0.7).all()
    # To the leading order in what lies across, 1 - mse / 2.
    small = study.mse < 1e-2
    assert small.sum() > 3
    assert (study.cosine[small] > 1.0 - 0.75 * study.mse[small] - 1e-12).all()
    assert (study.cosine <= 1.0 + 1e-3).all()


def test_every_scheme_spends_the_same():
    chip = noisy_chip()
    x, y = random_batch(chip, 2)
    schemes = [OneSided(beta=0.5), Centred(beta=0.5), Circle(beta=0.5, points=4), Chebyshev(beta=0.5, points=6)]
    found = compare_schemes(chip, x, y, schemes, 2, Allowance(settlings=100, reads=90))
    asked = [count_demand(scheme, mirror=False) for scheme in schemes]
    assert list(zip(found.settlings, found.reads, strict=True)) == asked
    np.testing.assert_array_equal(found.averaged, [min(100 // a.settlings, 90 // a.reads) for a in asked])
    timed = compare_schemes(chip, x, y, schemes, 2, Allowance(settlings=100, reads=90, time=7.5 * 12.0))
    np.testing.assert_array_equal(timed.averaged, [int(7.5 / a.settlings) for a in asked])


def test_the_asymmetry_is_what_remains_of_a_vanishing_nudge():
    chip = random_chip(sigma=0.5)
    x, y = random_batch(chip)
    found = compare_schemes(chip, x, y, [Centred(beta=1e-3)], 2)
    chip.set_input(x)
    chip.settle()
    true = compute_exact_errors(chip, y)
    for k, columns in enumerate(chip.topology.columns.values()):
        expected = np.sum((true.ep - true.delta)[:, columns] ** 2) / np.sum(true.delta[:, columns] ** 2)
        assert found.asymmetry[k] == pytest.approx(expected, rel=1e-9)
        assert found.bias[0, k] == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_the_free_read_waits_in_the_hold_as_in_every_estimate():
    chip = random_chip(symmetric=True, seed=2, hold=Hold(pedestal=0.05))
    x, y = random_batch(chip)
    told: list[tuple[int, object]] = []
    found = compare_schemes(chip, x, y, [OneSided(beta=0.2)], 2, tell=lambda k, scheme: told.append((k, scheme)))
    assert told == [(0, OneSided(beta=0.2))]
    measured = estimate_error_vectors(chip, measure_free(chip, x), y, OneSided(beta=0.2)).flat
    true = compute_exact_errors(chip, y).delta
    for k, columns in enumerate(chip.topology.columns.values()):
        expected = np.sum((measured - true)[:, columns] ** 2) / np.sum(true[:, columns] ** 2)
        assert found.bias[0, k] == pytest.approx(expected, rel=1e-9)


def test_signs_are_drawn_anew_in_every_repeat():
    chip = random_chip(seed=2)
    x, y = random_batch(chip)
    drawn, fixed = (compare_schemes(chip, x, y, [kind(beta=0.4)], 8).variance for kind in (RandomSign, OneSided))
    assert (drawn > 1e-6).all()
    assert (fixed < 1e-15).all()


def test_two_studies_are_the_same():
    chip = noisy_chip()
    x, y = random_batch(chip, 2)
    one, two = (compare_schemes(chip, x, y, [OneSided(beta=0.5)], 3) for _ in range(2))
    np.testing.assert_array_equal(one.mse, two.mse)


@pytest.mark.parametrize(
    ("schemes", "repeats", "allowance", "text"),
    [
        ([], 4, Allowance(), "give at least 1 scheme"),
        ([Centred(beta=0.1)], 1, Allowance(), "repeats = 1: give"),
        ([Centred(beta=0.1)], 2, Allowance(reads=2), "does not pay one estimate of centred, beta 0.1: give at least 3"),
        ([Centred(beta=0.1)], 2, Allowance(settlings=2), "does not pay one estimate"),
        ([Centred(beta=0.1)], 2, Allowance(time=35.0), "36 tau"),
    ],
)
def test_what_cannot_be_compared_is_refused(schemes, repeats, allowance, text):
    chip = noisy_chip()
    x, y = random_batch(chip, 2)
    with pytest.raises(ValueError, match=text):
        compare_schemes(chip, x, y, schemes, repeats, allowance)


def test_a_chip_that_never_settles_is_refused():
    chip = random_chip(dt=3.0, phase=Phase(max_steps=500))
    x, y = random_batch(chip)
    with pytest.raises(ValueError, match="no sample settles under every scheme"):
        compare_schemes(chip, x, y, [Centred(beta=0.1)], 2)


@pytest.mark.parametrize("noise", [Noise(), Noise(read=0.01)])
def test_a_study_knows_gain_and_cost_of_every_scheme(noise):
    """Without noise half of a circle is settled and mirrored, with noise the whole circle."""
    chip = random_chip(phase=Phase(steps=10), noise=noise)
    x, y = random_batch(chip, 2)
    swing = {"beta": 0.3, "period": 8.0, "cycles": 0}
    schemes = [
        *(kind(beta=0.3) for kind in (OneSided, Backward, RandomSign, Centred)),
        *(Circle(beta=0.3, points=n) for n in (3, 4, 6)),
        *(Chebyshev(beta=0.3, points=n) for n in (2, 4, 6)),
    ]
    swinging = [LockIn(**swing), LockIn(**swing, harmonics=2), Rotation(**swing)]
    found = compare_schemes(chip, x, y, [*schemes, *swinging], 2)
    mirror = not noise.random
    nodes = [s.nodes() if mirror else unfold_mirrored_nodes(s.nodes()) for s in schemes] + [
        s.cycle(16) for s in swinging
    ]
    np.testing.assert_allclose(found.gain, [compute_noise_gain(of_one) for of_one in nodes], rtol=1e-12)
    asked = [count_demand(scheme, mirror, 16) for scheme in [*schemes, *swinging]]
    assert list(zip(found.settlings, found.reads, strict=True)) == asked


def test_noise_of_the_membranes_spreads_every_scheme_as_the_linearised_chip_says():
    """False alarms 1e-6 for each of nine variances; units of a layer taken as one, which only widens the interval."""
    schemes = [Centred(beta=0.05), Circle(beta=0.05, points=4), Chebyshev(beta=0.05, points=4)]
    phase = Phase(duration=8.0, window=1.0)
    chip = random_chip(noise=Noise(thermal=2e-3), phase=phase, dt=0.1, dynamics={"method": "heun"}, scale=0.3)
    x, y = random_batch(chip, 1)
    # The same input for all, each with noise of its own.
    x, y = np.repeat(x, 200, axis=0), np.repeat(y, 200, axis=0)
    repeats = 4
    study = compare_schemes(chip, x, y, schemes, repeats, Allowance(settlings=10, reads=10))
    chip.set_input(x[:1])
    chip.settle()
    linear, true = linearise(chip, find_equilibrium(chip).state), compute_exact_errors(chip, y[:1]).delta[0]
    freedom = len(x) * (repeats - 1)
    low, high = stats.chi2.ppf([ALARM / 2, 1 - ALARM / 2], freedom) / freedom
    assert high < 1.35  # a mirrored circle would be 1.5 times as loud, one plane without noise half as loud
    for s, scheme in enumerate(schemes):
        expected = predict_estimate_variance(chip, linear, scheme)[0]
        for k, columns in enumerate(chip.topology.columns.values()):
            relative = expected[columns].sum() / np.sum(true[columns] ** 2)
            ratio = study.variance[s, k] * study.averaged[s] / relative
            assert low < ratio < high, (scheme.kind, k, ratio)
