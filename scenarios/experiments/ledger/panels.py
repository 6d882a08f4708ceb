"""What panels of rows of errors have in common: a logarithmic axis in percent, and a column of numbers beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]

AXIS = "error (% of the exact gradient)"

ROW = 0.155
"""Inches of a row."""

_WIDE = 1.5
"""Inches of a panel with room for four numbers at its ticks."""

_DECADES = 4.0
"""The axis spans at most so many."""


def find_axis_limits(values: Array) -> tuple[float, float]:
    """Return the ends of the axis: all that is not zero, but not more than some decades."""
    shown = values[np.isfinite(values) & (values > 0.0)]
    if not shown.size:
        return 1e-4, 1.0
    top = float(shown.max())
    return max(0.5 * float(shown.min()), top * 10.0**-_DECADES), 2.5 * top


def set_rows(axes: Axes, names: list[str], limits: tuple[float, float], width: float) -> None:
    """Name the rows of a panel so many inches wide, the first above, and set its axis."""
    axes.set_xlim(limits)  # before the scale, which would look for limits itself and finds none where all is 0
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=4 if width > _WIDE else 3))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100.0 * value:g}"))
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def write_numbers(axes: Axes, texts: list[str]) -> None:
    """Write a text beside every row, at the right of the panel."""
    for k, text in enumerate(texts):
        colour = "0.5" if text == "0" else "black"
        axes.text(1.05, k, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7, color=colour)


def format_error(value: float, first: float) -> str:
    """Return an error in percent, without the sign; of one below the axis, which begins at `first`, a bound."""
    if not np.isfinite(value):
        return "-"
    if 0.0 < value <= first:
        digit = 10.0 ** np.floor(np.log10(100.0 * first))
        return f"< {digit * np.ceil(100.0 * first / digit * (1.0 - 1e-12)):.1g}"
    return f"{100.0 * value:.3g}"
