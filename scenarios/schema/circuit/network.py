"""Circuits as scenarios describe them: layers of a deep resistive network, or named nodes and elements on any graph."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from devices.circuit.units import Capacitance, Conductance, Current, Resistance, Temperature, Transconductance, Volt
from devices.parameters import FilePath, Parameters

NODE = r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$"
"""Names of nodes."""

_Count = Annotated[int, Field(ge=1, le=1_000_000)]


class CutUniform(Parameters):
    """First conductances: uniform in -s to s, those below zero cut off, so that half of them are 0."""

    kind: Literal["cut-uniform"] = "cut-uniform"
    """How they are drawn."""

    unit: Annotated[Conductance, Field(gt=0.0)]
    """Conductance that counts as 1."""

    scale: Annotated[float, Field(gt=0.0, le=1000.0)] = 1.0
    """``s = scale / sqrt(n)`` units, `n` sources or nodes on the side of the input."""


class IdealDiodeKind(Parameters):
    """Diodes that conduct without a drop: the first half of a layer stays at 0 V or above."""

    kind: Literal["ideal"] = "ideal"


class ExponentialDiodes(Parameters):
    """Shockley diodes from and to sources: ``I = Is (exp(V/(n Vt)) - 1)``."""

    kind: Literal["exponential"]

    saturation: Annotated[Current, Field(gt=0.0)]
    """Saturation current Is."""

    ideality: Annotated[float, Field(ge=0.5, le=10.0)] = 1.0
    """Ideality factor n."""

    bias: Annotated[list[Volt], Field(min_length=2, max_length=2)] = Field(default=[0.0, 0.0], validate_default=False)
    """Voltages of the sources behind the diodes: of the first half of the layer, which they hold up, and of the
    others."""


class LayerAmplifier(Parameters):
    """A bidirectional amplifier behind every node of a layer."""

    forward: Annotated[float, Field(gt=0.0, le=1e6)]
    """A: volts towards the next layer per volt of the node."""

    backward: Annotated[float, Field(gt=0.0, le=1e6)]
    """B: current drawn from the node per current that flows on to the next layer."""


def _tell_diode(value: Any) -> str:
    return "<name>" if isinstance(value, str) else "<table>"


_Diode = Annotated[
    Annotated[Literal["ideal"], Tag("<name>")]
    | Annotated[IdealDiodeKind | ExponentialDiodes, Field(discriminator="kind"), Tag("<table>")],
    Discriminator(_tell_diode),
]


class LayeredNetwork(Parameters):
    """A deep resistive network: conductors between neighbouring layers, nonlinear elements at hidden nodes."""

    law: Literal["resistive"]
    """`resistive`: Kirchhoff's laws; makes the scenario that of a circuit."""

    layers: dict[str, _Count]
    """Nodes per layer, in order: the first is the input, held by sources, the last the output."""

    connections: Annotated[list[str], Field(min_length=1)]
    """Conductors between layers that follow each other, ``"in-h1"``; they have no direction, so that each is named
    once."""

    rails: Literal["both", "single"] = "both"
    """`both`: a source of +x and one of -x for every input, since conductances are not negative; `single`: of +x."""

    diodes: dict[str, _Diode] = Field(default_factory=dict)
    """Diodes at every node of a hidden layer: `"ideal"`, or a table of exponential ones."""

    amplifiers: dict[str, LayerAmplifier] = Field(default_factory=dict)
    """Amplifiers behind every node of a hidden layer."""

    bias: Literal["current", "none"] = "current"
    """Whether a learned current source feeds every node that is not held."""

    cost: Literal["mse"] = "mse"
    """``|V - y|^2 / 2`` of the output voltages, in V^2."""

    init: CutUniform | None = None
    """First conductances; absent only where `parameters` gives them."""

    parameters: FilePath | None = None
    """npz file or run.h5 of a training: the conductances to programme instead of `init`, in siemens."""


class HeldNode(Parameters):
    """A node at a voltage source."""

    held: Volt
    """Its voltage."""


_Node = Annotated[
    Annotated[Literal["input", "output"], Tag("<role>")] | Annotated[HeldNode, Tag("<table>")],
    Discriminator(lambda value: "<role>" if isinstance(value, str) else "<table>"),
]


class MosModel(Parameters):
    """What MOS channels of one kind have in common."""

    kind: Literal["mos"] = "mos"

    transconductance: Annotated[Transconductance, Field(gt=0.0)]
    """``s``: conductance per gate volt above threshold."""

    threshold: Volt
    """Threshold voltage."""


class DiodeModel(Parameters):
    """What diodes of one kind have in common."""

    kind: Literal["diode"]

    saturation: Annotated[Current, Field(gt=0.0)]
    """Saturation current Is."""

    ideality: Annotated[float, Field(ge=0.5, le=10.0)] = 1.0
    """Ideality factor n."""


_Ends = Annotated[list[Annotated[str, Field(pattern=NODE)]], Field(min_length=2, max_length=2)]


class _Element(Parameters):
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")]
    """Name of the element; results use it."""

    between: _Ends
    """Both nodes; ground is ``"0"``. A positive current flows from the first to the second."""


