import numpy as np
import pytest

from devices.neuron.noise import Noise, Telegraph
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.schemes.nodes import Centred, Circle, OneSided
from learning.schemes.wave import LockIn, Rotation
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.protocol import Bench, Nudge, Status
from tests.networks import random_batch, random_chip
from tests.statistics import assert_normal_variance, assert_variance_ratio

PORTS = {name for name in dir(Bench) if not name.startswith("_")}


class OnlyBench:
    """Shows of a chip what the protocol names, and nothing else."""

    def __init__(self, chip):
        self._chip = chip

    def __getattr__(self, name):
        if name not in PORTS:
            raise AttributeError(name)
        return getattr(self._chip, name)


def test_the_bench_shows_no_weight():
    settling = {"set_input", "settle", "read", "read_cycle", "settle_errors", "read_errors"}
    probing = {"layers", "read_drives", "read_layers", "shapes", "perturb", "settle_injected", "count_macs"}
    writing = {"correlate", "mirror", "write", "read_cells"}
    assert {"connections", "readout", *settling, *probing, *writing, "budget", "capabilities"} == PORTS


@pytest.mark.parametrize("scheme", [OneSided(beta=0.2), Centred(beta=0.2), Circle(beta=0.2, points=5)])
def test_an_estimate_needs_only_the_bench(scheme):
    chip = random_chip(sigma=0.1)
    x, y = random_batch(chip)
    bench = OnlyBench(chip)
    seen = estimate_error_vectors(bench, measure_free(bench, x), y, scheme)
    full = estimate_error_vectors(chip, measure_free(chip, x), y, scheme)
    np.testing.assert_array_equal(seen.flat, full.flat)
    with pytest.raises(AttributeError):
        _ = bench.effective


def test_a_mirrored_node_is_its_conjugate():
    """Settling the lower half of the circle too gives the same estimate."""

    class Whole(Circle):
        def nodes(self):
            nodes = super().nodes()
            lower = [
                node._replace(beta=node.beta.conjugate(), weight=node.weight.conjugate())
                for node in nodes
                if node.mirrored
            ]
            return [node._replace(mirrored=False) for node in [*nodes, *lower]]

    chip = random_chip("lateral", sigma=0.1)
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    half = estimate_error_vectors(chip, free, y, Circle(beta=0.4, points=6))
    whole = estimate_error_vectors(chip, free, y, Whole(beta=0.4, points=6))
    np.testing.assert_allclose(half.flat, whole.flat, rtol=0, atol=1e-12)
    for layer, factor in half.presynaptic.items():
        np.testing.assert_allclose(factor, whole.presynaptic[layer], rtol=0, atol=1e-13)


@pytest.mark.parametrize("choice", ["mean", "free"])
def test_presynaptic_factor(choice):
    chip = random_chip()
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    measured = estimate_error_vectors(chip, free, y, Circle(beta=0.3, points=4), choice)
    np.testing.assert_allclose(measured.presynaptic["in"], x, rtol=0, atol=1e-15)
    for layer, factor in measured.presynaptic.items():
        # The mean over the circle is the value at its centre, to fourth order.
        np.testing.assert_allclose(factor, free.activity[layer], rtol=0, atol=0.0 if choice == "free" else 1e-4)


def test_estimates_tend_to_the_exact_gradient_on_a_symmetric_chip():
    chip = random_chip(symmetric=True)
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    measured = estimate_error_vectors(chip, free, y, Centred(beta=1e-3))
    reference = compute_exact_errors(chip, y).delta
    np.testing.assert_allclose(measured.flat, reference, rtol=0, atol=1e-6 * np.abs(reference).max())


def test_the_worst_status_of_a_sample_is_kept():
    chip = random_chip(phase=Phase(max_steps=60, tolerance=1e-10))
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    assert (free.settled.status == Status.SETTLED).all()
    hurried = chip.variant(
        dynamics=chip.design.dynamics.model_copy(update={"nudged": Phase(max_steps=2, tolerance=1e-10)})
    )
    measured = estimate_error_vectors(hurried, measure_free(hurried, x), y, Centred(beta=0.1))
    assert (measured.status == Status.STEP_LIMIT).all()
    assert (measured.steps == 4).all()


