"""Gains and slopes of single units, and the limit of their speed."""

import numpy as np
import pytest
from pydantic import ValidationError

from devices.neuron import activation
from devices.neuron.membrane import NeuronDevices, sample_unit_factors
from devices.random import Stream
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.chip.membranes import sample_transfer
from substrate.dynamics.methods import Dynamics, Phase
from substrate.laws.law import LAWS
from substrate.network.topology import Topology
from substrate.protocol import Nudge, Status
from substrate.theory.linearisation import find_equilibrium, find_saturated, linearise
from tests.networks import random_batch, random_chip

SPREAD = NeuronDevices(gain_sigma=0.2, slope_sigma=0.1, open_loop_gain=50.0)


def transfer(chip):
    return sample_transfer(chip.design, chip.fabrication)


def settled(chip, samples=3):
    x, y = random_batch(chip, samples)
    chip.set_input(x)
    assert (chip.settle().status == Status.SETTLED).all()
    return x, y


def test_a_chip_without_spread_has_no_factors_at_all():
    assert transfer(random_chip()).gain.shape == transfer(random_chip()).steep.shape == (0,)
    assert transfer(random_chip(neurons=NeuronDevices(offset_sigma=0.1))).gain.shape == (0,)


@pytest.mark.parametrize("law", activation.CODES)
def test_units_follow_their_own_curve(law):
    chip = random_chip(activation=law, neurons=SPREAD)
    curve, u = transfer(chip), np.random.default_rng(0).normal(size=(3, chip.topology.units))
    expected = curve.gain * activation.activity(curve.code, curve.steep * u)
    np.testing.assert_allclose(chip.activity_of(u), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.activity(u), expected)
    step = 1e-5
    numeric = (curve.activity(u + step) - curve.activity(u - step)) / (2.0 * step)
    np.testing.assert_allclose(curve.slope(u), numeric, rtol=0, atol=1e-8)
    numeric = (curve.slope(u + step) - curve.slope(u - step)) / (2.0 * step)
    np.testing.assert_allclose(curve.curvature(u), numeric, rtol=0, atol=1e-7)


def test_the_complex_plane_has_the_same_gains_and_slopes():
    chip = random_chip(activation="tanh", neurons=SPREAD)
    curve, u = transfer(chip), np.random.default_rng(0).normal(size=(2, 3, chip.topology.units))
    z = u[0] + 0.3j * u[1]
    np.testing.assert_allclose(chip.activity_of(z), curve.gain * np.tanh(curve.steep * z), rtol=0, atol=1e-13)


