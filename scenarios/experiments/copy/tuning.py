"""Train a chip, testing it on the way by what it has spent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.copying.cells import LearningCells, restrict_writer
from learning.oracle.models import make_recorded_cells
from learning.policies.policy import make_request_writer
from learning.training import TrainingState, evaluate, train
from substrate.chip.chip import Chip

from ...build import Setup
from ..train.batches import EpochBatches, shuffle_batches
from ..train.run import make_training_rule
from .plan import CopyNetwork

Array = NDArray[np.float64]


class ChipScore(NamedTuple):
    """What a chip reaches on the samples of the test."""

    loss: float
    error: float
    unsettled: float


class Tuning(NamedTuple):
    """How a chip is trained."""

    epochs: int
    first: int = 0
    """Epochs before it, which name its batches and their noise."""

    cells: LearningCells = "all"
    rate: float | None = None
    every: int | None = None
    """Batches between two tests; None: all of an epoch."""


class TuningCurve(NamedTuple):
    """What a chip reaches while it is trained; the first entry is before that."""

    batches: list[int]
    pulses: list[int]
    """Cells stepped so far."""

    tested: list[ChipScore]
    failure: str = ""
    """Why it diverged; empty if it did not."""


def score_chip(setup: Setup, plan: CopyNetwork, chip: Chip) -> ChipScore:
    """Return what a chip reaches in the test; the chip itself is left alone."""
    return ChipScore(**evaluate(chip.variant(), *choose_test(setup, plan)))


def choose_test(setup: Setup, plan: CopyNetwork) -> tuple[Any, Any]:
    """Return inputs and targets of the test; training samples for want of others."""
    data = setup.data
    x, y = (data.x_test, data.y_test) if len(data.x_test) else (data.x, data.y)
    return x[: plan.test_samples], y[: plan.test_samples]


def tune_chip(
    setup: Setup, plan: CopyNetwork, chip: Chip, tuning: Tuning, tell: Callable[[], None], tested: ChipScore | None
) -> TuningCurve:
    """Train a chip; return its curve.

    Parameters
    ----------
    setup : Setup
        Rule, optimiser, writes and data.
    plan : CopyNetwork
        Which samples.
    chip : Chip
        It is written.
    tuning : Tuning
        How.
    tell : callable
        Is called after every batch, and may raise to end it all.
    tested : ChipScore, optional
        What the chip reaches before; absent: it is not tested on the way.
    """
    learning, state, output = setup.learning, TrainingState(), setup.design.topology.output
    optimiser = (
        learning.optimiser if tuning.rate is None else learning.optimiser.model_copy(update={"rate": tuning.rate})
    )
    rule, cells = make_training_rule(learning, chip, state.memory), setup.known_cells
    written = make_recorded_cells(learning.rule, chip, cells, state.memory)
    write = make_request_writer(learning.write, written, cells)
    write = restrict_writer(write, lambda: chip.programmed, output, tuning.cells)
    curve = TuningCurve([0], [0], [] if tested is None else [tested])

    def batches(epoch: int) -> EpochBatches:
        return choose_batches(setup, plan, tuning.first + epoch)

    steps = train(chip, rule, optimiser, batches, tuning.epochs, state, lambda: chip.programmed, write)
    for total, step in enumerate(steps, 1):
        tell()
        if step.failure:
            return curve._replace(failure=step.failure)
        ends = state.epoch == tuning.epochs
        if tested is not None and (ends or total % (tuning.every or step.batches) == 0):
            curve.batches.append(total)
            curve.pulses.append(state.budget.pulses)
            curve.tested.append(score_chip(setup, plan, chip))
    return curve


def choose_batches(setup: Setup, plan: CopyNetwork, epoch: int) -> EpochBatches:
    """Return the batches of an epoch."""
    return shuffle_batches(setup.data, plan.samples, setup.scenario.task.batch, setup.fabrication.seed, epoch)
