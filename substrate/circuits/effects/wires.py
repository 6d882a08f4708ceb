"""Wires with a resistance: nodes between the ends of elements and the nodes that they join.

=========== ====================================================================================== ==================
form        what is added                                                                          nodes
=========== ====================================================================================== ==================
graph       a wire between the first node of every resistor and transistor and its end             1 per element
layers      a crossbar between two layers: every node of the first drives a row, every node of the 2 per conductor
            other stands at the end of a column, and each of both lines is a chain of segments
            between neighbouring conductors
=========== ====================================================================================== ==================

Elements keep their numbers and see the drop between their own ends, so that what they measure is the gradient of the
circuit with its wires.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..circuit import Array, CircuitGraph, Nodes
from ..design import CircuitDesign, find_free_name


def add_leads(design: CircuitDesign, ohms: float) -> CircuitDesign:
    """Return a design in which every resistor and transistor has a wire at its first end.

    Parameters
    ----------
    design : CircuitDesign
        Of a circuit on a graph.
    ohms : float
        Of every wire.
    """
    circuit = design.circuit
    starts = np.concatenate([circuit.conductors.a, circuit.transistors.a])
    nodes = len(circuit.nodes) + np.arange(len(starts))
    first = len(circuit.conductors.a)
    moved = circuit._replace(
        conductors=circuit.conductors._replace(a=nodes[:first]),
        transistors=circuit.transistors._replace(a=nodes[first:]),
    )
    return _add_wires(design._replace(circuit=moved), {"wires": nodes}, (starts, nodes), ohms)


def add_crossbars(design: CircuitDesign, ohms: float) -> CircuitDesign:
    """Return a design whose conductors between two layers stand in a crossbar of lines with a resistance.

    Row `i` leads from its driver past columns 0, 1, ..., and column `j` past rows 0, 1, ... (those of the negative rail
    behind the others) to its node. A segment lies before every conductor of a row, and behind every one of a column.

    Parameters
    ----------
    design : CircuitDesign
        Of layers; every block of conductances becomes a crossbar.
    ohms : float
        Of every segment.
    """
    circuit = design.circuit
    a, b, count = circuit.conductors.a.copy(), circuit.conductors.b.copy(), len(circuit.nodes)
    layers: dict[str, Nodes] = {}
    ends: list[tuple[Nodes, Nodes]] = []
    metrics = dict(design.node_metrics)
    for name, block in design.blocks.items():
        if block.kind != "conductance":
            continue
        cells = block.elements.reshape(-1, block.elements.shape[-1])
        rows, columns = (count + half * cells.size + np.arange(cells.size).reshape(cells.shape) for half in range(2))
        count += 2 * cells.size
        ends.append((np.c_[a[cells[:, 0]], rows[:, :-1]].ravel(), rows.ravel()))
        ends.append((columns.ravel(), np.r_[columns[1:], b[cells[-1:]]].ravel()))
        a[cells], b[cells] = rows, columns
        layer = f"{name.partition('/')[2].replace('-', '_')}_wires"
        layers[layer] = np.r_[rows.ravel(), columns.ravel()]
        metrics[layer] = block.metric
    moved = circuit._replace(conductors=circuit.conductors._replace(a=a, b=b))
    wires = tuple(np.concatenate(side) for side in zip(*ends, strict=True))
    return _add_wires(design._replace(circuit=moved, node_metrics=metrics), layers, (wires[0], wires[1]), ohms)


def _add_wires(
    design: CircuitDesign, layers: Mapping[str, Nodes], ends: tuple[Nodes, Nodes], ohms: float
) -> CircuitDesign:
    """Return a design with wires between pairs of nodes, and layers of nodes that are new."""
    circuit, taken = design.circuit, set(design.circuit.nodes)
    names = [find_free_name(f"{layer}_{k}", taken) for layer, nodes in layers.items() for k in range(len(nodes))]
    own = circuit.conductors
    wires: Array = np.full(len(ends[0]), 1.0 / ohms)
    more = own._replace(a=np.r_[own.a, ends[0]], b=np.r_[own.b, ends[1]], g=np.r_[own.g, wires])
    whole: CircuitGraph = circuit._replace(nodes=(*circuit.nodes, *names), conductors=more)
    return design._replace(circuit=whole, layers=dict(layers) | dict(design.layers), wires=design.wires + len(wires))
