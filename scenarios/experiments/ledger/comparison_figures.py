"""Figure of two chips side by side: their ledgers, before and after a change."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ...drawing.space import Space
from ...drawing.style import COLOURS, format_plain_text
from ...results.store import ResultData
from ...results.views import UNCHANGED, list_changes, select_change, select_latest
from ..figures import describe_measured_count, figure
from ..measure.words import find_blamed_cause, has_measured_gradient
from .panels import AXIS, ROW, find_axis_limits, format_error, set_rows, write_numbers
from .rows import make_whole_rows

Array = NDArray[np.float64]

_LEAST, _ACROSS = 2.2, 3
"""Inches of a panel, and panels side by side."""


def _share_layers(a: ResultData, b: ResultData) -> list[str]:
    """Return the layers that both ledgers have."""
    if not (has_measured_gradient(a) and has_measured_gradient(b)):
        return []
    first, second = (list(map(str, select_latest(side)["ledger"]["layer"].data)) for side in (a, b))
    return [layer for layer in first if layer in second]


def _describe_counts(a: ResultData, b: ResultData) -> str:
    first, second = describe_measured_count(a), describe_measured_count(b)
    return first if first == second else " ".join(f"{name}: {n}" for name, n in (("A", first), ("B", second)) if n)


@figure(
    "causes",
    subject="comparison",
    when=lambda a, b: bool(_share_layers(a, b)),
    caption=(
        "Ledgers of two chips. Error that every cause adds to the gradient of a layer, of the median sample, on a "
        "logarithmic axis: rings on A, dots on B; numbers: A, then B where it differs. Causes are vectors, so their "
        "sizes do not add to the total. Causes of 0 on both are left out. Of many schemes, the one that the answer of "
        "each speaks of is drawn, of many layers the first and the last; of trainings, the last measured epoch."
    ),
    count=_describe_counts,
)
def draw_changes(space: Space, a: ResultData, b: ResultData, names: tuple[str, str] = ("A", "B")) -> None:
    """Draw, per layer, the error of every cause on both chips, and what it changed to."""
    _fill_space(space, a, b, names)


def _fill_space(space: Space, a: ResultData, b: ResultData, names: tuple[str, str]) -> None:
    layers, sides = _share_layers(a, b), [_read_rows(side) for side in (a, b)]
    across = max(1, min(_ACROSS, int(space.width / _LEAST)))
    room = across + (across == 1)
    shown = layers if len(layers) <= room else [*layers[: room // 2], *layers[len(layers) - (room - room // 2) :]]
    rows = {
        name: np.array([[side[0].get(name, {}).get(layer, 0.0) for layer in shown] for side in sides])
        for name in dict.fromkeys([*sides[0][0], *sides[1][0]])
    }
    rows = {name: values for name, values in rows.items() if np.nan_to_num(values).any()}
    values = np.array(list(rows.values()))
    limits = find_axis_limits(values)
    panels = space.make_panels(len(shown), height=ROW * len(rows) + 0.4, least=space.width / across)
    space.add_height(0.2)
    for k, (axes, layer) in enumerate(zip(panels, shown, strict=True)):
        set_rows(axes, list(rows), limits, 0.7 * space.panel_width)
        _draw_pairs(axes, values[..., k], limits[0])
        axes.set_title(f"layer {format_plain_text(layer, 16)}")
    space.figure.supxlabel(AXIS, fontsize=8)
    labels = [fill(f"{name}{side[1]}", int(15 * space.width)) for name, side in zip(names, sides, strict=True)]
    for label, look in zip(labels, _LOOKS, strict=True):
        panels[0].plot([], [], linestyle="none", label=label, **look)
    space.place_legend(panels[:1], above=True)


def _find_ends(result: ResultData) -> tuple[ResultData, ResultData]:
    """Return the design as it is, and after the last of its changes."""
    return select_change(result, 0), select_change(result, len(list_changes(result)))


@figure(
    "changes",
    when=lambda result: bool(list_changes(result)) and bool(_share_layers(*_find_ends(result))),
    caption=(
        "Before and after. Error that every cause adds to the gradient of a layer, of the median sample, on a "
        "logarithmic axis: rings on the design as it is, dots after all its changes, on the same silicon; numbers: "
        "before, then after where it differs. Causes are vectors, so their sizes do not add to the total. Causes of 0 "
        "are left out. Each design is drawn under its best scheme, of many layers the first and the last."
    ),
    count=lambda result: _describe_counts(*_find_ends(result)),
)
def draw_design_changes(space: Space, result: ResultData) -> None:
    """Draw, per layer, the error of every cause before the changes of a design, and after them."""
    changes = list_changes(result)
    after = changes[-1] if len(changes) == 1 else f"after {len(changes)} changes"
    before, last = _find_ends(result)
    _fill_space(space, before, last, (UNCHANGED, after))


_LOOKS: tuple[dict[str, Any], dict[str, Any]] = (
    {"marker": "o", "markersize": 7.0, "markerfacecolor": "white", "color": "0.35", "zorder": 4},
    {"marker": "o", "markersize": 4.0, "color": COLOURS[0], "zorder": 5},
)


def _read_rows(side: ResultData) -> tuple[dict[str, dict[str, float]], str]:
    """Return the rows of a ledger by name and layer, and which of several schemes they are of."""
    last = select_latest(side)
    group, found = last["ledger"], find_blamed_cause(last)
    scheme = 0 if found is None else found.scheme
    layers = [str(layer) for layer in group["layer"].data]
    rows = {name: dict(zip(layers, v, strict=True)) for name, v in make_whole_rows(group, scheme).items()}
    schemes = group["scheme"].data
    return rows, f" ({format_plain_text(schemes[scheme])})" if len(schemes) > 1 else ""


def _draw_pairs(axes: Axes, values: Array, first: float) -> None:
    """Draw two dots for every row, (row, side), joined by a line; what lies below the axis is at its end."""
    drawn = np.where(values > first, values, first)
    for k, (pair, shown) in enumerate(zip(values, drawn, strict=True)):
        axes.plot(shown, [k, k], color="0.7", linewidth=1.0, zorder=2)
        for value, place, look in zip(pair, shown, _LOOKS, strict=True):
            below = {"marker": "<", "clip_on": False} if value <= first else {}
            axes.plot([place], [k], linestyle="none", **look | below)
    arrow = " \N{RIGHTWARDS ARROW} "
    texts = [[format_error(value, first) for value in pair] for pair in values]
    write_numbers(axes, [arrow.join(dict.fromkeys(pair)) for pair in texts])
