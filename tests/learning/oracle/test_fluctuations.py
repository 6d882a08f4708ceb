"""Predicted spread of states and estimates against simulated chips; every statistic has a rate of false alarms."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm

from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.fluctuations import compute_state_covariance, predict_activity_variance, predict_estimate_variance
from learning.schemes.nodes import Centred, Circle, OneSided
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.laws.law import LAWS
from substrate.theory.linearisation import Linearisation, find_equilibrium, linearise
from tests.networks import one_block, random_batch, random_chip
from tests.statistics import ALARM, assert_normal_variance

QUIET = 2e-3
"""Noise so small that the chip is linear to 1 % of the variance."""


def noisy_chip(samples, noise, window=0.0, duration=8.0, **changes):
    """Return a chip that shows the same input to all samples, each with noise of its own, and its targets."""
    phase = Phase(duration=duration, window=window)
    chip = random_chip("lateral", noise=noise, phase=phase, dt=0.1, dynamics={"method": "heun"}, **changes)
    x, y = random_batch(chip, 1)
    x, y = np.repeat(x, samples, axis=0), np.repeat(y, samples, axis=0)
    chip.set_input(x)
    return chip, x, y


def linear_of(chip):
    """Return the linearisation around the rest point of the first sample."""
    return linearise(chip, find_equilibrium(chip).state[:1])


@pytest.mark.parametrize("law", LAWS)
def test_states_have_the_predicted_covariance(law):
    """Every entry, false alarms 1e-6 in all; white, common and slow noise together, spread of the time constants."""
    noise = Noise(thermal=QUIET, common=QUIET, coloured=QUIET, tau_c=2.0)
    chip, _, _ = noisy_chip(1500, noise, neurons=NeuronDevices(tau_sigma=0.2), law=law, scale=0.3)
    chip.settle()
    departure = chip.state - chip.state.mean(axis=0)
    found = departure.T @ departure / (len(departure) - 1)
    expected = compute_state_covariance(chip, linear_of(chip), 0)
    diagonal = np.diag(expected)
    error = np.sqrt((np.outer(diagonal, diagonal) + expected**2) / len(departure))
    assert np.abs((found - expected) / error).max() < stats.norm.isf(ALARM / found.size)
    assert np.abs(expected[np.triu_indices(16, 1)]).max() > 5.0 * error.max()


@pytest.mark.parametrize("window", [0.5, 4.0])
def test_averages_over_a_window_have_the_predicted_variance(window):
    """Every unit, false alarms 1e-6 each."""
    chip, _, _ = noisy_chip(1500, Noise(thermal=QUIET), window)
    chip.settle()
    expected = predict_activity_variance(chip, linear_of(chip), window)[0]
    for mean, variance in zip(chip.average.mean.T, expected, strict=True):
        assert_normal_variance(mean, variance)


def leak(noise, tau_sigma=0.0):
    chip, _, _ = noisy_chip(1, noise, neurons=NeuronDevices(tau_sigma=tau_sigma))
    units = chip.topology.units
    return chip, Linearisation(one_block(np.zeros((units, units))), np.ones((1, units)))


def test_a_leak_in_closed_form():
    """White noise has the variance it is given, whatever tau; slow noise ``tau_c/(1 + tau_c)`` of it."""
    chip, linear = leak(Noise(thermal=0.3), tau_sigma=0.3)
    np.testing.assert_allclose(compute_state_covariance(chip, linear, 0), 0.09 * np.eye(16), rtol=0, atol=1e-15)
    chip, linear = leak(Noise(common=0.2))
    np.testing.assert_allclose(compute_state_covariance(chip, linear, 0), np.full((16, 16), 0.04), rtol=1e-12)
    chip, linear = leak(Noise(coloured=0.5, tau_c=4.0))
    np.testing.assert_allclose(compute_state_covariance(chip, linear, 0), 0.25 * 0.8 * np.eye(16), rtol=0, atol=1e-14)
    chip, linear = leak(Noise(thermal=0.3))
    for window in (0.1, 1.0, 30.0):
        factor = 2.0 * (window - 1.0 + np.exp(-window)) / window**2
        np.testing.assert_allclose(predict_activity_variance(chip, linear, window), 0.09 * factor, rtol=1e-11)
    np.testing.assert_allclose(predict_activity_variance(chip, linear, 1e4), 0.09 * 2.0 / 1e4, rtol=2e-4)


@pytest.mark.parametrize("scheme", [OneSided(beta=0.05), Circle(beta=0.05, points=4)])
def test_estimates_have_the_predicted_variance(scheme):
    """Every unit, false alarms 1e-6 each; the free node has no window, the nudged ones have."""
    chip, x, y = noisy_chip(800, Noise(thermal=QUIET))
    phases = {"free": Phase(duration=8.0), "nudged": Phase(duration=8.0, window=2.0)}
    chip = chip.variant(dynamics=chip.design.dynamics.model_copy(update=phases))
    found = np.concatenate(
        list(estimate_error_vectors(chip, measure_free(chip, x), y, scheme, mirror=False).delta.values()), axis=1
    )
    expected = predict_estimate_variance(chip, linear_of(chip), scheme)[0]
    for delta, variance in zip(found.T, expected, strict=True):
        assert_normal_variance(delta, variance)


RUNS_ON = {
    "with white": Noise(coloured=QUIET, tau_c=40.0, thermal=0.2 * QUIET),
    "flicker": Noise(flicker=QUIET, flicker_shortest=20.0, flicker_octaves=3),
}
OFTEN = {("one-sided", "with white"), ("centred", "flicker")}
"""Pairs that the default suite takes."""

PAIRS = [
    pytest.param(
        scheme, noise, id=f"{scheme.kind}, {name}", marks=[] if (scheme.kind, name) in OFTEN else pytest.mark.slow
    )
    for scheme in (OneSided(beta=0.05), Centred(beta=0.05), Circle(beta=0.05, points=4))
    for name, noise in RUNS_ON.items()
]


@pytest.mark.parametrize(("scheme", "noise"), PAIRS)
def test_estimates_have_the_predicted_variance_under_noise_that_runs_on(scheme, noise):
    """Every layer, false alarms 1e-6 each at least; windows, a wait in the hold and all pairs of nodes."""
    chip, x, y = noisy_chip(300, noise, phases=Phases(hold_time=12.0), scale=0.3)
    phases = {"free": Phase(duration=12.0), "nudged": Phase(duration=9.0, window=2.0)}
    chip = chip.variant(dynamics=chip.design.dynamics.model_copy(update=phases))
    found = np.concatenate(
        list(estimate_error_vectors(chip, measure_free(chip, x), y, scheme, mirror=False).delta.values()), axis=1
    )
    expected = predict_estimate_variance(chip, linear_of(chip), scheme)[0]
    for delta, variance in zip(found.T, expected, strict=True):
        assert_normal_variance(delta, variance)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"noise": Noise(thermal=0.1), "phases": Phases(noise="common")}, 'set it to "independent"'),
        ({"noise": Noise(thermal=0.1), "neurons": NeuronDevices(synapse_tau=0.5)}, "knows no synaptic pole"),
    ],
)
def test_what_the_prediction_does_not_cover_is_refused(change, complaint):
    chip, _, _ = noisy_chip(1, **change)
    with pytest.raises(ValueError, match=complaint):
        predict_estimate_variance(chip, linear_of(chip), Centred(beta=0.1))


def test_an_unstable_rest_point_is_refused():
    chip, linear = leak(Noise(thermal=0.1))
    with pytest.raises(ValueError, match="sample 0 has an eigenvalue of 1: must be below 0"):
        compute_state_covariance(chip, linear._replace(couplings=one_block(2.0 * np.eye(16))), 0)


def test_a_window_averages_the_propagator():
    """``integral of 2 (T - t)/T^2`` times the symmetric part of ``exp(B t) Sigma``, by quadrature."""
    chip, _, _ = noisy_chip(1, Noise(thermal=0.1))
    linear, window = linear_of(chip), 3.0
    now, motion = compute_state_covariance(chip, linear, 0), linear.jacobian(0)
    points, weights = np.polynomial.legendre.leggauss(30)
    times = 0.5 * window * (points + 1.0)
    lagged = [expm(motion * t) @ now for t in times]
    parts = [w * (window - t) / window * 0.5 * (c + c.T) for w, t, c in zip(weights, times, lagged, strict=True)]
    np.testing.assert_allclose(compute_state_covariance(chip, linear, 0, window), sum(parts), rtol=0, atol=1e-14)
    assert np.abs(lagged[9] - lagged[9].T).max() > 1e-4
