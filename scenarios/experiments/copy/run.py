"""Train a network on one chip and copy it onto others: programmed or measured, calibrated, trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.copying.trims import RowTrims, add_row_errors, measure_row_trims, remove_row_errors
from learning.identification.reads import FreeReads, get_wiring, read_free_states
from learning.identification.weights import WeightPrior, estimate_effective_weights
from learning.oracle.copy_loss import CopyLoss, compute_copy_loss, find_unknown_causes
from substrate.chip.cells import compute_weight_spreads
from substrate.chip.chip import Chip
from substrate.theory.inverse_curve import InverseCurve

from ...build import Setup
from ..kind import ExperimentWork, RunError
from .plan import CopyNetwork
from .tuning import ChipScore, Tuning, TuningCurve, choose_batches, score_chip, tune_chip

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
    trained, asked = score_chip(setup, plan, chip), read_weights(setup, plan, chip)
    found = FoundCopies(trained, [], [], [], [], [], None, [], None, find_unknown_causes(chip))
    wanted = find_wanted_rows(work, chip, asked) if plan.calibrate == "affine" else None
    how, copies = plan.recover, list[Chip]()
    tuning = None if how is None else Tuning(how.epochs, plan.epochs, how.cells, how.rate, how.every_batches)
    for instance in range(chip.fabrication.instance + 1, chip.fabrication.instance + plan.chip_count):
        progress.text = f"chip {instance}"
        copy = make_chip(work, instance, asked)
        copies.append(copy)
        found.instances.append(instance)
        found.unreached.append(sum(copy.unreached.values()))
        found.copied.append(score_chip(setup, plan, copy))
        if wanted is not None:
            trims = measure_rows(work, copy, asked)
            copy = make_chip(work, instance, remove_row_errors(wanted, trims))
            found.calibrated.append(score_chip(setup, plan, copy))
            found.untold.append(trims.untold)
        progress.tell()
        if tuning is not None:
            begin = (found.calibrated or found.copied)[-1]
            found.curves.append(tune_chip(setup, plan, copy.variant(), tuning, progress.tell, begin))
    if not found.unknown:
        x, y = (setup.data.x_test, setup.data.y_test) if len(setup.data.x_test) else (setup.data.x, setup.data.y)
        x, y = np.asarray(x[: plan.test_samples]), np.asarray(y[: plan.test_samples])
        found = found._replace(law=compute_copy_loss(chip.variant(), copies, x, y, asked))
    if tuning is None:
        return found
    progress.text = "the first chip, trained on"
    return found._replace(further=tune_chip(setup, plan, chip, tuning, progress.tell, trained))


def make_chip(work: ExperimentWork[CopyNetwork], instance: int, asked: Blocks | None) -> Chip:
    """Return a chip with some weights, or with those that the training begins with; it is not audited."""
    chip = work.setup.chip(instance, asked, work.setting.threads)
    return chip.variant(dynamics=chip.design.dynamics.model_copy(update={"audit": 0}))


def read_weights(setup: Setup, plan: CopyNetwork, chip: Chip) -> dict[str, Array]:
    """Return what the copies are asked for."""
    programmed = {name: block.copy() for name, block in chip.programmed.items()}
    if plan.weights == "programmed":
        return programmed
    reads, design = _read_chip(setup, plan, chip), setup.design
    curve, prior = InverseCurve(design.law, design.activation), _make_prior(setup, programmed)
    found = estimate_effective_weights(get_wiring(chip), reads, curve, design.devices.noise.read, prior)
    return programmed | found.values


def _make_prior(setup: Setup, programmed: Blocks) -> WeightPrior:
    """Return what is known of a chip of a design: what it was asked for, and how much cells and offsets spread."""
    spreads, offset = compute_weight_spreads(setup.design, programmed), setup.design.devices.neurons.offset
    mean = {name: block for name, block in programmed.items() if not name.startswith("readout/")}
    deviation = {name: np.full_like(block, offset) for name, block in mean.items()}
    for name, spread in spreads.items():
        mean[name] = programmed[name] + spread.shift
        deviation[name] = np.sqrt(spread.variance + (spread.path * programmed[name]) ** 2)
    return WeightPrior(mean, deviation)


def measure_rows(work: ExperimentWork[CopyNetwork], chip: Chip, asked: Blocks) -> RowTrims:
    """Return the errors of the rows of a chip that was asked for some weights."""
    design, reads = work.setup.design, _read_chip(work.setup, work.plan, chip)
    return measure_row_trims(get_wiring(chip), reads, InverseCurve(design.law, design.activation), asked)


def find_wanted_rows(work: ExperimentWork[CopyNetwork], chip: Chip, asked: Blocks) -> Blocks:
    """Return what rows of a calibrated copy are to do: what those of the trained chip do, which are measured, too."""
    if work.plan.weights == "measured":
        return asked
    return add_row_errors(asked, measure_rows(work, chip, asked))


def _read_chip(setup: Setup, plan: CopyNetwork, chip: Chip) -> FreeReads:
    """Return free states of the first training samples."""
    return read_free_states(chip.variant(), np.asarray(setup.data.x[: plan.reads]), setup.design.dynamics.free.fixed)
