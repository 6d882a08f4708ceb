"""The largest singular value of a weight, and what has to go for it to keep below a cap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ITERATIONS = 3
"""Power iterations per write; each starts where the last one ended, and weights change little between writes."""


def compute_spectral_excess(weight: Array, cap: float, start: Array | None) -> tuple[Array, Array]:
    """Return what a weight has above a cap, and the vector to start from the next time.

    The excess is ``(sigma - cap) u v^T`` with the largest singular value `sigma` and its vectors, found by power
    iteration: without it the weight is the nearest one below the cap, if no second value is above it. Where several
    are, writes take them away one after the other, and the closer they lie the longer it takes: 8 x 8 normal weights at
    ten times the cap were at most 6 % above it after 60 writes, and 2 % after 120 (200 draws).

    Parameters
    ----------
    weight : array (pre, post)
        Weight.
    cap : float
        Largest singular value allowed.
    start : array (post,) or None
        Where the last search ended; absent: the longest row.
    """
    v = weight[np.argmax(np.einsum("ij,ij->i", weight, weight))] if start is None else start
    u, sigma = v, 0.0
    # No products of the linear-algebra library: their bits depend on the number of its threads.
    for _ in range(ITERATIONS):
        u, _ = _normalise_vector(np.einsum("ij,j->i", weight, v))
        v, sigma = _normalise_vector(np.einsum("ij,i->j", weight, u))
    return max(sigma - cap, 0.0) * np.outer(u, v), v


def _normalise_vector(vector: Array) -> tuple[Array, float]:
    """Return a vector at length 1, and the length it had; one of length 0 as it is."""
    length = float(np.sqrt(np.square(vector).sum()))
    return vector / (length or 1.0), length
