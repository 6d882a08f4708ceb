"""What a circuit is made from: its elements, what is learned of them, how inputs reach it, and its imperfections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from devices.circuit.components import CircuitDevices
from devices.random import Stream

from .circuit import Array, CircuitGraph, Nodes
from .rest import TOLERANCE


class LearnedBlock(NamedTuple):
    """Parameters that are learned together, as one array."""

    kind: Literal["conductance", "gate", "current"]
    """Of conductors, transistors or current sources."""

    elements: Nodes
    """Numbers of the elements among those of the kind; its shape is that of the block."""

    metric: float = 1.0
    """Factor of the squared drops, from the nominal gains of amplifiers; 1 without."""

    dims: tuple[str, ...] = ("element",)
    """Names of the dimensions in result files."""


class Feeds(NamedTuple):
    """Where the voltages of the held nodes come from, in the order of ``circuit.held``."""

    fixed: Array
    """Volts, (held,)."""

    column: Nodes
    """Column of the input that is added, (held,); -1: none."""

    sign: Array
    """Its factor, (held,): -1 at the negative rail of an input."""

    def apply(self, x: Array) -> Array:
        """Return the voltages of the held nodes, (batch, held), of inputs (batch, inputs) in volts."""
        held = np.broadcast_to(self.fixed, (len(x), len(self.fixed))).copy()
        fed = self.column >= 0
        held[:, fed] += self.sign[fed] * x[:, self.column[fed]]
        return held


class CircuitDesign(NamedTuple):
    """What every circuit of one kind has in common."""

    circuit: CircuitGraph
    """Elements with their nominal values; those that are learned come from the programmed blocks."""

    feeds: Feeds
    inputs: tuple[str, int]
    """Name of the input layer, and how many inputs there are."""

    layers: Mapping[str, Nodes]
    """Free nodes by layer, the output last."""

    blocks: Mapping[str, LearnedBlock]
    devices: CircuitDevices = CircuitDevices()
    nudge: Literal["continuous", "held"] = "continuous"
    """Whether the nudge current follows the output or keeps what it was at the free state."""

    tolerance: float = TOLERANCE
    """Net current of a node at which it counts as at rest, over the largest sum of magnitudes of currents at a node."""

    node_metrics: Mapping[str, float] = {}
    """Factor of error vectors by layer, from the nominal gains of amplifiers; absent: 1."""

    @property
    def output(self) -> str:
        """Name of the output layer."""
        return list(self.layers)[-1]

    def bounds(self, kind: str) -> tuple[float, float]:
        """Return the lowest and highest value of a learned parameter."""
        weights, gate = self.devices.weights.window, self.devices.transistors.gate
        free = (0.0, np.inf) if kind == "conductance" else (-np.inf, np.inf)
        own = {"conductance": weights, "gate": gate}.get(kind)
        return (own[0], own[1]) if own else free


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
    names = tuple(_find_free_name(f"{circuit.nodes[node]}_source", taken) for node in inputs)
    own = circuit.conductors
    more = own._replace(a=np.r_[own.a, sources], b=np.r_[own.b, inputs], g=np.r_[own.g, np.full(len(fed), 1.0 / ohms)])
    layers = {f"{design.inputs[0]}_nodes": inputs} | dict(design.layers)
    behind = circuit._replace(nodes=(*circuit.nodes, *names), held=held, conductors=more)
    return design._replace(circuit=behind, layers=layers)


def _find_free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def place_blocks(design: CircuitDesign, programmed: Mapping[str, Array]) -> CircuitGraph:
    """Return the nominal circuit with programmed parameters in the place of those that are learned."""
    circuit = design.circuit
    values = {
        "conductance": circuit.conductors.g.copy(),
        "gate": circuit.transistors.gate.copy(),
        "current": circuit.sources.current.copy(),
    }
    for name, block in design.blocks.items():
        values[block.kind][block.elements] = programmed[name]
    return circuit._replace(
        conductors=circuit.conductors._replace(g=values["conductance"]),
        transistors=circuit.transistors._replace(gate=values["gate"]),
        sources=circuit.sources._replace(current=values["current"]),
    )


class Spreads(NamedTuple):
    """What one piece of hardware has of every spread: standard normal numbers by element."""

    conductors: Array
    thresholds: Array
    gains: Array
    forward: Array
    backward: Array
    offsets: Array
    saturation: Array
    ideality: Array
    targets: Array
    drops: dict[str, Array]
    twin: Array


def draw_spreads(design: CircuitDesign, seed: int, instance: int) -> Spreads:
    """Return the spreads of one piece of hardware; the same names give the same numbers."""
    circuit = design.circuit
    edges, mos, diodes = len(circuit.conductors.g), len(circuit.transistors.gate), len(circuit.diodes.a)
    counts = {"conductors": edges, "twin": edges, "thresholds": mos, "gains": mos, "targets": len(circuit.outputs)}
    counts |= {"saturation": diodes, "ideality": diodes}
    counts |= dict.fromkeys(("forward", "backward", "offsets"), len(circuit.amplifiers.entry))
    drawn = {name: Stream(seed, f"circuit/{name}", instance).normal((count,)) for name, count in counts.items()}
    drops = {
        name: Stream(seed, f"circuit/drops/{name}", instance).normal(block.elements.shape)
        for name, block in design.blocks.items()
    }
    return Spreads(**drawn, drops=drops)


def apply_spreads(circuit: CircuitGraph, devices: CircuitDevices, spread: Spreads, twin: bool = False) -> CircuitGraph:
    """Return the circuit that is there instead of the one that was programmed.

    Parameters
    ----------
    circuit : CircuitGraph
        As programmed.
    devices : CircuitDevices
        Sizes of the spreads.
    spread : Spreads
        Of this piece of hardware.
    twin : bool
        Whether it is the second copy of the circuit.
    """
    weights, mos, amplifiers, diodes = devices.weights, devices.transistors, devices.amplifiers, devices.diodes
    g = circuit.conductors.g * np.maximum(1.0 + weights.mismatch_sigma * spread.conductors, 0.0)
    if twin:
        g = g * np.maximum(1.0 + devices.drops.twin_sigma * spread.twin, 0.0)
    own = circuit.transistors, circuit.amplifiers, circuit.diodes
    return circuit._replace(
        conductors=circuit.conductors._replace(g=g),
        transistors=own[0]._replace(
            threshold=own[0].threshold + mos.threshold_sigma * spread.thresholds,
            transconductance=own[0].transconductance * np.maximum(1.0 + mos.gain_sigma * spread.gains, 0.0),
        ),
        amplifiers=own[1]._replace(
            forward=own[1].forward * (1.0 + amplifiers.forward_sigma * spread.forward),
            backward=own[1].backward * (1.0 + amplifiers.backward_sigma * spread.backward),
            offset=own[1].offset + amplifiers.offset_sigma * spread.offsets,
        ),
        diodes=own[2]._replace(
            saturation=own[2].saturation * np.exp(diodes.saturation_sigma * spread.saturation),
            slope=own[2].slope * np.maximum(1.0 + diodes.ideality_sigma * spread.ideality, 0.1),
        ),
    )
