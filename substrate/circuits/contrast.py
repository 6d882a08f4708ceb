"""What elements measure at their own ends, and the exact derivatives by their parameters.

Every element sees the drop ``dV = Va - Vb`` between its ends. What learning takes from two phases is the difference of
the squared drops; `square_drops` has them per parameter, weighed as their co-content is:

=============== =========== ============================================== ==========================
parameter       measured    exact gradient                                 unit of dL/dp, L in V^2
=============== =========== ============================================== ==========================
conductance g   ``dV^2``    ``-(lambda_a - lambda_b) dV``                  V^2/S
gate voltage G  ``s dV^2``  ``-(lambda_a - lambda_b) dI/dG``               V
current i       ``2 dV``    ``-(lambda_a - lambda_b)``                     V^2/A
=============== =========== ============================================== ==========================

with the error vector ``lambda = dL/dI`` of `substrate.circuits.linear`, 0 at held nodes, behind the factor of a driven
node. For a vanishing nudge ``d(measured)/d(2 beta)`` is the exact gradient in circuits with a co-content. A transistor
in triode has ``dI/dG = s dV``; its squared drop is what a circuit beside it can measure.
"""

from __future__ import annotations

import numpy as np

from .circuit import Array, CircuitGraph
from .system import CircuitSystem

PARAMETERS = ("conductance", "gate", "current")
"""Kinds of parameters that are learned: of conductors, transistors and current sources."""


def square_drops(circuit: CircuitGraph, voltages: Array) -> dict[str, Array]:
    """Return what the elements measure at node voltages (batch, nodes), (batch, elements) by kind of parameter."""
    mos = circuit.transistors
    g, gates, i = (voltages[:, kind.a] - voltages[:, kind.b] for kind in (circuit.conductors, mos, circuit.sources))
    return {"conductance": g**2, "gate": mos.transconductance * gates**2, "current": 2.0 * i}


def contrast_drops(circuit: CircuitGraph, after: Array, before: Array) -> dict[str, Array]:
    """Return `square_drops` at voltages `after` minus those at `before`, as products that keep their digits."""
    mos = circuit.transistors
    found = []
    for kind in (circuit.conductors, mos, circuit.sources):
        one, two = (values[:, kind.a] - values[:, kind.b] for values in (after, before))
        found.append((one - two, one + two))
    (g, g_sum), (gates, gates_sum), (i, _) = found
    return {"conductance": g * g_sum, "gate": mos.transconductance * gates * gates_sum, "current": 2.0 * i}


def multiply_drops(circuit: CircuitGraph, voltages: Array, change: Array) -> dict[str, Array]:
    """Return half of how `square_drops` follow a change of the node voltages: ``dV d(dV)``; of currents d(dV)."""
    mos = circuit.transistors
    (g, g_change), (gates, gates_change), (_, i_change) = (
        [values[:, kind.a] - values[:, kind.b] for values in (voltages, change)]
        for kind in (circuit.conductors, mos, circuit.sources)
    )
    return {"conductance": g * g_change, "gate": mos.transconductance * gates * gates_change, "current": i_change}


def differentiate_parameters(system: CircuitSystem, voltages: Array, error: Array) -> dict[str, Array]:
    """Return the exact gradients ``dL/dp`` per sample, (batch, elements) by kind of parameter.

    Parameters
    ----------
    system : CircuitSystem
        The circuit.
    voltages : array (batch, nodes)
        At rest.
    error : array (batch, unknowns)
        ``lambda``, see `substrate.circuits.linear`.
    """
    circuit, spread = system.circuit, system.nodes.spread(error)
    g, mos, i = circuit.conductors, circuit.transistors, circuit.sources
    over = mos.gate - mos.threshold
    q_a, q_b = (np.maximum(over - voltages[:, end], 0.0) for end in (mos.a, mos.b))
    return {
        "conductance": -(spread[:, g.a] - spread[:, g.b]) * (voltages[:, g.a] - voltages[:, g.b]),
        "gate": -(spread[:, mos.a] - spread[:, mos.b]) * mos.transconductance * (q_b - q_a),
        "current": -(spread[:, i.a] - spread[:, i.b]),
    }
