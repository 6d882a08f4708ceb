"""The oracle side of amplifiers: the part of an asymmetry that one factor per node explains.

With the conductance matrix J, EP finds ``x = J^-1 P^T e`` and the error vector solves ``J^T lambda = T^T e``. If
factors `m` make ``m_i J_ij = m_j J_ji``, then ``lambda = m x`` for nudges that are divided by m of their outputs:
readings weighed node by node are exact. An amplifier needs ``m_entry B = m_exit A``, so that any gains along a tree of
them have such factors, and paths side by side need equal A/B.

Nodes that no amplifier separates form an island and share one factor: elements with two ends are reciprocal by
themselves, and what transistors lack no factor of an amplifier restores. For any other circuit the best factors are
those whose ``m x`` is closest to lambda over all errors at the outputs, relative to lambda at every node: least squares
over the impedances ``J^-1 P^T`` and ``J^-T T^T``, from a fit of all ratios ``J_ij / J_ji`` on, which is exact on trees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .circuit import Array, Nodes
from .linear import solve_each
from .nodes import NodeMap
from .system import CircuitSystem

_STEPS = 300
_SMALL = 1e-12
"""Relative change of the factors after which no more steps are taken."""


def find_node_factors(system: CircuitSystem, jacobians: Array, nominal: Array) -> Array:
    """Return the factors `m` that suit conductance matrices best, (unknowns,).

    Parameters
    ----------
    system : CircuitSystem
        The circuit.
    jacobians : array (batch, unknowns, unknowns)
        ``J`` at the rest points of some samples, in siemens; all have the same factors.
    nominal : array (unknowns,)
        Factors that nominal gains explain; kept where nothing couples both ways.
    """
    islands, outputs = _find_islands(system), system.outputs
    squares = _sum_squares(jacobians, islands)
    start = np.log(nominal[np.unique(islands, return_index=True)[1]])
    factors = np.exp(start + _fit_ratios(squares, start))[islands]
    right = np.zeros((len(jacobians), len(factors), len(outputs)))
    right[:, outputs, np.arange(len(outputs))] = 1.0
    found, true = (solve_each(matrices, right) for matrices in (jacobians, jacobians.transpose(0, 2, 1)))
    weight = 1.0 / np.maximum((true**2).sum(axis=(0, 2)), np.finfo(float).tiny)
    for _ in range(_STEPS):
        nudged = found / factors[outputs]
        both, own = (
            np.bincount(islands, weight * (nudged * other).sum(axis=(0, 2)))[islands] for other in (true, nudged)
        )
        moves = (own > 0.0) & (both > 0.0)
        better = np.where(moves, both / np.where(moves, own, 1.0), factors)
        better /= np.exp(np.mean(np.log(better[outputs] / factors[outputs])))
        change, factors = np.abs(better / factors - 1.0).max(initial=0.0), better
        if not change > _SMALL:
            break
    return np.asarray(factors)


def weigh_elements(nodes: NodeMap, factors: Array, a: Nodes, b: Nodes) -> Array:
    """Return by what the products of some elements are weighed if their nodes have factors, (elements,).

    Parameters
    ----------
    nodes : NodeMap
        Of the circuit.
    factors : array (unknowns,)
        ``m``.
    a, b : int array (elements,)
        Both ends. Each asks for ``m p / t`` of its own node, which is the same with factors that fit. Else that of a
        node without amplifier is taken, as a rule weighs drops by the side of the output, or the geometric mean.
    """
    logs, count = np.zeros(len(a)), np.zeros(len(a))
    plain = np.isin(a, nodes.free), np.isin(b, nodes.free)
    for end, own, other in ((a, *plain), (b, *plain[::-1])):
        live = (own | ~other) & (nodes.unknown[end] >= 0) & (nodes.backward[end] != 0.0) & (nodes.forward[end] != 0.0)
        at = end[live]
        logs[live] += np.log(np.abs(factors[nodes.unknown[at]] * nodes.backward[at] / nodes.forward[at]))
        count[live] += 1.0
    return np.asarray(np.exp(logs / np.maximum(count, 1.0)))


def _find_islands(system: CircuitSystem) -> NDArray[np.int64]:
    """Return the island of every unknown, (unknowns,)."""
    nodes, circuit = system.nodes, system.circuit
    kinds = circuit.conductors, circuit.diodes, circuit.transistors
    a, b = (np.concatenate([getattr(kind, end) for kind in kinds]) for end in ("a", "b"))
    plain = np.zeros(len(circuit.nodes), dtype=bool)
    plain[nodes.free] = True
    joined = plain[a] & plain[b]
    ends = nodes.unknown[a[joined]], nodes.unknown[b[joined]]
    graph = sparse.coo_array((np.ones(len(ends[0])), ends), (nodes.unknowns, nodes.unknowns))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _sum_squares(jacobians: Array, islands: NDArray[np.int64]) -> Array:
    """Return ``sum J_ij^2`` over samples between islands, of couplings that act both ways, (islands, islands)."""
    count, total = int(islands.max(initial=-1)) + 1, np.zeros(jacobians.shape[1:])
    for jacobian in jacobians:
        total += np.where(jacobian.T != 0.0, jacobian, 0.0) ** 2
    member = np.zeros((len(islands), count))
    member[np.arange(len(islands)), islands] = 1.0
    squares = member.T @ total @ member
    np.fill_diagonal(squares, 0.0)
    return np.asarray(squares)


def _fit_ratios(squares: Array, start: Array) -> Array:
    """Return the change of ``log m`` from `start` that fits all ratios best, by least squares; exact on trees."""
    weight = np.sqrt(squares * squares.T)
    live = weight > 0.0
    ratio = np.zeros_like(weight)
    ratio[live] = 0.5 * np.log(squares.T[live] / squares[live])
    return _solve_laplacian(weight, (weight * (ratio - start[:, None] + start)).sum(axis=1))


def _solve_laplacian(weight: Array, right: Array) -> Array:
    """Return the smallest solution of ``(diag(sum weight) - weight) x = right``; `weight` is symmetric."""
    total = weight.sum(axis=1)
    scale = np.where(total > 0.0, np.sqrt(np.where(total > 0.0, total, 1.0)), 1.0)
    matrix = (1.0 + 1e-12) * np.eye(len(weight)) - weight / np.outer(scale, scale)  # not singular
    return np.asarray(np.linalg.solve(matrix, right / scale) / scale)
