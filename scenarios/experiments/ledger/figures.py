"""Figures of the bias ledger: how large the error of every cause is, and what each leaves of the direction."""

from __future__ import annotations

from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ...drawing.space import Space
from ...drawing.style import COLOURS, choose_look, format_plain_text, set_cosine_limits
from ...results.store import Group, ResultData
from ...results.views import find_best_schemes, list_scheme_kinds, select_latest
from ..figures import figure
from ..measure.words import find_blamed_cause, has_measured_gradient
from ..remarks import describe_measured_count
from .panels import AXIS, ROW, find_axis_limits, format_error, set_rows, write_numbers
from .rows import ONE_MEASUREMENT, PART_OF, list_vector_terms, make_cause_rows, name_terms

Array = NDArray[np.float64]

_CURVES = 7
"""Schemes in one pair of axes."""

_BLOCKS = 3
"""Schemes in panels of their own, so that a page holds them all."""

_ACROSS = 3
"""Panels side by side, so that their numbers can be read on a page."""

_LETTERS = 14
"""Letters of a title in an inch of its figure."""

_LEAST = 1.67
"""Inches of a panel, at least."""

_SUMS = {"total": "black", "all causes": "black", ONE_MEASUREMENT: "0.6"}
"""Rows that are no causes, and their colours."""

_PALE = "#b8cbe0"
"""Colour of parts of a row."""


def _has_connections(result: ResultData) -> bool:
    """Tell whether an error of the gradient of some connection is known."""
    group = select_latest(result).groups.get("ledger/connections")
    return has_measured_gradient(result) and group is not None and bool(np.isfinite(group["total"].data[0]).any())


@figure(
    "cosine",
    when=has_measured_gradient,
    caption=(
        "Gradient quality by layer. Markers: cosine of the measured to the exact gradient. A grey band, "
        "if drawn, is what the matching rule expects of chips with this spread, before any chip is drawn; the "
        "dashed line is what would be left with a vanishing nudge. A marker below the dashed line can be raised by "
        "a better nudge or a longer settling; the dashed line itself moves only with more symmetric hardware. Of "
        "many schemes, the best nudge of each kind is drawn; of a training, the last measured epoch."
    ),
    count=describe_measured_count,
)
def draw_cosine(space: Space, result: ResultData) -> None:
    """Draw, per layer, the cosine of the schemes to the exact gradient, and what theory predicts."""
    group = select_latest(result)["gradient"]
    layers = group["layer"].data
    place = np.arange(len(layers))
    (axes,) = space.make_panels()
    theory: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("cosine_matching_rule", "matching rule for this spread", {"color": "0.7", "linewidth": 5}),
        ("cosine_first_order", "first order in the asymmetry", {"color": "black", "linestyle": ":"}),
        ("cosine_ep", "vanishing nudge", {"color": "black", "linestyle": "--"}),
    )
    for name, text, style in theory:
        if np.isfinite(group[name].data).any():
            axes.plot(place, group[name].data, label=text, zorder=1, **style)
    chosen = _choose_schemes(group)
    for i, s in enumerate(chosen):
        shift = 0.3 * ((i + 0.5) / len(chosen) - 0.5)
        value, spread = group["cosine"].data[s], group["cosine_std"].data[s]
        bars = [spread, np.maximum(np.minimum(spread, 1.0 - value), 0.0)]
        style = choose_look(i)
        fmt = style.pop("marker")
        axes.errorbar(
            place + shift, value, bars, fmt=fmt, linewidth=1, label=format_plain_text(group["scheme"].data[s]), **style
        )
    space.label_layers(axes, layers)
    set_cosine_limits(axes)
    axes.set_ylabel("cosine to the exact gradient\n(bar: 1 std over samples)")
    space.place_legend([axes])


def _choose_schemes(group: Group) -> list[int]:
    """Return all schemes or, when they are too many for one figure, the best nudge of each kind."""
    worst = np.nan_to_num(group["cosine"].data, nan=-1.0).min(axis=1)
    return list(range(len(worst))) if len(worst) <= _CURVES else find_best_schemes(group, -worst)[:_CURVES]


