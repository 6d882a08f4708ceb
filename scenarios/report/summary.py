"""The answer on the terminal, and as numbers for other programs; read from a result and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..drawing.sheet import Sheet
from ..experiments.kind import list_kinds
from ..language.faults import shorten_text
from ..language.places import read_title
from ..results.store import ResultData
from ..results.views import list_changes, name_changed_group, select_change, select_latest
from .answer import list_answers, list_remarks, make_answer
from .changes import describe_changed_losses, make_change_sheets
from .sheets import make_sheets
from .terminal import format_sheet, wrap_text

_EPOCHS = 8
_EDITS = 240
"""Characters of the edits that are told below a question."""


def print_summary(result: ResultData, console: Console) -> None:
    """Print the tables and the answer of a run; of changes of a design their question, one table and the answer."""
    if list_changes(result):
        _print_changes(result, console)
        return
    for sheet in make_sheets(result, _EPOCHS):
        print_sheet(sheet, console)
    for line in [make_answer(result), *list_remarks(result)]:
        print_paragraph(line, console)


def _print_changes(result: ResultData, console: Console) -> None:
    if told := [text for text in (read_question(result), read_edits(result)) if text]:
        for text in told:
            print_paragraph(text, console)
        console.print()
    for sheet in make_change_sheets(result):
        print_sheet(sheet, console)
    for line in list_answers(result):
        print_paragraph(line, console)
        console.print()
    for line in describe_changed_losses(result):
        print_paragraph(line, console)


def read_question(result: ResultData) -> str:
    """Return the comment in the first line of the scenario; empty where it begins otherwise."""
    return read_title(str(result["provenance"]["scenario_toml"].data)) if "provenance" in result.groups else ""


def read_edits(result: ResultData) -> str:
    """Return what was changed of the scenario that asks the question, as a sentence; empty where nothing was."""
    told = result["provenance"].get("edits_json") if "provenance" in result.groups else None
    return "" if told is None else describe_edits(json.loads(str(told.data)))


def describe_edits(edits: Sequence[str]) -> str:
    """Return the sentence of what was changed, with the first edits in full and the number of the others."""
    sizes = accumulate(len(edit) + 2 for edit in edits)
    shown = max(1, sum(size <= _EDITS for size in sizes))
    more = [f"and {len(edits) - shown} more"] if len(edits) > shown else []
    return f"With {', '.join([*map(shorten_text, edits[:shown]), *more])}." if edits else ""


def format_open_lines(path: Path) -> str:
    """Return the three lines of Python that open a result file."""
    return f'import xarray\nrun = xarray.open_datatree({str(path)!r}, engine="h5netcdf")\nprint(run)'


def list_metrics(result: ResultData) -> dict[str, float | None]:
    """Return the final numbers under stable keys; what is not a finite number becomes None.

    Returns
    -------
    dict
        Keys are slash paths like those of the result file: ``metrics/error_test`` of the last epoch,
        ``gradient/cosine/<scheme>/<layer>``, ``ledger/relative/<scheme>/<layer>/<term>`` of the last
        measured epoch, ``nudge/mse/<scheme>/<layer>``, ``evaluate/error_mean`` and so on;
        ``settling/settled`` is a fraction. After a change of the design they begin with ``change/<number>/``.
    """
    found: dict[str, float] = {}
    for k in range(1 + len(list_changes(result))):
        latest = select_latest(select_change(result, k))
        for kind in list_kinds():
            found |= {name_changed_group(k, key) if k else key: v for key, v in kind.metrics(latest).items()}
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print one table with its note."""
    for line in wrap_text(sheet.title, console.width):
        console.print(Text(line, "italic"))
    for line in format_sheet(sheet, console.width):
        console.print(Text(line), soft_wrap=True)
    if sheet.note:
        print_paragraph(sheet.note, console)
    console.print()


def print_paragraph(text: str, console: Console) -> None:
    """Print a paragraph: its lines break between words, and not at all on a console that wraps softly."""
    for line in [text] if console.soft_wrap else wrap_text(text, console.width):
        console.print(Text(line), soft_wrap=True)
