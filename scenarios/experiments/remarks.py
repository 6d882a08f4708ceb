"""What results of several kinds have to say beside their answer, from the groups that they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Status, has_settled

from ..boards.counts import LOSS_NAMES, TRANSFER_NAMES
from ..results.store import Group, ResultData
from ..results.views import format_percent, select_latest
from .alarms import KINDS, compute_clipped_share
from .cell_noise.tables import describe_cell_noise as describe_cell_noise  # noqa: PLC0414  for all kinds


def describe_unstable_rests(last: ResultData) -> list[str]:
    """Return how many samples rest at a point that a chip leaves at the slightest push, if any do."""
    marks = last["gradient"].get("left")
    # The groups of an epoch of a training have no samples.
    if marks is None or not marks.data.any():
        return []
    words = "rest at a point that a chip leaves at the slightest push (an eigenvalue above 0)"
    return [f"{np.count_nonzero(marks.data)} of {len(marks.data)} samples {words}: no real chip has their gradients."]


def describe_audits(last: ResultData) -> list[str]:
    """Return what the audits of the equilibrium mode found, if there were any; those of all epochs together."""
    group, prefix = last.groups.get("audit"), ""
    if group is None:
        group, prefix = last.groups.get("metrics", {}), "audit_"
    if f"{prefix}checked" not in group:
        return []
    checked, elsewhere = (int(group[f"{prefix}{name}"].data.sum()) for name in ("checked", "elsewhere"))
    if checked == 0:
        return []
    words = f"Audit: {elsewhere} of {checked} settlings rest at another point when they are followed in time"
    return [f'{words}: use dynamics.mode = "trajectory".' if elsewhere else f"{words}."]


def describe_clipped_reads(last: ResultData) -> list[str]:
    """Return how often the readout converter met a value outside its range, if it did so too seldom for an alarm."""
    share = compute_clipped_share(last.groups)
    words = f"Readout: {format_percent(share)} of the conversions were outside the range of the converter"
    return [f"{words}: widen devices.converters.readout."] if 0.0 < share <= KINDS["clipped"].above else []


def describe_board_losses(last: ResultData) -> list[str]:
    """Return what did not become what was asked of a chip on a board, and what was sent again; nothing without one."""
    board = last.groups.get("board")
    if board is None:
        return []
    words = TRANSFER_NAMES | LOSS_NAMES
    # Units at an end of their own range are at that of their converter, too, with nothing lost.
    names = (*(LOSS_NAMES.keys() - {"reads_at_end"}), "lines_ignored")
    found = [f"{int(board[name].data):,} {words[name]}." for name in sorted(names) if board[name].data]
    retries, lines = int(board["retries"].data), int(board["lines"].data)
    if retries:
        found.append(f"{retries:,} of {lines:,} lines were sent again ({format_percent(retries / lines)}).")
    return found


def describe_unsettled(status: NDArray[np.int64], kept: NDArray[np.bool_], schemes: Sequence[str] = ()) -> str:
    """Return how many samples were not counted, why, under which scheme, and the knob to turn.

    Status and kept are (scheme, sample); `schemes` are the labels, (scheme,).
    """
    worst, counted = status.max(axis=0), np.asarray(kept.any(axis=0))
    counts = Counter(Status(int(value)) for value in worst[~counted & ~has_settled(worst)])
    why = [describe_statuses(counts)] if counts else []
    alone = int(np.count_nonzero(~counted)) - sum(counts.values())
    if alone:
        why.append(f"{alone} settled, but no rest point was found to compare with")
    moving = int(np.count_nonzero(~has_settled(worst[counted])))
    who = "1 sample was" if moving == 1 else f"{moving} samples were"
    still = f"{who} still moving when their time was over; what is missing is the settling error. "
    if not why:
        return f"{still}All {len(worst)} are counted." if moving else f"All {len(worst)} samples settled."
    missed = int(np.count_nonzero(~counted))
    return (
        f"{still * (moving > 0)}Not counted: {missed} of {len(worst)} samples, {'; '.join(why)}."
        f"{_describe_failed_schemes(status, counted, schemes)}"
    )


def _describe_failed_schemes(status: NDArray[np.int64], counted: NDArray[np.bool_], schemes: Sequence[str]) -> str:
    """Return under which of several schemes the samples failed that no scheme counts."""
    failed = np.count_nonzero(~has_settled(status[:, ~counted]), axis=1)
    if len(schemes) < 2 or not failed.any():
        return ""
    listed = ", ".join(f"{count} under {name}" for name, count in zip(schemes, failed, strict=True) if count)
    return f" Of these failed: {listed}; all schemes are judged by the samples that every one can measure."


def describe_statuses(counts: Counter[Status]) -> str:
    """Return how often settlings ended in every way, and what to try."""
    return "; ".join(f"{n} {s.words} ({s.advice})" for s, n in sorted(counts.items()))


def describe_sample_count(group: Group) -> str:
    """Return how many samples a group counts, in a sentence; nothing where it does not say."""
    kept = group.get("kept")
    if kept is None:
        return ""
    counts = np.atleast_2d(kept.data).sum(axis=1)
    range_ = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}, by scheme,"
    return f"n = {range_} of {kept.data.shape[-1]} samples."


def describe_measured_count(result: ResultData) -> str:
    """Return how many samples the gradients of a result count, in a sentence; of a training nothing."""
    return describe_sample_count(select_latest(result).groups.get("gradient", {}))
