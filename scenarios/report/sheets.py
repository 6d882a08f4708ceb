"""The tables of a result as plain text cells: for the terminal and for the report."""

from __future__ import annotations

from devices.imperfection import EFFECTS

from ..drawing.sheet import Sheet
from ..experiments.alarms import make_alarm_sheets
from ..experiments.kind import list_kinds
from ..results.store import Group, ResultData
from .changes import make_change_sheets


def make_sheets(result: ResultData, epochs: int) -> list[Sheet]:
    """Return every table the result has data for; of longer trainings only about `epochs` rows."""
    found = [*make_alarm_sheets(result), *make_change_sheets(result)]
    found += [sheet for kind in list_kinds() for sheet in kind.sheets(result, epochs)]
    return [*found, _make_causes_sheet(result["causes"])] if "causes" in result.groups else found


def _make_causes_sheet(group: Group) -> Sheet:
    kinds = [str(kind) for kind in group["kind"].data]
    rows = [[str(cause), kind, EFFECTS[kind]] for cause, kind in zip(group["cause"].data, kinds, strict=True)]
    return Sheet("Imperfections of this chip", ["cause", "class", "what it does to an estimate"], rows, words=3)
