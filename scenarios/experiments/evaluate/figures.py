"""Figure of the chips of one design: how good every chip is, and what is known of all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...drawing.space import Space
from ...drawing.style import choose_look, start_at_zero
from ...results.statistics import compute_interval
from ...results.store import ResultData
from ..figures import figure
from .kind import KIND


@figure(
    "chips",
    when=lambda result: "evaluate" in result.groups and not KIND.is_void(result),
    caption=(
        "Chips. Share of wrong classes, or loss, of the test samples on every chip of the design, the best "
        "chip first. The band is the 95 % interval of the mean (Student), not the range of chips."
    ),
    count=lambda result: f"n = {len(result['evaluate']['chip'].data)} chips.",
)
def draw_chips(space: Space, result: ResultData) -> None:
    """Draw the error of every chip, the best first, with their mean and its 95 % interval.

    Without classes it is the loss. A chip without a number is left out.
    """
    group = result["evaluate"]
    name, scale, words = "error", 100.0, "wrong classes (%)"
    if not np.isfinite(group["error"].data).any():
        name, scale, words = "loss", 1.0, "loss (cost per sample)"
    value = scale * group[name].data
    good = np.sort(value[np.isfinite(value)])
    (axes,) = space.make_panels()
    style = choose_look(0)
    axes.plot(np.arange(1, len(good) + 1), good, linestyle="none", label=f"one chip (n = {len(good)})", **style)
    found = compute_interval(good)
    axes.axhline(float(found.mean), color="black", linewidth=1.2, label="mean of the chips")
    if np.isfinite(found.low):
        band: dict[str, Any] = {"color": "black", "alpha": 0.12, "linewidth": 0.0}
        axes.axhspan(float(found.low), float(found.high), label="95 % interval of the mean", **band)
    axes.set_xlim(0.0, len(good) + 1.0)
    axes.set_xlabel("chips, the best first")
    axes.set_ylabel(words)
    start_at_zero(axes)
    space.place_legend([axes])
