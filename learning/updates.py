"""Optimisers: from gradients to requested changes of the programmed parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from devices.parameters import Parameters

Array = NDArray[np.float64]


class Sgd(Parameters):
    """Stochastic gradient descent with momentum: ``v <- momentum v + g``, requested change ``-rate v``."""

    kind: Literal["sgd"] = "sgd"
    rate: Annotated[float, Field(gt=0.0, le=1000.0)] = 0.01
    """Learning rate; above 0."""

    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    """Share of the last step that is kept; 0 to below 1."""


def requested_changes(optimiser: Sgd, gradient: Mapping[str, Array], memory: dict[str, Array]) -> dict[str, Array]:
    """Return the changes to write for one batch, by block; `memory` (the momentum) is updated in place."""
    for name, g in gradient.items():
        memory[name] = optimiser.momentum * memory[name] + g if name in memory else g.copy()
    return {name: -optimiser.rate * memory[name] for name in gradient}
