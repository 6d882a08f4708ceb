"""Figure of a sweep: how single estimates scatter by noise of cells, over its correlation time, beside the law."""

from __future__ import annotations

import numpy as np

from ...drawing.space import Space, makes_figure
from ...drawing.style import choose_look
from ...results.store import ResultData

TIME = "devices.weights.noise.tau_c"
"""Key whose values are the x axis."""

CAPTION = (
    "How a single estimate scatters, over the exact gradient, against the correlation time of the noise of cells; "
    "markers: measured, lines: the linearised chip. Noise that is drawn once per batch has no line."
)

_CURVES = 8


def has_noise_over_time(result: ResultData) -> bool:
    """Tell whether a result is of a sweep along the correlation time."""
    group = result.groups.get("cell_noise", {})
    return "measured" in group and group["measured"].dims[:-2].count(TIME) == 1


@makes_figure
def draw_noise_over_time(space: Space, result: ResultData) -> None:
    """Draw measured and expected scatter of every layer under the first scheme.

    The mean over replicates; one colour per place of the other axes, the first eight are drawn.
    """
    group = result.groups.get("cell_noise", {})
    if "measured" not in group or group["measured"].dims[:-2].count(TIME) != 1:
        return
    measured, expected = (_order_axes(group[name].dims, group[name].data) for name in ("measured", "expected"))
    times, layers = np.asarray(group[TIME].data, dtype=float), [str(layer) for layer in group["layer"].data]
    others = [dim for dim in group["measured"].dims[:-2] if dim not in (TIME, "replicate")]
    axes = space.make_panels(len(layers))
    for k, place in enumerate(list(np.ndindex(measured.shape[:-2]))[:_CURVES]):
        words = ", ".join(f"{d.rpartition('.')[2]} {group[d].data[i]:g}" for d, i in zip(others, place, strict=True))
        look = choose_look(k)
        for n, axis in enumerate(axes):
            axis.plot(times, expected[place][:, n], color=look["color"], linewidth=1.0)
            axis.plot(times, measured[place][:, n], linestyle="", label=words or None, **look)
    for axis, layer in zip(axes, layers, strict=True):
        axis.set(xscale="log", yscale="log", xlabel="correlation time (tau)", title=f"layer {layer}")
    axes[0].set_ylabel("noise of one estimate\nover the exact gradient")
    if others:
        space.place_legend(axes[:1])


def _order_axes(dims: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """Return values (other axes, times, layers) of the first scheme, averaged over replicates."""
    values = np.take(values, 0, axis=len(dims) - 2)
    left = [dim for dim in dims if dim != "scheme"]
    if "replicate" in left:
        values = values.mean(axis=left.index("replicate"))
        left.remove("replicate")
    return np.moveaxis(values, left.index(TIME), -2)
