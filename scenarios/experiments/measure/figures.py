"""Figures of one chip as it is: how it settles, how large its signals are, how good its gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from ...drawing.style import COLOURS, DASHES, by_layer, key_below, look, panels, plain, styled
from ...results.store import Group, Result
from ...results.views import extremes, kinds_of, latest, prefixed

Array = NDArray[np.float64]

_SAMPLES = 4
_PHASES = len(COLOURS)
_SCHEMES = 7
_SHARE = 5.0
"""A distance from the end of a settling is drawn where it is so many times what the end is from rest."""


@styled
def settling(result: Result) -> Figure:
    """Draw how far each settling is from its end, against time; of many samples and settlings only the first.

    A curve stops where its end is no longer a fair stand-in for the rest point that it heads for.
    """
    group = result["settling"]
    time, distance = group["time"].data, group["distance"].data
    seconds, volts = (float(group[name].data) if name in group else None for name in ("tau_s", "state_volts"))
    scale, unit = (1.0, "tau") if seconds is None else prefixed(float(time[-1]) * seconds, "s")
    time = time * (1.0 if seconds is None else seconds / scale)
    figure, (axes,) = panels(1, width=6.4)
    for k, phase in enumerate(group["phase"].data[:_PHASES]):
        for sample in range(min(distance.shape[2], _SAMPLES)):
            curve = before_the_end(distance[k, :, sample]) * (volts or 1.0)
            axes.semilogy(
                time,
                curve,
                color=COLOURS[k % len(COLOURS)],
                linestyle=DASHES[k % len(DASHES)],
                linewidth=1.4 if sample == 0 else 0.7,
                label=plain(phase) if sample == 0 else None,
            )
    axes.set_xlabel(f"time ({unit})")
    axes.set_ylabel(f"largest distance of a unit\nfrom the end of its settling ({'V' if volts else 'state units'})")
    key_below(figure, [axes])
    return figure


def before_the_end(distance: Array) -> Array:
    """Return the distances of one settling from its own end, nan from where the end is too near to judge by.

    An exponential approach with rate r is ``e (exp(r t) - 1)`` from its end at time t before it, where e is what
    the end is from rest: two distances at times w and 2 w before the end give e. A curve that does not fall
    that fast, as on a floor of noise, loses the last w alone.
    """
    found = np.where(distance > 0.0, distance, np.nan)
    there = np.flatnonzero(np.isfinite(found))
    if len(there) < 3:
        return found
    last = int(there[-1]) + 1
    w = max(1, last // 8)
    near, far = found[last - w], found[last - 2 * w]
    rest = near / (far / near - 2.0) if far > 2.0 * near else 0.0
    found[last - w :] = np.nan
    found[found < _SHARE * rest] = np.nan
    return np.asarray(found)


@styled
def signal(result: Result) -> Figure:
    """Draw, per layer, the activity of a unit, its exact error signal and the change that has to be read."""
    group = latest(result)["signal"]
    layers, betas = group["layer"].data, group["beta"].data
    curves = {"activity": group["activity"].data, "exact dL/d drive": group["delta"].data}
    for s in extremes(group):
        curves[f"change to be read at beta {betas[s]:g}"] = group["evoked"].data[s]
    figure, (axes,) = panels(1, width=6.4)
    for k, (name, value) in enumerate(curves.items()):
        shown = np.where(value > 0.0, value, np.nan)
        axes.semilogy(np.arange(len(layers)), shown, linestyle=DASHES[k % len(DASHES)], label=name, **look(k))
    by_layer(figure, axes, layers)
    axes.set_ylabel("rms per unit (state units)")
    if "activity_volts" in group:
        volts = float(group["activity_volts"].data)
        scales: Any = (partial(np.multiply, volts), partial(np.multiply, 1.0 / volts))
        beside = axes.secondary_yaxis("right", functions=scales)
        beside.set_ylabel("of an activity: V")
    key_below(figure, [axes])
    return figure


@styled
def cosine(result: Result) -> Figure:
    """Draw, per layer, the cosine of the schemes to the exact gradient, and what theory predicts."""
    group = latest(result)["gradient"]
    layers = group["layer"].data
    place = np.arange(len(layers))
    figure, (axes,) = panels(1, width=6.4)
    theory: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("cosine_matching_rule", "matching rule for this spread", {"color": "0.7", "linewidth": 5}),
        ("cosine_first_order", "first order in the asymmetry", {"color": "black", "linestyle": ":"}),
        ("cosine_ep", "vanishing nudge", {"color": "black", "linestyle": "--"}),
    )
    for name, text, style in theory:
        axes.plot(place, group[name].data, label=text, zorder=1, **style)
    chosen = _shown_schemes(group)
    for i, s in enumerate(chosen):
        shift = 0.3 * ((i + 0.5) / len(chosen) - 0.5)
        value, spread = group["cosine"].data[s], group["cosine_std"].data[s]
        bars = [spread, np.maximum(np.minimum(spread, 1.0 - value), 0.0)]
        style = look(i)
        fmt = style.pop("marker")
        axes.errorbar(place + shift, value, bars, fmt=fmt, linewidth=1, label=plain(group["scheme"].data[s]), **style)
    by_layer(figure, axes, layers)
    axes.set_ylabel("cosine to the exact gradient\n(bar: 1 std over samples)")
    key_below(figure, [axes])
    return figure


def _shown_schemes(group: Group) -> list[int]:
    """Return all schemes or, when they are too many for one figure, the best nudge of each kind."""
    worst = np.nan_to_num(group["cosine"].data, nan=-1.0).min(axis=1)
    if len(worst) <= _SCHEMES:
        return list(range(len(worst)))
    kinds = kinds_of(group["scheme"].data)
    best = [max(np.flatnonzero(kinds == kind), key=lambda s: float(worst[s])) for kind in dict.fromkeys(kinds)]
    return [int(s) for s in best[:_SCHEMES]]


@styled
def nudge(result: Result) -> Figure:
    """Draw, per layer, the error of the finite nudge against its size, beside that of the asymmetry."""
    last = latest(result)
    ledger, beta = last["ledger"], last["signal"]["beta"].data
    kinds = kinds_of(ledger["scheme"].data)
    terms = list(ledger["term"].data)
    finite, asymmetry = (ledger["relative"].data[..., terms.index(t)] for t in ("finite_nudge", "asymmetry"))
    layers = ledger["layer"].data
    figure, axes_list = panels(len(layers), width=2.1 * len(layers) + 0.8)
    for k, axes in enumerate(axes_list):
        for i, kind in enumerate(dict.fromkeys(kinds)):
            chosen = np.flatnonzero(kinds == kind)
            chosen = chosen[np.argsort(beta[chosen])]
            axes.loglog(beta[chosen], finite[chosen, k], label=plain(kind), **look(i))
        if asymmetry[0, k] > 0.0:
            axes.axhline(asymmetry[0, k], color="black", linestyle="--", label="asymmetry")
        ticks = np.unique(beta)
        ticks = ticks[:: -(-len(ticks) // 5)]
        axes.set_xticks(ticks, [f"{b:g}" for b in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(plain(layers[k]), fontsize=9)
        axes.set_xlabel("nudge beta")
    axes_list[0].set_ylabel("error / exact gradient")
    key_below(figure, axes_list[:1])
    return figure
