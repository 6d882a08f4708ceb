"""What an optimiser may say about single connections and blocks of a network."""

from __future__ import annotations

from collections.abc import Mapping

from learning.optimisers.optimiser import AnyOptimiser

from .devices import Found


def find_name_faults(optimiser: AnyOptimiser, layers: Mapping[str, int], connections: list[str], cost: str) -> Found:
    """Return the names in the tables of an optimiser that nothing in the network has.

    Parameters
    ----------
    optimiser : Sgd or AdamW
        What was written.
    layers : mapping of name to units
        The first is the clamped input.
    connections : list of str
        Each ``"pre-post"``.
    cost : str
        With `cross-entropy` there is a readout.
    """
    blocks = [*(f"weight/{c}" for c in connections), *(f"bias/{name}" for name in list(layers)[1:])]
    blocks += ["readout/weight", "readout/bias"] if cost == "cross-entropy" else []
    known = {"rates": [*connections, *blocks], "spectral_caps": connections}
    return [
        (("learning", "optimiser", key, name), "is nothing in this network", "take one of " + ", ".join(names))
        for key, names in known.items()
        for name in getattr(optimiser, key)
        if name not in names
    ]
