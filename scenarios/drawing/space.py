"""Where a figure is drawn: one or two columns of a paper, or axes of the user's."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from string import ascii_lowercase
from textwrap import fill
from typing import Any, Literal, NamedTuple, get_args

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from .style import format_plain_text, list_log_ticks, use_look

Width = Literal["one-column", "two-column"]

WIDTHS: dict[Width, float] = {"one-column": 3.35, "two-column": 7.0}
"""Inches: 85 mm and 178 mm."""

_HEIGHT = {"one-column": 2.2, "two-column": 2.6}
_LEAST = {True: 1.6, False: 2.3}
"""Inches of a panel that shares the y axis with others, and of one that has its own."""

_LETTERS = 15.0
"""Letters of a legend in an inch."""

_ROW = 0.17
"""Inches of a row of a legend."""

_UNIT = re.compile(r"\([^()]{1,24}\)")
"""What stays on one line of a label."""

_LABEL, _AROUND = 15.5, 0.5
"""Letters of a label in an inch, and inches above and below axes."""


class PreparedFigure(NamedTuple):
    """A figure that can be drawn."""

    draw: Callable[..., Figure]
    """Takes `ax` and `width`, as `makes_figure` says."""

    caption: str


class Space:
    """The place of a figure: panels are made in it, and a legend below them.

    Attributes
    ----------
    figure : Figure or SubFigure
        What holds the panels.
    width : float
        Of the place, inches.
    """

    def __init__(self, figure: Figure | SubFigure, width: float, height: float, ax: Axes | None = None) -> None:
        self.figure, self.width, self._height, self._ax = figure, width, height, ax
        self._columns = 1

    @property
    def panel_width(self) -> float:
        """Inches of the axes of one panel, about."""
        return (self.width - 0.65) / self._columns - 0.2

    def make_panels(
        self, count: int = 1, *, share: bool = True, height: float | None = None, least: float | None = None
    ) -> list[Axes]:
        """Return axes side by side, in as many rows as the width asks for.

        Parameters
        ----------
        count : int
            How many.
        share : bool
            Whether all have one y axis; if not, they have letters for the caption to name them by.
        height : float, optional
            Of a row, inches.
        least : float, optional
            Inches that one of them needs.
        """
        if count == 1 and self._ax is not None:
            return [self._ax]
        rows = -(-count // max(1, int(self.width / (least or _LEAST[share]))))
        self._columns, self._height = -(-count // rows), height or self._height
        self.set_height(rows * self._height)
        grid = self._make_inside().subplots(rows, self._columns, sharey=share, squeeze=False)
        panels = list(grid.flat)
        for spare in panels[count:]:
            spare.remove()
        for letter, axes in zip(ascii_lowercase, panels[: count if count > 1 and not share else 0], strict=False):
            axes.set_title(letter, loc="left", fontweight="bold")
        return panels[:count]

    def make_blocks(self, count: int, height: float) -> list[Space]:
        """Return places below each other, each so high, in inches."""
        self.set_height(count * height)
        blocks = self._make_inside().subfigures(count, 1, squeeze=False)[:, 0]
        return [Space(block, self.width, height) for block in blocks]

    def _make_inside(self) -> Figure | SubFigure:
        """Return what holds several panels: for the axes of a user a figure in their place."""
        if self._ax is None:
            return self.figure
        spec = self._ax.get_subplotspec()
        if spec is None:
            raise ValueError("a figure of several panels needs axes of a grid, such as those of matplotlib's subplots")
        self._ax.set_axis_off()
        self.figure, self._ax = self.figure.add_subfigure(spec), None
        return self.figure

    def thin_ticks(self) -> None:
        """Name the powers of ten of logarithmic axes alone; 1, 2 and 5 times them where fewer than two are in view."""
        for axes in self.figure.get_axes():
            for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
                if axis.get_scale() != "log" or isinstance(axis.get_minor_formatter(), NullFormatter):
                    continue
                low, high = sorted(limits)
                if np.floor(np.log10(high)) - np.ceil(np.log10(low)) < 1.0:
                    ticks = list_log_ticks(low, high)
                    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
                axis.set_minor_formatter(NullFormatter())

    def wrap_labels(self) -> None:
        """Break titles and labels that are longer than their axes; a layout keeps room beside them alone."""
        letters = _LABEL * (self._height - _AROUND), _LABEL * (self.panel_width + 0.3)
        for axes in self.figure.get_axes():
            axes.set_ylabel(_wrap(axes.get_ylabel(), letters[0]))
            axes.set_xlabel(_wrap(axes.get_xlabel(), letters[1]))
            axes.set_title(_wrap(axes.get_title(), _LABEL * self.panel_width))

    def set_height(self, inches: float) -> None:
        """Set the height of a figure of its own; axes of a user keep theirs."""
        if isinstance(self.figure, Figure) and self._ax is None:
            self.figure.set_figheight(inches)

    def add_height(self, inches: float) -> None:
        """Make a figure of its own higher."""
        if isinstance(self.figure, Figure):
            self.set_height(self.figure.get_figheight() + inches)

    def place_legend(self, panels: list[Axes], *, above: bool = False) -> None:
        """Put the keys of some panels below or above the whole, where they hide nothing; of a user's axes above."""
        entries = dict(entry for a in panels for entry in zip(*a.get_legend_handles_labels()[::-1], strict=True))
        if not entries:
            return
        columns = max(1, min(len(entries), int(_LETTERS * self.width) // (7 + max(map(len, entries)))))
        keys: dict[str, Any] = {"handles": list(entries.values()), "labels": list(entries), "ncols": columns}
        if self._ax is not None:
            self._ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), title=self._ax.get_title() or None, **keys)
            self._ax.set_title("")  # above the keys instead
            return
        self.add_height(_ROW * -(-len(entries) // columns))
        keys["loc"] = f"outside {'upper' if above else 'lower'} center"
        self.figure.legend(**keys)

    def label_layers(self, axes: Axes, layers: NDArray[np.str_]) -> None:
        """Name the ticks of the x axis after the layers; many names are set aslant and get room."""
        names = [format_plain_text(layer, 16) for layer in layers]
        crowded = sum(len(name) + 2 for name in names) > 14.0 * self.panel_width
        aslant: dict[str, Any] = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}
        if crowded:
            self.add_height(0.05 * max(map(len, names)))
        axes.set_xticks(np.arange(len(layers)), names, **(aslant if crowded else {}))
        axes.set_xlim(-0.5, len(layers) - 0.5)
        axes.set_xlabel("layer")


def _wrap(text: str, letters: float) -> str:
    """Return a text whose lines are not longer than so many letters; one that fits stays as it is."""
    fits = max(map(len, text.split("\n"))) <= letters
    whole = _UNIT.sub(lambda unit: unit[0].replace(" ", "\N{NO-BREAK SPACE}"), " ".join(text.split()))
    return text if fits else fill(whole, max(int(letters), 12))


def makes_figure(draw_into: Callable[..., object]) -> Callable[..., Figure]:
    """Turn a function that fills a space, its first argument, into one that returns a figure.

    The function takes two more names: `width`, ``"one-column"`` or ``"two-column"``, and `ax`, axes to draw into
    instead, whose figure is returned. Whatever the user has set for plots does not change the look.
    """

    @functools.wraps(draw_into)
    def draw(*args: Any, ax: Axes | None = None, width: Width = "two-column", **named: Any) -> Figure:
        if width not in get_args(Width):
            raise ValueError(f"width {width!r}: choose {' or '.join(map(repr, get_args(Width)))}")
        with use_look():
            space = _take_axes(ax) if ax is not None else _make_space(width)
            if (found := draw_into(space, *args, **named)) is not None:
                raise TypeError(f"{draw_into.__name__} returned {found!r}: draw into the space, and return nothing")
            space.thin_ticks()
            space.wrap_labels()
        return space.figure.figure

    return draw


def _make_space(width: Width) -> Space:
    figure = Figure(figsize=(WIDTHS[width], _HEIGHT[width]), layout="constrained")
    return Space(figure, WIDTHS[width], _HEIGHT[width])


def _take_axes(ax: Axes) -> Space:
    """Return the place of axes of a user, in the look of the others; their figure gets a layout if it has none."""
    parent = ax.get_figure()
    if parent is None:
        raise ValueError("these axes are in no figure: make them with matplotlib's subplots")
    root = parent.figure
    if isinstance(root, Figure) and root.get_layout_engine() is None:
        root.set_layout_engine("constrained")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=mpl.rcParams["xtick.labelsize"])
    for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
        text.set_fontsize(mpl.rcParams["axes.labelsize"])
    spec, width = ax.get_subplotspec(), parent.bbox.width / parent.dpi
    width *= 1.0 if spec is None else len(spec.colspan) / spec.get_gridspec().ncols
    return Space(parent, width, _HEIGHT["one-column"], ax)
