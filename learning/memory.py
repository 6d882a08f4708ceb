"""The digital memory that a training needs beside the cells."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .optimisers.optimiser import AnyOptimiser
from .policies.policy import NUMBER_BITS, KnownCells, WritePolicy


def count_memory_bits(
    optimiser: AnyOptimiser, policy: WritePolicy, shapes: Mapping[str, tuple[int, ...]], cells: KnownCells
) -> dict[str, float]:
    """Return the bits that a controller keeps from one batch to the next, per cell, by block of cells.

    Numbers of the optimiser count `NUMBER_BITS` each; it keeps those of both directions of one stored number, which the
    policy sees as one. The readout, which is digital itself, is left out.

    Parameters
    ----------
    optimiser : Sgd or AdamW
        How gradients become requests.
    policy : WritePolicy
        What is made of these.
    shapes : mapping of block name to shape
        All blocks.
    cells : KnownCells
        Which of them share numbers.
    """
    found: dict[str, float] = {}
    for name, shape in shapes.items():
        if name.startswith("readout/") or name in cells.tied:
            continue
        directions = 2 if name in cells.tied.values() else 1
        numbers = optimiser.numbers_per_cell * directions
        found[name] = numbers * NUMBER_BITS + policy.count_bits(shape) / max(1, math.prod(shape))
    return found
