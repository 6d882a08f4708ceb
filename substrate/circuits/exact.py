"""The oracle side of a circuit: rest points to the last digit, exact gradients, limits of what rules measure."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..protocol import has_settled
from .chip import CircuitChip
from .circuit import Array
from .contrast import differentiate_parameters, multiply_drops
from .linear import compute_jacobians, hold_nodes, linearise_circuit, solve_each
from .rest import CircuitRest, find_circuit_rest
from .system import FULL, CircuitDrive, apply_nothing
from .trims import find_node_factors, weigh_elements

Mask = NDArray[np.bool_]
Blocks = dict[str, Array]


class CircuitPoint(NamedTuple):
    """A rest point of a batch and what is linear around it; vectors (batch, nodes) in the order of the layers."""

    x: Array
    """Inputs (batch, inputs), in volts."""

    reached: Mask
    """Whether the sample came to rest, (batch,)."""

    voltages: Array
    """Of the nodes of all layers but the input."""

    error: Array
    """``e = dC/dV`` of the outputs, (batch, outputs), in volts."""

    adjoint: Array
    """Error vector ``lambda = dL/dI`` in V^2/A."""

    response: Array
    """What EP finds for a vanishing nudge, ``x = -dV/dbeta`` in V^2/A."""

    clamped_response: Array
    """What clamping finds for a vanishing step, ``-dV/deta`` in volts: the response to ``S e`` in place of e."""

    output_conductance: Array
    """``S`` (batch, outputs, outputs) in siemens: inverse of how output voltages follow currents into outputs."""

    critical: Array
    """``b_crit`` (batch,) in siemens: a nudge of minus that size has no stable rest point."""

    clamped: Mask
    """Nodes that a diode holds."""


class WeighedLimit(NamedTuple):
    """What a vanishing nudge finds with a factor for every node: of its nudge as divisor, and of its reading."""

    vectors: Array
    """Error vectors, (batch, nodes), in V^2/A; those of a sample that does not count are 0. NaN, as the blocks, where
    amplifiers stand between more than `system.FULL` free nodes: their factors are not known."""

    blocks: Blocks
    """Gradients by block, means over the samples that count."""


class CircuitOracle(Protocol):
    """What the exact side of every form of circuit offers; all of the circuit that is there, with ideal reads."""

    @property
    def metrics(self) -> Array:
        """Factor by which ``-dV/dbeta`` of every node is weighed, (nodes,), from the nominal gains of amplifiers."""
        ...

    @property
    def is_continuous(self) -> bool:
        """Whether nudges follow the outputs."""
        ...

    @property
    def has_kinks(self) -> bool:
        """Whether ideal diodes may switch while a nudge grows."""
        ...

    def find_point(self, x: Array, target: Array, beta: float | Array = 0.0) -> CircuitPoint:
        """Return the rest point of inputs (batch, inputs) under a continuous nudge `beta`, a number or (batch,)."""
        ...

    def find_held(self, x: Array, target: Array, beta: float | Array) -> Mask:
        """Return which nodes diodes hold at the rest point under such a nudge, (batch, nodes)."""
        ...

    def compute_gradients(self, point: CircuitPoint, keep: Mask) -> Blocks:
        """Return the exact gradients by block, means over the samples that count."""
        ...

    def compute_limits(self, point: CircuitPoint, response: Array, keep: Mask) -> Blocks:
        """Return ``dV d(dV)/dbeta`` by block, what squared drops tend to, where ``dV/dbeta`` is minus a response."""
        ...

    def weigh_nodes(self, point: CircuitPoint, keep: Mask) -> WeighedLimit:
        """Return what a vanishing nudge finds at a free rest point if every node has the factor that suits it best."""
        ...


class GraphOracle:
    """The exact side of a circuit on a graph; implements `CircuitOracle`."""

    def __init__(self, chip: CircuitChip) -> None:
        self._chip, self._system = chip, chip.system()
        self.is_continuous = chip.design.nudge == "continuous"
        self.has_kinks = len(chip.design.circuit.ideal.a) > 0
        members = np.concatenate(list(chip.design.layers.values()))
        self._order = self._system.nodes.unknown[members]
        self.metrics = np.concatenate(
            [np.full(len(nodes), chip.design.node_metrics.get(name, 1.0)) for name, nodes in chip.design.layers.items()]
        )

    def find_point(self, x: Array, target: Array, beta: float | Array = 0.0) -> CircuitPoint:
        """Return a rest point, see `CircuitOracle`."""
        system, drive, rest = self._system, *self._settle(x, target, beta)
        linear = linearise_circuit(system, rest, drive.beta)
        error = rest.voltages[:, system.circuit.outputs] - target
        impedance = linear.output_impedance
        conductance = solve_each(impedance, np.broadcast_to(np.eye(impedance.shape[1]), impedance.shape))
        through = (conductance @ error[..., None])[..., 0]
        adjoint, response = linear.solve_adjoint(error), linear.respond(error)
        order = self._order
        return CircuitPoint(
            x,
            has_settled(rest.status) & np.isfinite(adjoint + response).all(axis=1),
            rest.unknowns[:, order],
            error,
            adjoint[:, order],
            response[:, order],
            linear.respond(through)[:, order],
            conductance,
            linear.find_critical_nudge(),
            rest.clamped[:, order],
        )

    def find_held(self, x: Array, target: Array, beta: float | Array) -> Mask:
        """Return which nodes diodes hold, see `CircuitOracle`."""
        return self._settle(x, target, beta)[1].clamped[:, self._order]

    def _settle(self, x: Array, target: Array, beta: float | Array) -> tuple[CircuitDrive, CircuitRest]:
        drive = apply_nothing(self._chip.design.feeds.apply(x), target.shape[1])
        drive = drive._replace(beta=drive.beta + beta, target=target)
        return drive, find_circuit_rest(self._system, drive)

    def compute_gradients(self, point: CircuitPoint, keep: Mask) -> Blocks:
        """Return the exact gradients by block, means over the samples that count."""
        return self._take_means(differentiate_parameters(self._system, *self._unfold(point, point.adjoint, keep)))

    def compute_limits(self, point: CircuitPoint, response: Array, keep: Mask) -> Blocks:
        """Return what squared drops tend to, by block."""
        volts, moved = self._unfold(point, -response, keep)
        nodes, circuit = self._system.nodes, self._chip.design.circuit
        change = nodes.expand(moved, np.zeros((len(moved), len(circuit.held)))) - nodes.offset
        return self._take_means(multiply_drops(circuit, volts, change))

    def weigh_nodes(self, point: CircuitPoint, keep: Mask) -> WeighedLimit:
        """Return the limit with the factors of `substrate.circuits.trims`; see `CircuitOracle`."""
        system, circuit, nodes = self._system, self._system.circuit, self._system.nodes
        if not len(circuit.amplifiers.entry) or nodes.unknowns > FULL:
            known = np.nan if len(circuit.amplifiers.entry) else 1.0
            blocks = self.compute_limits(point, point.response, keep)
            vectors = np.where(keep[:, None], point.response, 0.0)
            return WeighedLimit(known * vectors, {name: known * block for name, block in blocks.items()})
        held, nominal = np.zeros((np.count_nonzero(keep), nodes.unknowns), dtype=bool), np.ones(nodes.unknowns)
        held[:, self._order], nominal[self._order] = point.clamped[keep], self.metrics
        volts, _ = self._unfold(point, point.response, keep)
        matrices, right = compute_jacobians(system, volts), np.zeros(held.shape)
        hold_nodes(matrices, held)
        factors = find_node_factors(system, matrices, nominal)
        right[:, system.outputs] = point.error[keep] / factors[system.outputs]
        response = solve_each(matrices, np.where(held, 0.0, right)[..., None])[..., 0]
        change = nodes.expand(-response, np.zeros((len(response), len(circuit.held)))) - nodes.offset
        products = multiply_drops(self._chip.design.circuit, volts, change)
        own = circuit.conductors, circuit.transistors, circuit.sources
        weights = [weigh_elements(nodes, factors, kind.a, kind.b) for kind in own]
        weighed = {kind: part * weight for (kind, part), weight in zip(products.items(), weights, strict=True)}
        vectors = np.zeros_like(point.response)
        vectors[keep] = (factors * response)[:, self._order]
        return WeighedLimit(vectors, self._take_means(weighed))

    def _unfold(self, point: CircuitPoint, vector: Array, keep: Mask) -> tuple[Array, Array]:
        """Return the voltages of all nodes, and a vector in the order of the unknowns, of the samples that count."""
        unknowns, turned = (np.zeros((np.count_nonzero(keep), self._system.nodes.unknowns)) for _ in range(2))
        unknowns[:, self._order], turned[:, self._order] = point.voltages[keep], vector[keep]
        return self._system.nodes.expand(unknowns, self._chip.design.feeds.apply(point.x[keep])), turned

    def _take_means(self, parts: Blocks) -> Blocks:
        with np.errstate(invalid="ignore"):  # no sample counts
            means = {kind: part.sum(axis=0) / np.float64(len(part)) for kind, part in parts.items()}
        return {name: means[block.kind][block.elements] for name, block in self._chip.design.blocks.items()}
