"""Noise in the dynamics against closed forms; every statistic has a stated rate of false alarms."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import solve_continuous_lyapunov

from devices.neuron import activation
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.dynamics.phases import Phases
from substrate.network.topology import Topology
from substrate.protocol import Nudge, Status
from substrate.settling.recording import Recording
from tests.networks import random_batch, random_chip
from tests.statistics import ALARM, assert_mean, assert_normal_variance


def leaks(
    noise, units=64, batch=64, duration=12.0, dt=0.25, method="exponential", neurons=None, window=0.0, phases=None
):
    """Return units without couplings, settled from rest at 0."""
    topology = Topology({"in": 1, "out": units}, ["in-out"])
    phase = Phase(duration=duration, window=window)
    blocks = {"weight/in-out": np.zeros((1, units)), "bias/out": np.zeros(units)}
    design = Design(topology, "identity", "mse", Dynamics(method=method, dt=dt, free=phase, nudged=phase))
    chip = Chip(design.replace(noise=noise, neurons=neurons or NeuronDevices(), phases=phases or Phases()), blocks)
    chip.set_input(np.zeros((batch, 1)))
    return chip


@pytest.mark.parametrize(
    ("method", "dt", "ratio"),
    [("exponential", 0.05, 1.0), ("exponential", 2.0, 1.0), ("euler", 0.2, 1.0), ("heun", 0.05, 1.0)],
)
def test_a_bare_leak_has_the_variance_it_was_given(method, dt, ratio):
    """Stationary variance of each scheme in closed form (Heun to third order in dt); false alarms 1e-6."""
    chip = leaks(Noise(thermal=0.3), method=method, dt=dt)
    assert (chip.settle().status == Status.SETTLED).all()
    assert_normal_variance(chip.state.ravel(), 0.09 * ratio)
    assert_mean(chip.state, 0.0, 0.3 * np.sqrt(ratio))


def test_every_unit_has_the_variance_whatever_its_time_constant():
    chip = leaks(Noise(thermal=0.3), units=8, batch=512, neurons=NeuronDevices(tau_sigma=0.2))
    chip.settle()
    for unit in chip.state.T:
        assert_normal_variance(unit, 0.09)


def test_a_leak_forgets_exponentially():
    """Autocorrelation ``exp(-t)`` at three lags, over independent units; false alarms 1e-6 each."""
    chip = leaks(Noise(thermal=1.0), duration=16.0)
    recording = Recording()
    chip.settle(record=recording)
    last = recording.states[-1].ravel()
    for lag in (1, 4, 8):
        rho = np.exp(-0.25 * lag)
        assert_mean(last * recording.states[-1 - lag].ravel(), rho, np.sqrt(1.0 + rho**2))


@pytest.mark.parametrize("tau_c", [0.5, 4.0])
def test_coloured_noise_has_its_variance_on_a_leak(tau_c):
    """``sigma^2 tau_c/(1 + tau_c)``, to the second order of dt."""
    chip = leaks(Noise(coloured=0.5, tau_c=tau_c), duration=8.0 * max(1.0, tau_c), dt=0.05)
    chip.settle()
    assert_normal_variance(chip.state.ravel(), 0.25 * tau_c / (1.0 + tau_c))


def test_flicker_noise_is_a_sum_of_octaves():
    noise = Noise(flicker=0.4, flicker_shortest=0.5, flicker_octaves=4)
    times, sizes = noise.processes()
    np.testing.assert_allclose(times, [0.5, 1.0, 2.0, 4.0])
    assert np.sum(sizes**2) == pytest.approx(0.16)
    chip = leaks(noise, duration=40.0, dt=0.05)
    chip.settle()
    assert_normal_variance(chip.state.ravel(), np.sum(sizes**2 * times / (1.0 + times)))


def test_common_noise_is_shared_by_the_units_of_a_sample():
    chip = leaks(Noise(common=0.2), units=8, batch=2048)
    chip.settle()
    np.testing.assert_allclose(chip.state, chip.state[:, :1] * np.ones(8), rtol=0, atol=1e-15)
    assert_normal_variance(chip.state[:, 0], 0.04)
    both = leaks(Noise(common=0.2, thermal=0.3), units=2, batch=4096)
    both.settle()
    assert_mean(both.state[:, 0] * both.state[:, 1], 0.04, np.sqrt(0.13**2 + 0.04**2))


@pytest.mark.parametrize("samples", [2500, pytest.param(8000, marks=pytest.mark.slow)])
def test_coupled_units_have_the_covariance_of_lyapunov(samples):
    """Linear units: ``J S + S J^T + 2 sigma^2 = 0``; every entry of S, false alarms 1e-6 in all."""
    weight = np.array([[0.0, 0.6, -0.4], [0.3, 0.0, 0.5], [-0.5, 0.2, 0.0]])
    topology = Topology({"in": 1, "out": 3}, ["in-out", "out-out"])
    phase = Phase(duration=15.0)
    design = Design(topology, "identity", "mse", Dynamics(method="heun", dt=0.05, free=phase, nudged=phase))
    blocks = {"weight/in-out": np.zeros((1, 3)), "weight/out-out": weight.T, "bias/out": np.zeros(3)}
    chip = Chip(design.replace(noise=Noise(thermal=0.5)), blocks)
    chip.set_input(np.zeros((samples, 1)))
    chip.settle()
    covariance = solve_continuous_lyapunov(weight - np.eye(3), -0.5 * np.eye(3))
    found = chip.state.T @ chip.state / len(chip.state)
    diagonal = np.diag(covariance)
    error = np.sqrt((np.outer(diagonal, diagonal) + covariance**2) / len(chip.state))
    assert np.abs((found - covariance) / error).max() < stats.norm.isf(ALARM / 18)
    assert np.abs(covariance[0, 1]) > 5 * error[0, 1]


@pytest.mark.parametrize("samples", [2000, pytest.param(6000, marks=pytest.mark.slow)])
def test_symmetric_hopfield_units_follow_boltzmann(samples):
    """Two coupled tanh units: moments of ``exp(-E/sigma^2)`` by quadrature; false alarms 1e-6 each."""
    topology = Topology({"in": 1, "out": 2}, ["in-out", "out-out"])
    weight, drive, sigma = 0.8, np.array([0.3, -0.1]), 0.4
    phase = Phase(duration=20.0)
    design = Design(topology, "tanh", "mse", Dynamics(method="heun", dt=0.05, free=phase, nudged=phase), law="hopfield")
    blocks = {"weight/in-out": drive[None], "weight/out-out": weight * (1.0 - np.eye(2)), "bias/out": np.zeros(2)}
    chip = Chip(design.replace(noise=Noise(thermal=sigma)), blocks)
    chip.set_input(np.ones((samples, 1)))
    chip.settle()
    u = np.linspace(-4.0, 4.0, 801)
    x, y = np.meshgrid(u, u, indexing="ij")
    a, b = np.tanh(x), np.tanh(y)
    density = np.exp(-(0.5 * (x**2 + y**2) - weight * a * b - drive[0] * a - drive[1] * b) / sigma**2)
    density /= density.sum()

    def check(values, of):
        mean = np.sum(density * of)
        assert_mean(values, mean, np.sqrt(np.sum(density * of**2) - mean**2))

    s, t = chip.state.T
    check(s, x)
    check(t, y)
    check(s * t, x * y)
    check(s**2, x**2)


def test_weak_order_one_of_the_mean():
    """Exponential scheme, linear unit with feedback: the mean by the scheme's own recursion, free of chance."""
    errors = []
    for n in (8, 16, 32, 64):
        h = 2.0 / n
        gain, u = -np.expm1(-h), 1.0
        for _ in range(n):
            u += gain * (-u + 0.5 * u)
        errors.append(abs(u - np.exp(-1.0)))
    assert abs(np.polyfit(np.log([8, 16, 32, 64]), np.log(errors), 1)[0] + 1.0) < 0.15


