"""What a chip is made from: its design, the piece of silicon, and checked parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices import activation
from devices.mismatch import FeedbackDevices
from devices.neurons import NeuronDevices
from devices.noise import Noise

from .methods import Dynamics
from .topology import Topology

Array = NDArray[np.float64]


class Design(NamedTuple):
    """What every chip of one kind has in common."""

    topology: Topology
    activation: str | activation.Curve
    cost: str
    dynamics: Dynamics
    feedback: FeedbackDevices = FeedbackDevices()
    law: str = "additive"
    neurons: NeuronDevices = NeuronDevices()
    noise: Noise = Noise()


class Fabrication(NamedTuple):
    """Which piece of silicon: the same seed and instance give the same devices."""

    seed: int = 0
    instance: int = 0


def checked(topology: Topology, programmed: Mapping[str, Array]) -> dict[str, Array]:
    """Return a copy of the programmed blocks, or raise ValueError for a missing or misshapen one."""
    blocks = {}
    for name, shape in topology.shapes.items():
        if name not in programmed:
            raise ValueError(f"programmed parameters lack {name!r}, shape {shape}")
        block = np.array(programmed[name], dtype=np.float64, order="C")
        if block.shape != shape:
            raise ValueError(f"{name!r} has shape {block.shape}: must be {shape}")
        blocks[name] = block
    return blocks
