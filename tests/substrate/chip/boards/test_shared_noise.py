"""White noise of devices that are read both ways, against simulations and laws of single cells."""

import numpy as np
import pytest
from scipy import stats

from devices.neuron.noise import Noise
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.noise import CellNoise
from learning.oracle.fluctuations import compute_state_covariance
from substrate.chip.boards.limits import MOST_UNITS, find_cell_noise_fault
from substrate.chip.chip import Chip
from substrate.dynamics.methods import Phase
from substrate.network.topology import Topology
from substrate.theory.linearisation import find_equilibrium, linearise
from tests.networks import random_batch, random_chip
from tests.statistics import ALARM

SHARED = FeedbackDevices(storage="shared-device")
CLOCK = {"phase": Phase(duration=12.0), "dt": 0.1}


def make(law="additive", method="exponential", size=0.1, storage="shared-device", noise=None, **changes):
    """Return a chip with white noise of its cells; `size` is relative to their weights."""
    cells = CellNoise(relative=size, **(noise or {"spectrum": "white"}))
    parts = CLOCK | {"dynamics": {"method": method}, "law": law} | changes
    weights = WeightDevices(noise=cells)
    return random_chip(symmetric=True, weights=weights, feedback=FeedbackDevices(storage=storage), **parts)


def clamp(chip, samples):
    """Clamp the same input for all samples, each with noise of its own."""
    x, _ = random_batch(chip, 1)
    chip.set_input(np.tile(x, (samples, 1)))
    return x


def list_pairs(chip):
    """Return the forward and feedback columns of every pair, and the variance of its cells (pre, post)."""
    columns, size = chip.topology.columns, chip.design.devices.weights.noise.relative
    return [(columns[f.pre], columns[f.post], (size * chip.effective[f.block]) ** 2) for f, _ in chip.topology.pairs()]


def simulate_cells(chip, samples, time, dt, seed):
    """Return mean activities of every sample over a time after the first 10 tau; each cell has white noise of its own.

    Heun's method, whose noise has the means of short correlation times: ``du = F dt + sqrt(2) eta a dB``, the same
    ``dB`` in both directions of a device, activities at the beginning and at the predicted end of the step. Plain
    NumPy, from the formulas.
    """
    rng, columns, size = np.random.default_rng(seed), chip.topology.columns, chip.design.devices.weights.noise.relative
    weights, back = chip.effective, {b.block: f.block for f, b in chip.topology.pairs()}
    own = [n for n in weights if n not in back and not n.startswith("readout")]
    x = {"in": chip._input[:1].repeat(samples, axis=0)}
    hopfield = chip.design.law == "hopfield"

    def drift(u, kicks, h):
        a, total = x | chip.topology.split(chip.activity_of(u)), np.zeros_like(u)
        noise = np.zeros_like(u)
        for n in chip.topology.names:
            total[:, columns[n]] += weights[f"bias/{n}"]
            noise[:, columns[n]] += kicks[f"bias/{n}"]
        for c in chip.topology.connections:
            kick = kicks[back[c.block]].swapaxes(1, 2) if c.block in back else kicks[c.block]
            total[:, columns[c.post]] += a[c.pre] @ weights[c.block]
            noise[:, columns[c.post]] += np.einsum("bi,bij->bj", a[c.pre], kick)
        slope = chip.machine.transfer.slope(u) if hopfield else 1.0
        return h * (slope * total - u) + slope * noise

    u, mean, first, steps = np.tile(chip.continue_free()[:1], (samples, 1)), 0.0, int(10.0 / dt), int(time / dt)
    for step in range(first + steps):
        kicks = {
            n: np.sqrt(2.0 * dt) * size * np.abs(weights[n]) * rng.normal(size=(samples, *weights[n].shape))
            for n in own
        }
        begin = drift(u, kicks, dt)
        u = u + 0.5 * (begin + drift(u + begin, kicks, dt))
        if step >= first:
            mean = mean + chip.activity_of(u) / steps
    return mean


def test_kicks_of_two_units_have_the_covariance_of_their_common_device():
    chip = make()
    clamp(chip, 2)
    cells, rest = chip.unit_noise, chip._find_rest()
    found = cells.root[0] @ cells.root[0]
    expected = np.diag(cells.white[0])
    for pre, post, variance in list_pairs(chip):
        block = variance * np.outer(rest.activity[0, pre], rest.activity[0, post])
        expected[pre, post], expected[post, pre] = block, block.T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    # Both directions count in the variance of a drive.
    (pre, post, variance), *_ = list_pairs(chip)
    alone = make(storage="copied")
    clamp(alone, 2)
    np.testing.assert_allclose(cells.white, alone.unit_noise.white, rtol=1e-12)
    assert (np.abs(expected[pre, post]) > 0.0).all()


@pytest.mark.parametrize(
    ("law", "method", "samples"),
    [("additive", "exponential", 1500), ("additive", "heun", 1500), ("hopfield", "heun", 3000)],
)
def test_states_have_the_covariance_of_lyapunovs_equation(law, method, samples):
    """All entries of 16 units: 5.6 standard errors, false alarms below 1e-5 in all.

    The covariance of cells of its own in each direction is farther off.
    """
    chip = make(law, method, 0.02, scale=1.0)
    clamp(chip, samples)
    chip.settle()
    departure = chip.state - chip.state.mean(axis=0)
    found = departure.T @ departure / (samples - 1)
    linear = linearise(chip, find_equilibrium(chip).state[:1])
    expected = compute_state_covariance(chip, linear, 0)
    error = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / samples)
    # Steps make variances wrong by at most 5 %, see substrate.settling.noise_step.
    steps = 0.05 * np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(found - expected) < 5.6 * error + steps).all()
    alone = make(law, method, 0.02, "copied", scale=1.0)
    clamp(alone, 1)
    other = compute_state_covariance(alone, linear, 0)
    squares = [np.sum(np.triu((found - one) / error) ** 2) for one in (expected, other)]
    # Where two laws are z standard errors apart, the wrong one is nearer at more than z/2 of them alone: 1e-7.
    assert np.sum(np.triu((other - expected) / error) ** 2) > 11.0**2
    assert squares[0] < squares[1]


