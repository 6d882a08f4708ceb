"""Integrators: orders, agreement with SciPy, energy, statuses, time constants, the synaptic pole."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from devices.neuron import activation, curves
from devices.neuron.membrane import NeuronDevices
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import TABLES, Dynamics, Phase, _make_tableau
from substrate.dynamics.phases import Phases
from substrate.laws.law import LAWS
from substrate.network.topology import Topology
from substrate.protocol import Nudge, Status
from substrate.settling.recording import Recording
from substrate.theory.linearisation import linearise
from tests.networks import TIGHT, WIRINGS, dynamics, random_batch, random_chip, slope_of

ORDERS = {"euler": 1.0, "exponential": 1.0, "heun": 2.0, "rk4": 4.0}


def follow(chip, x, duration):
    """Return where SciPy takes a chip in a time, and its drift, written again in NumPy."""
    chip.set_input(x)
    code, coupling, drive = (
        curves.find_activation_code(chip.design.activation),
        chip.topology.coupling(chip.effective),
        None,
    )
    drive, tau, synapse = chip.constant_drive[0], chip.membranes.tau, chip.design.devices.neurons.synapse_tau
    units = len(tau)

    def rate(_, y):
        u = y[:units]
        h = coupling @ activation.activity(code, u) + drive
        felt = y[units:] if synapse else h
        slope = activation.slope(code, u) if chip.design.law == "hopfield" else 1.0
        membrane = (slope * felt - u) / tau
        return np.concatenate([membrane, (h - felt) / synapse]) if synapse else membrane

    start = np.zeros(units * (2 if synapse else 1))
    return solve_ivp(rate, (0.0, duration), start, method="DOP853", rtol=1e-12, atol=1e-12).y[:units, -1]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("method", ORDERS)
def test_methods_have_their_orders(method, law):
    counts = [12, 16, 24, 32, 48, 64] if method == "rk4" else [16, 24, 32, 48, 64, 96]
    errors = []
    for n in counts:
        chip = random_chip("lateral", law=law, dt=2.0 / n, phase=Phase(duration=2.0), dynamics={"method": method})
        x, _ = random_batch(chip, 1)
        expected = follow(chip, x, 2.0)
        assert (chip.settle().steps == n).all()
        errors.append(np.abs(chip.state[0] - expected).max())
    order = -slope_of(counts, errors)
    assert abs(order - ORDERS[method]) < 0.15, (order, errors)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("synapse", [0.0, 0.5])
@pytest.mark.parametrize("wiring", ["reciprocal", "skip"])
def test_rk45_follows_the_same_path_as_scipy(wiring, synapse, law):
    neurons = NeuronDevices(tau_sigma=0.2, synapse_tau=synapse)
    more = {"method": "rk45", "accuracy": 1e-9}
    chip = random_chip(wiring, law=law, neurons=neurons, phase=Phase(duration=3.0), dynamics=more)
    x, _ = random_batch(chip, 1)
    expected = follow(chip, x, 3.0)
    settled = chip.settle()
    np.testing.assert_allclose(settled.time, 3.0, rtol=1e-12)
    np.testing.assert_allclose(chip.state[0], expected, rtol=0, atol=2e-8)
    assert settled.steps[0] < 200


def test_every_sample_of_rk45_chooses_its_own_steps():
    chip = random_chip(phase=Phase(duration=5.0), dynamics={"method": "rk45", "accuracy": 1e-8})
    x, _ = random_batch(chip, 8)
    chip.set_input(x * np.arange(8)[:, None])
    whole, steps = (chip.settle(), chip.state), None
    chip.set_input(x[5:6] * 5.0)
    steps = chip.settle().steps
    assert whole[0].steps[5] == steps[0]
    assert len(set(whole[0].steps.tolist())) > 1
    np.testing.assert_allclose(chip.state[0], whole[1][5], rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["rk45", "exponential", "rk4"])
def test_time_constants_spread_over_a_hundred(method):
    """Two decades of time constants: the path is right, and so is the rest point."""
    topology = Topology({"in": 2, "out": 3}, ["in-out", "out-out"])
    rng = np.random.default_rng(0)
    blocks = {"weight/in-out": rng.normal(size=(2, 3)), "weight/out-out": 0.3 * rng.normal(size=(3, 3))}
    chip = Chip(Design(topology, "tanh", "mse", Dynamics()), blocks | {"bias/out": np.zeros(3)})
    tau = np.array([0.02, 0.3, 2.0])

    def spread(phase, **more):
        made = Chip(
            chip.design._replace(dynamics=Dynamics(method=method, free=phase, nudged=phase, **more)),
            blocks | {"bias/out": np.zeros(3)},
        )
        made._machine = made._machine._replace(tau=tau)
        made.membranes.tau = tau
        made.set_input(np.array([[0.7, -0.4]]))
        return made

    made = spread(Phase(duration=1.0), dt=5e-4, accuracy=1e-9)
    expected = follow(made, np.array([[0.7, -0.4]]), 1.0)
    made.settle()
    np.testing.assert_allclose(made.state[0], expected, rtol=0, atol=1e-3 if method == "exponential" else 1e-8)
    resting = spread(Phase(tolerance=1e-10, max_steps=100_000), dt=0.02)
    assert (resting.settle().status == Status.SETTLED).all()
    a = np.tanh(resting.state[0])
    np.testing.assert_allclose(resting.state[0], blocks["weight/out-out"].T @ a + resting.constant_drive[0], atol=1e-9)


def test_the_exponential_method_takes_the_leak_exactly():
    topology = Topology({"in": 1, "out": 2}, ["in-out"])
    blocks = {"weight/in-out": np.array([[1.0, -2.0]]), "bias/out": np.array([0.5, 0.0])}
    for dt in (0.1, 1.0, 5.0):
        chip = Chip(Design(topology, "tanh", "mse", dynamics(dt, Phase(duration=5.0), method="exponential")), blocks)
        chip.set_input(np.ones((1, 1)))
        chip.settle()
        np.testing.assert_allclose(chip.state[0], np.array([1.5, -2.0]) * -np.expm1(-5.0), rtol=1e-14)


@pytest.mark.parametrize("activation_name", ["sigmoid", "tanh", "softplus", "identity"])
def test_energy_never_rises_for_symmetric_couplings(activation_name):
    """``E = |u|^2/2 - a W a/2 - I a`` falls along the hopfield law, step by step below the stability limit."""
    chip = random_chip(law="hopfield", symmetric=True, activation=activation_name, dt=0.1, phase=Phase(steps=120))
    x, _ = random_batch(chip, 4)
    chip.set_input(x)
    states = []
    chip.settle(record=(1, states.append))
    coupling = chip.topology.coupling(chip.effective)
    u = np.array(states)
    a = chip.activity_of(u.reshape(-1, u.shape[2])).reshape(u.shape)
    energy = LAWS["hopfield"].energy(u, a, np.zeros_like(u), a @ coupling.T, chip.constant_drive)
    assert (np.diff(energy, axis=0) <= 1e-13).all()
    assert (energy[0] - energy[-1] > 1e-3).all()


@pytest.mark.parametrize("name", [name for name in activation.CODES if name != "hard-sigmoid"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_manufactured_fixed_points_of_the_hopfield_law(wiring, name):
    """Bias chosen so that a drawn state rests: ``I = u/rho' - W a``."""
    chip = random_chip(wiring, law="hopfield", activation=name, scale=0.2)
    wanted = np.random.default_rng(5).uniform(0.1, 0.6, size=chip.topology.units)
    code = activation.CODES[name]
    drive = wanted / activation.slope(code, wanted) - chip.topology.coupling(chip.effective) @ activation.activity(
        code, wanted
    )
    chip.set_input(np.zeros((1, 6)))
    chip._constant = drive[None]
    chip._free = wanted[None] + 1e-3
    assert linearise(chip, wanted[None]).jacobian(0).shape == (16, 16)
    stable = np.linalg.eigvals(linearise(chip, wanted[None]).jacobian(0)).real.max() < -0.02
    assert stable, "choose another draw"
    assert chip.settle(start="free").status[0] == Status.SETTLED
    np.testing.assert_allclose(chip.state[0], wanted, rtol=0, atol=1e-11)


