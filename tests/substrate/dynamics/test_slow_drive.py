"""Slow noise of the membranes runs on through settlings and between them: correlation ``exp(-T/tau_c)``."""

import numpy as np
import pytest

from devices.interface.hold import Hold
from devices.neuron.noise import Noise
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.dynamics.phases import Phases
from substrate.network.topology import Topology
from substrate.protocol import Nudge, Wave
from tests.networks import random_batch, random_chip
from tests.statistics import assert_mean, assert_normal_variance

UNITS, BATCH, LENGTH = 32, 200, 4.0
OU = [Noise(coloured=0.3, tau_c=time) for time in (1.0, 5.0, 100.0)]
OCTAVES = Noise(flicker=0.3, flicker_shortest=2.0, flicker_octaves=3)


def leaks(noise, phases=None, window=0.0, hold=None, **dynamics):
    """Return units without couplings, not settled yet, and their targets."""
    topology = Topology({"in": 1, "out": UNITS}, ["in-out"])
    phase = Phase(duration=LENGTH - window, window=window)
    blocks = {"weight/in-out": np.zeros((1, UNITS)), "bias/out": np.zeros(UNITS)}
    settings = {"method": "exponential", "dt": 0.25, "free": phase, "nudged": phase, **dynamics}
    design = Design(topology, "identity", "mse", Dynamics(**settings))
    chip = Chip(design.replace(noise=noise, phases=phases or Phases(), hold=hold or Hold()), blocks)
    chip.set_input(np.zeros((BATCH, 1)))
    return chip, np.zeros((BATCH, UNITS))


def processes(chip, plane=0):
    """Return the slow processes as the last settling left them, over their standard deviations."""
    sizes = chip.design.devices.noise.processes()[1]
    return chip._settler._slow[0]._values[plane] / sizes[:, None, None]


def assert_correlated(chip, before, after, time):
    """Every process by itself, stationary too; false alarms 1e-6 each."""
    for tau_c, a, b in zip(chip.design.devices.noise.processes()[0], before, after, strict=True):
        rho = np.exp(-time / tau_c)
        assert_mean(a * b, rho, np.sqrt(1.0 + rho**2))
        assert_normal_variance(b.ravel(), 1.0)


@pytest.mark.parametrize("kind", ["independent", "common"])
@pytest.mark.parametrize("noise", [*OU, OCTAVES], ids=["short", "middle", "long", "octaves"])
def test_slow_noise_runs_on_through_the_phases_of_an_estimate(noise, kind):
    """Free, both nudges and an injected drive, each four tau after the one before."""
    chip, y = leaks(noise, Phases(noise=kind), window=1.0)
    found = []
    for settle in (
        chip.settle,
        lambda: chip.settle(Nudge(0.1, y), "free"),
        lambda: chip.settle(Nudge(-0.1, y), "free"),
        lambda: chip.settle_injected({"out": y}),
    ):
        settle()
        chip.read(waits=True)
        found.append(processes(chip).copy())
    for k in range(4):
        for m in range(k + 1, 4):
            assert_correlated(chip, found[k], found[m], (m - k) * LENGTH)


@pytest.fixture(scope="module")
def own_ends():
    """Return leaks of NumPy, driven by one process, after four and eight tau, (2, leaks)."""
    rng, dt, tau_c, sigma = np.random.default_rng(4), 0.02, OU[1].tau_c, OU[1].coloured
    drive, u, ends = sigma * rng.normal(size=50_000), np.zeros(50_000), []
    keep = np.exp(-dt / tau_c)
    for step in range(1, 401):
        u += dt * (drive - u)
        drive = keep * drive + sigma * np.sqrt(1.0 - keep**2) * rng.normal(size=u.size)
        if step % 200 == 0:
            ends.append(u.copy())
    return ends


@pytest.mark.parametrize("method", ["exponential", "heun"])
def test_membranes_follow_their_slow_noise_from_phase_to_phase_as_in_an_own_simulation(method, own_ends):
    """Covariance of the state at the ends of two phases; false alarms 1e-6, the steps cost less than a hundredth."""
    chip, y = leaks(OU[1], method=method, dt=0.05)
    chip.settle()
    ends = [chip.state.copy()]
    chip.settle(Nudge(1e-12, y), "free")
    ends.append(chip.state)
    for k, m in ((0, 0), (0, 1), (1, 1)):
        own = own_ends[k] * own_ends[m]
        found = ends[k] * ends[m]
        error = own.std() * np.sqrt(1.0 / own.size + 1.0 / found.size)
        assert abs(found.mean() - own.mean()) < 0.01 * own.mean() + 4.9 * error
        assert own.mean() > 10.0 * error


