"""Oracle side: which nudge is best on one chip, from repeats with its noise, at equal budget.

Bias falls with a smaller nudge or more points, variance rises as ``G / beta^2``; what counts is their sum
after one budget has been spent: a scheme that asks for less is repeated more often, and averaged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers
from substrate.protocol import Budget, has_settled

from ..estimator import FreeReading, estimate_error_vectors
from ..schemes.allowance import Allowance
from ..schemes.scheme import Scheme, Swing, compute_noise_gain, unfold_mirrored_nodes
from ..schemes.wave import Rotation
from .exact import ExactErrors, compute_exact_errors
from .squared_mean import PARTS, compute_standard_error

Array = NDArray[np.float64]


_TINY = 1e-30


class StudyError(ValueError):
    """The schemes cannot be compared; the text says why and what to try."""


class NudgeStudy(NamedTuple):
    """What the schemes make of one allowance; squares are relative to the mean square of the exact error vector.

    Arrays (scheme, layer) unless said otherwise.
    """

    schemes: list[Scheme]
    layers: list[str]
    beta: Array
    """Size of the nudge, (scheme,)."""

    averaged: NDArray[np.int64]
    """Estimates that the allowance pays, (scheme,)."""

    settlings: NDArray[np.int64]
    """Settlings of one estimate, the free one included, (scheme,)."""

    reads: NDArray[np.int64]
    """Real reads of one estimate, the free one included, (scheme,)."""

    gain: Array
    """Noise gain `G` of one estimate, as theory has it: variance over ``(sigma / beta)^2``, (scheme,)."""

    bias: Array
    """Squared bias against the exact gradient, without the noise of the repeats; at least 0."""

    bias_error: Array
    """Standard error of `bias`, see `learning.oracle.squared_mean`; NaN for fewer than four repeats that differ."""

    variance: Array
    """Variance of the average."""

    mse: Array
    """Mean squared error, ``bias + variance``."""

    cosine: Array
    """Cosine of the average to the exact error vector, as the moments give it."""

    asymmetry: Array
    """Squared bias of EP with a vanishing nudge, (layer,): what no scheme can undo."""

    keep: NDArray[np.bool_]
    """Samples that counted, (batch,)."""

    best: int
    """Scheme whose worst layer has the smallest mean squared error."""

    answer: str
    """The best scheme in one line."""


class _ErrorMoments(NamedTuple):
    """Moments of the error of one scheme over the repeats; arrays (batch, units)."""

    mean: Array
    variance: Array
    repeats: int
    groups: Array
    """Means over equal parts of the repeats, (parts, batch, units)."""

    settled: NDArray[np.bool_]
    """Samples of which every settling has settled, (batch,)."""

    cost: Budget
    """Of one estimate, per sample."""


def compare_schemes(
    chip: Chip,
    x: Array,
    target: Array,
    schemes: Sequence[Scheme],
    repeats: int = 64,
    allowance: Allowance = Allowance(),  # noqa: B008  immutable
    tell: Callable[[int, Scheme], object] | None = None,
) -> NudgeStudy:
    """Return bias, variance and mean squared error of every scheme and layer at equal budget.

    Parameters
    ----------
    chip : Chip
        The chip, with its noise.
    x, target : array (batch, inputs), (batch, classes or outputs)
        The batch.
    schemes : sequence of Scheme
        What to compare: kinds, numbers of points and sizes of the nudge.
    repeats : int
        Estimates with noise of their own from which the moments are taken; at least 2. A bias is seen down to
        the noise of their mean: take as many as the allowance pays.
    allowance : Allowance
        What every scheme may spend on one sample.
    tell : callable, optional
        Called with place and scheme before each scheme is measured.

    Raises
    ------
    StudyError
        If there are no schemes or fewer than two repeats, if the allowance does not pay one estimate, or if
        no sample settles under all schemes.
    """
    if not schemes or repeats < 2:
        raise StudyError(f"{len(schemes)} schemes, repeats = {repeats}: give at least 1 scheme and 2 repeats")
    chip.set_input(x)
    chip.settle()
    reference = compute_exact_errors(chip, target)
    found = []
    for k, scheme in enumerate(schemes):
        if tell is not None:
            tell(k, scheme)
        found.append(_measure_error_moments(chip, x, target, scheme, repeats, reference.delta))
    costs = [m.cost for m in found]
    averaged = np.array([_count_paid_estimates(s, allowance, cost) for s, cost in zip(schemes, costs, strict=True)])
    keep = np.logical_and.reduce([reference.equilibrium.reached, *(m.settled for m in found)])
    if not keep.any():
        raise StudyError("no sample settles under every scheme: lower the largest nudge or dynamics.dt")
    layers = chip.topology.columns
    rows = [[_summarise_layer(m, reference.delta, keep, columns) for columns in layers.values()] for m in found]
    bias, bias_error, variance, along = np.moveaxis(np.array(rows), 2, 0)
    variance = variance / averaged[:, None]
    mse = bias + variance
    best = int(mse.max(axis=1).argmin())
    return NudgeStudy(
        schemes=list(schemes),
        layers=list(layers),
        beta=np.array([scheme.beta for scheme in schemes]),
        averaged=averaged,
        settlings=np.array([cost.settlings for cost in costs]),
        reads=np.array([cost.reads for cost in costs]),
        gain=np.array([_compute_scheme_gain(chip, s, cost) for s, cost in zip(schemes, costs, strict=True)]),
        bias=bias,
        bias_error=bias_error,
        variance=variance,
        mse=mse,
        # |mean|^2 = |exact|^2 + 2 exact (mean - exact) + |mean - exact|^2
        cosine=(1.0 + along) / np.sqrt(np.maximum(1.0 + 2.0 * along + mse, _TINY)),
        asymmetry=_compute_asymmetry_error(chip, reference, keep),
        keep=keep,
        best=best,
        answer=_describe_best_scheme(schemes[best], int(averaged[best]), list(layers), bias[best], variance[best]),
    )


def _compute_asymmetry_error(chip: Chip, reference: ExactErrors, keep: NDArray[np.bool_]) -> Array:
    """Return by layer the squared distance of error vectors of EP and of backpropagation, over that of the latter."""
    error, size = (chip.topology.split(a[keep]) for a in (reference.ep - reference.delta, reference.delta))
    return np.array([np.sum(error[name] ** 2) / np.sum(size[name] ** 2) for name in error])


def _measure_error_moments(
    chip: Chip, x: Array, target: Array, scheme: Scheme, repeats: int, exact_delta: Array
) -> _ErrorMoments:
    """Repeat one estimate with noise of its own; drawn signs are drawn anew, too."""
    total, squares = np.zeros_like(exact_delta), np.zeros_like(exact_delta)
    parts = min(repeats, PARTS)
    groups, counts = np.zeros((parts, *exact_delta.shape)), np.zeros(parts)
    status = np.zeros(len(x), dtype=np.int64)
    before = chip.budget
    for repeat in range(repeats):
        chip.set_input(x, repeat=repeat)
        settled = chip.settle()
        free = FreeReading({name: np.real(a) for name, a in chip.read(waits=True).items()}, settled, epoch=repeat)
        measured = estimate_error_vectors(chip, free, target, scheme, mirror=has_conjugate_answers(chip.design.devices))
        error = measured.flat - exact_delta
        total, squares, status = total + error, squares + error**2, np.maximum(status, measured.status)
        groups[repeat % parts] += error
        counts[repeat % parts] += 1.0
    mean = total / repeats
    variance = np.maximum(squares - repeats * mean**2, 0.0) / (repeats - 1)
    spent, count = chip.budget.plus(before, -1), repeats * len(x)
    cost = Budget(spent.settlings // count, spent.settled_time / count, spent.reads // count)
    by_clock = chip.design.dynamics.ends_by_clock or isinstance(scheme, Swing)
    return _ErrorMoments(mean, variance, repeats, groups / counts[:, None, None], has_settled(status, by_clock), cost)


def _compute_scheme_gain(chip: Chip, scheme: Scheme, cost: Budget) -> float:
    if isinstance(scheme, Swing):
        planes = 2 if isinstance(scheme, Rotation) else 1
        return compute_noise_gain(scheme.cycle((cost.reads - 1) // planes))
    return compute_noise_gain(
        scheme.nodes() if has_conjugate_answers(chip.design.devices) else unfold_mirrored_nodes(scheme.nodes())
    )


def _count_paid_estimates(scheme: Scheme, allowance: Allowance, cost: Budget) -> int:
    """Return how many estimates the allowance pays."""
    count = allowance.pays(cost)
    if count < 1:
        time = "any time" if allowance.time is None else f"{allowance.time:g} tau"
        raise StudyError(
            f"the allowance of {allowance.settlings} settlings, {allowance.reads} reads and {time} does not pay one "
            f"estimate of {scheme.label}: give at least {cost.settlings} settlings, {cost.reads} reads and "
            f"{cost.settled_time:g} tau"
        )
    return count


def _summarise_layer(
    moments: _ErrorMoments, delta: Array, keep: NDArray[np.bool_], columns: slice
) -> tuple[float, ...]:
    """Return squared bias, its standard error, variance of one estimate and bias along `delta`, of one layer.

    All relative to the mean square of `delta`.
    """
    exact_part, mean = delta[keep, columns], moments.mean[keep, columns]
    noise = moments.variance[keep, columns] / moments.repeats  # of the mean over the repeats
    unit = float(np.sum(exact_part**2))
    bias = max(0.0, float(np.sum(mean**2 - noise)))
    error = compute_standard_error(moments.groups[:, keep, columns].reshape(len(moments.groups), -1))
    variance = float(np.sum(moments.variance[keep, columns]))
    return bias / unit, error / unit, variance / unit, float(np.sum(exact_part * mean)) / unit


def _describe_best_scheme(scheme: Scheme, averaged: int, layers: list[str], bias: Array, variance: Array) -> str:
    worst = int((bias + variance).argmax())
    total, wrong, noise = (100.0 * math.sqrt(v) for v in ((bias + variance)[worst], bias[worst], variance[worst]))
    return (
        f"Best nudge: {scheme.label}, mean of {averaged} estimates; the worst layer, {layers[worst]}, has an error of "
        f"{total:.2g} % of the exact gradient (bias {wrong:.2g} %, noise {noise:.2g} %)."
    )
