"""Heat of the settlings of a layered circuit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..effects.energy import SettlingHeat
from .design import LayeredDesign

Array = NDArray[np.float64]


class LayeredSettling(NamedTuple):
    """Voltages of one settling, (samples, nodes)."""

    before: NDArray[Any] | None
    """Where it began; absent: at 0 V."""

    after: NDArray[Any]


def compute_layered_heat(
    design: LayeredDesign, blocks: Mapping[str, Array], x: Array, settling: LayeredSettling
) -> SettlingHeat:
    """Return the heat of a settling at inputs `x` (batch, inputs), with the parameters that act."""
    after = settling.after[: len(x)].astype(np.float64)
    before = np.zeros_like(after) if settling.before is None else settling.before[: len(x)].astype(np.float64)
    first, *others = design.layers
    stops = np.cumsum([design.layers[name] for name in others])[:-1]
    read = {first: x, **dict(zip(others, np.split(after, stops, axis=1), strict=True))}
    total = np.zeros(len(x))
    for pre, post in design.connections:
        g, v = blocks[f"conductance/{pre}-{post}"], read[post]
        rails = [(1.0, g)] if g.ndim == 2 else [(1.0, g[0]), (-1.0, g[1])]
        for sign, rail in rails:
            u = sign * read[pre]
            total += u**2 @ rail.sum(axis=1) + v**2 @ rail.sum(axis=0) - 2.0 * np.sum((u @ rail) * v, axis=1)
    return SettlingHeat(total, 0.5 * design.capacitance * ((after - before) ** 2).sum(axis=1))
