"""The equations of a circuit: ``F(u) = P^T f(T u + H v + o) = 0`` at its free nodes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .circuit import Array, CircuitGraph, Nodes, compute_currents
from .nodes import NodeMap, map_nodes

LIMIT = 250_000
"""Largest number of free nodes: the factors of a lattice of so many take 0.3 GB."""

DENSE = 256
"""Largest number of free nodes whose Jacobian is kept as a full matrix: beyond, a sparse one is faster."""

FULL = 2000
"""Largest number of free nodes in what needs a full matrix, such as the inverse of one: 32 MB each."""


class SampleConductances(NamedTuple):
    """Matrices of one sample whose conductances are its own, as `CircuitSystem` has them."""

    linear: sparse.csr_array
    held: sparse.csr_array


class CircuitSystem(NamedTuple):
    """A circuit as its equations take it."""

    circuit: CircuitGraph
    nodes: NodeMap
    incidence: sparse.csr_array
    """1 at end `a` and -1 at end `b` of conductors, sources, diodes and transistors, (elements, nodes)."""

    linear: sparse.csr_array
    """``K = P^T L T`` of the conductors, (unknowns, unknowns), in siemens."""

    held: sparse.csr_array
    """``P^T L H``, (unknowns, held nodes), in siemens."""

    constant: Array
    """Currents of sources and offsets, (unknowns,), in ampere; (batch, unknowns) with samples."""

    samples: tuple[SampleConductances, ...] = ()
    """Where conductances differ from sample to sample: what stands in the place of both matrices, for each of them."""

    @property
    def is_large(self) -> bool:
        """Whether sparse matrices solve it faster than full ones."""
        return self.nodes.unknowns > DENSE

    @property
    def outputs(self) -> Nodes:
        """Unknowns of the outputs."""
        return self.nodes.unknown[self.circuit.outputs]

    def select(self, rows: NDArray[np.int64]) -> CircuitSystem:
        """Return the equations of some samples."""
        if not self.samples:
            return self
        g = self.circuit.conductors.g[rows]
        circuit = self.circuit._replace(conductors=self.circuit.conductors._replace(g=g))
        samples = tuple(self.samples[row] for row in rows)
        return self._replace(circuit=circuit, samples=samples, constant=self.constant[rows])


class CircuitDrive(NamedTuple):
    """What is applied to a circuit from outside; one row a sample."""

    held: Array
    """Voltages of the held nodes, (batch, held)."""

    beta: Array
    """Conductance of the nudge at every output, (batch,), in siemens; ``beta (V - target)`` leaves the node."""

    target: Array
    """Targets of the outputs, (batch, outputs), in volts."""

    current: Array | None = None
    """Constant current that leaves every output, (batch, outputs), in ampere: a nudge that is held."""

    clamped: Array | None = None
    """Voltages at which the outputs are clamped, (batch, outputs)."""

    def select(self, rows: NDArray[np.int64]) -> CircuitDrive:
        """Return some samples."""
        current, clamped = (None if part is None else part[rows] for part in (self.current, self.clamped))
        return CircuitDrive(self.held[rows], self.beta[rows], self.target[rows], current, clamped)


class RestProblem(NamedTuple):
    """What a solver is given: equations, sources and bounds of some samples."""

    system: CircuitSystem
    beta: Array
    """Conductance of the nudge, (batch,)."""

    constant: Array
    """Currents that no unknown moves, (batch, unknowns)."""

    known: Array
    """Parts of all node voltages that no unknown moves, (batch, nodes)."""

    low: Array
    high: Array
    """Bounds of the unknowns, (batch, unknowns)."""

    def scale(self, share: float, leak: float) -> RestProblem:
        """Return the problem with a share of all sources, and a conductance `leak` from every free node to ground."""
        own = leak * sparse.eye_array(self.system.nodes.unknowns, format="csr")
        samples = tuple(sample._replace(linear=sample.linear + own) for sample in self.system.samples)
        system = self.system._replace(linear=self.system.linear + own, samples=samples)
        parts = (share * part for part in self[2:])
        return RestProblem(system, self.beta, *parts)

    def select(self, rows: NDArray[np.int64]) -> RestProblem:
        """Return some samples."""
        return RestProblem(self.system.select(rows), *(part[rows] for part in self[1:]))


def apply_nothing(held: Array, outputs: int) -> CircuitDrive:
    """Return the drive of a free settling at held voltages (batch, held)."""
    return CircuitDrive(held, np.zeros(len(held)), np.zeros((len(held), outputs)))


def assemble_system(circuit: CircuitGraph) -> CircuitSystem:
    """Return the equations of a circuit.

    Raises
    ------
    ValueError
        If amplifiers drive each other in a circle, or more than `LIMIT` nodes are free.
    """
    nodes = map_nodes(circuit)
    if nodes.unknowns > LIMIT:
        raise ValueError(f"{nodes.unknowns} free nodes: at most {LIMIT}; only layers with ideal diodes may have more")
    kinds = circuit.conductors, circuit.sources, circuit.diodes, circuit.transistors
    a, b = (np.concatenate([getattr(kind, end) for kind in kinds]) for end in ("a", "b"))
    edges, count = np.arange(len(a)), len(circuit.nodes)
    signs = np.r_[np.ones(len(a)), -np.ones(len(a))]
    incidence = sparse.coo_array((signs, (np.r_[edges, edges], np.r_[a, b])), (len(a), count)).tocsr()
    drops = incidence[: len(circuit.conductors.g)]
    forward, backward = nodes.make_matrices()
    known = nodes.make_known(circuit)
    loads = (drops @ backward).T @ sparse.diags_array(circuit.conductors.g)
    first = len(circuit.conductors.g)
    injected = (incidence[first : first + len(circuit.sources.a)] @ backward).T @ circuit.sources.current
    return CircuitSystem(
        circuit,
        nodes,
        incidence,
        (loads @ (drops @ forward)).tocsr(),
        (loads @ (drops @ known)).tocsr(),
        np.asarray(loads @ (drops @ nodes.offset) + injected),
    )


def vary_conductances(system: CircuitSystem, g: Array) -> CircuitSystem:
    """Return the equations of samples with conductances of their own, (batch, conductors), in siemens."""
    nodes, ends = system.nodes, system.circuit.conductors
    forward, backward = nodes.make_matrices()
    drops = system.incidence[: len(ends.g)]
    loads, moves, known = (drops @ backward).T, drops @ forward, drops @ nodes.make_known(system.circuit)
    loaded = [loads @ sparse.diags_array(row) for row in g]
    return system._replace(
        circuit=system.circuit._replace(conductors=ends._replace(g=g)),
        samples=tuple(SampleConductances((own @ moves).tocsr(), (own @ known).tocsr()) for own in loaded),
        constant=system.constant + ((g - ends.g) * (drops @ nodes.offset)) @ loads.T,
    )


def compute_constant(system: CircuitSystem, drive: CircuitDrive) -> Array:
    """Return the currents that no unknown moves, (batch, unknowns), in ampere."""
    samples = system.samples
    if samples:
        constant = np.stack([one.held @ volts for one, volts in zip(samples, drive.held, strict=True)])
    else:
        constant = (system.held @ drive.held.T).T
    constant = constant + system.constant
    constant[:, system.outputs] -= drive.beta[:, None] * drive.target
    if drive.current is not None:
        constant[:, system.outputs] += drive.current
    return np.ascontiguousarray(constant)


def find_bounds(system: CircuitSystem, drive: CircuitDrive) -> tuple[Array, Array]:
    """Return the voltages between which ideal diodes and clamps hold the free nodes, (batch, unknowns) each."""
    nodes, known = system.nodes, system.nodes.constant(drive.held)
    low = np.full((len(known), nodes.unknowns), -np.inf)
    high = -low
    for a, b in zip(system.circuit.ideal.a, system.circuit.ideal.b, strict=True):
        free, fixed = (a, b) if nodes.unknown[a] >= 0 else (b, a)
        unknown, factor = nodes.unknown[free], nodes.forward[free]
        bound = (known[:, fixed] - known[:, free]) / factor
        if (free == a) == (factor > 0.0):
            high[:, unknown] = np.minimum(high[:, unknown], bound)
        else:
            low[:, unknown] = np.maximum(low[:, unknown], bound)
    if drive.clamped is not None:
        low[:, system.outputs] = high[:, system.outputs] = drive.clamped
    return low, high


def compute_net_currents(system: CircuitSystem, drive: CircuitDrive, voltages: Array) -> tuple[Array, Array]:
    """Return what leaves the free nodes at node voltages, and what passes through nodes.

    Parameters
    ----------
    system, drive : CircuitSystem, CircuitDrive
        The circuit and what is applied to it.
    voltages : array (batch, nodes)
        In volts.

    Returns
    -------
    net : array (batch, unknowns)
        ``F`` in ampere, straight from the laws of the elements.
    through : array (batch,)
        Largest sum of the magnitudes of currents at a node that is not held.
    """
    currents = np.concatenate(compute_currents(system.circuit, voltages), axis=1)
    net, through = currents @ system.incidence, np.abs(currents) @ abs(system.incidence)
    outputs = system.circuit.outputs
    nudge = drive.beta[:, None] * (voltages[:, outputs] - drive.target)
    if drive.current is not None:
        nudge = nudge + drive.current
    net[:, outputs] += nudge
    through[:, outputs] += np.abs(nudge)
    loose = np.setdiff1d(np.arange(len(system.circuit.nodes)), system.circuit.held)
    return system.nodes.collect(net), through[:, loose].max(axis=1, initial=0.0)
