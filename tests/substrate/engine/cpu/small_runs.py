"""Small settlings and writes that go through every kernel: ``python -m tests.substrate.engine.cpu.small_runs FILE``.

The file gets all arrays; they are the same however the kernels were made.
"""

from __future__ import annotations

import sys

import numpy as np

from devices.neuron.activation import CODES, HOLOMORPHIC, Curve
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep, ExponentialStep, LinearStep, OneSidedCells, PiecewiseStep, PowerStep
from devices.random import Stream
from devices.synapse.retention import Retention
from substrate.chip.programming import Writer
from substrate.circuits.self_learning.cycles import compute_errors, follow_learning
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.protocol import Nudge, Wave
from tests.networks import random_batch, random_chip
from tests.substrate.circuits.layered.circuits import DEEP, draw_batch, make_chip
from tests.substrate.circuits.self_learning.learners import BIAS, make_lattice, make_learner

FEW = Phase(steps=12)
REST = Phase(max_steps=60)
CURVE = Curve(np.linspace(-2.0, 2.0, 9), np.tanh(np.linspace(-2.0, 2.0, 9)))
POLES = {"neurons": NeuronDevices(synapse_tau=0.5)}
NOISE = Noise(thermal=0.02, common=0.01, coloured=0.02, tau_c=3.0)
SPREAD = NeuronDevices(tau_sigma=0.1, gain_sigma=0.1, slope_sigma=0.1, slew=0.5)
SWEEPS = {"mode": "equilibrium", "audit": 0}
CHIPS = {
    "euler": {"phase": REST},
    "hopfield": {"law": "hopfield", "phase": REST, "neurons": SPREAD},
    "exponential with poles": {
        "dynamics": {"method": "exponential"},
        "phase": REST,
        "neurons": NeuronDevices(synapse_tau=0.5),
    },
    "heun": {"dynamics": {"method": "heun"}, "phase": REST, "wiring": "skip"},
    "rk4 hopfield": {"dynamics": {"method": "rk4"}, "phase": FEW, "law": "hopfield", "cost": "mse"},
    "rk45": {"dynamics": {"method": "rk45", "accuracy": 1e-4}, "phase": Phase(duration=3.0)},
    "no way back": {"wiring": "forward", "phase": FEW},
    "held nudge": {"phases": Phases(nudge="held"), "phase": FEW},
    "rounding": {"phase": Phase(max_steps=200, tolerance=1e-18), "cost": "mse"},
    "cycles": {"dt": 3.0, "scale": 3.0, "phase": Phase(max_steps=80), "wiring": "lateral"},
    "noise": {"noise": NOISE, "phase": Phase(steps=6, window=4.0)},
    "heun with noise": {"noise": NOISE, "phase": Phase(steps=4, window=1.0), "dynamics": {"method": "heun"}, "dt": 0.2},
    "sweeps": {"dynamics": SWEEPS, "phase": REST},
    "sweeps of one colour": {"dynamics": SWEEPS, "phase": REST, "wiring": "lateral", "scale": 2.0},
    "hopfield sweeps": {"dynamics": SWEEPS, "phase": REST, "law": "hopfield"},
    **{f"{name} curve": {"activation": name, "phase": FEW} for name in CODES},
    "measured curve": {
        "activation": Curve(np.linspace(-2.0, 2.0, 9), np.tanh(np.linspace(-2.0, 2.0, 9))),
        "phase": FEW,
    },
}
"""Keywords of `random_chip`."""

PULSES = {"step": 0.01, "step_sigma": 0.2, "cycle_sigma": 0.3}
RANGE = {"w_max": 1.0, "w_min": -0.8}
FORM = {"a": 0.3, "b": -0.2, "amplitude_up": 0.5, "amplitude_down": 0.4, "gamma_up": 1.2, "gamma_down": 1.0}
LAWS = {
    "nearest": ConstantStep(**PULSES, **RANGE),
    "stochastic": LinearStep(**PULSES, slope_up=0.4, slope_down=0.7, w_min=-0.8, rounding="stochastic"),
    "coincidences": ExponentialStep(**PULSES, **RANGE, **FORM, rounding="coincidences"),
    "power": PowerStep(**PULSES, **RANGE, exponent_up=2.0, exponent_down=1.5),
    "piecewise": PiecewiseStep(**PULSES, **RANGE, up=[1.2, 1.0, 0.1], down=[0.2, 0.8, 1.3]),
    "one-sided": LinearStep(step=0.02, slope_up=0.6, cycle_sigma=0.3, one_sided=OneSidedCells(reset=0.03)),
}


