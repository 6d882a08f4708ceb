"""The tables of causes alone, removed and in pairs."""

from __future__ import annotations

from itertools import product

import numpy as np

from ...drawing.sheet import Sheet
from ...results.store import Group, ResultData
from ...results.views import format_percent


def make_interaction_sheets(result: ResultData) -> list[Sheet]:
    """Return what every cause does alone, what the chip gains without it, and which pairs do more than that."""
    group = result.groups.get("ledger/interactions")
    if group is None:
        return []
    return [_make_cause_sheet(group), *([_make_pair_sheet(group)] if "pair_own" in group else [])]


def _make_cause_sheet(group: Group) -> Sheet:
    columns = ("alone", "removed", "repaired", "interaction_without")
    rows = []
    for s, k in product(range(len(group["scheme"].data)), range(len(group["layer"].data))):
        rows += _list_rows(group, (s, k), [str(cause) for cause in group["cause"].data], columns)
        whole = {"no cause": "base", "all causes": "full", "interaction": "interaction"}
        rows += [["", "", words, _format_with_error(group, name, (s, k)), "", "", ""] for words, name in whole.items()]
        rows += [["", "", "of the median sample", format_percent(group["interaction_median"].data[s, k]), "", "", ""]]
    return Sheet(
        "Every cause alone and removed, in % of the exact gradient (rms)",
        ["scheme", "layer", "cause", "alone", "removed", "error without", "interaction without"],
        rows,
        words=3,
        note="all over the exact gradient of the chip as it is, of the mean of all repeats, in which noise averages "
        "away; alone: on a chip that has no other; removed: what the chip gains without it, a difference of vectors; "
        "error without: of the chip without it; interaction: what no cause makes alone, "
        "and that of the chip without it",
    )


def _make_pair_sheet(group: Group) -> Sheet:
    rows = []
    pairs = [f"{a} + {b}" for a, b in zip(group["pair_first"].data, group["pair_second"].data, strict=True)]
    for s, k in product(range(len(group["scheme"].data)), range(len(group["layer"].data))):
        rows += _list_rows(group, (s, k), pairs, ("pair_own", "pair_left", "pair_repaired"))
    return Sheet(
        "What pairs of causes make only together, in % of the exact gradient (rms)",
        ["scheme", "layer", "pair", "together", "interaction left", "error without both"],
        rows,
        words=3,
        note="together: beyond what each does alone, on a chip without other causes; interaction left: that of all "
        "causes without this, small where the pair makes most of it; error without both: of the chip without them",
    )


def _list_rows(group: Group, place: tuple[int, int], names: list[str], columns: tuple[str, ...]) -> list[list[str]]:
    """Return a row per name; the first one begins with scheme and layer."""
    s, k = place
    head = [str(group["scheme"].data[s]) if k == 0 else "", str(group["layer"].data[k])]
    return [
        [*(["", ""] if c else head), name, *(_format_with_error(group, column, (s, k, c)) for column in columns)]
        for c, name in enumerate(names)
    ]


def _format_with_error(group: Group, name: str, place: tuple[int, ...]) -> str:
    value, error = float(group[name].data[place]), float(group[f"{name}_error"].data[place])
    # Differences of measurements with the same draws scatter by rounding alone.
    tells = np.isfinite(error) and error > 1e-9 * max(value, 1e-3)
    return format_percent(value) + (f" +- {format_percent(error)}" if tells else "")
