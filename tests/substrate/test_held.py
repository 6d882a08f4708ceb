"""A held nudge takes its force from the free output as it was read: converter, hold, window, noise of the read."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.noise import Noise
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.protocol import Nudge
from tests.networks import random_batch, random_chip

HELD = Phases(nudge="held", noise="common")
READS = {
    "converter": {"converters": Converters(readout=Adc(bits=4))},
    "hold": {"hold": Hold(pedestal=0.02, droop_tau=30.0), "phases": HELD.model_copy(update={"hold_time": 3.0})},
    "noise": {"noise": Noise(read=0.05)},
    "slow noise": {"noise": Noise(read_flicker=0.05)},
    "window": {"noise": Noise(thermal=0.05), "phase": Phase(duration=3.0, window=1.0)},
    "all": {
        "converters": Converters(readout=Adc(bits=6), nudge=NudgeCircuit(gain=0.9)),
        "hold": Hold(noise=0.01),
        "noise": Noise(thermal=0.05, read=0.01),
        "phase": Phase(duration=3.0, window=1.0),
    },
}


def clamped(samples=4, **keys):
    changes = {"phases": HELD, "phase": Phase(duration=3.0), "dt": 0.1, "dynamics": {"method": "exponential"}, **keys}
    chip = random_chip(cost="mse", activation="tanh", **changes)
    x, y = random_batch(chip, samples)
    chip.set_input(x)
    chip.settle()
    return chip, y


@pytest.mark.parametrize("keys", READS.values(), ids=READS)
@pytest.mark.parametrize("beta", [0.3, -0.3])
def test_the_force_is_that_of_the_free_output_as_it_was_read(beta, keys):
    """The same drive injected: the cost is ``|a - y|^2 / 2``."""
    chip, y = clamped(**keys)
    free = chip.read(waits=True)["out"]
    raw = chip.activity_of(chip.state)[:, -y.shape[1] :]
    assert np.abs(free - raw).max() > 1e-3
    gain = chip.design.devices.converters.nudge.gain
    chip.settle(Nudge(beta, y), "free")
    nudged = chip.state
    chip.settle_injected({"out": -beta * gain * (free - y)})
    np.testing.assert_allclose(nudged, chip.state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("keys", READS.values(), ids=READS)
def test_both_nudges_and_the_adjoint_state_use_one_read(keys):
    """The chip is read for the force if it was not before, and once."""
    chip, y = clamped(**keys)
    before = chip.budget.reads
    chip.settle(Nudge(0.1, y), "free")
    first = chip.state
    assert chip.budget.reads == before + len(y)
    chip.settle(Nudge(-0.1, y), "free")
    chip.settle_errors(y)
    chip.settle(Nudge(0.1, y), "free")
    assert chip.budget.reads == before + len(y)
    if not chip.design.devices.noise.slow:
        np.testing.assert_array_equal(chip.state, first)
    chip.settle()
    chip.settle(Nudge(0.1, y), "free")
    assert chip.budget.reads == before + 2 * len(y)


def test_an_ideal_read_changes_no_bit_of_the_force():
    seen, unseen = clamped()[0], clamped()
    seen.read(waits=True)
    for chip in (seen, unseen[0]):
        chip.settle(Nudge(0.1, unseen[1]), "free")
    np.testing.assert_array_equal(seen.state, unseen[0].state)
    assert np.abs(seen.state - clamped()[0].state).max() > 1e-3


def test_the_adjoint_state_of_a_held_nudge_feels_the_converter():
    """Its force is ``read - y``: that of a continuous nudge, which follows the raw output `a`, to
    ``y - (read - a)``.
    """
    keys = {"converters": Converters(readout=Adc(bits=2, range=[-1.0, 1.0])), "phase": Phase(duration=40.0)}
    chip, y = clamped(**keys)
    raw = chip.activity_of(chip.state)[:, -y.shape[1] :]
    read = chip.read(waits=True)["out"]
    assert np.abs(read - raw).max() > 0.05
    chip.settle_errors(y)
    continuous, _ = clamped(**keys | {"phases": Phases()})
    continuous.settle_errors(y - (read - raw))
    np.testing.assert_allclose(chip._errors, continuous._errors, rtol=0, atol=1e-12)
