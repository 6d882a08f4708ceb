"""How a chip is probed: a drive or an offset at every unit, beside the nudge of the outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .couplings import couplings_of
from .topology import Topology

Array = NDArray[np.float64]


def joined(topology: Topology, parts: Mapping[str, Array], batch: int) -> Array:
    """Return what is applied to the layers as one array (batch, units); a layer that is not named gets 0.

    Raises
    ------
    ValueError
        If a layer does not exist or is clamped, or its array is not finite and (batch, units).
    """
    whole = np.zeros((batch, topology.units))
    for layer, part in parts.items():
        if layer not in topology.columns:
            raise ValueError(f"a probe of {layer!r}: must be an unclamped layer, one of {list(topology.columns)}")
        shape = (batch, topology.layers[layer])
        if np.shape(part) != shape or not np.isfinite(part).all():
            raise ValueError(f"a probe of {layer!r} has shape {np.shape(part)}: must be finite and of shape {shape}")
        whole[:, topology.columns[layer]] = part
    return whole


def evoked(topology: Topology, effective: Mapping[str, Array], offsets: Array) -> Array:
    """Return the change of all drives when the held outputs change by `offsets`, (batch, units).

    ``h(a0 + offsets) - h(a0) = W offsets``: synapses are linear in the activity, so where the outputs
    are held, and which sample is clamped, drops out.
    """
    return couplings_of(topology, effective).product(offsets)
