"""What a chip is made from: its design, the piece of silicon, and checked parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.interface.converter import Converters
from devices.interface.energy import Energy
from devices.interface.hold import Hold
from devices.neuron import activation
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.comparator import Comparator
from devices.programming.laws import Step, Verified
from devices.synapse.cell import FeedbackDevices, Twin, WeightDevices
from devices.synapse.measured import CellSample, MeasuredMap
from devices.synapse.retention import Retention
from devices.synapse.wires import Wires

from ..dynamics.methods import Dynamics
from ..dynamics.phases import Phases
from ..network.topology import Topology
from ..units.physical import Synapse

Array = NDArray[np.float64]


class Design(NamedTuple):
    """What every chip of one kind has in common; levels and times in units of the model."""

    topology: Topology
    activation: str | activation.Curve
    cost: str
    dynamics: Dynamics
    feedback: FeedbackDevices = FeedbackDevices()
    law: str = "additive"
    neurons: NeuronDevices = NeuronDevices()
    noise: Noise = Noise()
    phases: Phases = Phases()
    converters: Converters = Converters()
    hold: Hold = Hold()
    update: Step | Verified | None = None
    """How cells are written; None: exactly as requested."""

    correction: Literal["none", "programmed", "exact"] = "none"
    """Drive that takes the asymmetry out of nudged settlings, and whether it knows programmed or effective weights."""

    energy: Energy = Energy()
    weights: WeightDevices = WeightDevices()
    """Cells of the weights; those of the feedback weights where `feedback` says nothing else."""

    wires: Wires = Wires()
    twin: Twin | None = None
    """Second copy of the cells for nudged settlings; None: one copy for all."""

    tau: float | None = None
    """Membrane time constant in seconds, where it is known."""

    retention: Retention = Retention()
    """What happens to weights between two writes."""

    comparator: Comparator | None = None
    """What turns requests into changes of one size; None: nothing."""

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
    """Whether settlings follow `substrate.dynamics.completion`, not the ends and steps of the dynamics."""

    paced_by: Noise | None = None
    """Noise that was taken away, whose steps the chip still takes."""


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
