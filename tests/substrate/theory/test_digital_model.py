import numpy as np
import pytest

from devices.neuron import curves
from devices.neuron.membrane import NeuronDevices
from substrate.theory.digital_model import DigitalModel, find_state
from tests.networks import random_batch, random_chip

RISING = ["sigmoid", "tanh", "softplus", "identity", "hard-sigmoid"]


@pytest.mark.parametrize("activation", RISING)
def test_the_state_of_an_activity_is_found(activation):
    chip = random_chip(activation=activation, neurons=NeuronDevices(gain_sigma=0.1, slope_sigma=0.1))
    transfer = chip.membranes.transfer
    u = np.random.default_rng(0).uniform(0.05, 0.9, size=(4, chip.topology.units))
    np.testing.assert_allclose(find_state(transfer, transfer.activity(u)), u, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("activation", "value"), [("sigmoid", 1.2), ("sigmoid", -0.1), ("hard-sigmoid", 0.0)])
def test_beyond_its_range_and_on_a_plateau_a_curve_has_no_slope(activation, value):
    transfer = random_chip(activation=activation).membranes.transfer
    assert transfer.slope(find_state(transfer, np.full((1, 16), value))).max() < 1e-30


def test_a_curve_that_falls_has_no_model():
    assert not curves.is_rising("dsilu")
    assert all(curves.is_rising(name) for name in RISING)
    with pytest.raises(ValueError, match="'dsilu' falls somewhere"):
        DigitalModel(random_chip(activation="dsilu"))


def test_the_slopes_are_those_of_the_units():
    for law, activation in (("additive", "sigmoid"), ("hopfield", "tanh")):
        chip = random_chip(law=law, activation=activation)
        chip.set_input(random_batch(chip)[0])
        chip.settle()
        slopes = chip.membranes.transfer.slope(chip.state)
        found = np.concatenate(list(DigitalModel(chip).slopes(chip.read()).values()), axis=1)
        np.testing.assert_allclose(found, slopes if law == "additive" else slopes**2, rtol=0, atol=1e-12)