def noisy(threads=2, method="exponential", ids=None, rows=slice(None), **more):
    phase = Phase(duration=3.0)
    noise = more.pop("noise", Noise(thermal=0.1, coloured=0.1, common=0.05))
    phases = more.pop("phases", Phases())
    chip = random_chip(
        phase=phase,
        phases=phases,
        threads=threads,
        noise=noise,
        dynamics={"method": method, **more.pop("dynamics", {})},
        dt=0.05,
    )
    x, y = random_batch(chip, 40)
    chip.set_input(x[rows], ids, **more)
    chip.settle()
    return chip, y[rows]


@pytest.mark.parametrize("method", ["exponential", "euler", "heun"])
def test_noise_belongs_to_the_sample_not_to_batch_or_thread(method):
    whole = noisy(method=method)[0].state
    np.testing.assert_array_equal(noisy(threads=1, method=method)[0].state, whole)
    order = np.random.default_rng(0).permutation(40)
    shuffled = noisy(method=method, ids=order, rows=order)[0].state
    np.testing.assert_allclose(shuffled, whole[order], rtol=0, atol=1e-12)
    part = noisy(method=method, ids=np.arange(7, 12), rows=slice(7, 12))[0].state
    np.testing.assert_allclose(part, whole[7:12], rtol=0, atol=1e-12)


