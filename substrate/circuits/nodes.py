"""Which unknown stands behind the voltage of a node, and which equation takes its current.

With the unknowns `u` of the free nodes and the voltages `v` of the held ones, ``V = T u + H v + o``: a free node copies
its unknown, a driven one has ``A`` times what its entry has. Kirchhoff's law reads ``F = P^T f(V) = 0``, where a driven
node has ``B`` times the row of its entry: the amplifier's entry delivers what its exit gives. Without amplifiers P = T.
Every row of T, H and P has one entry at most, so a node is known by its root and three numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .circuit import Array, CircuitGraph, Nodes


class NodeMap(NamedTuple):
    """Root and factors of every node, (nodes,)."""

    free: Nodes
    """Free nodes, in the order of the unknowns."""

    unknown: Nodes
    """Number of the unknown that a node's voltage comes from; -1: a held node."""

    source: Nodes
    """Number of the held node that it comes from; -1: an unknown."""

    forward: Array
    """Factor t: ``V = t (u or v) + offset``."""

    backward: Array
    """Factor p: share of the node's current in the equation of its unknown."""

    offset: Array
    """In volts."""

    @property
    def unknowns(self) -> int:
        """Number of unknowns."""
        return len(self.free)

    def expand(self, u: Array, held: Array) -> Array:
        """Return the voltages of all nodes (batch, nodes) from unknowns (batch, unknowns) and held voltages."""
        known = self.constant(held)
        live = self.unknown >= 0
        known[:, live] += self.forward[live] * u[:, self.unknown[live]]
        return known

    def constant(self, held: Array) -> Array:
        """Return the part of all voltages that no unknown moves, (batch, nodes)."""
        known = np.broadcast_to(self.offset, (len(held), len(self.offset))).copy()
        fixed = self.source >= 0
        known[:, fixed] += self.forward[fixed] * held[:, self.source[fixed]]
        return known

    def collect(self, currents: Array) -> Array:
        """Return ``P^T f`` (batch, unknowns) of currents that leave all nodes (batch, nodes)."""
        out, live = np.zeros((len(currents), self.unknowns)), self.unknown >= 0
        np.add.at(out.T, self.unknown[live], (self.backward[live] * currents[:, live]).T)
        return out

    def make_matrices(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Return T and P, (nodes, unknowns) each."""
        live = np.flatnonzero(self.unknown >= 0)
        place, shape = (live, self.unknown[live]), (len(self.unknown), self.unknowns)
        forward, backward = (
            sparse.coo_array((factor[live], place), shape).tocsr() for factor in (self.forward, self.backward)
        )
        return forward, backward

    def make_known(self, circuit: CircuitGraph) -> sparse.csr_array:
        """Return H, (nodes, held nodes)."""
        fixed = np.flatnonzero(self.source >= 0)
        place, shape = (fixed, self.source[fixed]), (len(self.source), len(circuit.held))
        return sparse.coo_array((self.forward[fixed], place), shape).tocsr()

    def spread(self, values: Array) -> Array:
        """Return ``P x`` (batch, nodes) of one value per unknown (batch, unknowns); 0 at held nodes."""
        out = np.zeros((len(values), len(self.offset)))
        live = self.unknown >= 0
        out[:, live] = self.backward[live] * values[:, self.unknown[live]]
        return out


def map_nodes(circuit: CircuitGraph) -> NodeMap:
    """Return the node map of a circuit without faults."""
    count, free, amplifiers = len(circuit.nodes), circuit.free, circuit.amplifiers
    unknown, source = (np.full(count, -1, dtype=np.int64) for _ in range(2))
    unknown[free], source[circuit.held] = np.arange(len(free)), np.arange(len(circuit.held))
    forward, backward, offset = np.ones(count), np.ones(count), np.zeros(count)
    for k in order_amplifiers(circuit):
        before, after = amplifiers.entry[k], amplifiers.exit[k]
        unknown[after], source[after] = unknown[before], source[before]
        forward[after] = amplifiers.forward[k] * forward[before]
        backward[after] = amplifiers.backward[k] * backward[before]
        offset[after] = amplifiers.forward[k] * offset[before] + amplifiers.offset[k]
    return NodeMap(free, unknown, source, forward, backward, offset)


def order_amplifiers(circuit: CircuitGraph) -> list[int]:
    """Return the amplifiers so that each comes after the one that drives its entry.

    Raises
    ------
    ValueError
        If they drive each other in a circle.
    """
    entry, after = circuit.amplifiers.entry, circuit.amplifiers.exit
    left, ordered = list(range(len(entry))), list[int]()
    while left:
        waiting = {int(after[k]) for k in left}
        ready = [k for k in left if int(entry[k]) not in waiting]
        if not ready:
            names = ", ".join(circuit.nodes[after[k]] for k in left)
            raise ValueError(f"amplifiers drive each other in a circle: {names}")
        ordered += ready
        left = [k for k in left if k not in ready]
    return ordered


class ElementEnds(NamedTuple):
    """Both ends of the elements of one kind, as the kernels take them; arrays (elements,)."""

    a: NDArray[np.int64]
    """Unknown behind end `a`; -1: none."""

    b: NDArray[np.int64]
    forward_a: Array
    forward_b: Array
    backward_a: Array
    backward_b: Array


def find_ends(nodes: NodeMap, a: Nodes, b: Nodes) -> ElementEnds:
    """Return unknowns and factors at both ends of some elements."""
    forward, backward = nodes.forward, nodes.backward
    return ElementEnds(nodes.unknown[a], nodes.unknown[b], forward[a], forward[b], backward[a], backward[b])
