"""Whatever step is asked for, the fluctuations are those of the exact linear response, within 5 %."""

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.network.couplings import make_couplings
from substrate.network.local_couplings import LocalCouplings
from substrate.network.topology import Topology
from substrate.protocol import Nudge, Status, Wave
from substrate.settling.noise_step import FALSE_ALARM, compute_largest_step

SAMPLES = 5_000
"""Independent draws of every unit; a variance is then known to 2 % (one standard deviation)."""

ALLOWED = 0.05 + 5.0 * np.sqrt(2.0 / SAMPLES)
"""What is promised, and five standard deviations of chance: false alarms below 1e-5 in all."""


def network(coupling, noise, dt=1.0, method="exponential", neurons=None, window=0.0, law="additive"):
    """Return linear units with a matrix ``W[post, pre]`` among them."""
    units = len(coupling)
    topology = Topology({"in": 1, "out": units}, ["in-out", "out-out"])
    phase = Phase(duration=24.0, window=window)
    dynamics = Dynamics(method=method, dt=dt, free=phase, nudged=phase)
    blocks = {"weight/in-out": np.zeros((1, units)), "weight/out-out": coupling.T, "bias/out": np.zeros(units)}
    design = Design(topology, "identity", "mse", dynamics, law=law).replace(
        noise=noise, neurons=neurons or NeuronDevices()
    )
    return Chip(design, blocks)


def settled(chip):
    chip.set_input(np.zeros((SAMPLES, 1)))
    chip.settle()
    return chip


def exact_variances(chip, noise):
    """Return the stationary variances of linear units: ``M S + S M^T + Q = 0`` for membranes, poles and slow noise."""
    coupling, tau = chip.topology.coupling(chip.effective), chip.membranes.tau
    n, pole = len(tau), chip.design.devices.neurons.synapse_tau
    times, sizes = noise.processes()
    width = n * (1 + (pole > 0.0) + len(times))
    m, q = np.zeros((width, width)), np.zeros((width, width))
    one, rate = np.eye(n), np.diag(1.0 / tau)
    m[:n, :n] = -rate if pole else rate @ (coupling - one)
    q[:n, :n] = 2.0 * rate * noise.thermal**2 + 2.0 * noise.common**2 * np.outer(tau**-0.5, tau**-0.5)
    at = n
    if pole:
        m[:n, n : 2 * n], m[n : 2 * n, :n], m[n : 2 * n, n : 2 * n] = rate, coupling / pole, -one / pole
        at = 2 * n
    for time, size in zip(times, sizes, strict=True):
        here = slice(at, at + n)
        m[:n, here], m[here, here], q[here, here] = rate, -one / time, 2.0 * size**2 / time * one
        at += n
    return np.diag(solve_continuous_lyapunov(m, -q))[:n]


SYMMETRIC = np.array([[0.1, 0.5, -0.3], [0.5, -0.4, 0.2], [-0.3, 0.2, 0.3]])
SKEW = np.array([[0.0, 0.7, -0.4], [-0.6, 0.1, 0.5], [0.5, -0.3, 0.0]])
CASES = {
    "self, .9": (np.array([[0.9]]), Noise(thermal=0.1), None),
    "self, -.9": (np.array([[-0.9]]), Noise(thermal=0.1), None),
    "self, -2": (np.array([[-2.0]]), Noise(thermal=0.1), None),
    "symmetric": (SYMMETRIC, Noise(thermal=0.1), None),
    "asymmetric": (SYMMETRIC + 0.5 * SKEW, Noise(thermal=0.1), None),
    "only asymmetric": (SKEW, Noise(thermal=0.1), None),
    "unequal time constants": (SYMMETRIC + 0.2 * SKEW, Noise(thermal=0.1), NeuronDevices(tau_sigma=0.3)),
    "common": (SYMMETRIC, Noise(common=0.1), None),
    "coloured": (SYMMETRIC, Noise(coloured=0.1, tau_c=0.5), None),
    "all kinds": (SYMMETRIC, Noise(thermal=0.1, common=0.05, coloured=0.2, tau_c=2.0), None),
    "pole": (SYMMETRIC, Noise(thermal=0.1), NeuronDevices(synapse_tau=0.3)),
}


QUICK = {("self, .9", "euler"), ("self, -2", "exponential"), ("self, -2", "heun"), ("only asymmetric", "exponential")}
QUICK |= {("coloured", "euler"), ("pole", "exponential")}
"""Cases that the default suite takes."""

PAIRS = [
    pytest.param(case, method, marks=[] if (case, method) in QUICK else pytest.mark.slow)
    for case in CASES
    for method in ("euler", "exponential", "heun")
]


@pytest.mark.parametrize(("case", "method"), PAIRS)
def test_stationary_variances_are_those_of_lyapunov(case, method):
    coupling, noise, neurons = CASES[case]
    chip = settled(network(coupling, noise, method=method, neurons=neurons))
    exact = exact_variances(chip, noise)
    np.testing.assert_allclose(chip.state.var(axis=0) / exact, 1.0, rtol=0, atol=ALLOWED)


