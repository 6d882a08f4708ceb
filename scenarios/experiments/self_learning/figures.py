"""Figure of a circuit that learns by itself: what it forgets between tasks, and what that costs."""

from __future__ import annotations

import numpy as np

from ...drawing.space import Space
from ...drawing.style import choose_look
from ...results.store import ResultData
from ..figures import figure
from .kind import KIND


@figure(
    "cycles",
    when=lambda result: "cycles" in result.groups and not KIND.is_void(result),
    caption=(
        "Cycles. a: squared distance of the parameters between two changes of the task. b: mean square error of "
        "the outputs at the changes. Both against the full period; cycles that were not found are left out."
    ),
    count=lambda result: f"n = {int(result['cycles']['closed'].data.sum())} periods.",
)
def draw_cycles(space: Space, result: ResultData) -> None:
    """Draw span and error against the period, simulated and, where there are any, measured ones."""
    group = result["cycles"]
    shown = np.flatnonzero(group["closed"].data)
    shown = shown[np.argsort(group["period"].data[shown])]
    period = group["period"].data[shown]
    panels = space.make_panels(2, share=False)
    words = {"span": "squared span (V\N{SUPERSCRIPT TWO})", "error": "mean square error (V\N{SUPERSCRIPT TWO})"}
    for axes, (name, label) in zip(panels, words.items(), strict=True):
        if f"{name}_measured" in group:
            seen = group[f"{name}_measured"].data[shown]
            axes.loglog(period, seen, linestyle="none", label="measured", **(choose_look(1) | {"zorder": 3}))
        marked = {"markersize": 3.0} if f"{name}_measured" in group else {}
        axes.loglog(period, group[name].data[shown], label="simulated", linewidth=1.2, **(choose_look(0) | marked))
        axes.set_xlabel("full period (s)")
        axes.set_ylabel(label)
    space.place_legend(panels[:1])
