"""Oracle side: numbers that say how large an error is, of what kind, and what noise adds to that.

A mean over `R` measurements still holds noise of variance ``Var/R``, which makes every norm of it too large.
Squares are therefore debiased, ``|mean|^2 - sum Var/R``, and cut at 0 at the end only.

The split ``term = alpha exact + c + rest`` is the least squares fit over the samples of a layer: a change of
**scale** `alpha`, a vector `c` that is **constant** over the samples, and the **rotation** that is left. A
constant survives every average over samples, and so sets the floor that a training can reach.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TINY = 1e-30
"""A vector below this has no direction."""


class TermSize(NamedTuple):
    """How large a term is; norms in units of the gradient, debiased."""

    rms: float
    """Root of the mean squared norm over the samples."""

    median: float
    """Median over the samples of the norm, relative to that of the exact vector; NaN where one of them vanishes."""

    mean_norm: float
    """Norm of the mean over the samples."""

    scale: float
    """Factor `alpha` of the exact vector; dimensionless, either sign."""

    constant: float
    """Norm of the part that is the same for all samples; NaN for a single row."""

    rotation: float
    """Rms norm of what neither scale nor constant explains."""

    standard_error: float
    """Rms norm of what noise leaves in the term: its own measure of zero."""


def is_live(true: Array, silent: float = 0.0) -> NDArray[np.bool_]:
    """Tell in which rows the exact vector (rows, columns) is not zero: the others are dead.

    What is not above `silent` is round-off.
    """
    return np.asarray(np.linalg.norm(true, axis=1) > max(silent, _TINY))


def compute_quality(delta: Array, true: Array) -> tuple[float, float]:
    """Return mean cosine and median relative error of estimates (rows, columns); NaN without rows that are not dead."""
    live = is_live(true)
    if not live.any():
        return float("nan"), float("nan")
    error = np.linalg.norm((delta - true)[live], axis=1) / np.linalg.norm(true[live], axis=1)
    return average_defined(compute_cosines(delta[live], true[live]))[0], float(np.median(error))


def compute_term_size(term: Array, true: Array, noise: Array) -> TermSize:
    """Return the figures of one term.

    Parameters
    ----------
    term, true : array (rows, columns)
        Error and exact vector of every sample; one row if there is only a batch mean.
    noise : array (rows, columns)
        Variance of the mean that the term holds; NaN where it is not known, which debiases nothing.
    """
    known = np.nan_to_num(noise)
    if not len(term):
        return TermSize(*[float("nan")] * len(TermSize._fields))
    rows, own = len(term), compute_square_norms(term, known)
    mean = term.mean(axis=0)
    size = np.linalg.norm(true, axis=1)
    relative = np.divide(_compute_clipped_root(own), size, out=np.full(rows, np.nan), where=size > _TINY)
    scale, constant, rotation = split_scale(term, true, known)
    return TermSize(
        rms=float(_compute_clipped_root(own.mean())),
        median=float(np.median(relative)),
        mean_norm=float(_compute_clipped_root(np.sum(mean**2) - known.sum() / rows**2)),
        scale=scale,
        constant=float(_compute_clipped_root(np.asarray(constant))),
        rotation=float(_compute_clipped_root(np.asarray(rotation))),
        standard_error=float(np.sqrt(noise.sum() / rows)),
    )


def split_scale(term: Array, true: Array, noise: Array) -> tuple[float, float, float]:
    """Return scale, squared norm of the constant, and mean squared norm of the rest, debiased and not cut at 0.

    Parameters
    ----------
    term, true, noise : array (rows, columns)
        As in `figures`. A single row has no constant: it is NaN, and the scale is a projection.
    """
    rows = len(term)
    centre = true.mean(axis=0) if rows > 1 else np.zeros(true.shape[1])
    mean = term.mean(axis=0) if rows > 1 else np.zeros(true.shape[1])
    spread = true - centre
    size = float(np.sum(spread**2))
    if size <= _TINY**2:
        return float("nan"), float("nan"), float("nan")
    scale = float(np.sum(spread * term)) / size
    noise_of_scale = float(np.sum(noise * spread**2)) / size**2
    rest = term - mean - scale * spread
    free = noise.sum() * (1.0 - (rows > 1) / rows) - size * noise_of_scale
    rotation = (float(np.sum(rest**2)) - float(free)) / rows
    if rows == 1:
        return scale, float("nan"), rotation
    constant = float(np.sum((mean - scale * centre) ** 2))
    # Var(mean - scale centre), with the covariance of both.
    noise_of_mean = noise.sum(axis=0) / rows**2
    covariance = np.sum(noise * spread, axis=0) / (rows * size)
    constant -= float(np.sum(noise_of_mean + centre**2 * noise_of_scale - 2.0 * centre * covariance))
    return scale, constant, rotation


def compute_square_norms(a: Array, noise: Array) -> Array:
    """Return the squared norm of every row without what noise adds to it, which may be below 0; (rows,)."""
    return np.asarray(np.sum(a**2, axis=1) - np.sum(noise, axis=1))


def compute_cosines(a: Array, b: Array, noise: Array | None = None) -> Array:
    """Return the cosine between the rows of `a` and `b`; NaN where one of them vanishes.

    `noise`, like `a`, is the variance of the mean that `a` holds. It makes rows too long, over all rows by
    ``|a|^2 / (|a|^2 - sum noise)``; where that is more than twice, `a` is mostly noise and all cosines are NaN.
    """
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    plain = np.divide(np.sum(a * b, axis=1), size, out=np.full(len(size), np.nan), where=size > _TINY)
    if noise is None:
        return np.asarray(plain)
    whole, part = float(np.sum(a**2)), float(np.nansum(noise))
    if part > 0.5 * whole:
        return np.full(len(size), np.nan)
    return np.asarray(np.clip(plain * np.sqrt(whole / (whole - part)), -1.0, 1.0)) if part > 0.0 else plain


def compute_norm_ratios(a: Array, b: Array) -> Array:
    """Return ``|a| / |b|`` row by row; NaN where `b` vanishes."""
    size = np.linalg.norm(b, axis=1)
    return np.asarray(np.divide(np.linalg.norm(a, axis=1), size, out=np.full(len(size), np.nan), where=size > _TINY))


def compute_rms_norm(a: Array, noise: float | Array = 0.0) -> float:
    """Return the root of the mean squared row norm, without the variance `noise` of every element; NaN without rows."""
    if not len(a):
        return float("nan")
    known = np.broadcast_to(np.nan_to_num(noise), a.shape)
    return float(_compute_clipped_root(compute_square_norms(a, known).mean()))


def average_defined(values: Array) -> tuple[float, float]:
    """Return mean and standard deviation of the values that are numbers; NaN if none is."""
    defined = values[np.isfinite(values)]
    return (float(defined.mean()), float(defined.std())) if defined.size else (float("nan"), float("nan"))


def _compute_clipped_root(square: Array) -> Array:
    """Return the root; of what is below 0, which noise alone explains, 0."""
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))
