"""Cells are read after every pulse until they are where they were asked to be: the only remedy for write noise.

A pulse draws the write noise of its cell anew, so that a cell is written until a draw falls within the tolerance: with
noise of s_w steps and a tolerance of t steps ``1 / (2 Phi(t / s_w) - 1)`` tries, about ``1.25 s_w / t``. What is left
is t/sqrt 3 (rms), whatever the cells are like, so a window of requests of n steps needs ``t = 0.57 n`` for a cosine of
0.95 and about ``2.2 s_w / n`` tries per cell. Spread of the steps is corrected, too. A cell that is given up stays as
wrong as a draw of the noise, so that the longest series of tries must be some ten times the mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from devices.parameters import Unit
from substrate.protocol import WritableBench

from ..optimisers.schedule import TrainingMoment
from .policy import KEPT, NUMBER_BITS, POLICIES, Array, KnownCells, Memory, WritePolicy, get_kept, split_requests

GIVEN_UP = KEPT + "given-up"
"""Cells that were still beside their request after the longest series of tries, counted batch by batch."""


@POLICIES.register
class Verify(WritePolicy):
    """Add requests up and, where the sum exceeds a tolerance, step the cell and read it until it is met."""

    kind: Literal["verify"] = "verify"

    tolerance: Annotated[float, Field(gt=0.0, le=1e4), Unit("step")] = 1.0
    """What may be missing of the effective weight, in steps; above 0. Below half a step only write noise meets it."""

    longest: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Most tries of one cell in one batch; what is missing then waits for the next one. 1 to 10,000. Under write noise
    take ten times the mean, ``12 write_noise / tolerance``: a cell that is given up is as wrong as its last draw."""

    pulses: Annotated[int, Field(ge=1, le=1000)] = 1
    """Most pulses of one try; 1 to 1000. With write noise one is best, since the others answer to noise."""

    counts_steps: ClassVar[bool] = True
    reads_cells: ClassVar[bool] = True

    def write(
        self,
        bench: WritableBench,
        requests: Mapping[str, Array],
        memory: Memory,
        cells: KnownCells,
        moment: TrainingMoment,  # noqa: ARG002
    ) -> None:
        """Write and read a bench after one batch; what is kept of a cell is what is missing, measured."""
        step = cells.get_step()
        digital, analog = split_requests(bench, requests, cells)
        missing = {name: get_kept(memory, name, request) for name, request in analog.items()}
        for name, request in analog.items():
            missing[name] += request
        due = {name: np.abs(block) > self.tolerance * step for name, block in missing.items()}
        due = {name: chosen for name, chosen in due.items() if chosen.any()}
        seen = {name: bench.read_cells(name, chosen) for name, chosen in due.items()}
        bench.write(digital | {name: self._choose(missing[name], due[name], step) for name in due})
        for tried in range(1, self.longest + 1):
            for name, chosen in list(due.items()):
                now = bench.read_cells(name, chosen)
                missing[name][chosen] -= now - seen[name]
                still = np.abs(missing[name][chosen]) > self.tolerance * step
                seen[name] = now[still]
                due[name][chosen] = still
                if not still.any():
                    del due[name]
            if not due or tried == self.longest:
                break
            bench.write({name: self._choose(missing[name], chosen, step) for name, chosen in due.items()})
        given_up = memory.setdefault(GIVEN_UP, np.zeros(()))
        given_up += sum(int(np.count_nonzero(chosen)) for chosen in due.values())

    def _choose(self, missing: Array, due: NDArray[np.bool_], step: float) -> Array:
        """Return the change of the next try: towards what is missing, by one pulse at least."""
        pulses = np.clip(np.rint(np.abs(missing) / step), 1.0, float(self.pulses))
        return np.asarray(np.where(due, np.sign(missing) * pulses * step, 0.0))

    def forecast_missing(self) -> float | None:
        """Return a third of the squared tolerance, the mean square of what is uniform within it."""
        return self.tolerance**2 / 3.0

    def count_bits(self, shape: tuple[int, ...]) -> float:
        """Return the bits of one number per cell."""
        return float(NUMBER_BITS * math.prod(shape))


def count_given_up(memory: Memory) -> int:
    """Return how many cells were left beside their request after the longest series of tries, over all batches."""
    return int(memory.get(GIVEN_UP, np.zeros(())))
