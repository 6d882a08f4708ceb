"""Wires with a resistance make another circuit, which EP trains as any other."""

import numpy as np
import pytest

from devices.circuit.components import CircuitDevices, ResistorSpread
from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from learning.schemes.nodes import Centred
from substrate.circuits.chip import CircuitChip
from substrate.circuits.effects.wires import add_crossbars, add_leads
from substrate.circuits.forms import make_oracle
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.system import apply_nothing, assemble_system
from tests.scenarios.circuits.scenarios_of_circuits import EXPONENTIAL, LAYERS, change, set_up
from tests.substrate.circuits.circuits import draw_batch, make_design

OHMS = 500.0


def settle(design, x):
    rest = find_circuit_rest(assemble_system(design.circuit), apply_nothing(design.feeds.apply(x), 2))
    assert (rest.status == 0).all()
    return rest.voltages


def make_chip(design, devices=None):
    values = {"conductance": design.circuit.conductors.g, "gate": design.circuit.transistors.gate}
    blocks = {name: values[block.kind][block.elements] for name, block in design.blocks.items()}
    return CircuitChip(design._replace(devices=devices or CircuitDevices()), blocks)


@pytest.mark.parametrize("kind", ["linear", "ideal"])
def test_a_lead_stands_in_series_with_its_resistor(kind):
    design, x = make_design(kind), draw_batch(kind)[0]
    g = design.circuit.conductors.g
    series = design.circuit.conductors._replace(g=g / (1.0 + OHMS * g))
    expected = settle(design._replace(circuit=design.circuit._replace(conductors=series)), x)
    found = settle(add_leads(design, OHMS), x)
    np.testing.assert_allclose(found[:, : expected.shape[1]], expected, rtol=0, atol=1e-12)


def test_a_lead_stands_in_series_with_its_transistor():
    design, x = make_design("mos"), draw_batch("mos")[0]
    found = add_leads(design, OHMS)
    v, mos = settle(found, x), found.circuit.transistors
    over = [np.maximum(mos.gate - mos.threshold - v[:, end], 0.0) for end in (mos.a, mos.b)]
    channel = 0.5 * mos.transconductance * (over[1] ** 2 - over[0] ** 2)
    np.testing.assert_allclose((v[:, design.circuit.transistors.a] - v[:, mos.a]) / OHMS, channel, rtol=0, atol=1e-13)
    assert (mos.b == design.circuit.transistors.b).all()


def solve_crossbar(g, held, load):
    """Return the voltages at the ends of columns behind a crossbar (rows, columns), each loaded by a conductance."""
    rows, columns = g.shape
    names = [(side, i, j) for side in "rc" for i in range(rows) for j in range(columns)]
    names += [("end", 0, j) for j in range(columns)]
    place = {name: k for k, name in enumerate(names)}
    matrix, right = np.zeros((len(names), len(names))), np.zeros(len(names))

    def join(a, b, conductance):
        for one, other in ((a, b), (b, a)):
            if one in place:
                matrix[place[one], place[one]] += conductance
                if other in place:
                    matrix[place[one], place[other]] -= conductance
                else:
                    right[place[one]] += conductance * other

    for i in range(rows):
        for j in range(columns):
            join(("r", i, j), ("c", i, j), g[i, j])
            join(("r", i, j), ("r", i, j - 1) if j else held[i], 1.0 / OHMS)
            join(("c", i, j), ("c", i + 1, j) if i + 1 < rows else ("end", 0, j), 1.0 / OHMS)
    for j in range(columns):
        join(("end", 0, j), 0.0, load)
    return np.linalg.solve(matrix, right)[-columns:]


def test_a_crossbar_is_lines_of_segments(tmp_path):
    network = {"network.layers": {"in": 3, "out": 2}, "network.connections": ["in-out"], "network.diodes": None}
    data = change(LAYERS, *network.items(), ("network.bias", "none"), ("devices.weights.wires", f"{OHMS} ohm"))
    setup = set_up(
        change(data, ("learning.scheme.beta", "1 uS"), ("devices.weights.window", ["1 uS", "20 uS"])), tmp_path
    )
    chip, x = setup.chip(), np.asarray(setup.data.x)
    chip.set_input(x)
    chip.settle()
    g = setup.programmed["conductance/in-out"].reshape(6, 2)
    for sample, found in zip(x, chip.read()["out"], strict=True):
        np.testing.assert_allclose(found, solve_crossbar(g, np.r_[sample, -sample], 0.0), rtol=1e-10, atol=0)