@pytest.mark.parametrize(
    ("hold_time", "skew", "time"), [(0.0, 0.0, LENGTH), (3.0, 0.0, LENGTH), (9.0, 0.0, 9.0), (1.0, 0.25, 8.75)]
)
def test_what_a_hold_takes_longer_than_the_next_settling_passes_before_it(hold_time, skew, time):
    """The last of 32 units is converted 31 skews and the hold time after the read, and no settling ends before."""
    chip, y = leaks(OU[1], Phases(hold_time=hold_time), hold=Hold(read_skew=skew))
    chip.settle()
    before = processes(chip).copy()
    chip.read(waits=True)
    chip.settle(Nudge(0.1, y), "free")
    assert_correlated(chip, before, processes(chip), time)


def test_the_noise_of_the_imaginary_plane_goes_on_where_there_is_none():
    """Complex, real, complex: the plane keeps its own noise, over the time of both settlings."""
    chip, y = leaks(OCTAVES)
    chip.settle(Nudge(0.1j, y))
    first = [processes(chip, plane).copy() for plane in range(2)]
    chip.settle(Nudge(0.1, y), "zero")
    chip.settle(Nudge(-0.1j, y), "zero")
    for plane in range(2):
        assert_correlated(chip, first[plane], processes(chip, plane), 2.0 * LENGTH)
    assert_mean(first[0] * first[1], 0.0, 1.0)


def test_a_nudge_that_swings_takes_its_cycles():
    chip, y = leaks(OU[2])
    chip.settle()
    before = processes(chip).copy()
    chip.settle(Nudge(0.1, y, wave=Wave("cosine", 10.0, 2)), "free")
    assert_correlated(chip, before, processes(chip), 30.0)


def test_a_new_batch_finds_slow_noise_anew_and_the_same_batch_again():
    chip, y = leaks(OU[2])

    def end(**names):
        chip.set_input(np.zeros((BATCH, 1)), **names)
        chip.settle()
        chip.settle(Nudge(0.1, y), "free")
        return processes(chip).copy()

    first = end()
    np.testing.assert_array_equal(end(), first)
    for names in ({"epoch": 1}, {"repeat": 1}, {"ids": np.arange(BATCH) + BATCH}):
        assert_mean(first * end(**names), 0.0, 1.0)


@pytest.mark.parametrize("method", ["exponential", "heun"])
def test_slow_noise_belongs_to_the_sample_through_all_phases(method):
    """The same bits for any number of threads, and to rounding in any batch."""

    def estimate(rows, threads=2):
        phases = {"phases": Phases(hold_time=5.0), "phase": Phase(duration=2.0, window=0.5), "threads": threads}
        chip = random_chip(
            noise=Noise(thermal=0.1, coloured=0.1, flicker=0.1), dynamics={"method": method}, dt=0.1, **phases
        )
        x, y = random_batch(chip, 40)
        chip.set_input(x[rows], rows)
        chip.settle()
        chip.read(waits=True)
        chip.settle(Nudge(0.1j, y[rows]), "free")
        chip.read(waits=True)
        chip.settle(Nudge(-0.1, y[rows]), "free")
        return chip.state

    whole = estimate(np.arange(40))
    np.testing.assert_array_equal(estimate(np.arange(40), threads=1), whole)
    order = np.random.default_rng(0).permutation(40)[:17]
    np.testing.assert_allclose(estimate(order), whole[order], rtol=0, atol=1e-12)


def test_the_last_drift_of_a_settling_has_the_push_of_its_moment():
    """The residual is the largest drift ``|slow - u|``, and no step is taken beyond the end."""
    chip, _ = leaks(OU[1])
    settled = chip.settle()
    drift = processes(chip)[0] * OU[1].coloured - chip.state
    np.testing.assert_allclose(settled.residual, np.abs(drift).max(axis=1), rtol=1e-12)
