"""Weights are held by several arrays of cells, each finer than the last: ``W = sum_n gamma^n W_n``.

Every array holds what those before it leave (arXiv 2510.02516). Of a request each array gets the whole steps that are
in what is left, and the finest one the rest. What adds up there is carried up, row by row: array n-1 takes
``k = rint(gamma W_n / s)`` steps s, and array n gives up ``k s / gamma``, in whole steps too, the rest of which falls
to those after it. Of a weight ``gamma^(N-1) s / sqrt 12`` is missing then (rms), as long as an array can fill half a
step of the one before: ``gamma w_max >= s / 2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from substrate.protocol import ExtraArrays, WritableBench, name_array_block

from ..optimisers.schedule import TrainingMoment
from .policy import POLICIES, Array, Blocks, KnownCells, Memory, WritePolicy, split_requests
from .rows import count_block_rows, read_block_rows

_HALF = 0.5 + 1e-9
"""Share of a step from which on it is carried, with room for rounding."""


@POLICIES.register
class Tiles(WritePolicy):
    """Hold every weight in several arrays of cells, each finer, and carry what adds up to those before it."""

    kind: Literal["tiles"] = "tiles"

    tiles: Annotated[int, Field(ge=2, le=8)] = 3
    """Arrays of cells, the first one included; 2 to 8."""

    gamma: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15
    """Gain of an array over that of the one before; above 0, below 1. At least ``step / (2 w_max)``, or half a step of
    one array is more than the next can hold. Where 1/gamma is a whole number, nothing is rounded when steps are
    carried."""

    carry_every: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Batches in which every row of every array is read and carried up once; 1 to 1e6. In that time requests below a
    step of the next array may not add up to more than the finest can hold, ``gamma^(tiles - 1) w_max``."""

    counts_steps: ClassVar[bool] = True

    @property
    def extra_arrays(self) -> ExtraArrays:
        """All arrays but the first."""
        return ExtraArrays(tuple(self.gamma**n for n in range(1, self.tiles)))

    def write(
        self,
        bench: WritableBench,
        requests: Mapping[str, Array],
        memory: Memory,  # noqa: ARG002
        cells: KnownCells,
        moment: TrainingMoment,
    ) -> None:
        """Write the requests of a batch, and carry up the rows whose turn it is, from the finest array on."""
        digital, analog = split_requests(bench, requests, cells)
        step, last = cells.get_step(), self.tiles - 1
        changes = dict(digital)
        for name, block in analog.items():
            changes |= self._split(name, block, step)
        bench.write(changes)
        due = {name: self._list_due(block.shape, moment.step) for name, block in analog.items()}
        due = {name: rows for name, rows in due.items() if rows.any()}
        for array in range(last, 0, -1):
            changes = {}
            for name, rows in due.items():
                changes |= self._carry(bench, array, name, rows, analog[name].shape, step)
            if changes:
                bench.write(changes)

    def _split(self, name: str, change: Array, step: float, first: int = 0) -> Blocks:
        """Return the changes of all arrays from one on: whole steps, and what is left of less than one for the finest.

        `change` is in units of the weight, as the units feel it.
        """
        changes: Blocks = {}
        for array in range(first, self.tiles - 1):
            size = self.gamma**array * step
            steps = np.rint(change / size)
            change = change - steps * size
            if steps.any():
                changes[name_array_block(array, name)] = steps * step
        changes[name_array_block(self.tiles - 1, name)] = change / self.gamma ** (self.tiles - 1)
        return changes

    def _list_due(self, shape: tuple[int, ...], step: int) -> NDArray[np.bool_]:
        """Return which rows of a block are carried after a batch, (rows,)."""
        return np.asarray((step + 1 - np.arange(count_block_rows(shape))) % self.carry_every == 0)

    def _carry(
        self,
        bench: WritableBench,
        array: int,
        name: str,
        due: NDArray[np.bool_],
        shape: tuple[int, ...],
        step: float,
    ) -> Blocks:
        """Return the changes that carry rows of an array to the one before it; none where no cell holds a step."""
        held = read_block_rows(bench, name_array_block(array, name), due, shape)
        # An array that holds half a step of the one before is full where gamma is as small as it may be.
        steps = np.trunc(self.gamma * held / step + np.copysign(_HALF, held))
        if not steps.any():
            return {}
        felt = self.gamma ** (array - 1) * step * steps
        return {name_array_block(array - 1, name): steps * step} | self._split(name, -felt, step, array)
