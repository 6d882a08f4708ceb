"""Oracle side: the loss of Jacobian homeostasis and its gradient, from the couplings themselves.

``L = |J|^2 - tr J^2 = 2 |A|^2`` with ``J = W - K``, `K` diagonal and ``A = (W - W^T)/2`` (Frobenius
norms): the leak and the slopes drop out, so neither input nor state matters. A. Laborieux, F. Zenke,
"Improving equilibrium propagation without weight symmetry through Jacobian homeostasis", ICLR 2024,
equation of the homeostatic loss; their code divides it by the number of units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.couplings import couplings_of
from substrate.topology import Topology

Array = NDArray[np.float64]


class Homeostasis(NamedTuple):
    """Loss of Jacobian homeostasis and its gradient."""

    loss: float

    gradient: dict[str, Array]
    """``dL/dW = 4 A`` by block, stored (pre, post) like the weights; connections of the input have none."""


def homeostasis(topology: Topology, blocks: Mapping[str, Array], per_unit: bool = False) -> Homeostasis:
    """Return the loss ``2 |A|^2`` and its gradient with respect to every coupling between unclamped units.

    A connection without its reverse is pulled to zero: the reverse counts as zero and cannot change.

    Parameters
    ----------
    topology : Topology
        The wiring.
    blocks : mapping of block name to array
        Parameters, for instance the effective ones of a chip.
    per_unit : bool
        Whether loss and gradient are divided by the number of unclamped units, as in the reference code.
    """
    odd = couplings_of(topology, blocks).antisymmetric()
    share = 1.0 / topology.units if per_unit else 1.0
    gradient = {c.block: 4.0 * share * odd.weights[c.pre, c.post] for c in topology.recurrent()}
    return Homeostasis(2.0 * share * odd.square(), gradient)
