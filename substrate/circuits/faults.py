"""What is wrong with a circuit before anything settles, node by node."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .circuit import Array, CircuitGraph, Nodes
from .nodes import order_amplifiers


class CircuitFault(NamedTuple):
    """One fault: what it is about, why it is one, and what to try."""

    subject: str
    """Names of nodes."""

    message: str
    hint: str


def find_circuit_faults(circuit: CircuitGraph) -> list[CircuitFault]:
    """Return everything that keeps a circuit from having one rest point."""
    try:
        order_amplifiers(circuit)
    except ValueError as error:
        return [CircuitFault("amplifiers", str(error), "let one of them begin at another node")]
    return [*_find_contradictions(circuit), *_find_diode_faults(circuit), *find_floating_nodes(circuit)]


def find_doubtful_nodes(circuit: CircuitGraph, highest: float = np.inf) -> list[str]:
    """Return the free nodes that no conductor joins to a held one: only diodes and transistors, which may be off.

    A channel whose gate is more than the threshold above `highest`, the highest voltage in volts, is never off.
    """
    mos = circuit.transistors
    on = mos.gate - mos.threshold > highest
    joined = _find_islands(circuit, [_find_conducting(circuit), (mos.a[on], mos.b[on])])
    return [circuit.nodes[node] for node in circuit.free if not joined[node]]


def _find_contradictions(circuit: CircuitGraph) -> list[CircuitFault]:
    names, held = circuit.nodes, set(circuit.held.tolist())
    found = [
        CircuitFault(names[node], "is held and driven by an amplifier at once", "take one of the two away")
        for node in sorted(held & set(circuit.amplifiers.exit.tolist()))
    ]
    exits, counts = np.unique(circuit.amplifiers.exit, return_counts=True)
    found += [CircuitFault(names[node], "is driven by two amplifiers", "take one away") for node in exits[counts > 1]]
    for node in circuit.outputs:
        if node in held:
            found.append(
                CircuitFault(names[node], "is an output and held: its voltage is no answer", "take a free node")
            )
        elif node in circuit.amplifiers.exit:
            hint = "read the node in front of the amplifier, or add a resistor behind it"
            found.append(CircuitFault(names[node], "is an output and driven: a nudge could not move it", hint))
    for kind in (circuit.conductors, circuit.diodes, circuit.transistors):
        for a, b in zip(kind.a.tolist(), kind.b.tolist(), strict=True):
            if a in held and b in held:
                words = "are both held: what lies between them changes no voltage"
                found.append(CircuitFault(f"{names[a]} and {names[b]}", words, "leave that element out"))
    return found


def _find_diode_faults(circuit: CircuitGraph) -> list[CircuitFault]:
    held, names = set(circuit.held.tolist()), circuit.nodes
    found = []
    for a, b in zip(circuit.ideal.a.tolist(), circuit.ideal.b.tolist(), strict=True):
        if (a in held) == (b in held):
            words = "have an ideal diode between them, one end of which must be held"
            hint = "join one end to a source, or give the diode a model"
            found.append(CircuitFault(f"{names[a]} and {names[b]}", words, hint))
    return found


def find_floating_nodes(circuit: CircuitGraph) -> list[CircuitFault]:
    """Return islands of nodes that nothing which conducts joins to a held node; a conductor of 0 S does not."""
    kinds = (circuit.diodes, circuit.ideal, circuit.transistors)
    joined = _find_islands(circuit, [_find_conducting(circuit), *((kind.a, kind.b) for kind in kinds)])
    loose = [circuit.nodes[node] for node in range(len(circuit.nodes)) if not joined[node]]
    if not loose:
        return []
    held = ", ".join(circuit.nodes[node] for node in circuit.held[:5])
    words = "float: no conductor, diode or transistor joins them to a held node"
    return [CircuitFault(", ".join(loose), words, f"add a path to one of {held}")]


def _find_conducting(circuit: CircuitGraph) -> tuple[Nodes, Nodes]:
    """Return both ends of the conductors above 0 S."""
    conductors = circuit.conductors
    live = conductors.g > 0.0
    return conductors.a[live], conductors.b[live]


def _find_islands(circuit: CircuitGraph, edges: list[tuple[Nodes, Nodes]]) -> Array:
    """Return which nodes some elements join to held nodes; what an amplifier drives is held by its entry."""
    count, amplifiers = len(circuit.nodes), circuit.amplifiers
    a, b = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    graph = sparse.coo_array((np.ones(len(a)), (a, b)), (count, count))
    islands = connected_components(graph, directed=False)[1]
    joined = np.zeros(count, dtype=bool)  # by island
    joined[islands[circuit.held]] = True
    while True:
        before = int(joined.sum())
        joined[islands[amplifiers.exit[joined[islands[amplifiers.entry]]]]] = True
        if int(joined.sum()) == before:
            return np.asarray(joined[islands])
