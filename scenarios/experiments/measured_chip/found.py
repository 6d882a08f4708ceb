"""What a chip on a board showed of its gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.schemes.scheme import Scheme

Array = NDArray[np.float64]


class Repeated(NamedTuple):
    """What one scheme measured, again and again."""

    free: dict[str, Array]
    """Free activities per layer, (repeats, batch, units)."""

    delta: dict[str, Array]
    """Error vectors ``dL/d drive`` per layer, (repeats, batch, units)."""

    blocks: dict[str, Array]
    """Gradients of the batch by block, (repeats, ...)."""

    status: NDArray[np.int64]
    """Worst status of all settlings, (repeats, batch)."""


class BoardMeasurement(NamedTuple):
    """Everything that was measured."""

    schemes: list[Scheme]
    repeated: list[Repeated]
    """One of each scheme."""

    probed: list[dict[str, Array]]
    """Error vectors of node perturbation per layer, (batch, units), measured twice; empty: not measured."""
