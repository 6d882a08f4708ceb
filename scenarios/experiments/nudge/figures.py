"""Figures of nudge schemes: what theory says of them, and bias against variance on one chip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from learning.schemes.nodes import Chebyshev, Circle, OneSided
from learning.schemes.scheme import Node, compute_noise_gain, find_truncation_order, unfold_mirrored_nodes
from learning.schemes.wave import LockIn

from ...drawing.space import Space
from ...drawing.style import choose_look, format_plain_text, set_spaced_ticks
from ...results.store import Group, ResultData
from ...results.views import list_scheme_kinds, select_latest
from ..figures import figure
from ..remarks import describe_sample_count

Array = NDArray[np.float64]

_POINTS = (2, 4, 6, 8, 10, 12)
_CYCLE = 48
"""Points of the cycle of a lock-in detection; each is a read."""

Curve = list[tuple[int, list[Node]]]
"""Real reads that an estimate weighs, and its nodes."""


def _list_families(beta: float) -> dict[str, Curve]:
    """Return the schemes as curves over real reads; a complex state costs two."""

    def spread(make: Callable[[int], list[Node]]) -> Curve:
        nodes = [make(points) for points in _POINTS]
        return [(sum(2 if abs(complex(n.beta).imag) > 0.0 else 1 for n in some), some) for some in nodes]

    return {
        "one-sided": [(2, OneSided(beta=beta).nodes())],
        # At equal reads a circle has the same noise whether its lower half is measured or mirrored.
        "circle (2: centred)": spread(lambda n: Circle(beta=beta, points=n).nodes()),
        "chebyshev": spread(lambda n: Chebyshev.model_validate({"beta": beta, "points": n}).nodes()),
        "lock-in": [
            (_CYCLE, LockIn(beta=beta, period=1.0, harmonics=m).cycle(_CYCLE)) for m in range(1, len(_POINTS) + 1)
        ],
    }


def _has_study(result: ResultData) -> bool:
    return "nudge" in select_latest(result).groups


@figure(
    "nudge_study",
    when=_has_study,
    caption=(
        "Best nudge. Bias, noise and error of the worst layer against the size of the nudge, every scheme "
        "averaged over as many estimates as one budget pays. Dotted: theory, the bias as beta to the order of "
        "the scheme above what the asymmetry leaves (dashed), the noise as 1/beta. The best nudge is the "
        "lowest point of the error; a bias below two of its standard errors is not drawn."
    ),
    count=lambda result: describe_sample_count(select_latest(result)["nudge"]),
)
def draw_nudge_study(space: Space, result: ResultData, layer: int | None = None) -> None:
    """Draw bias, noise and error of one layer against the size of the nudge, every scheme at the same budget.

    Absent a number, that of the worst layer. Dotted: theory, with the bias of the asymmetry and beta to the order of
    the truncation, and noise as 1/beta. Dashed: what the asymmetry leaves with a vanishing nudge. A bias below two of
    its standard errors is not drawn.
    """
    group = select_latest(result)["nudge"]
    if layer is None:
        layer = int(np.nanargmax(group["mse"].data[int(group["best"].data)]))
    beta, kinds = group["beta"].data, list_scheme_kinds(group["scheme"].data)
    axes_list = space.make_panels(3)
    for i, kind in enumerate(dict.fromkeys(kinds)):
        chosen = np.flatnonzero(kinds == kind)
        chosen = chosen[np.argsort(beta[chosen])]
        for axes, name in zip(axes_list, ("bias", "variance", "mse"), strict=True):
            value = group[name].data[chosen, layer]
            least = 2.0 * group["bias_error"].data[chosen, layer] if name == "bias" else 0.0
            axes.loglog(
                beta[chosen],
                np.sqrt(np.where(value > least, value, np.nan)),
                label=format_plain_text(kind),
                **choose_look(i),
            )
        _draw_theory_slopes(axes_list[:2], group, chosen, layer)
    asymmetry = float(np.sqrt(group["asymmetry"].data[layer]))
    for axes, words in zip(axes_list, ("bias", "noise (standard deviation)", "error (both)"), strict=True):
        axes.set_title(words)
        _label_nudge_axis(axes, space.panel_width, beta)
        if asymmetry > 1e-9:
            axes.axhline(asymmetry, color="black", linestyle="--", linewidth=1, label="asymmetry")
    axes_list[0].set_ylabel(f"rms / exact gradient, layer {format_plain_text(group['layer'].data[layer], 16)}")
    _set_study_limits(axes_list[0], group, layer)
    space.place_legend(axes_list[:1])


def _draw_theory_slopes(axes_list: list[Axes], group: Group, chosen: NDArray[np.int64], layer: int) -> None:
    """Draw the slopes of theory: the bias through the smallest nudge that clearly shows it, the noise likewise."""
    floor = group["asymmetry"].data[layer]
    beta, order = group["beta"].data[chosen], int(group["order"].data[chosen[0]])
    bias, variance = (group[name].data[chosen, layer] for name in ("bias", "variance"))
    style = {"color": "0.6", "linestyle": ":", "linewidth": 1, "zorder": 1}
    clear = bias - floor > np.maximum(floor, 3.0 * group["bias_error"].data[chosen, layer])
    through = int(clear.argmax()) if clear.any() else -1
    truncation = max(bias[through] - floor, 0.0) * (beta / beta[through]) ** (2 * order)
    axes_list[0].loglog(beta, np.sqrt(floor + truncation), **style)
    axes_list[1].loglog(beta, np.sqrt(variance[0]) * beta[0] / beta, **style)


def _label_nudge_axis(axes: Axes, width: float, beta: Array) -> None:
    """Name the nudges below axes that are so many inches wide."""
    ticks = np.unique(beta)
    set_spaced_ticks(axes, width, ticks, [f"{b:g}" for b in ticks])
    axes.set_xlabel("nudge beta")


def _set_study_limits(axes: Axes, group: Group, layer: int) -> None:
    """Show what was measured; the lines of theory may leave the frame."""
    shown = np.sqrt(np.concatenate([group[name].data[:, layer] for name in ("bias", "variance", "mse")]))
    shown = shown[shown > 1e-12]
    if shown.size:
        axes.set_ylim(0.5 * shown.min(), 2.0 * shown.max())


@figure(
    "schemes",
    when=_has_study,
    caption=(
        "Schemes in theory. a: noise of an estimate at equal reads. b: error of the finite nudge, half "
        "way to a pole of the response. A higher order buys a smaller bias; circles pay for it with complex "
        "states, real nudges with noise."
    ),
)
def draw_scheme_theory(space: Space, _result: ResultData | None = None) -> None:
    """Draw noise and truncation of the schemes, as theory has them: both against the order of the truncation.

    Noise: variance of an estimate times its real reads, so that equal heights are equal at equal reads.
    Truncation: relative error for the response ``1 / (1 - beta)`` at beta 0.5, half way to its pole.
    """
    axes_list = space.make_panels(2, share=False)
    for k, (name, curve) in enumerate(_list_families(0.5).items()):
        order = [find_truncation_order(nodes) for _, nodes in curve]
        noise = [reads * compute_noise_gain(nodes) for reads, nodes in curve]
        wrong = [abs(_estimate_test_slope(nodes) - 1.0) for _, nodes in curve]
        for axes, values in zip(axes_list, (noise, wrong), strict=True):
            axes.semilogy(order, values, label=name, linewidth=1.2, **choose_look(k))
    axes_list[0].set_ylabel("noise gain x real reads\n(variance / (sigma/beta)^2)")
    axes_list[1].set_ylabel("truncation error\n(relative to the gradient)")
    for axes in axes_list:
        axes.set_xlabel("order of the truncation error")
        axes.set_xticks([1, *_POINTS])
    space.place_legend(axes_list[:1])


def _estimate_test_slope(nodes: list[Node]) -> float:
    """Return the estimate of the slope at 0 of ``1 / (1 - beta)``, which is 1."""
    return sum(complex(n.weight / (1.0 - n.beta)).real for n in unfold_mirrored_nodes(nodes))
