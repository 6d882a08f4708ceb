"""Jacobian homeostasis in a scenario: its kinds, and the hardware on which it cannot act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from devices.synapse.cell import FeedbackDevices
from learning.homeostasis.measured import ClosedLoop, OpenLoop
from learning.oracle.homeostasis import MOST_UNITS, ExactPull, SampledPull, has_kernels
from substrate.network.topology import Topology
from substrate.network.wiring import LayerSizes, PathSpec, find_wiring_faults

from .devices import Found

Homeostasis = Annotated[ExactPull | SampledPull | OpenLoop | ClosedLoop, Field(discriminator="kind")]
"""One kind, as a table such as ``{ kind = "open-loop", strength = 1.0 }``."""

_TIED = {
    "shared-device": "one cell serves both directions, so the two pulls on it cancel; what breaks the symmetry is the "
    "periphery",
    "copied": "one number is written to both cells, so the two pulls on it cancel and their mismatch is permanent",
}


def find_homeostasis_faults(
    how: Homeostasis | None, feedback: FeedbackDevices, layers: LayerSizes, connections: Sequence[PathSpec]
) -> Found:
    """Return why homeostasis cannot act on this hardware.

    Parameters
    ----------
    how : Homeostasis or None
        What is asked for.
    feedback : FeedbackDevices
        How feedback weights are stored.
    layers, connections : mapping, sequence
        As in ``[network]``; what is wrong with them is told elsewhere.
    """
    if how is None or find_wiring_faults(layers, connections):
        return []
    place, topology = ("learning", "homeostasis"), Topology(layers, connections)
    if feedback.tied and topology.pairs():
        hint = 'take devices.feedback.storage = "independent", or leave homeostasis out'
        return [(place, f"cannot act under storage = {feedback.storage!r}: {_TIED[feedback.storage]}", hint)]
    names = {c.name for c in topology.recurrent()}
    if not names:
        return [(place, "no connection between unclamped layers to pull", "leave it out, or add feedback connections")]
    if how.connections == "reciprocal" and not any(f"{c.post}-{c.pre}" in names for c in topology.recurrent()):
        hint = 'take connections = "all", which pulls a connection without reverse to 0'
        return [((*place, "connections"), "no connection has a reverse", hint)]
    if isinstance(how, ExactPull) and topology.units > MOST_UNITS and has_kernels(topology):
        message = f"{topology.units} unclamped units: around a state it takes as many products for every sample"
        return [((*place, "kind"), message, f'take kind = "sampled", or {MOST_UNITS} units or fewer')]
    return []
