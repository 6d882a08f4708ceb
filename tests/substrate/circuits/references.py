"""The six reference circuits: solved by an independent Newton method and by ngspice."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from substrate.circuits.circuit import (
    Amplifiers,
    CircuitGraph,
    Conductors,
    Diodes,
    IdealDiodes,
    Sources,
    Transistors,
)

FOLDER = Path(__file__).parents[2] / "data" / "circuits"
NAMES = sorted(path.stem for path in FOLDER.glob("[1-6]-*.json"))


class Reference(NamedTuple):
    """One file: the circuit, what is applied to it, and what the file says."""

    circuit: CircuitGraph
    held: np.ndarray
    target: np.ndarray
    beta: float
    told: dict

    def read(self, solver: str, phase: str) -> np.ndarray:
        """Return the voltages that a solver found, (samples, nodes of the file)."""
        found = [sample[solver][phase] for sample in self.told["samples"]]
        return np.array([[one[name] for name in self.told["nodes"]] for one in found])

    def gather(self, key: str) -> np.ndarray:
        """Return what the file says of every sample; of nodes in the order of the unknowns."""
        found = [sample[key] for sample in self.told["samples"]]
        free = [self.circuit.nodes[node] for node in self.circuit.free]
        return np.array([[one[name] for name in free] if isinstance(one, dict) else one for one in found])

    @property
    def told_nodes(self) -> list[int]:
        return [self.circuit.nodes.index(name) for name in self.told["nodes"]]


def load_reference(name: str) -> Reference:
    told = json.loads((FOLDER / f"{name}.json").read_text())
    fed = list(told["samples"][0]["held"])
    nodes = ("0", *fed, *told["nodes"])

    def gather(kind: str, ends: tuple[str, str], *values: str) -> list[np.ndarray]:
        found = [element for element in told["elements"] if element["kind"] == kind]
        places = [np.array([nodes.index(e[end]) for e in found], dtype=np.int64) for end in ends]
        return places + [np.array([e[value] for e in found], dtype=float) for value in values]

    ab, volt = ("a", "b"), told["thermal_voltage"]
    diodes = Diodes(*gather("diode", ab, "is", "n"))
    entry, leaving, forward, backward = gather("amplifier", ("in", "out"), "A", "B")
    circuit = CircuitGraph(
        nodes,
        np.arange(1 + len(fed)),
        np.array([nodes.index(name) for name in told["outputs"]]),
        Conductors(*gather("conductor", ab, "g")),
        Sources(*gather("current", ab, "i")),
        diodes._replace(slope=volt * diodes.slope),
        IdealDiodes(*gather("ideal_diode", ab)),
        Transistors(*gather("mos", ab, "s", "vt", "gate")),
        Amplifiers(entry, leaving, forward, backward, np.zeros(len(entry))),
    )
    held = np.array([[0.0, *(sample["held"][name] for name in fed)] for sample in told["samples"]])
    return Reference(circuit, held, np.array([s["targets"] for s in told["samples"]]), told["beta"], told)
