"""Noise of the membranes on both engines: the same draws, windows and means; and recordings of what goes on."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from devices.neuron.noise import Noise
from devices.synapse.cell import WeightDevices
from devices.synapse.noise import CellNoise
from substrate.dynamics.methods import Phase
from substrate.engine.jax.batch import count_rows
from tests.networks import random_batch, random_chip

from .both import EQUAL, assert_equal, on, settle_on_both

pytestmark = pytest.mark.jax

NAMES = np.arange(33) + 2**31 - 5
"""So many samples have a tile that is filled up."""

WHITE = Noise(thermal=0.02, common=0.01)
SLOW = Noise(coloured=0.02, tau_c=3.0, flicker=0.02, flicker_octaves=2)
ALL = Noise(thermal=0.02, common=0.01, coloured=0.02, tau_c=3.0)
CELLS, WHITE_CELLS, FROZEN_CELLS = (
    WeightDevices(noise=CellNoise(relative=0.1, **keys))
    for keys in ({"spectrum": "flicker", "tau_c": 0.1, "octaves": 4}, {"spectrum": "white"}, {})
)
NOISY = {"dynamics": {"method": "exponential"}, "dt": 0.06}
CHIPS = {
    "all, exponential": (NOISY | {"noise": ALL}, ("signs", "complex")),
    "slow, euler": ({"noise": SLOW, "dt": 0.2, "wiring": "loop"}, ("signs",)),
    "cells, octaves": (NOISY | {"noise": ALL, "weights": CELLS}, ("signs",)),
    "white cells, heun": ({"weights": WHITE_CELLS, "dynamics": {"method": "heun"}, "dt": 0.2}, ("signs",)),
    "frozen cells": (NOISY | {"noise": SLOW, "weights": FROZEN_CELLS}, ("signs", "complex")),
    "white, heun": ({"noise": WHITE, "dynamics": {"method": "heun"}, "dt": 0.2}, ("signs",)),
}
END = Phase(duration=4.0, window=4.0)


@pytest.mark.parametrize("name", CHIPS)
def test_noise_windows_and_means_are_the_same(name):
    keys, nudges = CHIPS[name]
    assert count_rows(len(NAMES)) > len(NAMES)
    free, *nudged = settle_on_both(random_chip(phase=END, **keys), nudges, len(NAMES), NAMES)
    for cpu, jax in (free, *nudged):
        assert_equal(cpu, jax)
        assert np.isfinite(cpu.average.error).all()
        assert (cpu.average.error > 0.0).any()
        assert (cpu.average.autocorrelation > 0.0).any()
    assert np.abs(free[0].state - nudged[0][0].state).max() > 1e-3


def test_noise_depends_on_the_names_of_the_samples():
    chip = on("jax", random_chip(phase=END, **CHIPS["all, exponential"][0]))
    x, _ = random_batch(chip, 1)
    states = []
    for ids in (NAMES, NAMES[::-1].copy(), NAMES + 1):
        chip.set_input(np.repeat(x, len(NAMES), axis=0), ids)
        chip.settle()
        states.append(chip.state)
    np.testing.assert_array_equal(states[1], states[0][::-1])
    np.testing.assert_allclose(states[2][:-1], states[0][1:], rtol=0, atol=EQUAL)
    assert np.abs(states[0] - states[0][:1])[1:].max(axis=1).min() > 1e-3


@pytest.mark.parametrize("every", [1, 7, 10_000])
@pytest.mark.parametrize("noise", [Noise(), ALL])
def test_recordings_see_the_same_states_and_change_none(noise, every):
    """A recording takes a settling in pieces; its end has the same bits."""
    chip = random_chip(phase=END, noise=noise, **NOISY)
    x, _ = random_batch(chip, len(NAMES))
    seen, ends = {}, {}
    for engine in ("cpu", "jax"):
        one = on(engine, chip)
        one.set_input(x)
        plain = one.settle()
        end, average, seen[engine] = one.state, one.average, []
        one.set_input(x)
        recorded = one.settle(record=(every, seen[engine].append))
        np.testing.assert_array_equal(one.state, end)
        for old, new in ((plain, recorded), (average, one.average)):
            for a, b in zip(old, new, strict=True):
                np.testing.assert_array_equal(a, b)
        ends[engine] = plain
    np.testing.assert_array_equal(ends["cpu"].steps, ends["jax"].steps)
    limit = int(ends["cpu"].steps[0])
    assert len(seen["cpu"]) == len(seen["jax"]) == 1 + -(-limit // every)
    for a, b in zip(seen["cpu"], seen["jax"], strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=EQUAL)
    np.testing.assert_array_equal(seen["jax"][-1], end)
