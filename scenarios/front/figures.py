"""Figures of results: drawn for papers, and those that users bring."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..experiments.figures import figure, list_registered_figures
from ..report.figures import list_figures
from ..results.store import ResultData
from .drawings import Drawing, Drawings
from .labels import convert_to_result_data

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..drawing.space import Width


class HasFigures(Protocol):
    """A result, a sweep or a comparison."""

    @property
    def figures(self) -> Drawings:
        """The figures by name."""


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
    return Drawings(list_figures(convert_to_result_data(result)))


def register_figure(
    name: str, when: Callable[[ResultData], bool], caption: str, count: Callable[[ResultData], str] | None = None
) -> Callable[[Callable[..., None]], Callable[..., Figure]]:
    """Register a function that draws a figure of yours: every result that has data for it has the figure, too.

    The function takes a space and a result, whose arrays are ``result["gradient"]["cosine"].data``, and draws into
    the axes that ``space.make_panels(count)`` makes; ``space.place_legend(panels)`` puts their keys below them. The
    figure is in ``result.figures`` and on the page of every run of this process, in the look of the others; `draw`
    draws it one or two columns wide, or into axes.

    Parameters
    ----------
    name : str
        Of the figure and of its file: letters, digits, ``_`` and ``-``.
    when : callable
        Tells whether a result has data for it, such as ``lambda result: "gradient" in result.groups``.
    caption : str
        A name, a full stop, and how to read it.
    count : callable, optional
        Returns how many samples or chips a result shows in it, to be added to the caption.

    Raises
    ------
    ValueError
        If the name cannot be one, or is that of a figure that comes with nudgelab.

    Examples
    --------
    >>> import nudgelab
    >>> @nudgelab.register_figure("norms", lambda result: "gradient" in result.groups, "Norms. Measured over exact.")
    ... def draw_norms(space, result):
    ...     (axes,) = space.make_panels()
    ...     axes.plot(result["gradient"]["norm_ratio"].data.T)
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,59}", name):
        raise ValueError(f"{name!r} cannot name a figure: use letters, digits, '_' and '-', at most 60")
    known = list_registered_figures().get(name)
    if known is not None and known.draw.__module__.startswith("scenarios."):
        raise ValueError(f"{name!r} is a figure of nudgelab: choose another name")

    return figure(name, when, caption, count)
