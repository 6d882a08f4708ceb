"""Oracle side: the matching rule, which turns device spread into gradient quality without Monte Carlo.

Feedback cells of relative spread sigma add to the coupling a random part with variances
``T_ij = sigma^2 W_ij^2``. Its action on an error vector `delta` has the covariance
``C = diag(T delta^2 + T^T delta^2) - (T + T^T) o (delta delta^T)``, and the EP error vector
the covariance ``M C M^T`` with ``M = R (1 - W R)^-1``. The trace over a layer is the expected
squared error there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from substrate.chip import Chip

from .exact import Exact

Array = NDArray[np.float64]


def expected_square_error(nominal: Chip, exact: Exact, sigma: float) -> Array:
    """Return the expected squared error of every unit's error vector, (batch, units).

    Parameters
    ----------
    nominal : Chip
        The chip as designed: programmed weights, no spread drawn.
    exact : Exact
        Its exact error vectors.
    sigma : float
        Relative spread of one feedback cell.
    """
    topology = nominal.topology
    feedback = {
        c.block: (nominal.programmed[c.block] * sigma) ** 2
        if topology.is_feedback(c)
        else 0.0 * nominal.programmed[c.block]
        for c in topology.recurrent()
    }
    spread = topology.coupling(feedback)
    both = spread + spread.T
    squares = []
    for sample, delta in enumerate(exact.delta):
        covariance = np.diag(both @ delta**2) - both * np.outer(delta, delta)
        response = exact.linear.inverse(sample)
        squares.append(np.sum((response @ covariance) * response, axis=1))
    return np.array(squares)


def expected_cosine(exact: Exact, square: Array, columns: slice) -> Array:
    """Return the cosine between estimate and exact gradient to expect in one layer, (batch,).

    ``delta . ep / (|delta| sqrt(|ep|^2 + err^2))``, which is ``(1 + (err/|delta|)^2)^(-1/2)`` when the
    nominal chip is symmetric.
    """
    delta, ep = exact.delta[:, columns], exact.ep[:, columns]
    size = np.linalg.norm(delta, axis=1) * np.sqrt(np.sum(ep**2, axis=1) + square[:, columns].sum(axis=1))
    return np.asarray(np.divide(np.sum(delta * ep, axis=1), size, out=np.full(len(size), np.nan), where=size > 0.0))