LAYERED = {
    "layered": {"sweeps": 5},
    "layered with one rail": {"rails": "single", "nudge": "held", "window": (2e-5, 8e-5)},
}
"""Keywords of `make_chip`."""


def settle(keys: dict[str, object], precision: str) -> list[np.ndarray]:
    """Return what a chip shows, free and under every kind of nudge that its dynamics allow."""
    keys = dict(keys)
    dynamics = {"precision": precision, **keys.pop("dynamics", {})}
    chip = random_chip(keys.pop("wiring", "reciprocal"), threads=1, dynamics=dynamics, **keys)
    x, y = random_batch(chip, 6)
    chip.set_input(x * np.arange(6)[:, None])
    found = []
    nudges = [None, Nudge(0.2, y, np.resize([1.0, -1.0], 6))]
    if keys.get("activation", "sigmoid") in HOLOMORPHIC:
        nudges.append(Nudge(0.1 + 0.1j, y))
        stepped = dynamics.get("mode") != "equilibrium" and dynamics.get("method", "euler") in {"euler", "exponential"}
        if stepped and "phases" not in keys:
            nudges.append(Nudge(0.1, y, wave=Wave("rotation", 3.0, 1)))
    for nudge in nudges:
        settled = chip.settle(nudge, "zero" if nudge is None else "free")
        found += [settled.status, settled.steps, chip.state]
        found += [] if chip.average is None else [chip.average.mean, chip.average.error]
        found += [] if nudge is None or nudge.wave is None else list(chip.read_cycle().values())
    return found


def write(law: ConstantStep) -> list[np.ndarray]:
    """Return what three writes leave in 3 x 9 cells."""
    cells = Writer(law, Retention(), {"weight": (3, 9)}, lambda name: Stream(0, name), {})
    weight, found = np.zeros((3, 9)), []
    for k in range(3):
        change = np.linspace(-0.3, 0.5, 27).reshape(3, 9) * (-1.0) ** k
        done = cells.write("weight", weight, change, str(k))
        weight = done.weight
        found += [weight, np.array([done.pulses, done.lost, done.cut, done.refreshes])]
    return found


def settle_layers(keys: dict[str, object], precision: str) -> list[np.ndarray]:
    """Return what a layered circuit shows, free and nudged, and the blocks that it leaves, in 10 uS and 10 uA."""
    chip = make_chip(DEEP, precision=precision, tolerance=1e-5, **keys)
    x, y = draw_batch(chip, 6)
    chip.set_input(x)
    found, reads = [], []
    for beta in (0.0, 1e-6, -1e-6):
        settled = chip.settle(Nudge(beta, y) if beta else None, "free" if beta else "zero")
        reads.append(chip.read())
        found += [settled.status, settled.steps, *reads[-1].values()]
    chip.imprint(reads[1], reads[2], dict.fromkeys(chip.design.blocks, 1e-3))
    chip.set_input(x)
    return found + [1e5 * values for values in chip.programmed.values()]


def learn() -> list[np.ndarray]:
    """Return what circuits learn in a round, transistors alone and beside conductors, and what they answer."""
    found = []
    for learner, values in ((make_learner(bias=BIAS), np.array([3.0, 3.0])), make_lattice()):
        path = follow_learning(learner, values[None], np.array([1e-2]), records=2)
        found += [path.values, path.unsettled, compute_errors(learner, path.values[0])]
    return found


def compute(precisions: tuple[str, ...] = ("double", "single")) -> dict[str, np.ndarray]:
    """Return the arrays of all runs by name."""
    runs = {f"{name}, {p}": settle(keys, p) for name, keys in CHIPS.items() for p in precisions}
    runs |= {f"{name}, {p}": settle_layers(keys, p) for name, keys in LAYERED.items() for p in precisions}
    runs |= {name: write(law) for name, law in LAWS.items()} | {"learning": learn()}
    return {f"{name} {k}": array for name, arrays in runs.items() for k, array in enumerate(arrays)}


if __name__ == "__main__":
    np.savez(sys.argv[1], **compute(tuple(sys.argv[2:])))
