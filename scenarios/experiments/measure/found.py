"""What a measure found, before it is laid out for the file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.estimator import Estimate, FreeReading
from learning.oracle.exact import ExactErrors
from learning.oracle.ledger.gains import RemedyGain
from learning.oracle.ledger.interactions import Interactions
from learning.oracle.ledger.vectors import Ledger
from learning.oracle.matching import ExpectedError

Array = NDArray[np.float64]


class MeasuredRemedies(NamedTuple):
    """What was tried against the largest cause of error."""

    scheme: int
    """Place of the scheme under which it was."""

    keys: dict[str, str]
    """Keys of the scenario that every possible remedy changes, by its name."""

    gains: dict[str, RemedyGain]
    """Of those that act on the largest cause."""

    before: dict[str, tuple[Array, Array]]
    """What the rule asks of every connection as it is, and the exact gradient, by block."""


class Measurement(NamedTuple):
    """All that a measure found, before it is laid out for the file."""

    free: FreeReading
    state: Array
    """Membrane state of the free phase (batch, units)."""

    reference: ExactErrors
    estimates: list[Estimate]
    """Of the first repeat, one per scheme."""

    status: NDArray[np.int64]
    """Worst status of all settlings and repeats, (scheme, batch)."""

    ledgers: list[Ledger]
    """Of the error vectors, one per scheme."""

    connections: list[dict[str, Ledger]]
    """Of the gradients of the connections that are taught, by block, one per scheme."""

    forecasts: list[Array | None]
    """Variance (batch, units) that noise adds to one measurement, as foretold, one per scheme; None: not known."""

    interactions: list[Interactions]
    """One per scheme; empty if they were not asked for."""

    keep: NDArray[np.bool_]
    """Samples that every figure is an average of, (batch,)."""

    designed: ExactErrors
    """Exact error vectors of the chip as designed, before any spread."""

    tried: MeasuredRemedies | None
    """None where it was not asked for."""

    matching: ExpectedError | None
    """What the matching rule expects of nudges over chips of this spread; None where the rule takes none."""
