"""Layers settled by sweeps and the same circuit on a graph are one circuit."""

import numpy as np
import pytest

from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from substrate.circuits.chip import CircuitChip
from substrate.circuits.layered.chip import LayeredChip

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
    for data in (EXPONENTIAL, change(LAYERS, ("devices.weights.mismatch_sigma", 0.1))):
        setup = set_up(data, tmp_path)
        assert setup.design is setup.graph
        assert isinstance(setup.chip(), CircuitChip)
    assert isinstance(set_up(LAYERS, tmp_path).chip(), LayeredChip)


def test_the_conductances_of_a_graph_are_named_by_what_they_join(tmp_path):
    setup = set_up(change(LAYERS, ("network.layers.in", 2), ("task.inputs", [["1 V", "2 V"]] * 2)), tmp_path)
    circuit, block = setup.graph.circuit, setup.graph.blocks["conductance/in-h1"]
    element = block.elements[1, 0, 3]
    ends = circuit.nodes[circuit.conductors.a[element]], circuit.nodes[circuit.conductors.b[element]]
    assert ends == ("in-0", "h1_3")
    assert block.dims == ("rail", "in", "h1")
