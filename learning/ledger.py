"""Oracle side: where the error of an estimate comes from, term by term.

The terms are vectors whose sum is the total error ``estimate - exact``:

============== ================================================================= ==================
step           what is run                                                       term
============== ================================================================= ==================
exact          backpropagation through the equilibrium of the chip as it is
limit          EP for a vanishing nudge                                          asymmetry
full           the scheme's finite nudges, settled completely; a swinging        finite nudge
               nudge stopped at every point of its cycle
estimate       the scenario's own settling, with its noise and its readout       settling
============== ================================================================= ==================
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip import Chip
from substrate.linearisation import TIGHT
from substrate.protocol import Status

from .estimators import Estimate, estimate, measure_free
from .exact import Exact
from .schemes import LockIn, Rotation, Scheme, Slow

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_TINY = 1e-30
"""A vector below this has no direction."""

TERMS = ("asymmetry", "finite_nudge", "settling")


class Ledger(NamedTuple):
    """Error vectors of one estimate, step by step; arrays (batch, units)."""

    steps: tuple[Array, ...]
    """Exact, limit, full and estimate."""

    keep: Mask
    """Samples that settled in every step, (batch,); only these are averaged."""

    def terms(self) -> dict[str, Array]:
        """Return the error of each cause."""
        return dict(zip(TERMS, np.diff(np.array(self.steps), axis=0), strict=True))


def ledger(
    complete: Chip, x: Array, target: Array, exact: Exact, scheme: Scheme, measured: Estimate, restless: bool = False
) -> Ledger:
    """Split the error of `measured` into its causes.

    Parameters
    ----------
    complete : Chip
        The same chip, settling completely (see `complete_settling`).
    x, target : array (batch, inputs), (batch, classes or outputs)
        The batch.
    exact : Exact
        Its exact error vectors.
    scheme : Scheme
        The scheme that was measured.
    measured : Estimate
        What was measured.
    restless : bool
        Whether a settling ends by the clock, or never rests because of noise: what is missing is then
        part of the settling term, and only a sample that diverged or cycles is left out.
    """
    still = Slow(scheme) if isinstance(scheme, LockIn | Rotation) else scheme
    full = estimate(complete, measure_free(complete, x), target, still)
    accepted = [Status.SETTLED, Status.STEP_LIMIT, Status.STALLED] if restless else [Status.SETTLED]
    keep = np.isin(measured.status, accepted) & (full.status == Status.SETTLED) & exact.equilibrium.reached
    return Ledger((exact.delta, exact.ep, joined(full), joined(measured)), np.asarray(keep))


def compared(ledgers: list[Ledger], reached: Mask) -> tuple[list[Ledger], Mask]:
    """Return the ledgers over one common set of samples, and that set, (batch,).

    A sample counts if it settled under every scheme under which any did, and is in `reached`.
    """
    keep = reached.copy()
    for book in ledgers:
        if (book.keep & reached).any():
            keep &= book.keep
    return [book._replace(keep=book.keep & keep) for book in ledgers], keep


def complete_settling(chip: Chip) -> Chip:
    """Return the same chip read ideally, without noise, in double precision, with phases that count as complete."""
    complete = {"free": TIGHT, "nudged": TIGHT, "precision": "double", "mode": "trajectory", "start": "zero"}
    ideal = chip.without("noise", "read-noise", "adc", "hold", "nudge-circuit")
    return ideal.variant(dynamics=chip.design.dynamics.model_copy(update=complete))


def joined(measured: Estimate) -> Array:
    """Return the error vectors of all layers side by side, (batch, units)."""
    return np.concatenate(list(measured.delta.values()), axis=1)


def cosines(a: Array, b: Array) -> Array:
    """Return the cosine between the rows of `a` and `b`; NaN where one of them vanishes."""
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.divide(np.sum(a * b, axis=1), size, out=np.full(len(size), np.nan), where=size > _TINY))


def norm_ratios(a: Array, b: Array) -> Array:
    """Return ``|a| / |b|`` row by row; NaN where `b` vanishes."""
    size = np.linalg.norm(b, axis=1)
    return np.asarray(np.divide(np.linalg.norm(a, axis=1), size, out=np.full(len(size), np.nan), where=size > _TINY))


def rms(a: Array) -> float:
    """Return the root of the mean squared row norm; NaN without rows."""
    return float(np.sqrt(np.sum(a**2) / len(a))) if len(a) else float("nan")


def mean_defined(values: Array) -> tuple[float, float]:
    """Return mean and standard deviation of the values that are numbers; NaN if none is."""
    defined = values[np.isfinite(values)]
    return (float(defined.mean()), float(defined.std())) if defined.size else (float("nan"), float("nan"))
