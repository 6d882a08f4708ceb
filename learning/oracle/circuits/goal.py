"""Oracle side: the goal whose exact gradient a continuous finite nudge measures in a circuit with a co-content.

``F(beta) = min_u E + beta C`` has ``dF/dbeta = C(u_beta)`` and ``dF/dg = dE/dg`` at its rest point. So what a scheme
makes of squared drops, ``sum_k c_k dE/dg(beta_k)``, is the gradient of ``L_s = sum_k c_k int_0^beta_k C(u_b) db``: a
finite nudge changes the goal, and measures the changed one without error. What differs from its gradient is asymmetry.
A held nudge has no such goal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.exact import Blocks, CircuitOracle

from ...schemes.scheme import Node

Array = NDArray[np.float64]

POINTS = 12
"""Nodes of the Gauss-Legendre rule on each half of every interval."""


def compute_goal_gradient(
    oracle: CircuitOracle, x: Array, target: Array, nodes: Sequence[Node], keep: NDArray[np.bool_]
) -> tuple[Array, Blocks]:
    """Return error vectors (batch, nodes) and block gradients of the changed goal ``L_s``.

    Parameters
    ----------
    oracle : CircuitOracle
        The exact side of the circuit.
    x, target : array (batch, inputs), array (batch, outputs)
        In volts.
    nodes : sequence of Node
        Nudges and weights of the scheme.
    keep : bool array (batch,)
        Samples that count.
    """
    abscissa, weight = np.polynomial.legendre.leggauss(POINTS)
    abscissa, weight = np.concatenate([0.25 * (1.0 + abscissa), 0.75 + 0.25 * abscissa]), np.tile(0.25 * weight, 2)
    vectors: Array = np.zeros((len(x), len(oracle.metrics)))
    blocks: Blocks = {}
    for node in nodes:
        beta, c = complex(node.beta).real, complex(node.weight).real
        for a, w in zip(abscissa, weight, strict=True) if beta != 0.0 else ():
            point, share = oracle.find_point(x, target, a * beta), c * beta * w
            vectors += share * point.adjoint
            for name, block in oracle.compute_gradients(point, keep).items():
                blocks[name] = blocks.get(name, 0.0) + share * block
    return vectors, blocks
