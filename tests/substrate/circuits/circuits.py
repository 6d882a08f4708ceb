"""Random circuits for laws that need no reference."""

import numpy as np

from devices.circuit.components import CircuitDevices
from substrate.circuits.chip import CircuitChip
from substrate.circuits.circuit import (
    CircuitGraph,
    Conductors,
    Diodes,
    IdealDiodes,
    Sources,
    Transistors,
    compute_thermal_voltage,
)
from substrate.circuits.design import CircuitDesign, Feeds, LearnedBlock

KINDS = ("linear", "ideal", "exponential", "mos")


def make_design(kind: str, seed: int = 0, free: int = 6, inputs: int = 3, **parts) -> CircuitDesign:
    """Return a connected graph with inputs, ground, and elements of one kind; two outputs."""
    rng = np.random.default_rng(seed)
    held, count = 1 + inputs, 1 + inputs + free
    pairs = {(int(rng.integers(0, node)), node) for node in range(held, count)}  # a path from every node to a source
    while len(pairs) < 3 * free:
        a, b = sorted(int(n) for n in rng.choice(count, 2, replace=False))
        if b >= held:
            pairs.add((a, b))
    a, b = np.array(sorted(pairs), dtype=np.int64).T
    g = rng.uniform(20e-6, 200e-6, len(a))
    parts_of = {}
    if kind == "mos":
        gate = rng.uniform(2.0, 4.0, len(a))
        parts_of["transistors"] = Transistors(a, b, np.full(len(a), 1e-4), np.full(len(a), 0.7), gate)
        blocks = {"gate/elements": LearnedBlock("gate", np.arange(len(a)))}
    else:
        parts_of["conductors"] = Conductors(a, b, g)
        blocks = {"conductance/elements": LearnedBlock("conductance", np.arange(len(a)))}
    if kind == "ideal":  # hidden nodes above or below ground
        parts_of["ideal"] = IdealDiodes(np.array([0, held + 1]), np.array([held, 0]))
    if kind == "exponential":
        ends = np.array([held, held + 1, held + 2]), np.array([0, held + 2, held + 3])
        slope = np.full(3, 1.8 * compute_thermal_voltage())
        parts_of["diodes"] = Diodes(*ends, np.full(3, 1e-9), slope)
        parts_of["sources"] = Sources(np.array([0]), np.array([held]), np.array([5e-6]))
        blocks["current/elements"] = LearnedBlock("current", np.arange(1))
    outputs = np.array([count - 2, count - 1])
    nodes = ("0", *(f"x{k}" for k in range(inputs)), *(f"n{k}" for k in range(free)))
    circuit = CircuitGraph(nodes, np.arange(held), outputs, **parts_of)
    feeds = Feeds(np.zeros(held), np.arange(-1, inputs), np.ones(held))
    layers = {"hidden": np.arange(held, count - 2), "out": outputs}
    return CircuitDesign(circuit, feeds, ("in", inputs), layers, blocks, **parts)


def make_chip(kind: str, seed: int = 0, devices: CircuitDevices | None = None, **parts) -> CircuitChip:
    """Return a chip of such a graph, programmed as it was drawn."""
    design = make_design(kind, seed, devices=devices or CircuitDevices(), **parts)
    values = {
        "conductance": design.circuit.conductors.g,
        "gate": design.circuit.transistors.gate,
        "current": design.circuit.sources.current,
    }
    return CircuitChip(design, {name: values[b.kind][b.elements] for name, b in design.blocks.items()}, seed)


def draw_batch(kind: str, seed: int = 0, samples: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets in volts."""
    rng = np.random.default_rng(100 + seed)
    size = 0.45 if kind == "mos" else 2.0
    return rng.uniform(-0.0 if kind == "mos" else -size, size, (samples, 3)), rng.uniform(0.0, 0.5 * size, (samples, 2))
