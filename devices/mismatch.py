"""Spread between devices that were meant to be equal, drawn once per chip."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .parameters import Parameters, Ratio
from .random import Stream

Array = NDArray[np.float64]


class FeedbackDevices(Parameters):
    """The devices that hold the feedback weights (pre layer listed after its post layer)."""

    storage: Literal["independent"] = "independent"
    """How a feedback weight is kept: `independent`, its own cell, written on its own."""

    mismatch_sigma: Annotated[Ratio, Field(ge=0.0, le=10.0)] = 0.0
    """Relative spread of one cell, one standard deviation; dimensionless, 0 to 10. On-chip pairs: 0.01 to 0.1."""


def mismatched(programmed: Array, sigma: float, stream: Stream) -> Array:
    """Return the weights that cells of relative spread `sigma` really hold.

    ``effective = programmed * (1 + sigma * xi)`` with one standard normal `xi` per cell. The same
    stream gives the same `xi` at every `sigma`, so one chip can be followed while its spread grows.

    Parameters
    ----------
    programmed : array, any shape
        Requested weights, dimensionless.
    sigma : float
        Relative standard deviation of one cell; 0 returns `programmed` itself, bit for bit.
    stream : Stream
        Names the draw.
    """
    if sigma == 0.0:
        return programmed
    return programmed * (1.0 + sigma * stream.normal(programmed.shape))
