"""Train a network on one chip and copy it onto others: programmed or measured, calibrated, trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.copying.trims import remove_row_errors
from learning.oracle.copy_loss import CopyLoss, compute_copy_loss, find_unknown_causes
from substrate.chip.chip import Chip

from ..kind import ExperimentWork, RunError
from .plan import CopyNetwork
from .reading import ChipReader
from .tuning import ChipScore, Tuning, TuningCurve, choose_batches, choose_test, score_chip, tune_chip

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]


class FoundCopies(NamedTuple):
    """What became of the network on all chips."""

    trained: ChipScore
    """The chip that it was trained on."""

    instances: list[int]
    """Numbers of the chips with a copy."""

    copied: list[ChipScore]
    calibrated: list[ChipScore]
    """Empty: nothing was calibrated."""

    untold: list[int]
    """Units of every chip that calibration could not tell."""

    curves: list[TuningCurve]
    """Of every copy that is trained on its own chip; empty: none is."""

    further: TuningCurve | None
    """Of the trained chip, trained on in the same way; None: nothing is trained on."""

    unreached: list[int]
    """Cells of every copy that could not take their weight."""

    law: CopyLoss | None
    """What the copies lose by the law; None where it does not hold."""

    unknown: list[str]
    """Why it does not."""

    unsettled_reads: int = 0
    """Reads that were left out because they did not settle."""


class _Progress:
    """Tells how far all is, in batches and tests."""

    def __init__(self, work: ExperimentWork[CopyNetwork]) -> None:
        plan, self._watch = work.plan, work.watch
        batches = len(choose_batches(work.setup, plan, 0))
        tuned = 0 if plan.recover is None else plan.recover.epochs
        self._total = batches * (plan.epochs + tuned * plan.chip_count) + plan.chip_count
        self._done, self.text = 0, "training"

    def tell(self) -> None:
        """Tell that a batch or a test is done."""
        self._done += 1
        self._watch.advance(min(self._done, self._total), self._total, self.text)


def copy_network(work: ExperimentWork[CopyNetwork]) -> FoundCopies:
    """Train, copy, calibrate and train on.

    Raises
    ------
    RunError
        If the training on the first chip diverges, or the network cannot be measured.
    Interrupted
        If the watch asked to stop.
    """
    setup, plan, progress = work.setup, work.plan, _Progress(work)
    chip = make_chip(work, setup.fabrication.instance, None)
    curve = tune_chip(setup, plan, chip, Tuning(plan.epochs), progress.tell, None)
    if curve.failure:
        raise RunError(
            f"the training on the first chip diverged: {curve.failure}; take a smaller learning.optimiser.rate"
        )
    trained, reader = score_chip(setup, plan, chip), ChipReader(setup, plan)
    asked = reader.find_weights(chip)
    wanted, how, copies = reader.find_rows(chip, asked), plan.recover, list[Chip]()
    found = FoundCopies(trained, [], [], [], [], [], None, [], None, find_unknown_causes(chip))
    tuning = None if how is None else Tuning(how.epochs, plan.epochs, how.cells, how.rate, how.every_batches)
    for instance in range(chip.fabrication.instance + 1, chip.fabrication.instance + plan.chip_count):
        progress.text = f"chip {instance}"
        copy = make_chip(work, instance, asked)
        copies += [] if found.unknown else [copy]
        found.instances.append(instance)
        found.unreached.append(sum(copy.unreached.values()))
        found.copied.append(score_chip(setup, plan, copy))
        if wanted is not None:
            trims = reader.measure_rows(copy, asked)
            copy = make_chip(work, instance, remove_row_errors(wanted, trims))
            found.calibrated.append(score_chip(setup, plan, copy))
            found.untold.append(trims.untold)
        progress.tell()
        if tuning is not None:
            begin = (found.calibrated or found.copied)[-1]
            found.curves.append(tune_chip(setup, plan, copy.variant(), tuning, progress.tell, begin))
    if not found.unknown:
        x, y = map(np.asarray, choose_test(setup, plan))
        found = found._replace(law=compute_copy_loss(chip.variant(), copies, x, y, asked))
    found = found._replace(unsettled_reads=reader.unsettled)
    if tuning is None:
        return found
    progress.text = "the first chip, trained on"
    return found._replace(further=tune_chip(setup, plan, chip, tuning, progress.tell, trained))


def make_chip(work: ExperimentWork[CopyNetwork], instance: int, asked: Blocks | None) -> Chip:
    """Return a chip with some weights, or with those that the training begins with; it is not audited."""
    chip = work.setup.chip(instance, asked, work.setting.threads)
    return chip.variant(dynamics=chip.design.dynamics.model_copy(update={"audit": 0}))
