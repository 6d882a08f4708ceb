"""The experiments of a scenario whose chip is on a board."""

from __future__ import annotations

from typing import Any

from substrate.hardware.board import BoardError, TransferError

from ...boards.connect import connect_board
from ...results.store import Group
from ..kind import COMPLETE, Ending, ExperimentWork, RunError
from ..train.checkpoint import read_saved_blocks
from ..train.plan import Train
from ..train.progress import make_ending
from .measure import measure_on_board
from .train import train_on_board


def run_on_board(work: ExperimentWork[Any]) -> tuple[dict[str, Group], Ending]:
    """Do the experiment of a scenario with its chip on a board.

    Raises
    ------
    RunError
        If the board refuses, or does not answer at all.
    Interrupted
        If the watch asked to stop a training, or the board no longer answered; there is a checkpoint.
    """
    saved = None if work.setting.saved is None else read_saved_blocks(work.setting.saved, "programmed/")
    try:
        with connect_board(work.setup, saved, work.watch.say) as board:
            work.watch.say(f"board: {board.info.name}")
            if isinstance(work.plan, Train):
                groups, failure = train_on_board(work, work.plan, board)
                return groups, make_ending(groups, failure, "")
            return measure_on_board(work, work.plan, board), COMPLETE
    except (BoardError, TransferError) as error:
        raise RunError(str(error)) from error
