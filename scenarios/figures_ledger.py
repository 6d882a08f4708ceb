"""Figures of the bias ledger: how large the error of every cause is, and what each leaves of the direction."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from .figures_style import COLOURS, key_below, look, panels, plain, styled
from .store import Group, Result
from .views import latest, percent

Array = NDArray[np.float64]

_ACROSS = 4
"""Panels side by side."""

_SUMS = {"total": "black", "one measurement": "0.6"}
"""Rows that are no causes, and their colours."""

_ON_CONNECTIONS = ("presynaptic", "forgetting", "write", "write_noise")
"""Causes that error vectors do not have."""

_DECADES = 4.0
"""The axis of the causes spans at most so many."""


@styled
def causes(result: Result, scheme: int = 0) -> Figure:
    """Draw, per layer, the error of every cause under one scheme, and the whole error below them.

    Bars are rms norms over that of the exact gradient, on a logarithmic axis: causes are vectors, so that
    their norms do not add, and they lie decades apart. Dashed: the whole error. Last, where it was
    measured: the spread of a single measurement by noise, which the other bars are averages over. Of many
    layers the first and the last four.
    """
    last = latest(result)
    group = last["ledger"]
    acting = [k for k, term in enumerate(group["term"].data) if term not in _ON_CONNECTIONS]
    names = [*_words(group, acting), "total"]
    total = group["total"].data[scheme]
    values = np.concatenate([group["relative"].data[scheme][:, acting], total[:, None]], axis=1)
    if (spread := _spread(last, scheme)).any():
        names, values = [*names, "one measurement"], np.concatenate([values, spread[:, None]], axis=1)
    return _side_by_side(group["layer"].data, names, values, total, plain(group["scheme"].data[scheme]))


@styled
def causes_of_connections(result: Result, scheme: int = 0) -> Figure:
    """Draw the same per connection, for the mean gradient of the batch: what the write makes of it is seen here.

    Connections that are not taught are left out.
    """
    group = latest(result)["ledger/connections"]
    total = group["total"].data[scheme]
    taught = np.isfinite(total)
    values = np.concatenate([group["relative"].data[scheme], total[:, None]], axis=1)[taught]
    names = [*_words(group, range(len(group["term"].data))), "total"]
    title = f"mean gradient of the batch, {plain(group['scheme'].data[scheme])}"
    return _side_by_side(group["connection"].data[taught], names, values, total[taught], title)


def _words(group: Group, shown: Iterable[int]) -> list[str]:
    return [str(group["term"].data[k]).replace("_", " ") for k in shown]


def _side_by_side(labels: NDArray[np.str_], names: list[str], values: Array, total: Array, title: str) -> Figure:
    """Draw one panel of bars per label; `values` (labels, names), `total` (labels,) is where the dashed line is."""
    count = len(labels)
    shown = [k for k in range(count) if count <= 2 * _ACROSS or k < _ACROSS or k >= count - _ACROSS]
    rows, columns = -(-len(shown) // _ACROSS), min(len(shown), _ACROSS)
    figure = Figure(figsize=(1.2 + 1.9 * columns, 0.5 + rows * (0.7 + 0.2 * len(names))), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    first, past = _span(values[shown])
    for axes, k in zip_longest(grid.flat, shown):
        if k is None:
            axes.set_axis_off()
            continue
        axes.axvline(total[k], color="black", linestyle="--", linewidth=0.8, zorder=0)
        _bars(axes, values[k], names, first)
        axes.set_title(plain(labels[k], 16), fontsize=9)
        axes.set_xlabel("error / exact gradient (rms)")
        axes.tick_params(labelbottom=True)
    grid[0, 0].set_xlim(first, past)
    grid[0, 0].set_yticks(np.arange(len(names)), names)
    grid[0, 0].invert_yaxis()
    figure.suptitle(title, fontsize=9)
    return figure


def _spread(last: Result, scheme: int) -> Array:
    """Return the standard deviation of a component over the rms of the exact gradient, (layer,); 0: not measured."""
    if "variance" not in last["ledger"] or "signal" not in last.groups:
        return np.zeros(len(last["ledger"]["layer"].data))
    size = last["signal"]["delta"].data
    deviation = np.sqrt(np.maximum(np.nan_to_num(last["ledger"]["variance"].data[scheme]), 0.0))
    return np.asarray(np.divide(deviation, size, out=np.zeros_like(deviation), where=size > 0.0))


def _span(values: Array) -> tuple[float, float]:
    """Return the ends of the axis: all that is not zero, but not more than some decades."""
    shown = values[np.isfinite(values) & (values > 0.0)]
    if not shown.size:
        return 1e-4, 1.0
    past = 15.0 * float(shown.max())  # room for the numbers beside the bars
    return max(0.5 * float(shown.min()), float(shown.max()) * 10.0**-_DECADES), past


def _bars(axes: Axes, values: Array, names: list[str], first: float) -> None:
    """Draw a bar and a number for every row; what is no cause but a sum of them is not in colour."""
    shown = np.where(np.isfinite(values), np.maximum(values, first), first)
    colours = [_SUMS.get(name, COLOURS[0]) for name in names]
    axes.barh(np.arange(len(values)), shown - first, left=first, color=colours, height=0.7)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    for k, value in enumerate(values):
        text, colour = ("0", "0.5") if value == 0.0 else (percent(value), "black")
        axes.text(1.2 * shown[k], k, text, va="center", fontsize=7, color=colour, bbox=behind)


@styled
def waterfall(result: Result, scheme: int = 0) -> Figure:
    """Draw, per layer, the cosine to the exact gradient as one cause after the other begins to act."""
    group = latest(result)["ledger"]
    acting = [k for k, term in enumerate(group["term"].data) if term not in _ON_CONNECTIONS]
    names = ["exact", *_words(group, acting)]
    figure, (axes,) = panels(1, width=6.4)
    for k, layer in enumerate(group["layer"].data):
        cosine = np.append(1.0, group["cosine_after"].data[scheme, k][acting])
        axes.plot(np.arange(len(names)), cosine, drawstyle="steps-mid", label=plain(layer, 16), **look(k))
    axes.set_xticks(np.arange(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlabel("causes of error that act, from left to right")
    axes.set_ylabel("cosine to the exact gradient")
    axes.set_title(plain(group["scheme"].data[scheme]), fontsize=9)
    key_below(figure, [axes])
    return figure
