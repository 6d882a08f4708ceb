"""Figures that users bring."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..experiments.figures import figure, list_registered_figures
from ..results.store import ResultData

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
