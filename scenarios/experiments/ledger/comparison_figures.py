"""Figures of chips side by side: their ledgers, before and after changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ...drawing.space import Space
from ...drawing.style import choose_look, format_plain_text
from ...results.store import ResultData
from ...results.views import UNCHANGED, list_changes, select_change, select_latest
from ..figures import figure
from ..measure.words import find_blamed_cause, has_measured_gradient
from ..remarks import describe_measured_count
from .panels import AXIS, ROW, find_axis_limits, format_error, set_rows, write_numbers
from .rows import make_whole_rows

Array = NDArray[np.float64]

_LEAST, _ACROSS = 2.2, 3
"""Inches of a panel, and panels side by side."""


def _share_layers(sides: Sequence[ResultData]) -> list[str]:
    """Return the layers that all ledgers have."""
    if not all(map(has_measured_gradient, sides)):
        return []
    first, *others = (list(map(str, select_latest(side)["ledger"]["layer"].data)) for side in sides)
    return [layer for layer in first if all(layer in layers for layers in others)]


def _list_designs(result: ResultData) -> list[ResultData]:
    """Return the design as it is, and after each of its changes."""
    return [select_change(result, k) for k in range(1 + len(list_changes(result)))]


def _describe_counts(*sides: ResultData) -> str:
    counts = list(map(describe_measured_count, sides))
    return counts[0] if len(set(counts)) == 1 else " ".join(dict.fromkeys(filter(None, counts)))


_CAPTION = (
    "Error that every cause adds to the gradient of a layer, of the median sample, on a logarithmic axis: rings {}, "
    "dots {}; numbers: first and last, one where they agree. Causes are vectors, so their sizes do not add to the "
    "total. Causes of 0 everywhere are left out, and what noise buries has a dash. Of many schemes, the one that each "
    "answer speaks of is drawn, of many layers the first and the last; of trainings, the last measured epoch."
)


@figure(
    "changes",
    when=lambda result: bool(list_changes(result)) and bool(_share_layers(_list_designs(result))),
    caption=f"Changes of a design. {_CAPTION.format('as it is', 'with its changes')}",
    count=lambda result: _describe_counts(*_list_designs(result)),
)
def draw_changes(space: Space, result: ResultData) -> None:
    """Draw, per layer, the error of every cause on the design as it is and after each of its changes."""
    _draw_sides(space, _list_designs(result), [UNCHANGED, *list_changes(result)])


@figure(
    "causes",
    subject="comparison",
    when=lambda a, b: bool(_share_layers((a, b))),
    caption=f"Ledgers of two chips. {_CAPTION.format('on A', 'on B')}",
    count=_describe_counts,
)
def draw_ledgers(space: Space, a: ResultData, b: ResultData, names: tuple[str, str] = ("A", "B")) -> None:
    """Draw, per layer, the error of every cause on both chips."""
    _draw_sides(space, [a, b], names)


def _draw_sides(space: Space, results: Sequence[ResultData], names: Sequence[str]) -> None:
    """Draw a panel per layer, with a mark per row and chip."""
    layers, sides = _share_layers(results), [_read_rows(one) for one in results]
    across = max(1, min(_ACROSS, int(space.width / _LEAST)))
    room = across + (across == 1)
    shown = layers if len(layers) <= room else [*layers[: room // 2], *layers[len(layers) - (room - room // 2) :]]
    rows = {
        name: np.array([[rows.get(name, {}).get(layer, 0.0) for layer in shown] for rows, _ in sides])
        for name in dict.fromkeys(name for rows, _ in sides for name in rows)
    }
    rows = {name: values for name, values in rows.items() if np.nan_to_num(values).any()}
    values = np.array(list(rows.values()))
    limits = find_axis_limits(values)
    panels = space.make_panels(len(shown), height=ROW * len(rows) + 0.4, least=space.width / across)
    space.add_height(0.2)
    for k, (axes, layer) in enumerate(zip(panels, shown, strict=True)):
        set_rows(axes, list(rows), limits, 0.7 * space.panel_width)
        _draw_marks(axes, values[..., k], limits[0])
        axes.set_title(f"layer {format_plain_text(layer, 16)}")
    space.figure.supxlabel(AXIS, fontsize=8)
    for k, (name, (_, scheme)) in enumerate(zip(names, sides, strict=True)):
        panels[0].plot([], [], linestyle="none", label=format_plain_text(f"{name}{scheme}", 60), **_choose_mark(k))
    space.place_legend(panels[:1], above=True)


def _choose_mark(side: int) -> dict[str, Any]:
    """Return the look of a chip: the first has a ring, so that a dot on it is seen."""
    if side == 0:
        return {"marker": "o", "markersize": 7.0, "markerfacecolor": "white", "color": "0.35", "zorder": 4}
    return choose_look(side - 1) | {"markersize": 4.0, "zorder": 4 + side}


def _read_rows(side: ResultData) -> tuple[dict[str, dict[str, float]], str]:
    """Return the rows of a ledger by name and layer, and which of several schemes they are of."""
    last = select_latest(side)
    group, found = last["ledger"], find_blamed_cause(last)
    scheme = 0 if found is None else found.scheme
    layers = [str(layer) for layer in group["layer"].data]
    rows = {name: dict(zip(layers, v, strict=True)) for name, v in make_whole_rows(group, scheme).items()}
    schemes = group["scheme"].data
    return rows, f" ({format_plain_text(schemes[scheme])})" if len(schemes) > 1 else ""


def _draw_marks(axes: Axes, values: Array, first: float) -> None:
    """Draw the marks of every row, (row, chip), joined by a line; what lies below the axis is at its end."""
    drawn = np.where(values <= first, first, values)
    texts = []
    for k, (row, shown) in enumerate(zip(values, drawn, strict=True)):
        axes.plot(shown, np.full(len(shown), k), color="0.7", linewidth=1.0, zorder=2)
        for side, (value, place) in enumerate(zip(row, shown, strict=True)):
            below = {"marker": "<", "clip_on": False} if value <= first else {}
            axes.plot([place], [k], linestyle="none", **_choose_mark(side) | below)
        ends = dict.fromkeys(format_error(value, first) for value in row[[0, -1]])
        texts.append(" \N{RIGHTWARDS ARROW} ".join(ends))
    write_numbers(axes, texts)
