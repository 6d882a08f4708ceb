"""Time, not the number of steps, decides how a settling ends: the same ends at dt, dt/10, ..., dt/10^4."""

import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import MOST_STEPS, Dynamics, Phase
from substrate.network.topology import Topology
from substrate.protocol import Status
from substrate.theory.linearisation import find_equilibrium

STEPS = [0.1, 0.01, 1e-3]
"""Time steps, in tau."""

FINEST = [1e-4, 1e-5]
"""Those that take more than a second each."""

TRIAL = Phase(max_steps=MOST_STEPS, tolerance=1e-3)


def pair(dt, phase=TRIAL, weight=0.5, neurons=None, **more):
    """Return two linear units, the second of which is fed back to itself."""
    topology = Topology({"in": 1, "l1": 1, "out": 1}, ["in-l1", "l1-out", "out-out"])
    one = np.ones((1, 1))
    blocks = {"weight/in-l1": one, "weight/l1-out": one, "weight/out-out": weight * one}
    blocks |= {"bias/l1": np.zeros(1), "bias/out": np.zeros(1)}
    dynamics = Dynamics(dt=dt, free=phase, nudged=phase, **more)
    chip = Chip(Design(topology, "identity", "mse", dynamics).replace(neurons=neurons or NeuronDevices()), blocks)
    chip.set_input(np.array([[1.0], [-0.3]]))
    return chip


KINDS = {
    "plain": {},
    "slow unit": {"weight": 0.9},
    "slow pole": {"neurons": NeuronDevices(synapse_tau=5.0)},
    "fast pole": {"neurons": NeuronDevices(synapse_tau=0.2)},
    "slew": {"neurons": NeuronDevices(slew=0.05)},
}


def compare_ends(kind, method, steps):
    """Hold that each step ends with the same state after the same time, to the first order of dt."""
    times, states = [], []
    for dt in steps:
        chip = pair(dt, method=method, **KINDS[kind])
        settled = chip.settle()
        assert (settled.status == Status.SETTLED).all(), dt
        assert find_equilibrium(chip).reached.all(), dt
        times.append(settled.time)
        states.append(chip.state)
    for dt, time, state in zip(steps, times, states, strict=True):
        assert np.abs(time / times[-1] - 1.0).max() < 1.5 * dt + 1e-3, dt
        assert np.abs(state - states[-1]).max() < 0.02 * dt + 1e-6, dt


@pytest.mark.parametrize("method", ["euler", "heun", "exponential"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_finer_step_ends_alike(kind, method):
    compare_ends(kind, method, STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_finest_steps_end_alike(kind):
    compare_ends(kind, "exponential", STEPS + FINEST)


def test_an_adaptive_step_judges_time_too():
    """Steps that a fast pole keeps at microseconds of tau are no reason to give up."""
    chip = pair(0.1, Phase(max_steps=100_000, tolerance=1e-2), method="rk45", neurons=NeuronDevices(synapse_tau=1e-3))
    settled = chip.settle()
    assert (settled.status == Status.SETTLED).all()
    assert (settled.steps > 2000).all()


def test_a_slew_limit_is_followed_to_its_end():
    """No drift falls while membranes move at constant speed: ``u = slew t`` takes hundreds of time constants."""
    for method in ("euler", "heun", "rk45"):
        chip = pair(0.1, Phase(max_steps=10**6), method=method, neurons=NeuronDevices(slew=1e-3))
        settled = chip.settle()
        assert (settled.status == Status.SETTLED).all(), method
        assert (settled.time > 600.0).all(), method


def test_single_precision_says_where_a_step_is_below_its_rounding():
    """At dt = 1e-4 a drift of 1e-3 changes no number of seven digits: stalled at once, not after a time."""
    phase = Phase(max_steps=MOST_STEPS, tolerance=1e-5)
    coarse = pair(0.1, phase, precision="single").settle()
    assert (coarse.status == Status.SETTLED).all()
    chip = pair(1e-4, phase, precision="single")
    settled = chip.settle()
    assert (settled.status == Status.STALLED).all()
    assert (settled.residual < 2.0**-23 * 2.0 / 1e-4).all()
    assert (settled.time < 30.0).all()


def test_the_oracle_chooses_its_own_steps():
    """Neither a step too fine to arrive nor one too coarse to be stable keeps it from the rest point."""
    for dt, weight in ((1e-6, 0.5), (0.5, -6.0)):
        chip = pair(dt, Phase(max_steps=5, tolerance=1e-3), weight=weight)
        chip.settle()
        found = find_equilibrium(chip)
        assert found.reached.all()
        np.testing.assert_allclose(found.state[:, 1], np.array([1.0, -0.3]) / (1.0 - weight), rtol=1e-9)
