"""Figure of a sweep of trainings: test error and cosine of the first layer over the epochs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...drawing.style import by_epoch, from_zero, key_below, look, panels, styled
from ...results.statistics import interval
from ...results.store import Result
from .sweep_curves import Curves, cosine_curves, metric_curves

_CURVES = 12


@styled
def trainings(result: Result, places: Mapping[tuple[int, ...], str]) -> Figure | None:
    """Draw every training over its epochs; None where there is no test error.

    Thick: the mean over replicates; thin: single ones. One colour per place of the design.

    Parameters
    ----------
    result : Result
        The merged file of a sweep of trainings.
    places : mapping
        Name of every place of the design, without the replicate; the first twelve are drawn.
    """
    error, cosines = metric_curves(result, "error_test"), cosine_curves(result)
    if error is None:
        return None
    figure, axes = panels(1 + bool(cosines), width=7.2, share=False)
    _draw(axes[0], error, places, 100.0)
    axes[0].set_ylabel("test error (%)")
    from_zero(axes[0])
    if cosines:
        layer, cosine = next(iter(cosines.items()))
        _draw(axes[1], cosine, places, 1.0)
        axes[1].set_ylabel(f"cosine to the exact gradient,\nlayer {layer}")
    key_below(figure, axes[:1])
    return figure


def _draw(axes: Axes, curves: Curves, places: Mapping[tuple[int, ...], str], scale: float) -> None:
    for k, (place, words) in enumerate(list(places.items())[:_CURVES]):
        values = scale * curves.values[place]
        if len(values) > 1:
            axes.plot(curves.epoch, values.T, color=look(k)["color"], linewidth=0.6, alpha=0.35, zorder=1)
        by_epoch(axes, curves.epoch, np.asarray(interval(values.T).mean), k, words)
