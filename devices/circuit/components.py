"""Imperfections of the components of a circuit, in volts, siemens and seconds; all absent: an ideal circuit.

What is common to both phases of a measurement makes another circuit, and EP trains the circuit that is there. What
differs between phases is an error of its size over the nudge: see `learning.oracle.circuits`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..parameters import Parameters, Ratio
from .units import Capacitance, Conductance, Duration, Resistance, Share, Slope, Transconductance, Volt

Sigma = Annotated[Ratio, Field(ge=0.0, le=1.0)]
Spread = Annotated[Volt, Field(ge=0.0, le=100.0)]


class ConductanceNoise(Parameters):
    """Conductances that fluctuate, each by itself: ``g (1 + sigma xi)``, at least 0 S."""

    slow: Sigma = 0.0
    """Relative standard deviation of what keeps its value through all settlings of a measurement, such as random
    telegraph and 1/f noise; drawn anew for every batch. Common to its phases, it makes another circuit."""

    fast: Sigma = 0.0
    """Relative standard deviation of what is another in every settling of every sample."""


class ResistorSpread(Parameters):
    """Conductances, as they are programmed and as they act."""

    mismatch_sigma: Sigma = 0.0
    """Relative spread of the conductance of every resistor: ``g (1 + sigma xi)``; both phases have the same."""

    window: Annotated[list[Conductance], Field(min_length=2, max_length=2)] | None = None
    """Lowest and highest conductance a learned resistor can have; absent: from 0 on. The lowest one loads all nodes."""

    levels: Annotated[int, Field(ge=2, le=2**24)] | None = None
    """Equally spaced conductances within the window that a write can reach; absent: any."""

    noise: ConductanceNoise = ConductanceNoise()
    """How conductances fluctuate."""

    wires: Annotated[Resistance, Field(gt=0.0)] | None = None
    """Resistance of wires, which add nodes. Between layers: of every segment of a line of a crossbar, from conductor to
    conductor, in which each node of the first layer drives a row and each of the other ends a column. In other
    circuits: of a wire at the first node of every resistor and transistor. Absent: none."""


class TransistorSpread(Parameters):
    """MOS channels whose gate voltages are learned."""

    threshold_sigma: Spread = Field(default=0.0, validate_default=False)
    """Spread of the threshold voltage, in volts."""

    gain_sigma: Sigma = 0.0
    """Relative spread of the transconductance; what an element measures scales with the nominal one."""

    gate: Annotated[list[Volt], Field(min_length=2, max_length=2)] | None = None
    """Lowest and highest gate voltage; absent: any."""


class AmplifierSpread(Parameters):
    """Bidirectional amplifiers."""

    forward_sigma: Sigma = 0.0
    """Relative spread of A, volts at the exit per volt at the entry."""

    backward_sigma: Sigma = 0.0
    """Relative spread of B, current drawn from the entry per current at the exit."""

    offset_sigma: Spread = Field(default=0.0, validate_default=False)
    """Spread of the offset at the exit, in volts."""


class DiodeSpread(Parameters):
    """Exponential diodes."""

    saturation_sigma: Sigma = 0.0
    """Spread of the logarithm of the saturation current."""

    ideality_sigma: Sigma = 0.0
    """Relative spread of the ideality factor."""


class OutputCircuit(Parameters):
    """What nudges or clamps the outputs."""

    offset_sigma: Spread = Field(default=0.0, validate_default=False)
    """Spread of the offset of every target, in volts; the same in every settling."""

    gain: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    """Applied nudge, or applied step towards the target, over the one that was asked for."""


class InputCircuit(Parameters):
    """What holds the inputs."""

    resistance: Annotated[Resistance, Field(gt=0.0)] | None = None
    """Resistance of every source that an input sets, which makes its node a free one; absent: none."""


class DropReading(Parameters):
    """How elements measure their own drops."""

    offset_sigma: Spread = Field(default=0.0, validate_default=False)
    """Spread of the offset of every element's comparator, the same in both phases: ``(dV + o)^2``, in volts."""

    noise: Spread = Field(default=0.0, validate_default=False)
    """Standard deviation of one read of a node voltage, fresh in every read, in volts."""

    twin_noise: Annotated[Volt, Field(ge=0.0, le=100.0)] | None = None
    """As `noise`, of reads in the second copy of the circuit; absent: the same. Squares of reads with different noise
    differ by the difference of both variances, over the nudge."""

    squarer_offset_sigma: Spread = Field(default=0.0, validate_default=False)
    """Spread of the offsets of the two squarers of every element, one for each of the reads that are compared:
    ``(dV + o1)^2 - (dV + o2)^2``, in volts."""

    squarer_gain_sigma: Sigma = 0.0
    """Relative spread of the gains of both squarers: ``k1 dV^2 - k2 dV^2``."""

    twin_sigma: Sigma = 0.0
    """Relative spread of the conductances of a second copy of the circuit, in which nudged settlings take place.

    A board with one network for each phase has it; absent or 0: one circuit settles in turn."""


