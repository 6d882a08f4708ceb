"""A design before and after its changes: one table, what dominated, what every change did, and what is left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..drawing.sheet import Sheet
from ..experiments.kind import COSINE, WHOLE, find_result_kind
from ..results.store import ResultData
from ..results.views import CHANGES, UNCHANGED, format_fixed, format_percent, list_changes, select_change


def make_change_sheets(result: ResultData) -> list[Sheet]:
    """Return the error of every cause, of the design as it is and after each of its changes; nothing without changes.

    Every design is shown under its best scheme.
    """
    if not list_changes(result):
        return []
    names, designs = zip(*_list_designs(result), strict=True)
    by_design = [_list_errors(one) for one in designs]
    layers = dict.fromkeys(layer for errors in by_design for layer in errors)
    found = [[errors.get(layer, {}) for errors in by_design] for layer in layers]
    rows = dict.fromkeys(row for errors in found for one in errors for row in one if row != WHOLE)
    cells = [[row, *(_format_cell(row, errors) for errors in found)] for row in (*rows, WHOLE)]
    title = f"Error of each cause, {' -> '.join(names)}, in % of the exact gradient"
    note = (
        "median over samples, one value where it stays; cosine: to the exact gradient, 1 is perfect; whole error: of "
    )
    note += "one measurement; causes are vectors, so sizes do not add; all on the same silicon"
    return [Sheet(title, ["layer", *layers], cells, note=note)]


def _format_cell(row: str, designs: list[dict[str, float]]) -> str:
    """Return what stands in a row for the designs one after the other, once where it stays the same."""
    values = [errors.get(row, np.nan) for errors in designs]
    texts = [format_fixed(value, 4) if row == COSINE else format_percent(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else " -> ".join(texts)


def describe_changes(result: ResultData) -> list[str]:
    """Return a paragraph on the design as it is, and two on every change: what it did, and what is left."""
    (_, before), *changed = _list_designs(result)
    if not changed:
        return []
    found = [f"{UNCHANGED.capitalize()}: {_give_verdict(before)}"]
    for (name, after), keys in zip(changed, result.groups[CHANGES]["keys"].data, strict=True):
        told = keys if str(keys).endswith(name) else f"{name} ({keys})"
        found += [f"Change: {told}.{_describe_gain(before, after)}", f"With {name}: {_give_verdict(after)}"]
        before = after
    return found


def describe_changed_losses(result: ResultData) -> list[str]:
    """Return what was lost, clipped or unsettled, of the design as it is and of every change that differs from it."""
    found: dict[str, str] = {}
    for name, one in _list_designs(result):
        kind = find_result_kind(one)
        for line in [] if kind is None else kind.losses(one):
            found.setdefault(line, name)
    return [line if name == UNCHANGED else f"With {name}: {line}" for line, name in found.items()]


def _list_designs(result: ResultData) -> Iterator[tuple[str, ResultData]]:
    for k, name in enumerate([UNCHANGED, *list_changes(result)]):
        yield name, select_change(result, k)


def _give_verdict(result: ResultData) -> str:
    kind = find_result_kind(result)
    return "Nothing was measured." if kind is None else kind.verdict(result)


def _list_errors(result: ResultData) -> dict[str, dict[str, float]]:
    kind = find_result_kind(result)
    return {} if kind is None else kind.layer_errors(result)


def _describe_gain(before: ResultData, after: ResultData) -> str:
    """Return what a change did in the layer that had the largest error before it."""
    one, other = _list_errors(before), _list_errors(after)
    shared = [layer for layer in one if layer in other]
    if not shared:
        return ""
    layer = max(shared, key=lambda name: one[name][WHOLE])
    cosines, errors = ([found[layer][row] for found in (one, other)] for row in (COSINE, WHOLE))
    told = f"cosine {' -> '.join(format_fixed(value, 4) for value in cosines)}"
    return f" In layer {layer}: {told}, whole error {' -> '.join(map(format_percent, errors))}."
