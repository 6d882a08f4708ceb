"""What of a circuit's scenario does not fit together is told at the key to change, with what to write."""

import pytest

from scenarios.language.faults import ScenarioError, format_dotted_key
from tests.scenarios.circuits.scenarios_of_circuits import EXPONENTIAL, GRAPH, LATTICE, LAYERS, NETLIST, change, load

COUPLED = [("learning.rule", "coupled"), ("learning.scheme", None)]
TRAIN = ("experiment", {"kind": "train"})
SCHEME = {"kind": "centred", "beta": "10 uS"}
RATE = "0.6 uS^2/V^2"
UNLEARNED = [(f"network.elements.{k}.learn", None) for k in (0, 2, 6, 7)]

LAYERED = [
    ([("network.layers", {"in": 3})], "network.layers", "has 1 layer", "an output"),
    ([("network.layers", {"in": 3, "H 1": 4, "out": 2})], 'network.layers."H 1"', "not a layer name", "small letter"),
    (
        [("network.layers.h1", 999_999), ("network.layers.in", 999)],
        "network.layers",
        "there are 1e+09 conductors between the layers",
        "fewer nodes",
    ),
    ([("network.connections.1", "h1-in")], "network.connections.1", "seen from the other end", "write 'in-h1' once"),
    ([("network.connections.1", "in-out")], "network.connections.1", "joins no layers", "write 'in-h1', 'h1-out'"),
    ([("network.connections.2", "in-h1")], "network.connections.2", "stands there twice", "leave it out"),
    ([("network.connections", ["in-h1"])], "network.connections", "nothing joins h1 and out", "add 'h1-out'"),
    ([("network.diodes", {"out": "ideal"})], "network.diodes.out", "no hidden layer", "hidden layers are h1"),
    (
        [("network.amplifiers", {"in": {"forward": 2.0, "backward": 0.5}})],
        "network.amplifiers.in",
        "no hidden layer",
        "hidden layers are h1",
    ),
    ([("learning.homeostasis", {"kind": "exact"})], "learning", "has nothing to pull", "leave it out"),
    ([("network.init", None)], "network", "says no first conductances", "cut-uniform"),
    ([("network.parameters", "p.npz")], "network.init", "changes nothing", "leave one of them out"),
]
ON_GRAPHS = [
    (
        [("network.elements", None), ("network.nodes", None), ("network.models", None)],
        "network",
        "no elements",
        "one of",
    ),
    ([("network.netlist", "board.cir")], "network", "elements and netlist exclude each other", "give one"),
    ([("network.inputs", {"x": "Vx"})], "network.inputs", "changes nothing: there is no netlist", "themselves"),
    ([("network.outputs", ["out"])], "network.outputs", "changes nothing: there is no netlist", "themselves"),
    ([("network.learn", ["R*"])], "network.learn", "changes nothing: there is no netlist", "themselves"),
    ([("network.nodes.spare", "input")], "network.nodes.spare", "no element is there", "name it in between"),
    ([("network.nodes.0", "input")], "network.nodes.0", "is the ground", "take another node"),
    ([("network.elements.1.name", "mos")], "network.elements.1.name", "stands there twice", "a name of its own"),
    ([("network.elements.1.between", ["x", "x"])], "network.elements.1.between", "one node", "name two nodes"),
    ([("network.elements.1.conductance", "1 S")], "network.elements.1", "needs one of resistance", "500 ohm"),
    ([("network.elements.1.resistance", None)], "network.elements.1", "needs one of resistance", "500 ohm"),
    ([("network.elements.0.model", "silicon")], "network.elements.0.model", "no mos model 'silicon'", "are penn"),
    ([("network.elements.3.model", "other")], "network.elements.3.model", "no diode model 'other'", "are silicon"),
    (
        [("network.models.spare", {"kind": "diode", "saturation": "1 nA"})],
        "network.models.spare",
        "changes nothing",
        None,
    ),
]
OF_RESISTORS = "network.lattice.conductance"
RESISTORS = [
    ("network.models", None),
    ("network.lattice.model", None),
    ("network.lattice.gate", None),
    (OF_RESISTORS, ["10 uS", "100 uS"]),
]
ON_LATTICES = [
    ([("network.nodes", {"x": "input"})], "network.nodes", "changes nothing without elements", "leave it out"),
    ([("network.lattice.model", "p")], "network.lattice.model", "no mos model 'p'", "add it to network.models"),
    ([("network.lattice.input", ["r3c0"])], "network.lattice.input.0", "no node 'r3c0'", "nodes are r0c0 to r2c2"),
    ([("network.lattice.output.1", "r2c2")], "network.lattice.output.1", "stands there twice", "one part to play"),
    ([("network.lattice.held.r2c2", "1 V")], "network.lattice.held.r2c2", "stands there twice", "one part to play"),
    ([("network.lattice.gate", ["4 V", "2 V"])], "network.lattice.gate", "above the second", "lower one first"),
    ([("network.lattice.gate", None)], "network.lattice", "says nothing of its transistors", 'add gate = ["2 V"'),
    ([(OF_RESISTORS, ["1 uS", "2 uS"])], OF_RESISTORS, "edges are transistors", "the model"),
    ([*RESISTORS, (OF_RESISTORS, None)], "network.lattice", "nothing of its resistors", "add conductance"),
    (
        [*RESISTORS, ("network.lattice.gate", ["2 V", "3 V"])],
        "network.lattice.gate",
        "edges are resistors",
        "add a model",
    ),
    ([*RESISTORS, (OF_RESISTORS, ["2 uS", "1 uS"])], OF_RESISTORS, "above", "lower one"),
    ([*RESISTORS, (OF_RESISTORS, ["-1 uS", "1 uS"])], OF_RESISTORS, "below 0 S", None),
]
EVERY = ("in-h1", "h1-out", "current/h1", "current/out")
OF_LEARNING = [
    (LAYERS, COUPLED[:1], "learning.scheme", "changes nothing: coupled learning", "leave it out"),
    (LAYERS, [COUPLED[0], *[("learning.schemes", [SCHEME]), COUPLED[1]]], "learning.schemes", "changes nothing", None),
    (LAYERS, COUPLED[1:], "learning", "squared drops need a nudge scheme", "scheme = { kind"),
    (LAYERS, [("learning.schemes", [SCHEME])], "learning", "exclude each other", None),
    (
        LAYERS,
        [("learning.scheme.points", 4)],
        "learning.scheme.points",
        "centred has points of its own",
        "leave it out",
    ),
    (LAYERS, [("learning.scheme.seed", 4)], "learning.scheme.seed", "centred draws no signs", "leave it out"),
    (
        LAYERS,
        [COUPLED[1], ("learning.schemes", [SCHEME, {**SCHEME, "points": 4}])],
        "learning.schemes.1.points",
        "centred has points of its own",
        "leave it out",
    ),
    (LAYERS, [("learning.metric", "none")], "learning.metric", "there are no amplifiers", "leave it out"),
    (LAYERS, [*COUPLED, ("phases.nudge", "held")], "phases.nudge", "coupled learning does not nudge", "leave it out"),
    (
        LAYERS,
        [("learning.optimiser.coupled_rate", "5 uS/V^2")],
        "learning.optimiser.coupled_rate",
        "changes nothing under the rule contrastive",
        'give rate = "0.6 uS^2/V^2"',
    ),
    (
        LAYERS,
        [*COUPLED, ("learning.optimiser.rate", RATE)],
        "learning.optimiser.rate",
        "changes nothing under the rule coupled",
        'give coupled_rate = "5 uS/V^2"',
    ),
    (LATTICE, [("learning.optimiser.rate", RATE)], "learning.optimiser.rate", "no conductance is learned", "gate_rate"),
    (
        LAYERS,
        [("learning.optimiser.gate_rate", 1.0)],
        "learning.optimiser.gate_rate",
        "no gate is learned",
        "give rate",
    ),
    (
        LAYERS,
        [("learning.optimiser.rates", {"in-h2": RATE})],
        "learning.optimiser.rates.in-h2",
        "is no block of layers",
        "take one of in-h1, h1-out, current/h1, current/out",
    ),
    (
        LAYERS,
        [*COUPLED, ("learning.optimiser.rates", {"in-h1": RATE})],
        "learning.optimiser.rates.in-h1",
        "that squared drops teach",
        "one rate is for all",
    ),
    (LATTICE, [("learning.optimiser.rates", {"r": RATE})], "learning.optimiser.rates.r", "no block of layers", None),
    (
        LAYERS,
        [("learning.optimiser", {"rate": RATE, "rates": dict.fromkeys(EVERY, RATE)})],
        "learning.optimiser.rate",
        "every block has one of its own",
        "leave it out",
    ),
    (
        LAYERS,
        [TRAIN, ("learning.optimiser.rates", dict.fromkeys(EVERY[1:], RATE))],
        "learning.optimiser",
        "says no learning rate of conductances",
        'add rate = "0.6 uS^2/V^2"',
    ),
    (LAYERS, [("learning.optimiser.decay", 0.9)], "learning.optimiser.decay", "nothing is trained", "leave it out"),
    (LAYERS, [TRAIN], "learning.optimiser", "says no learning rate of conductances", 'add rate = "0.6 uS^2/V^2"'),
    (LATTICE, [TRAIN], "learning.optimiser", "says no learning rate of gates", "add gate_rate"),
    (GRAPH, [TRAIN, *UNLEARNED], "network", "has nothing to learn", "write learn = true"),
    (NETLIST, [TRAIN, ("network.learn", None)], "network", "has nothing to learn", "write learn = true"),
]
CURVES = ("experiment", {"kind": "settle", "duration": "1 us"})
IN_TIME = [
    (LATTICE, [CURVES, ("learning", {"rule": "coupled"})], "learning.rule", "makes voltages jump", "nudge them"),
    (LAYERS, [CURVES], "network.diodes.h1", "makes voltages jump", "exponential"),
    (EXPONENTIAL, [CURVES], "physical.capacitance", "is missing", 'write capacitance = "1 pF"'),
    (LATTICE, [CURVES, ("energy.per_read", "1 pJ")], "energy.per_read", "gradients are measured", "leave it out"),
    (LATTICE, [CURVES, ("devices.nudge.gain", 1.1)], "devices.nudge.gain", "followed without it", "leave it out"),
    (GRAPH, [CURVES], "network.elements.4", "is an ideal diode", "give it a model"),
]
OF_DEVICES = [
    (LAYERS, ("devices.transistors.gain_sigma", 0.1), "there are no transistors", "leave it out"),
    (LAYERS, ("devices.amplifiers.forward_sigma", 0.1), "there are no amplifiers", "leave it out"),
    (LATTICE, ("devices.amplifiers.offset_sigma", "1 mV"), "there are no amplifiers", "leave it out"),
    (LAYERS, ("devices.diodes.ideality_sigma", 0.1), "there are no exponential diodes", "leave it out"),
    (LATTICE, ("devices.weights.mismatch_sigma", 0.1), "there are no resistors", "leave it out"),
    (LATTICE, ("devices.weights.noise.slow", 0.1), "there are no resistors", "leave it out"),
    (LATTICE, ("devices.weights.noise.fast", 0.1), "there are no resistors", "leave it out"),
    (LAYERS, ("devices.drops.twin_noise", "1 mV"), "no second copy, which twin_sigma makes", "leave it out"),
    (LAYERS, ("energy.static", "1 uW"), "changes nothing without a time", "settling_time"),
    (LAYERS, ("energy.per_write", "1 pJ"), "nothing is written", "leave it out"),
    (LAYERS, ("devices.weights.levels", 8), "changes nothing without a window", "give window"),
    (LAYERS, ("devices.weights.window", ["2 uS", "1 uS"]), "not below the second", "lower one first"),
    (LAYERS, ("devices.weights.window", ["-1 uS", "1 uS"]), "begins below 0 S", "0 or more"),
    (LATTICE, ("devices.transistors.gate", ["2 V", "1 V"]), "not below the second", "lower one first"),
    (EXPONENTIAL, ("dynamics.sweeps", 3), "no devices but weights alone", "leave it out"),
    (GRAPH, ("dynamics.precision", "single"), "no devices but weights alone", "leave it out"),
    (LATTICE, ("network.temperature", "350 K"), "there are no exponential diodes", "leave it out"),
    (NETLIST, ("network.temperature", "350 K"), "the netlist says it", ".temp"),
    (LAYERS, ("physical.input_volts", "2 V"), "the task is written in volts", "leave it out"),
    (LAYERS, ("physical.target_volts", "2 V"), "the task is written in volts", "leave it out"),
    (LAYERS, ("experiment.repeats", 3), "no two measurements differ", "devices.drops.noise"),
]


