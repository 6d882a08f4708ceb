"""Layers settled by sweeps and the same circuit on a graph are one circuit."""

import numpy as np
import pytest

from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from substrate.circuits.chip import CircuitChip
from substrate.circuits.forms import make_oracle
from substrate.circuits.layered.chip import LayeredChip
from substrate.protocol import Nudge

from .scenarios_of_circuits import EXPONENTIAL, LAYERS, change, set_up

DEEP = change(
    LAYERS,
    ("network.layers", {"in": 3, "h1": 6, "h2": 5, "out": 2}),
    ("network.connections", ["in-h1", "h1-h2", "h2-out"]),
    ("network.diodes", {"h1": "ideal", "h2": {"kind": "ideal"}}),
)
FORMS = {
    "ideal diodes": LAYERS,
    "two hidden layers": DEEP,
    "without diodes": change(LAYERS, ("network.diodes", {})),
    "single rail": change(LAYERS, ("network.rails", "single"), ("devices.weights.window", ["1 uS", "10 uS"])),
    "no currents": change(LAYERS, ("network.bias", "none")),
    "held nudge": change(LAYERS, ("phases.nudge", "held")),
}


def build_both(data, folder):
    """Return the fast chip of a scenario and the circuit on a graph, with bias currents in both."""
    setup = set_up(data, folder)
    assert setup.graph is not setup.design
    rng = np.random.default_rng(0)
    currents = {name: rng.normal(size=b.shape) * 1e-6 for name, b in setup.programmed.items() if "current" in name}
    blocks = setup.programmed | currents
    fast, graph = LayeredChip(setup.design, blocks, 1), CircuitChip(setup.graph, blocks, *setup.fabrication)
    return setup, fast, graph


@pytest.mark.parametrize("form", FORMS)
def test_layers_settle_to_the_voltages_of_the_graph(tmp_path, form):
    setup, *chips = build_both(FORMS[form], tmp_path)
    found = []
    for chip in chips:
        chip.set_input(np.asarray(setup.data.x))
        assert (chip.settle().status == 0).all()
        found.append(chip.read())
    fast, graph = found
    assert list(fast) == list(graph)
    for name in fast:
        np.testing.assert_allclose(fast[name], graph[name], rtol=0.0, atol=1e-10)
    assert max(np.abs(fast[name]).max() for name in list(fast)[1:]) > 0.1


@pytest.mark.parametrize("form", FORMS)
def test_layers_measure_the_gradients_of_the_graph(tmp_path, form):
    setup, *chips = build_both(FORMS[form], tmp_path)
    x, y = np.asarray(setup.data.x), np.asarray(setup.data.y)
    trial = CircuitTrial(x, y, setup.scenario.learning.rule, setup.schemes(), True, {})
    fast, graph = (measure_circuit(chip, trial, 1, lambda _: None) for chip in chips)
    assert fast.keep.all()
    assert graph.keep.all()
    assert list(fast.blocks[0]) == list(graph.blocks[0])
    for name, ledger in fast.blocks[0].items():
        for ours, theirs in zip(ledger.steps, graph.blocks[0][name].steps, strict=True):
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-8 * scale + 1e-300)
        assert np.abs(ledger.steps[0]).max() > 0.0


def test_what_is_no_ideal_layer_is_settled_as_a_graph(tmp_path):
    for data in (EXPONENTIAL, change(LAYERS, ("devices.weights.noise.fast", 0.1))):
        setup = set_up(data, tmp_path)
        assert setup.design is setup.graph
        assert isinstance(setup.chip(), CircuitChip)
    assert isinstance(set_up(LAYERS, tmp_path).chip(), LayeredChip)


def test_chips_of_layers_differ_as_those_of_their_graphs_do(tmp_path):
    """One piece of hardware is one, in whatever form it is simulated, settled and written."""
    window = ("devices.weights.window", ["1 uS", "20 uS"])
    setup = set_up(change(LAYERS, ("devices.weights.mismatch_sigma", 0.2), window), tmp_path)
    x, target, keep = np.asarray(setup.data.x), np.asarray(setup.data.y), np.ones(2, dtype=bool)
    answers = []
    for instance in (0, 1):
        fast = setup.chip(instance)
        assert isinstance(fast, LayeredChip)
        graph = CircuitChip(setup.graph, setup.programmed, setup.fabrication.seed, instance)
        changes = dict.fromkeys(fast.programmed, 2e-6)
        reads = []
        for chip in (fast, graph):
            chip.write({name: np.full(values.shape, changes[name]) for name, values in chip.programmed.items()})
            chip.set_input(x)
            chip.settle()
            free = chip.read()
            chip.settle(Nudge(1e-6, target), start="free")
            chip.imprint(chip.read(), free, dict.fromkeys(chip.programmed, 1e-6))
            chip.settle()
            reads.append((free, chip.read(), chip.contrast(chip.read(), free, keep), chip.programmed))
        for one, two in zip(*reads, strict=True):
            for name, values in two.items():
                scale = np.abs(values).max() + 1e-300
                np.testing.assert_allclose(one[name], values, rtol=0.0, atol=1e-7 * scale)  # of small differences, too
        answers.append(reads[0][0]["out"])
        floored = [block.ravel() == 1e-6 for name, block in fast.programmed.items() if name.startswith("conductance")]
        assert fast.limited_share == np.concatenate(floored).mean()
    assert np.abs(answers[0] - answers[1]).max() > 0.01 * np.abs(answers[0]).max()


def test_the_exact_gradients_of_layers_are_those_of_the_chip_that_is_there(tmp_path):
    setup = set_up(change(LAYERS, ("devices.weights.mismatch_sigma", 0.2)), tmp_path)
    x, target, keep = np.asarray(setup.data.x), np.asarray(setup.data.y), np.ones(2, dtype=bool)
    graph = CircuitChip(setup.graph, setup.programmed, *setup.fabrication)
    fast, slow = (make_oracle(chip) for chip in (setup.chip(), graph))
    one, two = (oracle.compute_gradients(oracle.find_point(x, target), keep) for oracle in (fast, slow))
    for name, values in two.items():
        np.testing.assert_allclose(one[name], values, rtol=0.0, atol=1e-9 * np.abs(values).max())


def test_the_conductances_of_a_graph_are_named_by_what_they_join(tmp_path):
    setup = set_up(change(LAYERS, ("network.layers.in", 2), ("task.inputs", [["1 V", "2 V"]] * 2)), tmp_path)
    circuit, block = setup.graph.circuit, setup.graph.blocks["conductance/in-h1"]
    element = block.elements[1, 0, 3]
    ends = circuit.nodes[circuit.conductors.a[element]], circuit.nodes[circuit.conductors.b[element]]
    assert ends == ("in-0", "h1_3")
    assert block.dims == ("rail", "in", "h1")
