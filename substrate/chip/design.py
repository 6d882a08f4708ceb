"""What a chip is made from: its design, the piece of silicon, and checked parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.hardware import Devices
from devices.interface.energy import Energy
from devices.neuron import activation
from devices.random import Stream
from devices.synapse.measured import CellSample, MeasuredMap

from ..dynamics.methods import Dynamics
from ..dynamics.phases import Phases
from ..network.topology import Topology
from ..protocol import ExtraArrays
from ..units.physical import Synapse

Array = NDArray[np.float64]


class Design(NamedTuple):
    """What every chip of one kind has in common; levels and times in units of the model."""

    topology: Topology
    activation: str | activation.Curve
    cost: str
    dynamics: Dynamics
    devices: Devices = Devices()
    law: str = "additive"
    phases: Phases = Phases()

    correction: Literal["none", "programmed", "exact"] = "none"
    """Drive that takes the asymmetry out of nudged settlings, and whether it knows programmed or effective weights."""

    energy: Energy = Energy()

    tau: float | None = None
    """Membrane time constant in seconds, where it is known."""

    synapse: Synapse = "virtual-ground"
    """What the conductances of the cells do to the membranes."""

    volt_ratio: float = 1.0
    """Volts of one unit of state over those of one of activity: how many leaks a conductance of one weight is."""

    measured_cells: Mapping[str, Array] | None = None
    """Constants of cells that were measured, ``<block>/<name>``; see `substrate.chip.programming`."""

    measured_weights: Mapping[str, MeasuredMap | CellSample] | None = None
    """Weights that were measured, by block; only those of cells whose parameters name a file."""

    measured_converters: Mapping[str, Array] | None = None
    """Tables of converters that were measured, `readout` and `nudge`; see `devices.interface.linearity`."""

    complete: bool = False
    """Whether settlings follow `substrate.settling.completion`, not the ends and steps of the dynamics."""

    paced_by: tuple[float, ...] | None = None
    """Correlation times of noise of the membranes that was taken away, whose steps the chip still takes, in tau."""

    batch: int = 1
    """Samples that follow each other on the chip between two writes; see `substrate.chip.boards.regimes`."""

    arrays: ExtraArrays = ExtraArrays()
    """Arrays of cells that every block has beside its first one."""

    def part(self, name: str) -> Any:
        """Return a field of the design, or a block of its devices."""
        return getattr(self if name in self._fields else self.devices, name)

    def replace(self, **parts: Any) -> Design:
        """Return the design with other parts: fields of its own, and blocks of its devices, by name."""
        own = {name: part for name, part in parts.items() if name in self._fields}
        blocks = {name: part for name, part in parts.items() if name not in own}
        if unknown := blocks.keys() - Devices.model_fields.keys():
            raise ValueError(f"{', '.join(sorted(unknown))}: no part of a design and no block of devices")
        devices = own.pop("devices", self.devices)
        return self._replace(devices=devices.model_copy(update=blocks) if blocks else devices, **own)


class Fabrication(NamedTuple):
    """Which piece of silicon: the same seed and instance give the same devices."""

    seed: int = 0
    instance: int = 0

    def stream(self, purpose: str) -> Stream:
        """Return the random stream of one purpose on this piece of silicon."""
        return Stream(self.seed, purpose, self.instance)


def check_programmed_blocks(topology: Topology, programmed: Mapping[str, Array]) -> dict[str, Array]:
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
