"""Figures of the bias ledger: how large the error of every cause is, and what each leaves of the direction."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from ...drawing.style import COLOURS, key_below, look, panels, plain, styled
from ...results.store import Group, Result
from ...results.views import latest, percent
from .words import DITHERED, culprit

Array = NDArray[np.float64]

_ACROSS = 4
"""Panels side by side."""

_SUMS = {"total": "black", "one measurement": "0.6"}
"""Rows that are no causes, and their colours."""

_PARTS, _OF, _PALE = ("readout", "noise"), "- ", "#b8cbe0"
"""Causes that count as one where both act, what their names begin with then, and their colour."""

_ON_CONNECTIONS = ("presynaptic", "forgetting", "write", "write_noise")
"""Causes that error vectors do not have."""

_DECADES = 4.0
"""The axis of the causes spans at most so many."""


@styled
def causes(result: Result, scheme: int | None = None) -> Figure:
    """Draw, per layer, the error of every cause under one scheme, and the whole error below them.

    Bars are norms of the median sample over that of the exact gradient, on a logarithmic axis: causes are vectors, so
    that their norms do not add, and they lie decades apart. Readout and noise have one bar together where both act,
    and pale ones alone; so the longest full bar is the cause that the answer blames. Ticks: rms over the samples.
    Dashed: the whole error. Last, where it was measured: how single measurements scatter by noise, which the other
    bars are averages over; it is a cause like the coloured ones. Of many layers the first and the last four. Without
    `scheme` the one that the answer speaks of.
    """
    last = latest(result)
    group, scheme, title = _chosen(last, scheme)
    shown = [k for k, term in enumerate(group["term"].data) if term not in _ON_CONNECTIONS]
    names = [*_words(group, shown), "total"]
    values, marks = (
        np.concatenate([group[name].data[scheme][:, shown], group[total].data[scheme][:, None]], axis=1)
        for name, total in (("median", "total_median"), ("relative", "total"))
    )
    if all(part in names and (values[:, names.index(part)] > 0.0).any() for part in _PARTS):
        at = names.index(_PARTS[0])
        names.insert(at, DITHERED.lower())
        values, marks = (
            np.insert(a, at, group[name].data[scheme], axis=1)
            for a, name in ((values, "dithered_median"), (marks, "dithered"))
        )
        names = [f"{_OF}{name}" if name in _PARTS else name for name in names]
    spread, outliers = (np.nan_to_num(_noise(group, name, scheme)) for name in ("spread_median", "spread"))
    if spread.any():
        names, values = [*names, "one measurement"], np.concatenate([values, spread[:, None]], axis=1)
        marks = np.concatenate([marks, outliers[:, None]], axis=1)
    total = group["total_median"].data[scheme]
    return _side_by_side(group["layer"].data, names, (values, marks), total, title)


def _chosen(last: Result, scheme: int | None) -> tuple[Group, int, str]:
    """Return the ledger, a scheme of it and its name; absent, the one that the answer speaks of, and that it is."""
    group, of_many = last["ledger"], ""
    if scheme is None:
        found, count = culprit(group), len(group["scheme"].data)
        scheme = 0 if found is None else found.scheme
        of_many = f" (smallest error of {count} schemes)" if count > 1 and found is not None else ""
    return group, scheme, plain(group["scheme"].data[scheme]) + of_many


@styled
def causes_of_connections(result: Result, scheme: int | None = None) -> Figure:
    """Draw the same per connection, for the mean gradient of the batch: what the write makes of it is seen here.

    Connections that are not taught are left out. Ticks: how much a term differs between measurements or writes.
    """
    last = latest(result)
    _, scheme, name = _chosen(last, scheme)
    group = last["ledger/connections"]
    total = group["total"].data[scheme]
    taught = np.isfinite(total)
    values = np.concatenate([group["relative"].data[scheme], total[:, None]], axis=1)[taught]
    names = [*_words(group, range(len(group["term"].data))), "total"]
    spread = group["spread"].data[scheme] if "spread" in group else np.zeros_like(group["relative"].data[scheme])
    marks = np.concatenate([spread, np.zeros((len(spread), 1))], axis=1)[taught]
    labels, title = group["connection"].data[taught], f"mean gradient of the batch, {name}"
    return _side_by_side(labels, names, (values, marks), total[taught], title)


def _words(group: Group, shown: Iterable[int]) -> list[str]:
    return [str(group["term"].data[k]).replace("_", " ") for k in shown]


def _side_by_side(
    labels: NDArray[np.str_], names: list[str], sizes: tuple[Array, Array], total: Array, title: str
) -> Figure:
    """Draw one panel of bars per label.

    `sizes` are bars and ticks, (labels, names) each; `total` (labels,) is where the dashed line is.
    """
    values, marks = sizes
    count = len(labels)
    shown = [k for k in range(count) if count <= 2 * _ACROSS or k < _ACROSS or k >= count - _ACROSS]
    rows, columns = -(-len(shown) // _ACROSS), min(len(shown), _ACROSS)
    figure = Figure(figsize=(1.2 + 1.9 * columns, 0.5 + rows * (0.7 + 0.2 * len(names))), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    first, past = _span(np.concatenate([values[shown], marks[shown]]))
    for axes, k in zip_longest(grid.flat, shown):
        if k is None:
            axes.set_axis_off()
            continue
        axes.axvline(total[k], color="black", linestyle="--", linewidth=0.8, zorder=0)
        _bars(axes, values[k], marks[k], names, first)
        axes.set_title(plain(labels[k], 16), fontsize=9)
        axes.set_xlabel("error / exact gradient")
        axes.tick_params(labelbottom=True)
    grid[0, 0].set_xlim(first, past)
    grid[0, 0].set_yticks(np.arange(len(names)), names)
    grid[0, 0].invert_yaxis()
    figure.suptitle(title, fontsize=9)
    return figure


def _noise(group: Group, name: str, scheme: int) -> Array:
    """Return how single measurements scatter, over the exact gradient, (layer,)."""
    acting = group["term"].data == "noise"
    return np.asarray(group[name].data[scheme][:, acting].sum(axis=1))


def _span(values: Array) -> tuple[float, float]:
    """Return the ends of the axis: all that is not zero, but not more than some decades."""
    shown = values[np.isfinite(values) & (values > 0.0)]
    if not shown.size:
        return 1e-4, 1.0
    past = 15.0 * float(shown.max())  # room for the numbers beside the bars
    return max(0.5 * float(shown.min()), float(shown.max()) * 10.0**-_DECADES), past


def _bars(axes: Axes, values: Array, marks: Array, names: list[str], first: float) -> None:
    """Draw a bar, a tick and a number for every row; what is no cause but a sum or a part of them has other colours."""
    shown = np.where(np.isfinite(values), np.maximum(values, first), first)
    colours = [_SUMS.get(name, _PALE if name.startswith(_OF) else COLOURS[0]) for name in names]
    seen = np.flatnonzero(np.isfinite(marks) & (marks > first))
    axes.plot(marks[seen], seen, "|", markersize=8, markeredgewidth=1.5, color="0.35", zorder=4)
    axes.barh(np.arange(len(values)), shown - first, left=first, color=colours, height=0.7)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    for k, value in enumerate(values):
        text, colour = ("0", "0.5") if value == 0.0 else (percent(value), "black")
        beside = max(shown[k], marks[k] if k in seen else first)
        axes.text(1.2 * beside, k, text, va="center", fontsize=7, color=colour, bbox=behind)


@styled
def waterfall(result: Result, scheme: int | None = None) -> Figure:
    """Draw, per layer, the cosine to the exact gradient as one cause after the other begins to act."""
    group, scheme, title = _chosen(latest(result), scheme)
    acting = [k for k, term in enumerate(group["term"].data) if term not in _ON_CONNECTIONS]
    names = ["exact", *_words(group, acting)]
    figure, (axes,) = panels(1, width=6.4)
    for k, layer in enumerate(group["layer"].data):
        cosine = np.append(1.0, group["cosine_after"].data[scheme, k][acting])
        axes.plot(np.arange(len(names)), cosine, drawstyle="steps-mid", label=plain(layer, 16), **look(k))
    axes.set_xticks(np.arange(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlabel("causes of error that act, from left to right")
    axes.set_ylabel("cosine to the exact gradient")
    axes.set_title(title, fontsize=9)
    key_below(figure, [axes])
    return figure


@styled
def interactions(result: Result, scheme: int | None = None) -> Figure:
    """Draw, per layer, what every cause does alone, and as ticks what the chip gains without it.

    Below them the error with no cause, with all, and what no cause makes alone.
    """
    last = latest(result)
    _, scheme, title = _chosen(last, scheme)
    group = last["ledger/interactions"]
    names = [*(str(name) for name in group["cause"].data), "no cause", "interaction", "total"]
    rest = np.stack([group[name].data[scheme] for name in ("base", "interaction", "full")], axis=1)
    values = np.concatenate([group["alone"].data[scheme], rest], axis=1)
    marks = np.concatenate([group["removed"].data[scheme], np.zeros_like(rest)], axis=1)
    return _side_by_side(group["layer"].data, names, (values, marks), group["full"].data[scheme], title)
