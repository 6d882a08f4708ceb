import numpy as np
import pytest

from devices.hardware import Devices
from devices.interface.converter import Adc, Converters
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.synapse.cell import FeedbackDevices, WeightDevices
from learning.identification.reads import get_wiring, read_free_states
from learning.identification.spreads import estimate_spreads, make_spread
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.dynamics.methods import Phase
from substrate.network.topology import Topology
from substrate.theory.inverse_curve import InverseCurve
from tests.learning.test_estimator import OnlyBench
from tests.networks import dynamics, random_blocks

PLANTED = {"forward": 0.03, "feedback": 0.1, "offset": 0.02, "read": 1e-3}
UNITS = {"slope": 0.02, "gain": 0.03, "converter_gain": 0.02, "converter_offset": 0.01}
"""Spreads of units and of their converters, where they are planted, too."""

SPREAD_UNITS = {
    "neurons": NeuronDevices(offset_sigma=0.02, gain_sigma=UNITS["gain"], slope_sigma=UNITS["slope"]),
    "converters": Converters(
        readout=Adc(
            bits=20, range=[-4.0, 4.0], gain_sigma=UNITS["converter_gain"], offset_sigma=UNITS["converter_offset"]
        )
    ),
}


WIRING = ("in-l1", "l1-out", "out-l1")


def make_chip(layers, instance=0, law="additive", activation="tanh", connections=WIRING, **devices):
    topology = Topology(layers, list(connections), None)
    blocks = random_blocks(topology, 0, 0.7)
    if "weight/out-l1" in blocks:
        blocks["weight/out-l1"] = 2.0 * blocks["weight/out-l1"]
    made = {
        "weights": WeightDevices(mismatch_sigma=PLANTED["forward"]),
        "feedback": FeedbackDevices(mismatch_sigma=PLANTED["feedback"]),
        "neurons": NeuronDevices(offset_sigma=PLANTED["offset"]),
        "noise": Noise(read=PLANTED["read"]),
    }
    phase = Phase(max_steps=2000, tolerance=1e-9)
    design = Design(topology, activation, "mse", dynamics(0.5, phase), Devices(**made | devices), law)
    return Chip(design, blocks, Fabrication(5, instance), 1), blocks


def identify(layers, reads, seed=0, law="additive", activation="tanh", **how):
    chip, blocks = make_chip(layers, law=law, activation=activation, **how)
    x = np.random.default_rng(seed).uniform(size=(reads, layers["in"]))
    bench = OnlyBench(chip)
    return estimate_spreads(get_wiring(bench), read_free_states(bench, x), InverseCurve(law, activation), blocks)


@pytest.mark.parametrize(("law", "activation"), [("additive", "sigmoid"), ("hopfield", "tanh")])
def test_planted_spreads_are_found(law, activation):
    """40 reads of 40-40-20: standard errors of the cells are 4 and 6 %, that of 60 offsets is 15 %; limits: four."""
    layers = {"in": 40, "l1": 40, "out": 20}
    found = identify(layers, 40, law=law, activation=activation).spreads
    for name, limit in (("forward", 0.15), ("feedback", 0.25), ("read", 0.1), ("offset", 0.6)):
        assert found[name].value == pytest.approx(PLANTED[name], rel=limit)
    assert all(0.0 < found[name].low < found[name].value < found[name].high for name in PLANTED)
    assert found["gain"].low == found["converter_gain"].low == 0.0
    assert max(found["gain"].high, found["converter_gain"].high) < 0.005


@pytest.mark.parametrize(("law", "activation"), [("additive", "tanh"), ("hopfield", "tanh")])
def test_spreads_of_units_and_converters_are_told_from_those_of_cells(law, activation):
    """40 reads of 40-40-20. Cells are not taken for worse than they are, by their standard errors of 4 and 6 %.

    60 units have no more than 60 constants of a kind: 9 % and the reads; limits are four standard errors.
    """
    layers = {"in": 40, "l1": 40, "out": 20}
    found = identify(layers, 40, law=law, activation=activation, **SPREAD_UNITS).spreads
    assert found["forward"].value == pytest.approx(0.03, rel=0.15)
    assert found["feedback"].value == pytest.approx(0.1, rel=0.25)
    for name in ("gain", "converter_gain"):
        assert found[name].value == pytest.approx(UNITS[name], rel=0.4)
        assert 0.5 * UNITS[name] < found[name].low < UNITS[name] < found[name].high
    assert found["slope"].low < UNITS["slope"] < found["slope"].high < 0.05
    assert found["converter_offset"].low < UNITS["converter_offset"] < found["converter_offset"].high < 0.02


