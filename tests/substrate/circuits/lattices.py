"""Square lattices of thousands of nodes, and their voltages by means that solve no circuit."""

import numpy as np
from scipy.fft import dctn, idctn

from substrate.circuits.circuit import CircuitGraph, Conductors, Diodes, Transistors, compute_currents

KINDS = ("linear", "exponential", "mos")


def list_edges(rows: int, columns: int, periodic: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of all edges; node (r, c) has the number r columns + c."""
    nodes = np.arange(rows * columns).reshape(rows, columns)
    if periodic:
        return np.r_[nodes.ravel(), nodes.ravel()], np.r_[np.roll(nodes, -1, 0).ravel(), np.roll(nodes, -1, 1).ravel()]
    return np.r_[nodes[:-1].ravel(), nodes[:, :-1].ravel()], np.r_[nodes[1:].ravel(), nodes[:, 1:].ravel()]


def make_lattice(
    rows: int, columns: int, g: float = 1.0, periodic: bool = False, held: int = 0, output: int = -1
) -> CircuitGraph:
    """Return a lattice of equal conductors, one of its nodes held."""
    a, b = list_edges(rows, columns, periodic)
    names = tuple(f"r{r}c{c}" for r in range(rows) for c in range(columns))
    count = rows * columns
    return CircuitGraph(names, np.array([held]), np.array([output % count]), Conductors(a, b, np.full(len(a), g)))


def inject(circuit: CircuitGraph, currents: np.ndarray) -> CircuitGraph:
    """Return the circuit with a source of every current (nodes,) into its node, from node 0."""
    nodes = np.arange(1, len(currents))
    more = circuit.sources._replace(
        a=np.r_[circuit.sources.a, np.zeros_like(nodes)],
        b=np.r_[circuit.sources.b, nodes],
        current=np.r_[circuit.sources.current, currents[1:]],
    )
    return circuit._replace(sources=more)


def draw_lattice(kind: str, rows: int, columns: int, seed: int = 0) -> tuple[CircuitGraph, np.ndarray]:
    """Return a lattice with sources at all nodes, and its voltages (nodes,), which are drawn before the sources.

    Every source gives what the laws of the elements take from its node at the drawn voltages: a rest point that is
    known without any solution, and the only one, since all elements conduct.
    """
    rng = np.random.default_rng(seed)
    circuit = make_lattice(rows, columns)
    a, b = list_edges(rows, columns)
    size = 0.4 if kind == "mos" else 0.6
    voltages = rng.uniform(0.0, size, rows * columns)
    voltages[0] = 0.0
    circuit = circuit._replace(conductors=Conductors(a, b, rng.uniform(1e-5, 1e-4, len(a))))
    if kind == "exponential":
        some = rng.permutation(len(a))[: len(a) // 2]
        slope = np.full(len(some), 0.045)
        circuit = circuit._replace(diodes=Diodes(a[some], b[some], rng.uniform(1e-10, 1e-9, len(some)), slope))
    if kind == "mos":
        gate = rng.uniform(1.0, 4.0, len(a))
        mos = Transistors(a, b, np.full(len(a), 1e-4), np.full(len(a), 0.7), gate)
        circuit = circuit._replace(conductors=Conductors(), transistors=mos)
    currents = np.concatenate(compute_currents(circuit, voltages[None]), axis=1)[0]
    kinds = circuit.conductors, circuit.sources, circuit.diodes, circuit.transistors
    net = np.zeros(rows * columns)
    np.add.at(net, np.concatenate([part.a for part in kinds]), currents)
    np.add.at(net, np.concatenate([part.b for part in kinds]), -currents)
    return inject(circuit, net), voltages


def solve_by_waves(currents: np.ndarray, g: float = 1.0) -> np.ndarray:
    """Return the voltages (rows, columns) of an open lattice into which currents of the sum 0 flow; their mean is 0.

    Cosines ``cos(pi k (r + 1/2)/n)`` are what the lattice multiplies by ``4 sin^2(pi k/2n)``.
    """
    waves = [4.0 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2 for n in currents.shape]
    factor = waves[0][:, None] + waves[1][None, :]
    factor[0, 0] = np.inf
    return idctn(dctn(currents) / factor) / g
