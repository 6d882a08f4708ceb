"""The oracle side of a circuit: its conductance matrix at rest, and what follows from it.

Around a rest point ``J du = -P^T di`` with ``J = P^T (df/dV) T`` and currents `di` that leave the nodes. Nodes that an
ideal diode holds do not move: their rows and columns are left out. With ``e = dC/dV`` of the outputs

- the error vector ``lambda = dL/dI`` of a current into a free node solves ``J^T lambda = T^T e`` (adjoint method);
- what EP finds for a vanishing nudge, ``-dV/dbeta``, solves ``J x = P^T e``;
- a nudge of ``-b`` is stable as long as ``b < b_crit``, the smallest positive b at which ``J - b N`` is singular.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .circuit import Array, CircuitGraph, Nodes
from .nodes import NodeMap
from .rest import CircuitRest
from .system import CircuitSystem


class CircuitLinearisation(NamedTuple):
    """Conductance matrices at the rest points of a batch."""

    system: CircuitSystem
    jacobian: Array
    """``J`` without nudge, (batch, unknowns, unknowns), in siemens; identity rows and columns where nodes are held."""

    clamped: NDArray[np.bool_]
    """Whether a diode holds the node, (batch, unknowns)."""

    def respond(self, error: Array) -> Array:
        """Return ``J^-1 P^T e`` (batch, unknowns) for `error` at the outputs (batch, outputs)."""
        return solve_each(self.jacobian, self._place(error, self.system.nodes.backward)[..., None])[..., 0]

    def solve_adjoint(self, error: Array) -> Array:
        """Return ``lambda = J^-T T^T e`` (batch, unknowns): how C follows a current into every free node."""
        right = self._place(error, self.system.nodes.forward)[..., None]
        return solve_each(self.jacobian.transpose(0, 2, 1), right)[..., 0]

    def _place(self, error: Array, factor: Array) -> Array:
        right = np.zeros(self.clamped.shape)
        outputs = self.system.circuit.outputs
        right[:, self.system.nodes.unknown[outputs]] = factor[outputs] * error
        return np.where(self.clamped, 0.0, right)

    def compute_output_impedance(self) -> Array:
        """Return how output voltages follow currents into outputs, (batch, outputs, outputs), in ohm.

        Its inverse is the Schur complement of J on the outputs.
        """
        outputs = self.system.outputs
        right = np.zeros((*self.clamped.shape, len(outputs)))
        right[:, outputs, np.arange(len(outputs))] = 1.0
        right[self.clamped] = 0.0
        return solve_each(self.jacobian, right)[:, outputs, :]

    def find_critical_nudge(self) -> Array:
        """Return the smallest ``b > 0`` for which a nudge of ``-b`` has no stable rest point, (batch,), in siemens.

        ``J - b N`` is singular where ``1/b`` is an eigenvalue of the impedance of the outputs. Not a number where a
        node floats.
        """
        impedance = self.compute_output_impedance()
        known = np.isfinite(impedance.sum(axis=(1, 2)))
        roots = np.linalg.eigvals(np.where(known[:, None, None], impedance, 0.0))
        real = np.where(np.abs(roots.imag) <= 1e-9 * np.abs(roots), roots.real, 0.0)
        most = real.max(axis=1)
        critical = np.where(most > 0.0, 1.0 / np.where(most > 0.0, most, 1.0), np.inf)
        return np.where(known, critical, np.nan)


def solve_each(matrices: Array, right: Array) -> Array:
    """Return ``M^-1 r`` (batch, n, columns); not a number where a matrix is singular, as where a node floats."""
    try:
        return np.asarray(np.linalg.solve(matrices, right))
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(right, np.nan)
        return np.concatenate([solve_each(matrices[k : k + 1], right[k : k + 1]) for k in range(len(matrices))])


def linearise_circuit(system: CircuitSystem, rest: CircuitRest, beta: Array | None = None) -> CircuitLinearisation:
    """Return the conductance matrices at rest points, with the conductance of a nudge (batch,) at the outputs."""
    jacobian, held = compute_jacobians(system, rest.voltages), rest.clamped
    if beta is not None:
        jacobian[:, system.outputs, system.outputs] += beta[:, None]
    jacobian[held[:, :, None] | held[:, None, :]] = 0.0
    jacobian[np.broadcast_to(np.eye(held.shape[1], dtype=bool), jacobian.shape) & held[:, :, None]] = 1.0
    return CircuitLinearisation(system, jacobian, held)


def compute_jacobians(system: CircuitSystem, voltages: Array) -> Array:
    """Return ``J`` without nudge, (batch, unknowns, unknowns), in siemens, at voltages of all nodes (batch, nodes)."""
    jacobian = np.repeat(system.linear[None], len(voltages), axis=0)
    for a, b, by_a, by_b in _differentiate_currents(system.circuit, voltages):
        _add_partials(jacobian, system.nodes, a, b, by_a, by_b)
    return jacobian


def _differentiate_currents(circuit: CircuitGraph, voltages: Array) -> list[tuple[Nodes, Nodes, Array, Array]]:
    """Return ends, ``dI/dVa`` and ``-dI/dVb`` of all nonlinear elements; partials (batch, elements)."""
    diodes, mos = circuit.diodes, circuit.transistors
    slope = diodes.saturation / diodes.slope * np.exp((voltages[:, diodes.a] - voltages[:, diodes.b]) / diodes.slope)
    over = mos.gate - mos.threshold
    by_a, by_b = (mos.transconductance * np.maximum(over - voltages[:, end], 0.0) for end in (mos.a, mos.b))
    return [(diodes.a, diodes.b, slope, slope), (mos.a, mos.b, by_a, by_b)]


def _add_partials(jacobian: Array, nodes: NodeMap, a: Nodes, b: Nodes, by_a: Array, by_b: Array) -> None:
    """Add the partial derivatives of some elements to Jacobians, in place."""
    for row, sign in ((a, 1.0), (b, -1.0)):
        for column, partial in ((a, by_a), (b, -by_b)):
            live = (nodes.unknown[row] >= 0) & (nodes.unknown[column] >= 0)
            i, j = row[live], column[live]
            part = sign * nodes.backward[i] * nodes.forward[j] * partial[:, live]
            for e, (m, n) in enumerate(zip(nodes.unknown[i], nodes.unknown[j], strict=True)):
                jacobian[:, m, n] += part[:, e]
