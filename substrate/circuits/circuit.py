"""A Kirchhoff network on any graph: its nodes and its elements, as plain arrays in SI units.

A node is *held* (a voltage source to ground), *driven* (the output of an amplifier) or *free*. The currents that leave
node i through all elements sum to ``f_i(V)``, and Kirchhoff's law sets their sum to 0 at every free node, with what
amplifiers draw from their inputs (`substrate.circuits.nodes`). Positive current flows from `a` to `b`:

=================== ================================================== =============================================
element             current                                            note
=================== ================================================== =============================================
conductor           ``g (Va - Vb)``
current source      ``i``
exponential diode   ``Is (exp((Va - Vb) / (n Vt)) - 1)``               Shockley
ideal diode         ``Va <= Vb``, current at least 0                   one end held
MOS transistor      ``s/2 [(G - Vth - Vb)+^2 - (G - Vth - Va)+^2]``    gate voltage G to ground; level 1
amplifier           ``V(exit) = A V(entry) + offset``                  ``B I`` is drawn from the entry
capacitor           ``C d(Va - Vb)/dt``
=================== ================================================== =============================================

One MOS expression covers cutoff, triode (``s (G - Vth - (Va + Vb)/2)(Va - Vb)``) and pinch-off, and is continuous with
its first derivative (Shichman & Hodges 1968, without channel-length modulation). The amplifier is the bidirectional one
of Kendall et al. (arXiv 2006.01981): `A` forward for voltages, `B` backward for currents.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]

ELEMENTARY_CHARGE = 1.602176634e-19
"""In coulomb; the exact value of the SI."""

BOLTZMANN = 1.380649e-23
"""In joule per kelvin; the exact value of the SI."""

ROOM = 300.15
"""Temperature of circuits unless they say another, in kelvin: 27 degrees Celsius, as circuit simulators have it."""


def compute_thermal_voltage(kelvin: float = ROOM) -> float:
    """Return ``k T / q`` in volts."""
    return BOLTZMANN * kelvin / ELEMENTARY_CHARGE


def _no_nodes() -> Nodes:
    return np.zeros(0, dtype=np.int64)


def _no_values() -> Array:
    return np.zeros(0)


class Conductors(NamedTuple):
    """Linear conductances between nodes `a` and `b`."""

    a: Nodes = _no_nodes()
    b: Nodes = _no_nodes()
    g: Array = _no_values()
    """In siemens."""


class Sources(NamedTuple):
    """Current sources from `a` to `b`."""

    a: Nodes = _no_nodes()
    b: Nodes = _no_nodes()
    current: Array = _no_values()
    """In ampere."""


class Diodes(NamedTuple):
    """Exponential diodes from anode `a` to cathode `b`."""

    a: Nodes = _no_nodes()
    b: Nodes = _no_nodes()
    saturation: Array = _no_values()
    """Saturation current Is in ampere."""

    slope: Array = _no_values()
    """Ideality times thermal voltage, ``n Vt``, in volts."""


class IdealDiodes(NamedTuple):
    """Diodes that conduct without a drop from anode `a` to cathode `b`, one of which is held."""

    a: Nodes = _no_nodes()
    b: Nodes = _no_nodes()


class Transistors(NamedTuple):
    """MOS channels between `a` and `b`, each with a gate of its own."""

    a: Nodes = _no_nodes()
    b: Nodes = _no_nodes()
    transconductance: Array = _no_values()
    """``s`` in siemens per volt."""

    threshold: Array = _no_values()
    """In volts."""

    gate: Array = _no_values()
    """Gate voltage against ground in volts."""


class Amplifiers(NamedTuple):
    """Bidirectional amplifiers."""

    entry: Nodes = _no_nodes()
    exit: Nodes = _no_nodes()
    forward: Array = _no_values()
    """``A``: volts at the exit per volt at the entry."""

    backward: Array = _no_values()
    """``B``: ampere drawn from the entry per ampere that the exit delivers."""

    offset: Array = _no_values()
    """In volts, at the exit."""


class Capacitors(NamedTuple):
    """Capacitors between nodes `a` and `b`."""

    a: Nodes = _no_nodes()
    b: Nodes = _no_nodes()
    c: Array = _no_values()
    """In farad."""


class CircuitGraph(NamedTuple):
    """One circuit: the same description serves settling, learning, evaluation and export."""

    nodes: tuple[str, ...]
    """Names of all nodes."""

    held: Nodes
    """Nodes at voltage sources; their voltages, one row a sample, are given when the circuit settles."""

    outputs: Nodes
    """Free nodes whose voltages are the answer."""

    conductors: Conductors = Conductors()
    sources: Sources = Sources()
    diodes: Diodes = Diodes()
    ideal: IdealDiodes = IdealDiodes()
    transistors: Transistors = Transistors()
    amplifiers: Amplifiers = Amplifiers()
    capacitors: Capacitors = Capacitors()

    @property
    def free(self) -> Nodes:
        """Nodes whose voltages are unknown: neither held nor driven."""
        bound = np.concatenate([self.held, self.amplifiers.exit])
        return np.setdiff1d(np.arange(len(self.nodes)), bound)

    @property
    def is_linear(self) -> bool:
        """Whether all currents are linear in the voltages."""
        return not (len(self.diodes.a) or len(self.ideal.a) or len(self.transistors.a))


class ElementCurrents(NamedTuple):
    """Current from `a` to `b` through every element, (batch, elements) of each kind, in ampere."""

    conductors: Array
    sources: Array
    diodes: Array
    transistors: Array


def compute_currents(circuit: CircuitGraph, voltages: Array) -> ElementCurrents:
    """Return the currents that the element laws give at node voltages (batch, nodes).

    Ideal diodes and voltage sources carry what is left over at their nodes.
    """

    def drop(kind: Conductors | Diodes) -> Array:
        return np.asarray(voltages[:, kind.a] - voltages[:, kind.b])

    diodes, mos = circuit.diodes, circuit.transistors
    over = [np.maximum(mos.gate - mos.threshold - voltages[:, end], 0.0) for end in (mos.a, mos.b)]
    return ElementCurrents(
        circuit.conductors.g * drop(circuit.conductors),
        np.broadcast_to(circuit.sources.current, (len(voltages), len(circuit.sources.a))),
        diodes.saturation * np.expm1(np.minimum(drop(diodes) / diodes.slope, 700.0)),
        # A difference of squares as a product: it keeps its digits where the drop is small.
        0.5 * mos.transconductance * (over[1] - over[0]) * (over[1] + over[0]),
    )


def compute_power(circuit: CircuitGraph, voltages: Array) -> Array:
    """Return the power that conductors, diodes and transistors turn into heat, ``sum I dV``, (batch,), in watt.

    Ideal diodes take none: they carry a current or hold a voltage off, never both.
    """
    found = compute_currents(circuit, voltages)
    pairs = (
        (circuit.conductors, found.conductors),
        (circuit.diodes, found.diodes),
        (circuit.transistors, found.transistors),
    )
    drops = [voltages[:, kind.a] - voltages[:, kind.b] for kind, _ in pairs]
    return np.asarray(
        sum((current * drop).sum(axis=1) for (_, current), drop in zip(pairs, drops, strict=True)), dtype=np.float64
    )


def compute_energy(circuit: CircuitGraph, voltages: Array) -> Array:
    """Return the co-content E in watt per sample, (batch,), of circuits without transistors and amplifiers.

    ``sum g dV^2/2 + sum i dV + sum Is (n Vt (exp(dV/(n Vt)) - 1) - dV)``: its derivative by the voltage of a node is
    the current that leaves it, so that it falls while the circuit settles (Millar 1951; Kendall et al. 2020).

    Raises
    ------
    ValueError
        If there are transistors or amplifiers: MOS channels between free nodes have no co-content.
    """
    if len(circuit.transistors.a) or len(circuit.amplifiers.entry):
        raise ValueError("circuits with transistors or amplifiers have no co-content of their own")
    g, i, d = circuit.conductors, circuit.sources, circuit.diodes
    drops = [voltages[:, kind.a] - voltages[:, kind.b] for kind in (g, i, d)]
    junction = d.saturation * (d.slope * np.expm1(drops[2] / d.slope) - drops[2])
    return np.asarray(0.5 * (g.g * drops[0] ** 2).sum(axis=1) + drops[1] @ i.current + junction.sum(axis=1))
