"""A cause is listed if and only if it changes something, whatever key of whatever block it comes from."""

import typing

import numpy as np
import pytest

from devices.hardware import Devices
from devices.imperfection import EFFECTS
from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.energy import Energy
from devices.interface.hold import Hold
from devices.neuron.membrane import InputPair, NeuronDevices
from devices.neuron.noise import Noise, Telegraph
from devices.parameters import Parameters
from devices.programming.comparator import Comparator
from devices.programming.laws import ConstantStep, OneSidedCells, SoftBounds, Update, Verified
from devices.synapse.cell import FeedbackDevices, Pelgrom, WeightDevices
from devices.synapse.measured import make_cell_sample
from devices.synapse.noise import CellNoise
from devices.synapse.retention import Retention
from devices.synapse.twin import Twin
from devices.synapse.wires import Wires
from substrate.chip.causes import CAUSES
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.dynamics.phases import Phases
from substrate.network.topology import Topology
from substrate.protocol import Nudge
from tests.networks import LAYERS, WIRINGS, random_batch, random_chip
from tests.substrate.chip.test_programming import LAWS

AREA = {"coefficient": 0.2, "width": 2.0, "length": 1.0}
FLAT = AREA | {"coefficient": 0.0}
PAIR = {"cell": "pair", "window": [0.1, 1e6]}
CELLS = {
    "preset": [{"preset": "any"}],
    "cell": [{"cell": "pair"}, PAIR],
    "window": [{"window": [-0.2, 0.2]}, PAIR | {"window": [0.1, 0.2]}],
    "levels": [{"window": [-1.0, 1.0], "levels": 8}, PAIR | {"window": [0.1, 3.0], "levels": 8}],
    "mismatch": [{"mismatch": law} for law in ("additive", "lognormal")],
    "mismatch_sigma": [{"mismatch": law, "mismatch_sigma": 0.1} for law in ("relative", "additive", "lognormal")],
    "pelgrom": [{"pelgrom": Pelgrom(**AREA)}, {"pelgrom": Pelgrom(**FLAT)}],
    "measured": [{"measured": "some.csv"}],
    "stuck_fraction": [{"stuck_fraction": 0.2}, PAIR | {"stuck_fraction": 0.2}],
    "stuck_at": [{"stuck_at": 0.3}, {"stuck_at": 0.3, "stuck_fraction": 0.2}],
    "gain_sigma": [{"gain_sigma": 0.1}, PAIR | {"gain_sigma": 0.1}],
    "noise": [
        {"noise": CellNoise(relative=0.1)},
        {"noise": CellNoise(relative=0.1, spectrum="white")},
        {"noise": CellNoise()},
    ],
    "mirror": [{"mirror": Pelgrom(**AREA)}, {"mirror": Pelgrom(**FLAT)}, PAIR | {"mirror": Pelgrom(**AREA)}],
}
WIRED = {"weights": WeightDevices(cell="pair")}
DRIFT = {"drift_range": [0.01, 0.2], "drift_sigma_range": [0.0, 0.1]}
"""Keys of another block or of the same one, without which a key means nothing."""

SAMPLE = make_cell_sample(np.linspace(-2.0, 2.0, 99), np.linspace(-2.1, 2.2, 99))
MEASURED = {"measured_weights": dict.fromkeys(Topology(LAYERS, WIRINGS["reciprocal"]).shapes, SAMPLE)}
"""What such a file holds."""

