"""Effective weights of a running chip from its free reads: one linear regression per unit.

With as many settled samples as a unit has inputs, and one for its bias, every effective weight follows. Noise of the
reads that are summed makes weights too small by ``sigma^2/(variance of the activity)``; its known part is taken off
the normal equations (errors in variables: W. A. Fuller, "Measurement error models", Wiley 1987, section 2.2):

    (X^T V^-1 X - sigma^2 sum_k V_k^-1 D) w = X^T V^-1 h,    V_k = (dh/da_k)^2 + sum_j W_ij^2

`X` are the activities, `D` has a 1 for those that are read. With fewer samples the programmed weights and the spreads
of the cells stand in for what is missing: the best linear unbiased prediction (C. R. Henderson, Biometrics 31, 1975).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from .reads import DenseWiring, DriveCurve, FreeReads, UnitRows, join_row_weights, make_unit_rows, split_row_weights

Array = NDArray[np.float64]

_RANK = 1e-7
"""Smallest share of a regressor, of unit length, that is not a sum of the others: below, nothing tells it."""

_NOISELESS = 1e-12
"""Noise of reads that counts as none, relative to what is read: keeps matrices regular."""


class WeightPrior(NamedTuple):
    """What is known of effective weights before any read, by block such as ``weight/in-l1`` and ``bias/l1``."""

    mean: Mapping[str, Array]
    """As programmed."""

    deviation: Mapping[str, Array]
    """Standard deviation of every cell around it; of ``bias/<layer>`` with the offsets of the units."""


class EffectiveWeights(NamedTuple):
    """Weights as the units feel them."""

    values: dict[str, Array]
    """By block, (pre, post); ``bias/<layer>`` (units,) with the offset of the unit in it. NaN: not identified."""

    errors: dict[str, Array]
    """Standard errors of the same; NaN without samples to spare."""

    told: dict[str, NDArray[np.int64]]
    """Samples that told something of a unit, by layer (units,); it takes fan-in + 1 without a prior."""

    read_sigma: float
    """Noise of the reads, as given or as the residuals tell it; NaN without samples to spare."""


def estimate_effective_weights(
    wiring: DenseWiring,
    reads: FreeReads,
    curve: DriveCurve,
    read_sigma: float | None = None,
    prior: WeightPrior | None = None,
) -> EffectiveWeights:
    """Return the effective weights of all units.

    Parameters
    ----------
    wiring : DenseWiring
        Of `get_wiring`.
    reads : FreeReads
        Of `read_free_states`; fan-in + 1 samples or more of every unit, unless there is a `prior`.
    curve : DriveCurve
        From activities to drives, as designed.
    read_sigma : float, optional
        Noise of the reads, one standard deviation; absent: what the residuals tell, 0 with a `prior`.
    prior : WeightPrior, optional
        Programmed weights and their spread: then the answer is what is most likely, also of few samples.

    Notes
    -----
    The scale of a row and the slope of its unit's curve are one number at rest: what is found is the row as the curve
    by design needs it.
    """
    layers = list(make_unit_rows(wiring, reads.activity, curve))
    told = {rows.layer: rows.told.sum(axis=0) for rows in layers}
    if prior is not None:
        sigma = read_sigma or 0.0
        fits = [_predict_rows(rows, prior, sigma) for rows in layers]
    else:
        sigma = _estimate_read_sigma(layers) if read_sigma is None else read_sigma
        known = sigma if np.isfinite(sigma) else 0.0
        fits = [_regress_rows(rows, known, spare=np.isfinite(sigma)) for rows in layers]
    values: dict[str, Array] = {}
    errors: dict[str, Array] = {}
    for rows, (found, missing) in zip(layers, fits, strict=True):
        values |= split_row_weights(rows, found)
        errors |= split_row_weights(rows, missing)
    return EffectiveWeights(values, errors, told, float(sigma))


def _estimate_read_sigma(layers: list[UnitRows]) -> float:
    """Return the noise of the reads that the residuals of plain regressions have, over all units; NaN without any."""
    square, spare = 0.0, 0
    for rows in layers:
        weights, _ = _regress_rows(rows, 0.0, spare=False)
        found = np.isfinite(weights).all(axis=0)
        told = rows.told[:, found]
        residual = rows.drive[:, found] - rows.regressors @ weights[:, found]
        square += float(np.sum(residual[told] ** 2 / rows.count_noise(np.nan_to_num(weights))[:, found][told]))
        spare += int(told.sum()) - weights[:, found].size
    return float(np.sqrt(square / spare)) if spare > 0 else float("nan")


def _regress_rows(rows: UnitRows, sigma: float, spare: bool) -> tuple[Array, Array]:
    """Return weights and standard errors, (fan-in + 1, units) each, of one layer."""
    noise = np.maximum(rows.sensitivity**2, np.finfo(float).tiny)
    for _ in range(2):  # the noise of a row depends on its weights
        fits = [_regress_unit(rows, k, noise[:, k], sigma) for k in range(rows.drive.shape[1])]
        weights, shares = (np.array(part).T for part in zip(*fits, strict=True))
        noise = rows.count_noise(np.nan_to_num(weights))
    return weights, (sigma if spare else np.nan) * np.sqrt(shares)


def _regress_unit(rows: UnitRows, unit: int, noise: Array, sigma: float) -> tuple[Array, Array]:
    """Return the weights of one unit, and the diagonal of their covariance for reads of variance 1."""
    told = rows.told[:, unit]
    x, y, weight = rows.regressors[told], rows.drive[told, unit], 1.0 / noise[told]
    nothing = np.full(x.shape[1], np.nan)
    scaled = np.sqrt(weight)[:, None] * x
    normal = scaled.T @ scaled
    size = np.sqrt(np.diag(normal))
    if not size.all():
        return nothing, nothing
    normal /= np.outer(size, size)
    corrected = normal - np.diag(sigma**2 * weight.sum() * rows.read / size**2)
    try:
        if np.diag(linalg.cholesky(normal)).min() < _RANK:
            return nothing, nothing
        factor = linalg.cho_factor(corrected)
    except linalg.LinAlgError:
        return nothing, nothing
    inverse = linalg.cho_solve(factor, np.eye(len(size)))
    # Of the corrected equations the covariance is the sandwich; to first order in sigma^2 it is the inverse.
    return inverse @ (x.T @ (weight * y) / size) / size, np.diag(inverse @ normal @ inverse) / size**2


def _predict_rows(rows: UnitRows, prior: WeightPrior, sigma: float) -> tuple[Array, Array]:
    """Return weights and standard errors of one layer around what was programmed."""
    mean, deviation = (join_row_weights(rows, blocks) for blocks in prior)
    noise = sigma**2 * rows.count_noise(mean)
    residual = rows.drive - rows.regressors @ mean
    found, errors = mean.copy(), deviation.copy()
    for k in range(mean.shape[1]):
        told = rows.told[:, k]
        spread = rows.regressors[told] * deviation[:, k]
        total = spread @ spread.T
        floor = _NOISELESS * np.trace(total) + np.finfo(float).tiny
        gain = linalg.solve(total + np.diag(noise[told, k] + floor), spread, assume_a="pos").T
        found[:, k] += deviation[:, k] * (gain @ residual[told, k])
        left = 1.0 - np.sum(gain * spread.T, axis=1)
        errors[:, k] *= np.sqrt(np.clip(left, 0.0, 1.0))
    return found, errors
