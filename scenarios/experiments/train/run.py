"""Train a chip, measure along the way, and survive being stopped at any moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.estimator import measure_free
from learning.homeostasis.measured import add_homeostasis
from learning.oracle.exact import make_exact_rule
from learning.oracle.models import make_recorded_cells, make_rule_model
from learning.policies.policy import make_request_writer
from learning.policies.verify import count_given_up
from learning.rules.rule import RuleContext, make_rule
from learning.training import TEST, Rule, evaluate, train
from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers
from substrate.protocol import Budget
from substrate.theory.linearisation import find_saturated

from ...build import Setup
from ...results.store import Group, ResultData, StoreWriteError
from ...schema.learning import Learning
from ..cell_noise.tables import add_cell_noise_levels, make_cell_noise_group
from ..device_tables import make_device_groups
from ..kind import NoiseNames, select_batch
from ..measure.run import measure_gradients
from ..measure.tables import make_assessment_groups, make_symmetry_group
from ..nudge_size import NAME as SIZES
from ..nudge_size import resolve_nudge_sizes, restore_nudge_sizes
from ..settle.run import record_settling
from ..watch import Interrupted, Watch
from . import checkpoint
from .batches import shuffle_batches
from .checkpoint import REFERENCE, TRAINING, TrainingLog
from .plan import Train
from .progress import report_progress
from .tables import compute_memory_bits, count_writes, make_parameter_groups

Array = NDArray[np.float64]

LEDGER, CURVES = "ledger/", "curves/"
"""Purposes of measurements within a training: they name its noise, beside the epoch."""

PROBE = 64
"""Samples whose free states tell how many units are saturated."""


class TrainingJob(NamedTuple):
    """One training run: what to do, on which chip, with which data."""

    setup: Setup
    plan: Train
    threads: int | None
    kept: Path
    """Where checkpoints are kept."""

    saved: ResultData | None
    """The checkpoint to go on from, if there is one."""

    identity: str
    """Name of everything the result depends on."""

    watch: Watch


class TrainingOutcome(NamedTuple):
    """What a training leaves."""

    groups: dict[str, Group]
    failure: str = ""
    """Why it diverged; empty if it did not."""

    reference_failure: str = ""
    """Why the training with exact gradients diverged."""


def run_training(job: TrainingJob) -> TrainingOutcome:
    """Train a chip through its own measurements and then, if asked, another like it with exact gradients.

    Raises
    ------
    Interrupted
        When the watch asked to stop; the checkpoint is complete.
    StoreWriteError
        When the watch asked to stop and no checkpoint can be written.
    """
    if job.saved is None:
        job, sizes, spent = _resolve_sizes(job)
        log, programmed = TrainingLog(TRAINING, job.identity, sizes), None
        log.trainee.budget = log.trainee.budget.plus(spent)
    else:
        log, programmed = checkpoint.read_checkpoint(job.saved)
        job = _restore_sizes(job, log)
        job.watch.say(f"going on after {log.trainee.epoch} epochs and {log.trainee.batch} batches")
    chip = _make_trained_chip(job, programmed)
    failure = _run_stage(job, log, chip)
    groups = log.finished | log.groups(chip.topology)
    if log.stage == REFERENCE:
        return TrainingOutcome(groups, "", failure)
    groups |= make_parameter_groups(chip)
    # What was measured of the noise of cells says more than their devices.
    groups = make_device_groups(chip, job.setup.chip(threads=job.threads)) | groups
    if job.plan.record is not None:
        batch = select_batch(job.setup.data, job.plan.record.samples)
        names = NoiseNames(log.trainee.epoch, CURVES)
        groups |= record_settling(chip.variant(), batch, job.setup.learning.all_schemes(), job.plan.record, names)
    if failure or not job.plan.reference:
        return TrainingOutcome(groups, failure)
    log = TrainingLog(REFERENCE, job.identity, groups)
    failure = _run_stage(job, log, _make_trained_chip(job, None))
    return TrainingOutcome(groups | log.groups(chip.topology), "", failure)


def _resolve_sizes(job: TrainingJob) -> tuple[TrainingJob, dict[str, Group], Budget]:
    """Return the job with every size of a nudge found on the untrained chip, how, and what that took."""
    if not job.setup.learning.searches:
        return job, {}, Budget()
    scenario, chip = job.setup.scenario, job.setup.chip(threads=job.threads)
    batch = select_batch(job.setup.data, scenario.task.batch)
    learning, sizes = resolve_nudge_sizes(chip, batch, job.setup.learning, job.watch.say)
    return _with_learning(job, learning), sizes, chip.budget


def _restore_sizes(job: TrainingJob, log: TrainingLog) -> TrainingJob:
    """Return the job of a training that goes on, with the sizes that were found before it began."""
    learning, group = job.setup.learning, log.finished.get(SIZES)
    return job if group is None else _with_learning(job, restore_nudge_sizes(learning, group))


def _with_learning(job: TrainingJob, learning: Learning) -> TrainingJob:
    setup = job.setup
    return job._replace(setup=setup._replace(scenario=setup.scenario.model_copy(update={"learning": learning})))


def _make_trained_chip(job: TrainingJob, programmed: Mapping[str, Array] | None) -> Chip:
    """Return the chip that is trained; audits are left to the bystander that is tested after every epoch."""
    chip = job.setup.chip(programmed=programmed, threads=job.threads)
    return chip.variant(dynamics=chip.design.dynamics.model_copy(update={"audit": 0}))


def make_training_rule(learning: Learning, chip: Chip, memory: dict[str, Array]) -> Rule:
    """Return what measures the gradient of a batch on a chip, homeostasis included; `memory` is kept."""
    scheme = (learning.given_schemes() or learning.all_schemes())[0]
    mirror, model = has_conjugate_answers(chip.design.devices), make_rule_model(learning.rule, chip, memory)
    how = RuleContext(scheme, learning.presynaptic, mirror, lambda: chip.programmed, model)
    rule = make_rule(learning.rule, chip, how)
    return rule if learning.homeostasis is None else add_homeostasis(rule, partial(learning.homeostasis.pull, chip))


def _run_stage(job: TrainingJob, log: TrainingLog, chip: Chip) -> str:
    """Train one chip to the end, keeping checkpoints; return why it diverged, or nothing."""
    plan, trainee, learning = job.plan, log.trainee, job.setup.learning
    rule, record = make_exact_rule(chip), lambda: chip.programmed
    if log.stage == TRAINING:
        rule = make_training_rule(learning, chip, trainee.memory)
    if len(log.rows) <= trainee.epoch:  # before training, or stopped amid the tests after an epoch
        _end_epoch(job, log, chip)
    if log.failure:
        return log.failure
    size = job.setup.scenario.task.batch
    batches = partial(shuffle_batches, job.setup.data, plan.samples, size, job.setup.fabrication.seed)
    begin = saved = time.monotonic()
    cells = job.setup.known_cells
    written = make_recorded_cells(learning.rule, chip, cells, trainee.memory) if log.stage == TRAINING else chip
    write = make_request_writer(learning.write, written, cells)
    for step in train(chip, rule, learning.optimiser, batches, plan.epochs, trainee, record, write):
        if step.finished is not None:
            log.means, log.failure, log.wall = step.finished, step.failure, time.monotonic() - begin
            _end_epoch(job, log, chip)
            begin = time.monotonic()
        report_progress(job.watch, log, step, plan.epochs, plan.reference)
        if step.failure:
            break
        _stop_if_asked(job, log, chip)
        if trainee.epoch == plan.epochs or time.monotonic() - saved > plan.checkpoint_seconds:
            _save_checkpoint(job, log, chip)
            saved = time.monotonic()
    return log.failure


def _list_spent(setup: Setup, spent: Budget) -> dict[str, float]:
    """Return what a training has spent by name; the time in all only where it is not that of settling alone."""
    named = spent._asdict()
    return named if setup.design.phases.times_account else {n: v for n, v in named.items() if n != "elapsed"}


def _stop_if_asked(job: TrainingJob, log: TrainingLog, chip: Chip) -> None:
    """Leave with a checkpoint if the watch asks to stop."""
    if job.watch.stopped():
        checkpoint.write_checkpoint(job.kept, log, chip.kept, log.written(chip))
        raise Interrupted(f"stopped after {log.trainee.epoch} epochs: the same command goes on from here")


def _save_checkpoint(job: TrainingJob, log: TrainingLog, chip: Chip) -> None:
    try:
        checkpoint.write_checkpoint(job.kept, log, chip.kept, log.written(chip))
    except StoreWriteError as error:
        job.watch.say(f"the training goes on without a new checkpoint: {error}")


def _end_epoch(job: TrainingJob, log: TrainingLog, chip: Chip) -> None:
    """Add the row of the epoch that just ended, and measure the gradients if the plan says so.

    The log changes at the very end only, so that `pause` can leave at any time before.
    """
    pause = partial(_stop_if_asked, job, log, chip)
    if log.trainee.epoch == 0:
        job.watch.say("testing and measuring the chip before it is trained")
    # A bystander with the same silicon: tests and measurements leave no trace on the chip in training.
    epoch, data = log.trainee.epoch, job.setup.data
    bystander = chip.variant(dynamics=job.setup.design.dynamics)
    x, y = data.x_test[: job.plan.test_samples], data.y_test[: job.plan.test_samples]
    test = evaluate(bystander, x, y, epoch, pause=pause)
    probe = np.asarray((data.x_test if len(data.x_test) else data.x)[:PROBE])
    measure_free(bystander, probe, None, epoch, purpose=TEST)
    shares = chip.topology.split(find_saturated(bystander, bystander.state))
    numbers = {
        "epoch": epoch,
        **{f"{name}_train": value for name, value in log.means.items()},
        **{f"{name}_test": value for name, value in test.items()},
        "saturation": [float(share.mean()) for share in shares.values()],
        **{name: variable.data for name, variable in make_symmetry_group(bystander).items() if name != "pair"},
        **_list_spent(job.setup, log.trainee.budget),
        "memory_bits": compute_memory_bits(job.setup),
        **({"cells_per_weight": 1 + len(chip.design.arrays.gains)} if chip.design.arrays.gains else {}),
        **({"given_up": count_given_up(log.trainee.memory)} if job.setup.learning.write.reads_cells else {}),
        **count_writes(chip, log.written(chip)),
        "wall_s": log.wall,
    }
    if bystander.design.dynamics.mode == "equilibrium":
        numbers |= {"audit_checked": bystander.audit.checked, "audit_elsewhere": bystander.audit.elsewhere}
    if bystander.clipped.conversions:
        numbers["clipped"] = bystander.clipped.outside / bystander.clipped.conversions
    ledger = job.plan.ledger
    if log.stage == TRAINING and ledger and (epoch % ledger.every_epochs == 0 or epoch == job.plan.epochs):
        schemes = job.setup.learning.all_schemes()
        batch = select_batch(data, ledger.samples)
        repeats = job.setup.scenario.repeats(ledger)
        names = NoiseNames(epoch, LEDGER)
        found = measure_gradients(bystander, batch, job.setup.learning, lambda _: pause(), repeats, names=names)
        groups = make_assessment_groups(bystander, schemes, found) | make_cell_noise_group(bystander)
        add_cell_noise_levels(groups, bystander, schemes, found.reference, found.keep)
        log.measured[epoch] = groups
        job.watch.say(f"measured the gradients after {epoch} epochs")
    log.rows.append({name: np.asarray(value) for name, value in numbers.items()})