KEYS = {
    WeightDevices: (lambda **k: {"weights": WeightDevices(**k)} | MEASURED, CELLS),
    FeedbackDevices: (
        lambda **k: {"feedback": FeedbackDevices(**k)} | MEASURED,
        CELLS | {"storage": [{"storage": "copied"}, {"storage": "shared-device", "gain_sigma": 0.1}]},
    ),
    CellNoise: (
        lambda **k: {"weights": WeightDevices(noise=CellNoise(**k))},
        {
            "relative": [{"relative": r} for r in (0.0, 0.1)],
            "absolute": [{"absolute": 0.1}],
            "spectrum": [{"spectrum": "white"}, {"spectrum": "white", "relative": 0.1}],
            "tau_c": [{"tau_c": 1.0}, {"tau_c": 1.0, "relative": 0.1}],
            "octaves": [{"spectrum": "flicker", "tau_c": 0.1, "octaves": 3, "relative": 0.1}],
            "fraction": [{"spectrum": "telegraph", "fraction": f, "relative": 0.1} for f in (0.0, 0.5)],
        },
    ),
    Pelgrom: (lambda **k: {"weights": WeightDevices(pelgrom=Pelgrom(**AREA | k))}, {k: [{k: 0.5}] for k in AREA}),
    Wires: (
        lambda **k: WIRED | {"wires": Wires(**k)},
        {
            "segment": [{"segment": 0.01}],
            "ends": [{"ends": "opposite"}, {"ends": "opposite", "segment": 0.01}],
            "array": [{"array": [3, 3]}, {"array": [3, 3], "segment": 0.01}],
        },
    ),
    Twin: (
        lambda readout=None, noise=Noise(), **k: {  # noqa: B008  immutable
            "twin": Twin(**k),
            "converters": Converters(readout=readout),
            "noise": noise,
        },
        {
            "mismatch_sigma": [{"mismatch_sigma": s} for s in (0.0, 0.1)],
            "stuck_fraction": [{"stuck_fraction": 0.2}, {"noise": Noise(coloured=0.01)}],
            "stuck_at": [{"stuck_at": 0.3}, {"stuck_at": 0.3, "stuck_fraction": 0.2}],
            "offset_sigma": [{"offset_sigma": 0.01}],
            "gain_sigma": [{"gain_sigma": 0.1}],
            "converters": [{"converters": True}]
            + [{"converters": True, "readout": Adc(bits=6, offset_sigma=s)} for s in (0.0, 0.1)],
        },
    ),
    NeuronDevices: (
        lambda **k: {"neurons": NeuronDevices(**k)},
        {
            "preset": [{"preset": "any"}],
            "tau_sigma": [{"tau_sigma": 0.1}],
            "offset_sigma": [{"offset_sigma": 0.1}],
            "gain_sigma": [{"gain_sigma": 0.1}],
            "slope_sigma": [{"slope_sigma": 0.1}],
            "open_loop_gain": [{"open_loop_gain": 50.0}],
            "slew": [{"slew": 0.01}],
            "synapse_tau": [{"synapse_tau": 0.5}],
            "input_pair": [{"input_pair": InputPair(**AREA)}, {"input_pair": InputPair(**FLAT)}],
        },
    ),
    InputPair: (
        lambda **k: {"neurons": NeuronDevices(input_pair=InputPair(**AREA | k))},
        {k: [{k: 0.5}] for k in AREA},
    ),
    Noise: (
        lambda **k: {"noise": Noise(**k)},
        {
            "preset": [{"preset": "any"}],
            "thermal": [{"thermal": 0.01}, {"thermal": False}],
            "common": [{"common": 0.01}],
            "coloured": [{"coloured": 0.01}],
            "tau_c": [{"coloured": 0.01, "tau_c": 3.0}],
            "flicker": [{"flicker": 0.01}],
            "flicker_shortest": [{"flicker": 0.01, "flicker_shortest": 0.5}],
            "flicker_octaves": [{"flicker": 0.01, "flicker_octaves": 3}],
            "read": [{"read": 0.01}],
            "read_relative": [{"read_relative": 0.01}],
            "read_flicker": [{"read_flicker": 0.01}],
            "telegraph": [{"telegraph": Telegraph(amplitude=0.01, time=1.0)}],
        },
    ),
    Telegraph: (
        lambda **k: {"noise": Noise(telegraph=Telegraph(**{"amplitude": 0.01, "time": 1.0} | k))},
        {
            "amplitude": [{"amplitude": a} for a in (0.0, 0.1)],
            "amplitude_sigma": [{"amplitude_sigma": 0.5}],
            "fraction": [{"fraction": f} for f in (0.0, 0.5)],
            "time": [{"time": 0.1}],
        },
    ),
    NudgeCircuit: (
        lambda **k: {"converters": Converters(nudge=NudgeCircuit(**k))},
        {
            "gain": [{"gain": g} for g in (0.9, 1.0)],
            "gain_negative": [{"gain_negative": g} for g in (0.9, 1.0)],
            "offset": [{"offset": 0.01}],
            "gain_sigma": [{"gain_sigma": 0.1}],
            "full_scale": [{"full_scale": 0.01}],
            "bits": [{"full_scale": 0.1, "bits": 4}],
            "measured": [{"full_scale": 0.1, "bits": 4, "measured": "some.csv"}],
        },
    ),
    Hold: (
        lambda wait=0.0, **k: {"hold": Hold(**k), "phases": Phases(nudge="held", hold_time=wait)},
        {
            "preset": [{"preset": "any"}],
            "pedestal": [{"pedestal": 0.01}],
            "pedestal_sigma": [{"pedestal_sigma": 0.01}],
            "droop_tau": [{"droop_tau": 9.0}, {"droop_tau": 9.0, "wait": 1.0}],
            "droop": [{"droop": 0.01}, {"droop": 0.01, "wait": 1.0}],
            "droop_sigma": [
                {"droop_tau": 9.0, "droop_sigma": 0.1},
                {"droop_tau": 9.0, "droop_sigma": 0.1, "wait": 1.0},
            ],
            "noise": [{"noise": 0.01}],
            "read_skew": [
                {"read_skew": 0.1},
                {"read_skew": 0.1, "droop_tau": 9.0},
                {"read_skew": 0.1, "pedestal": 0.01},
            ],
        },
    ),
    Retention: (
        lambda **k: {"retention": Retention(**k)},
        {
            "preset": [{"preset": "any"}],
            "age": [{"age": 5.0}, {"age": 5.0, "interval": 0.0, "drift": 0.1}, {"interval": 0.0, "drift": 0.1}],
            "interval": [{"interval": 9.0}, {"interval": 9.0, "leak_tau": 99.0}],
            "leak_tau": [{"leak_tau": 99.0}],
            "leak_tau_sigma": [{"leak_tau_sigma": 0.1}, {"leak_tau": 99.0, "leak_tau_sigma": 0.1}],
            "drift": [{"drift": 0.1}],
            "drift_slope": [DRIFT | {"drift": 0.1, "drift_slope": -0.01}],
            "drift_range": [{"drift_range": [0.0, 0.1]}, {"drift_range": [0.01, 0.1]}],
            "drift_sigma": [{"drift_sigma": 0.01}],
            "drift_sigma_slope": [DRIFT | {"drift_sigma": 0.1, "drift_sigma_slope": -0.01}],
            "drift_sigma_range": [{"drift_sigma_range": [0.0, 0.1]}, {"drift_sigma_range": [0.01, 0.1]}],
            "drift_scale": [{"drift_scale": 2.0}, DRIFT | {"drift": 0.1, "drift_slope": -0.01, "drift_scale": 2.0}],
            "drift_start": [{"drift_start": 2.0}, {"drift": 0.1, "drift_start": 2.0}],
        },
    ),
    Converters: (
        lambda **k: {"converters": Converters(**k)},
        {
            "preset": [{"preset": "any"}],
            "readout": [{"readout": None}, {"readout": Adc(bits=6)}],
            "nudge": [{"nudge": NudgeCircuit()}, {"nudge": NudgeCircuit(gain=0.9)}],
        },
    ),
}
"""How a block of devices becomes a part of a design, and for every key values that act and values that do not."""

