"""What went over the line to a board, what was lost there, and what all of it is called in results."""

from __future__ import annotations

from substrate.hardware.counts import Transfers

from ..results.store import Group, Variable
from .connect import OpenBoard

TRANSFER_NAMES = {
    "lines": "requests sent to the board, those sent again included",
    "bytes": "bytes over the line, in both directions",
    "retries": "requests that were sent again",
    "resettlings": "free settlings only to bring a sample back to its free state; part of the settlings",
    "lines_ignored": "lines from the board that are none of the protocol, such as messages at start-up",
    "line_s": "time spent waiting for replies",
}
"""Counts of a line, and what they are."""

_SPENT = {
    "settlings": "settlings, per sample",
    "settled_time": "time spent settling, over all samples",
    "reads": "real reads of all units",
    "writes": "programming events",
    "pulses": "cells stepped",
    "energy": "energy spent",
    "probes": "settlings with injected drives, per sample; part of `settlings`",
    "probes_unsettled": "of these: did not settle",
    "outputs_read": "real reads of some layers only; not part of `reads`",
    "macs": "multiply-adds that the controller made to find errors",
}
"""Counts of a bench, and what they are."""

_UNITS = {"settled_time": "tau", "energy": "J"}

LOSS_NAMES = {
    "requests_lost": "requests of changes that round to no pulse",
    "requests_cut": "requests for more pulses than one line gives",
    "requests_stuck": "requests for cells that are known not to move",
    "codes_clipped": "inputs and drives beyond the range of their converter",
    "reads_at_end": "reads of a unit that gave the lowest or the highest code, as do all beyond",
}
"""What did not become what was asked, and what it is."""


def count_transfers(board: OpenBoard) -> dict[str, float]:
    """Return the counts of the line, and what did not become what was asked, by the names of `TRANSFER_NAMES`."""
    names = dict(zip(Transfers._fields, TRANSFER_NAMES, strict=True))
    counts = {names[name]: float(value) for name, value in board.bench.transfers._asdict().items()}
    losses = (*board.bench.losses, board.bench.clipped, board.bench.at_end)
    return counts | {name: float(value) for name, value in zip(LOSS_NAMES, losses, strict=True)}


def make_board_group(board: OpenBoard) -> Group:
    """Return what was asked of the chip, and what went over its line, as one group."""
    spent = {
        name: Variable((), float(value), _UNITS.get(name, "1"), _SPENT[name])
        for name, value in board.bench.budget._asdict().items()
        if value
    }
    counts = {
        name: Variable((), value, "s" if name == "line_s" else "1", (TRANSFER_NAMES | LOSS_NAMES)[name])
        for name, value in count_transfers(board).items()
    }
    return spent | counts
