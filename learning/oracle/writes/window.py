"""Oracle side: a window of batches replayed through copies of the cells, under several write policies side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.optimisers.schedule import TrainingMoment
from learning.policies.policy import KnownCells, Memory, RequestWriter, WritePolicy, split_requests
from learning.policies.verify import count_given_up
from learning.training import Samples
from substrate.chip.budget import WriteCounts
from substrate.chip.chip import Chip
from substrate.protocol import Budget

from .forecast import forecast_cosine
from .witness import WRITTEN, WitnessedChip

Array = NDArray[np.float64]
Blocks = dict[str, Array]

MOST = 0.999
"""Quantile of the pulses of a cell that is told beside the mean."""


class ReplayedPolicy(NamedTuple):
    """What became of the requests of a window under one policy; everything by block of stored numbers."""

    policy: WritePolicy
    terms: dict[str, Blocks]
    """What every term adds, by block and name in `learning.oracle.writes.witness.TERMS`; units of the weight."""

    requested: Blocks
    """Sum of the requests."""

    pulses: Blocks
    """Pulses of every cell, without those of refreshes; those of further arrays by `name_array_block`."""

    forecast: dict[str, float]
    """Cosine that a formula of few numbers gives, see `forecast_cosine`."""

    spent: Budget
    """What all writes took, reads of cells included."""

    tally: WriteCounts
    """What became of the writes."""

    given_up: int
    """Cells that a policy left beside their request after its longest series of tries, counted batch by batch."""

    def kept(self, block: str) -> Array:
        """Return the change of what the cells of a block keep."""
        return self.effective(block) - self.terms[block]["write_noise"] - self.terms[block]["spread"]

    def effective(self, block: str) -> Array:
        """Return the change of the effective weights of a block."""
        return np.asarray(self.requested[block] + sum(self.terms[block].values()))


class _Copy(NamedTuple):
    """A copy of the chip under one policy."""

    policy: WritePolicy
    chip: Chip
    witness: WitnessedChip
    memory: Memory


Requests = Iterator[tuple[Samples, Mapping[str, Array]]]
"""Every batch of a window, and what is requested after it."""


def replay_window(
    chip: Chip,
    requests: Requests,
    policies: Sequence[WritePolicy],
    cells: KnownCells,
    steps: int,
    pause: Callable[[int], None] = lambda _: None,
) -> list[ReplayedPolicy]:
    """Write copies of a chip with the requests of several batches, each under a policy of its own.

    Copies draw alike: the same pulses of the same cells have the same noise under all policies.

    Parameters
    ----------
    chip : Chip
        The chip as it is; its copies are written.
    requests : iterator of (Samples, mapping of block name to array)
        Batches and their requests, as an optimiser gives them.
    policies : sequence of WritePolicy
        What is compared.
    cells : KnownCells
        What is known of the cells.
    steps : int
        Number of batches.
    pause : callable
        Is told the number of every batch that is done.
    """
    copies = []
    for policy in policies:
        variant = chip.variant(arrays=policy.extra_arrays)
        copies.append(_Copy(policy, variant, WitnessedChip(variant), {}))
    total: Blocks = {}
    for step, (samples, request) in enumerate(requests):
        _, analog = split_requests(chip, request, cells)
        for name, block in analog.items():
            total[name] = total[name] + block if name in total else block.copy()
        for copy in copies:
            copy.chip.set_input(samples.x, samples.ids, samples.epoch)
            copy.policy.write(copy.witness, request, copy.memory, cells, TrainingMoment(step, steps, steps))
        pause(step + 1)
    return [_finish(copy, total) for copy in copies]


def _finish(copy: _Copy, total: Blocks) -> ReplayedPolicy:
    """Return what became of all requests of one copy."""
    witness, step, terms, forecast = copy.witness, getattr(copy.chip.design.devices.update, "step", None), {}, {}
    for name, requested in total.items():
        terms[name] = {"policy": witness.handed[name] - requested}
        terms[name] |= {term: witness.terms[name][term] for term in (*WRITTEN, "forgetting")}
        terms[name] |= {"write_noise": witness.noise(name), "spread": witness.spread(name)}
        size = float(np.sqrt(np.mean(np.square(requested)))) / step if step else np.nan
        pulses = float(witness.pulses[name].mean())
        forecast[name] = forecast_cosine(copy.chip, copy.policy, size, pulses, witness.fractions[name])
    return ReplayedPolicy(
        copy.policy,
        terms,
        total,
        witness.pulses,
        forecast,
        copy.chip.budget,
        copy.chip.tally,
        count_given_up(copy.memory),
    )


def iterate_requests(
    batches: Iterable[Samples],
    steps: int,
    measure: Callable[[Samples, TrainingMoment], Mapping[str, Array]],
    write: RequestWriter | None = None,
) -> Requests:
    """Yield every batch and what is requested after it.

    Parameters
    ----------
    batches : iterable of Samples
        The window.
    steps : int
        Number of batches.
    measure : callable
        Gives the requests of a batch.
    write : callable, optional
        Writes the chip that is measured; absent: its weights are frozen.
    """
    memory: Memory = {}
    for step, samples in enumerate(batches):
        moment = TrainingMoment(step, steps, steps)
        request = measure(samples, moment)
        yield samples, request
        if write is not None:
            write(request, memory, moment)
