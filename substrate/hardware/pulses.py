"""From requested changes to lines of pulses, which wait until the board has answered each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .board import MOST_PULSES, Pulses

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class WriteLosses(NamedTuple):
    """Requests of all writes that did not become the pulses they asked for."""

    lost: int = 0
    """Requests that were not 0 and round to no pulse."""

    cut: int = 0
    """Requests for more pulses than one line gives."""

    stuck: int = 0
    """Requests for cells that are known not to move."""

    def plus(self, other: WriteLosses) -> WriteLosses:
        """Return the sum of both."""
        return WriteLosses._make(a + b for a, b in zip(self, other, strict=True))


def make_pulses(
    block: str, change: Array, step: float | None, chunk: int, stuck: Mask | None = None
) -> tuple[list[Pulses], WriteLosses]:
    """Return the lines that write a block, those without a pulse left out, and what was lost.

    Parameters
    ----------
    block : str
        Name of the block.
    change : array
        Requested changes, of the shape of the block.
    step : float or None
        Change by one pulse; None: the largest request takes the largest count.
    chunk : int
        Most counts of one line.
    stuck : bool array, optional
        Cells that do not move, of the shape of the block.
    """
    flat = np.where(stuck, 0.0, change).ravel() if stuck is not None else change.ravel()
    held = 0 if stuck is None else int(np.count_nonzero(stuck & (change != 0.0)))
    largest = float(np.abs(flat).max(initial=0.0))
    size = step or largest / MOST_PULSES
    if size == 0.0:  # nothing is asked for, or less than a number can say
        return [], WriteLosses(lost=int(np.count_nonzero(flat)), stuck=held)
    exact = np.rint(flat / size)
    counts = np.clip(exact, -MOST_PULSES, MOST_PULSES).astype(np.int16)
    lost, cut = (flat != 0.0) & (counts == 0), counts != exact
    losses = WriteLosses(int(np.count_nonzero(lost)), int(np.count_nonzero(cut)), held)
    parts = ((first, counts[first : first + chunk]) for first in range(0, len(counts), chunk))
    return [Pulses(block, first, part, size) for first, part in parts if part.any()], losses


def pack_pulses(waiting: list[Pulses]) -> dict[str, Array]:
    """Return lines that wait as arrays, to be kept in a file: ``[first, size, counts...]`` each."""
    return {f"{k:06d}/{p.block}": np.array([p.first, p.size, *p.counts.tolist()]) for k, p in enumerate(waiting)}


def unpack_pulses(kept: Mapping[str, Array]) -> list[Pulses]:
    """Return the lines of `pack_pulses`."""
    return [
        Pulses(name.partition("/")[2], int(line[0]), line[2:].astype(np.int16), float(line[1]))
        for name, line in sorted(kept.items())
    ]
