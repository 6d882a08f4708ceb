"""The tables of copies: stage by stage over all chips, and chip by chip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import Sheet
from ...results.statistics import compute_interval
from ...results.store import Group
from ...results.views import format_number, format_share
from ..evaluate.words import describe_sample_kind
from .words import CELLS

Array = NDArray[np.float64]


def make_stage_sheet(group: Group) -> Sheet:
    """Return what the network reaches at home and on other chips, stage by stage."""
    home = float(group["loss_trained"].data)
    rows = [["trained chip", format_number(home), "-", "-"]]
    errors = [group["error_trained"].data]
    names = {"copied": f"copied as {group['weights'].data}", "calibrated": "rows calibrated"}
    for stage, words in names.items():
        if f"loss_{stage}" in group:
            rows.append(_make_row(words, group[f"loss_{stage}"].data, home))
            errors.append(group[f"error_{stage}"].data)
    if "loss_recovered" in group:
        pulses = compute_interval(group["pulses"].data.T).mean / float(group["cells"].data)
        for k in choose_steps(len(pulses)):
            rows.append(_make_row(f"{pulses[k]:.3g} pulses per cell", group["loss_recovered"].data[:, k], home))
            errors.append(group["error_recovered"].data[:, k])
    columns = ["stage", "loss", "cost", "95 % interval"]
    if np.isfinite(errors[0]):  # there are classes
        columns.append("error")
        rows = [[*row, format_share(float(compute_interval(e).mean))] for row, e in zip(rows, errors, strict=True)]
    note = "cost: loss over that of the trained chip, its mean over chips and the 95 % interval of that (Student)"
    if "recover_cells" in group:
        note += f"; pulses: of the training of {CELLS[str(group['recover_cells'].data)]} on every chip"
    title = f"{describe_sample_kind(group).capitalize()} loss of {len(group['chip'].data)} copies"
    return Sheet(title, columns, rows, note=note)


def _make_row(words: str, loss: Array, home: float) -> list[str]:
    found = compute_interval(loss - home)
    ends = f"{format_number(float(found.low))} to {format_number(float(found.high))}"
    numbers = (format_number(value) for value in (float(found.mean) + home, float(found.mean)))
    return [words, *numbers, ends if np.isfinite(found.low) else "-"]


def choose_steps(count: int) -> list[int]:
    """Return some steps after the first, evenly spread, the last one included."""
    return sorted(set(np.linspace(1, count - 1, min(4, count - 1)).round().astype(int).tolist()))


def make_copies_sheet(group: Group, rows: int) -> Sheet:
    """Return the loss of every copy, and what brought half of its cost back; many chips are cut to some."""
    columns = {
        "loss": "loss_copied",
        "cost": "rise",
        "2nd order": "second_order",
        "calibrated": "rise_calibrated",
        "pulses to half": "pulses_half",
    }
    notes = {
        "cost": "loss over that of the trained chip",
        "2nd order": "cost that the errors of this copy foretell",
        "calibrated": "cost after that",
        "pulses to half": "pulses per cell until half of the cost is back, -: nothing lost, or not reached",
    }
    shown = {words: group[name].data for words, name in columns.items() if name in group}
    if "pulses to half" in shown:
        shown["pulses to half"] = shown["pulses to half"] / float(group["cells"].data)
    chips = [str(chip) for chip in group["chip"].data[: max(rows, 1)]]
    body = [[chip, *(format_number(float(v[i])) for v in shown.values())] for i, chip in enumerate(chips)]
    note = "; ".join(f"{words}: {text}" for words, text in notes.items() if words in shown)
    left = len(group["chip"].data) - len(body)
    return Sheet("Chip by chip", ["chip", *shown], body, note=note + (f"; {left} more chips" if left else ""))
