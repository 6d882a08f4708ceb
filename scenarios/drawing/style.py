"""The look that all figures share: readable in grey, units on every axis."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#882255", "#999933", "#332288", "#8C564B", "#808080"),
)
MARKERS = "osD^vPX*<>ph"
DASHES = ("-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))

_CHARACTER = 0.065
"""Width of a character of a tick, in inches, at most."""

_METADATA = {
    "svg": ("Date", "Creator", "Format", "Type"),
    "pdf": ("CreationDate", "Creator", "Producer"),
    "png": ("Software",),
}
"""What each format would say of the time and the program."""

_DPI = 300

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nudgelab",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.title_fontsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "pdf.fonttype": 42,
    "lines.linewidth": 1.2,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.4,
}


@contextmanager
def use_look() -> Iterator[None]:
    """Use this look and the defaults of matplotlib, whatever the user has set for plots."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def format_plain_text(text: object, longest: int = 40) -> str:
    """Return text that the font has, that is not too long and that matplotlib does not take for a formula.

    Of a long one the end stays, too: names are often told apart by it.
    """
    words = "".join(c if " " <= c <= "~" else "?" for c in str(text))
    end = longest // 3
    words = words if len(words) <= longest else f"{words[: longest - 3 - end]}...{words[-end:]}"
    return words.replace("$", r"\$")


def choose_look(k: int) -> dict[str, Any]:
    """Return colour and marker of the k-th thing; both differ, for readers without colour."""
    turn = k // len(COLOURS)
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[(k + turn) % len(MARKERS)], "markersize": 4.5}


def draw_epoch_curve(
    axes: Axes, epoch: NDArray[np.int64], value: Array, k: int, label: str, dashed: bool = False
) -> None:
    """Draw the k-th curve over epochs; `dashed` curves have hollow markers, so that they differ in print."""
    style = (
        choose_look(k)
        | {"markersize": 3.5}
        | ({"linestyle": "--", "markerfacecolor": "white", "zorder": 1.5} if dashed else {})
    )
    shown = np.where(np.isfinite(value), value, np.nan)
    every = max(1, len(epoch) // 12)
    axes.plot(epoch, shown, label=format_plain_text(label, 60), markevery=every, linewidth=1.2, **style)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")


def set_spaced_ticks(axes: Axes, width: float, places: Array, names: list[str], words: bool = False) -> None:
    """Put ticks on the x axis, whose scale and limits are set, so that no two names touch on `width` inches.

    Numbers that have no room are left out, their ticks stay; `words` are set aslant instead.
    """
    where = axes.transLimits.transform(axes.transScale.transform(np.column_stack([places, np.zeros(len(places))])))
    centres, sizes = width * where[:, 0], [_CHARACTER * len(name) for name in names]
    shown, end = [], -np.inf
    for k in np.argsort(centres):
        free = centres[k] - 0.5 * sizes[k] > end + _CHARACTER
        shown.append((k, free))
        end = centres[k] + 0.5 * sizes[k] if free else end
    fitting = {int(k) for k, free in shown if free}
    if words and len(fitting) < len(names):
        axes.set_xticks(places, names, rotation=25, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(places, [name if k in fitting else "" for k, name in enumerate(names)])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())


def list_log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten from one positive number to another."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found = [digit * 10.0**power for power in powers for digit in (1.0, 2.0, 5.0)]
    return [tick for tick in found if low <= tick <= high]


def set_cosine_limits(axes: Axes) -> None:
    """End the y axis of cosines just above 1, which no cosine exceeds."""
    bottom = min(axes.get_ylim()[0], 0.99)
    axes.set_ylim(bottom, 1.0 + 0.04 * (1.0 - bottom))


def start_at_zero(axes: Axes) -> None:
    """Begin the y axis at 0, with room for a marker above the largest value."""
    _, top = axes.get_ylim()
    axes.set_ylim(0.0, 1.03 * top)


def render_svg(figure: Figure) -> str:
    """Return a figure as SVG text, the same for the same figure."""
    return render_figure(figure, "svg").decode()


def render_figure(figure: Figure, kind: str) -> bytes:
    """Return a figure in a format, svg, pdf or png, the same for the same figure.

    Raises
    ------
    ValueError
        If it is another format.
    """
    if kind not in _METADATA:
        raise ValueError(f"{kind!r} is no format of figures: choose {', '.join(_METADATA)}")
    buffer = io.BytesIO()
    with use_look():
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=dict.fromkeys(_METADATA[kind]))
    return buffer.getvalue()