def test_the_drive_in_the_mean_is_the_limit_of_short_correlation_times():
    """Of cells that are processes of time t the mean of ``eta_ij a_j`` is ``sigma^2 R_j ((1/t - J)^-1)_jj a_i``.

    And ``sigma^2 R_j ((1/t - J)^-1)_ji a_j``, which is of second order in t. White noise has ``sigma^2 t`` for the
    variance on a bare leak.
    """
    chip = make()
    clamp(chip, 1)
    rest, push = chip._find_rest(), chip.unit_noise.push[0]
    jacobian = linearise(chip, find_equilibrium(chip).state[:1]).jacobian(0)
    a, slope = rest.activity[0], rest.slopes[0]
    error = []
    for time in (1e-2, 1e-3):
        response = np.linalg.inv(np.eye(len(a)) / time - jacobian)
        drive = np.zeros(len(a))
        for pre, post, variance in list_pairs(chip):
            for ends, sigma in (((pre, post), variance), ((post, pre), variance.T)):
                j, i = ends
                reach = np.diag(response)[j][:, None] * a[i][None] + response[j, i] * a[j][:, None]
                drive[i] += (sigma / time * slope[j][:, None] * reach).sum(axis=0)
        error.append(np.abs(drive - push).max() / np.abs(push).max())
    assert error[1] < 3e-3
    assert error[0] / error[1] == pytest.approx(10.0, rel=0.2)


@pytest.mark.parametrize(("law", "scale", "size"), [("additive", 1.5, 0.25), ("hopfield", 0.5, 0.2)])
def test_activities_move_in_the_mean_as_with_cells_that_are_followed_one_by_one(law, scale, size):
    """The squared differences of 16 units, over their standard errors: false alarms 1e-6.

    Without the drive in the mean the same comparison fails.
    """
    samples, time = 300, 20.0
    chip = make(law, "heun", size, scale=scale, phase=Phase(duration=10.0, window=time))
    found = []
    for quiet in (False, True):
        clamp(chip, samples)
        chip._unit_noise = chip.unit_noise._replace(push=None) if quiet else chip.unit_noise
        chip.settle()
        found.append(chip.average.mean)
    expected = simulate_cells(chip, samples, time, 0.1, 0)

    def differ(values):
        variance = (values.var(axis=0, ddof=1) + expected.var(axis=0, ddof=1)) / samples
        return float(np.sum((values.mean(axis=0) - expected.mean(axis=0)) ** 2 / variance))

    assert differ(found[0]) < stats.chi2.isf(ALARM, 16)
    assert differ(found[1]) > stats.chi2.isf(ALARM, 16)


def test_fast_noise_has_the_levels_of_white_noise_of_the_same_power():
    """Noise of time t counts by ``t/(tau + t)``: variances, covariances and the drive in the mean alike."""
    fast, white = make(noise={"tau_c": 0.05}), make(size=0.1 * np.sqrt(0.05 / 1.05))
    for chip in (fast, white):
        clamp(chip, 1)
    for name in ("white", "root", "push"):
        np.testing.assert_allclose(getattr(fast.unit_noise, name), getattr(white.unit_noise, name), rtol=0, atol=1e-12)


def test_noise_of_the_membranes_is_in_the_covariance_and_draws_have_names_alone():
    """The same bits for any threads and any batch around a sample."""
    chip = make().variant(noise=Noise(thermal=0.05))
    clamp(chip, 3)
    cells = chip.unit_noise
    np.testing.assert_allclose(np.diagonal(cells.root[0] @ cells.root[0]), cells.white[0] + 0.05**2, rtol=0, atol=1e-14)
    x, _ = random_batch(chip)
    states = []
    for rows, threads in ((slice(None), 1), (slice(None), 2), (slice(2, 4), 1)):
        one = Chip(chip.design, chip.programmed, chip.fabrication, threads)
        one.set_input(x[rows], np.arange(5)[rows])
        one.settle()
        states.append(one.state)
    np.testing.assert_array_equal(states[0], states[1])
    np.testing.assert_array_equal(states[0][2:4], states[2])


def test_noise_of_size_0_changes_no_bit():
    chips = [make(size=0.0), random_chip(symmetric=True, feedback=SHARED, dynamics={"method": "exponential"}, **CLOCK)]
    for chip in chips:
        clamp(chip, 2)
        chip.settle()
    np.testing.assert_array_equal(chips[0].state, chips[1].state)


def test_what_one_draw_per_unit_and_step_does_not_show_is_refused():
    design = make().design
    assert find_cell_noise_fault(design) is None
    slow = design.replace(weights=WeightDevices(noise=CellNoise(relative=0.1, tau_c=3.0)))
    assert "no slow process of a unit shows" in find_cell_noise_fault(slow).words
    jax = design._replace(dynamics=design.dynamics.model_copy(update={"engine": "jax"}))
    assert 'the engine "jax"' in find_cell_noise_fault(jax).words
    large = Topology({"in": 2, "l1": MOST_UNITS, "out": 2}, ["in-l1", "l1-out", "out-l1"])
    assert f"{MOST_UNITS} units at most" in find_cell_noise_fault(design._replace(topology=large)).words
    one_way = Topology({"in": 2, "l1": MOST_UNITS, "out": 2}, ["in-l1", "l1-out"])
    assert find_cell_noise_fault(design._replace(topology=one_way)) is None
