"""Sources of inputs that have a resistance."""

from __future__ import annotations

import numpy as np

from ..design import CircuitDesign, find_free_name


def add_source_resistance(design: CircuitDesign, ohms: float) -> CircuitDesign:
    """Return a design whose input sources have a resistance: their nodes float behind it, as a layer of their own.

    Parameters
    ----------
    design : CircuitDesign
        With sources that hold the nodes of the inputs.
    ohms : float
        Of every source that an input sets.
    """
    circuit, feeds = design.circuit, design.feeds
    fed = np.flatnonzero(feeds.column >= 0)
    inputs, sources = circuit.held[fed], len(circuit.nodes) + np.arange(len(fed))
    held = circuit.held.copy()
    held[fed] = sources
    taken = set(circuit.nodes)
    names = tuple(find_free_name(f"{circuit.nodes[node]}_source", taken) for node in inputs)
    own = circuit.conductors
    more = own._replace(a=np.r_[own.a, sources], b=np.r_[own.b, inputs], g=np.r_[own.g, np.full(len(fed), 1.0 / ohms)])
    layers = {f"{design.inputs[0]}_nodes": inputs} | dict(design.layers)
    behind = circuit._replace(nodes=(*circuit.nodes, *names), held=held, conductors=more)
    return design._replace(circuit=behind, layers=layers)