def test_what_no_unit_sees_does_not_tell_converters_from_gains():
    """Without feedback nothing sees the outputs: unit and converter multiply what is read, and are one number."""
    chip, blocks = make_chip({"in": 20, "out": 40}, connections=["in-out"], **SPREAD_UNITS)
    reads = read_free_states(chip, np.random.default_rng(0).uniform(size=(20, 20)))
    found = estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "tanh"), blocks)
    assert found.together == [("gain", "converter_gain")]
    both = np.hypot(UNITS["gain"], UNITS["converter_gain"])
    # 40 units: 11 %.
    assert found.spreads["gain"].value == pytest.approx(both, rel=0.45)
    assert found.spreads.keys() == {"forward", "offset", "read", "slope", "gain", "converter_offset"}


def count_covered(law, activation, chips, planted, devices):
    covered = dict.fromkeys(planted, 0)
    layers = {"in": 30, "l1": 24, "out": 10}
    for k in range(chips):
        found = identify(layers, 16, seed=k, law=law, activation=activation, instance=k, **devices)
        for name, true in planted.items():
            covered[name] += found.spreads[name].low <= true <= found.spreads[name].high
    return {name: count / chips for name, count in covered.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "activation", "planted", "devices"),
    [
        ("additive", "sigmoid", PLANTED, {}),
        ("hopfield", "tanh", PLANTED, {}),
        ("additive", "tanh", PLANTED | UNITS, SPREAD_UNITS),
    ],
)
def test_intervals_cover_as_often_as_they_say(law, activation, planted, devices):
    """An interval of 90 % covers 170 to 190 of 200 chips with a probability of 98.7 %; false alarms: 1.3 % a spread."""
    shares = count_covered(law, activation, 200, planted, devices)
    assert all(0.85 <= share <= 0.95 for share in shares.values()), shares


def test_a_chip_without_spread_has_none():
    ideal = {"weights": WeightDevices(), "feedback": FeedbackDevices(), "neurons": NeuronDevices()}
    found = identify({"in": 20, "l1": 24, "out": 10}, 16, **ideal).spreads
    assert found["forward"].low == found["feedback"].low == found["offset"].low == 0.0
    assert found["forward"].high < 0.01
    assert found["read"].value == pytest.approx(1e-3, rel=0.2)
    quiet = identify({"in": 20, "l1": 24, "out": 10}, 60, noise=Noise()).spreads
    assert quiet["read"].value < 3e-5
    assert quiet["forward"].value == pytest.approx(0.03, rel=0.15)


def test_one_cell_for_both_directions_has_one_spread():
    feedback = FeedbackDevices(storage="shared-device")
    layers = {"in": 30, "l1": 40, "out": 20}
    chip, blocks = make_chip(layers, feedback=FeedbackDevices(), instance=1)
    blocks["weight/out-l1"] = blocks["weight/l1-out"].T.copy()
    chip = Chip(chip.design.replace(feedback=feedback), blocks, Fabrication(5, 1), 1)
    x = np.random.default_rng(0).uniform(size=(30, 30))
    reads, curve = read_free_states(chip, x), InverseCurve("additive", "tanh")
    found = estimate_spreads(get_wiring(chip), reads, curve, blocks, shared=True).spreads
    assert "feedback" not in found
    assert found["forward"].value == pytest.approx(0.03, rel=0.15)


def test_an_additive_spread_does_not_depend_on_the_weight():
    layers = {"in": 30, "l1": 40, "out": 20}
    weights = WeightDevices(mismatch="additive", mismatch_sigma=0.02)
    chip, blocks = make_chip(layers, weights=weights, feedback=FeedbackDevices(mismatch_sigma=0.05))
    x = np.random.default_rng(0).uniform(size=(40, 30))
    reads, curve = read_free_states(chip, x), InverseCurve("additive", "tanh")
    found = estimate_spreads(get_wiring(chip), reads, curve, blocks, "additive").spreads
    assert found["forward"].value == pytest.approx(0.02, rel=0.15)
    assert found["feedback"].value == pytest.approx(0.05, rel=0.25)


