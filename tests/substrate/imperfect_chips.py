"""Chips with one imperfection each, and with all of them."""

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep
from devices.synapse.cell import WeightDevices
from devices.synapse.noise import CellNoise
from devices.synapse.retention import Retention
from devices.synapse.twin import Twin
from devices.synapse.wires import Wires
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from tests.networks import random_chip

FIXED = Phase(duration=30.0)
IMPERFECT = {
    "mismatch": {"sigma": 0.1},
    "stuck": {"weights": WeightDevices(stuck_fraction=0.1)},
    "window": {"weights": WeightDevices(window=[-0.2, 0.2], levels=64)},
    "path-gain": {"weights": WeightDevices(gain_sigma=0.1)},
    "cell-noise": {"weights": WeightDevices(noise=CellNoise(relative=0.02, tau_c=3.0))},
    "wires": {"weights": WeightDevices(cell="pair"), "wires": Wires(segment=0.01)},
    "loading": {"synapse": "passive", "volt_ratio": 0.1},
    "twin": {"twin": Twin(mismatch_sigma=0.1)},
    "neurons": {"neurons": NeuronDevices(tau_sigma=0.1)},
    "noise": {"noise": Noise(thermal=0.01)},
    "read-noise": {"noise": Noise(read=0.01)},
    "adc": {"converters": Converters(readout=Adc(bits=6))},
    "hold": {"hold": Hold(pedestal=0.01)},
    "nudge-circuit": {"converters": Converters(nudge=NudgeCircuit(gain=1.1))},
    "write": {"update": ConstantStep(step=0.01)},
    "retention": {"retention": Retention(age=10.0, drift=0.1)},
    "correction-knowledge": {"correction": "programmed", "sigma": 0.1},
}
EVERYTHING = {
    "synapse": "passive",
    "volt_ratio": 0.1,
    "sigma": 0.1,
    "wires": Wires(segment=0.01),
    "twin": Twin(mismatch_sigma=0.1),
    "weights": WeightDevices(cell="pair", window=[0.01, 0.2], levels=64, stuck_fraction=0.1, gain_sigma=0.1),
    "neurons": NeuronDevices(tau_sigma=0.1),
    "noise": Noise(thermal=0.01, read=0.01),
    "converters": Converters(readout=Adc(bits=6), nudge=NudgeCircuit(gain=1.1, offset=0.01)),
    "hold": Hold(pedestal=0.01, pedestal_sigma=0.001, droop_tau=100.0, droop=1e-4),
    "phases": Phases(hold_time=1.0),
    "update": ConstantStep(step=0.01),
    "retention": Retention(age=10.0, leak_tau=100.0, drift=0.1, drift_sigma=0.01),
    "correction": "programmed",
}


def chip_with(**parts):
    return random_chip(phase=FIXED, dt=0.25, dynamics={"method": "exponential"}, **parts)
