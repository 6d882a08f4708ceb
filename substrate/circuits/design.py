"""What a circuit is made from: its elements, what is learned of them, how inputs reach it, and its imperfections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from devices.circuit.components import CircuitDevices
from devices.circuit.energy import CircuitEnergy

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


class PhaseClock(NamedTuple):
    """How long phases last, in seconds; None: until the circuit is at rest."""

    free: float | None = None
    nudged: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the clock ends any phase."""
        return self.free is not None or self.nudged is not None


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

    energy: CircuitEnergy = CircuitEnergy()
    wires: int = 0
    """So many of the conductors, the last ones, are wires and resistances of sources: they have no spread."""
    clock: PhaseClock = PhaseClock()
    """What ends free and nudged phases."""

    trimmed: bool = False
    """Whether B of every amplifier is trimmed to its own A, so that the metric fits; see `trim_amplifiers`."""

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


def find_free_name(name: str, taken: set[str]) -> str:
    """Return a name for a new node that no other has, and add it to those that are taken."""
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


def trim_amplifiers(design: CircuitDesign, circuit: CircuitGraph) -> CircuitGraph:
    """Return a circuit whose amplifiers have the B that makes it reciprocal in the metric of a design.

    That is A over the nominal A/B, which the metric of layers is made of. Where a design has no metric, it is A: an
    ideal transformer.
    """
    own, nominal = circuit.amplifiers, design.circuit.amplifiers
    ratio = nominal.backward / nominal.forward if design.node_metrics else np.ones(len(own.forward))
    return circuit._replace(amplifiers=own._replace(backward=own.forward * ratio))
