"""Requests are added up in a register beside every cell, and written once they make whole steps.

Of a sum ``chi`` the cell gets ``k = trunc(chi / s)`` steps `s`, and ``chi - k s`` stays (mixed precision training:
S. R. Nandakumar et al., Front. Neurosci. 14, 2020). What is missing in a cell after any number of batches is what
stands in its register: s/sqrt 6 (rms) for requests that scatter around 0, s/sqrt 3 for those of one sign. Requests of
standard deviation d around 0 take ``(d / (s + 0.583 d))^2`` pulses per batch, the inverse of the time in which a random
walk leaves (-s, s), where stochastic rounding takes ``0.8 d / s``: 17 times fewer at d = s/20. To the nearest step the
sum would end at the opposite edge of its band, and save nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..draws import draw_cell_uniforms
from ..optimisers.schedule import TrainingMoment
from .policy import POLICIES, Array, Blocks, KnownCells, Memory, WritePolicy, get_kept


@POLICIES.register
class Accumulate(WritePolicy):
    """Add requests up in a register of few bits beside every cell; write whole steps and keep the remainder."""

    kind: Literal["accumulate"] = "accumulate"

    bits: Annotated[int, Field(ge=2, le=48)] = 8
    """Width of a register, its sign included; 2 to 48. Its least bit is ``step / 2^(bits - 1)`` at threshold 1, and a
    request enters it rounded at random, which is right in the mean: no register needs a finer one than the scatter of
    the requests."""

    rounding: Literal["toward-zero", "nearest"] = "toward-zero"
    """Steps that a sum is worth: all whole ones in it, or the nearest number. The nearest misses least (s/sqrt 12) and
    saves no pulse against stochastic rounding."""

    threshold: Annotated[float, Field(ge=1.0, le=1e4)] = 1.0
    """Steps that a sum must be worth before it is written; 1 to 1e4. More means fewer and longer writes, which cells
    with write noise like, and a least bit that is larger by the next power of 2."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the rounding into the register, beside that of the scenario; 0 to 2^63 - 1."""

    counts_steps: ClassVar[bool] = True

    @property
    def levels(self) -> float:
        """Least bits of the register in one step."""
        return 2.0 ** (self.bits - 1 - math.ceil(math.log2(self.threshold)))

    def choose_changes(
        self, requests: Mapping[str, Array], memory: Memory, cells: KnownCells, moment: TrainingMoment
    ) -> Blocks:
        """Return the whole steps that the registers hold; what is kept is in least bits, a whole number."""
        changes, levels, step = {}, self.levels, cells.get_step()
        for name, request in requests.items():
            register = get_kept(memory, name, request)
            drawn = draw_cell_uniforms(self.seed, name, moment.step, request.shape)
            register += np.floor(request * (levels / step) + drawn)
            steps = self._count_steps(register / levels)
            register -= steps * levels
            changes[name] = steps * step
        return changes

    def _count_steps(self, held: Array) -> Array:
        """Return the steps that are written of sums, both in steps."""
        nearest = self.rounding == "nearest"
        steps = np.rint(held) if nearest else np.trunc(held)
        return np.asarray(np.where(np.abs(held) >= self.threshold - 0.5 * nearest, steps, 0.0))

    def forecast_missing(self) -> float | None:
        """Return 1/6, of a register between -1 and 1 that a walk leaves at both ends, or 1/12 of one within a step."""
        return None if self.threshold > 1.0 else 1.0 / 12.0 if self.rounding == "nearest" else 1.0 / 6.0

    def count_bits(self, shape: tuple[int, ...]) -> float:
        """Return the bits of one register per cell."""
        return float(self.bits * math.prod(shape))

    def find_faults(self, cells: KnownCells) -> list[tuple[str, str, str]]:
        """Return what every policy of whole steps must have, and whether the register holds a step."""
        found = super().find_faults(cells)
        if self.levels < 1.0:
            needed = 1 + math.ceil(math.log2(self.threshold))
            words = f"a register of {self.bits} bits holds no sum of {self.threshold:g} steps in steps"
            found.append(("bits", words, f"give at least {needed}, or a smaller threshold"))
        return found
