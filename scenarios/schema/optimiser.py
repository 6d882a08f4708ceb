"""What an optimiser may say about single connections and blocks of a network."""

from __future__ import annotations

from collections.abc import Sequence

from learning.optimisers.optimiser import AnyOptimiser
from substrate.network.wiring import LayerSizes, PathSpec, name_path

from .devices import Found


def find_name_faults(optimiser: AnyOptimiser, layers: LayerSizes, connections: Sequence[PathSpec], cost: str) -> Found:
    """Return the names in the tables of an optimiser that nothing in the network has.

    Parameters
    ----------
    optimiser : Sgd or AdamW
        What was written.
    layers, connections : mapping, sequence
        As in ``[network]``.
    cost : str
        With `cross-entropy` there is a readout.
    """
    paths = [name_path(path) for path in connections]
    blocks = [*(f"weight/{path}" for path in paths), *(f"bias/{name}" for name in list(layers)[1:])]
    blocks += ["readout/weight", "readout/bias"] if cost == "cross-entropy" else []
    decaying = [*paths, *(block for block in blocks if "bias" not in block)]
    known = {"rates": [*paths, *blocks], "weight_decays": decaying, "spectral_caps": paths}
    return [
        (("learning", "optimiser", key, name), "is nothing in this network", "take one of " + ", ".join(names))
        for key, names in known.items()
        for name in getattr(optimiser, key)
        if name not in names
    ]
