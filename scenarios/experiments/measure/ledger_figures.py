"""Figures of the bias ledger: how large the error of every cause is, and what each leaves of the direction."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from ...drawing.style import (
    COLOURS,
    choose_look,
    format_plain_text,
    label_layers,
    make_panels,
    place_legend_below,
    styled,
)
from ...results.store import Group, ResultData
from ...results.views import find_best_schemes, format_percent, list_scheme_kinds, select_latest
from ..figures import describe_measured_count, figure
from .words import ASYMMETRY_PARTS, DITHERED, find_blamed_cause, find_part_places, has_measured_gradient

Array = NDArray[np.float64]

_CURVES = 7
"""Schemes in one pair of axes."""

_BLOCKS = 3
"""Schemes in panels of their own, so that a page holds them all."""

_ACROSS = 3
"""Panels side by side, so that their numbers can be read on a page."""

_LETTERS = 14
"""Letters of a title in an inch of its figure."""

_SUMS = {"total": "black", "all causes": "black", "one measurement": "0.6"}
"""Rows that are no causes, and their colours."""

_PARTS, _OF, _PALE = ("readout", "noise"), "- ", "#b8cbe0"
"""Causes that count as one where both act, what the names of parts of a row begin with, and their colour."""

_SPLIT = {"asymmetry": tuple(ASYMMETRY_PARTS), "finite nudge": ("goal", "nudge_bias")}
"""Parts of causes that are drawn below them; those of the asymmetry are of circuits."""

_ON_CONNECTIONS = ("locality", "presynaptic", "forgetting", "write", "write_noise")
"""Causes that error vectors do not have."""

_DECADES = 4.0
"""The axis of the causes spans at most so many."""


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
@styled
def draw_cosine(result: ResultData) -> Figure:
    """Draw, per layer, the cosine of the schemes to the exact gradient, and what theory predicts."""
    group = select_latest(result)["gradient"]
    layers = group["layer"].data
    place = np.arange(len(layers))
    figure, (axes,) = make_panels(1, width=6.4)
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
    label_layers(figure, axes, layers)
    axes.set_ylabel("cosine to the exact gradient\n(bar: 1 std over samples)")
    place_legend_below(figure, [axes])
    return figure


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
@styled
def draw_causes(result: ResultData, scheme: int | None = None) -> Figure:
    """Draw, per scheme and layer, the error of every cause, and the whole error below them.

    Dots are norms of the median sample over that of the exact gradient, on a logarithmic axis: causes are vectors, so
    that their norms do not add, and they lie decades apart. Readout and noise have one dot together where both act,
    and pale ones alone; so the last full dot is the cause that the answer blames. Ticks: rms over the samples.
    Dashed: the whole error. Last, where it was measured: how single measurements scatter by noise, which the other
    dots are averages over; it is a cause like the coloured ones. With `scheme`, that one alone.
    """
    last = select_latest(result)
    group, schemes = last["ledger"], _name_schemes(last, scheme)
    at = list(schemes)
    shown = _list_vector_terms(group)
    names = [*_name_terms(group, shown), "total"]
    values, marks = (
        np.concatenate([group[name].data[at][..., shown], group[total].data[at][..., None]], axis=2)
        for name, total in (("median", "total_median"), ("relative", "total"))
    )
    if all(part in names and (values[..., names.index(part)] > 0.0).any() for part in _PARTS):
        place = names.index(_PARTS[0])
        names.insert(place, DITHERED.lower())
        values, marks = (
            np.insert(a, place, group[name].data[at], axis=2)
            for a, name in ((values, "dithered_median"), (marks, "dithered"))
        )
        names = [f"{_OF}{name}" if name in _PARTS else name for name in names]
    names, values, marks = _insert_parts(group, at, names, values, marks)
    spread, outliers = (np.nan_to_num(_compute_relative_noise(group, n)[at]) for n in ("spread_median", "spread"))
    if spread.any():
        names, values = [*names, "one measurement"], np.concatenate([values, spread[..., None]], axis=2)
        marks = np.concatenate([marks, outliers[..., None]], axis=2)
    panels = _Panels(group["layer"].data, names, values, marks, group["total_median"].data[at])
    return _draw_panels(panels, list(schemes.values()))


def _list_vector_terms(group: Group) -> list[int]:
    """Return the places of the causes that error vectors can have; clamping only where something clamps."""
    clamps = "clamp" in group["term"].data and group["rms"].data[..., list(group["term"].data).index("clamp")].any()
    absent = _ON_CONNECTIONS if clamps else (*_ON_CONNECTIONS, "clamp")
    return [k for k, term in enumerate(group["term"].data) if term not in absent]


def _insert_parts(
    group: Group, at: list[int], names: list[str], values: Array, marks: Array
) -> tuple[list[str], Array, Array]:
    """Return rows with the parts of a cause below it, where it was split."""
    for cause, parts in _SPLIT.items():
        places = find_part_places(group, parts)
        if not places or not np.nan_to_num(group["part_relative"].data[at][..., places]).any():
            continue
        below = names.index(cause) + 1
        names = [*names[:below], *(f"{_OF}{name.replace('_', ' ')}" for name in parts), *names[below:]]
        values, marks = (
            np.insert(rows, [below] * len(places), group[name].data[at][..., places], axis=2)
            for rows, name in ((values, "part_median"), (marks, "part_relative"))
        )
    return names, values, marks


def _name_schemes(last: ResultData, scheme: int | None) -> dict[int, str]:
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
    return {k: names[k] for k in sorted(shown[:_BLOCKS])}


@figure(
    "causes_of_connections",
    when=_has_connections,
    caption=(
        "Ledger of what is written. The same for the mean gradient of the batch, per connection: the "
        "presynaptic factor and the write act here. The write is judged by one plain write of the batch."
    ),
    count=describe_measured_count,
)
@styled
def draw_connection_causes(result: ResultData, scheme: int | None = None) -> Figure:
    """Draw the same per connection, for the mean gradient of the batch: what the write makes of it is seen here.

    Connections that are not taught are left out. Ticks: how much a term differs between measurements or writes.
    """
    last = select_latest(result)
    group, schemes = last["ledger/connections"], _name_schemes(last, scheme)
    at = list(schemes)
    total, relative = group["total"].data[at], group["relative"].data[at]
    taught = np.isfinite(total).any(axis=0)
    # What no local product gives is a matter of softmax pooling alone.
    acts = [term != "locality" or np.nan_to_num(relative[..., k]).any() for k, term in enumerate(group["term"].data)]
    shown = np.flatnonzero(acts)
    values = np.concatenate([relative[..., shown], total[..., None]], axis=2)[:, taught]
    names = [*_name_terms(group, shown), "total"]
    spread = group["spread"].data[at] if "spread" in group else np.zeros_like(relative)
    marks = np.concatenate([spread[..., shown], np.zeros((*total.shape, 1))], axis=2)[:, taught]
    panels = _Panels(group["connection"].data[taught], names, values, marks, total[:, taught])
    return _draw_panels(panels, [f"mean gradient of the batch, {name}" for name in schemes.values()])


def _name_terms(group: Group, shown: Iterable[int]) -> list[str]:
    return [str(group["term"].data[k]).replace("_", " ") for k in shown]


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


def _draw_panels(panels: _Panels, titles: list[str]) -> Figure:
    """Draw a block of panels per scheme, in each a panel of dots per label; all have the same axes."""
    count, room = len(panels.labels), (2 if len(titles) == 1 else 1) * _ACROSS
    shown = [k for k in range(count) if count <= room or k < room // 2 or k >= count - (room - room // 2)]
    rows, columns = -(-len(shown) // _ACROSS), min(len(shown), _ACROSS)
    height = 0.5 + rows * (0.7 + 0.2 * len(panels.names))
    width = 1.2 + 1.9 * columns
    figure = Figure(figsize=(width, len(titles) * height), layout="constrained")
    first, past = _find_axis_limits(np.concatenate([panels.values[:, shown], panels.marks[:, shown]]))
    blocks = figure.subfigures(len(titles), 1, squeeze=False)[:, 0]
    for s, (block, title) in enumerate(zip(blocks, titles, strict=True)):
        grid = block.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, k in zip_longest(grid.flat, shown):
            if k is None:
                axes.set_axis_off()
                continue
            axes.axvline(panels.total[s, k], color="black", linestyle="--", linewidth=0.8, zorder=0)
            _draw_dots(axes, panels.values[s, k], panels.marks[s, k], panels.names, first)
            axes.set_title(format_plain_text(panels.labels[k], 16), fontsize=9)
            axes.set_xlabel("error / exact gradient")
            axes.tick_params(labelbottom=True)
        grid[0, 0].set_xlim(first, past)
        grid[0, 0].set_yticks(np.arange(len(panels.names)), panels.names)
        grid[0, 0].set_ylim(len(panels.names) - 0.4, -0.6)  # the first row above
        block.suptitle(fill(title, int(_LETTERS * width)), fontsize=9)
    return figure


def _compute_relative_noise(group: Group, name: str) -> Array:
    """Return how single measurements scatter, over the exact gradient, (scheme, layer)."""
    acting = group["term"].data == "noise"
    return np.asarray(group[name].data[..., acting].sum(axis=2))


def _find_axis_limits(values: Array) -> tuple[float, float]:
    """Return the ends of the axis: all that is not zero, but not more than some decades."""
    shown = values[np.isfinite(values) & (values > 0.0)]
    if not shown.size:
        return 1e-4, 1.0
    past = 20.0 * float(shown.max())  # room for the numbers beside the bars
    return max(0.5 * float(shown.min()), float(shown.max()) * 10.0**-_DECADES), past


def _draw_dots(axes: Axes, values: Array, marks: Array, names: list[str], first: float) -> None:
    """Draw a dot, a tick and a number for every row; what is no cause but a sum or a part of them has other colours.

    No bars: on a logarithmic axis they would begin nowhere, and their lengths mean nothing. What lies below the axis
    is an arrow at its end.
    """
    there = np.flatnonzero(np.isfinite(values) & (values > first)).tolist()
    beyond = np.flatnonzero(np.isfinite(values) & (values > 0.0) & (values <= first))
    colours = [_SUMS.get(name, _PALE if name.startswith(_OF) else COLOURS[0]) for name in names]
    seen = np.flatnonzero(np.isfinite(marks) & (marks > first)).tolist()
    axes.plot(marks[seen], seen, "|", markersize=8, markeredgewidth=1.5, color="0.35", zorder=4)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    for k in there:
        axes.plot(values[k], k, "o", markersize=6.5, color=colours[k], zorder=3)
    if beyond.size:  # the layout cannot measure a line without points that is not cut
        axes.plot(np.full(len(beyond), first), beyond, "<", markersize=5, color="0.5", clip_on=False, zorder=3)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    for k, value in enumerate(values):
        text, colour = ("0", "0.5") if value == 0.0 else (format_percent(value), "black")
        beside = max(value if k in there else first, marks[k] if k in seen else first)
        style: dict[str, Any] = {"va": "center", "fontsize": 7, "color": colour, "bbox": behind}
        axes.annotate(text, (beside, k), xytext=(6.5, 0.0), textcoords="offset points", **style)


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
@styled
def draw_interactions(result: ResultData, scheme: int | None = None) -> Figure:
    """Draw, per layer, what every cause does alone, and as ticks what the chip gains without it.

    Below them the error with no cause, with all, and what no cause makes alone.
    """
    last = select_latest(result)
    group, schemes = last["ledger/interactions"], _name_schemes(last, scheme)
    at = list(schemes)
    names = [*(str(name) for name in group["cause"].data), "no cause", "interaction", "all causes"]
    rest = np.stack([group[name].data[at] for name in ("base", "interaction", "full")], axis=2)
    values = np.concatenate([group["alone"].data[at], rest], axis=2)
    marks = np.concatenate([group["removed"].data[at], np.zeros_like(rest)], axis=2)
    panels = _Panels(group["layer"].data, names, values, marks, group["full"].data[at])
    return _draw_panels(panels, list(schemes.values()))


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
@styled
def draw_waterfall(result: ResultData, scheme: int | None = None) -> Figure:
    """Draw, per scheme and layer, the cosine to the exact gradient as one cause after the other begins to act."""
    last = select_latest(result)
    group, schemes = last["ledger"], _name_schemes(last, scheme)
    acting = _list_vector_terms(group)
    names = ["exact", *_name_terms(group, acting)]
    figure = Figure(figsize=(6.4, 1.1 + 2.0 * len(schemes)), layout="constrained")
    panels = list(figure.subplots(len(schemes), 1, sharex=True, sharey=True, squeeze=False)[:, 0])
    for axes, (s, title) in zip(panels, schemes.items(), strict=True):
        for k, layer in enumerate(group["layer"].data):
            cosine = np.append(1.0, group["cosine_after"].data[s, k][acting])
            name = format_plain_text(layer, 16)
            axes.plot(np.arange(len(names)), cosine, drawstyle="steps-mid", label=name, **choose_look(k))
        axes.set_title(title, fontsize=9)
        axes.set_ylabel("cosine to the\nexact gradient")
    panels[-1].set_xticks(np.arange(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    panels[-1].set_xlabel("causes of error that act, from left to right")
    place_legend_below(figure, panels[:1])
    return figure
