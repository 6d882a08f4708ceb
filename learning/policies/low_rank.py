"""Of the requests since the last write only a few outer products are kept: ``L <- svd_r(L + G)``.

A. Gural, P. Nadeau, M. Tikekar, B. Murmann, "Low-rank training of deep neural networks for emerging memory technology",
2020. The cosine of what is kept to the sum of the requests is ``sqrt(sum_{i<=r} sigma_i^2 / sum sigma_i^2)`` of the
singular values of that sum. What is cut off never comes back, unless it is fed back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..optimisers.schedule import TrainingMoment
from .batches import is_due
from .policy import KEPT, NUMBER_BITS, POLICIES, Array, Blocks, KnownCells, Memory, WritePolicy, get_kept


@POLICIES.register
class LowRank(WritePolicy):
    """Keep the sum of the requests of several batches as a few outer products, and hand these on."""

    kind: Literal["low-rank"] = "low-rank"

    rank: Annotated[int, Field(ge=1, le=10_000)] = 4
    """Outer products that are kept of every connection; 1 to 1e4. Biases are kept whole."""

    every: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    """Batches whose requests are written as one; 1 to 1e6."""

    feedback: bool = True
    """Whether what is cut off is added to the requests of the next batch (error feedback). It takes a number per cell,
    and makes the policy right in the long run; without it a few numbers per row and column do."""

    def choose_changes(
        self,
        requests: Mapping[str, Array],
        memory: Memory,
        cells: KnownCells,  # noqa: ARG002
        moment: TrainingMoment,
    ) -> Blocks:
        """Return what is kept of the requests since the last write, in the batch that is due."""
        for name, request in requests.items():
            self._add(name, request, memory)
        if not is_due(moment, self.every):
            return {}
        return {name: self._take(name, request, memory) for name, request in requests.items()}

    def _add(self, name: str, request: Array, memory: Memory) -> None:
        """Add a request to what is kept of a block."""
        if request.ndim < 2:
            kept = get_kept(memory, name, request)
            kept += request
            return
        left, right = _name_factors(name)
        rows = _stretch(request)
        whole = rows + memory[left] @ memory[right] if left in memory else rows
        if self.feedback:
            whole = whole + _stretch(get_kept(memory, f"cut/{name}", request))
        u, sizes, v = np.linalg.svd(whole, full_matrices=False)
        memory[left], memory[right] = u[:, : self.rank] * sizes[: self.rank], v[: self.rank]
        if self.feedback:
            memory[f"{KEPT}cut/{name}"] = (whole - memory[left] @ memory[right]).reshape(request.shape)

    def _take(self, name: str, request: Array, memory: Memory) -> Array:
        """Return what is kept of a block, and forget it."""
        if request.ndim < 2:
            return memory.pop(KEPT + name)
        left, right = _name_factors(name)
        return np.asarray((memory.pop(left) @ memory.pop(right)).reshape(request.shape))

    def count_bits(self, shape: tuple[int, ...]) -> float:
        """Return the bits of the factors, and of what was cut off."""
        cells = math.prod(shape)
        if len(shape) < 2:
            return float(NUMBER_BITS * cells)
        rows = math.prod(shape[:-1])
        kept = min(self.rank, rows, shape[-1]) * (rows + shape[-1])
        return float(NUMBER_BITS * (kept + (cells if self.feedback else 0)))


def _name_factors(name: str) -> tuple[str, str]:
    return f"{KEPT}left/{name}", f"{KEPT}right/{name}"


def _stretch(block: Array) -> Array:
    """Return a block as a matrix whose columns are its last axis."""
    return block.reshape(-1, block.shape[-1])
