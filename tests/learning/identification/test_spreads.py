import numpy as np
import pytest

from devices.hardware import Devices
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


def make_chip(layers, instance=0, law="additive", activation="tanh", stuck=None, **devices):
    topology = Topology(layers, ["in-l1", "l1-out", "out-l1"], None)
    blocks = random_blocks(topology, 0, 0.7)
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


@pytest.mark.parametrize(("law", "activation"), [("additive", "tanh"), ("additive", "sigmoid"), ("hopfield", "tanh")])
def test_planted_spreads_are_found_within_a_tenth(law, activation):
    """60 reads of 60-100-30: standard errors of the cells are 3 % and less.

    That of the offset is 6 %, since 130 units have no more of them: it is compared with the offsets of this very chip.
    """
    layers = {"in": 60, "l1": 100, "out": 30}
    found = identify(layers, 60, law=law, activation=activation).spreads
    for name in ("forward", "feedback", "read"):
        assert found[name].value == pytest.approx(PLANTED[name], rel=0.1)
    assert found["offset"].value == pytest.approx(PLANTED["offset"], rel=0.25)
    assert all(0.0 < one.low < one.value < one.high for one in found.values())


def count_covered(law, activation, chips):
    covered = dict.fromkeys(PLANTED, 0)
    for k in range(chips):
        found = identify({"in": 30, "l1": 24, "out": 10}, 16, seed=k, law=law, activation=activation, instance=k)
        for name, true in PLANTED.items():
            covered[name] += found.spreads[name].low <= true <= found.spreads[name].high
    return {name: count / chips for name, count in covered.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("law", "activation"), [("additive", "sigmoid"), ("hopfield", "tanh")])
def test_intervals_cover_as_often_as_they_say(law, activation):
    """An interval of 90 % covers 170 to 190 of 200 chips with a probability of 98.7 %; false alarms: 1.3 % a spread."""
    shares = count_covered(law, activation, 200)
    assert all(0.85 <= share <= 0.95 for share in shares.values()), shares


def test_a_chip_without_spread_has_none():
    ideal = {"weights": WeightDevices(), "feedback": FeedbackDevices(), "neurons": NeuronDevices()}
    found = identify({"in": 20, "l1": 24, "out": 10}, 16, **ideal).spreads
    assert found["forward"].low == found["feedback"].low == found["offset"].low == 0.0
    assert found["forward"].high < 0.01
    assert found["read"].value == pytest.approx(1e-3, rel=0.2)
    quiet = identify({"in": 20, "l1": 24, "out": 10}, 60, noise=Noise()).spreads
    assert quiet["read"].value < 1e-6
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
    assert found.keys() == {"forward", "offset", "read"}
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


def test_a_unit_with_a_stuck_cell_is_named_and_left_out():
    layers = {"in": 30, "l1": 40, "out": 10}
    chip, blocks = make_chip(layers)
    asked = blocks["weight/in-l1"].copy()
    worst = np.abs(asked[:, 7]).argmax()
    blocks["weight/in-l1"][worst, 7] = -8.0 * blocks["weight/in-l1"][worst, 7]
    chip = chip.reprogrammed({"weight/in-l1": blocks["weight/in-l1"]})
    reads = read_free_states(chip, np.random.default_rng(0).uniform(size=(40, 30)))
    known = blocks | {"weight/in-l1": asked}
    found = estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "tanh"), known)
    assert found.strange == {"l1": [7]}
    assert found.spreads["forward"].value == pytest.approx(0.03, rel=0.15)


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
    with pytest.raises(ValueError, match="no activity"):
        estimate_spreads(get_wiring(chip), reads, InverseCurve("additive", "tanh"), blocks)


def test_intervals_of_spreads():
    many = make_spread(4.0, 4.0 * np.sqrt(2.0 / 200.0))
    # 200 degrees of freedom: chi-square of 168.3 and 234.0.
    assert (many.low, many.high) == (pytest.approx(1.849, abs=1e-3), pytest.approx(2.180, abs=1e-3))
    few = make_spread(1.0, 2.0)
    assert few.low == 0.0
    assert few.high > few.value
    assert make_spread(0.0, 0.0).high == 0.0
