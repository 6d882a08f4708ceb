"""Figure of copies: the loss of every chip and of all, against the pulses that it is trained on with."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ...drawing.space import Space
from ...drawing.style import choose_look
from ...results.statistics import compute_interval
from ...results.store import Group, ResultData
from ..evaluate.words import describe_sample_kind
from ..figures import figure
from .kind import KIND

Array = NDArray[np.float64]


@figure(
    "copies",
    when=lambda result: "copy" in result.groups and not KIND.is_void(result),
    caption=(
        "Copies. Loss of a network on chips that it was not trained on, thin: chip by chip, thick: their mean with its "
        "95 % interval (Student); against the pulses per cell that each copy is trained on with, or by stage. Dashed: "
        "the trained chip, trained on in the same way. Dotted: half of what copying cost, in the mean."
    ),
    count=lambda result: f"n = {len(result['copy']['chip'].data)} copies.",
)
def draw_copies(space: Space, result: ResultData) -> None:
    """Draw the loss of every copy: by pulses where copies are trained on, else by stage."""
    group = result["copy"]
    (axes,) = space.make_panels()
    if "loss_recovered" in group:
        _draw_recovery(axes, group)
    else:
        _draw_stages(axes, group)
    axes.set_ylabel(f"{describe_sample_kind(group)} loss (cost per sample)")
    space.place_legend([axes])


def _draw_recovery(axes: Axes, group: Group) -> None:
    cells, home = float(group["cells"].data), float(group["loss_trained"].data)
    pulses, loss = group["pulses"].data / cells, group["loss_recovered"].data
    for k in range(len(loss)):
        axes.plot(pulses[k], loss[k], color="0.75", linewidth=0.7, label="one copy" if k == 0 else None, zorder=1)
    _draw_mean(axes, compute_interval(pulses.T).mean, loss, "mean of the copies, trained on")
    if "loss_calibrated" in group:
        _draw_mean(axes, np.zeros(1), group["loss_copied"].data[:, None], "before calibration", k=1)
    further = group["pulses_further"].data / cells
    axes.plot(further, group["loss_further"].data, color="black", linestyle="--", label="trained chip, trained on")
    goal = home + 0.5 * float(compute_interval(group["rise"].data).mean)
    axes.axhline(goal, color="black", linestyle=":", linewidth=1.0, label="half of the cost")
    axes.set_xlabel("pulses per cell")


def _draw_stages(axes: Axes, group: Group) -> None:
    stages = [stage for stage in ("copied", "calibrated") if f"loss_{stage}" in group]
    loss = np.stack([group[f"loss_{stage}"].data for stage in stages], axis=1)
    places = np.arange(len(stages), dtype=np.float64)
    for k, values in enumerate(loss):
        look: dict[str, Any] = {"color": "0.6", "linewidth": 0.7, "marker": ".", "zorder": 1}
        axes.plot(places, values, label="one copy" if k == 0 else None, **look)
    _draw_mean(axes, places, loss, "mean of the copies")
    axes.axhline(float(group["loss_trained"].data), color="black", linestyle="--", label="trained chip")
    axes.set_xticks(places, stages)
    axes.set_xlim(-0.5, len(stages) - 0.5)


def _draw_mean(axes: Axes, x: Array, loss: Array, label: str, k: int = 0) -> None:
    """Draw the mean of losses (chip, place) with its interval."""
    found = compute_interval(loss.T)
    bars = np.nan_to_num(np.array([found.mean - found.low, found.high - found.mean]))
    axes.errorbar(x, found.mean, yerr=bars, capsize=2, label=label, zorder=3, **choose_look(k))
