"""Oracle side: the matching rule, which turns device spread into gradient quality without Monte Carlo.

Cells with a spread add to the coupling a random part with the variances ``T_ij``; feedback cells of
relative spread sigma have ``T_ij = sigma^2 W_ij^2``. Its action on an error vector `delta` has the covariance
``C = diag(T delta^2 + T^T delta^2) - (T + T^T) o (delta delta^T)``, and the EP error vector
the covariance ``M C M^T`` with `M` the response of the activities to the drives. The gain of a path moves all cells
of a unit alike: a gain of spread sigma adds ``sigma^2 z z^T`` to `C`, with ``z = e_i (W delta)_i - W_i delta_i``. What
cells of the two directions miss in the mean, `S`, shifts the error vector by ``M (S - S^T) delta``. Dense: one inverse
per sample.

First order in sigma. Where couplings are mild (``|W R|`` below 1 in the spectral norm) and layers tens
of units wide, the rms error of drawn chips is within 3 % of the rule up to sigma = 0.3; each further layer
that an error passes on its way back adds about ``sigma^2/4``. Chips near instability (``|W R| = 1.4``) err
much more than the rule says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.cells import Spread
from substrate.chip.chip import Chip
from substrate.network.dense import are_dense

from .exact import ExactErrors

Array = NDArray[np.float64]


class ExpectedError(NamedTuple):
    """What to expect over chips of one spread; per layer, arrays (batch,)."""

    square: dict[str, Array]
    """Squared error of the layer's error vector, beyond that of the chip as designed."""

    cosine: dict[str, Array]
    """Cosine of the layer's error vector to the exact gradient."""


def predict_matching_error(nominal: Chip, exact: ExactErrors, spreads: Mapping[str, Spread]) -> ExpectedError:
    """Return squared error and cosine to expect from cells of the given spread.

    With the mean error vector split along and across `delta`, ``cosine = along / sqrt(|mean|^2 + err^2)``, where `err`
    counts only the part of the random error across `delta`: the part along it changes the size. For
    a symmetric design and wide layers this is ``(1 + (err/|delta|)^2)^(-1/2)``.

    Parameters
    ----------
    nominal : Chip
        The chip as designed: programmed weights, no spread drawn.
    exact : Exact
        Its exact error vectors.
    spreads : mapping of block name to Spread
        What cells and paths do to every weight over chips, see `substrate.chip.cells.compute_weight_spreads`.

    Returns
    -------
    ExpectedError
        NaN where a connection is not dense: the entries that one cell of a kernel stands for are not independent.
    """
    topology = nominal.topology
    if not are_dense(nominal.machine.kinds):
        unknown = {name: np.full(len(exact.delta), np.nan) for name in topology.names}
        return ExpectedError(unknown, dict(unknown))
    variance = topology.coupling({name: spread.variance for name, spread in spreads.items()})
    shift = topology.coupling({name: spread.shift for name, spread in spreads.items()})
    both, odd, paths, layers = (
        variance + variance.T,
        shift - shift.T,
        _find_path_gains(nominal, spreads),
        topology.columns,
    )
    rows = [_predict_sample_error(exact, k, both, odd, paths, layers.values()) for k in range(len(exact.delta))]
    square, cosine = np.array(rows).transpose(1, 2, 0)
    return ExpectedError(dict(zip(topology.names, square, strict=True)), dict(zip(topology.names, cosine, strict=True)))


class _PathGains(NamedTuple):
    """The gains of the paths of one connection into the units of its post layer."""

    post: slice
    pre: slice
    weight: Array
    """Coupling times the spread of a gain, (post, pre)."""

    def errors(self, delta: Array) -> Array:
        """Return what one standard deviation of each gain adds to the drives, (units, post).

        Gain i is a part ``gamma_i e_i W_i`` of the coupling, and its asymmetry acts on `delta` (units,).
        """
        found, units = np.zeros((len(delta), len(self.weight))), np.arange(len(self.weight))
        found[self.post.start + units, units] = self.weight @ delta[self.pre]
        found[self.pre] -= (self.weight * delta[self.post][:, None]).T
        return found


def _find_path_gains(nominal: Chip, spreads: Mapping[str, Spread]) -> list[_PathGains]:
    topology = nominal.topology
    return [
        _PathGains(
            topology.columns[c.post], topology.columns[c.pre], spread.path * c.kind.matrix(nominal.programmed[c.block])
        )
        for c in topology.recurrent()
        if (spread := spreads[c.block]).path > 0.0
    ]


def _predict_sample_error(
    exact: ExactErrors, sample: int, both: Array, odd: Array, paths: list[_PathGains], layers: Iterable[slice]
) -> tuple[list[float], list[float]]:
    delta, response = exact.delta[sample], exact.linear.inverse(sample)
    covariance = np.diag(both @ delta**2) - both * np.outer(delta, delta)
    for path in paths:
        errors = path.errors(delta)
        covariance += errors @ errors.T
    shift = response @ (odd @ delta)
    mean = exact.ep[sample] + shift
    squares, cosines = [], []
    for columns in layers:
        rows, size = response[columns], float(np.linalg.norm(delta[columns]))
        square = float(np.sum((rows @ covariance) * rows))
        squares.append(square + float(np.sum(shift[columns] ** 2)))
        if size == 0.0:
            cosines.append(float("nan"))
            continue
        direction = delta[columns] / size
        along = direction @ rows
        across = max(0.0, square - float(along @ covariance @ along))
        # Nothing arrives where no feedback leads to.
        expected = float(np.sqrt(np.sum(mean[columns] ** 2) + across))
        cosines.append(float(direction @ mean[columns]) / expected if expected else float("nan"))
    return squares, cosines
