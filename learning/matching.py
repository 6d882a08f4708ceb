"""Oracle side: the matching rule, which turns device spread into gradient quality without Monte Carlo.

Cells with a spread add to the coupling a random part with the variances ``T_ij``; feedback cells of
relative spread sigma have ``T_ij = sigma^2 W_ij^2``. Its action on an error vector `delta` has the covariance
``C = diag(T delta^2 + T^T delta^2) - (T + T^T) o (delta delta^T)``, and the EP error vector
the covariance ``M C M^T`` with `M` the response of the activities to the drives. Dense: one inverse per
sample.

First order in sigma. Where couplings are mild (``|W R|`` below 1 in the spectral norm) and layers tens
of units wide, the rms error of drawn chips is within 3 % of the rule up to sigma = 0.3; each further layer
that an error passes on its way back adds about ``sigma^2/4``. Chips near instability (``|W R| = 1.4``) err
much more than the rule says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip import Chip

from .exact import Exact

Array = NDArray[np.float64]


class Expected(NamedTuple):
    """What to expect over chips of one spread; per layer, arrays (batch,)."""

    square: dict[str, Array]
    """Squared error of the layer's error vector."""

    cosine: dict[str, Array]
    """Cosine of the layer's error vector to the exact gradient."""


def matching_rule(nominal: Chip, exact: Exact, variances: Mapping[str, Array]) -> Expected:
    """Return squared error and cosine to expect from cells of the given spread.

    With ``ep`` split along and across `delta`, ``cosine = along / sqrt(|ep|^2 + err^2)``, where `err`
    counts only the part of the random error across `delta`: the part along it changes the size. For
    a symmetric design and wide layers this is ``(1 + (err/|delta|)^2)^(-1/2)``.

    Parameters
    ----------
    nominal : Chip
        The chip as designed: programmed weights, no spread drawn.
    exact : Exact
        Its exact error vectors.
    variances : mapping of block name to array
        Variance of every weight over chips, see `substrate.cells.variances`.
    """
    topology = nominal.topology
    spread = topology.coupling(variances)
    both = spread + spread.T
    rows = [_one_sample(exact, sample, both, topology.columns) for sample in range(len(exact.delta))]
    square, cosine = np.array(rows).transpose(1, 2, 0)
    return Expected(dict(zip(topology.names, square, strict=True)), dict(zip(topology.names, cosine, strict=True)))


def _one_sample(exact: Exact, sample: int, both: Array, layers: dict[str, slice]) -> tuple[list[float], list[float]]:
    delta, ep = exact.delta[sample], exact.ep[sample]
    covariance = np.diag(both @ delta**2) - both * np.outer(delta, delta)
    response = exact.linear.inverse(sample)
    squares, cosines = [], []
    for columns in layers.values():
        rows, size = response[columns], float(np.linalg.norm(delta[columns]))
        square = float(np.sum((rows @ covariance) * rows))
        squares.append(square)
        if size == 0.0:
            cosines.append(float("nan"))
            continue
        direction = delta[columns] / size
        along = direction @ rows
        across = max(0.0, square - float(along @ covariance @ along))
        cosines.append(float(direction @ ep[columns] / np.sqrt(np.sum(ep[columns] ** 2) + across)))
    return squares, cosines
