"""Figures of a comparison of write policies."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ...drawing.space import Space
from ...drawing.style import choose_look, format_plain_text
from ...results.store import Group, ResultData
from ...results.views import select_latest
from ..figures import figure
from .sheets import ROUNDING, list_present_terms
from .words import find_worst_place

Array = NDArray[np.float64]

_WORDS = {"write_noise": "write noise"}
_SPAN = 1e4


@figure(
    "writes",
    when=lambda result: "write" in select_latest(result).groups,
    caption=(
        "Writes of many batches. a: cosine of the change of the effective weights to the summed requests, by "
        "connection; hollow: of what the cells keep, without the noise of writes; dashes: what a formula of few "
        "numbers gives. b: what every term adds to the requests of the connection that the best policy serves "
        "worst, in % of their rms, from what the policy holds back to the noise of writes; terms of 0 are not drawn."
    ),
)
def draw_writes(space: Space, result: ResultData) -> None:
    """Draw the cosines of every policy and connection, and the terms of the worst connection."""
    group = select_latest(result)["write"]
    (left, right) = space.make_panels(2, share=False)
    _draw_cosines(left, group)
    _draw_terms(right, group, find_worst_place(group).connection)
    space.place_legend([left])


def _draw_cosines(axes: Axes, group: Group) -> None:
    connections, policies = group["connection"].data, group["policy"].data
    places = np.arange(len(connections), dtype=np.float64)
    for p, name in enumerate(policies):
        at = places + _shift(p, len(policies))
        look = choose_look(p)
        axes.plot(at, group["cosine"].data[p], linestyle="none", label=format_plain_text(name), zorder=3, **look)
        axes.plot(at, group["cosine_kept"].data[p], linestyle="none", markerfacecolor="none", zorder=2, **look)
        axes.plot(at, group["forecast"].data[p], linestyle="none", marker="_", color="black", markersize=9, zorder=1)
    axes.set_xlim(-0.5, len(connections) - 0.5)
    axes.axhline(1.0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_ylabel("cosine to the requests")
    axes.set_xlabel("connection")
    _name_places(axes, places, [format_plain_text(name, 16) for name in connections])


def _draw_terms(axes: Axes, group: Group, connection: int) -> None:
    error = 100.0 * group["error"].data[:, connection]
    shown = list_present_terms(group["error"].data[:, connection])
    places = np.arange(len(shown), dtype=np.float64)
    for p in range(len(error)):
        value = np.where(error[p, shown] > 100.0 * ROUNDING, error[p, shown], np.nan)
        axes.plot(places + _shift(p, len(error)), value, linestyle="none", **choose_look(p))
    if shown:
        axes.set_yscale("log")
        seen = error[:, shown]
        top = float(np.nanmax(seen))
        axes.set_ylim(max(0.5 * float(np.nanmin(seen[seen > 100.0 * ROUNDING])), top / _SPAN), 2.0 * top)
    axes.set_xlim(-0.5, max(len(shown), 1) - 0.5)
    axes.set_ylabel(f"% of the requests of {format_plain_text(group['connection'].data[connection], 16)}")
    names = [str(group["term"].data[k]) for k in shown]
    _name_places(axes, places, [_WORDS.get(name, name) for name in names])


def _name_places(axes: Axes, places: Array, names: list[str]) -> None:
    """Name the ticks of one of two panels; words stand aslant, as they have half of the width."""
    axes.set_xticks(places, names, rotation=25, ha="right", rotation_mode="anchor")


def _shift(place: int, count: int) -> float:
    """Return where the marks of one of several policies stand beside each other."""
    return 0.6 * ((place + 0.5) / count - 0.5)