def ring(dt, phase, size=3.0, **more):
    """Return three units that chase each other: a limit cycle."""
    topology = Topology({"in": 1, "out": 3}, ["in-out", "out-out"])
    chase = -size * np.roll(np.eye(3), 1, axis=1)
    blocks = {"weight/in-out": np.array([[0.1, 0.0, 0.0]]), "weight/out-out": chase, "bias/out": np.zeros(3)}
    chip = Chip(Design(topology, "tanh", "mse", dynamics(dt, phase, **more)), blocks)
    chip.set_input(np.ones((2, 1)))
    return chip


@pytest.mark.parametrize("method", ["euler", "heun", "rk4", "exponential"])
def test_a_limit_cycle_is_named(method):
    settled = ring(0.05, Phase(max_steps=20_000), method=method).settle()
    assert (settled.status == Status.CYCLE).all()
    assert (settled.steps < 10_000).all()


def test_a_spiral_into_rest_is_no_cycle():
    assert (ring(0.05, Phase(max_steps=20_000, tolerance=1e-9), 1.8).settle().status == Status.SETTLED).all()


def test_rk45_that_never_rests_stalls():
    settled = ring(0.05, Phase(max_steps=20_000), method="rk45").settle()
    assert (settled.status == Status.STALLED).all()


def test_single_precision_stalls_at_its_rounding_and_says_so():
    chip = random_chip(phase=Phase(tolerance=1e-9), dynamics={"precision": "single"})
    x, _ = random_batch(chip, 20)
    chip.set_input(x)
    settled = chip.settle()
    assert (settled.status == Status.STALLED).all()
    assert (settled.residual < 1e-6).all()
    assert (settled.steps < 300).all()
    double = random_chip()
    double.set_input(x)
    double.settle()
    np.testing.assert_allclose(chip.state, double.state, rtol=0, atol=3e-6)


