"""Figures of signals: how large they are, and what a finite nudge does to them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...drawing.space import Space
from ...drawing.style import DASHES, choose_look, format_plain_text, set_spaced_ticks
from ...results.store import ResultData
from ...results.views import find_extreme_nudges, list_scheme_kinds, name_signals, select_latest
from ..figures import figure
from ..remarks import describe_measured_count
from .words import has_measured_gradient

Array = NDArray[np.float64]


@figure(
    "signal",
    when=has_measured_gradient,
    caption=(
        "Signal levels. How large the activity of a unit is, and how small the change is that the readout has "
        "to resolve for the gradient to be seen: noise and converter steps must stay well below the lowest "
        "curve. Of a training, the last measured epoch."
    ),
    count=describe_measured_count,
)
def draw_signal(space: Space, result: ResultData) -> None:
    """Draw, per layer, the activity of a unit, its exact error signal and the change that has to be read."""
    group = select_latest(result)["signal"]
    layers, words = group["layer"].data, name_signals(group)
    curves = {words.activity: group["activity"].data, words.delta: group["delta"].data}
    for s in find_extreme_nudges(group):
        curves[f"change to be read at {words.sizes[s]}{words.unit}"] = group["evoked"].data[s]
    (axes,) = space.make_panels()
    for k, (name, value) in enumerate(curves.items()):
        shown = np.where(value > 0.0, value, np.nan)
        axes.semilogy(np.arange(len(layers)), shown, linestyle=DASHES[k % len(DASHES)], label=name, **choose_look(k))
    space.label_layers(axes, layers)
    axes.set_ylabel(f"rms {words.scale}")
    if "activity_volts" in group:
        volts = float(group["activity_volts"].data)
        scales: Any = (partial(np.multiply, volts), partial(np.multiply, 1.0 / volts))
        beside = axes.secondary_yaxis("right", functions=scales)
        beside.set_ylabel("of an activity: V")
    space.place_legend([axes])


@figure(
    "nudge",
    when=lambda result: (
        has_measured_gradient(result) and len(np.unique(select_latest(result)["signal"]["beta"].data)) > 2
    ),
    caption=(
        "Nudge size. Error that the finite nudge adds, against its size. Below the dashed line the asymmetry "
        "of the feedback dominates, and a smaller nudge only makes the signals harder to read."
    ),
    count=describe_measured_count,
)
def draw_nudge_error(space: Space, result: ResultData) -> None:
    """Draw, per layer, the error of the finite nudge against its size, beside that of the asymmetry."""
    last = select_latest(result)
    ledger, beta, unit = last["ledger"], last["signal"]["beta"].data, last["signal"]["beta"].units
    kinds = list_scheme_kinds(ledger["scheme"].data)
    terms = list(ledger["term"].data)
    finite, asymmetry = (ledger["relative"].data[..., terms.index(t)] for t in ("finite_nudge", "asymmetry"))
    layers = ledger["layer"].data
    axes_list = space.make_panels(len(layers))
    for k, axes in enumerate(axes_list):
        for i, kind in enumerate(dict.fromkeys(kinds)):
            chosen = np.flatnonzero(kinds == kind)
            chosen = chosen[np.argsort(beta[chosen])]
            axes.loglog(beta[chosen], finite[chosen, k], label=format_plain_text(kind), **choose_look(i))
        if asymmetry[0, k] > 0.0:
            axes.axhline(asymmetry[0, k], color="black", linestyle="--", label="asymmetry")
        ticks = np.unique(beta)
        set_spaced_ticks(axes, space.panel_width, ticks, [f"{b:g}" for b in ticks])
        axes.set_title(format_plain_text(layers[k]))
        axes.set_xlabel("nudge beta" if unit == "1" else f"nudge beta ({unit})")
    axes_list[0].set_ylabel("error / exact gradient")
    space.place_legend(axes_list[:1])
