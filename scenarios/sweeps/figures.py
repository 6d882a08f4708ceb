"""Figures of a sweep: the figure of merit along every axis, over two of them, and against the first level."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..drawing.space import Space, makes_figure
from ..drawing.style import choose_look, format_plain_text, set_spaced_ticks
from ..results.points import PointStatus
from ..results.statistics import compute_differences, compute_interval
from .metric import DesignAxis, Metric

Array = NDArray[np.float64]

_CURVES = 12
"""Curves in one figure; the tables have the others."""
_TICKS = 12
_WIDE = 20.0


@makes_figure
def draw_along_axis(space: Space, metric: Metric, axes: list[DesignAxis], k: int, threshold: float) -> None:
    """Draw the figure of every chip against the k-th axis.

    Dots: chips. Line and band: their mean and its 95 % interval. One colour per layer, or per level of the
    other axes for the worst layer. Dotted: the matching rule, where the axis is the spread of the feedback.

    Parameters
    ----------
    metric : Metric
    axes : list of Axis
        All axes of the sweep.
    k : int
        Which of them.
    threshold : float
        Cosine that is good enough.
    """
    axis = axes[k]
    (panel,) = space.make_panels()
    x = compute_positions(axis)
    spread = 0.0 if axis.numeric else 0.25
    curves = list(_list_curves(metric, axes, k).items())[:_CURVES]
    for c, (label, values) in enumerate(curves):
        style = choose_look(c)
        chips = values.shape[1]
        shift = spread * (c - 0.5 * (len(curves) - 1)) / max(1, len(curves))
        dots: dict[str, Any] = {"linestyle": "none", "markersize": 2.5, "alpha": 0.35, "zorder": 1}
        panel.plot(np.repeat(x + shift, chips), values.ravel(), **(style | dots))
        if len(np.unique(x)) < len(x):
            continue
        order, found = np.argsort(x), compute_interval(values)
        panel.plot(
            (x + shift)[order],
            found.mean[order],
            label=format_plain_text(label or metric.words),
            linewidth=1.2,
            **style,
        )
        if (found.chips > 1).any():
            band = {"color": style["color"], "alpha": 0.15, "linewidth": 0.0}
            panel.fill_between((x + shift)[order], found.low[order], found.high[order], **band)
    if metric.rule is not None and has_rule(axis):
        _draw_rule(panel, metric, axes, k, x)
    if metric.cosine:
        panel.axhline(threshold, color="0.5", linewidth=0.8, linestyle="--")
    _label_axis(space, panel, axis, x)
    panel.set_ylabel(_describe_metric(metric, len(axes) > 1))
    good = [threshold] if metric.cosine else []
    _set_value_limits(panel, np.concatenate([*(values.ravel() for _, values in curves), good]))
    _draw_legend(space, panel)


def _set_value_limits(panel: Axes, values: Array) -> None:
    """Show all values, and of wider intervals the part near them: those of two chips are huge."""
    low, high = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
    if low < high:
        bottom, top = panel.get_ylim()
        panel.set_ylim(max(bottom, low - 0.5 * (high - low)), min(top, high + 0.5 * (high - low)))


def _draw_legend(space: Space, panel: Axes) -> None:
    """Name the curves if there are several; the axis names a single one."""
    if len(panel.get_legend_handles_labels()[1]) > 1:
        space.place_legend([panel])


def _list_curves(metric: Metric, axes: list[DesignAxis], k: int) -> dict[str, Array]:
    """Return arrays (level, chip) by label: the series, or the levels of the other dimensions."""
    axis = axes[k]
    others = [a for a in axes if a.dim != axis.dim]
    if not others:
        values = np.moveaxis(metric.values, axis.dim, 0)
        values = values.reshape(len(values), -1, values.shape[-1])
        return {label: values[..., s] for s, label in enumerate(metric.series)}
    values = np.moveaxis(metric.worst, axis.dim, 0)
    sizes = [size for d, size in enumerate(metric.worst.shape[:-1]) if d != axis.dim]
    dims = [d for d in range(metric.worst.ndim - 1) if d != axis.dim]
    found = {}
    for place in np.ndindex(*sizes):
        words = [format_axis_level(a, a.values[place[dims.index(a.dim)]].item()) for a in others]
        found[", ".join(words)] = values[(slice(None), *place)]
    return found


def _draw_rule(panel: Axes, metric: Metric, axes: list[DesignAxis], k: int, x: Array) -> None:
    """Draw what the matching rule expects; it is the same for all chips and nearly so for other axes."""
    rule = np.moveaxis(metric.rule, axes[k].dim, 0) if metric.rule is not None else np.empty((0, 0))
    rule = compute_interval(rule.reshape(len(rule), -1, rule.shape[-1]).swapaxes(1, 2)).mean
    alone = all(a.dim == axes[k].dim for a in axes)
    curves = list(rule.T) if alone else [rule.min(axis=1)]
    order = np.argsort(x)
    for c, curve in enumerate(curves[:_CURVES]):
        colour = choose_look(c)["color"] if alone else "0.3"
        panel.plot(
            x[order], curve[order], color=colour, linestyle=":", linewidth=1.6, label=None if c else "matching rule"
        )


def has_rule(axis: DesignAxis) -> bool:
    """Tell whether the axis is a spread of feedback cells, for which the matching rule says what to expect."""
    return axis.path.startswith(("devices.feedback.mismatch_sigma", "devices.feedback.pelgrom"))


def compute_positions(axis: DesignAxis) -> Array:
    """Return where the levels of an axis stand: the numbers themselves, or places in a row."""
    return axis.values.astype(np.float64) if axis.numeric else np.arange(len(axis.values), dtype=np.float64)


def _label_axis(space: Space, panel: Axes, axis: DesignAxis, x: Array) -> None:
    """Name and scale the x axis; numbers that span much stand on a logarithm, with 0 beside it."""
    levels, scale = np.unique(x), ""
    positive = levels[levels > 0.0]
    if axis.numeric and len(positive) > 1 and levels[0] >= 0.0 and positive[-1] / positive[0] >= _WIDE:
        if levels[0] > 0.0:
            panel.set_xscale("log")
        else:
            panel.set_xscale("symlog", linthresh=float(positive[0]), linscale=0.5)
            panel.set_xlim(-0.2 * positive[0], 1.2 * positive[-1])
            scale = f" (linear below {positive[0]:.3g}, logarithmic above)"
    if len(levels) <= _TICKS:
        names = (
            [f"{value:.3g}" for value in levels]
            if axis.numeric
            else [format_plain_text(text, 24) for text in axis.values]
        )
        set_spaced_ticks(panel, space.panel_width, levels, names, words=not axis.numeric)
    panel.set_xlabel(format_plain_text(axis.path, 60) + scale)


def format_axis_level(axis: DesignAxis, value: object) -> str:
    """Return a level with the last part of its key; a text says itself what it is."""
    return f"{axis.path.rpartition('.')[2]} {_format_level(value)}" if axis.numeric else str(value)


def _format_level(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _describe_metric(metric: Metric, worst: bool) -> str:
    words = textwrap.fill(metric.words.partition(",")[0], 34)
    return f"{words}\n(worst layer)" if worst and len(metric.series) > 1 else words


@makes_figure
def draw_heat_map(space: Space, metric: Metric, status: NDArray[np.int8], axes: list[DesignAxis]) -> None:
    """Draw the mean over chips for two axes; hatched where points failed, diverged or have not run.

    Parameters
    ----------
    metric : Metric
    status : ndarray
        How every point ended, over (dimension, dimension, chip).
    axes : list of two Axis
        Of different dimensions, in their order.
    """
    mean = compute_interval(metric.worst).mean
    bad = (status != PointStatus.OK).sum(axis=-1)
    (panel,) = space.make_panels()
    image = panel.pcolormesh(np.ma.masked_invalid(mean), cmap="cividis", edgecolors="white", linewidth=0.5)
    space.figure.colorbar(image, ax=panel, label=_describe_metric(metric, worst=True))
    for i, j in zip(*np.nonzero(bad), strict=True):
        panel.fill([j, j + 1, j + 1, j], [i, i, i + 1, i + 1], fill=False, hatch="///", edgecolor="0.35", linewidth=0.0)
        panel.text(
            j + 0.5,
            i + 0.5,
            f"{bad[i, j]} of {status.shape[-1]}",
            ha="center",
            va="center",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    for axis, set_ticks, set_label in (
        (axes[1], panel.set_xticks, panel.set_xlabel),
        (axes[0], panel.set_yticks, panel.set_ylabel),
    ):
        every = max(1, len(axis.values) // _TICKS)
        places = np.arange(0, len(axis.values), every)
        set_ticks(places + 0.5, [format_plain_text(_format_level(axis.values[p].item()), 24) for p in places])
        set_label(format_plain_text(axis.path, 60))


@makes_figure
def draw_paired_differences(space: Space, metric: Metric, axes: list[DesignAxis], k: int) -> None:
    """Draw how far every level is from the first of the k-th axis, chip by chip, with the 95 % interval of the mean.

    Parameters
    ----------
    metric : Metric
    axes : list of Axis
        All axes of the sweep.
    k : int
        Which of them.
    """
    (panel,) = space.make_panels()
    axis = axes[k]
    places = np.arange(len(axis.values), dtype=np.float64)
    curves = list(_list_curves(metric, axes, k).items())[:_CURVES]
    for c, (label, values) in enumerate(curves):
        found = compute_interval(compute_differences(values))
        style = choose_look(c)
        shift = 0.5 * (c - 0.5 * (len(curves) - 1)) / max(1, len(curves))
        apart = compute_differences(values)
        dots: dict[str, Any] = {"linestyle": "none", "markersize": 2.5, "alpha": 0.35, "zorder": 1}
        panel.plot(np.repeat(places + shift, values.shape[1]), apart.ravel(), **(style | dots))
        bars = np.array([found.mean - found.low, found.high - found.mean])
        panel.errorbar(
            places + shift,
            found.mean,
            bars,
            label=format_plain_text(label or metric.words),
            capsize=2.5,
            linestyle="none",
            **style,
        )
    panel.axhline(0.0, color="0.5", linewidth=0.8)
    names = [format_plain_text(_format_level(value.item()), 24) for value in axis.values]
    every = max(1, len(names) // _TICKS)
    set_spaced_ticks(panel, space.panel_width, places[::every], names[::every], words=not axis.numeric)
    panel.set_xlabel(format_plain_text(axis.path, 60))
    points = ", percentage points" if metric.unit else ""
    panel.set_ylabel(f"difference to {names[0]},\nsame chip{points}")
    _set_value_limits(panel, np.concatenate([[0.0], *(compute_differences(values).ravel() for _, values in curves)]))
    _draw_legend(space, panel)
