"""Oracle side: where ideal diodes begin or cease to hold a node while a nudge grows.

Between two such kinks everything at rest is smooth in the nudge; at a kink the gradient jumps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.exact import CircuitOracle, Mask

Array = NDArray[np.float64]

_PARTS = 32
"""Equal parts of a nudge whose ends are compared; a node that is held for a shorter stretch can be missed."""

_HALVINGS = 40
"""Of a part in which a kink lies: 3e-14 of the nudge is left, less than what rounding tells apart."""


class NudgePieces(NamedTuple):
    """Shares of the nudge of a sample between neighbouring kinks; arrays (pieces,)."""

    sample: NDArray[np.int64]
    low: Array
    high: Array


def find_pieces(oracle: CircuitOracle, x: Array, target: Array, beta: Array) -> NudgePieces:
    """Return the pieces of ``[0, beta]`` in which no diode switches, and their halves where no kink is.

    Parameters
    ----------
    oracle : CircuitOracle
        The exact side of the circuit.
    x, target : array (batch, inputs), array (batch, outputs)
        In volts.
    beta : array (batch,)
        Nudge of every sample, in siemens.
    """
    rows = np.arange(len(x))
    cuts = [(rows, np.zeros(len(x))), (rows, np.full(len(x), 0.5)), (rows, np.ones(len(x)))]
    if oracle.has_kinks:
        cuts.append(_find_kinks(oracle, x, target, beta))
    sample, share = (np.concatenate(parts) for parts in zip(*cuts, strict=True))
    order = np.lexsort((share, sample))
    sample, share = sample[order], share[order]
    whole = (sample[1:] == sample[:-1]) & (share[1:] > share[:-1])
    return NudgePieces(sample[1:][whole], share[:-1][whole], share[1:][whole])


def _find_kinks(oracle: CircuitOracle, x: Array, target: Array, beta: Array) -> tuple[NDArray[np.int64], Array]:
    """Return samples and shares of the nudge at which the nodes that diodes hold change, by bisection."""

    def find_held(rows: NDArray[np.int64], share: Array) -> Mask:
        return oracle.find_held(x[rows], target[rows], share * beta[rows])

    everyone, shares = np.arange(len(x)), np.linspace(0.0, 1.0, _PARTS + 1)
    masks = [find_held(everyone, np.full(len(x), share)) for share in shares]
    found = [
        (rows, np.full(len(rows), shares[k]), np.full(len(rows), shares[k + 1]), masks[k][rows], masks[k + 1][rows])
        for k in range(_PARTS)
        for rows in [np.flatnonzero((masks[k] != masks[k + 1]).any(axis=1))]
    ]
    rows, low, high, before, after = (np.concatenate(parts) for parts in zip(*found, strict=True))
    for _ in range(_HALVINGS if len(rows) else 0):
        middle = 0.5 * (low + high)
        between = find_held(rows, middle)
        left, right = ((mask != between).any(axis=1) for mask in (before, after))
        low, high = np.r_[low[left], middle[right]], np.r_[middle[left], high[right]]
        before, after = (
            np.concatenate(parts) for parts in ((before[left], between[right]), (between[left], after[right]))
        )
        rows = np.r_[rows[left], rows[right]]
    return rows, 0.5 * (low + high)
