"""Small chips with random causes of error: each a pure function of its number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.activation import HOLOMORPHIC, Curve
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise, Telegraph
from devices.programming.comparator import Comparator
from devices.programming.laws import ConstantStep, SoftBounds, Verified
from devices.synapse.cell import FeedbackDevices, Pelgrom, WeightDevices
from devices.synapse.retention import Retention
from devices.synapse.twin import Twin
from devices.synapse.wires import Wires
from learning.schemes.nodes import Backward, Centred, Chebyshev, Circle, OneSided, RandomSign
from learning.schemes.wave import LockIn, Rotation
from substrate.chip.chip import Chip
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from tests.networks import TIGHT, WIRINGS, random_batch, random_chip

CURVE = Curve(np.array([-0.5, 0.0, 0.3, 0.6, 1.2]), np.array([0.0, 0.1, 0.5, 0.8, 1.0]))
BOUNDED, FREE, KINKED = ["sigmoid", "dsilu", "tanh"], ["softplus", "identity"], ["hard-sigmoid", CURVE]
"""Activations. Under the hopfield law one with kinks has a drift that jumps, and rarely a rest point."""

REAL = [OneSided, Backward, RandomSign, Centred, Chebyshev]


class Case(NamedTuple):
    """A chip, what is asked of it, and how often."""

    chip: Chip
    x: np.ndarray
    target: np.ndarray
    scheme: object
    repeats: int


class _Draws:
    """Random choices, one after the other."""

    def __init__(self, number: int) -> None:
        self.rng = np.random.default_rng([20, number])

    def once_in(self, n: int) -> bool:
        return bool(self.rng.integers(n) == 0)

    def one_of(self, options: list) -> object:
        return options[self.rng.integers(len(options))]

    def some(self, n: int, **keys: object) -> dict:
        """Return some of the keys, each with chance ``1/n``."""
        return {name: value for name, value in keys.items() if self.once_in(n)}


def random_case(number: int) -> Case:
    """Return the case of that number, 0 or more."""
    d = _Draws(number)
    law = d.one_of(["additive", "additive", "hopfield"])
    activation = d.one_of([*BOUNDED, *FREE, *(KINKED if law == "additive" else [])])
    parts = {
        "law": law,
        "activation": activation,
        "cost": d.one_of(["mse", "cross-entropy"]),
        "scale": d.one_of([0.2, 0.3] if activation in FREE else [0.3, 0.6, 0.9]),
        "neurons": _neurons(d),
        "converters": _converters(d),
        "weights": _weights(d),
        "noise": _noise(d),
    }
    parts |= d.some(4, hold=_hold(d), twin=Twin(mismatch_sigma=0.02), retention=_retention(d))
    parts |= d.some(4, update=_law(d), comparator=Comparator(change=0.01, offset_sigma=1e-3))
    parts |= d.some(4, wires=Wires(segment=0.01, ends=d.one_of(["same", "opposite"]), array=d.one_of([None, [4, 3]])))
    parts |= d.some(3, synapse=d.one_of(["passive", "transconductor"]), volt_ratio=0.1)
    parts |= d.some(6, correction=d.one_of(["programmed", "exact"]))
    feedback = _feedback(d)
    if "wires" in parts:
        parts["weights"] = _as_pair(parts["weights"])
        feedback = _as_pair(feedback) if feedback.cell else feedback
    if parts["law"] == "hopfield" and parts.get("synapse") == "passive":
        parts["synapse"] = "transconductor"
    symmetric = feedback.tied or d.once_in(2)
    wiring = d.one_of(list(WIRINGS))
    used = _usage(d, parts)
    if d.once_in(10):
        # Many of these run away, or around.
        parts["scale"], used["dt"] = 3.0, used["dt"] if parts["noise"].on else d.one_of([0.5, 0.9])
    chip = random_chip(wiring, number, symmetric=symmetric, threads=1, **parts, **used).variant(feedback=feedback)
    x, target = random_batch(chip, 3, number)
    return Case(chip, x, target, _scheme(d, chip), d.one_of([1, 2]))


def _usage(d: _Draws, parts: dict) -> dict:
    """Return phases and dynamics that fit the devices."""
    held = parts["converters"].nudge.shapes or d.once_in(4)
    wait = d.one_of([0.0, 1.0])
    phases = Phases(nudge="held" if held else "continuous", hold_time=wait, noise=d.one_of(["independent", "common"]))
    used = {"phases": phases, "dt": d.one_of([0.1, 0.25]), "phase": d.one_of([TIGHT, Phase(), Phase(duration=20.0)])}
    dynamics = {"method": d.one_of(["euler", "euler", "heun", "rk4", "exponential", "exponential", "rk45"])}
    if parts["noise"].on:
        return used | {"dt": 0.1, "phase": Phase(duration=8.0, window=2.0), "dynamics": {"method": "exponential"}}
    if d.once_in(3) and not parts["noise"].slow:
        dynamics, used["phase"] = {"mode": "equilibrium"}, d.one_of([TIGHT, Phase()])
    if d.once_in(6):
        dynamics["precision"] = "single"
        used["phase"] = Phase() if used["phase"] is TIGHT else used["phase"]
    return used | {"dynamics": dynamics}


def _scheme(d: _Draws, chip: Chip) -> object:
    """Return a scheme that the chip can be nudged by."""
    design, beta = chip.design, d.one_of([0.05, 0.2])
    held, steps = design.phases.nudge == "held", design.dynamics.method in ("euler", "exponential")
    choices = [kind(beta=beta) for kind in REAL]
    swings = steps and not held and design.dynamics.mode == "trajectory"
    if swings:
        choices.append(LockIn(beta=beta, period=12.0, cycles=1))
    if design.activation in HOLOMORPHIC and not design.devices.converters.nudge.shapes:
        choices.append(Circle(beta=beta, points=4))
        choices += [Rotation(beta=beta, period=12.0, cycles=1)] if swings else []
    return d.one_of(choices)


def _neurons(d: _Draws) -> NeuronDevices:
    spreads = d.some(4, tau_sigma=0.1, offset_sigma=0.1, gain_sigma=0.05, slope_sigma=0.05)
    return NeuronDevices(**spreads, **d.some(8, open_loop_gain=50.0, slew=0.2, synapse_tau=0.3))


def _weights(d: _Draws) -> WeightDevices:
    keys = {"cell": d.one_of(["single", "pair"])}
    if d.once_in(3):
        keys["window"] = [-0.5, 0.4] if keys["cell"] == "single" else [0.01, 0.5]
        keys |= d.some(2, levels=64)
    law, area = d.one_of(["relative", "additive", "lognormal"]), Pelgrom(coefficient=0.1, width=2.0, length=1.0)
    spreads = {"mismatch_sigma": 0.1, "pelgrom": area if law != "additive" else None}
    if d.once_in(2):
        name = d.one_of(list(spreads))
        keys |= {"mismatch": law, name: spreads[name]}
    keys |= d.some(4, stuck_fraction=0.1, stuck_at=0.1)
    return WeightDevices(**keys, **d.one_of([{}, {}, {"gain_sigma": 0.1}, {"mirror": area}]))


def _feedback(d: _Draws) -> FeedbackDevices:
    storage = d.one_of(["independent", "independent", "copied", "shared-device"])
    keys = d.some(4, gain_sigma=0.05)
    if storage != "shared-device":
        keys |= d.some(4, mismatch_sigma=0.2)
    return FeedbackDevices(storage=storage, **keys)


def _as_pair(cells: WeightDevices) -> WeightDevices:
    """Return the cells as pairs, which wires need."""
    window = None if cells.window is None else [0.01, 0.5]
    return type(cells).model_validate({**cells.model_dump(), "cell": "pair", "window": window})


def _noise(d: _Draws) -> Noise:
    membranes = d.some(2, thermal=1e-3, common=1e-3, coloured=1e-3, flicker=1e-3) if d.once_in(5) else {}
    telegraph = Telegraph(amplitude=1e-3, time=3.0, fraction=0.5)
    reads = d.some(2, read=1e-3, read_flicker=1e-3, telegraph=telegraph) if d.once_in(5) else {}
    return Noise(**membranes, **reads)


def _converters(d: _Draws) -> Converters:
    adc = Adc(bits=8, range=[-1.5, 2.5], stochastic=d.once_in(3), gain_sigma=0.01, offset_sigma=0.01, unit_sigma=0.01)
    circuit = NudgeCircuit(**d.some(3, gain=0.9, gain_negative=1.1, offset=0.01, gain_sigma=0.05, full_scale=0.1))
    return Converters(**d.some(4, readout=adc, nudge=circuit))


def _hold(d: _Draws) -> Hold:
    return Hold(pedestal=0.01, droop_tau=100.0, droop_sigma=0.1, **d.some(3, noise=1e-3, droop=1e-4, read_skew=0.05))


def _retention(d: _Draws) -> Retention:
    return Retention(age=10.0, interval=1.0, **d.one_of([{"leak_tau": 100.0}, {"drift": 0.1}]))


def _law(d: _Draws) -> object:
    laws = [ConstantStep(step=1e-3), SoftBounds(step=1e-3, w_max=0.6, w_min=-0.6, cycle_sigma=0.1)]
    return d.one_of([*laws, ConstantStep(step=1e-3, write_noise=1.0), Verified(error=[0.01], w_max=0.6)])