ALONE = {Adc: "rounds whatever its keys", Comparator: "writes signs whatever its keys"}
ALONE |= dict.fromkeys(
    (*map(type, LAWS.values()), Verified, OneSidedCells), "rounds to pulses, or errs, whatever its keys"
)
UNITS = {("Hold", "capacitance"): "becomes `noise` before a design is made"}
USE = (Dynamics, Phases, Phase, Energy)
"""How a chip is used and what that costs: no part of the silicon."""

OTHERS = [
    {"synapse": "passive", "volt_ratio": 0.1},
    {"synapse": "transconductor", "volt_ratio": 0.1},
    {"synapse": "transconductor", "volt_ratio": 0.1, "noise": Noise(thermal=0.01)},
    {"comparator": Comparator(change=0.01)},
    {"update": Verified(error=[0.01])},
    {"update": SoftBounds(step=0.01, w_max=0.2, w_max_sigma=0.3, one_sided=OneSidedCells())},
    *({"update": law} for law in LAWS.values()),
]
IGNORANT = [
    {"feedback": FeedbackDevices(mismatch_sigma=0.1)},
    {"weights": WeightDevices(gain_sigma=0.1)},
    {"retention": Retention(age=1.0, leak_tau=9.0, leak_tau_sigma=0.3)},
    {"update": SoftBounds(step=0.01, w_max=0.1)},
    {"update": ConstantStep(step=0.01, write_noise=3.0)},
    {"update": ConstantStep(step=0.01)},
    {"update": Verified(error=[0.01], w_max=0.1)},
    {"converters": Converters(readout=Adc(bits=6))},
]
"""What may stand beside a correction that knows the programmed weights alone."""


