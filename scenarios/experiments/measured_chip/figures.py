"""Figure of a chip on a board: how well its error vectors repeat, and agree with node perturbation."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ...drawing.space import Space
from ...drawing.style import choose_look, format_plain_text, set_cosine_limits
from ...results.store import ResultData
from ..figures import figure

_PANELS = {"cosine_single": "one measurement, to the mean", "cosine_probed": "mean, to node perturbation"}
"""Cosines of error vectors in a result, and to what they are."""


def _list_panels(result: ResultData) -> list[str]:
    group = result.groups.get("estimates", {})
    return [name for name in _PANELS if name in group and np.isfinite(group[name].data).any()]


def _describe_counts(result: ResultData) -> str:
    repeats, samples = result["reads"][f"{result['estimates']['layer'].data[0]}"].data.shape[:2]
    return f"n = {samples} samples, each measured {repeats} times."


@figure(
    "board",
    when=lambda result: bool(_list_panels(result)),
    caption=(
        "Gradients of a chip on a board. Cosine of the error vectors of every layer, by scheme: of one measurement to "
        "the mean of endlessly many, and of the mean of the repeats to node perturbation. A black bar is the largest "
        "cosine that noise and size of node perturbation allow. None of them is to the exact gradient, which nobody "
        "knows on a board."
    ),
    count=_describe_counts,
)
def draw_board(space: Space, result: ResultData) -> None:
    """Draw by layer the cosine of one measurement to the mean, and of the mean to node perturbation."""
    group, names = result["estimates"], _list_panels(result)
    panels = space.make_panels(len(names))
    places = np.arange(len(group["layer"].data))
    for axes, name in zip(panels, names, strict=True):
        for s, scheme in enumerate(group["scheme"].data):
            shown = np.where(np.isfinite(group[name].data[s]), group[name].data[s], np.nan)
            # Beside each other, since schemes of little noise lie on each other.
            aside = 0.12 * (s - 0.5 * (len(group["scheme"].data) - 1))
            axes.plot(places + aside, shown, linestyle="none", label=format_plain_text(scheme), **choose_look(s))
        if name == "cosine_probed":
            _draw_bound(axes, group["cosine_allowed"].data)
        axes.set_title(_PANELS[name])
        space.label_layers(axes, group["layer"].data)
    panels[0].set_ylabel("cosine of error vectors")
    for axes in panels:
        set_cosine_limits(axes)
    space.place_legend(panels)


def _draw_bound(axes: Axes, allowed: np.ndarray) -> None:
    axes.hlines(
        allowed, np.arange(len(allowed)) - 0.35, np.arange(len(allowed)) + 0.35, color="black", label="most allowed"
    )