def test_every_status_has_advice():
    assert [bool(status.advice) for status in Status] == [status != Status.SETTLED for status in Status]


@pytest.mark.parametrize("wiring", ["reciprocal", "lateral"])
@pytest.mark.parametrize("beta", [0.2, 0.2 + 0.1j])
def test_a_held_nudge_is_a_constant_current(wiring, beta):
    chip = random_chip(wiring, phases=Phases(nudge="held"))
    x, y = random_batch(chip, 4)
    chip.set_input(x)
    chip.settle()
    free = chip.activity_of(chip.state)[:, chip.topology.columns["out"]]
    z = np.exp(free @ chip.readout.weight + chip.readout.bias)
    force = (z / z.sum(axis=1, keepdims=True) - y) @ chip.readout.weight.T
    assert (chip.settle(Nudge(beta, y), "free").status == Status.SETTLED).all()
    u = chip.state
    drift = chip.activity_of(u) @ chip.topology.coupling(chip.effective).T + chip.constant_drive - u
    drift[:, chip.topology.columns["out"]] -= beta * force
    assert np.abs(drift).max() < 1e-13


def test_start_previous_goes_on_where_the_last_settling_ended():
    short = {"start": "previous", "free": Phase(steps=3), "nudged": Phase(steps=3)}
    chip, twice = random_chip(dynamics=short), random_chip(phase=Phase(steps=6))
    x, _ = random_batch(chip, 3)
    for bench, times in ((chip, 2), (twice, 1)):
        bench.set_input(x)
        for _ in range(times):
            bench.settle()
    np.testing.assert_array_equal(chip.state, twice.state)
    chip.set_input(x)
    np.testing.assert_array_equal(chip.state, twice.state)
    chip.set_input(x[:2])
    assert (chip.state == 0.0).all()


def test_a_second_pole_rings_and_keeps_the_rest_point():
    """Eigenvalue -3 of the coupling becomes -1.5 +- 2.4i behind a pole of 0.5 tau."""
    topology = Topology({"in": 1, "out": 1}, ["in-out", "out-out"])
    blocks = {"weight/in-out": np.array([[1.0]]), "weight/out-out": np.array([[-3.0]]), "bias/out": np.zeros(1)}
    states = {}
    for synapse in (0.0, 0.5):
        design = Design(topology, "identity", "mse", dynamics(0.01, Phase(duration=2.0), method="rk4"))
        chip = Chip(design.replace(neurons=NeuronDevices(synapse_tau=synapse)), blocks)
        chip.set_input(np.ones((1, 1)))
        recording = Recording()
        chip.settle(record=recording)
        states[synapse] = recording.states[:, 0, 0]
    t = 0.01 * np.arange(len(states[0.5]))
    w = np.sqrt(8.0 - 2.25)
    expected = 0.25 * (1.0 - np.exp(-1.5 * t) * (np.cos(w * t) + 1.5 / w * np.sin(w * t)))
    np.testing.assert_allclose(states[0.5], expected, rtol=0, atol=1e-7)
    assert states[0.5].max() > 0.28
    assert states[0.0].max() <= 0.25