def test_a_stuck_cell_is_named_and_left_out():
    layers = {"in": 30, "l1": 40, "out": 10}
    chip, blocks = make_chip(layers)
    asked = blocks["weight/in-l1"].copy()
    worst = np.abs(asked[:, 7]).argmax()
    blocks["weight/in-l1"][worst, 7] = -8.0 * blocks["weight/in-l1"][worst, 7]
    chip = chip.reprogrammed({"weight/in-l1": blocks["weight/in-l1"]})
    reads = read_free_states(chip, np.random.default_rng(0).uniform(size=(40, 30)))
    known = blocks | {"weight/in-l1": asked}
    found = estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "tanh"), known)
    assert found.stuck == {"weight/in-l1": [(worst, 7)]}
    assert found.strange == {}
    assert found.spreads["forward"].value == pytest.approx(0.03, rel=0.15)


@pytest.mark.parametrize("dead", [False, True])
def test_stuck_cells_and_a_dead_row_pull_nothing(dead):
    """30 reads of 40-30-10: two cells of a hundred hold 0, or the cells of one input do. Limits: four errors."""
    layers = {"in": 40, "l1": 30, "out": 10}
    chip, blocks = make_chip(layers)
    rng, held = np.random.default_rng(4), {n: b.copy() for n, b in blocks.items() if n.startswith("weight/")}
    gone = {name: rng.uniform(size=block.shape) < 0.02 * (not dead) for name, block in held.items()}
    gone["weight/in-l1"][7] |= dead
    for name, which in gone.items():
        held[name][which] = 0.0
    reads = read_free_states(chip.reprogrammed(held), rng.uniform(size=(30, 40)))
    found = estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "tanh"), blocks)
    assert found.spreads["forward"].value == pytest.approx(0.03, rel=0.25)
    assert found.spreads["feedback"].value == pytest.approx(0.1, rel=0.35)
    assert found.spreads["read"].value == pytest.approx(1e-3, rel=0.25)
    told = {(name, cell) for name, cells in found.stuck.items() for cell in cells}
    real = {(name, (int(i), int(j))) for name, which in gone.items() for i, j in np.argwhere(which)}
    assert len(told & real) >= 0.6 * len(real)
    assert len(told - real) <= 0.1 * len(real)
    assert sum(map(len, found.strange.values())) <= 1


def test_what_tells_nothing_is_counted():
    layers = {"in": 30, "l1": 24, "out": 10}
    chip, blocks = make_chip(layers, activation="sigmoid")
    reads = read_free_states(chip, np.random.default_rng(0).uniform(size=(20, 30)))
    found = estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "sigmoid"), blocks)
    ends = np.abs(reads.activity["l1"] - 0.5) > 0.46
    assert found.saturated["l1"] == np.count_nonzero(ends) > 0
    assert found.rows == 20 * 34 - sum(found.saturated.values())
    for name in ("l1", "out"):
        reads.activity[name][:] = 1.0
    with pytest.raises(ValueError, match="no activity lies far enough from the ends of its range"):
        estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "sigmoid"), blocks)


def test_of_hidden_units_that_are_not_read_nothing_is_said():
    layers = {"in": 30, "l1": 24, "out": 10}
    chip, blocks = make_chip(layers)
    reads = read_free_states(chip, np.random.default_rng(0).uniform(size=(20, 30)))
    reads.activity.pop("l1")
    with pytest.raises(ValueError, match=r"l1 is not read, and every layer is fed by one that is not: .* read l1, too"):
        estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "tanh"), blocks)


def test_intervals_of_spreads():
    many = make_spread(4.0, 4.0 * np.sqrt(2.0 / 200.0))
    # 200 degrees of freedom: chi-square of 168.3 and 234.0.
    assert (many.low, many.high) == (pytest.approx(1.849, abs=1e-3), pytest.approx(2.180, abs=1e-3))
    few = make_spread(1.0, 2.0)
    assert few.low == 0.0
    assert few.high > few.value
    assert make_spread(0.0, 0.0).high == 0.0
