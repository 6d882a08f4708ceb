"""Settlings of the same chip on both engines: the same ends after the same steps, the same states to rounding."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from devices.neuron.activation import Curve
from devices.neuron.membrane import NeuronDevices
from devices.synapse.twin import Twin
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.protocol import Status
from tests.networks import random_chip

from .both import assert_equal, on, settle, settle_on_both

pytestmark = pytest.mark.jax

REST = Phase(tolerance=1e-9)
SPREAD = NeuronDevices(tau_sigma=0.1, gain_sigma=0.1, slope_sigma=0.1, slew=0.4)
CURVE = Curve(np.linspace(-2.0, 2.0, 9), np.tanh(np.linspace(-2.0, 2.0, 9)))
CHIPS = {
    "euler": ({}, ("signs", "complex", "cosine", "rotation")),
    "euler, fixed length": ({"phase": Phase(steps=25)}, ("signs", "complex")),
    "held nudge": ({"phases": Phases(nudge="held")}, ("signs", "complex")),
    "correction": ({"correction": "programmed", "sigma": 0.2}, ("signs", "complex")),
    "second copy of the cells": ({"twin": Twin(mismatch_sigma=0.2)}, ("signs",)),
    "exponential": (
        {"wiring": "loop", "activation": "dsilu", "cost": "mse", "neurons": SPREAD, "method": "exponential"},
        ("signs", "cosine"),
    ),
    "heun": ({"wiring": "lateral", "activation": "tanh", "law": "hopfield", "method": "heun"}, ("signs", "complex")),
    "rk4": (
        {"wiring": "skip", "activation": "softplus", "scale": 0.3, "neurons": NeuronDevices(synapse_tau=0.7)}
        | {"method": "rk4"},
        ("signs", "complex"),
    ),
    "rk45": ({"activation": "dsilu", "cost": "mse", "method": "rk45"}, ("signs", "complex")),
    "rk45, fixed length": (
        {"activation": "dsilu", "cost": "mse", "method": "rk45", "phase": Phase(duration=7.3)},
        ("signs", "complex"),
    ),
    "measured curve": ({"activation": CURVE, "law": "hopfield", "method": "exponential"}, ("signs",)),
    "no way back": ({"wiring": "forward", "activation": "hard-sigmoid"}, ("signs",)),
}
"""Keywords of `random_chip`, and nudges."""


def make_chip(method="euler", phase=REST, precision="double", **keys):
    return random_chip(phase=phase, dynamics={"method": method, "precision": precision}, **keys)


@pytest.mark.parametrize("name", CHIPS)
def test_both_engines_settle_alike(name):
    keys, nudges = CHIPS[name]
    pairs = settle_on_both(make_chip(**keys), nudges)
    assert len(pairs) == 1 + len(nudges)
    for cpu, jax in pairs:
        # Near rest the error that chooses the steps of rk45 is a small difference of drifts.
        assert_equal(cpu, jax, pace=1e-6 if name == "rk45" else 1e-12)
        assert np.abs(cpu.state).max() > 0.1
        if np.iscomplexobj(cpu.state):
            assert np.abs(cpu.state.imag).max() > 1e-3


def test_a_chip_that_was_changed_settles_with_its_new_weights():
    """A write drops what the engine keeps of the weights."""
    chips = [on(engine, make_chip()) for engine in ("cpu", "jax")]
    before = [settle(chip, ("signs",))[0].state for chip in chips]
    for chip in chips:
        chip.write({"weight/l2-l1": np.full((5, 7), 0.2)})
    for cpu, jax in zip(*(settle(chip, ("signs",)) for chip in chips), strict=True):
        assert_equal(cpu, jax)
    assert np.abs(settle(chips[1])[0].state - before[1]).max() > 0.01


def test_a_state_goes_on_from_the_last_settling_of_another_input():
    chips = [on(engine, make_chip(dt=0.2, phase=Phase(steps=3))) for engine in ("cpu", "jax")]
    chips = [c.variant(dynamics=c.design.dynamics.model_copy(update={"start": "previous"})) for c in chips]
    for _ in range(2):
        for cpu, jax in zip(*(settle(chip, ("signs",)) for chip in chips), strict=True):
            assert_equal(cpu, jax)


@pytest.mark.parametrize("phase", [Phase(tolerance=1e-5), Phase(steps=60)])
def test_single_precision_agrees_to_its_rounding(phase):
    pairs = settle_on_both(make_chip(precision="single", phase=phase), ("signs", "complex"), samples=40)
    for cpu, jax in pairs:
        np.testing.assert_array_equal(jax.settled.status, cpu.settled.status)
        same = jax.settled.steps == cpu.settled.steps
        assert np.abs(jax.settled.steps - cpu.settled.steps).max() <= 1
        assert same.mean() >= 0.95
        # The drift of a state is smaller than the largest drive, and so is the state itself.
        allowed = 4.0 * 2.0**-23 * max(1.0, np.abs(cpu.state).max()) * np.sqrt(cpu.settled.steps.max())
        assert np.abs(jax.state - cpu.state)[same].max() < allowed
        assert jax.state.dtype == (np.complex128 if np.iscomplexobj(cpu.state) else np.float64)
        assert np.abs(jax.state - jax.state.astype(np.complex64)).max() == 0.0, "no number is finer than single"


def test_a_nudge_that_swings_has_settled_where_its_cycle_closes():
    """After two cycles it does in some samples."""
    _, (cpu, jax) = settle_on_both(make_chip(phase=Phase(tolerance=8e-6)), ("cosine",))
    assert_equal(cpu, jax)
    assert set(cpu.settled.status) == {Status.SETTLED, Status.STEP_LIMIT}
