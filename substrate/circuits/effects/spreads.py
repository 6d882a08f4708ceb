"""What the elements of one piece of hardware have of every spread."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from devices.circuit.components import CircuitDevices
from devices.random import Stream

from ..circuit import Array, CircuitGraph
from ..design import CircuitDesign


class Spreads(NamedTuple):
    """What one piece of hardware has of every spread: standard normal numbers by element."""

    conductors: Array
    thresholds: Array
    gains: Array
    forward: Array
    backward: Array
    offsets: Array
    saturation: Array
    ideality: Array
    targets: Array
    twin: Array


def draw_spreads(design: CircuitDesign, seed: int, instance: int) -> Spreads:
    """Return the spreads of one piece of hardware; the same names give the same numbers."""
    circuit = design.circuit
    edges, mos, diodes = len(circuit.conductors.g), len(circuit.transistors.gate), len(circuit.diodes.a)
    counts = {"conductors": edges, "twin": edges, "thresholds": mos, "gains": mos, "targets": len(circuit.outputs)}
    counts |= {"saturation": diodes, "ideality": diodes}
    counts |= dict.fromkeys(("forward", "backward", "offsets"), len(circuit.amplifiers.entry))
    drawn = {name: Stream(seed, f"circuit/{name}", instance).normal((count,)) for name, count in counts.items()}
    for name in ("conductors", "twin"):
        drawn[name][edges - design.wires :] = 0.0
    return Spreads(**drawn)


def apply_spreads(circuit: CircuitGraph, devices: CircuitDevices, spread: Spreads, twin: bool = False) -> CircuitGraph:
    """Return the circuit that is there instead of the one that was programmed.

    Parameters
    ----------
    circuit : CircuitGraph
        As programmed.
    devices : CircuitDevices
        Sizes of the spreads.
    spread : Spreads
        Of this piece of hardware.
    twin : bool
        Whether it is the second copy of the circuit.
    """
    weights, mos, amplifiers, diodes = devices.weights, devices.transistors, devices.amplifiers, devices.diodes
    g = circuit.conductors.g * np.maximum(1.0 + weights.mismatch_sigma * spread.conductors, 0.0)
    if twin:
        g = g * np.maximum(1.0 + devices.drops.twin_sigma * spread.twin, 0.0)
    own = circuit.transistors, circuit.amplifiers, circuit.diodes
    return circuit._replace(
        conductors=circuit.conductors._replace(g=g),
        transistors=own[0]._replace(
            threshold=own[0].threshold + mos.threshold_sigma * spread.thresholds,
            transconductance=own[0].transconductance * np.maximum(1.0 + mos.gain_sigma * spread.gains, 0.0),
        ),
        amplifiers=own[1]._replace(
            forward=own[1].forward * (1.0 + amplifiers.forward_sigma * spread.forward),
            backward=own[1].backward * (1.0 + amplifiers.backward_sigma * spread.backward),
            offset=own[1].offset + amplifiers.offset_sigma * spread.offsets,
        ),
        diodes=own[2]._replace(
            saturation=own[2].saturation * np.exp(diodes.saturation_sigma * spread.saturation),
            slope=own[2].slope * np.maximum(1.0 + diodes.ideality_sigma * spread.ideality, 0.1),
        ),
    )