def test_relabelling_units_relabels_the_estimate():
    chip = random_chip(symmetric=True)
    order = np.random.default_rng(0).permutation(7)
    blocks = dict(chip.programmed)
    blocks["weight/in-l1"] = blocks["weight/in-l1"][:, order]
    blocks["bias/l1"] = blocks["bias/l1"][order]
    blocks["weight/l1-l2"] = blocks["weight/l1-l2"][order]
    blocks["weight/l2-l1"] = blocks["weight/l2-l1"][:, order]
    other = type(chip)(chip.design, blocks)
    x, y = random_batch(chip)
    a, b = (estimate_error_vectors(c, measure_free(c, x), y, Circle(beta=0.2)).delta for c in (chip, other))
    np.testing.assert_allclose(a["l1"][:, order], b["l1"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(a["out"], b["out"], rtol=0, atol=1e-12)


# Slow noise of membranes and reads in whole estimates, against simulations and sums of their own

SAMPLES, BETA, SIGMA, DT, LENGTH = 400, 0.1, 3e-3, 0.05, 15.0


def delta_of(chip, x, y, scheme):
    """Return the error vectors of all layers side by side, (batch, units)."""
    found = estimate_error_vectors(chip, measure_free(chip, x), y, scheme, mirror=False).delta
    return np.concatenate(list(found.values()), axis=1)


def one_input(chip, samples=SAMPLES):
    """Return the same input and target for all samples, each with noise of its own."""
    x, y = random_batch(chip, 1)
    return np.repeat(x, samples, axis=0), np.repeat(y, samples, axis=0)


def own_estimate(chip, x, y, tau_c):
    """Return the one-sided estimate of a program in NumPy: tanh units whose drift has noise that goes on."""
    rng, coupling = np.random.default_rng(8), chip.topology.coupling(chip.effective)
    constant, keep = chip.constant_drive, np.exp(-DT / tau_c)
    u, slow = np.zeros_like(constant), SIGMA * rng.normal(size=constant.shape)
    ends = []
    for beta in (0.0, BETA):
        for _ in range(round(LENGTH / DT)):
            after = keep * slow + SIGMA * np.sqrt(1.0 - keep**2) * rng.normal(size=slow.shape)
            drift = np.tanh(u) @ coupling.T + constant + 0.5 * (slow + after) - u
            drift[:, -y.shape[1] :] -= beta * (np.tanh(u[:, -y.shape[1] :]) - y)
            u, slow = u - np.expm1(-DT) * drift, after
        ends.append(np.tanh(u))
    return -(ends[1] - ends[0]) / BETA


@pytest.mark.parametrize("kind", ["independent", "common"])
@pytest.mark.parametrize("tau_c", [10.0, 1e5])
def test_an_estimate_spreads_under_slow_noise_as_in_an_own_simulation(tau_c, kind):
    """Variance of every unit, false alarms 1e-6 each. Frozen noise is a sixth of what is drawn anew, and less."""
    phase = Phase(duration=LENGTH)
    chip = random_chip(
        noise=Noise(coloured=SIGMA, tau_c=tau_c),
        phases=Phases(noise=kind),
        phase=phase,
        dt=DT,
        dynamics={"method": "exponential"},
        activation="tanh",
        cost="mse",
    )
    x, y = one_input(chip)
    found = delta_of(chip, x, y, OneSided(beta=BETA))
    own = own_estimate(chip, x, y, tau_c)
    for a, b in zip(found.T, own.T, strict=True):
        assert_variance_ratio(a.var(ddof=1), b.var(ddof=1), 1.0, SAMPLES - 1)
    anew = 2.0 * SIGMA**2 / BETA**2
    assert (found.var(axis=0).mean() < 0.1 * anew) == (tau_c == 1e5)


NOISES = {
    "white": Noise(read=0.01),
    "flicker": Noise(read_flicker=0.01, flicker_octaves=3),
    "short telegraph": Noise(telegraph=Telegraph(amplitude=0.02, time=1.0)),
    "long telegraph": Noise(telegraph=Telegraph(amplitude=0.02, time=20.0)),
}
SWINGS = [
    LockIn(beta=BETA, period=10.0, cycles=1),
    LockIn(beta=BETA, period=10.0, cycles=1, harmonics=2),
    Rotation(beta=BETA, period=10.0, cycles=1),
]


def read_covariance(noise, times):
    """Return the covariance of reads of one unit at `times`; all of standard deviation 0.01."""
    apart = np.abs(times[:, None] - times)
    if noise.read:
        return noise.read**2 * (apart == 0.0)
    found = [0.01**2 * np.exp(-apart / t) for t in ([noise.telegraph.time] if noise.telegraph else noise.octaves())]
    return np.mean(found, axis=0)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize("scheme", [OneSided(beta=BETA), Centred(beta=BETA), *SWINGS])
def test_read_noise_spreads_every_scheme_as_the_times_of_its_reads_say(scheme, noise):
    """``sum_kl Re(c_k* c_l) C(t_k - t_l)``, the planes apart; false alarms 1e-6, telegraph noise has fewer."""
    length, dt = 20.0, 0.5
    quiet, chip = (random_chip(noise=n, phase=Phase(duration=length), dt=dt) for n in (Noise(), noise))
    x, y = one_input(chip, 500)
    found = delta_of(chip, x, y, scheme) - delta_of(quiet, x, y, scheme)
    nodes = scheme.cycle(20) if scheme in SWINGS else scheme.nodes()
    weights = np.array([node.weight for node in nodes], dtype=np.complex128)
    times = dt * np.arange(20.0) if scheme in SWINGS else length * np.arange(len(nodes))
    expected = np.real(np.conj(weights) @ read_covariance(noise, times) @ weights)
    assert_normal_variance(found.ravel(), expected)


def test_the_swing_and_the_free_read_before_it_are_apart_by_its_cycles():
    """Point k of the cycle is read ``period + k dt`` after the free state."""
    noise = Noise(read_flicker=0.01, flicker_octaves=1, flicker_shortest=8.0)
    quiet, chip = (random_chip(noise=n, phase=Phase(duration=20.0)) for n in (Noise(), noise))
    x, y = one_input(chip, 500)
    first, cycle = [], []
    for bench in (chip, quiet):
        first.append(measure_free(bench, x).activity["l1"])
        bench.settle(Nudge(BETA, y, wave=SWINGS[0].wave()), "free")
        cycle.append(bench.read_cycle()["l1"])
    noise_of = first[0] - first[1], cycle[0] - cycle[1]
    for k in (0, 7, 19):
        rho = np.exp(-(10.0 + 0.5 * k) / 8.0)
        product = noise_of[0] * noise_of[1][k] / 0.01**2
        assert abs(product.mean() - rho) < 4.9 * np.sqrt((1.0 + rho**2) / product.size)
