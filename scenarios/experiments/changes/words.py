"""What changes of a design did, in words: what dominated before, what every change gained, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator

from ...results.store import ResultData
from ...results.views import CHANGES, format_fixed, format_percent, list_changes, select_change
from ..kind import find_result_kind
from .sheets import BEFORE, WHOLE, list_layer_errors


def describe_changes(result: ResultData) -> list[str]:
    """Return a paragraph on the design as it is, and two on every change: what it did, and what is left."""
    (_, before), *changed = _list_designs(result)
    if not changed:
        return []
    found = [f"{BEFORE.capitalize()}. {_give_verdict(before)}"]
    for (name, after), keys in zip(changed, result.groups[CHANGES]["keys"].data, strict=True):
        told = f"Change: {name}" if name == keys else f"Change: {name} ({keys})"
        found += [f"{told}.{_describe_gain(before, after)}", f"With {name}. {_give_verdict(after)}"]
        before = after
    return found


def describe_changed_losses(result: ResultData) -> list[str]:
    """Return what was lost, clipped or unsettled, of the design as it is and of every change that differs from it."""
    found: dict[str, str] = {}
    for name, one in _list_designs(result):
        kind = find_result_kind(one)
        for line in [] if kind is None else kind.losses(one):
            found.setdefault(line, name)
    return [line if name == BEFORE else f"With {name}: {line}" for line, name in found.items()]


def _list_designs(result: ResultData) -> Iterator[tuple[str, ResultData]]:
    for k, name in enumerate([BEFORE, *list_changes(result)]):
        yield name, select_change(result, k)


def _give_verdict(result: ResultData) -> str:
    kind = find_result_kind(result)
    return "Nothing was measured." if kind is None else kind.verdict(result)


def _describe_gain(before: ResultData, after: ResultData) -> str:
    """Return what a change did in the layer that had the largest error before it."""
    found = {str(layer): list_layer_errors(before, str(layer)) for layer in before["gradient"]["layer"].data}
    known = {layer: errors for layer, errors in found.items() if errors and list_layer_errors(after, layer)}
    if not known:
        return ""
    layer = max(known, key=lambda name: known[name][WHOLE])
    one, other = known[layer], list_layer_errors(after, layer)
    cosines = f"{format_fixed(one['cosine'], 4)} -> {format_fixed(other['cosine'], 4)}"
    errors = f"{format_percent(one[WHOLE])} -> {format_percent(other[WHOLE])}"
    return f" In layer {layer}: cosine {cosines}, whole error {errors}."
