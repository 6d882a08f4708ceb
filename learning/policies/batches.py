"""Requests of several batches are added up and handed on as one.

Pulses that are rounded at random scatter the written sum as they did, but there are fewer of them: their number falls
as the root of the batches, for requests that scatter around 0, and the error as the fourth root.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ..optimisers.schedule import TrainingMoment
from .policy import KEPT, NUMBER_BITS, POLICIES, Array, Blocks, KnownCells, Memory, WritePolicy, get_kept


@POLICIES.register
class SummedBatches(WritePolicy):
    """Hand on the sum of the requests of several batches, and after the last batch of a training what there is."""

    kind: Literal["batches"] = "batches"

    every: Annotated[int, Field(ge=1, le=1_000_000)] = 16
    """Batches whose requests are written as one; 1 to 1e6."""

    def choose_changes(
        self,
        requests: Mapping[str, Array],
        memory: Memory,
        cells: KnownCells,  # noqa: ARG002
        moment: TrainingMoment,
    ) -> Blocks:
        """Return the sums of all batches since the last write, in the batch that is due."""
        for name, request in requests.items():
            kept = get_kept(memory, name, request)
            kept += request
        if not is_due(moment, self.every):
            return {}
        return {name: memory.pop(KEPT + name) for name in requests}

    def forecast_missing(self) -> float | None:
        """Return 0: nothing is kept back after the last batch."""
        return 0.0

    def count_bits(self, shape: tuple[int, ...]) -> float:
        """Return the bits of one sum per cell."""
        return float(NUMBER_BITS * math.prod(shape))


def is_due(moment: TrainingMoment, every: int) -> bool:
    """Tell whether a batch is the last of so many, or the last of the training."""
    return (moment.step + 1) % every == 0 or moment.step + 1 == moment.steps
