"""The ledger of a design before and after its changes, in one table."""

from __future__ import annotations

import numpy as np

from ...drawing.sheet import Sheet
from ...results.store import ResultData
from ...results.views import format_fixed, format_percent, list_changes, select_change
from ..measure.words import DITHERED, SINGLE, find_blamed_cause, list_judged_causes

BEFORE = "as it is"
"""The design before any change."""

WHOLE = "whole error"
"""Of one measurement, with all causes, for the median sample."""


def make_change_sheets(result: ResultData) -> list[Sheet]:
    """Return the error of every cause for the median sample, of the design as it is and after each of its changes.

    Every design is shown under its best scheme.
    """
    names = [BEFORE, *list_changes(result)]
    if len(names) == 1:
        return []
    layers = [str(layer) for layer in result["gradient"]["layer"].data]
    found = [[list_layer_errors(select_change(result, k), layer) for k in range(len(names))] for layer in layers]
    rows = dict.fromkeys(row for designs in found for errors in designs for row in errors if row != WHOLE)
    cells = [[row, *(_format_cell(row, designs) for designs in found)] for row in (*rows, WHOLE)]
    title = f"Error of each cause, {' -> '.join(names)}, in % of the exact gradient"
    note = "median over samples, one value where it stays; cosine: to the exact gradient, 1 is perfect; whole error: of "
    note += "one measurement; causes are vectors, so sizes do not add; all on the same silicon"
    return [Sheet(title, ["layer", *layers], cells, note=note)]


def _format_cell(row: str, designs: list[dict[str, float]]) -> str:
    """Return what stands in a row for the designs one after the other, once where it stays the same."""
    values = [errors.get(row, np.nan) for errors in designs]
    texts = [format_fixed(value, 4) if row == "cosine" else format_percent(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else " -> ".join(texts)


def list_layer_errors(result: ResultData, layer: str) -> dict[str, float]:
    """Return the cosine of a layer, its causes of error and its whole error, under the best scheme, by their names.

    Causes that do not act are left out; of a layer that the design lacks there is nothing.
    """
    ledger, found = result["ledger"], find_blamed_cause(result)
    layers = [str(name) for name in ledger["layer"].data]
    if layer not in layers or found is None:
        return {}
    place, causes = (found.scheme, layers.index(layer)), list_judged_causes(ledger, written=False)
    names = [*(name.replace("_", " ") for name in causes.names), DITHERED.lower(), SINGLE.lower()]
    sizes = dict(zip(names, causes.typical[place], strict=True))
    whole = float((sizes[SINGLE.lower()] ** 2 + ledger["total_median"].data[place] ** 2) ** 0.5)
    tried = result.groups.get("ledger/remedies")
    if tried is not None and "error_before" in tried:
        whole = float(tried["error_before"].data[place[1]])
    cosine = float(result["gradient"]["cosine"].data[place])
    return {"cosine": cosine} | {name: float(size) for name, size in sizes.items() if size > 0.0} | {WHOLE: whole}