@pytest.mark.parametrize("mode", ["trajectory", "equilibrium"])
def test_gains_and_slopes_are_those_of_other_couplings(mode):
    """``v = s u`` and ``a = g rho(v)`` make the additive law one of units without spread and ``s_i W_ij g_j``."""
    chip = random_chip("lateral", cost="mse", neurons=SPREAD, dynamics={"mode": mode})
    settled(chip)
    curve = transfer(chip)
    coupling, drive = chip.topology.coupling(chip.effective), chip.constant_drive
    v, scaled = chip.state * curve.steep, curve.steep[:, None] * coupling * curve.gain
    rest = np.asarray(activation.activity(curve.code, v)) @ scaled.T + curve.steep * drive
    np.testing.assert_allclose(v, rest, rtol=0, atol=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_the_exact_side_knows_gains_and_slopes(law):
    """Response by finite differences; the adjoint is its transpose, and the gradient that of the cost."""
    chip = random_chip("loop", cost="mse", law=law, neurons=SPREAD)
    _, y = settled(chip)
    rest, output, step, ends = find_equilibrium(chip), chip.topology.columns["out"], 1e-4, []
    assert rest.reached.all()
    force = np.zeros_like(rest.state)
    force[:, output] = rest.activity[:, output] - y
    linear = linearise(chip, rest.state)
    for beta in (step, -step):
        chip.settle(Nudge(beta, y), "free")
        ends.append(chip.activity_of(chip.state))
    np.testing.assert_allclose(linear.response(force), (ends[1] - ends[0]) / (2.0 * step), rtol=0, atol=3e-8)
    costs = []
    for sign in (1.0, -1.0):
        blocks = chip.programmed | {"bias/l1": chip.programmed["bias/l1"] + sign * step * np.eye(7)[2]}
        moved = Chip(chip.design, blocks, chip.fabrication)
        settled(moved)
        costs.append(0.5 * ((moved.activity_of(moved.state)[:, output] - y) ** 2).sum(axis=1))
    gradient = (costs[0] - costs[1]) / (2.0 * step)
    np.testing.assert_allclose(linear.adjoint(force)[:, chip.topology.columns["l1"]][:, 2], gradient, rtol=0, atol=1e-8)


@pytest.mark.parametrize("law", LAWS)
def test_the_adjoint_state_knows_gains_and_slopes(law):
    chip = random_chip("loop", cost="mse", law=law, neurons=SPREAD)
    _, y = settled(chip)
    chip.settle_errors(y)
    rest, output = find_equilibrium(chip), chip.topology.columns["out"]
    force = np.zeros_like(rest.state)
    force[:, output] = rest.activity[:, output] - y
    exact = chip.topology.split(linearise(chip, rest.state).adjoint(force))
    for layer, delta in chip.read_errors().items():
        np.testing.assert_allclose(delta, exact[layer], rtol=0, atol=1e-10)


def test_steep_units_saturate_earlier():
    chip = random_chip(neurons=NeuronDevices(slope_sigma=0.3))
    curve, u = transfer(chip), np.full((1, 16), 1.6)
    # sigmoid(4 s u - 2): a twentieth of the largest slope is at 4 s u - 2 = 4.3567.
    np.testing.assert_array_equal(find_saturated(chip, u)[0], 4.0 * curve.steep * 1.6 - 2.0 > 4.35669)
    assert 0 < find_saturated(chip, u).sum() < 16


def test_factors_have_their_spread_and_stay_positive():
    found = sample_unit_factors(100_000, 0.1, Stream(0, "a"), "gain_sigma")
    # Standard errors 3.2e-4 of the mean and 2.2e-4 of the spread; 4 of them, false alarm 6e-5 each.
    assert abs(found.mean() - 1.0) < 4 * 3.2e-4
    assert abs(found.std() - 0.1) < 4 * 2.3e-4
    for key in ("gain_sigma", "slope_sigma", "tau_sigma"):
        with pytest.raises(ValueError, match=rf"devices\.neurons\.{key} = 1: a factor is -"):
            random_chip(neurons=NeuronDevices(**{key: 1.0}))


def test_the_same_silicon_grows_with_its_spread():
    one, two = (transfer(random_chip(neurons=NeuronDevices(gain_sigma=s))).gain - 1.0 for s in (0.1, 0.2))
    np.testing.assert_allclose(two, 2.0 * one, rtol=1e-12)


def test_a_buffer_of_finite_gain_loses_its_share():
    gain = transfer(random_chip(neurons=NeuronDevices(open_loop_gain=99.0))).gain
    np.testing.assert_allclose(gain, 0.99, rtol=1e-14)


# Slew


def single(method, slew, dt, duration, **more):
    """Return a chip of one unit without couplings, driven to 2."""
    topology = Topology({"in": 1, "out": 1}, ["in-out"])
    phase = Phase(duration=duration)
    design = Design(topology, "identity", "mse", Dynamics(method=method, dt=dt, free=phase, nudged=phase, **more))
    chip = Chip(
        design.replace(neurons=NeuronDevices(slew=slew)),
        {"weight/in-out": np.ones((1, 1)), "bias/out": np.zeros(1)},
    )
    chip.set_input(np.array([[2.0]]))
    return chip


@pytest.mark.parametrize(("method", "atol"), [("exponential", 2e-3), ("euler", 3e-3), ("heun", 1e-5), ("rk4", 1e-5)])
@pytest.mark.parametrize("duration", [1.0, 3.0, 5.0])
def test_a_limited_membrane_runs_straight_and_then_relaxes(method, atol, duration):
    """At 0.5 per tau the drift 2 - u is cut until u = 1.5, at 3 tau; then it decays."""
    chip = single(method, 0.5, 0.01, duration)
    chip.settle()
    expected = 0.5 * duration if duration <= 3.0 else 2.0 - 0.5 * np.exp(3.0 - duration)
    assert chip.state[0, 0] == pytest.approx(expected, abs=atol)


def test_a_limited_membrane_of_the_adaptive_method():
    chip = single("rk45", 0.5, 0.01, 5.0, accuracy=1e-9)
    chip.settle()
    assert chip.state[0, 0] == pytest.approx(2.0 - 0.5 * np.exp(-2.0), abs=1e-6)


@pytest.mark.parametrize("method", ["euler", "exponential", "rk4"])
def test_no_membrane_is_faster_than_the_limit_and_all_come_to_the_same_rest(method):
    neurons = NeuronDevices(tau_sigma=0.2, synapse_tau=0.3, slew=0.05)
    chip = random_chip("loop", neurons=neurons, dt=0.1, dynamics={"method": method})
    x, _ = random_batch(chip, 3)
    chip.set_input(x)
    states = []
    assert (chip.settle(record=(1, states.append)).status == Status.SETTLED).all()
    speed = np.abs(np.diff(states, axis=0)).max() / 0.1
    assert 0.05 * 0.999 < speed < 0.05 * (1.0 + 1e-9)
    free = chip.variant(neurons=neurons.model_copy(update={"slew": None}))
    free.set_input(x)
    free.settle()
    np.testing.assert_allclose(chip.state, free.state, rtol=0, atol=1e-12)


def test_a_limit_that_is_never_met_changes_no_state():
    found = []
    for slew in (None, 1e6):
        chip = random_chip("loop", neurons=NeuronDevices(slew=slew), dt=0.5, phase=Phase(steps=20))
        chip.set_input(random_batch(chip, 3)[0])
        chip.settle()
        found.append(chip.state)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"slew": 0.0}, "greater than 0"),
        ({"slew": "0 V/us"}, "greater than 0"),
        ({"slew": "1 V"}, "V/s"),
        ({"gain_sigma": -0.1}, "gain_sigma"),
        ({"slope_sigma": 1.1}, "slope_sigma"),
        ({"open_loop_gain": 0.5}, "open_loop_gain"),
    ],
)
def test_nonsense_is_told(keys, words):
    with pytest.raises(ValidationError, match=words):
        NeuronDevices(**keys)
