"""What of a circuit, its files and its data does not fit is found before a run, at the key to change."""

import re

import numpy as np
import pytest

import nudgelab
from scenarios.circuits import netlists
from scenarios.circuits.estimates import describe_circuit_estimates
from scenarios.circuits.setup import make_circuit_setup
from scenarios.circuits.suspicions import find_circuit_suspicions
from scenarios.language.faults import ScenarioError, format_dotted_key

from .scenarios_of_circuits import BOARD, EXPONENTIAL, GRAPH, LATTICE, LAYERS, NETLIST, change, load, set_up

FILE = [("network.init", None), ("network.parameters", "first.npz")]
BLOCKS = {
    "conductance/in-h1": np.full((2, 3, 4), 1e-6),
    "conductance/h1-out": np.full((4, 2), 1e-6),
    "current/h1": np.zeros(4),
    "current/out": np.zeros(2),
}
LONE = {"name": "lone", "kind": "capacitor", "between": ["mid", "lone"], "capacitance": "1 pF"}
ARRAYS = ("task", {"kind": "arrays", "path": "data.npz"})

WIDE = change(LAYERS, ("network.layers", {"in": 10, "h1": 6000, "out": 2}), ("task.inputs", [["1 V"] * 10] * 2))
SOURCES = change(GRAPH, ("experiment", {"kind": "settle", "duration": "1 us"}), ("devices.inputs.resistance", "1 kohm"))
SOURCES["network"]["elements"][4] = LONE | {"between": ["mid", "0"]}  # in the place of an ideal diode

CASES = [
    (GRAPH, [("network.nodes.x", {"held": "1 V"})], "network", "has no input node", 'x = "input"'),
    (GRAPH, [("network.nodes.out", None)], "network", "has no output node", 'out = "output"'),
    (GRAPH, [("network.elements.9", LONE)], "network", "lone float", "add a path to one of 0, x, high"),
    (GRAPH, [("network.elements.5.between", ["mid", "out"])], "network", "out is an output and driven", "in front"),
    (GRAPH, [("network.elements.1.between", ["x", "high"])], "network", "both held", "leave that element out"),
    (GRAPH, [("network.elements.4.between", ["mid", "out"])], "network", "one end of which must be held", "a model"),
    (EXPONENTIAL, [("network.layers.h1", 300_000)], "network", "300,002 free nodes, more than 250,000", "fewer"),
    (LATTICE, [("experiment", {"kind": "settle", "duration": "1 us"})], "physical", "capacit", '"1 pF"'),
    (WIDE, [("devices.weights.wires", "1 ohm")], "devices.weights.wires", "free nodes, more than 250,000", "fewer"),
    (SOURCES, [], "physical", "no capacitor holds the voltage of x", '"1 pF"'),
    (LAYERS, [("seed", 0)], "network.init", "out_1 float: all first conductances", "another seed"),
    (EXPONENTIAL, [("seed", 0)], "network.init", "out_1 float: all first conductances", "devices.weights.window"),
    (LAYERS, [("task.inputs.1", ["1 V"])], "task.inputs", "row 1 has 1 voltages, the circuit 3 inputs", "for each"),
    (LAYERS, [("task.targets.0", ["1 V"])], "task.targets", "row 0 has 1 voltages, the circuit 2 outputs", "for each"),
    (LAYERS, [("task.targets.2", ["1 V", "0 V"])], "task.targets", "3 rows, and inputs has 2", "every sample"),
    (LAYERS, [ARRAYS], "task.path", "no file", "start at the scenario"),
    (LAYERS, FILE, "network.parameters", "no file", "start at the scenario"),
    (NETLIST, [("network.netlist", "other.cir")], "network.netlist", "no file", "did you mean 'board.cir'?"),
    (NETLIST, [("network.outputs.0", "none")], "network.outputs.0", "no free node 'none'", "there are mid, out"),
    (NETLIST, [("network.outputs.1", "OUT")], "network.outputs.1", "'OUT' stands there twice", "leave it out"),
    (NETLIST, [("network.outputs", [])], "network", "has no output node", 'write outputs = ["out"]'),
    (NETLIST, [("network.inputs", {})], "network", "has no input node", 'write inputs = { x0 = "Vx0" }'),
    (NETLIST, [("network.inputs.x", "Vno")], "network.inputs.x", "no voltage source 'Vno'", "there are vhigh, vin"),
    (NETLIST, [("network.inputs.y", "vin")], "network.inputs.y", "the input 'x' sets 'vin', too", "another source"),
    (NETLIST, [("network.learn.0", "Q*")], "network.learn.0", "no resistor or transistor is named 'Q*'", "R1, R2, R3"),
]


def find_faults(data, folder):
    with pytest.raises(ScenarioError) as caught:
        set_up(data, folder)
    return caught.value.faults


@pytest.mark.parametrize(("base", "changes", "path", "message", "hint"), CASES)
def test_a_fault_names_its_place_and_what_to_write(tmp_path, base, changes, path, message, hint):
    fault = find_faults(change(base, *changes), tmp_path)[0]
    assert format_dotted_key(fault.path) == path
    assert message in fault.message
    assert hint in fault.hint


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"conductance/h1-out": None}, "lacks 'conductance/h1-out'"),
        ({"current/out": np.zeros(3)}, "does not hold finite numbers of this shape in 'current/out'"),
        ({"current/out": np.array([0.0, np.nan])}, "does not hold finite numbers of this shape in 'current/out'"),
        ({"conductance/h1-out": np.full((4, 2), -1e-6)}, "outside of 0 S to inf S in 'conductance/h1-out'"),
    ],
)
def test_parameters_that_do_not_fit_are_named(tmp_path, blocks, message):
    given = {name: block for name, block in (BLOCKS | blocks).items() if block is not None}
    np.savez(tmp_path / "first.npz", **given)
    (fault,) = find_faults(change(LAYERS, *FILE), tmp_path)
    assert fault.path == ("network", "parameters")
    assert message in fault.message