@figure(
    "causes",
    when=has_measured_gradient,
    caption=(
        "Ledger. Error that every cause adds to the gradient of a layer, on a logarithmic axis; the dashed "
        "line and the black dot are the whole error. Dots: the median sample, which decides what the answer "
        "blames; ticks: rms over the samples, outliers included. Causes are vectors, so their sizes do not add. "
        "Pale dots are parts of the row above; of the finite nudge the goal is no error: it is the exact gradient of a "
        "neighbouring cost. The grey dot is the spread of a single measurement, which averaging makes smaller; the "
        "other dots stay however often one measures. Of many schemes, the one that the answer speaks of and the best "
        "of other kinds are drawn, and of many layers the first and the last; of a training, the last measured epoch."
    ),
    count=describe_measured_count,
)
def draw_causes(space: Space, result: ResultData, scheme: int | None = None) -> None:
    """Draw, per scheme and layer, the error of every cause, and the whole error below them.

    Dots are norms of the median sample over that of the exact gradient, on a logarithmic axis: causes are vectors, so
    that their norms do not add, and they lie decades apart. Readout and noise have one dot together where both act,
    and pale ones alone; so the last full dot is the cause that the answer blames. Ticks: rms over the samples.
    Dashed: the whole error. Last, where it was measured: how single measurements scatter by noise, which the other
    dots are averages over; it is a cause like the coloured ones. With `scheme`, that one alone.
    """
    last = select_latest(result)
    group, schemes = last["ledger"], _name_schemes(space, last, scheme)
    at = list(schemes)
    names, values, marks = make_cause_rows(group, at)
    panels = _Panels(group["layer"].data, names, values, marks, group["total_median"].data[at])
    _draw_panels(space, panels, list(schemes.values()))


def _name_schemes(space: Space, last: ResultData, scheme: int | None) -> dict[int, str]:
    """Return the places of the schemes to draw, and their names: `scheme`, or the answer's and the best of others."""
    group = last["ledger"]
    names = [format_plain_text(name) for name in group["scheme"].data]
    if scheme is not None:
        return {scheme: names[scheme]}
    worst = np.nan_to_num(group["total_median"].data, nan=np.inf).max(axis=1)
    order, kinds = np.argsort(worst, kind="stable").tolist(), list_scheme_kinds(group["scheme"].data)
    if (found := find_blamed_cause(last)) is not None and len(names) > 1:
        order.insert(0, found.scheme)
        names[found.scheme] += f" (smallest error of {len(names)} schemes)"
    # The first of every kind before the second of any.
    shown = sorted(dict.fromkeys(order), key=lambda s: next(k for k in order if kinds[k] == kinds[s]) != s)
    return {k: names[k] for k in sorted(shown[: max(1, min(_BLOCKS, int(space.width / _LEAST) - 1))])}


@figure(
    "causes_of_connections",
    when=_has_connections,
    caption=(
        "Ledger of what is written. The same for the mean gradient of the batch, per connection: the "
        "presynaptic factor and the write act here. The write is judged by one plain write of the batch."
    ),
    count=describe_measured_count,
)
def draw_connection_causes(space: Space, result: ResultData, scheme: int | None = None) -> None:
    """Draw the same per connection, for the mean gradient of the batch: what the write makes of it is seen here.

    Connections that are not taught are left out. Ticks: how much a term differs between measurements or writes.
    """
    last = select_latest(result)
    group, schemes = last["ledger/connections"], _name_schemes(space, last, scheme)
    at = list(schemes)
    total, relative = group["total"].data[at], group["relative"].data[at]
    taught = np.isfinite(total).any(axis=0)
    # What no local product gives is a matter of softmax pooling alone.
    acts = [term != "locality" or np.nan_to_num(relative[..., k]).any() for k, term in enumerate(group["term"].data)]
    shown = np.flatnonzero(acts)
    values = np.concatenate([relative[..., shown], total[..., None]], axis=2)[:, taught]
    names = [*name_terms(group, shown), "total"]
    spread = group["spread"].data[at] if "spread" in group else np.zeros_like(relative)
    marks = np.concatenate([spread[..., shown], np.zeros((*total.shape, 1))], axis=2)[:, taught]
    panels = _Panels(group["connection"].data[taught], names, values, marks, total[:, taught])
    _draw_panels(space, panels, [f"mean gradient of the batch, {name}" for name in schemes.values()])


class _Panels(NamedTuple):
    """What the panels of some schemes show."""

    labels: NDArray[np.str_]
    """Layers or connections."""

    names: list[str]
    """Of the rows of a panel."""

    values: Array
    """Dots, (scheme, label, row)."""

    marks: Array
    """Ticks, likewise."""

    total: Array
    """Where the dashed line is, (scheme, label)."""


