"""Figures of a comparison of rules: the map of the best one, and what averages leave of an error."""

from __future__ import annotations

import numpy as np

from ...drawing.space import Space
from ...drawing.style import choose_look, list_log_ticks, set_spaced_ticks
from ...results.store import ResultData
from ..figures import figure
from .kind import KIND
from .tables import forecast_rivals


def _has_numbers(result: ResultData) -> bool:
    return "rivals" in result.groups and not KIND.is_void(result)


@figure(
    "rivals",
    when=_has_numbers,
    caption=(
        "Rules at equal budget. Test loss of every rule on every kind of chip, mean with its 95 % interval "
        "(Student). A ring marks the best, and those that are not told apart from it chip by chip."
    ),
    count=lambda result: f"n = {len(result['rivals']['chip'].data)} chips of every kind.",
)
def draw_rivals(space: Space, result: ResultData) -> None:
    """Draw the losses against the mismatch, one panel for each level of read noise."""
    group = result["rivals"]
    noises, mismatch = group["read_noise"].data, group["mismatch"].data
    levels = np.unique(noises)
    panels = space.make_panels(len(levels))
    for axes, level in zip(panels, levels, strict=True):
        chosen = np.flatnonzero(noises == level)
        for r, name in enumerate(group["rival"].data):
            mean, low, high = (group[f"loss_{end}"].data[chosen, r] for end in ("mean", "low", "high"))
            shift = 0.06 * (r - 0.5 * (len(group["rival"].data) - 1))
            x, look = np.arange(len(chosen)) + shift, choose_look(r)
            bars = np.nan_to_num(np.array([mean - low, high - mean]))
            axes.errorbar(x, mean, yerr=bars, capsize=2, label=str(name), **look)
            ringed = group["tied"].data[chosen, r]
            axes.plot(x[ringed], mean[ringed], "o", markersize=11, markerfacecolor="none", markeredgecolor="black")
        axes.set_xticks(np.arange(len(chosen)), [f"{100 * m:g} %" for m in mismatch[chosen]])
        axes.set_xlabel("mismatch of cells")
        axes.set_title(f"read noise {level:g}")
    panels[0].set_ylabel("test loss (cost per sample)")
    panels[0].set_yscale("log")  # losses of rules differ by powers of ten; panels share the axis
    space.place_legend(panels[:1])


@figure(
    "averages",
    when=lambda result: _has_numbers(result) and bool(np.isfinite(result["rivals"]["scatter"].data).any()),
    caption=(
        "Averages. Error of the gradient before training, over the exact one: of one batch at the left end, of the "
        "mean over all batches that the budget pays at the right end. Averages divide the scatter, not the bias."
    ),
    count=lambda result: f"n = {len(result['rivals']['chip'].data)} chips of every kind.",
)
def draw_averages(space: Space, result: ResultData) -> None:
    """Draw ``sqrt(bias^2 + scatter^2 s / S)`` against the settlings `S`, one panel for each kind of chip."""
    group = result["rivals"]
    count = len(group["mismatch"].data)
    panels = space.make_panels(count)
    for p, axes in enumerate(panels):
        forecast = forecast_rivals(group, p)
        for r, name in enumerate(group["rival"].data):
            if np.isfinite(forecast.one[r]):
                batches = np.geomspace(1.0, max(forecast.batches[r], 2.0), 24)
                error = np.sqrt(forecast.bias[r] ** 2 + forecast.scatter[r] ** 2 / batches)
                axes.loglog(forecast.cost[r] * batches, error, label=str(name), **choose_look(r) | {"marker": ""})
        mismatch, noise = float(group["mismatch"].data[p]), float(group["read_noise"].data[p])
        axes.set_title(f"mismatch {100 * mismatch:g} %\nread noise {noise:g}")
        ticks = list_log_ticks(*axes.get_xlim())
        set_spaced_ticks(axes, space.panel_width, np.array(ticks), [f"{tick:g}" for tick in ticks])
        axes.set_xlabel("settlings")
    panels[0].set_ylabel("error / exact gradient")
    space.place_legend(panels[:1])
