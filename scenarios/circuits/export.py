"""Decks of SPICE of what a scenario does with one sample: free, and nudged or clamped as its rule says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from learning.circuits.coupled import Coupled
from learning.schemes.nodes import RandomSign
from substrate.circuits.chip import CircuitChip
from substrate.circuits.design import PhaseClock
from substrate.circuits.effects.spreads import draw_spreads
from substrate.circuits.rest import TOLERANCE
from substrate.circuits.spice.deck import write_deck
from substrate.circuits.system import CircuitDrive, apply_nothing
from substrate.protocol import has_settled

from .setup import CircuitSetup

LARGEST = 10_000
"""Free nodes of a circuit, at most, of which decks are written: the largest tried, a lattice of resistors that ngspice
solves in 3 s."""


class ExportedPhase(NamedTuple):
    """One settling of one sample."""

    name: str
    """Of its file, without the ending."""

    words: str
    drive: CircuitDrive


def write_sample_decks(setup: CircuitSetup, sample: int = 0, device_models: bool = False) -> dict[str, str]:
    """Return a deck for every settling that a measurement of one training sample takes, by file name.

    The circuit is the one that is there: with the spreads of its piece of hardware, its programmed parameters, shifted
    targets and, where there is one, its second copy in nudged settlings. Reads are not in it, nor is their noise.

    Parameters
    ----------
    setup : CircuitSetup
        What the scenario describes.
    sample : int
        Number of the training sample, from 0.
    device_models : bool
        Write exponential diodes as D cards, see `substrate.circuits.spice.deck.write_deck`.

    Raises
    ------
    ValueError
        If there is no such sample, the circuit is too large, does not settle, or has something without form in SPICE.
    """
    if not 0 <= sample < len(setup.data.x):
        raise ValueError(f"sample {sample}: there are {len(setup.data.x)} training samples, numbered from 0")
    free = len(setup.graph.circuit.free)
    if free > LARGEST:
        raise ValueError(f"{free} free nodes: decks are written of circuits of at most {LARGEST}")
    graph = setup.graph._replace(tolerance=TOLERANCE, clock=PhaseClock())  # decks find rest points
    chip = CircuitChip(graph, setup.programmed, *setup.fabrication)
    names = dict(setup.elements)
    if known := names.get("conductors"):  # behind those of the scenario stand sources, then wires
        wires = setup.graph.wires
        sources = len(setup.graph.circuit.conductors.g) - len(known) - wires
        added = [f"R_source{k}" for k in range(sources)] + [f"R_wire{k}" for k in range(wires)]
        names["conductors"] = (*known, *added)
    if setup.scenario.physical.capacitance is not None:
        names.pop("capacitors", None)  # every node has one more
    decks = {}
    for phase in _list_phases(setup, chip, sample):
        twin = phase.name != "free" and chip.design.devices.drops.twin_sigma > 0.0
        title = f"{setup.scenario.name}, training sample {sample}, {phase.words}"
        circuit = chip.system(twin).circuit
        guess = float(phase.drive.held.mean()) if chip.design.wires and len(circuit.transistors.a) else None
        deck = write_deck(circuit, phase.drive, title, None, device_models, names, guess)
        decks[f"{phase.name}.cir"] = deck
    return decks


def _list_phases(setup: CircuitSetup, chip: CircuitChip, sample: int) -> Iterator[ExportedPhase]:
    """Yield the free phase, and what the rule compares it with, as `CircuitChip.settle` and `clamp` apply it."""
    rows, own, rule = slice(sample, sample + 1), chip.design.devices.nudge, setup.scenario.learning.rule
    x, target = (np.asarray(part[rows]) for part in (setup.data.x, setup.data.y))
    target = target + own.offset_sigma * draw_spreads(chip.design, *setup.fabrication).targets
    drive = apply_nothing(chip.design.feeds.apply(x), target.shape[1])
    yield ExportedPhase("free", "free", drive)
    chip.set_input(x)
    settled = chip.settle()
    if chip.rest is None or not has_settled(settled.status).all():
        raise ValueError(f"sample {sample} does not come to rest: take another, or raise conductances of 0 S")
    volts = chip.rest.voltages[:, chip.design.circuit.outputs]
    if isinstance(rule, Coupled):
        clamped = drive._replace(clamped=volts + rule.clamp * own.gain * (target - volts))
        yield ExportedPhase("clamped", f"outputs clamped at {rule.clamp:g} of the way to the target", clamped)
        return
    for k, beta in enumerate(_list_nudges(setup), 1):
        size = own.gain * beta
        nudged = drive._replace(beta=np.array([size]), target=target)
        if chip.design.nudge == "held":
            nudged = drive._replace(current=size * (volts - target))
        yield ExportedPhase(f"nudged-{k}", f"{chip.design.nudge} nudge of {beta:.6g} S", nudged)


def _list_nudges(setup: CircuitSetup) -> list[float]:
    """Return every nudge of all schemes in siemens, each once; both signs of one that is drawn."""
    schemes = [scheme for scheme in setup.schemes() if scheme is not None]
    found = [
        sign * complex(node.beta).real
        for scheme in schemes
        for node in scheme.nodes()
        for sign in ((1.0, -1.0) if isinstance(scheme, RandomSign) else (1.0,))
    ]
    return [beta for beta in dict.fromkeys(found) if beta]
