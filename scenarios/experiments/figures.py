"""The figures that results have: each is registered by the function that draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from ..results.store import Group, Result
from ..results.views import latest
from .kind import all_kinds, modules_of

Draw = Callable[[Result], Figure]
D = TypeVar("D", bound=Callable[..., Figure])


@dataclass(frozen=True)
class Registered:
    """A figure that a result may have."""

    draw: Draw
    when: Callable[[Result], bool]
    """Whether a result has data for it."""

    caption: str
    """A name, a full stop, and how to read it."""

    count: Callable[[Result], str] | None
    """How many samples or chips it shows, as the last sentence of the caption."""


_FIGURES: dict[str, Registered] = {}


def figure(
    name: str, when: Callable[[Result], bool], caption: str, count: Callable[[Result], str] | None = None
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
        _FIGURES[name] = Registered(draw, when, caption, count)
        return draw

    return register


def all_figures() -> Mapping[str, Registered]:
    """Return every figure by its name: those of the kinds of experiment, then those that a user registered."""
    _load()
    modules = [module for kind in all_kinds() for module in modules_of(kind, "figures")]
    # Whatever was imported first.
    places = {module: place for place, module in enumerate(modules)}
    return dict(sorted(_FIGURES.items(), key=lambda item: places.get(item[1].draw.__module__, len(places))))


@cache
def _load() -> None:
    """Import every module of figures in the folders of the kinds."""
    for kind in all_kinds():
        for module in modules_of(kind, "figures"):
            import_module(module)


def count_samples(group: Group) -> str:
    """Return how many samples a group counts, in a sentence; nothing where it does not say."""
    kept = group.get("kept")
    if kept is None:
        return ""
    counts = np.atleast_2d(kept.data).sum(axis=1)
    range_ = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}, by scheme,"
    return f"n = {range_} of {kept.data.shape[-1]} samples."


def count_measured(result: Result) -> str:
    """Return how many samples the gradients of a result count, in a sentence; of a training nothing."""
    return count_samples(latest(result).groups.get("gradient", {}))