@pytest.mark.parametrize("every", [1, 7])
def test_a_recording_keeps_what_was_selected(every):
    chip = random_chip(phase=Phase(steps=30))
    x, y = random_batch(chip, 20)
    chip.set_input(x)
    seen, recording = [], Recording(every, np.array([3, 17]), np.array([0, 5]))
    chip.settle(record=(every, seen.append))
    chip.settle(record=recording)
    np.testing.assert_array_equal(recording.states, np.array(seen)[:, [3, 17]][:, :, [0, 5]])
    chip.settle(Nudge(0.1j, y), "free", Recording(every))


def test_a_recording_that_is_too_large_is_refused_before_the_run():
    chip = random_chip(phase=Phase(duration=50.0))
    chip.set_input(random_batch(chip, 20)[0])
    with pytest.raises(ValueError, match=r"takes 0.249 MiB, the limit is 0.2466 MiB: record fewer"):
        chip.settle(record=Recording(limit=101 * 20 * 16 * 8))
    chip.settle(record=Recording(limit=102 * 20 * 16 * 8))
    huge = random_chip(phase=Phase(steps=10_000_000))
    huge.set_input(random_batch(huge, 20)[0])
    with pytest.raises(ValueError, match="the limit is 2048 MiB"):
        huge.settle(record=Recording())


def test_a_complex_nudge_needs_a_holomorphic_activation():
    chip = random_chip(activation="hard-sigmoid")
    x, y = random_batch(chip, 2)
    chip.set_input(x)
    chip.settle(Nudge(0.1, y))
    with pytest.raises(ValueError, match=r"network\.activation has no complex values"):
        chip.settle(Nudge(0.1j, y))


def test_a_measured_curve_settles_like_the_law_it_was_measured_from():
    u = np.linspace(-4.0, 4.0, 4001)
    chips = [random_chip(activation=law) for law in ("sigmoid", activation.Curve(u, activation.activity(0, u)))]
    for chip in chips:
        chip.set_input(random_batch(chip, 3)[0])
        assert (chip.settle().status == Status.SETTLED).all()
    np.testing.assert_allclose(chips[1].state, chips[0].state, rtol=0, atol=1e-5)


def test_the_nudged_tolerance_follows_the_nudge_and_a_loose_one_is_reported():
    assert Phase().end("double", 0.2) == 2e-4
    assert Phase().end("double", 0.2j) == 2e-4
    assert Phase().end("single", 1e-3) == 1e-5
    assert Phase().end("double") == 1e-9
    assert Phase(tolerance=1e-3).end("double", 0.2) == 1e-3
    loose = Dynamics(nudged=Phase(tolerance=1e-3))
    assert loose.looseness(0.2) is None
    assert loose.looseness(0.05)[1] == "give at most 0.0005, or leave it out"


def test_tau_spread_is_the_chips_own_and_a_negative_one_is_refused():
    chips = [random_chip(neurons=NeuronDevices(tau_sigma=0.2), instance=i) for i in (0, 0, 1)]
    np.testing.assert_array_equal(chips[0].membranes.tau, chips[1].membranes.tau)
    assert (chips[0].membranes.tau != chips[2].membranes.tau).all()
    assert (random_chip().membranes.tau == 1.0).all()
    assert (chips[0].ideal().membranes.tau == 1.0).all()
    with pytest.raises(ValueError, match=r"devices\.neurons\.tau_sigma = 1: a factor is"):
        random_chip(neurons=NeuronDevices(tau_sigma=1.0))


def test_wrong_tables_and_lengths_are_refused():
    for order, rows, b in ((2, [[1.0]], [0.4, 0.6]), (3, [[1.0]], [0.5, 0.5]), (1, [], [0.9])):
        with pytest.raises(ValueError, match="no explicit method of order"):
            _make_tableau(order, rows, b)
    assert [table.order for table in TABLES.values()] == [1, 1, 2, 4, 5]
    for wrong in ({"steps": 3, "duration": 1.0}, {"window": 1.0}, {"steps": 3, "max_steps": 5}):
        with pytest.raises(ValueError, match="phase"):
            Phase(**wrong)
    with pytest.raises(ValueError, match="has no time"):
        Dynamics(mode="equilibrium", free=Phase(steps=3))
    with pytest.raises(ValueError, match="rk45 chooses its steps"):
        Dynamics(method="rk45", free=Phase(steps=3))
    assert TIGHT.tolerance == 1e-14
