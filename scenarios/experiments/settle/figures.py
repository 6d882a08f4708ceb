"""Settling curves, drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...drawing.space import Space
from ...drawing.style import COLOURS, DASHES, format_plain_text
from ...results.store import ResultData
from ...results.views import find_unit_prefix
from ..figures import figure

Array = NDArray[np.float64]

_SAMPLES = 4
_PHASES = len(COLOURS)
_SHARE = 5.0
"""A distance from the end of a settling is drawn where it is so many times what the end is from rest."""


@figure(
    "settling",
    when=lambda result: "settling" in result.groups,
    caption=(
        "Settling. Largest distance of any unit from the end of its own settling; a straight line is "
        "exponential settling, its slope the slowest time constant. Thin lines are further samples. A curve "
        "stops where its end is no longer a fair stand-in for the rest point that it heads for."
    ),
    count=lambda result: f"n = {result['settling']['status'].data.shape[1]} samples.",
)
def draw_settling(space: Space, result: ResultData) -> None:
    """Draw how far each settling is from its end, against time; of many samples and settlings only the first.

    A curve stops where its end is no longer a fair stand-in for the rest point that it heads for.
    """
    group = result["settling"]
    time, distance = group["time"].data, group["distance"].data
    seconds, volts = (float(group[name].data) if name in group else None for name in ("tau_s", "state_volts"))
    scale, unit = (1.0, "tau") if seconds is None else find_unit_prefix(float(time[-1]) * seconds, "s")
    time = time * (1.0 if seconds is None else seconds / scale)
    (axes,) = space.make_panels()
    for k, phase in enumerate(group["phase"].data[:_PHASES]):
        for sample in range(min(distance.shape[2], _SAMPLES)):
            curve = cut_settled_tail(distance[k, :, sample]) * (volts or 1.0)
            axes.semilogy(
                time,
                curve,
                color=COLOURS[k % len(COLOURS)],
                linestyle=DASHES[k % len(DASHES)],
                linewidth=1.4 if sample == 0 else 0.7,
                label=format_plain_text(phase) if sample == 0 else None,
            )
    axes.set_xlabel(f"time ({unit})")
    axes.set_ylabel(f"largest distance of a unit\nfrom the end of its settling ({'V' if volts else 'state units'})")
    space.place_legend([axes])


def cut_settled_tail(distance: Array) -> Array:
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