def samples():
    found = [
        (kind.__name__, parts(**value)) for kind, (parts, keys) in KEYS.items() for v in keys.values() for value in v
    ]
    found += [("other", parts) for parts in OTHERS] + [
        ("correction", {"correction": "programmed"} | p) for p in IGNORANT
    ]
    return [pytest.param(parts, id=f"{name}-{k}") for k, (name, parts) in enumerate(found)]


def chip_with(wiring="reciprocal", feedback=FeedbackDevices(), measured_weights=None, **parts):  # noqa: B008  immutable
    usage = {"phase": Phase(duration=3.0), "dt": 0.25, "dynamics": {"method": "exponential"}}
    parts = {"phases": Phases(nudge="held", hold_time=1.0)} | parts
    return random_chip(wiring, symmetric=True, **usage, **parts).variant(
        feedback=feedback, measured_weights=measured_weights
    )


def seen(chip):
    """Return everything that can be seen of a chip that settles, is read and is written."""
    x, y = random_batch(chip, 3)
    found = []
    for _ in range(2):
        chip.set_input(x)
        for nudge in (None, Nudge(0.2, y), Nudge(-0.2, y)):
            chip.settle(nudge, "free" if nudge else "zero")
            found += [chip.state, *chip.read(waits=nudge is None).values()]
        rng = np.random.default_rng(3)
        chip.write({b: 0.03 * rng.normal(size=v.shape) for b, v in chip.programmed.items() if b.startswith("weight/")})
        found += [block.copy() for block in (*chip.programmed.values(), *chip.effective.values())]
    return found


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def blocks_of(hint):
    """Return the classes of parameters in the type of a field, and in the types of their fields."""
    if isinstance(hint, type) and issubclass(hint, Parameters):
        inner = {k for f in hint.model_fields.values() for k in blocks_of(f.annotation)}
        return {hint} | (set() if hint in USE else inner)
    return {k for part in typing.get_args(hint) for k in blocks_of(part)}


def test_every_key_of_every_block_of_devices_has_a_sample():
    found = {k for hint in typing.get_type_hints(Design, include_extras=True).values() for k in blocks_of(hint)}
    silicon = found.difference(USE) - {Devices}
    assert silicon == KEYS.keys() | ALONE.keys()
    assert {type(law) for law in LAWS.values()} | {Verified} == blocks_of(Update) - {OneSidedCells}
    for kind, (_, keys) in KEYS.items():
        assert kind.model_fields.keys() - {k for name, k in UNITS if name == kind.__name__} == keys.keys(), kind


def test_every_block_of_devices_declares_its_imperfections():
    for name, field in Devices.model_fields.items():
        kinds = {kind for kind in blocks_of(field.annotation) if hasattr(kind, "causes")}
        assert kinds, name
        assert all(cause.kind in EFFECTS and cause.name in CAUSES for kind in kinds for cause in kind.causes), name


@pytest.mark.parametrize("parts", samples())
def test_a_cause_is_listed_if_and_only_if_it_changes_something(parts):
    chip = chip_with(**parts)
    ideal = {"correction": "exact"} if "correction" in parts else {}
    usage = {"phases": parts["phases"]} if "phases" in parts else {}
    usage["feedback"] = FeedbackDevices(storage=chip.design.devices.feedback.storage)
    rest = chip.without(*chip.causes)
    assert rest.causes == []
    # A chip whose noise is gone goes on with the steps that the noise asked for.
    assert same(seen(rest), seen(chip_with(**ideal, **usage).variant(paced_by=rest.design.paced_by)))
    whole = seen(chip_with(**parts))
    for cause in CAUSES:
        gone = chip.without(cause)
        # Chips of one design and one piece of silicon are one chip.
        alike = gone.design == chip.design or same(seen(gone), whole)
        assert alike == (cause not in chip.causes), cause


@pytest.mark.parametrize("value", [v for values in KEYS[FeedbackDevices][1].values() for v in values])
def test_cells_that_no_connection_has_are_no_cause(value):
    chip = chip_with("forward", FeedbackDevices(**value))
    assert chip.causes == []
    assert same(seen(chip), seen(chip_with("forward")))
