"""Sweeps: rest points, statuses, the accelerator, the audit, the certificate; and what no mode may depend on."""

import numpy as np
import pytest

from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Phase
from substrate.laws.law import LAWS
from substrate.network.topology import Topology
from substrate.protocol import Nudge, Status
from substrate.settling import equilibrium as module
from substrate.settling.equilibrium import Audit
from substrate.settling.recording import Recording
from substrate.theory.linearisation import Linearisation, find_equilibrium, linearise
from substrate.theory.spectrum import find_rightmost
from tests.networks import TIGHT, WIRINGS, dynamics, one_block, random_batch, random_chip

SWEEPS = {"mode": "equilibrium"}
FINE = Phase(tolerance=1e-12, max_steps=20_000)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("acceleration", ["anderson", "none"])
def test_sweeps_find_where_the_trajectory_rests(wiring, law, acceleration):
    chips = [
        random_chip(wiring, law=law, phase=FINE, scale=0.4, dynamics=more)
        for more in ({}, {**SWEEPS, "acceleration": acceleration})
    ]
    x, y = random_batch(chips[0], 20)
    for nudge in (None, Nudge(0.3, y), Nudge(0.2 + 0.2j, y)):
        for chip in chips:
            if nudge is None:
                chip.set_input(x)
            settled = chip.settle(nudge, "free" if nudge else "zero")
            assert (settled.status == Status.SETTLED).all()
            assert (settled.residual < 1e-12).all()
        np.testing.assert_allclose(chips[1].state, chips[0].state, rtol=0, atol=2e-11)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_the_residual_of_sweeps_is_that_of_the_drift(activation):
    """Recomputed in NumPy, at a tolerance that is reached in few sweeps."""
    chip = random_chip(activation=activation, phase=Phase(tolerance=1e-4), cost="mse", dynamics=SWEEPS)
    x, y = random_batch(chip, 20)
    chip.set_input(x)
    chip.settle()
    settled = chip.settle(Nudge(0.4, y), "free")
    a = chip.activity_of(chip.state)
    drift = a @ chip.topology.coupling(chip.effective).T + chip.constant_drive - chip.state
    out = chip.topology.columns["out"]
    drift[:, out] -= 0.4 * (a[:, out] - y)
    np.testing.assert_allclose(settled.residual, np.abs(drift).max(axis=1), rtol=0, atol=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_the_accelerator_accelerates(activation):
    steps = {}
    for acceleration in ("anderson", "none"):
        chip = random_chip(
            activation=activation, phase=FINE, scale=0.7, dynamics={**SWEEPS, "acceleration": acceleration}
        )
        chip.set_input(random_batch(chip, 24)[0])
        settled = chip.settle()
        assert (settled.status == Status.SETTLED).all()
        steps[acceleration] = settled.steps.sum()
    assert steps["anderson"] < 0.7 * steps["none"]


def bistable(size, phase, **more):
    topology = Topology({"in": 1, "l1": 2, "out": 2}, ["in-l1", "l1-out", "out-l1"])
    couple = size * np.eye(2)
    blocks = {"weight/in-l1": np.array([[0.3, -0.2]]), "weight/l1-out": couple, "weight/out-l1": couple.T}
    blocks |= {"bias/l1": np.zeros(2), "bias/out": np.zeros(2)}
    chip = Chip(Design(topology, "tanh", "mse", dynamics(0.5, phase, **more)), blocks)
    chip.set_input(np.linspace(-1.0, 1.0, 12)[:, None])
    return chip


def test_the_audit_counts_samples_that_rest_elsewhere():
    chip = bistable(1.5, FINE, mode="equilibrium", audit=8)
    settled = chip.settle()
    assert (settled.status == Status.SETTLED).all()
    assert chip.audit.checked == 8
    assert chip.audit.restless == 0
    other = bistable(1.5, FINE, mode="equilibrium", audit=12)
    other._full = other._free = np.full((12, 4), 3.0)
    found = other.settle(start="free")
    trajectory = bistable(1.5, FINE)
    trajectory.settle()
    assert (found.status == Status.SETTLED).all()
    assert other.audit == Audit(12, 0, 0)
    assert np.abs(other.state - trajectory.state).max() > 1.0


def test_the_audit_sees_another_basin(monkeypatch):
    """The trajectory is made to start in the other basin: every sample must be counted."""
    follow = module.follow_with_retries
    monkeypatch.setattr(
        module, "follow_with_retries", lambda machine, drive, start, phase: follow(machine, drive, start - 5.0, phase)
    )
    chip = bistable(1.5, FINE, mode="equilibrium", audit=12)
    chip._free = np.full((12, 4), 3.0)
    chip.settle(start="free")
    assert chip.audit == Audit(12, 12, 0)


def test_sweeps_that_cannot_settle_say_so():
    flip = Topology({"in": 1, "out": 3}, ["in-out", "out-out"])
    chase = -8.0 * np.roll(np.eye(3), 1, axis=1)
    blocks = {"weight/in-out": np.array([[0.1, 0.0, 0.0]]), "weight/out-out": chase, "bias/out": np.zeros(3)}
    design = Design(flip, "identity", "mse", dynamics(0.5, Phase(max_steps=3, tolerance=1e-9), **SWEEPS))
    chip = Chip(design, blocks)
    chip.set_input(np.ones((2, 1)))
    assert (chip.settle().status == Status.STEP_LIMIT).all()
    stuck = Chip(design._replace(dynamics=dynamics(0.5, Phase(tolerance=1e-300), **SWEEPS), activation="tanh"), blocks)
    stuck.set_input(np.full((2, 1), 0.37))
    assert np.isin(stuck.settle().status, [Status.STALLED, Status.SETTLED]).all()
    huge = bistable(1e12, Phase(tolerance=1e-9), **SWEEPS)
    huge.design = huge.design._replace(activation="identity")
    with pytest.raises(ValueError, match="follows a trajectory"):
        chip.settle(record=Recording())


def test_a_number_out_of_range_diverges_alone():
    chip = random_chip(phase=FINE, dynamics=SWEEPS)
    x, _ = random_batch(chip, 3)
    chip.set_input(x)
    chip._free = np.zeros_like(chip.constant_drive)
    chip._free[1, 3] = np.nan
    assert list(chip.settle(start="free").status) == [Status.SETTLED, Status.DIVERGED, Status.SETTLED]


@pytest.mark.parametrize("more", [{}, SWEEPS, {"precision": "single"}, {**SWEEPS, "precision": "single"}])
def test_same_bits_for_any_number_of_threads(more):
    states = []
    for threads in (1, 2, 5):
        chip = random_chip(threads=threads, phase=Phase(tolerance=1e-5), dynamics=more)
        x, y = random_batch(chip, 70)
        chip.set_input(x)
        chip.settle()
        chip.settle(Nudge(0.2 + 0.1j, y), "free")
        states.append(chip.state)
    np.testing.assert_array_equal(states[0], states[1])
    np.testing.assert_array_equal(states[0], states[2])


@pytest.mark.parametrize("more", [{}, {"method": "rk4"}, {"method": "rk45"}, SWEEPS])
@pytest.mark.parametrize("wiring", ["lateral", "reciprocal"])
def test_a_sample_does_not_depend_on_its_batch(wiring, more):
    chip = random_chip(wiring, phase=Phase(tolerance=1e-9), dynamics=more)
    x, y = random_batch(chip, 37)
    order = np.random.default_rng(0).permutation(37)
    found = []
    for rows in (np.arange(37), order, np.arange(3)):
        chip.set_input(x[rows])
        steps = chip.settle().steps
        nudged = chip.settle(Nudge(0.2, y[rows]), "free").steps
        found.append((chip.state, steps, nudged))
    for (state, *steps), rows in zip(found[1:], (order, np.arange(3)), strict=True):
        np.testing.assert_allclose(state, found[0][0][rows], rtol=0, atol=1e-12)
        for count, whole in zip(steps, found[0][1:], strict=True):
            np.testing.assert_array_equal(count, whole[rows])


def test_the_targets_and_inputs_of_the_caller_are_left_alone():
    chip = random_chip(phase=Phase(tolerance=1e-6), cost="mse")
    x, y = random_batch(chip, 40)
    kept = x.copy(), y.copy()
    chip.set_input(x)
    chip.settle()
    chip.settle(Nudge(0.3, y), "free")
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(y, kept[1])


@pytest.mark.parametrize(
    ("wiring", "colours"), [("reciprocal", 2), ("loop", 1), ("lateral", 1), ("skip", 1), ("forward", 2)]
)
def test_layers_are_coloured_when_they_can_be(wiring, colours):
    topology = random_chip(wiring).topology
    found = topology.colours()
    assert len(set(found.values())) == colours
    if colours == 2:
        assert found["out"] == 1
        assert all(found[c.pre] != found[c.post] for c in topology.recurrent())


@pytest.mark.parametrize("law", LAWS)
def test_the_certificate_is_the_rate_of_return(law):
    """Near rest the slowest mode decays like ``exp(rightmost t)``."""
    chip = random_chip(law=law, symmetric=True, dt=0.01, phase=TIGHT, dynamics={"method": "rk4"})
    chip.set_input(random_batch(chip, 2)[0])
    chip.settle()
    rest = find_equilibrium(chip).state
    rate = find_rightmost(chip, rest)
    assert (rate < 0.0).all()
    slow = []
    for i in range(2):
        values, vectors = np.linalg.eig(linearise(chip, rest[i : i + 1]).jacobian(0))
        slow.append(np.real(vectors[:, values.real.argmax()]))
    onward = chip.variant(dynamics=chip.design.dynamics.model_copy(update={"free": Phase(duration=1.0)}))
    onward.set_input(random_batch(chip, 2)[0])
    onward._free = rest + 1e-6 * np.array(slow)
    onward.settle(start="free")
    moved = onward.state - rest
    np.testing.assert_allclose(
        np.log(np.abs(moved).max(axis=1) / np.abs(1e-6 * np.array(slow)).max(axis=1)), rate, rtol=1e-3
    )


def test_a_point_that_cannot_hold_is_found_out():
    chip = bistable(1.5, FINE)
    chip.set_input(np.zeros((1, 1)))
    assert find_rightmost(chip, np.zeros((1, 4)))[0] == pytest.approx(0.5)


def test_large_chips_are_certified_by_arnoldi():
    topology = Topology({"in": 2, "l1": 320, "out": 3}, ["in-l1", "l1-out", "out-l1", "l1-l1"])
    rng = np.random.default_rng(0)
    blocks = {n: rng.normal(size=s) / np.sqrt(s[0]) if len(s) == 2 else np.zeros(s) for n, s in topology.shapes.items()}
    chip = Chip(Design(topology, "sigmoid", "mse", dynamics()), blocks)
    chip.set_input(np.ones((1, 2)))
    state = rng.normal(size=(1, 323))
    expected = np.linalg.eigvals(linearise(chip, state).jacobian(0)).real.max()
    assert find_rightmost(chip, state)[0] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("activation", ["sigmoid", "dsilu", "tanh", "softplus"])
def test_the_jacobian_of_both_laws_is_the_derivative_of_the_drift(activation):
    for law in ("additive", "hopfield"):
        chip = random_chip("lateral", law=law, activation=activation, phase=Phase(steps=1), dt=1e-3)
        x, _ = random_batch(chip, 1)
        u = np.random.default_rng(3).normal(size=(1, chip.topology.units))

        def drift(state, chip=chip, x=x):
            chip.set_input(x)
            chip._free = state
            chip.settle(start="free")
            return (chip.state - state)[0] / 1e-3

        chip.set_input(x)
        jacobian = linearise(chip, u).jacobian(0)
        step = 1e-4 * np.eye(chip.topology.units)
        columns = [(drift(u + e[None]) - drift(u - e[None])) / 2e-4 for e in step]
        np.testing.assert_allclose(jacobian, np.array(columns).T, rtol=0, atol=1e-7)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_hopfield_response_is_the_derivative_with_respect_to_the_nudge(wiring):
    chip = random_chip(wiring, law="hopfield", cost="mse", scale=0.3)
    x, y = random_batch(chip, 3)
    chip.set_input(x)
    chip.settle()
    rest = find_equilibrium(chip)
    assert rest.reached.all()
    force = np.zeros_like(rest.state)
    out = chip.topology.columns["out"]
    force[:, out] = rest.activity[:, out] - y
    ends = []
    for beta in (1e-4, -1e-4):
        chip.settle(Nudge(beta, y), "free")
        ends.append(chip.activity_of(chip.state))
    linear = linearise(chip, rest.state)
    np.testing.assert_allclose(linear.response(force), (ends[1] - ends[0]) / 2e-4, rtol=0, atol=2e-7)
    p, q = np.random.default_rng(0).normal(size=(2, *force.shape))
    np.testing.assert_allclose(
        np.sum(p * linear.response(q), axis=1), np.sum(linear.adjoint(p) * q, axis=1), rtol=1e-10
    )
    np.testing.assert_allclose(linear.inverse(1) @ q[1], linear.response(q)[1], rtol=0, atol=1e-13)
    coupling = linear.couplings.dense()
    odd = 0.5 * (coupling - coupling.T)
    exact = linear.adjoint(q)
    np.testing.assert_allclose(linear.response(q), exact + linear.response(2.0 * exact @ odd.T), rtol=0, atol=1e-12)


def test_hopfield_adjoint_is_the_gradient_of_the_cost():
    """``dC/db`` by finite differences of complete settlings."""
    chip = random_chip("reciprocal", law="hopfield", cost="mse", scale=0.3)
    x, y = random_batch(chip, 1)
    out = chip.topology.columns["out"]

    def cost(shift):
        blocks = dict(chip.programmed)
        blocks["bias/l1"] = blocks["bias/l1"] + shift
        made = Chip(chip.design, blocks)
        made.set_input(x)
        made.settle()
        return 0.5 * np.sum((made.activity_of(made.state)[:, out] - y) ** 2), made

    _, rested = cost(np.zeros(7))
    a = rested.activity_of(rested.state)
    force = np.zeros_like(a)
    force[:, out] = a[:, out] - y
    gradient = linearise(rested, rested.state).adjoint(force)[0, chip.topology.columns["l1"]]
    step = 1e-5 * np.eye(7)
    expected = [(cost(e)[0] - cost(-e)[0]) / 2e-5 for e in step]
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-9)


def test_a_linearisation_without_bend_is_the_additive_one():
    linear = Linearisation(one_block(np.array([[0.0, 0.5], [0.2, 0.0]])), np.array([[0.5, 1.0]]))
    np.testing.assert_allclose(linear.jacobian(0), [[-1.0, 0.5], [0.1, -1.0]])