@pytest.mark.parametrize(
    "method", ["euler", *(pytest.param(method, marks=pytest.mark.slow) for method in ("exponential", "heun"))]
)
def test_a_long_average_varies_as_the_exact_one(method):
    """Mean over a window `T` of an Ornstein-Uhlenbeck process of rate `r`: ``2 S/(r T) (1 - (1 - exp(-rT))/(rT))``."""
    for weight in (0.5, -2.0):
        chip = settled(network(np.array([[weight]]), Noise(thermal=0.1), method=method, window=20.0))
        rate = 1.0 - weight
        span = 20.0 * rate
        exact = 0.01 / rate * 2.0 / span * (1.0 - (1.0 - np.exp(-span)) / span)
        assert chip.average.mean.var() / exact == pytest.approx(1.0, abs=ALLOWED)


def test_the_hopfield_law_is_right_too():
    chip = settled(network(SYMMETRIC, Noise(thermal=0.1), law="hopfield"))
    exact = exact_variances(chip, chip.design.devices.noise)
    np.testing.assert_allclose(chip.state.var(axis=0) / exact, 1.0, rtol=0, atol=ALLOWED)


def test_a_chip_whose_noise_was_taken_away_keeps_its_steps():
    """Else the noise of a comparison with and without it had the error of the step in it."""
    weight, noise = np.array([[-2.0]]), Noise(thermal=1e-13)
    chip = network(weight, noise)
    chip = chip.variant(dynamics=chip.design.dynamics.model_copy(update={"free": Phase(duration=1.0)}))
    ends = []
    for one in (chip, chip.without("noise")):
        one.write({"bias/out": np.ones(1)})
        one.set_input(np.zeros((4, 1)))
        settled_one = one.settle()
        ends.append(one.state)
        assert (settled_one.steps == 1).all()
    np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=1e-11)
    bare = network(weight, Noise()).variant(dynamics=chip.design.dynamics)
    bare.write({"bias/out": np.ones(1)})
    bare.set_input(np.zeros((4, 1)))
    bare.settle()
    assert np.abs(bare.state - ends[0]).max() > 0.005


def share_unsettled(chip, duration):
    dynamics = chip.design.dynamics
    phase = Phase(duration=duration)
    chip = chip.variant(dynamics=dynamics.model_copy(update={"free": phase, "nudged": phase}))
    chip.set_input(np.full((100, 1), 3.0))
    status = chip.settle().status
    assert set(status) <= {Status.SETTLED, Status.STEP_LIMIT}
    return np.mean(status != Status.SETTLED)


def driven(noise, method="exponential"):
    chip = network(SYMMETRIC + 0.2 * SKEW, noise, dt=0.05, method=method)
    chip.write({"weight/in-out": np.array([[1.0, -0.5, 0.2]])})
    return chip


@pytest.mark.parametrize("method", ["euler", "exponential", pytest.param("heun", marks=pytest.mark.slow)])
def test_a_clocked_settling_is_judged_with_noise_as_without(method):
    """Vanishing noise changes no share; noise explains its own drift and no more; false alarms about 1e-3."""
    for duration in (0.5, 5.0, 45.0):
        quiet = share_unsettled(driven(Noise(), method), duration)
        assert share_unsettled(driven(Noise(thermal=1e-13), method), duration) == quiet
        assert quiet == (duration < 45.0)
    for noise in (Noise(thermal=0.01), Noise(common=0.01), Noise(coloured=0.01, tau_c=2.0), Noise(flicker=0.01)):
        assert share_unsettled(driven(noise, method), 0.5) == 1.0
        assert share_unsettled(driven(noise, method), 45.0) <= FALSE_ALARM + 4.0 * np.sqrt(FALSE_ALARM / 100)


def test_a_swing_under_noise_closes_within_what_the_noise_explains():
    chip = driven(Noise(thermal=1e-3))
    chip.set_input(np.full((64, 1), 0.5))
    chip.settle()
    nudge = Nudge(0.05, np.zeros((64, 3)), wave=Wave("cosine", 20.0, 2))
    assert (chip.settle(nudge, "free").status == Status.SETTLED).all()
    assert chip.read_cycle()["out"].shape == (400, 64, 3)
    short = Nudge(3.0, np.ones((64, 3)), wave=Wave("cosine", 1.0, 0))
    chip.set_input(np.full((64, 1), 0.5))
    assert (chip.settle(short).status == Status.STEP_LIMIT).all()


def test_couplings_known_by_read_only_products_alone_ask_for_the_same_step():
    """An engine may keep the arrays it returns to itself."""
    noise, chip = Noise(thermal=0.1), network(SYMMETRIC + SKEW, Noise(thermal=0.1))
    blocks = make_couplings(chip.topology, chip.effective)

    def keep(product):
        def multiply(v, _=None):
            found = product(v)
            found.flags.writeable = False
            return found

        return multiply

    local = LocalCouplings(1, 3, keep(blocks.product), keep(blocks.transposed().product))
    expected = compute_largest_step(chip.machine, blocks, noise.processes()[0])
    assert compute_largest_step(chip.machine, local, noise.processes()[0]) == pytest.approx(expected, rel=1e-12)
