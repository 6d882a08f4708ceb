"""The figures that results have: each is registered by the function that draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from ..results.store import Group, ResultData
from ..results.views import select_latest
from .kind import list_kind_modules, list_kinds

Draw = Callable[[ResultData], Figure]
D = TypeVar("D", bound=Callable[..., Figure])


@dataclass(frozen=True)
class RegisteredFigure:
    """A figure that a result may have."""

    draw: Draw
    when: Callable[[ResultData], bool]
    """Whether a result has data for it."""

    caption: str
    """A name, a full stop, and how to read it."""

    count: Callable[[ResultData], str] | None
    """How many samples or chips it shows, as the last sentence of the caption."""


_FIGURES: dict[str, RegisteredFigure] = {}


def figure(
    name: str, when: Callable[[ResultData], bool], caption: str, count: Callable[[ResultData], str] | None = None
) -> Callable[[D], D]:
    """Register a function that draws a figure from a result; figures stand in the order of their registration.

    Parameters
    ----------
    name : str
        Of the figure and of its file.
    when : callable
        Tells whether a result has data for it.
    caption : str
        A name, a full stop, and how to read it.
    count : callable, optional
        Returns how many samples or chips a result shows in it, to be added to the caption.
    """

    def register(draw: D) -> D:
        _FIGURES[name] = RegisteredFigure(draw, when, caption, count)
        return draw

    return register


def list_registered_figures() -> Mapping[str, RegisteredFigure]:
    """Return every figure by its name: those of the kinds of experiment, then those that a user registered."""
    _import_figures()
    modules = [module for kind in list_kinds() for module in list_kind_modules(kind, "figures")]
    # Whatever was imported first.
    places = {module: place for place, module in enumerate(modules)}
    return dict(sorted(_FIGURES.items(), key=lambda item: places.get(item[1].draw.__module__, len(places))))


@cache
def _import_figures() -> None:
    """Import every module of figures in the folders of the kinds."""
    for kind in list_kinds():
        for module in list_kind_modules(kind, "figures"):
            import_module(module)


def describe_sample_count(group: Group) -> str:
    """Return how many samples a group counts, in a sentence; nothing where it does not say."""
    kept = group.get("kept")
    if kept is None:
        return ""
    counts = np.atleast_2d(kept.data).sum(axis=1)
    range_ = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}, by scheme,"
    return f"n = {range_} of {kept.data.shape[-1]} samples."


def describe_measured_count(result: ResultData) -> str:
    """Return how many samples the gradients of a result count, in a sentence; of a training nothing."""
    return describe_sample_count(select_latest(result).groups.get("gradient", {}))