def find_faults(base, changes, folder):
    with pytest.raises(ScenarioError) as caught:
        load(change(base, *changes), folder)
    return caught.value.faults


@pytest.mark.parametrize(
    ("base", "changes", "path", "message", "hint"),
    [
        *((LAYERS, *row) for row in LAYERED),
        *((GRAPH, *row) for row in ON_GRAPHS),
        *((LATTICE, *row) for row in ON_LATTICES),
        *OF_LEARNING,
        *IN_TIME,
        *((base, [change], change[0], *words) for base, change, *words in OF_DEVICES),
        (
            LAYERS,
            [TRAIN, ("learning.optimiser.rate", RATE), ("experiment.ledger", {"repeats": 2})],
            "experiment.ledger.repeats",
            "no two measurements differ",
            "devices.drops.noise",
        ),
    ],
)
def test_a_fault_names_its_place_and_what_to_write(tmp_path, base, changes, path, message, hint):
    faults = [fault for fault in find_faults(base, changes, tmp_path) if format_dotted_key(fault.path) == path]
    assert len(faults) == 1
    assert message in faults[0].message
    assert hint is None or hint in faults[0].hint


@pytest.mark.parametrize("base", [LAYERS, EXPONENTIAL, GRAPH, LATTICE, NETLIST])
def test_the_scenarios_themselves_have_no_fault(tmp_path, base):
    assert load(base, tmp_path).spec.name == base["name"]


def test_everything_that_is_wrong_is_told_at_once_but_first_what_is_no_key(tmp_path):
    changes = [("network.elements.0.between", ["a", "a"]), ("network.elements.2.model", "x"), ("network.learn", ["R1"])]
    assert [fault.path for fault in find_faults(GRAPH, changes, tmp_path)] == [("network", "elements", 2, "model")]
    found = find_faults(GRAPH, changes[::2], tmp_path)
    assert {fault.path[1:] for fault in found} == {("elements", 0, "between"), ("learn",), ("nodes", "high")}