def _draw_panels(space: Space, panels: _Panels, titles: list[str]) -> None:
    """Draw a block of panels per scheme, in each a panel of dots per label; all have the same axes.

    Rows that are 0 in all of them are left out.
    """
    across = max(1, min(_ACROSS, int(space.width / _LEAST)))
    count, room = len(panels.labels), (2 if len(titles) == 1 else 1) * across
    shown = [k for k in range(count) if count <= room or k < room // 2 or k >= count - (room - room // 2)]
    values, marks = panels.values[:, shown], panels.marks[:, shown]
    rows = np.flatnonzero((np.nan_to_num(values) != 0.0).any(axis=(0, 1)) | np.isnan(values).all(axis=(0, 1)))
    values, marks, names = values[..., rows], marks[..., rows], [panels.names[k] for k in rows]
    limits = find_axis_limits(np.stack([values, marks]))
    height = ROW * len(names) + 0.4
    blocks = space.make_blocks(len(titles), 0.45 + -(-len(shown) // across) * height)
    for s, (block, title) in enumerate(zip(blocks, titles, strict=True)):
        grid = block.make_panels(len(shown), height=height, least=space.width / across)
        for k, axes in enumerate(grid):
            set_rows(axes, names, limits, block.panel_width)
            if panels.total[s, shown[k]] > 0.0:
                axes.axvline(panels.total[s, shown[k]], color="black", linestyle="--", linewidth=0.8, zorder=0)
            _draw_dots(axes, values[s, k], marks[s, k], names, limits[0])
            write_numbers(axes, [format_error(value, limits[0]) for value in values[s, k]])
            axes.set_title(format_plain_text(panels.labels[shown[k]], int(_LETTERS * block.panel_width)))
        block.figure.suptitle(fill(title, int(_LETTERS * space.width)), fontsize=8)
        block.figure.supxlabel(AXIS, fontsize=8)


def _draw_dots(axes: Axes, values: Array, marks: Array, names: list[str], first: float) -> None:
    """Draw a dot and a tick for every row; what is no cause but a sum or a part of them has other colours.

    No bars: on a logarithmic axis they would begin nowhere, and their lengths mean nothing. What lies below the axis
    is an arrow at its end.
    """
    there = np.flatnonzero(np.isfinite(values) & (values > first)).tolist()
    beyond = np.flatnonzero(np.isfinite(values) & (values > 0.0) & (values <= first))
    colours = [_SUMS.get(name, _PALE if name.startswith(PART_OF) else COLOURS[0]) for name in names]
    seen = np.flatnonzero(np.isfinite(marks) & (marks > first)).tolist()
    axes.plot(marks[seen], seen, "|", markersize=7, markeredgewidth=1.3, color="0.35", zorder=4)
    for k in there:
        axes.plot(values[k], k, "o", markersize=5.5, color=colours[k], zorder=3)
    if beyond.size:  # the layout cannot measure a line without points that is not cut
        axes.plot(np.full(len(beyond), first), beyond, "<", markersize=5, color="0.5", clip_on=False, zorder=3)


@figure(
    "interactions",
    when=lambda result: has_measured_gradient(result) and "ledger/interactions" in select_latest(result).groups,
    caption=(
        "Causes alone. Dots: the error of every cause on a chip that has no other; ticks: what this chip "
        "gains without it. Where both agree, causes add up; the interaction is what no cause makes alone. All "
        "rms over samples, over the exact gradient of the chip as it is, so that the rows can be added."
    ),
    count=describe_measured_count,
)
def draw_interactions(space: Space, result: ResultData, scheme: int | None = None) -> None:
    """Draw, per layer, what every cause does alone, and as ticks what the chip gains without it.

    Below them the error with no cause, with all, and what no cause makes alone.
    """
    last = select_latest(result)
    group, schemes = last["ledger/interactions"], _name_schemes(space, last, scheme)
    at = list(schemes)
    names = [*(str(name) for name in group["cause"].data), "no cause", "interaction", "all causes"]
    rest = np.stack([group[name].data[at] for name in ("base", "interaction", "full")], axis=2)
    values = np.concatenate([group["alone"].data[at], rest], axis=2)
    marks = np.concatenate([group["removed"].data[at], np.zeros_like(rest)], axis=2)
    panels = _Panels(group["layer"].data, names, values, marks, group["full"].data[at])
    _draw_panels(space, panels, list(schemes.values()))


@figure(
    "waterfall",
    when=has_measured_gradient,
    caption=(
        "Direction lost. Cosine to the exact gradient as one cause after the other begins to act: the largest "
        "step down is the cause that turns the gradient most. A cause that only changes its size makes no "
        "step."
    ),
    count=describe_measured_count,
)
def draw_waterfall(space: Space, result: ResultData, scheme: int | None = None) -> None:
    """Draw, per scheme and layer, the cosine to the exact gradient as one cause after the other begins to act."""
    last = select_latest(result)
    group, schemes = last["ledger"], _name_schemes(space, last, scheme)
    acting = list_vector_terms(group)
    names = ["exact", *name_terms(group, acting)]
    panels = space.make_panels(len(schemes), least=3.0)
    for axes, (s, title) in zip(panels, schemes.items(), strict=True):
        for k, layer in enumerate(group["layer"].data):
            cosine = np.append(1.0, group["cosine_after"].data[s, k][acting])
            name = format_plain_text(layer, 16)
            axes.plot(np.arange(len(names)), cosine, drawstyle="steps-mid", label=name, **choose_look(k))
        axes.set_title(fill(title, int(_LETTERS * space.panel_width)))
        axes.set_xticks(np.arange(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_xlabel("causes of error that act, from left to right")
    set_cosine_limits(panels[0])
    panels[0].set_ylabel("cosine to the exact gradient")
    space.add_height(0.5)
    space.place_legend(panels[:1])
