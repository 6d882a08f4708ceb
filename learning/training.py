"""Training as a generator: one batch at a time, nothing hidden; knows no files and no clocks.

Everything that a resumed training needs is in `Trainee` and in the chip's programmed parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Budget, SettlingBench, Status, has_settled

from . import cost
from .estimator import measure_free
from .optimisers.optimiser import AnyOptimiser, OptimiserContext, Record, compute_requested_changes
from .optimisers.schedule import TrainingMoment
from .policies.policy import RequestWriter

Array = NDArray[np.float64]

RUNAWAY = 1e6
"""A gradient entry beyond this ends the training as diverged."""

TEST = "test/"
"""Purpose of the presentations of tests: names their noise."""


class Gradient(NamedTuple):
    """Gradient of one batch, and how the batch did."""

    blocks: dict[str, Array]
    """Batch means by block; readout included."""

    loss: Array
    """Cost per sample, (batch,)."""

    wrong: Array
    """1 where the sample is in the wrong class, else 0; NaN if the targets are no classes, (batch,)."""

    status: NDArray[np.int64]
    """Worst status of all settlings, (batch,)."""

    used: NDArray[np.bool_]
    """Samples that the gradient is the mean of, (batch,)."""


class Samples(NamedTuple):
    """One batch, as it is presented."""

    x: Array
    """Inputs (batch, inputs)."""

    target: Array
    """Targets (batch, classes) or (batch, outputs)."""

    ids: NDArray[np.int64] | None = None
    """Which samples these are, (batch,); absent: in order."""

    epoch: int = 0
    """How often they have been presented before."""


class Rows(Protocol):
    """An array (samples, columns), or what makes its rows when they are asked for."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, ids: NDArray[np.int64], /) -> Any:
        """Return the rows (batch, columns) of some samples."""
        ...


class Batches(Protocol):
    """The batches of an epoch: a list, or what makes each when it is asked for."""

    def __len__(self) -> int:
        """Return the number of batches."""
        ...

    def __getitem__(self, batch: int, /) -> Samples:
        """Return a batch."""
        ...


Rule = Callable[[Samples], Gradient]
"""From a batch to a gradient, measured on a chip or not."""


@dataclass
class EpochTally:
    """Sums over the samples of an epoch."""

    samples: int = 0
    used: int = 0
    unsettled: int = 0
    loss: float = 0.0
    wrong: float = 0.0

    def add(self, batch: Gradient) -> None:
        """Count a batch; a diverged sample is wrong, unsettled, and has no cost."""
        finite = batch.status != Status.DIVERGED
        self.samples += len(finite)
        self.used += int(np.count_nonzero(finite))
        self.unsettled += int(np.count_nonzero(~has_settled(batch.status)))
        self.loss += float(batch.loss[finite].sum())
        self.wrong += float(np.where(finite | np.isnan(batch.wrong), batch.wrong, 1.0).sum())

    def means(self) -> dict[str, float]:
        """Return mean loss, error and unsettled fraction; NaN where nothing was counted."""
        share = 1.0 / self.used if self.used else float("nan")
        all_samples = 1.0 / self.samples if self.samples else float("nan")
        return {"loss": self.loss * share, "error": self.wrong * all_samples, "unsettled": self.unsettled * all_samples}


@dataclass
class TrainingState:
    """Where a training stands: `epoch` epochs are complete, and `batch` batches of the next one."""

    epoch: int = 0
    batch: int = 0
    tally: EpochTally = field(default_factory=EpochTally)
    memory: dict[str, Array] = field(default_factory=dict)
    """What the optimiser and the write policy keep, such as the momentum of every block."""

    budget: Budget = field(default_factory=Budget)
    """Spent on training; tests and measurements are not counted."""


class BatchResult(NamedTuple):
    """What the generator yields after every batch."""

    batch: int
    batches: int
    finished: dict[str, float] | None
    """Means over the epoch that this batch completed, else None."""

    failure: str
    """Why training cannot go on; empty while it can."""


