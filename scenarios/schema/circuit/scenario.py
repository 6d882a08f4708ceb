"""A scenario of a Kirchhoff network: one experiment on one circuit, completely described."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from devices.circuit.components import CircuitDevices
from devices.circuit.energy import CircuitEnergy
from devices.circuit.units import Capacitance, Duration, Volt
from devices.parameters import Parameters

from ..head import ScenarioHead, refuse_faults
from ..plan import NOISY_REPEATS, ExperimentPlan, RepeatedMeasurement
from ..sweep import Sweep
from ..tasks import ArraysTask, BundledTask, IdxTask
from .faults import find_circuit_scenario_faults
from .learning import CircuitLearning, CircuitScheme
from .network import CircuitNetwork

if TYPE_CHECKING:
    CircuitExperiment = ExperimentPlan
else:  # kinds of experiments are known by their own folder
    CircuitExperiment = import_module("scenarios.experiments.circuits.plans").PLANS

CIRCUIT = "resistive"
"""``network.law`` of circuits, by which their scenarios are known."""


class CircuitPhysical(Parameters):
    """Volts and farads of what the data and the nodes are."""

    input_volts: Annotated[Volt, Field(gt=0.0)] = Field(default=1.0, validate_default=False)
    """Voltage of an input of 1."""

    target_volts: Annotated[Volt, Field(gt=0.0)] = Field(default=1.0, validate_default=False)
    """Voltage of a target of 1."""

    capacitance: Annotated[Capacitance, Field(gt=0.0)] | None = None
    """Capacitance of every free node to ground; absent: those of the elements alone. It matters in time only."""


class CircuitPhase(Parameters):
    """The end of one settling: at rest, or after a fixed time."""

    duration: Annotated[Duration, Field(gt=0.0, le=1000.0)] | None = None
    """Exactly this long, at rest or not, such as "5 us"; absent: until the circuit is at rest."""


class CircuitDynamics(Parameters):
    """How far a circuit settles."""

    free: CircuitPhase = CircuitPhase()
    """End of the free settling, which starts from 0 V."""

    nudged: CircuitPhase = CircuitPhase()
    """End of each nudged settling, which starts where the free one ended."""

    tolerance: Annotated[float, Field(ge=1e-14, le=0.1)] | None = None
    """Net current of a node at which it counts as at rest, over the largest sum of magnitudes of currents at a node.

    Absent: 1e-12, in single precision 1e-6, and after a fixed number of sweeps 1e-3.
    """

    sweeps: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Of layers with ideal diodes: take exactly so many sweeps over all layers; absent: until the tolerance is met."""

    precision: Literal["single", "double"] = "double"
    """Of layers with ideal diodes."""

    @property
    def ends_by_clock(self) -> bool:
        """Whether the clock ends a phase, at rest or not; see `substrate.protocol.has_settled`."""
        return self.free.duration is not None or self.nudged.duration is not None

    @property
    def limit(self) -> float:
        """The tolerance that applies."""
        if self.tolerance is not None:
            return self.tolerance
        return 1e-3 if self.sweeps is not None else 1e-6 if self.precision == "single" else 1e-12


class CircuitPhases(Parameters):
    """How nudges act."""

    nudge: Literal["continuous", "held"] = "continuous"
    """`continuous`: the current follows the output, ``beta (V - y)``; `held`: it keeps what it is at the free state."""


class VoltagesTask(Parameters):
    """A few samples, written out in volts."""

    kind: Literal["voltages"]

    inputs: Annotated[list[list[Volt]], Field(min_length=1, max_length=10_000)]
    """One row a sample, one voltage an input."""

    targets: Annotated[list[list[Volt]], Field(min_length=1, max_length=10_000)]
    """One row a sample, one voltage an output."""

    batch: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Samples per batch of a training."""


_Rows = Annotated[list[list[Volt]], Field(min_length=1, max_length=10_000)]


class AlternatingTask(Parameters):
    """Tasks that take turns, each with its own samples in volts."""

    kind: Literal["alternating"]

    tasks: Annotated[dict[str, _Rows], Field(min_length=2, max_length=100)]
    """By name, in turn: one row a sample, one voltage an input, then one voltage an output."""

    offsets: dict[str, _Rows] = Field(default_factory=dict)
    """By the name of the task: how far clamping aims beside the targets; one row a sample, one voltage an output."""


CircuitTask = Annotated[
    VoltagesTask | AlternatingTask | BundledTask | IdxTask | ArraysTask, Field(discriminator="kind")
]


class CircuitSpec(ScenarioHead):
    """One experiment on one circuit, completely described; in volts, siemens, amperes and seconds."""

    network: CircuitNetwork
    """Layers, or nodes and elements."""

    physical: CircuitPhysical = CircuitPhysical()
    """Volts and farads."""

    dynamics: CircuitDynamics = CircuitDynamics()
    """How far the circuit settles."""

    phases: CircuitPhases = CircuitPhases()
    """How nudges act."""

    devices: CircuitDevices = CircuitDevices()
    """Imperfections; absent: an ideal circuit."""

    energy: CircuitEnergy = CircuitEnergy()
    """What the circuit takes; absent: nothing is counted."""

    learning: CircuitLearning = CircuitLearning()
    """How gradients are measured, and what is done with them."""

    task: CircuitTask
    """Data."""

    experiment: CircuitExperiment
    """What is done with the circuit."""

    sweep: Sweep | None = None
    """Values of keys that are varied; absent: none."""

    @model_validator(mode="after")
    def _fit_together(self) -> CircuitSpec:
        """Refuse combinations that have no meaning; each at the key that can be changed."""
        refuse_faults(find_circuit_scenario_faults(self))
        return self

    def in_units(self) -> CircuitSpec:
        """Return the scenario itself: circuits are in SI units throughout."""
        return self

    def tried(self) -> list[CircuitScheme]:
        """Return every scheme that is measured."""
        return self.learning.all_schemes()

    def repeats(self, plan: RepeatedMeasurement) -> int:
        """Return how often a batch is measured; once where nothing is random."""
        return (plan.repeats or NOISY_REPEATS) if self.devices.random else 1
