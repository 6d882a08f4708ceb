"""What counts as random is what differs, and what stands for its conjugate gives the conjugate."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise, Telegraph
from devices.programming.comparator import Comparator
from devices.programming.laws import ConstantStep, Verified
from devices.synapse.cell import WeightDevices
from devices.synapse.retention import Retention
from devices.synapse.twin import Twin
from learning.estimator import FreeReading, estimate_error_vectors
from learning.schemes.nodes import Circle
from substrate.chip.randomness import has_conjugate_answers, has_random_measurements, has_random_writes
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from tests.networks import random_batch, random_chip

HOLDING = Phases(hold_time=1.0)
DESIGNS = {
    "ideal": {},
    "cells": {"weights": WeightDevices(mismatch_sigma=0.1), "sigma": 0.1},
    "twin": {"twin": Twin(mismatch_sigma=0.1)},
    "neurons": {"neurons": NeuronDevices(offset_sigma=0.1, tau_sigma=0.1)},
    "thermal": {"noise": Noise(thermal=0.1)},
    "common": {"noise": Noise(common=0.1)},
    "coloured": {"noise": Noise(coloured=0.1)},
    "flicker": {"noise": Noise(flicker=0.1)},
    "read": {"noise": Noise(read=0.1)},
    "read-flicker": {"noise": Noise(read_flicker=0.1)},
    "telegraph": {"noise": Noise(telegraph=Telegraph(amplitude=0.1, time=1.0))},
    "telegraph without height": {"noise": Noise(telegraph=Telegraph(amplitude=0.0, time=1.0))},
    "telegraph without traps": {"noise": Noise(telegraph=Telegraph(amplitude=0.1, fraction=0.0, time=1.0))},
    "droop": {"hold": Hold(droop_tau=20.0, droop_sigma=0.3, read_skew=0.1), "phases": HOLDING},
    "droop of one size": {"hold": Hold(droop=0.01, read_skew=0.1), "phases": HOLDING},
    "pedestal": {"hold": Hold(pedestal=0.01), "phases": HOLDING},
    "spread pedestal": {"hold": Hold(pedestal_sigma=0.01), "phases": HOLDING},
    "sampled noise": {"hold": Hold(noise=0.01), "phases": HOLDING},
    "converter": {"converters": Converters(readout=Adc(bits=6, offset_sigma=0.01))},
    "dither": {"converters": Converters(readout=Adc(bits=6, stochastic=True))},
    "gain of the nudge": {"converters": Converters(nudge=NudgeCircuit(gain=1.2, offset=0.01))},
    "equal polarities": {"converters": Converters(nudge=NudgeCircuit(gain=1.2, gain_negative=1.2))},
    "unequal polarities": {"converters": Converters(nudge=NudgeCircuit(gain=1.2, gain_negative=0.9))},
    "plain steps": {"update": ConstantStep(step=0.05)},
    "rounded at random": {"update": ConstantStep(step=0.05, rounding="stochastic")},
    "noisy pulses": {"update": ConstantStep(step=0.05, cycle_sigma=0.3)},
    "noise of what is felt": {"update": ConstantStep(step=0.05, write_noise=1.0)},
    "verified": {"update": Verified(error=[0.1])},
    "verified exactly": {"update": Verified(error=[0.0])},
    "comparator": {"comparator": Comparator(change=0.05)},
    "noisy comparator": {"comparator": Comparator(change=0.05, noise=1.0)},
    "leak": {"retention": Retention(leak_tau=10.0, leak_tau_sigma=0.3)},
}


def made(name):
    phase = {"phase": Phase(duration=5.0), "dynamics": {"method": "exponential"}, "dt": 0.05}
    chip = random_chip(wiring="loop", **phase, **DESIGNS[name])
    return (chip, *random_batch(chip, 3))


def answer(chip, x, y, mirror, repeat=0):
    chip.set_input(x, repeat=repeat)
    settled = chip.settle()
    free = FreeReading({name: np.real(a) for name, a in chip.read(waits=True).items()}, settled)
    return estimate_error_vectors(chip, free, y, Circle(beta=0.3, points=4), mirror=mirror).flat


@pytest.mark.parametrize("name", DESIGNS)
def test_two_measurements_differ_where_they_are_said_to(name):
    chip, x, y = made(name)
    same = np.array_equal(answer(chip, x, y, True), answer(chip, x, y, True, repeat=1))
    assert has_random_measurements(chip.design.devices) == (not same)


@pytest.mark.parametrize("name", DESIGNS)
def test_two_writes_differ_where_they_are_said_to(name):
    chip, x, _ = made(name)
    after = []
    for repeat in range(2):
        one = chip.variant()
        one.set_input(x, repeat=repeat)
        one.write({"weight/l1-l2": np.full((7, 5), 0.12)})
        after.append(one.effective["weight/l1-l2"].copy())
    assert has_random_writes(chip.design.devices) == (not np.array_equal(*after))


@pytest.mark.parametrize("name", DESIGNS)
def test_a_settling_stands_for_its_conjugate_where_it_is_its_conjugate(name):
    chip, x, y = made(name)
    folded, whole = answer(chip, x, y, True), answer(chip, x, y, False)
    if has_conjugate_answers(chip.design.devices):
        np.testing.assert_allclose(folded, whole, rtol=0, atol=1e-12)
    else:
        assert np.abs(folded - whole).max() > 1e-4
