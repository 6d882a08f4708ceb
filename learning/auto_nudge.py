"""The size of a nudge, found by measuring: `beta = "auto"`.

An estimate of order p has a bias ``K beta^p`` and, from noise, rounding and incomplete settling, an error of variance
``v / beta^2``. So the mean square of the difference of two estimates at `b` and ``b/2`` is

    ``D(b) = K^2 b^2p (1 - 2^-p)^2 + 5 v / b^2``,

and three sizes, `b`, ``b/2`` and ``b/4``, tell both, whatever the noise is made of. The size with the smallest
error of the worst layer, relative to the gradient, is where the next round begins: it is measured again. Nothing is
extrapolated beyond twice the largest size that was measured, or beyond twice the probe; a size at which a sample does
not settle or jumps to another branch, or at which the nudge circuit saturates, is a limit. Only the bench is used, so
that it works on any chip.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Bench, has_settled

from .cost import compute_cost_force
from .estimator import FreeReading, estimate_error_vectors, measure_free
from .schemes.scheme import Scheme, compute_noise_gain, find_truncation_order, unfold_mirrored_nodes

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

PURPOSE = "auto/"
"""Purpose of the presentations that a size is found from: names their noise."""

SHARES = (0.25, 0.5, 1.0)
"""What a round measures, in shares of its largest size."""

_SHRINK, _GROW = 0.25, 2.0
"""Smallest and largest factor of one round."""

_NO_NOISE = "the smallest size that was tried, since no noise is seen"

_SHRINKS = 6
"""Times that a size may be halved because samples jump or do not settle."""

_FAR = 10.0
"""Samples whose estimate moves so many times more than the median one, and by more than itself, have jumped."""

_LEFT_OUT = 0.05
"""Share of the samples that may jump or not settle: they are left out. More of them are a limit."""

_SATURATED = 0.01
"""Share of the outputs that may ask the nudge circuit for more than it gives."""

_SURE = 3.0
"""Standard errors by which a bias must differ from none."""

_GRID, _TINY = 241, 1e-300


class NudgeRequest(NamedTuple):
    """What is asked for."""

    scheme: Scheme
    """Which nudges; its size is not used."""

    probe: float
    """Where the search begins."""

    rounds: int
    """How often it is measured, 1 or more."""

    by_clock: bool = False
    """Whether the clock ends settlings."""

    mirror: bool = True
    """Whether a settling may stand for its conjugate."""

    averages: int = 1
    """Estimates that are averaged, which makes noise smaller and no bias."""

    largest_drive: float = np.inf
    """What the nudge circuit gives at most; units of the state."""

    step: float = 0.0
    """One step of the readout converter: signals below it show no noise; units of the activity."""


class NudgeRound(NamedTuple):
    """What one round found."""

    size: float
    """Largest nudge of the round."""

    chosen: float
    """Where the next round begins, or the result."""

    bias: Array
    """Error at `chosen` by the size of the nudge, relative to the gradient, (layers,); NaN where nothing was fitted."""

    noise: Array
    """Likewise by noise, rounding and incomplete settling, of the average."""


class NudgeSize(NamedTuple):
    """The size that was found."""

    beta: float
    rounds: list[NudgeRound]
    layers: list[str]
    settlings: int
    """Of one sample, over all rounds."""

    limit: str
    """What the size was limited by; empty if by bias and noise alone."""


class _Estimate(NamedTuple):
    """Error vectors of one size."""

    delta: dict[str, Array]
    good: Mask
    """Samples that settled, (batch,)."""


class _Bench(NamedTuple):
    """A bench with its batch, and how it is asked; counts presentations, so that each has noise of its own."""

    bench: Bench
    x: Array
    target: Array
    request: NudgeRequest
    counter: list[int]

    def clamp(self) -> FreeReading:
        """Settle freely, with noise of its own."""
        self.counter[0] += 1
        return measure_free(self.bench, self.x, None, self.counter[0], purpose=PURPOSE)

    def estimate(self, beta: float, free: FreeReading | None) -> _Estimate:
        """Estimate at one size; from a free state, or absent one from its own."""
        scheme, asked = self.request.scheme.resized(beta), self.request
        free = self.clamp() if free is None else free
        found = estimate_error_vectors(self.bench, free, self.target, scheme, mirror=asked.mirror)
        finite = np.isfinite(found.flat).all(axis=1)
        return _Estimate(found.delta, has_settled(found.status, asked.by_clock) & finite)


def find_nudge_size(bench: Bench, x: Array, target: Array, request: NudgeRequest) -> NudgeSize:
    """Return the size of nudge with the smallest error of the worst layer, by measurements alone.

    Parameters
    ----------
    bench : Bench
        The chip.
    x, target : array (batch, inputs), (batch, classes or outputs)
        The batch.
    request : NudgeRequest
        What is asked for.

    Raises
    ------
    ValueError
        If no sample settles under the smallest nudge that was tried.
    """
    before, desk = bench.budget.settlings, _Bench(bench, x, target, request, [0])
    most, limit = _find_largest_size(desk)
    size, rounds, shrinks, known = min(request.probe, most), list[NudgeRound](), 0, defaultdict[str, float](float)
    while len(rounds) < request.rounds:
        three = _measure_three(desk, size)
        good = _find_good(three)
        bad = int(np.count_nonzero(three[0].good & ~good))
        if bad > _LEFT_OUT * len(x) and shrinks < _SHRINKS:
            size, most, shrinks = 0.5 * size, 0.5 * size, shrinks + 1
            limit = f"{bad} of {len(x)} samples do not settle, or jump to another branch, at {2.0 * size:.3g}"
            continue
        found = _choose_size(three, good, size, most, request, known)
        rounds.append(found)
        size = found.chosen
    beta = _confirm(desk, rounds[-1])
    limit = limit if beta > 0.99 * most else _NO_NOISE if not rounds[-1].noise.any() else ""
    settlings = (bench.budget.settlings - before) // len(x)
    return NudgeSize(beta, rounds, list(three[0].delta), settlings, limit)


def _find_largest_size(desk: _Bench) -> tuple[float, str]:
    """Return the largest size to consider, and what limits it."""
    most, words = _GROW * desk.request.probe, "twice the probe"
    if np.isfinite(desk.request.largest_drive):
        output = list(desk.clamp().activity.values())[-1]
        force = np.abs(compute_cost_force(desk.bench.readout, output, desk.target))
        asked = float(np.quantile(force, 1.0 - _SATURATED))
        if asked * most > desk.request.largest_drive:
            most, words = desk.request.largest_drive / asked, "the nudge circuit, which gives no more"
    return most, words


def _measure_three(desk: _Bench, size: float) -> list[_Estimate]:
    """Return the estimates at a quarter of a size, half of it and all of it."""
    shares = any(node.beta == 0.0 for node in desk.request.scheme.resized(size).nodes())
    free = None if shares else desk.clamp()  # a free read that is a part of the estimate is not shared
    return [desk.estimate(share * size, free) for share in SHARES]


def _find_good(three: list[_Estimate]) -> Mask:
    """Tell which samples settle under all three nudges and stay on their branch."""
    if not three[0].good.any():
        raise ValueError(
            "no sample settles under the smallest nudge that was tried, so that no size can be found: give "
            "learning.scheme.beta a number, a smaller probe, or phases more time"
        )
    jumped = _find_jumped(three[1], three[0]) | _find_jumped(three[2], three[1])
    return np.asarray(np.logical_and.reduce([one.good for one in three]) & ~jumped)


def _find_jumped(large: _Estimate, small: _Estimate) -> Mask:
    """Tell which samples move by more than themselves, and far more than others, from one size to the other."""
    first, second = (np.concatenate(list(one.delta.values()), axis=1) for one in (small, large))
    moved, own = np.linalg.norm(second - first, axis=1), np.linalg.norm(first, axis=1)
    usual = float(np.median(moved[small.good & large.good])) if (small.good & large.good).any() else 0.0
    return np.asarray((moved > own) & (moved > _FAR * usual))


def _choose_size(
    three: list[_Estimate], keep: Mask, size: float, most: float, request: NudgeRequest, known: dict[str, float]
) -> NudgeRound:
    """Return the size with the smallest error of the worst layer, from estimates at three sizes.

    `known` holds what former rounds found of ``K^2`` of every layer, and is brought up to date.
    """
    order = find_truncation_order(request.scheme.resized(size).nodes())
    sizes = np.geomspace(_SHRINK * size, max(min(_GROW * size, most), _SHRINK * size), _GRID)
    floor = compute_noise_gain(unfold_mirrored_nodes(request.scheme.resized(size).nodes()))
    floor *= (request.step / size) ** 2 / 12.0
    biases, noises = [], []
    for name in three[0].delta:
        power = size ** (2 * order)
        bias, variance, unit = _fit_layer([t.delta[name][keep] for t in three], order, floor, known[name] * power)
        known[name] = bias / power
        biases.append(bias / unit * (sizes / size) ** (2 * order))
        noises.append(variance / unit * (size / sizes) ** 2 / request.averages)
    bias_squares, noise_squares = np.array(biases), np.array(noises)
    best = int(np.argmin((bias_squares + noise_squares).max(axis=0)))
    return NudgeRound(size, float(sizes[best]), np.sqrt(bias_squares[:, best]), np.sqrt(noise_squares[:, best]))


def _fit_layer(three: list[Array], order: int, floor: float, known: float) -> tuple[float, float, float]:
    """Return squared bias, variance and squared gradient at the full size, from estimates at a quarter, half and all.

    ``D(b) = A + 5 V`` and ``D(b/2) = A 4^-p + 20 V`` with ``A = K^2 b^2p (1 - 2^-p)^2`` and ``V = v / b^2``, which is
    at least `floor` per component. ``D(b) - D(b/2) / 4`` holds no noise but scatters: by ``84 V^2`` per component,
    since the two differences share an estimate. A bias within that is the one that is `known` from other sizes, as far
    as the scatter allows it.
    """
    quarter, half, whole = three
    wide, narrow = (float(np.sum((large - small) ** 2)) for large, small in ((whole, half), (half, quarter)))
    ratio = 4.0**-order
    variance = max(floor * half.size, (narrow - ratio * wide) / (20.0 - 5.0 * ratio))
    factor = 1.0 / ((1.0 - 0.25 * ratio) * (1.0 - 2.0**-order) ** 2)
    seen = factor * max(0.0, wide - 0.25 * narrow)
    scatter = factor * _SURE * float(np.sqrt(84.0 / max(1, half.size))) * variance
    bias = seen if seen > scatter else min(known, seen + scatter)
    unit = max(float(np.sum(half**2)) - 4.0 * variance, 0.1 * variance, _TINY)
    return bias, variance, unit


def _confirm(desk: _Bench, last: NudgeRound) -> float:
    """Return the size that the last round chose; if it is larger than any measured one and fails, the latter."""
    if last.chosen <= last.size:
        return last.chosen
    free = desk.clamp()
    small, large = desk.estimate(last.size, free), desk.estimate(last.chosen, free)
    failed = small.good & (~large.good | _find_jumped(large, small))
    return last.size if np.count_nonzero(failed) > _LEFT_OUT * len(failed) else last.chosen
