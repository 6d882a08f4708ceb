"""Oracle side: mean errors of chips that have some of the causes of one chip, and weighted sums of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .runs import Mask
from .statistics import compute_rms_norm
from .vectors import compute_sample_moments

Array = NDArray[np.float64]
Causes = frozenset[str]
Sum = Mapping[Causes, float]
"""Weight of the error of every chip, by its causes."""


class MeanError(NamedTuple):
    """An error vector as the mean over the repeats; arrays (batch, units)."""

    value: Array

    variance: Array
    """Variance of the mean; 0 where nothing is random, NaN for a single random repeat."""


class ChipErrors(NamedTuple):
    """Errors of one chip."""

    repeats: list[list[Array]]
    """By scheme and repeat, (batch, units)."""

    random: bool


class MeasuredErrors(NamedTuple):
    """What was measured of chips that have some of the causes."""

    found: dict[Causes, ChipErrors]
    """By their causes."""

    settled: list[Mask]
    """Samples that settled, of every run."""

    @property
    def keep(self) -> Mask:
        """Samples that every chip could measure, (batch,)."""
        return np.asarray(np.logical_and.reduce(self.settled))

    def mean(self, parts: Sum, s: int) -> MeanError:
        """Return the mean of a weighted sum of errors, repeat by repeat, for scheme `s`."""
        chosen = [(weight, self.found[present].repeats[s]) for present, weight in parts.items() if weight != 0.0]
        count = max((len(errors) for _, errors in chosen), default=1)
        nothing = np.zeros_like(self.found[frozenset()].repeats[s][0])
        with np.errstate(invalid="ignore"):
            sums = [sum((w * errors[r % len(errors)] for w, errors in chosen), nothing) for r in range(count)]
        value, variance = compute_sample_moments(sums)
        random = any(self.found[present].random for present, weight in parts.items() if weight != 0.0)
        return MeanError(value, variance / count if random else nothing)

    def compute_sizes(self, parts: Sum, s: int, layers: Sequence[slice]) -> Array:
        """Return the rms norm of a weighted sum in every layer, without what noise adds, (layers,)."""
        mean, keep = self.mean(parts, s), self.keep
        return np.array([compute_rms_norm(mean.value[keep][:, c], mean.variance[keep][:, c]) for c in layers])


def add_up(*terms: tuple[Sum, float]) -> dict[Causes, float]:
    """Return a weighted sum of weighted sums; sets that coincide cancel exactly."""
    found: dict[Causes, float] = {}
    for parts, factor in terms:
        for present, weight in parts.items():
            found[present] = found.get(present, 0.0) + factor * weight
    return found


def weigh_cause(present: Causes, *causes: str) -> dict[Causes, float]:
    """Return what `causes` do together on the chip that has the causes `present`, these among them."""
    return add_up(({present: 1.0}, 1.0), ({present.difference(causes): 1.0}, -1.0))


def weigh_interaction(present: Causes) -> dict[Causes, float]:
    """Return what is left of the error of a chip without what none of its causes, and each of them, does alone."""
    alone = [(weigh_cause(frozenset({cause}), cause), -1.0) for cause in sorted(present)]
    return add_up(({present: 1.0, frozenset(): -1.0} if present else {}, 1.0), *alone)
