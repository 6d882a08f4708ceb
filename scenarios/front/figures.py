"""Figures that users bring."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..drawing.style import styled
from ..experiments.figures import D, figure, list_registered_figures
from ..results.store import ResultData


def register_figure(
    name: str, when: Callable[[ResultData], bool], caption: str, count: Callable[[ResultData], str] | None = None
) -> Callable[[D], D]:
    """Register a function that draws a figure of yours: every result that has data for it has the figure, too.

    The function takes a result, whose arrays are ``result["gradient"]["cosine"].data``, and returns a matplotlib
    figure. The figure is in ``result.figures`` and on the page of every run of this process, in the look of the others.

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
    >>> from matplotlib.figure import Figure
    >>> @nudgelab.register_figure("norms", lambda result: "gradient" in result.groups, "Norms. Measured over exact.")
    ... def norms(result):
    ...     drawn = Figure()
    ...     axes = drawn.subplots()
    ...     axes.plot(result["gradient"]["norm_ratio"].data.T)
    ...     return drawn
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,59}", name):
        raise ValueError(f"{name!r} cannot name a figure: use letters, digits, '_' and '-', at most 60")
    known = list_registered_figures().get(name)
    if known is not None and known.draw.__module__.startswith("scenarios."):
        raise ValueError(f"{name!r} is a figure of nudgelab: choose another name")

    def keep(draw: D) -> D:
        figure(name, when, caption, count)(styled(draw))
        return draw

    return keep
