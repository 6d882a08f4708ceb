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


def make_half_sheet(group: Group) -> Sheet:
    """Return what the network reaches at home and on other chips, stage by stage."""
    loss, error = (np.array([group[f"{name}_trained"].data]) for name in ("loss", "error"))
    rows = [_make_row("trained chip", loss, error, 0.0)]
    home = float(group["loss_trained"].data)
    names = {"copied": f"copied as {group['weights'].data}", "calibrated": "rows calibrated"}
    for stage, words in names.items():
        if f"loss_{stage}" in group:
            rows.append(_make_row(words, group[f"loss_{stage}"].data, group[f"error_{stage}"].data, home))
    if "loss_recovered" in group:
        loss, error = group["loss_recovered"].data, group["error_recovered"].data
        pulses, cells = group["pulses"].data, float(group["cells"].data)
        for k in choose_steps(len(group["step"].data)):
            words = f"{np.nanmean(pulses[:, k]) / cells:.3g} pulses per cell"
            rows.append(_make_row(words, loss[:, k], error[:, k], home))
    note = "cost: loss over that of the trained chip, its mean over chips and the 95 % interval of that (Student)"
    if "recover_cells" in group:
        note += f"; pulses: of the training of {CELLS[str(group['recover_cells'].data)]} on every chip"
    title = f"{describe_sample_kind(group).capitalize()} loss of {len(group['chip'].data)} copies"
    return Sheet(title, ["stage", "loss", "error", "cost", "95 % interval"], rows, note=note)


def _make_row(words: str, loss: Array, error: Array, home: float) -> list[str]:
    found = compute_interval(loss - home)
    good = error[np.isfinite(error)]
    interval = f"{format_number(float(found.low))} to {format_number(float(found.high))}"
    return [
        words,
        format_number(float(found.mean) + home),
        format_share(float(good.mean())) if good.size else "-",
        format_number(float(found.mean)) if home else "-",
        interval if np.isfinite(found.low) else "-",
    ]


def choose_steps(count: int) -> list[int]:
    """Return some steps after the first, evenly spread, the last one included."""
    return sorted(set(np.linspace(1, count - 1, min(4, count - 1)).round().astype(int).tolist()))


def make_copies_sheet(group: Group, rows: int) -> Sheet:
    """Return the loss of every copy, and what brought half of its cost back; many chips are cut to some."""
    chosen = range(min(len(group["chip"].data), max(rows, 1)))
    names = {
        "loss": "loss_copied",
        "cost": "rise",
        "2nd order": "second_order",
        "calibrated": "rise_calibrated",
        "pulses to half": "pulses_half",
    }
    shown = {words: name for words, name in names.items() if name in group}
    body = [
        [str(group["chip"].data[i]), *(format_number(float(group[name].data[i])) for name in shown.values())]
        for i in chosen
    ]
    left = len(group["chip"].data) - len(body)
    note = (
        "cost, calibrated: loss over that of the trained chip; 2nd order: cost as the errors of this copy foretell it"
    )
    if "pulses_half" in group:
        note += "; pulses: of all cells together, -: nothing lost, or half of it not brought back"
    return Sheet("Chip by chip", ["chip", *shown], body, note=note + (f"; {left} more chips" if left else ""))
