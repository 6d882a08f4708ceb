"""Train a circuit, measure along the way, and survive being stopped at any moment.

A checkpoint is what there was at the end of an epoch: a stopped training begins that epoch anew, with the same bits.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.circuits.rule import make_circuit_rule, make_imprinting_rule, make_writing_rule
from learning.optimisers.optimiser import Sgd
from learning.oracle.circuits.ledger import measure_circuit
from learning.oracle.circuits.training import make_exact_circuit_rule, make_exact_imprinting_rule
from learning.schemes.scheme import Scheme
from learning.training import TEST, Rule, evaluate, train
from substrate.chip.budget import WriteCounts
from substrate.circuits.forms import AnyCircuitChip
from substrate.circuits.layered.chip import LayeredChip

from ...circuits.setup import CircuitSetup
from ...results.store import Group, StoreWriteError, Variable
from ..kind import CircuitWork, Ending, select_batch
from ..train.batches import shuffle_batches
from ..train.checkpoint import REFERENCE, TRAINING, TrainingLog, read_checkpoint, write_checkpoint
from ..train.progress import make_ending, report_progress
from ..watch import Interrupted
from .measure import find_rates, make_trial
from .plans import CircuitTrain
from .tables import make_circuit_assessment_groups

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]

PROBE = 64
"""Samples whose free states tell how many nodes diodes hold."""

_NAMES = {
    "loss_train": ("V^2", "mean cost while training"),
    "error_train": ("1", "share of wrong classes while training"),
    "unsettled_train": ("1", "share of samples that did not settle while training"),
    "loss_test": ("V^2", "mean cost of the test samples"),
    "error_test": ("1", "share of wrong classes of the test samples"),
    "unsettled_test": ("1", "share of test samples that did not settle"),
    "clamped": ("1", "share of nodes that diodes hold"),
    "limited": ("1", "share of learned parameters that stand at a bound of their own"),
    "settlings": ("1", "settlings so far, per sample"),
    "reads": ("1", "reads of all nodes so far"),
    "writes": ("1", "changes of parameters so far"),
    "energy": ("J", "energy spent so far, over all samples"),
    "wall_s": ("s", "time the computation took"),
}


class _Stage(NamedTuple):
    """One training: through measurements, or with exact gradients."""

    work: CircuitWork
    plan: CircuitTrain
    schemes: list[Scheme | None]
    log: TrainingLog
    chip: AnyCircuitChip

    @property
    def setup(self) -> CircuitSetup:
        """What the scenario describes."""
        return self.work.setup


class _Snapshot(NamedTuple):
    """What there was at the end of an epoch."""

    log: TrainingLog
    blocks: Blocks


def run_training_of_circuit(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Train through the measurements of the circuit and then, if asked, another like it with exact gradients."""
    setup, plan, setting = work.setup, work.setup.plan, work.setting
    if not isinstance(plan, CircuitTrain):
        raise TypeError(f"{plan.kind} is no training")
    log, blocks = TrainingLog(TRAINING, setting.identity, {}), None
    if setting.saved is not None:
        log, blocks = read_checkpoint(setting.saved)
        work.watch.say(f"going on after {log.trainee.epoch} epochs")
    schemes = setup.schemes()
    stage = _Stage(work, plan, schemes, log, setup.chip(programmed=blocks, threads=setting.threads))
    failure = _train_stage(stage)
    if log.stage == REFERENCE:
        groups = log.finished | _make_groups(log)
        return groups, make_ending(groups, "", failure)
    groups = _make_groups(log) | _make_parameter_groups(setup, stage.chip)
    if failure or not plan.reference:
        return groups, make_ending(groups, failure, "")
    second = TrainingLog(REFERENCE, setting.identity, groups)
    stage = stage._replace(log=second, chip=setup.chip(threads=setting.threads))
    failure = _train_stage(stage)
    return groups | _make_groups(second), make_ending(groups, "", failure)


def _train_stage(stage: _Stage) -> str:
    """Train to the end, keeping checkpoints; return why it diverged, or nothing."""
    plan, trainee, watch = stage.plan, stage.log.trainee, stage.work.watch
    if not stage.log.rows:
        watch.say("testing and measuring the circuit before it is trained")
        _end_epoch(stage)
    if stage.log.failure:
        return stage.log.failure
    kept = _take_snapshot(stage)
    size, seed = stage.setup.batch_size, stage.setup.scenario.seed
    batches = partial(shuffle_batches, stage.setup.data, plan.samples, size, seed)
    begin = saved = time.monotonic()
    for step in train(stage.chip, _make_rule(stage), Sgd(momentum=0.0), batches, plan.epochs, trainee):
        if step.finished is not None:
            stage.log.means, stage.log.failure = step.finished, step.failure
            stage.log.wall = time.monotonic() - begin
            _end_epoch(stage, kept)
            begin, kept = time.monotonic(), _take_snapshot(stage)
            if trainee.epoch == plan.epochs or begin - saved > plan.checkpoint_seconds:
                _keep_checkpoint(stage, kept)
                saved = begin
        report_progress(watch, stage.log, step, plan.epochs, plan.reference)
        if step.failure:
            break
        _stop_if_asked(stage, kept)
    return stage.log.failure


