"""Figures of results as a notebook meets them: drawn when they are asked for, with their captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..drawing.space import PreparedFigure, Width

FORMATS = ("svg", "pdf", "png")

_DPI = 300


class HasFigures(Protocol):
    """A result, a sweep or a comparison."""

    @property
    def figures(self) -> Drawings:
        """The figures by name."""


class Drawing:
    """A figure of a result; shows itself in a notebook.

    Attributes
    ----------
    name : str
        Of the figure, and of its file.
    figure : matplotlib.figure.Figure
        What was drawn, or the figure of the axes that it was drawn into.
    caption : str
        What every mark is, and of how many samples or chips.
    """

    def __init__(self, name: str, figure: Figure, caption: str) -> None:
        self.name, self.figure, self.caption = name, figure, caption

    def save(self, path: str | Path) -> None:
        """Write the figure to a file of its size; the suffix says the format: svg, pdf or png.

        In svg and pdf, text stays text. A png has 300 points per inch.
        """
        from ..drawing.style import use_look

        with use_look():
            self.figure.savefig(path, dpi=_DPI)

    def _repr_svg_(self) -> str:
        from ..drawing.style import render_svg

        return render_svg(self.figure)

    def __repr__(self) -> str:
        """Return the name and the caption."""
        return f"<{self.name}: {self.caption}>"


class Drawings(Mapping[str, Drawing]):
    """The figures that a result has data for, by name, the main one first; drawn when they are asked for."""

    def __init__(self, prepared: Mapping[str, PreparedFigure]) -> None:
        self._prepared = prepared
        self._drawn: dict[str, Drawing] = {}

    def draw(self, name: str, ax: Axes | None = None, width: Width = "two-column") -> Drawing:
        """Return one figure, drawn anew.

        Raises
        ------
        KeyError
            If the result has no such figure; the message names those it has.
        """
        if name not in self._prepared:
            raise KeyError(f"no figure {name!r}: there are {', '.join(self._prepared) or 'none'}")
        figure = self._prepared[name]
        return Drawing(name, figure.draw(ax=ax, width=width), figure.caption)

    def __getitem__(self, name: str) -> Drawing:
        """Return one figure, two columns wide.

        Raises
        ------
        KeyError
            If the result has no such figure; the message names those it has.
        """
        if name not in self._drawn:
            self._drawn[name] = self.draw(name)
        return self._drawn[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._prepared)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._prepared)

    def __repr__(self) -> str:
        """Return the names."""
        return f"<figures: {', '.join(self) or 'none'}>"

    def _repr_html_(self) -> str:
        return "".join(f"<p>{d._repr_svg_()}</p><p>{escape(d.caption)}</p>" for d in self.values())


def draw(
    result: HasFigures | xr.DataTree | str | Path,
    name: str | None = None,
    ax: Axes | None = None,
    width: Width = "two-column",
) -> Drawing:
    """Draw one figure of a result for a paper.

    Parameters
    ----------
    result : Result, SweepResult, Comparison, DataTree, str or Path
        What is drawn; a path is opened first, and a tree is a result file opened by xarray.
    name : str, optional
        Of the figure, one of ``result.figures``; absent: the first, the main one.
    ax : Axes, optional
        Axes of yours to draw into; a figure of several panels takes their place. Absent: a figure of its own.
    width : {"two-column", "one-column"}
        Of a figure of its own: 7 or 3.35 inches (178 or 85 mm).

    Returns
    -------
    Drawing
        With `figure`, `caption` and `save`.

    Raises
    ------
    KeyError
        If the result has no such figure; the message names those it has.
    StoreReadError
        If a path cannot be read.
    ValueError
        If `width` is another one, or several panels have no place at `ax`.

    Examples
    --------
    >>> import nudgelab
    >>> result = nudgelab.load("ledger", {"experiment.samples": 4}).run()  # doctest: +SKIP
    >>> nudgelab.draw(result, "causes", width="one-column").save("causes.pdf")  # doctest: +SKIP
    """
    figures = _open_figures(result)
    return figures.draw(next(iter(figures), "") if name is None else name, ax, width)


def _open_figures(result: HasFigures | xr.DataTree | str | Path) -> Drawings:
    if isinstance(result, str | Path):
        from .result import open as open_result

        return open_result(result).figures
    import xarray as xr

    if not isinstance(result, xr.DataTree):
        return result.figures
    from ..report.figures import list_figures
    from .labels import convert_to_result_data

    return Drawings(list_figures(convert_to_result_data(result)))
