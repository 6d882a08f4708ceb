import numpy as np
import pytest
from scipy.integrate import solve_ivp

from devices.neuron import activation
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.machine import Drive
from substrate.dynamics.methods import Phase
from substrate.engine.cpu.kernels import one_stage
from substrate.engine.cpu.tiles import compute_tile_size
from substrate.engine.stopping import RUNAWAY
from substrate.network.topology import Topology
from substrate.protocol import Nudge, Status
from substrate.settling.trajectory import relax_finely
from tests.networks import WIRINGS, dynamics, random_batch, random_chip, slope_of


@pytest.mark.parametrize("activation_name", activation.CODES)
@pytest.mark.parametrize("wiring", WIRINGS)
def test_manufactured_fixed_points_are_found(wiring, activation_name):
    chip = random_chip(wiring, activation=activation_name)
    rng = np.random.default_rng(5)
    wanted = rng.normal(size=chip.topology.units)
    x = rng.uniform(size=(1, chip.topology.layers["in"]))
    code = activation.CODES[activation_name]
    blocks = dict(chip.programmed)
    blocks |= {f"bias/{name}": np.zeros(chip.topology.layers[name]) for name in chip.topology.names}
    bare = Chip(chip.design, blocks)
    bare.set_input(x)
    a = activation.activity(code, wanted)
    bias = wanted - chip.topology.coupling(blocks) @ a - bare.constant_drive[0]
    blocks |= {f"bias/{name}": part for name, part in chip.topology.split(bias).items()}
    made = Chip(chip.design, blocks)
    made.set_input(x)
    settled = made.settle()
    assert settled.status[0] == Status.SETTLED
    np.testing.assert_allclose(made.state[0], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cost", ["mse", "cross-entropy"])
@pytest.mark.parametrize("beta", [0.3, -0.3, 0.2 + 0.25j])
def test_a_nudged_rest_point_solves_its_equation(cost, beta):
    """The drift is written again here, in complex NumPy, without planes and blocks."""
    chip = random_chip("lateral", cost=cost)
    x, y = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    assert (chip.settle(Nudge(beta, y), "free").status == Status.SETTLED).all()
    u = chip.state
    a = 1.0 / (1.0 + np.exp(-(4.0 * u - 2.0)))
    drift = -u + a @ chip.topology.coupling(chip.effective).T + chip.constant_drive
    out = a[:, chip.topology.columns["out"]]
    if cost == "mse":
        force = out - y
    else:
        z = np.exp(out @ chip.readout.weight + chip.readout.bias)
        force = (z / z.sum(axis=1, keepdims=True) - y) @ chip.readout.weight.T
    drift[:, chip.topology.columns["out"]] -= beta * force
    assert np.abs(drift).max() < 1e-13


def test_euler_has_order_one():
    steps = [8, 16, 32, 64, 128, 256]
    errors = []
    for n in steps:
        chip = random_chip("reciprocal", dt=2.0 / n, phase=Phase(steps=n))
        x, _ = random_batch(chip, 1)
        chip.set_input(x)
        chip.settle()
        coupling, drive = chip.topology.coupling(chip.effective), chip.constant_drive[0]
        exact = solve_ivp(
            lambda _, u, w=coupling, d=drive: w @ activation.activity(0, u) + d - u,
            (0.0, 2.0),
            np.zeros(chip.topology.units),
            method="DOP853",
            rtol=1e-12,
            atol=1e-12,
        )
        errors.append(np.abs(chip.state[0] - exact.y[:, -1]).max())
    order = -slope_of(steps, errors)
    assert abs(order - 1.0) < 0.15, (order, errors)
    assert errors[-1] < 5e-3


def flipping_chip(dt: float, phase: Phase) -> Chip:
    """Return one unit that inhibits itself so strongly that the step-1 map flips for ever."""
    topology = Topology({"in": 1, "out": 1}, ["in-out", "out-out"])
    blocks = {"weight/in-out": [[1.5]], "weight/out-out": [[-2.0]], "bias/out": [0.0]}
    return Chip(Design(topology, "sigmoid", "mse", dynamics(dt, phase)), {k: np.array(v) for k, v in blocks.items()})


@pytest.mark.parametrize(
    ("dt", "phase", "expected"),
    [
        (0.5, Phase(tolerance=1e-9), Status.SETTLED),
        (0.5, Phase(max_steps=3, tolerance=1e-9), Status.STEP_LIMIT),
        (0.5, Phase(steps=200), Status.SETTLED),
        (0.5, Phase(steps=3), Status.STEP_LIMIT),
        (1.0, Phase(max_steps=500), Status.PERIOD_2),
        (1.0, Phase(steps=500), Status.PERIOD_2),
        (3.0, Phase(max_steps=500), Status.DIVERGED),
        (3.0, Phase(steps=500), Status.DIVERGED),
    ],
)
def test_every_status_is_reached_and_named(dt, phase, expected):
    chip = flipping_chip(dt, phase)
    chip.set_input(np.ones((2, 1)))
    settled = chip.settle()
    assert (settled.status == expected).all()
    assert (settled.residual < (phase.tolerance or 1e-9)).all() == (expected == Status.SETTLED)
    assert bool(expected.advice) == (expected != Status.SETTLED)
    if phase.steps is not None and expected != Status.DIVERGED:
        assert (settled.steps == phase.steps).all()


@pytest.mark.parametrize("start", [0.5 + 0.25j * np.pi, np.nan, 1e300])
def test_a_pole_or_a_number_out_of_range_is_a_divergence(start):
    chip = random_chip("reciprocal")
    x, _ = random_batch(chip, 2)
    chip.set_input(x)
    states = np.zeros_like(chip.constant_drive, dtype=complex)
    states[0, 3] = start
    drive = Drive(chip.constant_drive, 0.0, np.zeros((2, 0)))
    settled = relax_finely(chip._machine, drive, states, Phase()).settled
    assert list(settled.status) == [Status.DIVERGED, Status.SETTLED]
    assert settled.residual[0] > RUNAWAY


def test_same_bits_for_any_number_of_threads():
    states = []
    for threads in (1, 2, 5):
        chip = random_chip("lateral", threads=threads)
        x, y = random_batch(chip, 70)
        chip.set_input(x)
        chip.settle()
        chip.settle(Nudge(0.2 + 0.1j, y), "free")
        states.append(chip.state)
    np.testing.assert_array_equal(states[0], states[1])
    np.testing.assert_array_equal(states[0], states[2])


@pytest.mark.parametrize("method", ["euler", "exponential", "heun", "rk4", "rk45"])
def test_a_sample_has_the_same_bits_in_any_batch(method):
    end = Phase(duration=10.0) if method == "rk45" else Phase(steps=40)
    chip = random_chip("lateral", phase=end, dynamics={"method": method})
    x, _ = random_batch(chip, 37)

    def settled(rows):
        chip.set_input(x[rows])
        chip.settle()
        return chip.state

    whole = settled(slice(None))
    order = np.random.default_rng(0).permutation(37)
    np.testing.assert_array_equal(settled(order), whole[order])
    for first, last in ((0, 1), (5, 6), (0, 3), (7, 20), (30, 37)):
        np.testing.assert_array_equal(settled(slice(first, last)), whole[first:last])


def test_recording_changes_nothing_and_sees_every_state():
    chip = random_chip("reciprocal")
    x, _ = random_batch(chip, 3)
    chip.set_input(x)
    plain = chip.settle()
    end = chip.state
    seen = []
    recorded = chip.settle(record=(4, seen.append))
    np.testing.assert_array_equal(chip.state, end)
    for a, b in zip(plain, recorded, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(seen) == 1 + -(-int(plain.steps.max() + 1) // 4)
    assert (seen[0] == 0.0).all()
    np.testing.assert_array_equal(seen[-1], end)


@pytest.mark.parametrize(
    ("batch", "rows"), [(1, 1), (16, 16), (17, 9), (50, 25), (64, 32), (65, 17), (500, 32), (5000, 32)]
)
def test_tiles_depend_on_the_batch_alone(batch, rows):
    assert compute_tile_size(batch, 32) == rows


def test_the_stepping_loop_is_compiled_once():
    chip = random_chip("reciprocal")
    x, y = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    chip.settle(Nudge(0.1, y), "free")
    chip.settle(Nudge(0.1j, y), "free")
    flipping_chip(0.5, Phase()).set_input(np.ones((1, 1)))
    # Once per precision: nothing in a scenario starts another compilation.
    assert len(one_stage.advance_one_stage.signatures) <= 2