def test_epochs_repeats_and_phases_draw_anew_unless_told_otherwise():
    first = noisy()[0].state
    white = noisy(noise=Noise(thermal=0.1, common=0.05))[0]
    again = white.state.copy()
    white.settle()
    np.testing.assert_array_equal(white.state, again)
    for name in ({"epoch": 1}, {"repeat": 1}):
        assert np.abs(noisy(**name)[0].state - first).max() > 0.05
    for kind, same in (("independent", False), ("common", True)):
        chip, y = noisy(noise=Noise(thermal=0.1), phases=Phases(noise=kind))
        free = chip.state
        chip.settle(Nudge(1e-9, y), "zero")
        assert (np.abs(chip.state - free).max() < 1e-6) == same


def test_single_and_double_precision_feel_the_same_noise():
    double, single = noisy()[0].state, noisy(dynamics={"precision": "single"})[0].state
    np.testing.assert_allclose(single, double, rtol=0, atol=2e-5)


def test_both_planes_of_a_complex_state_have_noise_of_their_own():
    """Leaks under a complex nudge that does not reach them: false alarms 1e-6 each."""
    chip = leaks(Noise(thermal=0.3), duration=12.0, phases=Phases(noise="common"))
    chip.settle()
    real = chip.state
    chip.settle(Nudge(1e-12j, np.zeros((len(real), 64))), "zero")
    np.testing.assert_allclose(chip.state.real, real, rtol=0, atol=1e-9)
    assert_normal_variance(chip.state.imag.ravel(), 0.3**2)
    product = (chip.state.real * chip.state.imag).ravel()
    assert abs(product.mean()) < 4.9 * 0.3**2 / np.sqrt(product.size)


def test_a_window_averages_and_knows_its_error():
    """Leak of correlation time 1: error ``sigma sqrt(2/T)``; mean over 4096 averages, false alarms 1e-6."""
    chip = leaks(Noise(thermal=0.3), duration=8.0, window=200.0)
    chip.settle()
    average = chip.average
    expected = 0.3 * np.sqrt(2.0 / 200.0 * (1.0 - 1.0 / 200.0))
    assert_normal_variance(average.mean.ravel(), expected**2 * 1.0)
    assert np.sqrt(np.mean(average.error**2)) == pytest.approx(expected, rel=0.1)
    assert average.autocorrelation.mean() == pytest.approx(1.0, rel=0.15)
    np.testing.assert_array_equal(chip.read()["out"], average.mean)


