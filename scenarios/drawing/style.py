"""The look that all figures share: readable in grey, units on every axis."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any, TypeVar, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#882255", "#999933", "#332288", "#8C564B", "#808080"),
)
MARKERS = "osD^vPX*<>ph"
DASHES = ("-", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))

_CHARACTER = 0.08
"""Width of a character of a tick, in inches, at most."""

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nudgelab",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "font.size": 9,
}


def styled(draw: F) -> F:
    """Let a function that draws use this look and the defaults of matplotlib, whatever the user has set for plots."""

    @functools.wraps(draw)
    def drawn(*args: Any, **named: Any) -> Any:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            return draw(*args, **named)

    return cast("F", drawn)


def make_panels(count: int, width: float, share: bool = True) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` axes side by side, `width` inches wide, with one y axis if they `share` it."""
    figure = Figure(figsize=(width, 3.1), layout="constrained")
    grid = figure.subplots(1, count, sharey=share, squeeze=False)
    return figure, list(grid[0])


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


def label_layers(figure: Figure, axes: Axes, layers: NDArray[np.str_]) -> None:
    """Name the ticks of the x axis after the layers; many names are set aslant and get room."""
    names = [format_plain_text(layer, 16) for layer in layers]
    crowded = sum(len(name) + 2 for name in names) > 80
    aslant: dict[str, Any] = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}
    if crowded:
        figure.set_figheight(figure.get_figheight() + 0.8)
    axes.set_xticks(np.arange(len(layers)), names, **(aslant if crowded else {}))
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_xlabel("layer")


def draw_epoch_curve(
    axes: Axes, epoch: NDArray[np.int64], value: Array, k: int, label: str, dashed: bool = False
) -> None:
    """Draw the k-th curve over epochs; `dashed` curves have hollow markers, so that they differ in print."""
    style = choose_look(k) | ({"linestyle": "--", "markerfacecolor": "white", "zorder": 1.5} if dashed else {})
    shown = np.where(np.isfinite(value), value, np.nan)
    every = max(1, len(epoch) // 12)
    axes.plot(epoch, shown, label=format_plain_text(label), markevery=every, linewidth=1.2, **style)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")


def set_spaced_ticks(axes: Axes, places: Array, names: list[str], words: bool = False) -> None:
    """Put ticks on the x axis, whose scale and limits are set, so that no two names touch.

    Numbers that have no room are left out, their ticks stay; `words` are set aslant instead.
    """
    figure = axes.get_figure(root=True)
    width = 0.85 * figure.get_figwidth() if figure is not None else 1.0
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


def start_at_zero(axes: Axes) -> None:
    """Begin the y axis at 0, with room for a marker above the largest value."""
    _, top = axes.get_ylim()
    axes.set_ylim(0.0, 1.03 * top)


def place_legend_below(figure: Figure, axes: list[Axes]) -> None:
    """Put the keys of some axes below the whole figure, where they hide nothing, and give them room."""
    entries = [entry for a in axes for entry in zip(*a.get_legend_handles_labels(), strict=True)]
    if not entries:
        return
    width, height = figure.get_size_inches()
    columns = max(1, min(len(entries), int(14.0 * width) // (8 + max(len(label) for _, label in entries))))
    figure.set_figheight(height + 0.18 * -(-len(entries) // columns))
    figure.legend(*zip(*entries, strict=True), loc="outside lower center", ncols=columns)


@styled
def render_svg(figure: Figure) -> str:
    """Return a figure as SVG text, the same for the same figure."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return buffer.getvalue()
