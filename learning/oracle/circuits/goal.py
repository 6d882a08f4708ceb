"""Oracle side: the goal whose exact gradient a continuous finite nudge measures in a circuit with a co-content.

``F(beta) = min_u E + beta C`` has ``dF/dbeta = C(u_beta)`` and ``dF/dg = dE/dg`` at its rest point. So what a scheme
makes of squared drops, ``sum_k c_k dE/dg(beta_k)``, is the gradient of ``L_s = sum_k c_k int_0^beta_k C(u_b) db``: a
finite nudge changes the goal, and measures the changed one without error. What differs from its gradient is asymmetry.
A held nudge has no such goal.

Where an ideal diode switches, the gradient of C jumps: the integral is taken by pieces, see
`learning.oracle.circuits.kinks`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.exact import Blocks, CircuitOracle

from ...schemes.scheme import Node
from .kinks import find_pieces

Array = NDArray[np.float64]

POINTS = 12
"""Nodes of the Gauss-Legendre rule on every piece."""


def compute_goal_gradient(
    oracle: CircuitOracle,
    x: Array,
    target: Array,
    nodes: Sequence[Node],
    keep: NDArray[np.bool_],
    signs: Array | None = None,
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
        Samples that count, one at least; the error vectors of the others are 0.
    signs : array (batch,), optional
        Sign of nudges and weights by sample, of a scheme that draws them.
    """
    vectors: Array = np.zeros((len(x), len(oracle.metrics)))
    blocks: Blocks = {}
    kept = np.flatnonzero(keep)
    sign = np.ones(len(kept)) if signs is None else signs[kept]
    for node in nodes:
        beta, weight = complex(node.beta).real, complex(node.weight).real
        if beta == 0.0:
            continue
        pieces = find_pieces(oracle, x[kept], target[kept], beta * sign)
        for first in range(0, len(pieces.sample), len(kept)):  # as many at once as there are samples
            sample, low, high = (part[first : first + len(kept)] for part in pieces)
            rows = kept[sample]
            for point, share in zip(*np.polynomial.legendre.leggauss(POINTS), strict=True):
                place = 0.5 * (low + high + point * (high - low))
                found = oracle.find_point(x[rows], target[rows], beta * sign[sample] * place)
                size = 0.5 * weight * beta * share * (high - low)
                found = found._replace(adjoint=size[:, None] * found.adjoint)
                np.add.at(vectors, rows, found.adjoint)
                everything = np.ones(len(rows), dtype=bool)
                for name, block in oracle.compute_gradients(found, everything).items():
                    blocks[name] = blocks.get(name, 0.0) + len(rows) / len(kept) * block
    return vectors, blocks