class IntegratorCircuit(Parameters):
    """An analogue multiplier that charges a capacitor through a resistor: at a gate, or at what sets a conductance."""

    capacitance: Annotated[Capacitance, Field(gt=0.0)]
    """C, of the capacitor."""

    resistance: Annotated[Resistance, Field(gt=0.0)]
    """R, through which it is charged."""

    scale: Annotated[Volt, Field(gt=0.0)]
    """V0, by which the multiplier divides products of drops."""


class ContinuousUpdate(Parameters):
    """Every learned transistor or resistor changes itself in time, until it meets the end of its range.

    ``dG/dt = gain/(R C V0) (dV_F - dV_C + o) (dV_F + dV_C) + b - l G`` with the drops in the free and in the clamped
    network (arXiv 2505.22887). G is the voltage of a capacitor: a transistor has it at its gate, within
    `devices.transistors.gate`; a resistor has the conductance ``k G``, within `devices.weights.window`, as one that is
    controlled by a voltage, or a digital potentiometer with many steps.
    """

    kind: Literal["continuous"]
    """How parameters change."""

    circuit: IntegratorCircuit
    """What integrates."""

    gain: Annotated[float, Field(gt=0.0, le=1e6)] = 1.0
    """Factor of the rate."""

    sensitivity: Annotated[Transconductance, Field(gt=0.0)] | None = None
    """k, siemens of a learned resistor per volt of its capacitor: ``k gain/(R C V0)`` is its rate in S/(s V^2)."""

    bias: dict[str, Slope] = Field(default_factory=dict)
    """b, by the name of the element; absent: 0."""

    offset: dict[str, Volt] = Field(default_factory=dict)
    """o, of the comparator of both drops, by the name of the element; absent: 0."""

    leak: dict[str, Share] = Field(default_factory=dict)
    """l, by the name of the element; below 0 for an integrator that amplifies what it holds; absent: 0."""

    delay: Annotated[Duration, Field(ge=0.0, le=1.0)] = Field(default=0.0, validate_default=False)
    """How much longer than its share of the period each task is on."""


class CircuitDevices(Parameters):
    """Imperfections of one circuit."""

    weights: ResistorSpread = ResistorSpread()
    """Resistors."""

    transistors: TransistorSpread = TransistorSpread()
    """MOS channels."""

    amplifiers: AmplifierSpread = AmplifierSpread()
    """Amplifiers."""

    diodes: DiodeSpread = DiodeSpread()
    """Junctions of exponential diodes."""

    nudge: OutputCircuit = OutputCircuit()
    """The circuit at the outputs."""

    drops: DropReading = DropReading()
    """How drops are measured."""

    inputs: InputCircuit = InputCircuit()
    """The sources of the inputs."""

    update: ContinuousUpdate | None = None
    """How parameters change by themselves; absent: they are written."""

    @property
    def random(self) -> bool:
        """Whether two measurements of one batch differ."""
        return self.drops.noise > 0.0 or bool(self.drops.twin_noise) or self.weights.noise.fast > 0.0

    @property
    def differs(self) -> bool:
        """Whether two pieces of hardware differ."""
        spreads = [
            getattr(block, key)
            for block in (self.weights, self.transistors, self.amplifiers, self.diodes, self.nudge, self.drops)
            for key in type(block).model_fields
            if key.endswith("_sigma")
        ]
        return self.random or self.weights.noise.slow > 0.0 or any(spreads)

    def make_quiet(self) -> CircuitDevices:
        """Return the same devices without what differs from settling to settling and from read to read."""
        drops = self.drops.model_copy(update={"noise": 0.0, "twin_noise": None})
        slow = self.weights.noise.model_copy(update={"fast": 0.0})
        return self.model_copy(update={"drops": drops, "weights": self.weights.model_copy(update={"noise": slow})})
