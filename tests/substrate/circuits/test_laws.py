"""Laws that need no reference: what must not change when a circuit is written or wired another way."""

import numpy as np
import pytest

from devices.circuit.components import CircuitDevices, DropReading
from substrate.circuits.chip import CircuitChip
from substrate.circuits.circuit import CircuitGraph, compute_currents, compute_power
from substrate.circuits.effects.sources import add_source_resistance
from substrate.circuits.rest import METHODS, find_circuit_rest
from substrate.circuits.system import apply_nothing, assemble_system
from substrate.protocol import Nudge

from .circuits import KINDS, draw_batch, make_chip, make_design


def settle(circuit: CircuitGraph, held: np.ndarray) -> np.ndarray:
    rest = find_circuit_rest(assemble_system(circuit), apply_nothing(held, len(circuit.outputs)))
    assert (rest.status == 0).all()
    assert rest.residual.max() < 1e-12
    return rest.voltages


def make_case(kind, seed=0):
    design = make_design(kind, seed)
    return design.circuit, design.feeds.apply(draw_batch(kind, seed)[0])


@pytest.mark.parametrize("kind", ["linear", "ideal", "mos"])
@pytest.mark.parametrize("seed", range(5))
def test_no_node_leaves_the_range_of_its_sources(kind, seed):
    circuit, held = make_case(kind, seed)
    voltages = settle(circuit, held)
    assert (voltages >= held.min(axis=1, keepdims=True) - 1e-12).all()
    assert (voltages <= held.max(axis=1, keepdims=True) + 1e-12).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_nodes_and_elements_means_nothing(kind):
    circuit, held = make_case(kind)
    rng = np.random.default_rng(1)
    place = rng.permutation(len(circuit.nodes))
    nodes = [""] * len(place)
    for old, new in enumerate(place):
        nodes[new] = circuit.nodes[old]

    def move(part):
        order = rng.permutation(len(part[0]))
        return type(part)(*(place[v[order]] if k < 2 else v[order] for k, v in enumerate(part)))

    parts = {name: move(getattr(circuit, name)) for name in ("conductors", "sources", "diodes", "ideal", "transistors")}
    moved = circuit._replace(nodes=tuple(nodes), held=place[circuit.held], outputs=place[circuit.outputs], **parts)
    assert settle(moved, held)[:, place] == pytest.approx(settle(circuit, held), abs=1e-13)


def test_channels_know_no_ground():
    circuit, held = make_case("mos")
    shift = 0.3
    mos = circuit.transistors
    higher = circuit._replace(transistors=mos._replace(gate=mos.gate + shift))
    assert settle(higher, held + shift) == pytest.approx(settle(circuit, held) + shift, abs=1e-13)


@pytest.mark.parametrize("kind", ["ideal", "exponential"])
def test_diodes_turned_round_turn_the_voltages_round(kind):
    circuit, held = make_case(kind)
    diodes, ideal, sources = circuit.diodes, circuit.ideal, circuit.sources
    turned = circuit._replace(
        diodes=diodes._replace(a=diodes.b, b=diodes.a),
        ideal=ideal._replace(a=ideal.b, b=ideal.a),
        sources=sources._replace(current=-sources.current),
    )
    assert settle(turned, -held) == pytest.approx(-settle(circuit, held), abs=1e-13)


def test_a_channel_through_cutoff_triode_and_pinch_off_has_no_step():
    circuit, held = make_case("mos")
    mos = circuit.transistors
    before = None
    for gate in np.linspace(0.5, 1.6, 111):
        raised = mos._replace(gate=np.full_like(mos.gate, gate), threshold=np.full_like(mos.gate, 0.7))
        found = find_circuit_rest(
            assemble_system(circuit._replace(transistors=raised)), apply_nothing(held, 2), tolerance=1e-9
        )
        if gate > 1.2:  # every channel conducts
            assert (found.status == 0).all()
            if before is not None:
                assert np.abs(found.voltages - before).max() < 0.02
            before = found.voltages


def test_every_fallback_finds_the_same_rest_point():
    circuit, held = make_case("exponential", 2)
    system = assemble_system(circuit)
    drive = apply_nothing(held, 2)
    whole = find_circuit_rest(system, drive)
    assert (whole.method == 0).all()
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for name in list(METHODS)[:-1]:
            patch.delitem(METHODS, name)
            rest = find_circuit_rest(system, drive)
            assert (rest.status == 0).all()
            found.append(rest.unknowns)
    for unknowns in found:
        assert unknowns == pytest.approx(whole.unknowns, abs=1e-9)


def sum_given_power(circuit: CircuitGraph, voltages: np.ndarray) -> np.ndarray:
    currents = np.concatenate(compute_currents(circuit, voltages), axis=1)
    return ((currents @ assemble_system(circuit).incidence) * voltages)[:, circuit.held].sum(axis=1)


def test_what_sources_give_is_what_elements_take():
    """Tellegen's theorem: the power of all sources is the power that turns into heat."""
    for kind in ("linear", "mos"):
        circuit, held = make_case(kind)
        voltages = settle(circuit, held)
        assert compute_power(circuit, voltages) == pytest.approx(sum_given_power(circuit, voltages), rel=1e-11)


@pytest.mark.parametrize("twin_sigma", [0.0, 0.1])
def test_the_copy_that_settles_takes_the_power(twin_sigma):
    chip = make_chip("linear", 0, CircuitDevices(drops=DropReading(twin_sigma=twin_sigma)))
    x, target = draw_batch("linear")
    chip.set_input(x)
    for nudge, twin in ((None, False), (Nudge(0.0, target), twin_sigma > 0.0)):
        chip.settle(nudge)
        given = sum_given_power(chip.system(twin).circuit, chip.rest.voltages)
        assert chip.power == pytest.approx(given, rel=1e-11)


@pytest.mark.parametrize("kind", ["linear", "mos"])
def test_sources_with_a_resistance_hold_their_nodes_less(kind):
    design = make_design(kind)
    x = draw_batch(kind)[0]

    def answer(circuit_design):
        return settle(circuit_design.circuit, circuit_design.feeds.apply(x))[:, design.circuit.outputs]

    ideal = answer(design)
    assert answer(add_source_resistance(design, 1.0)) == pytest.approx(ideal, rel=1e-2)
    weak = add_source_resistance(design, 1e4)
    assert np.abs(answer(weak) - ideal).max() > 1e-2 * np.abs(ideal).max()
    assert list(weak.layers) == ["in_nodes", "hidden", "out"]
    chip = CircuitChip(weak, {name: np.full(b.elements.shape, 1e-4) for name, b in weak.blocks.items()})
    chip.set_input(x)
    chip.settle()
    inputs, held = chip.read()["in_nodes"], chip.read()["in"]
    assert (np.abs(inputs) < np.abs(held) + 1e-9).all() or kind == "mos"
