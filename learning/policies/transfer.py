"""Requests step a fast array of cells, which is read row by row; what is read steps the weights.

T. Gokmen, W. Haensch, Front. Neurosci. 14, 2020 (Tiki-Taka); T. Gokmen, Front. Artif. Intell. 4, 2021 (with a digital
buffer); M. J. Rasch et al., Nat. Commun. 15, 2024 (chopped; AGAD). With soft bounds of +-1 a cell of the fast array
follows ``A* = E q / E|q|`` at the rate ``E|q|`` per batch, for requests q after `fast_rate`: every cell normalises its
requests for itself. After K batches the weight has moved by ``slow_rate K (A* + r)`` in the mean, where r is the error
of what is subtracted from the fast cell, which the reads of chopped signs cancel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from devices.parameters import Unit
from substrate.protocol import ExtraArrays, WritableBench, name_array_block

from ..draws import draw_cell_uniforms
from ..optimisers.schedule import TrainingMoment
from .policy import KEPT, NUMBER_BITS, POLICIES, Array, KnownCells, Memory, WritePolicy, get_kept, split_requests
from .rows import count_block_rows, read_block_rows, spread_block_rows

FAST = 1
"""Number of the fast array."""

_IDLE = {
    "chop": (("chopped", "agad"), "only chopped and agad turn signs"),
    "tail": (("agad",), "only agad takes a mean of its reads"),
    "momentum": (("tt2", "chopped", "agad"), "tt1 has no buffer"),
    "turns": (("chopped",), "the turns of agad are regular, and others have none"),
    "seed": (("chopped",), "only chopped draws"),
}
"""Keys that act in some versions, these, and what the others lack."""

_NEAR = 1e-6
"""Distance of two rates below which their quotient is taken beside the singular point."""


class _Rows(NamedTuple):
    """Which rows of a block are read next, (rows,) all."""

    due: NDArray[np.bool_]
    visits: NDArray[np.int64]
    """How often each has been read before."""

    batches: float
    """Batches that one read stands for."""


@POLICIES.register
class TransferWrites(WritePolicy):
    """Step a fast array of cells by every request, read it row by row, and step the weights by what is read."""

    kind: Literal["transfer"] = "transfer"

    version: Literal["tt1", "tt2", "chopped", "agad"] = "tt2"
    """`tt1`: the weights are asked for what is read. `tt2`: it adds up in a digital buffer, of which whole steps are
    written. `chopped`: as that, with a sign of every row that turns, in requests and reads alike. `agad`: signs turn
    regularly, and the mean of the reads before the last turn is taken off."""

    every: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Batches from one read to the next; 1 to 1e6."""

    rows: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Rows of every block that are read at a time, one after the other; 1 to 1e5. A row is what one unit drives; biases
    are one row."""

    fast_rate: Annotated[float, Field(gt=0.0, le=1e6)] = 1.0
    """What requests are multiplied with on their way to the fast array; above 0."""

    slow_rate: Annotated[float, Field(gt=0.0, le=1e6)] = 0.01
    """Change of a weight per batch over what its fast cell holds; above 0. A read counts for all batches since the last
    read of its row."""

    chop: Annotated[float, Field(gt=0.0, le=0.5)] = 0.1
    """Turns of a sign per read of its row, above 0 to 0.5: the chance of one, or one over the period. After a turn fast
    cells hold the other sign: the batches from turn to turn must be well above ``1 / E|q|``, in which they follow."""

    turns: Literal["random", "regular"] = "random"
    """Whether signs of `chopped` turn by chance or after every so many reads."""

    tail: Annotated[float, Field(gt=0.0, le=1000.0)] = 5.0
    """Weight of a read in the mean of `agad`, in reads of a period: 1 takes the whole period, more its end; above 0."""

    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of a step that stays in the buffer although it is written; 0 to below 1."""

    gamma: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    """Gain with which units feel the fast array beside the weights; 0: it is only read."""

    reference_sigma: Annotated[float, Field(ge=0.0, le=1e3), Unit("weight")] = 0.0
    """Spread of what is subtracted from the cells of the fast array around the right value; units of the weight."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the turns of `chopped`, beside that of the scenario; 0 to 2^63 - 1."""

    title_keys: ClassVar[tuple[str, ...]] = ("kind", "version")
    counts_steps: ClassVar[bool] = True
    rescales: ClassVar[bool] = True

    @property
    def extra_arrays(self) -> ExtraArrays:
        """The fast array."""
        return ExtraArrays((self.gamma,), self.reference_sigma)

    @property
    def period(self) -> int:
        """Reads of a row from one regular turn of its sign to the next."""
        return max(math.ceil(1.0 / self.chop), 2)

    @property
    def _draws(self) -> bool:
        """Whether signs turn by chance, so that they must be kept."""
        return self.version == "chopped" and self.turns == "random"

    def write(
        self,
        bench: WritableBench,
        requests: Mapping[str, Array],
        memory: Memory,
        cells: KnownCells,
        moment: TrainingMoment,
    ) -> None:
        """Step the fast array by the requests of a batch and, if it is time, the weights by some of its rows."""
        digital, analog = split_requests(bench, requests, cells)
        past, passed = divmod(moment.step, self.every)
        rows = {name: self._list_rows(block.shape, past) for name, block in analog.items()}
        fast = {}
        for name, block in analog.items():
            signs = spread_block_rows(self._find_signs(name, rows[name].visits, memory), block.shape)
            fast[name_array_block(FAST, name)] = self.fast_rate * signs * block
        bench.write(digital | fast)
        if passed + 1 < self.every:
            return
        changes = {}
        for name, block in analog.items():
            gained = self._transfer(bench, name, rows[name], block.shape, memory, moment)
            change = gained if self.version == "tt1" else self._round(name, gained, memory, cells.get_step())
            if change.any():
                changes[name] = change
        if changes:
            bench.write(changes)

    def _list_rows(self, shape: tuple[int, ...], past: int) -> _Rows:
        """Return the rows of a block that are read after so many times."""
        count = count_block_rows(shape)
        rows = min(self.rows, count)
        due = np.zeros(count, dtype=np.bool_)
        due[(past * rows + np.arange(rows)) % count] = True
        return _Rows(due, _count_visits(past * rows, count), self.every * count / rows)

    def _find_signs(self, name: str, visits: NDArray[np.int64], memory: Memory) -> Array:
        """Return the sign of every row of a block, (rows,), after so many reads of each."""
        if self._draws:
            return memory.setdefault(f"{KEPT}sign/{name}", np.ones(len(visits)))
        chops = self.version in ("chopped", "agad")
        return np.where(visits // self.period % 2, -1.0, 1.0) if chops else np.ones(len(visits))

    def _transfer(
        self,
        bench: WritableBench,
        name: str,
        rows: _Rows,
        shape: tuple[int, ...],
        memory: Memory,
        moment: TrainingMoment,
    ) -> Array:
        """Read rows of the fast array of a block, and return what its weights gain by that."""
        read = read_block_rows(bench, name_array_block(FAST, name), rows.due, shape)
        signs = spread_block_rows(self._find_signs(name, rows.visits, memory), shape)
        if self.version == "agad":
            read = self._take_off_mean(name, read, rows, memory)
        gained = self.slow_rate * rows.batches * signs * read
        if self._draws:
            drawn = draw_cell_uniforms(self.seed, f"chop/{name}", moment.step, rows.due.shape)
            memory[f"{KEPT}sign/{name}"][rows.due & (drawn < self.chop)] *= -1.0
        return np.asarray(gained)

    def _take_off_mean(self, name: str, read: Array, rows: _Rows, memory: Memory) -> Array:
        """Return reads less the mean before the last turn; 0 before the first turn, when there is none."""
        mean, past = get_kept(memory, f"mean/{name}", read), get_kept(memory, f"past/{name}", read)
        due, visits = spread_block_rows(rows.due, read.shape), spread_block_rows(rows.visits, read.shape)
        begins = due & (visits % self.period == 0)
        past[begins] = mean[begins]
        mean[due] += min(self.tail / self.period, 1.0) * (read - mean)[due]
        return np.where(due & (visits >= self.period), read - past, 0.0)

    def _round(self, name: str, gained: Array, memory: Memory, step: float) -> Array:
        """Add what weights gain to their buffers, in steps, and return the whole steps that are taken from there."""
        buffer = get_kept(memory, f"buffer/{name}", gained)
        buffer += gained / step
        steps = np.trunc(buffer)
        buffer -= (1.0 - self.momentum) * steps
        return np.asarray(steps * step)

    def count_turn_batches(self, shape: tuple[int, ...]) -> float:
        """Return the batches from one turn of a sign to the next, in the mean, in a block of this shape."""
        count = count_block_rows(shape)
        reads = 1.0 / self.chop if self._draws else self.period
        return reads * self.every * count / min(self.rows, count)

    def compute_turn_share(self, x: float) -> float:
        """Return the share of ``A*`` that turns of signs leave; 1 without any.

        ``1 - tanh(x)/x`` if they are regular, x/(1 + x) by chance; to that of `agad` comes the mean that it takes off.

        Parameters
        ----------
        x : float
            Half the batches from turn to turn over those in which fast cells follow, ``1 / E|q|``.
        """
        if self.version not in ("chopped", "agad"):
            return 1.0
        if self._draws:
            return x / (1.0 + x)
        share = 1.0 - math.tanh(x) / x
        if self.version == "agad":
            # Mean of a signal that turns and relaxes, with a memory of 1/tail of the time from turn to turn.
            off = 2.0 * x if abs(self.tail - 2.0 * x) > _NEAR else 2.0 * x + _NEAR
            share += (self.tail * math.tanh(x) - off * math.tanh(0.5 * self.tail)) / (self.tail - off)
        return share

    def count_bits(self, shape: tuple[int, ...]) -> float:
        """Return the bits of the numbers of every cell, and of a sign per row."""
        numbers = {"tt1": 0, "tt2": 1, "chopped": 1, "agad": 3}[self.version]
        signs = count_block_rows(shape) if self._draws else 0
        return float(numbers * NUMBER_BITS * math.prod(shape) + signs)

    def find_faults(self, cells: KnownCells) -> list[tuple[str, str, str]]:
        """Return what steps and further arrays need of the cells, and keys that the version has no use for."""
        found, fields = super().find_faults(cells), type(self).model_fields
        for key, (versions, why) in _IDLE.items():
            if self.version not in versions and getattr(self, key) != fields[key].get_default():
                hint = f"leave it out, or take version = {' or '.join(map(repr, versions))}".replace("'", '"')
                found.append((key, f"changes nothing: {why}", hint))
        if self.version == "chopped" and not self._draws and self.seed:
            found.append(
                ("seed", "changes nothing: regular turns are not drawn", 'leave it out, or take turns = "random"')
            )
        return found


def _count_visits(reads: int, count: int) -> NDArray[np.int64]:
    """Return how often every row has been read, after so many reads of rows in turn."""
    return (reads - np.arange(count) + count - 1) // count
