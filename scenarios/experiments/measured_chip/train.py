"""Train a chip on a board: it holds its weights itself, and a line may fail at any moment.

A checkpoint is kept where a simulated training keeps one, and where the board does not answer. In the middle of a write
it holds the lines of pulses that were not answered; the board's own count tells which of them it has carried out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.homeostasis.measured import add_homeostasis
from learning.optimisers.schedule import TrainingMoment
from learning.policies.policy import Memory, RequestWriter, make_request_writer
from learning.rules.rule import RuleContext, make_rule
from learning.training import Rule, evaluate, train
from substrate.chip.budget import WriteCounts
from substrate.hardware.bench import HardwareBench
from substrate.hardware.board import BoardError, TransferError

from ...boards.connect import OpenBoard, get_hardware
from ...boards.counts import count_transfers, make_board_group
from ...results.store import Group
from ...schema.learning import Learning
from ..kind import ExperimentWork
from ..train.batches import shuffle_batches
from ..train.checkpoint import TRAINING, TrainingLog, read_checkpoint, write_checkpoint
from ..train.plan import Train
from ..train.progress import report_progress
from ..train.tables import compute_memory_bits, make_record_groups
from ..watch import Interrupted

Array = NDArray[np.float64]


class _Training:
    """A training that keeps checkpoints of what it does.

    Parameters
    ----------
    work : ExperimentWork
        The scenario, and where checkpoints are kept.
    plan : Train
        What is trained.
    board : OpenBoard
        The chip, where it was left.
    """

    def __init__(self, work: ExperimentWork[Any], plan: Train, board: OpenBoard) -> None:
        self.work, self.plan, self.board = work, plan, board
        saved = work.setting.saved
        self.log = read_checkpoint(saved)[0] if saved else TrainingLog(TRAINING, work.setting.identity, {})
        # What was written when the board was found again.
        spent = board.bench.budget.plus(board.bench.spent_before, -1)
        self.log.trainee.budget = self.log.trainee.budget.plus(spent)
        self._failure: BoardError | TransferError | None = None

    def run(self) -> str:
        """Train to the end; return why it diverged, or nothing."""
        try:
            return self._train()
        except (BoardError, TransferError) as error:
            self.save()
            if isinstance(error, TransferError):
                raise Interrupted(f"{error}; the same command goes on from the checkpoint") from error
            raise

    def save(self) -> None:
        """Replace the checkpoint."""
        blocks = len(self.board.bench.topology.shapes)
        write_checkpoint(self.work.setting.kept, self.log, self.board.keep(), WriteCounts.of(blocks))

    def _train(self) -> str:
        setup, log, bench = self.work.setup, self.log, self.board.bench
        if not self.work.setting.saved and get_hardware(setup).begin == "erased":
            self.work.watch.say("writing the initial weights into erased cells")
            bench.write({name: setup.programmed[name] for name in bench.shapes if name not in setup.known_cells.tied})
        if len(log.rows) <= log.trainee.epoch:
            self._end_epoch()
        if log.failure:
            return log.failure
        learning, size = setup.learning, setup.scenario.task.batch
        batches = partial(shuffle_batches, setup.data, self.plan.samples, size, setup.fabrication.seed)
        begin = saved = time.monotonic()
        for step in train(
            bench,
            make_board_rule(learning, bench),
            learning.optimiser,
            batches,
            self.plan.epochs,
            log.trainee,
            lambda: bench.programmed,
            self._guard(make_request_writer(learning.write, bench, setup.known_cells)),
        ):
            if self._failure is not None:
                raise self._failure
            if step.finished is not None:
                log.means, log.failure, log.wall = step.finished, step.failure, time.monotonic() - begin
                self._end_epoch()
                begin = time.monotonic()
            report_progress(self.work.watch, log, step, self.plan.epochs, False)
            if step.failure:
                break
            self._stop_if_asked()
            if log.trainee.epoch == self.plan.epochs or time.monotonic() - saved > self.plan.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
        return log.failure

    def _guard(self, write: RequestWriter) -> RequestWriter:
        """Return a writer that lets the batch be entered into the log first, where the board does not answer."""

        def guarded(requests: Mapping[str, Array], memory: Memory, moment: TrainingMoment) -> None:
            try:
                write(requests, memory, moment)
            except (BoardError, TransferError) as error:
                self._failure = error

        return guarded

    def _stop_if_asked(self) -> None:
        if self.work.watch.stopped():
            self.save()
            raise Interrupted(f"stopped after {self.log.trainee.epoch} epochs: the same command goes on from here")

    def _end_epoch(self) -> None:
        """Add the row of the epoch that just ended; the log changes at the very end only."""
        setup, log, bench = self.work.setup, self.log, self.board.bench
        if log.trainee.epoch == 0:
            self.work.watch.say("testing the chip before it is trained")
        x, y = (part[: self.plan.test_samples] for part in (setup.data.x_test, setup.data.y_test))
        test = evaluate(bench, x, y, log.trainee.epoch, pause=self._stop_if_asked)
        told = {f"{name}_train": value for name, value in log.means.items()}
        told |= {f"{name}_test": value for name, value in test.items()}
        if not bench.tells_status:  # nobody knows
            told |= {name: float("nan") for name in told if name.startswith("unsettled")}
        numbers = {
            "epoch": log.trainee.epoch,
            **told,
            **log.trainee.budget._asdict(),
            "memory_bits": compute_memory_bits(setup),
            **count_transfers(self.board),
            "wall_s": log.wall,
        }
        log.rows.append({name: np.asarray(value) for name, value in numbers.items()})


def make_board_rule(learning: Learning, bench: HardwareBench) -> Rule:
    """Return what measures the gradient of a batch on a board, homeostasis included."""
    scheme = (learning.given_schemes() or learning.all_schemes())[0]
    rule = make_rule(learning.rule, bench, RuleContext(scheme, learning.presynaptic, True, lambda: bench.programmed))
    pull: Any = learning.homeostasis
    return rule if pull is None else add_homeostasis(rule, partial(pull.pull, bench))


def train_on_board(work: ExperimentWork[Any], plan: Train, board: OpenBoard) -> tuple[dict[str, Group], str]:
    """Train a chip on a board; return the groups of the result, and why it diverged.

    Raises
    ------
    Interrupted
        If the watch asked to stop, or the board did not answer; the checkpoint is complete.
    BoardError
        If the board refuses; there is a checkpoint.
    """
    training = _Training(work, plan, board)
    if work.setting.saved:
        trainee = training.log.trainee
        work.watch.say(f"going on after {trainee.epoch} epochs and {trainee.batch} batches")
    failure, bench = training.run(), board.bench
    groups = training.log.groups(bench.topology) | make_record_groups(bench.topology, bench.programmed)
    return groups | {"board": make_board_group(board)}, failure
