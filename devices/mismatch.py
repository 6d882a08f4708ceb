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


def cell_gains(shape: tuple[int, ...], sigma: float, stream: Stream) -> Array:
    """Return what cells of relative spread `sigma` multiply their programmed weights with.

    ``effective = programmed * (1 + sigma * xi)`` with one standard normal `xi` per cell. The same
    stream gives the same `xi` at every `sigma`, so one chip can be followed while its spread grows.

    Parameters
    ----------
    shape : tuple of int
        One cell per weight.
    sigma : float
        Relative standard deviation of one cell; 0 gives exactly 1 everywhere.
    stream : Stream
        Names the draw.
    """
    return 1.0 + sigma * stream.normal(shape) if sigma else np.ones(shape)
