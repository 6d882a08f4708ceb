"""The oracle side of a circuit: its conductance matrix at rest, and what follows from it.

Around a rest point ``J du = -P^T di`` with ``J = P^T (df/dV) T`` and currents `di` that leave the nodes. Nodes that an
ideal diode holds do not move: their rows and columns are left out. With ``e = dC/dV`` of the outputs

- the error vector ``lambda = dL/dI`` of a current into a free node solves ``J^T lambda = T^T e`` (adjoint method);
- what EP finds for a vanishing nudge, ``-dV/dbeta``, solves ``J x = P^T e``;
- a nudge of ``-b`` is stable as long as ``b < b_crit``, the smallest positive b at which ``J - b N`` is singular.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..engine.door import SparseFactors
from .circuit import Array, CircuitGraph, Nodes
from .rest import CircuitRest
from .system import CircuitSystem


class Jacobians(Protocol):
    """Conductance matrices at the rest points of a batch, full or sparse."""

    def solve(self, right: Array, transposed: bool = False) -> Array:
        """Return ``J^-1 r`` or ``J^-T r`` (batch, unknowns, columns); not a number where a matrix is singular."""
        ...


class CircuitLinearisation:
    """What is linear around the rest points of a batch.

    Parameters
    ----------
    system : CircuitSystem
        The circuit.
    jacobians : Jacobians
        ``J`` in siemens; identity rows and columns where nodes are held.
    clamped : array (batch, unknowns)
        Whether a diode holds the node.
    """

    def __init__(self, system: CircuitSystem, jacobians: Jacobians, clamped: NDArray[np.bool_]) -> None:
        self._system, self._jacobians, self._clamped = system, jacobians, clamped

    def respond(self, error: Array) -> Array:
        """Return ``J^-1 P^T e`` (batch, unknowns) for `error` at the outputs (batch, outputs)."""
        driven = self._system.nodes.backward[self._system.circuit.outputs] * error
        return np.asarray((self._responses @ driven[..., None])[..., 0])

    def solve_adjoint(self, error: Array) -> Array:
        """Return ``lambda = J^-T T^T e`` (batch, unknowns): how C follows a current into every free node."""
        outputs, right = self._system.circuit.outputs, np.zeros(self._clamped.shape)
        right[:, self._system.outputs] = self._system.nodes.forward[outputs] * error
        right[self._clamped] = 0.0
        return self._jacobians.solve(right[..., None], transposed=True)[..., 0]

    @cached_property
    def _responses(self) -> Array:
        """How all free nodes follow currents into outputs, (batch, unknowns, outputs), in ohm."""
        outputs = self._system.outputs
        right = np.zeros((*self._clamped.shape, len(outputs)))
        right[:, outputs, np.arange(len(outputs))] = 1.0
        right[self._clamped] = 0.0
        return self._jacobians.solve(right)

    @property
    def output_impedance(self) -> Array:
        """How output voltages follow currents into outputs, (batch, outputs, outputs), in ohm.

        Its inverse is the Schur complement of J on the outputs.
        """
        return self._responses[:, self._system.outputs, :]

    def find_critical_nudge(self) -> Array:
        """Return the smallest ``b > 0`` for which a nudge of ``-b`` has no stable rest point, (batch,), in siemens.

        ``J - b N`` is singular where ``1/b`` is an eigenvalue of the impedance of the outputs. Not a number where a
        node floats.
        """
        impedance = self.output_impedance
        known = np.isfinite(impedance.sum(axis=(1, 2)))
        roots = np.linalg.eigvals(np.where(known[:, None, None], impedance, 0.0))
        real = np.where(np.abs(roots.imag) <= 1e-9 * np.abs(roots), roots.real, 0.0)
        most = real.max(axis=1)
        critical = np.where(most > 0.0, 1.0 / np.where(most > 0.0, most, 1.0), np.inf)
        return np.where(known, critical, np.nan)


def linearise_circuit(system: CircuitSystem, rest: CircuitRest, beta: Array | None = None) -> CircuitLinearisation:
    """Return what is linear at rest points, with the conductance of a nudge (batch,) at the outputs."""
    nudge = np.zeros(len(rest.voltages)) if beta is None else beta
    kind = _SparseJacobians if system.is_large else _FullJacobians
    return CircuitLinearisation(system, kind(system, rest, nudge), rest.clamped)


class _FullJacobians:
    def __init__(self, system: CircuitSystem, rest: CircuitRest, beta: Array) -> None:
        matrices = compute_jacobians(system, rest.voltages)
        matrices[:, system.outputs, system.outputs] += beta[:, None]
        hold_nodes(matrices, rest.clamped)
        self._matrices = matrices

    def solve(self, right: Array, transposed: bool = False) -> Array:
        return solve_each(self._matrices.transpose(0, 2, 1) if transposed else self._matrices, right)


def hold_nodes(matrices: Array, held: NDArray[np.bool_]) -> None:
    """Put identity rows and columns where nodes (batch, unknowns) are held, in place."""
    matrices[held[:, :, None] | held[:, None, :]] = 0.0
    matrices[np.broadcast_to(np.eye(held.shape[1], dtype=bool), matrices.shape) & held[:, :, None]] = 1.0


class _SparseJacobians:
    """Factors of all samples; neighbours whose matrices are equal, as those of a linear circuit are, share one."""

    def __init__(self, system: CircuitSystem, rest: CircuitRest, beta: Array) -> None:
        self._factors: list[SparseFactors] = []
        for voltages, held, nudge in zip(rest.voltages, rest.clamped, beta, strict=True):
            outputs = np.zeros(system.nodes.unknowns)
            outputs[system.outputs] = nudge
            free = sparse.diags_array(np.where(held, 0.0, 1.0))
            matrix = free @ (compute_sparse_jacobian(system, voltages) + sparse.diags_array(outputs)) @ free
            matrix = sparse.csc_array(matrix + sparse.diags_array(np.where(held, 1.0, 0.0)))
            last = self._factors[-1] if self._factors else None
            factors = last if last is not None and last.holds(matrix) else SparseFactors()
            factors.take(matrix)
            self._factors.append(factors)

    def solve(self, right: Array, transposed: bool = False) -> Array:
        found = [own.solve(part, transposed) for own, part in zip(self._factors, right, strict=True)]
        return np.stack(found) if found else np.empty_like(right)


def solve_each(matrices: Array, right: Array) -> Array:
    """Return ``M^-1 r`` (batch, n, columns); not a number where a matrix is singular, as where a node floats."""
    try:
        return np.asarray(np.linalg.solve(matrices, right))
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(right, np.nan)
        return np.concatenate([solve_each(matrices[k : k + 1], right[k : k + 1]) for k in range(len(matrices))])


def compute_jacobians(system: CircuitSystem, voltages: Array) -> Array:
    """Return ``J`` without nudge, (batch, unknowns, unknowns), in siemens, at voltages of all nodes (batch, nodes)."""
    jacobian = np.repeat(system.linear.toarray()[None], len(voltages), axis=0)
    rows, columns, partials = _list_partials(system, voltages)
    width = jacobian.shape[2]
    np.add.at(jacobian.reshape(len(voltages), width * width).T, rows * width + columns, partials.T)
    return jacobian


def compute_sparse_jacobian(system: CircuitSystem, voltages: Array) -> sparse.csr_array:
    """Return ``J`` without nudge, (unknowns, unknowns), in siemens, at the voltages of all nodes (nodes,)."""
    rows, columns, partials = _list_partials(system, voltages[None])
    return system.linear + sparse.coo_array((partials[0], (rows, columns)), system.linear.shape).tocsr()


def _list_partials(system: CircuitSystem, voltages: Array) -> tuple[Nodes, Nodes, Array]:
    """Return rows, columns and values (batch, entries) of what nonlinear elements add to Jacobians."""
    nodes, rows, columns, partials = system.nodes, [], [], []
    for a, b, by_a, by_b in _differentiate_currents(system.circuit, voltages):
        for row, sign in ((a, 1.0), (b, -1.0)):
            for column, partial in ((a, by_a), (b, -by_b)):
                live = (nodes.unknown[row] >= 0) & (nodes.unknown[column] >= 0)
                i, j = row[live], column[live]
                rows.append(nodes.unknown[i])
                columns.append(nodes.unknown[j])
                partials.append(sign * nodes.backward[i] * nodes.forward[j] * partial[:, live])
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(partials, axis=1)


def _differentiate_currents(circuit: CircuitGraph, voltages: Array) -> list[tuple[Nodes, Nodes, Array, Array]]:
    """Return ends, ``dI/dVa`` and ``-dI/dVb`` of all nonlinear elements; partials (batch, elements)."""
    diodes, mos = circuit.diodes, circuit.transistors
    slope = diodes.saturation / diodes.slope * np.exp((voltages[:, diodes.a] - voltages[:, diodes.b]) / diodes.slope)
    over = mos.gate - mos.threshold
    by_a, by_b = (mos.transconductance * np.maximum(over - voltages[:, end], 0.0) for end in (mos.a, mos.b))
    return [(diodes.a, diodes.b, slope, slope), (mos.a, mos.b, by_a, by_b)]