def test_parameters_of_a_file_are_programmed(tmp_path):
    np.savez(tmp_path / "first.npz", **BLOCKS)
    setup = set_up(change(LAYERS, *FILE), tmp_path)
    assert {name: block.tolist() for name, block in setup.chip().programmed.items()} == {
        name: block.tolist() for name, block in BLOCKS.items()
    }
    assert "4 blocks in siemens and amperes" in setup.taken[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("R2 mid out 2k", "Q2 mid out 2k", "board.cir:5: Q2"),
        ("Vin in 0 0", "Vin in mid 0", "board.cir:2: Vin"),
        ("R1 in mid 1k\nR2 mid out 2k\nR3 out 0 5k\nR4 high out 10k\nD1 mid 0 silicon\n", "R1 in 0 1\n", "no node is"),
    ],
)
def test_what_a_netlist_may_not_hold_is_told_by_line(tmp_path, old, new, message):
    loaded = load(NETLIST, tmp_path)
    (tmp_path / "board.cir").write_text(BOARD.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        make_circuit_setup(loaded, loaded.spec)
    assert caught.value.faults[0].path == ("network", "netlist")
    assert message in caught.value.faults[0].message


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff\xfe", "is no text at byte 0"), (None, "is a folder, not a file")]
)
def test_a_netlist_that_is_no_text_is_refused(tmp_path, content, message):
    loaded = load(NETLIST, tmp_path)
    (tmp_path / "board.cir").unlink()
    if content is None:
        (tmp_path / "board.cir").mkdir()
    else:
        (tmp_path / "board.cir").write_bytes(content)
    with pytest.raises(ScenarioError, match=message):
        make_circuit_setup(loaded, loaded.spec)


def test_a_source_at_a_gate_alone_is_no_input(tmp_path):
    loaded = load(change(NETLIST, ("network.inputs.y", "Vgate")), tmp_path)
    mos = "M1 mid gate out bulk channel\nVgate gate 0 3\nVbulk bulk 0 -5\n"
    model = ".model channel NMOS(LEVEL=1 VTO=0.7 KP=1e-3 GAMMA=0 LAMBDA=0 IS=1e-30)\n"
    (tmp_path / "board.cir").write_text(BOARD.replace(".model silicon", f"{mos}{model}.model silicon"))
    with pytest.raises(ScenarioError) as caught:
        make_circuit_setup(loaded, loaded.spec)
    (fault,) = caught.value.faults
    assert fault.path == ("network", "inputs", "y")
    assert "'Vgate' is at a gate, whose voltage is constant" in fault.message
    assert fault.hint == "name a source of another node"


def test_a_netlist_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(netlists, "_LARGEST", 10)
    assert "is larger than" in find_faults(NETLIST, tmp_path)[0].message


def test_estimates_of_what_does_not_fit_say_why(tmp_path):
    lines = list(describe_circuit_estimates(load(change(NETLIST, ("network.outputs.0", "none")), tmp_path)))
    assert lines == ["No estimates: the netlist has no free node 'none'"]


def test_a_share_of_a_critical_nudge_that_there_is_not_is_told(tmp_path):
    """The output stands at the ideal diode in every sample: no nudge moves it, and none is critical."""
    setup = set_up(
        change(GRAPH, ("learning.scheme.beta", {"fraction": 0.1}), ("network.elements.7.current", "-1 A")), tmp_path
    )
    with pytest.raises(ScenarioError) as caught:
        setup.schemes()
    (fault,) = caught.value.faults
    assert fault.path == ("learning", "scheme", "beta")
    assert "no sample of the first batch has a critical nudge" in fault.message
    assert fault.hint == 'give beta = "10 uS"'


def test_a_nudge_of_its_own_needs_no_critical_one(tmp_path):
    setup = set_up(change(GRAPH, ("network.elements.7.current", "-1 A")), tmp_path)
    assert setup.find_critical_nudge() == np.inf
    assert [scheme.beta for scheme in setup.schemes()] == [10e-6]
    assert list(find_circuit_suspicions(setup)) == []


def test_the_critical_nudge_of_very_wide_layers_is_not_sought(tmp_path, monkeypatch):
    """It takes full matrices of all nodes; a nudge near it is told of all others."""
    setup = set_up(change(LAYERS, ("learning.scheme.beta", "1 S")), tmp_path)
    assert "of the critical nudge" in str(list(find_circuit_suspicions(setup)))
    monkeypatch.setattr("scenarios.circuits.suspicions.SOLVED", 3)
    assert "of the critical nudge" not in str(list(find_circuit_suspicions(setup)))


def test_the_time_of_a_training_is_measured():
    text = nudgelab.load("circuits/deep-resistive", {"experiment.samples": 40, "experiment.epochs": 1}).show()
    assert re.search(r"# time        (about \d+ s|about less than a second) for the training", text)
    assert "# time" not in nudgelab.load("circuits/lattice").show()