def _make_rule(stage: _Stage) -> Rule:
    learning, full, trainee = stage.setup.scenario.learning, find_rates(stage.setup), stage.log.trainee

    def rates() -> dict[str, float]:
        share = learning.optimiser.decay**trainee.epoch
        return {name: share * rate for name, rate in full.items()}

    weighs = learning.metric == "nominal"
    if stage.log.stage == REFERENCE:
        if isinstance(stage.chip, LayeredChip):
            return make_exact_imprinting_rule(stage.chip, rates)
        return make_writing_rule(make_exact_circuit_rule(stage.chip), stage.chip, rates)
    if stage.setup.scenario.devices.weights.levels is not None:
        measured = make_circuit_rule(learning.rule, stage.chip, stage.schemes[0], weighs)
        return make_writing_rule(measured, stage.chip, rates)
    return make_imprinting_rule(learning.rule, stage.chip, stage.schemes[0], weighs, rates)


def _end_epoch(stage: _Stage, kept: _Snapshot | None = None) -> None:
    """Add the row of the epoch that just ended, and measure the gradients if the plan says so."""
    plan, log, data, setup = stage.plan, stage.log, stage.setup.data, stage.setup
    epoch, bystander = log.trainee.epoch, stage.chip.variant()

    def pause() -> None:
        if kept is not None:
            _stop_if_asked(stage, kept)

    test = evaluate(bystander, data.x_test[: plan.test_samples], data.y_test[: plan.test_samples], epoch, pause=pause)
    probe = np.asarray((data.x_test if len(data.x_test) else data.x)[:PROBE])
    bystander.set_input(probe, None, epoch, TEST)
    bystander.settle()
    numbers: dict[str, object] = {
        "epoch": epoch,
        **{f"{name}_train": value for name, value in log.means.items()},
        **{f"{name}_test": value for name, value in test.items()},
        "clamped": float(np.mean(bystander.clamped_share)) if len(probe) else 0.0,
        "limited": bystander.limited_share,
        **{name: getattr(log.trainee.budget, name) for name in ("settlings", "reads", "writes", "energy")},
        "wall_s": log.wall,
    }
    ledger = plan.ledger
    if log.stage == TRAINING and ledger and (epoch % ledger.every_epochs == 0 or epoch == plan.epochs):
        trial = make_trial(setup, select_batch(data, ledger.samples), stage.schemes, epoch)
        found = measure_circuit(bystander, trial, setup.scenario.repeats(ledger), lambda _: pause())
        log.measured[epoch] = make_circuit_assessment_groups(setup, bystander, stage.schemes, found)
        stage.work.watch.say(f"measured the gradients after {epoch} epochs")
    log.rows.append({name: np.asarray(value) for name, value in numbers.items()})


def _take_snapshot(stage: _Stage) -> _Snapshot:
    return _Snapshot(copy.deepcopy(stage.log), {name: block.copy() for name, block in stage.chip.programmed.items()})


def _stop_if_asked(stage: _Stage, kept: _Snapshot) -> None:
    """Leave with a checkpoint of the last epoch if the watch asks to stop."""
    if stage.work.watch.stopped():
        _write_snapshot(stage, kept)
        raise Interrupted(f"stopped after {kept.log.trainee.epoch} epochs: the same command goes on from here")


def _keep_checkpoint(stage: _Stage, kept: _Snapshot) -> None:
    try:
        _write_snapshot(stage, kept)
    except StoreWriteError as error:
        stage.work.watch.say(f"the training goes on without a new checkpoint: {error}")


def _write_snapshot(stage: _Stage, kept: _Snapshot) -> None:
    nothing = WriteCounts(*(np.zeros(0, dtype=np.int64) for _ in WriteCounts._fields))
    write_checkpoint(stage.work.setting.kept, kept.log, kept.blocks, nothing)


def _make_groups(log: TrainingLog) -> dict[str, Group]:
    """Return the figures of every epoch, and the measurements along the way."""
    group: Group = {
        "epoch": Variable(("epoch",), np.array([int(row["epoch"]) for row in log.rows]), long_name="epochs completed")
    }
    for name, (unit, words) in _NAMES.items():
        group[name] = Variable(("epoch",), np.array([float(row[name]) for row in log.rows]), unit, words)
    return {log.stage: group, **log.stacked()}


def _make_parameter_groups(setup: CircuitSetup, chip: AnyCircuitChip) -> dict[str, Group]:
    """Return the programmed parameters by block."""
    units = {"conductance": "S", "gate": "V", "current": "A"}
    groups: dict[str, Group] = {}
    for name, values in chip.programmed.items():
        block = setup.graph.blocks[name]
        group: Group = {"programmed": Variable(block.dims, values.copy(), units[block.kind], _PROGRAMMED)}
        if name in setup.names:
            group["element"] = Variable(("element",), np.array(setup.names[name]), long_name="name of the element")
        groups[f"weights/{name}"] = group
    return groups


_PROGRAMMED = "requested value after the last write"

RUN = run_training_of_circuit
"""What this kind of experiment does."""