@pytest.mark.parametrize("base", [LAYERS, EXPONENTIAL])
def test_short_wires_hardly_matter_and_long_ones_in_proportion(base, tmp_path):
    def answer(*changes):
        setup = set_up(change(base, *changes), tmp_path)
        chip = setup.chip()
        chip.set_input(np.asarray(setup.data.x))
        chip.settle()
        return chip.read()["out"]

    ideal = answer()
    one, ten = (np.abs(answer(("devices.weights.wires", ohms)) - ideal).max() for ohms in ("1 ohm", "10 ohm"))
    assert ten / one == pytest.approx(10.0, rel=0.1)
    assert 1e-9 < one < 1e-2 * np.abs(ideal).max()


def test_learning_sees_no_error_in_wires(tmp_path):
    data = change(LAYERS, ("devices.weights.wires", "2 kohm"), ("phases.nudge", "held"))
    layers = set_up(change(data, ("network.diodes", None)), tmp_path)
    graph = add_leads(make_design("linear"), OHMS)._replace(nudge="held")
    cases = (
        (layers.chip(), np.asarray(layers.data.x), np.asarray(layers.data.y)),
        (make_chip(graph), *draw_batch("linear")),
    )
    for chip, x, target in cases:
        trial = CircuitTrial(x, target, SquaredDrops(), [Centred(beta=1e-6)], True, {})
        found = measure_circuit(chip, trial, 1, lambda _: None)
        assert found.keep.all()
        for name, book in found.blocks[0].items():
            scale = np.abs(book.steps[0]).max()
            assert max(np.abs(term).max() for term in book.terms().values()) < 1e-7 * scale, name


def test_exact_gradients_follow_the_wires():
    design = add_leads(make_design("linear"), OHMS)
    chip, (x, target) = make_chip(design), draw_batch("linear")
    oracle, keep = make_oracle(chip), np.ones(4, dtype=bool)
    found = oracle.compute_gradients(oracle.find_point(x, target), keep)["conductance/elements"]

    def cost(g):
        moved = design.circuit.conductors._replace(g=np.r_[g, design.circuit.conductors.g[len(g) :]])
        out = settle(design._replace(circuit=design.circuit._replace(conductors=moved)), x)[:, design.circuit.outputs]
        return 0.5 * ((out - target) ** 2).sum() / len(x)

    g = chip.programmed["conductance/elements"]
    steps = 1e-4 * np.diag(g)
    expected = [(cost(g + step) - cost(g - step)) / (2.0 * step.sum()) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(found).max())


def test_the_metric_of_amplifiers_reaches_their_wires(tmp_path):
    data = change(EXPONENTIAL, ("devices.weights.wires", "2 kohm"), ("learning.scheme.beta", {"fraction": 1e-4}))
    setup = set_up(data, tmp_path)
    x, target = np.asarray(setup.data.x), np.asarray(setup.data.y)
    trial = CircuitTrial(x, target, SquaredDrops(), setup.schemes(), True, {})
    found = measure_circuit(setup.chip(), trial, 1, lambda _: None)
    for book in [*found.vectors, *found.blocks[0].values()]:
        assert np.abs(book.terms()["asymmetry"]).max() < 1e-9 * np.abs(book.steps[0]).max()


def test_wires_have_no_spread():
    design = make_design("linear")
    chip = make_chip(add_leads(design, OHMS), CircuitDevices(weights=ResistorSpread(mismatch_sigma=0.2)))
    plain = make_chip(design, CircuitDevices(weights=ResistorSpread(mismatch_sigma=0.2)))
    count = len(design.circuit.conductors.g)
    g = chip.effective.conductors.g
    assert (g[count:] == 1.0 / OHMS).all()
    np.testing.assert_array_equal(g[:count], plain.effective.conductors.g)


def test_conductors_of_a_crossbar_keep_their_numbers():
    design = make_design("linear")
    block = design.blocks["conductance/elements"]._replace(elements=np.arange(6).reshape(2, 3))
    found = add_crossbars(design._replace(blocks={"conductance/a-b": block}), OHMS)
    assert list(found.layers) == ["a_b_wires", "hidden", "out"]
    assert len(found.layers["a_b_wires"]) == 12
    np.testing.assert_array_equal(found.circuit.conductors.g[:6], design.circuit.conductors.g[:6])
    np.testing.assert_array_equal(found.circuit.conductors.a[6:18], design.circuit.conductors.a[6:])
