"""The numbers that the page of a measurement begins with."""

from __future__ import annotations

from ...drawing.sheet import KeyNumber
from ...results.store import ResultData
from ...results.views import format_fixed, format_percent, list_changes, select_change, select_latest
from ..kind import COSINE, WHOLE
from ..remarks import describe_measured_count
from .sheets import list_layer_errors
from .words import find_blamed_cause

_ARROW = " \N{RIGHTWARDS ARROW} "


def list_measure_numbers(result: ResultData) -> list[KeyNumber]:
    """Return cosine and whole error of the worst layer, and what averages leave of it, under the best scheme.

    Where the design was changed, all are before and after, in the worst layer before.
    """
    designs = [select_latest(result)]
    if names := list_changes(result):
        designs.append(select_latest(select_change(result, len(names))))
    errors = [list_layer_errors(one) for one in designs]
    if not all(errors):
        return []
    layer = max(errors[0], key=lambda name: errors[0][name][WHOLE])
    rows = [one[layer] for one in errors]
    where = f"layer {layer}" + (f", as it is{_ARROW}with {names[-1]}" if names else "")
    n = describe_measured_count(designs[0]).rstrip(".")
    where += f", {n}" if n else ""
    numbers = [
        KeyNumber(_ARROW.join(format_fixed(row[COSINE], 4) for row in rows), f"cosine to the exact gradient, {where}"),
        KeyNumber(
            _ARROW.join(format_percent(row[WHOLE]) for row in rows),
            f"whole error of one measurement over the exact gradient, {where}",
        ),
    ]
    left = [_read_total(one, layer) for one in designs]
    told = "what averages over measurements leave of it, median sample"
    return [*numbers, KeyNumber(_ARROW.join(map(format_percent, left)), told)]


def _read_total(last: ResultData, layer: str) -> float:
    """Return the error of the mean over measurements in a layer."""
    found, ledger = find_blamed_cause(last), last["ledger"]
    where = list(map(str, ledger["layer"].data)).index(layer)
    return float(ledger["total_median"].data[0 if found is None else found.scheme, where])
