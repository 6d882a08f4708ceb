"""Imperfections of the components of a circuit, in volts, siemens and seconds; all absent: an ideal circuit.

What is common to both phases of a measurement makes another circuit, and EP trains the circuit that is there. What
differs between phases is an error of its size over the nudge: see `learning.oracle.circuits`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..parameters import Parameters, Ratio
from .units import Conductance, Volt

Sigma = Annotated[Ratio, Field(ge=0.0, le=1.0)]
Spread = Annotated[Volt, Field(ge=0.0, le=100.0)]


class ResistorSpread(Parameters):
    """Conductances, as they are programmed and as they act."""

    mismatch_sigma: Sigma = 0.0
    """Relative spread of the conductance of every resistor: ``g (1 + sigma xi)``; both phases have the same."""

    window: Annotated[list[Conductance], Field(min_length=2, max_length=2)] | None = None
    """Lowest and highest conductance a learned resistor can have; absent: from 0 on. The lowest one loads all nodes."""

    levels: Annotated[int, Field(ge=2, le=2**24)] | None = None
    """Equally spaced conductances within the window that a write can reach; absent: any."""


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


class DropReading(Parameters):
    """How elements measure their own drops."""

    offset_sigma: Spread = Field(default=0.0, validate_default=False)
    """Spread of the offset of every element's comparator, the same in both phases: ``(dV + o)^2``, in volts."""

    noise: Spread = Field(default=0.0, validate_default=False)
    """Standard deviation of one read of a node voltage, fresh in every read, in volts."""

    twin_sigma: Sigma = 0.0
    """Relative spread of the conductances of a second copy of the circuit, in which nudged settlings take place.

    A board with one network for each phase has it; absent or 0: one circuit settles in turn."""


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

    @property
    def random(self) -> bool:
        """Whether two measurements of one batch differ."""
        return self.drops.noise > 0.0