class ConductorElement(_Element):
    """A resistor."""

    kind: Literal["conductor"]

    resistance: Annotated[Resistance, Field(gt=0.0)] | None = None
    """Give this one, or `conductance`."""

    conductance: Annotated[Conductance, Field(ge=0.0)] | None = None
    """Give this one, or `resistance`."""

    learn: bool = False
    """Whether it is learned."""


class SourceElement(_Element):
    """A current source."""

    kind: Literal["current"]

    current: Current
    """From the first node to the second."""

    learn: bool = False
    """Whether it is learned."""


class TransistorElement(_Element):
    """A MOS channel."""

    kind: Literal["mos"]

    model: str
    """Name of a model of the kind `mos`."""

    gate: Volt
    """Gate voltage, against ground."""

    learn: bool = False
    """Whether the gate voltage is learned."""


class DiodeElement(_Element):
    """A diode from the first node to the second."""

    kind: Literal["diode"]

    model: str | None = None
    """Name of a model of the kind `diode`; absent: an ideal diode, one of whose ends must be held."""


class AmplifierElement(_Element):
    """A bidirectional amplifier, from its entry, the first node, to its exit, the second."""

    kind: Literal["amplifier"]

    forward: Annotated[float, Field(ge=-1e6, le=1e6)]
    """A: volts at the exit per volt at the entry."""

    backward: Annotated[float, Field(ge=-1e6, le=1e6)]
    """B: current drawn from the entry per current that the exit delivers."""

    offset: Volt = Field(default=0.0, validate_default=False)
    """Voltage of the exit at an entry of 0 V."""


class CapacitorElement(_Element):
    """A capacitor; it matters in time only."""

    kind: Literal["capacitor"]

    capacitance: Annotated[Capacitance, Field(gt=0.0)]
    """Its capacitance."""


Element = Annotated[
    ConductorElement | SourceElement | TransistorElement | DiodeElement | AmplifierElement | CapacitorElement,
    Field(discriminator="kind"),
]


class Lattice(Parameters):
    """Resistors or transistors along the edges of a square lattice, all learned."""

    rows: Annotated[int, Field(ge=2, le=500)]
    """Number of rows."""

    columns: Annotated[int, Field(ge=2, le=500)]
    """Number of columns."""

    periodic: bool = False
    """Whether edges lead from the last row and column to the first."""

    model: str | None = None
    """Name of a model of the kind `mos`: edges are transistors; absent: resistors."""

    gate: Annotated[list[Volt], Field(min_length=2, max_length=2)] | None = None
    """Of transistors: lowest and highest first gate voltage, drawn uniformly in between."""

    conductance: Annotated[list[Conductance], Field(min_length=2, max_length=2)] | None = None
    """Of resistors: lowest and highest first conductance, drawn uniformly in between."""

    input: Annotated[list[str], Field(min_length=1)]
    """Nodes that the inputs hold, such as ``"r0c0"`` for row 0 and column 0."""

    output: Annotated[list[str], Field(min_length=1)]
    """Nodes that answer."""

    held: dict[str, Volt] = Field(default_factory=dict)
    """Nodes at voltage sources."""


class GraphNetwork(Parameters):
    """A circuit of named nodes and elements."""

    law: Literal["resistive"]
    """`resistive`: Kirchhoff's laws; makes the scenario that of a circuit."""

    nodes: dict[str, _Node] = Field(default_factory=dict)
    """``"input"``, ``"output"`` or ``{ held = "0.4 V" }`` by node; any other node that an element names is free."""

    models: dict[str, Annotated[MosModel | DiodeModel, Field(discriminator="kind")]] = Field(default_factory=dict)
    """What elements of one kind have in common."""

    elements: list[Element] = Field(default_factory=list)
    """Elements one by one."""

    lattice: Lattice | None = None
    """Elements along a lattice."""

    netlist: FilePath | None = None
    """Elements from a SPICE netlist: R, C, V, I, D, M (level 1) and pairs of E and F as amplifiers."""

    inputs: dict[str, str] = Field(default_factory=dict)
    """Of a netlist: voltage sources that inputs set, by a name for the input, such as ``{ x0 = "Vx0" }``."""

    outputs: list[str] = Field(default_factory=list)
    """Of a netlist: nodes that answer."""

    learn: list[str] = Field(default_factory=list)
    """Of a netlist: elements that are learned; ``"R*"`` names all that begin so."""

    temperature: Annotated[Temperature, Field(gt=0.0, le=1000.0)] = Field(default=300.15, validate_default=False)
    """Of junctions."""

    cost: Literal["mse"] = "mse"
    """``|V - y|^2 / 2`` of the output voltages, in V^2."""


def _tell_form(value: Any) -> str:
    given = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return "<layers>" if {"layers", "connections", "rails", "diodes", "init"} & set(given) else "<graph>"


CircuitNetwork = Annotated[
    Annotated[LayeredNetwork, Tag("<layers>")] | Annotated[GraphNetwork, Tag("<graph>")], Discriminator(_tell_form)
]
