"""Of every request only the sign is written, as one step (Manhattan updating: Hertz, Krogh & Palmer 1991).

A cell whose requests have mean m and standard deviation d moves by ``erf(m / (d sqrt 2))`` steps per batch in the mean:
the gain of every cell is its own, and small means count for more than they should.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from devices.parameters import Unit

from ..optimisers.schedule import TrainingMoment
from .policy import POLICIES, Array, Blocks, KnownCells, Memory, WritePolicy


@POLICIES.register
class Sign(WritePolicy):
    """Write one step in the direction of every request."""

    kind: Literal["sign"] = "sign"

    deadzone: Annotated[float, Field(ge=0.0, le=1e3), Unit("weight")] = 0.0
    """A request up to this size writes nothing; units of the weight. 0: nothing but an exact 0."""

    counts_steps: ClassVar[bool] = True

    def choose_changes(
        self,
        requests: Mapping[str, Array],
        memory: Memory,  # noqa: ARG002
        cells: KnownCells,
        moment: TrainingMoment,  # noqa: ARG002
    ) -> Blocks:
        """Return one step per cell, up or down or none."""
        step = cells.get_step()
        return {
            name: np.where(np.abs(request) > self.deadzone, step * np.sign(request), 0.0)
            for name, request in requests.items()
        }
