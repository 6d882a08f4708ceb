"""Figures, drawn from a result and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .store import Result

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nudgelab",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "font.size": 9,
}


def draw_all(result: Result, folder: Path) -> list[Path]:
    """Draw every figure the result has data for, as SVG; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    with mpl.rc_context(_STYLE):
        if "settling" in result.groups:
            figures["settling"] = settling(result)
        if "gradient" in result.groups:
            figures["cosine"] = cosine(result)
            if len(np.unique(result["signal"]["beta"].data)) > 2:
                figures["nudge"] = nudge(result)
        paths = []
        for name, figure in figures.items():
            paths.append(folder / f"{name}.svg")
            figure.savefig(paths[-1], metadata={"Date": None})
    return paths


def settling(result: Result) -> Figure:
    """Draw how far each settling is from its end, against time."""
    group = result["settling"]
    time, distance = group["time"].data, group["distance"].data
    figure, (axes,) = _axes(1, width=6.4)
    for k, phase in enumerate(group["phase"].data):
        for sample in range(distance.shape[2]):
            curve = distance[k, :, sample]
            axes.semilogy(
                time,
                np.where(curve > 0.0, curve, np.nan),
                color=COLOURS[k % len(COLOURS)],
                linestyle="-" if k < len(COLOURS) else "--",
                linewidth=1.2 if sample == 0 else 0.6,
                label=phase if sample == 0 else None,
            )
    axes.set_xlabel("time / tau")
    axes.set_ylabel("largest distance of a unit\nfrom the end of its settling (state units)")
    axes.legend(fontsize=7)
    return figure


def cosine(result: Result) -> Figure:
    """Draw, per layer, the cosine of every scheme to the exact gradient, and what theory predicts."""
    group = result["gradient"]
    layers = group["layer"].data
    place = np.arange(len(layers))
    figure, (axes,) = _axes(1, width=6.4)
    for name, text, style in (
        ("cosine_matching_rule", "matching rule: expected for this spread", {"color": "0.6", "linewidth": 5}),
        ("cosine_first_order", "first order in the asymmetry", {"color": "black", "linestyle": ":"}),
        ("cosine_ep", "vanishing nudge", {"color": "black", "linestyle": "--"}),
    ):
        axes.plot(place, group[name].data, label=text, zorder=1, **style)
    schemes = group["scheme"].data
    for s, scheme in enumerate(schemes):
        shift = 0.3 * ((s + 0.5) / len(schemes) - 0.5)
        value, spread = group["cosine"].data[s], group["cosine_std"].data[s]
        axes.errorbar(
            place + shift,
            value,
            [spread, np.minimum(spread, 1.0 - value)],
            fmt=MARKERS[s % len(MARKERS)],
            color=COLOURS[s % len(COLOURS)],
            markersize=5,
            linewidth=1,
            label=f"{scheme} (bar: 1 std over samples)",
        )
    axes.set_xticks(place, layers)
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_xlabel("layer")
    axes.set_ylabel("cosine to the exact gradient")
    axes.legend(fontsize=7, loc="lower right")
    return figure


def nudge(result: Result) -> Figure:
    """Draw, per layer, the error of the finite nudge against its size, beside that of the asymmetry."""
    ledger, beta = result["ledger"], result["signal"]["beta"].data
    kinds = np.array([text.split(",")[0] for text in ledger["scheme"].data])
    terms = list(ledger["term"].data)
    finite, asymmetry = (ledger["relative"].data[..., terms.index(t)] for t in ("finite_nudge", "asymmetry"))
    layers = ledger["layer"].data
    figure, panels = _axes(len(layers), width=2.4 * len(layers) + 0.8)
    for k, axes in enumerate(panels):
        for i, kind in enumerate(dict.fromkeys(kinds)):
            chosen = np.flatnonzero(kinds == kind)
            chosen = chosen[np.argsort(beta[chosen])]
            axes.loglog(
                beta[chosen], finite[chosen, k], marker=MARKERS[i % 7], color=COLOURS[i % 7], label=kind, markersize=4
            )
        if asymmetry[0, k] > 0.0:
            axes.axhline(asymmetry[0, k], color="black", linestyle="--", label="asymmetry")
        axes.set_xticks(np.unique(beta), [f"{b:g}" for b in np.unique(beta)])
        axes.set_xticks([], minor=True)
        axes.set_title(str(layers[k]), fontsize=9)
        axes.set_xlabel("nudge beta")
    panels[0].set_ylabel("error / exact gradient")
    panels[0].legend(fontsize=7)
    return figure


def _axes(count: int, width: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, 3.4), layout="constrained")
    grid = figure.subplots(1, count, sharey=True, squeeze=False)
    return figure, list(grid[0])
