"""The figures that results have: each is registered by the function that draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from ..drawing.space import makes_figure
from .kind import list_kinds

Subject = Literal["run", "comparison"]


@dataclass(frozen=True)
class RegisteredFigure:
    """A figure that a result, or two side by side, may have."""

    draw: Callable[..., Figure]
    """Takes one result or two, `ax` and `width`; see `makes_figure`."""

    when: Callable[..., bool]
    """Whether there is data for it."""

    caption: str
    """A name, a full stop, and how to read it."""

    count: Callable[..., str] | None
    """How many samples or chips it shows, as the last sentence of the caption."""


_FIGURES: dict[tuple[Subject, str], RegisteredFigure] = {}


def figure(
    name: str,
    when: Callable[..., bool],
    caption: str,
    count: Callable[..., str] | None = None,
    subject: Subject = "run",
) -> Callable[[Callable[..., None]], Callable[..., Figure]]:
    """Register a figure by the function that fills a space with it, and return the function that draws it.

    Parameters
    ----------
    name : str
        Of the figure and of its file.
    when : callable
        Tells whether a result, or two of them, have data for it.
    caption : str
        A name, a full stop, and how to read it.
    count : callable, optional
        Returns how many samples or chips are shown in it, to be added to the caption.
    subject : {"run", "comparison"}
        What it is drawn of: one result, or two.
    """

    def register(fill: Callable[..., None]) -> Callable[..., Figure]:
        draw = makes_figure(fill)
        _FIGURES[subject, name] = RegisteredFigure(draw, when, caption, count)
        return draw

    return register


def list_registered_figures(subject: Subject = "run") -> Mapping[str, RegisteredFigure]:
    """Return every figure by its name: those that come with nudgelab, then those that a user registered."""
    # Whatever was imported first.
    places = {module: place for place, module in enumerate(_import_figures())}
    found = sorted(_FIGURES.items(), key=lambda item: places.get(item[1].draw.__module__, len(places)))
    return {name: one for (drawn_of, name), one in found if drawn_of == subject}


@cache
def _import_figures() -> list[str]:
    """Import every module of figures in the folders of experiments; return their names, ledgers first."""
    kinds = [kind.name.replace("-", "_") for kind in list_kinds()]
    paths = sorted(Path(__file__).parent.glob("*/*figures.py"))
    paths.sort(key=lambda path: kinds.index(path.parent.name) if path.parent.name in kinds else -1)
    names = [f"{__package__}.{path.parent.name}.{path.stem}" for path in paths]
    for name in names:
        import_module(name)
    return names
