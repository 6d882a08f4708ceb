"""From named nodes and elements to a circuit and what is learned of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream
from substrate.circuits.circuit import (
    Amplifiers,
    Capacitors,
    CircuitGraph,
    Conductors,
    Diodes,
    IdealDiodes,
    Sources,
    Transistors,
    compute_thermal_voltage,
)
from substrate.circuits.design import CircuitDesign, Feeds, LearnedBlock
from substrate.circuits.spice.deck import ElementNames

from ..schema.circuit.network import ConductorElement, Element, GraphNetwork, HeldNode, TransistorElement

Array = NDArray[np.float64]
GROUND = "0"


class BuiltCircuit(NamedTuple):
    """A circuit as a scenario describes it."""

    design: CircuitDesign
    programmed: dict[str, Array]
    names: dict[str, list[str]]
    """Names of the learned elements of every block, of circuits on graphs."""

    elements: ElementNames
    """Names of all elements but ideal diodes, of circuits on graphs."""


def build_graph(network: GraphNetwork, elements: Sequence[Element]) -> BuiltCircuit:
    """Return the circuit of named nodes and elements.

    Parameters
    ----------
    network : GraphNetwork
        Its nodes and models.
    elements : sequence of Element
        Its elements, those of a lattice included.
    """
    roles = find_roles(network)
    order = [GROUND, *roles, *(node for element in elements for node in element.between)]
    nodes = {name: k for k, name in enumerate(dict.fromkeys(order))}
    held = [GROUND, *(name for name, role in roles.items() if role != "output")]
    inputs, outputs = ([name for name, role in roles.items() if role == kind] for kind in ("input", "output"))
    held_nodes, answers = (np.array([nodes[name] for name in names], dtype=np.int64) for names in (held, outputs))
    circuit = CircuitGraph(tuple(nodes), held_nodes, answers, **_make_elements(network, elements, nodes))
    fixed = [getattr(roles.get(name), "held", 0.0) for name in held]
    column = np.array([inputs.index(name) if name in inputs else -1 for name in held], dtype=np.int64)
    free = np.setdiff1d(circuit.free, circuit.outputs)
    layers = ({"nodes": free} if len(free) else {}) | {"out": circuit.outputs}
    blocks, programmed, names = _find_learned(elements, circuit)
    feeds = Feeds(np.array(fixed), column, np.ones(len(held)))
    design = CircuitDesign(circuit, feeds, ("in", len(inputs)), layers, blocks)
    return BuiltCircuit(design, programmed, names, _list_names(elements))


def _make_elements(network: GraphNetwork, elements: Sequence[Element], nodes: dict[str, int]) -> dict[str, Any]:
    """Return the elements of every kind, by the names of `CircuitGraph`."""
    volt, models = compute_thermal_voltage(network.temperature), dict[str, Any](network.models)

    def gather(kind: str, *values: Callable[[Any], float], ideal: bool = False) -> list[Any]:
        found = [
            e for e in elements if e.kind == kind and (kind != "diode" or (getattr(e, "model", None) is None) == ideal)
        ]
        ends = [np.array([nodes[e.between[k]] for e in found], dtype=np.int64) for k in range(2)]
        return ends + [np.array([value(e) for e in found], dtype=np.float64) for value in values]

    mos = (lambda e: models[e.model].transconductance, lambda e: models[e.model].threshold, lambda e: e.gate)
    junction = (lambda e: models[e.model].saturation, lambda e: models[e.model].ideality * volt)
    amplifier = (lambda e: e.forward, lambda e: e.backward, lambda e: e.offset)
    return {
        "conductors": Conductors(
            *gather("conductor", lambda e: e.conductance if e.resistance is None else 1.0 / e.resistance)
        ),
        "sources": Sources(*gather("current", lambda e: e.current)),
        "diodes": Diodes(*gather("diode", *junction)),
        "ideal": IdealDiodes(*gather("diode", ideal=True)),
        "transistors": Transistors(*gather("mos", *mos)),
        "amplifiers": Amplifiers(*gather("amplifier", *amplifier)),
        "capacitors": Capacitors(*gather("capacitor", lambda e: e.capacitance)),
    }


def _list_names(elements: Sequence[Element]) -> dict[str, list[str]]:
    """Return the names of all elements by the field of the circuit that holds them."""
    fields = {"conductor": "conductors", "current": "sources", "mos": "transistors", "diode": "diodes"}
    fields |= {"amplifier": "amplifiers", "capacitor": "capacitors"}
    names: dict[str, list[str]] = {}
    for element in elements:
        if element.kind != "diode" or element.model is not None:  # ideal ones stand apart
            names.setdefault(fields[element.kind], []).append(element.name)
    return names


def find_roles(network: GraphNetwork) -> dict[str, Any]:
    """Return what the named nodes are: held, inputs or outputs, in the order in which they are written."""
    if network.lattice is None:
        return dict(network.nodes)
    lattice = network.lattice
    roles: dict[str, Any] = {name: HeldNode.model_construct(held=volts) for name, volts in lattice.held.items()}
    return roles | dict.fromkeys(lattice.input, "input") | dict.fromkeys(lattice.output, "output")


def list_lattice_elements(network: GraphNetwork, seed: int) -> list[Element]:
    """Return the resistors or transistors of a lattice, with conductances or gate voltages drawn by the seed."""
    lattice = network.lattice
    if lattice is None:
        return list(network.elements)
    rows, columns = lattice.rows, lattice.columns
    edges = []
    for r in range(rows):
        for c in range(columns):
            for down, right in ((1, 0), (0, 1)):
                wraps = r + down == rows or c + right == columns
                if not wraps or lattice.periodic:
                    edges.append((f"r{r}c{c}", f"r{(r + down) % rows}c{(c + right) % columns}"))
    low, high = lattice.gate or lattice.conductance or (0.0, 0.0)
    values = (low + (high - low) * Stream(seed, "circuit/lattice").uniform((len(edges),))).tolist()
    return [_make_edge(lattice.model, a, b, value) for (a, b), value in zip(edges, values, strict=True)]


def _make_edge(model: str | None, a: str, b: str, value: float) -> Element:
    """Return the learned element between two nodes: a transistor of a model, or a resistor."""
    both: dict[str, Any] = {"name": f"{a}-{b}", "between": [a, b], "learn": True}
    if model is None:
        return ConductorElement.model_construct(kind="conductor", conductance=value, **both)
    return TransistorElement.model_construct(kind="mos", model=model, gate=value, **both)


def add_capacitance(circuit: CircuitGraph, capacitance: float | None) -> CircuitGraph:
    """Return the circuit with a capacitor from every free node to ground."""
    if capacitance is None:
        return circuit
    free, own = circuit.free, circuit.capacitors
    ground = np.full(len(free), circuit.nodes.index(GROUND), dtype=np.int64)
    more = Capacitors(
        *(np.concatenate(both) for both in zip(own, (free, ground, np.full(len(free), capacitance)), strict=True))
    )
    return circuit._replace(capacitors=more)


def _find_learned(
    elements: Sequence[Element], circuit: CircuitGraph
) -> tuple[dict[str, LearnedBlock], dict[str, Array], dict[str, list[str]]]:
    """Return the blocks of learned elements, their first values and names."""
    values = {
        "conductance": ("conductor", circuit.conductors.g),
        "gate": ("mos", circuit.transistors.gate),
        "current": ("current", circuit.sources.current),
    }
    blocks, programmed, names = {}, {}, {}
    for kind, (element_kind, numbers) in values.items():
        own = [element for element in elements if element.kind == element_kind]
        learned = np.array([k for k, element in enumerate(own) if getattr(element, "learn", False)], dtype=np.int64)
        if len(learned):
            block = f"{kind}/elements"
            blocks[block] = LearnedBlock(kind, learned)  # type: ignore[arg-type]  # a key of `values`
            programmed[block], names[block] = numbers[learned], [own[k].name for k in learned]
    return blocks, programmed, names
