"""Every request is handed on as it is, in the batch in which it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from substrate.protocol import WritableBench

from ..optimisers.schedule import TrainingMoment
from .policy import POLICIES, Array, Blocks, KnownCells, Memory, WritePolicy


@POLICIES.register
class Direct(WritePolicy):
    """Hand every request on as it is; what the cells make of less than a step is up to `devices.update.rounding`."""

    kind: Literal["direct"] = "direct"

    def choose_changes(
        self,
        requests: Mapping[str, Array],
        memory: Memory,  # noqa: ARG002
        cells: KnownCells,  # noqa: ARG002
        moment: TrainingMoment,  # noqa: ARG002
    ) -> Blocks:
        """Return the requests."""
        return dict(requests)

    def write(
        self,
        bench: WritableBench,
        requests: Mapping[str, Array],
        memory: Memory,  # noqa: ARG002
        cells: KnownCells,  # noqa: ARG002
        moment: TrainingMoment,  # noqa: ARG002
    ) -> None:
        """Write the requests: the chip adds up those of one stored number itself."""
        bench.write(requests)

    def forecast_missing(self) -> float | None:
        """Return 0: nothing is kept back."""
        return 0.0