@pytest.mark.parametrize(
    ("noise", "window"),
    [
        (Noise(thermal=0.3), 5.0),
        (Noise(thermal=0.3), 10.0),
        (Noise(thermal=0.3), 20.0),
        (Noise(coloured=0.3, tau_c=3.0), 10.0),
        (Noise(coloured=0.3, tau_c=3.0), 20.0),
        (Noise(coloured=0.3, tau_c=3.0), 100.0),
    ],
)
def test_the_error_of_an_average_over_few_correlation_times_is_that_of_its_spread(noise, window):
    """Mean square of the error over the variance of 4096 averages; the noise is stationary when a window opens.

    A window is 2.5 integrated autocorrelation times at least. The variance is known to 10 %.
    """
    chip = leaks(noise, duration=40.0, window=window)
    chip.settle()
    average = chip.average
    assert 0.5 < np.mean(average.error**2) / average.mean.var() < 1.7
    true = 0.5 * window * average.mean.var() / chip.state.var()
    assert 0.6 < average.autocorrelation.mean() / true < 1.6


def test_large_steps_average_what_lies_between_them_too():
    """Steps of five tau: ``sigma sqrt(2/T)``, not ``sigma/sqrt(steps)``; one and two steps tell no error."""
    chip = leaks(Noise(thermal=0.3), duration=20.0, dt=5.0, window=320.0)
    chip.settle()
    assert np.mean(chip.average.error**2) == pytest.approx(0.09 * 2.0 / 320.0, rel=0.1)
    for steps in (1, 2):
        few = leaks(Noise(thermal=0.3), duration=20.0, dt=0.05, window=0.05 * steps)
        few.settle()
        assert np.isnan(few.average.error).all()


def test_a_process_slower_than_the_window_leaves_a_lower_bound():
    """The found correlation time stays below its limit, 0.3 of the window, and the error below the true one."""
    chip = leaks(Noise(coloured=0.3, tau_c=300.0), duration=20.0, window=10.0)
    chip.settle()
    assert 0.5 < chip.average.autocorrelation.mean() / 3.0 < 1.0
    assert np.mean(chip.average.error**2) < 0.2 * chip.average.mean.var()


def test_a_window_of_a_quiet_chip_is_its_rest_point():
    chip = random_chip(phase=Phase(duration=60.0, window=3.3))
    x, y = random_batch(chip, 5)
    chip.set_input(x)
    chip.settle()
    np.testing.assert_allclose(chip.average.mean, chip.activity_of(chip.state), rtol=0, atol=1e-12)
    assert chip.average.error.max() < 1e-12
    chip.settle(Nudge(0.1 + 0.1j, y), "free")
    np.testing.assert_allclose(chip.read()["l1"], chip.activity_of(chip.state)[:, :7], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"mode": "equilibrium"}, "there is no rest point"),
        ({"free": Phase()}, r"give free\.duration and nudged\.duration"),
        ({"method": "rk4"}, "has no form for noise"),
    ],
)
def test_noise_refuses_what_it_cannot_do(change, complaint):
    phase = Phase() if "mode" in change else Phase(duration=1.0)
    settings = {"method": "exponential", "free": phase, "nudged": phase, **change}
    chip = random_chip(noise=Noise(thermal=0.1), dt=settings.pop("dt", 0.5), dynamics=settings)
    chip.set_input(random_batch(chip, 2)[0])
    with pytest.raises(ValueError, match=complaint):
        chip.settle()
    quiet = chip.variant(noise=Noise())
    quiet.set_input(random_batch(chip, 2)[0])
    assert (quiet.settle().status < 4).all()


def test_the_oracle_sees_a_noisy_chip_at_rest():
    chip = noisy()[0]
    rest = chip.continue_free()
    a = activation.activity(0, rest)
    drift = a @ chip.topology.coupling(chip.effective).T + chip.constant_drive - rest
    assert np.abs(drift).max() < 1e-11


def test_idle_noise_parameters_are_refused():
    with pytest.raises(ValueError, match="belongs to `coloured`"):
        Noise(tau_c=3.0)
    with pytest.raises(ValueError, match="`flicker` is 0"):
        Noise(flicker_octaves=3)
    assert not Noise().on