def make_scored_gradient(
    bench: SettlingBench,
    output: Array,
    target: Array,
    blocks: dict[str, Array],
    status: NDArray[np.int64],
    used: NDArray[np.bool_],
) -> Gradient:
    """Return a gradient with loss and class of every sample, from the output activities (batch, outputs)."""
    answer = cost.compute_logits(bench.readout, output).argmax(axis=1)
    one = target.max(initial=0.0)  # of a class: 1, or the voltage that stands for it
    classes = target.shape[1] > 1 and bool((np.isin(target, (0.0, one)) & (target.sum(axis=1) == one)[:, None]).all())
    wrong = np.where(answer != target.argmax(axis=1), 1.0, 0.0) if classes else np.full(len(target), np.nan)
    return Gradient(blocks, cost.compute_loss(bench.readout, output, target), wrong, status, used)


def evaluate(
    bench: SettlingBench,
    x: Rows,
    target: Rows,
    epoch: int = 0,
    rows: int = 256,
    pause: Callable[[], None] | None = None,
) -> dict[str, float]:
    """Return mean loss, error and unsettled fraction of freely settled samples.

    Every sample of every `epoch` has noise of its own, which no training has. `rows` samples at a time, which
    changes no result; `pause` is called before each part, and may raise to end it all.
    """
    tally, ids = EpochTally(), np.arange(len(x))
    for first in range(0, len(x), rows):
        if pause is not None:
            pause()
        part = ids[first : first + rows]
        free = measure_free(bench, x[part], part, epoch, waits=False, purpose=TEST)
        output = list(free.activity.values())[-1]
        status = free.settled.status
        tally.add(make_scored_gradient(bench, output, target[part], {}, status, status != Status.DIVERGED))
    return tally.means()


def train(
    bench: SettlingBench,
    rule: Rule,
    optimiser: AnyOptimiser,
    batches: Callable[[int], Batches],
    epochs: int,
    trainee: TrainingState,
    record: Record | None = None,
    write: RequestWriter | None = None,
) -> Iterator[BatchResult]:
    """Train `bench`, yielding after every batch; `trainee` is kept up to date and may be resumed from.

    Parameters
    ----------
    bench : SettlingBench
        Chip to be written.
    rule : callable
        Gives the gradient of a batch.
    optimiser : Sgd or AdamW
        Turns gradients into requested changes.
    batches : callable
        ``batches(epoch)`` gives every batch of an epoch, the same ones whenever it is asked.
    epochs : int
        Epochs in all.
    trainee : Trainee
        Where to begin.
    record : callable, optional
        Gives what is programmed now, as far as the controller knows; only decays and caps need it.
    write : callable, optional
        Writes the requested changes, see `learning.policies.policy`; absent: they are handed on as they are.
    """
    while trainee.epoch < epochs:
        parts = batches(trainee.epoch)
        while trainee.batch < len(parts):
            before = bench.budget
            gradient = rule(parts[trainee.batch])
            failure = describe_failure(gradient)
            if not failure:
                moment = TrainingMoment(trainee.epoch * len(parts) + trainee.batch, epochs * len(parts), len(parts))
                known = OptimiserContext(moment, record)
                requests = compute_requested_changes(optimiser, gradient.blocks, trainee.memory, known)
                if write is None:
                    bench.write(requests)
                else:
                    write(requests, trainee.memory, moment)
            trainee.tally.add(gradient)
            trainee.budget = trainee.budget.plus(bench.budget.plus(before, -1))
            trainee.batch += 1
            done, finished = trainee.batch, None
            if failure or done == len(parts):
                finished, trainee.tally = trainee.tally.means(), EpochTally()
                trainee.epoch, trainee.batch = trainee.epoch + 1, 0
            yield BatchResult(done, len(parts), finished, failure)
            if failure:
                return
            if finished is not None:
                break


def describe_failure(gradient: Gradient) -> str:
    """Return why a gradient cannot be written: nothing settled, or it is not finite or too large; empty if it can."""
    if not gradient.used.any():
        diverged = (gradient.status == Status.DIVERGED).all()
        return "every sample of a batch diverged" if diverged else "no sample of a batch came to rest"
    # A NaN is the largest and the smallest, and compares as false with everything.
    if not all(block.min() >= -RUNAWAY and block.max() <= RUNAWAY for block in gradient.blocks.values()):
        return f"a gradient is not finite or beyond {RUNAWAY:g}"
    return ""
