"""Write policies: what a controller makes of the requests of one batch before the chip is written.

A policy is a class of parameters. It knows the requests, the nominal step of the cells and what it has kept since the
first batch, and nothing else of the cells, unless it reads them through the bench. What it keeps is digital memory: it
lies beside that of the optimiser, survives a checkpoint, and is counted in bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.kinds import KindRegistry
from devices.parameters import Parameters
from substrate.protocol import ExtraArrays, Port, WritableBench

from ..optimisers.schedule import TrainingMoment

Array = NDArray[np.float64]
Blocks = dict[str, Array]
Memory = dict[str, Array]

NUMBER_BITS = 32
"""Bits that are counted for a number of floating point that a controller keeps."""

KEPT = "write/"
"""What the names of everything begin with that a policy keeps in the memory of a training."""


class KnownCells(NamedTuple):
    """What a controller knows of the cells without reading them."""

    step: float | None = None
    """Nominal step; units of the weight. None: cells have none."""

    tied: Mapping[str, str] = {}
    """Feedback block to forward block, where one stored number stands for both directions of a pair."""

    copied: bool = False
    """Whether a stored number has several cells, of which none alone says what became of it."""

    forgetful: bool = False
    """Whether cells leak or drift from one write to the next."""

    exact: bool = True
    """Whether a request of whole steps gives as many pulses: false where trains of pulses meet by chance, or where
    comparators write signs."""

    def get_step(self) -> float:
        """Return the nominal step.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.step is None:
            raise ValueError("the write policy counts in steps, and the cells have none: give devices.update a `step`")
        return self.step


class WritePolicy(Parameters):
    """What every policy is derived from: a kind, and `choose_changes`."""

    kind: str
    """Which policy."""

    title_keys: ClassVar[tuple[str, ...]] = ("kind",)
    """Keys whose values name it in tables and figures."""

    counts_steps: ClassVar[bool] = False
    """Whether it hands on whole nominal steps."""

    reads_cells: ClassVar[bool] = False
    """Whether it reads cells one by one until they are right."""

    rescales: ClassVar[bool] = False
    """Whether every cell gets its requests at a scale of its own, which is no error."""

    @property
    def extra_arrays(self) -> ExtraArrays:
        """Arrays of cells that it needs beside the first one; it reads and writes them by `name_array_block`."""
        return ExtraArrays()

    @property
    def needs(self) -> frozenset[Port]:
        """Ports of the bench that it needs."""
        if self.extra_arrays.gains:
            return frozenset({"arrays"})
        return frozenset({"cell-read"}) if self.reads_cells else frozenset()

    def choose_changes(
        self, requests: Mapping[str, Array], memory: Memory, cells: KnownCells, moment: TrainingMoment
    ) -> Blocks:
        """Return the changes that are handed on to the cells after one batch, by block; without a block, none.

        Parameters
        ----------
        requests : mapping of block name to array
            Requested changes; both directions of one stored number are added up under the forward block, and the
            readout, which is digital, is not among them.
        memory : dict of str to array
            What was kept since the first batch, under names that begin with `KEPT`; updated in place.
        cells : KnownCells
            What is known of the cells.
        moment : TrainingMoment
            Which batch this is.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method choose_changes")

    def write(
        self,
        bench: WritableBench,
        requests: Mapping[str, Array],
        memory: Memory,
        cells: KnownCells,
        moment: TrainingMoment,
    ) -> None:
        """Write a bench after one batch; parameters as in `choose_changes`, requests as an optimiser gives them."""
        digital, analog = split_requests(bench, requests, cells)
        bench.write(digital | self.choose_changes(analog, memory, cells, moment))

    def count_bits(self, shape: tuple[int, ...]) -> float:  # noqa: ARG002
        """Return the bits of digital memory that a block of cells of this shape needs, over all its cells."""
        return 0.0

    def forecast_missing(self) -> float | None:
        """Return the mean square of what a policy itself keeps back of a sum of many requests, in steps squared.

        None: no law says so. A policy that reads cells says what is missing of what the units feel.
        """
        return None

    def find_faults(self, cells: KnownCells) -> list[tuple[str, str, str]]:
        """Return why it cannot write some cells: key of its own or nothing, message and hint."""
        if (self.reads_cells or self.extra_arrays.gains) and (cells.copied or cells.forgetful):
            why = "one number has several cells" if cells.copied else "they forget between writes"
            return [("", f"`{self.kind}` reads cells one by one, but {why}", 'take "accumulate"')]
        if not self.counts_steps:
            return []
        name = f"`{self.kind}` hands on whole steps"
        if cells.step is None:
            hint = 'add devices.update = { kind = "constant-step", step = 0.001 }, or take another write policy'
            return [("", f"{name}, but the cells have none", hint)]
        if not cells.exact:
            hint = 'take devices.update.rounding = "nearest" and no devices.comparator, or write = "direct"'
            return [("", f"{name}, which coincidences and comparators would make others of", hint)]
        return []


POLICIES: KindRegistry[WritePolicy] = KindRegistry("write policy", WritePolicy)
"""Every policy that a scenario may name."""

RequestWriter = Callable[[Mapping[str, Array], Memory, TrainingMoment], None]
"""Writes a bench: from requests, what is kept, and the moment."""


def make_request_writer(policy: WritePolicy, bench: WritableBench, cells: KnownCells) -> RequestWriter:
    """Return what writes `bench` by a policy.

    Parameters
    ----------
    policy : WritePolicy
        Which policy.
    bench : WritableBench
        Chip to be written.
    cells : KnownCells
        What is known of its cells.
    """
    return lambda requests, memory, moment: policy.write(bench, requests, memory, cells, moment)


def split_requests(bench: WritableBench, requests: Mapping[str, Array], cells: KnownCells) -> tuple[Blocks, Blocks]:
    """Return the requests for the readout, and those for cells with both directions of one number added up."""
    digital = {name: change for name, change in requests.items() if name.startswith("readout/")}
    analog = {name: change for name, change in requests.items() if name not in digital}
    return digital, add_tied_requests(bench, analog, cells.tied)


def add_tied_requests(bench: WritableBench, requests: Mapping[str, Array], tied: Mapping[str, str]) -> Blocks:
    """Return requests in which those of both directions of one stored number are added up, under its forward block.

    Parameters
    ----------
    bench : WritableBench
        Turns a request for a connection into one for its reverse.
    requests : mapping of block name to array
        Requested changes.
    tied : mapping of block name to block name
        Feedback block to forward block.
    """
    summed = dict(requests)
    for back, forward in tied.items():
        if back in summed:
            change = bench.mirror(back, summed.pop(back))
            summed[forward] = summed[forward] + change if forward in summed else change
    return summed


def get_kept(memory: Memory, name: str, like: Array) -> Array:
    """Return what a policy has kept under a name, which begins as an array of zeros."""
    return memory.setdefault(KEPT + name, np.zeros_like(like))
