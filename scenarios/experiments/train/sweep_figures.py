"""Figure of a sweep of trainings: test error and cosine of the first layer over the epochs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from ...drawing.space import Space, makes_figure
from ...drawing.style import choose_look, draw_epoch_curve, start_at_zero
from ...results.statistics import compute_interval
from ...results.store import ResultData
from .sweep_curves import EpochCurves, read_cosine_curves, read_metric_curves

_CURVES = 12


@makes_figure
def draw_trainings(space: Space, result: ResultData, places: Mapping[tuple[int, ...], str]) -> None:
    """Draw every training over its epochs, where there are test errors.

    Thick: the mean over replicates; thin: single ones. One colour per place of the design.

    Parameters
    ----------
    result : Result
        The merged file of a sweep of trainings.
    places : mapping
        Name of every place of the design, without the replicate; the first twelve are drawn.
    """
    error, cosines = read_metric_curves(result, "error_test"), read_cosine_curves(result)
    if error is None:
        return
    axes = space.make_panels(1 + bool(cosines), share=False)
    _draw_curves(axes[0], error, places, 100.0)
    axes[0].set_ylabel("test error (%)")
    start_at_zero(axes[0])
    if cosines:
        layer, cosine = next(iter(cosines.items()))
        _draw_curves(axes[1], cosine, places, 1.0)
        axes[1].set_ylabel(f"cosine to the exact gradient,\nlayer {layer}")
    space.place_legend(axes[:1])


def _draw_curves(axes: Axes, curves: EpochCurves, places: Mapping[tuple[int, ...], str], scale: float) -> None:
    for k, (place, words) in enumerate(list(places.items())[:_CURVES]):
        values = scale * curves.values[place]
        if len(values) > 1:
            axes.plot(curves.epoch, values.T, color=choose_look(k)["color"], linewidth=0.6, alpha=0.35, zorder=1)
        draw_epoch_curve(axes, curves.epoch, np.asarray(compute_interval(values.T).mean), k, words)
