"""What is valid in the scenario of a circuit and probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from substrate.circuits.chip import CircuitChip
from substrate.circuits.faults import find_doubtful_nodes
from substrate.circuits.motion.modes import compute_slowest_time
from substrate.protocol import has_settled

from ..language.faults import Finding
from ..results.views import format_quantity
from ..schema.circuit.learning import CriticalShare
from ..schema.circuit.network import LayeredNetwork
from .setup import CircuitSetup

OFTEN = 0.25
"""Spread at which one conductance in 30,000 would be negative, and is cut off at 0."""

CLOSE = 0.5
"""Share of the critical nudge from which on a nudge is told."""

SOLVED = 5000
"""Nodes of layers up to which `check` finds the critical nudge: full matrices of more take it many seconds."""

LASTING = 5.0
"""Time constants of the slowest mode after which the charges of a settling are within 1 % of those at rest."""

STEEP = 10.0
"""Voltage of inputs over that of targets from which on ideal diodes stand for real ones."""


def find_circuit_suspicions(setup: CircuitSetup) -> Iterator[Finding]:
    """Yield what is suspicious, each with its place."""
    spec, network = setup.scenario, setup.scenario.network
    if not isinstance(network, LayeredNetwork):
        doubtful = find_doubtful_nodes(setup.graph.circuit, _find_highest_voltage(setup))
        if doubtful:
            words = f"{', '.join(doubtful[:8])}: only diodes and transistors join them to sources; cut off, they float"
            yield ("network",), words, "keep gates above threshold, or add a large resistor to a source"
    elif "ideal" in {str(getattr(diode, "kind", diode)) for diode in network.diodes.values()}:
        own = spec.task.kind == "voltages"
        gain = float(np.abs(np.asarray(setup.data.x)).max()) if own else spec.physical.input_volts
        if gain < STEEP:
            words = f"{gain:g} V: behind real diodes, which drop 0.6 V, the answer would be another"
            place = ("task", "inputs") if own else ("physical", "input_volts")
            yield place, f"{'are up to' if own else 'is'} {words}", "take hundreds of volts, or exponential diodes"
    sigma = spec.devices.weights.mismatch_sigma
    if sigma > OFTEN:
        yield (
            ("devices", "weights", "mismatch_sigma"),
            f"is {sigma:.0%}: some conductances are cut off at 0",
            "take less",
        )
    chips = getattr(setup.plan, "chips", 1)
    if chips > 1 and not spec.devices.differs:
        words = f"is {chips}, and all chips are equal: no device has a spread or noise"
        yield ("experiment", "chips"), words, 'take 1, or add devices.weights.mismatch_sigma = "5 %"'
    yield from _find_target_suspicions(setup)
    yield from _find_short_settlings(setup)
    yield from _find_nudge_suspicions(setup)


def _find_short_settlings(setup: CircuitSetup) -> Iterator[Finding]:
    """Yield a time of settlings that is counted as energy, but too short for the first sample to come to rest."""
    lasting, sizes = setup.scenario.energy.settling_time, len(setup.graph.circuit.nodes)
    if lasting is None or not len(setup.data.x) or sizes > SOLVED or not len(setup.graph.circuit.capacitors.c):
        return
    chip = CircuitChip(setup.graph, setup.programmed, *setup.fabrication)
    chip.set_input(np.asarray(setup.data.x[:1]))
    if not has_settled(chip.settle().status).all() or chip.rest is None:
        return
    slowest = compute_slowest_time(chip.system(), chip.rest.voltages[0], chip.rest.clamped[0])
    if lasting < LASTING * slowest:
        share = f"is {lasting / slowest:.2g} time constants of the slowest mode, {format_quantity(slowest, 's')}"
        words = f"{share}: the circuit is not at rest by then, and the energy is that of one that is"
        # Rounded, and still long enough.
        yield ("energy", "settling_time"), words, f"take {format_quantity(1.02 * LASTING * slowest, 's')} or more"


def _find_nudge_suspicions(setup: CircuitSetup) -> Iterator[Finding]:
    """Yield nudges that come close to the critical one, where they follow the outputs against the cost."""
    learning = setup.scenario.learning
    network = setup.scenario.network
    large = isinstance(network, LayeredNetwork) and sum(network.layers.values()) > SOLVED
    if setup.scenario.phases.nudge == "held" or not setup.plan.nudges or large:
        return
    for k, (given, scheme) in enumerate(zip(learning.all_schemes(), setup.schemes(), strict=False)):
        if scheme is None or isinstance(given.beta, CriticalShare) or given.kind == "one-sided":
            continue
        share = scheme.beta / setup.find_critical_nudge()
        if share > CLOSE:
            place = ("learning", "scheme") if learning.scheme is not None else ("learning", "schemes", k)
            beyond = ", beyond which an output runs away" if share >= 1.0 else ""
            words = f"is {share:.2g} of the critical nudge{beyond}; a centred nudge errs by about the square of that"
            yield (*place, "beta"), words, 'take { fraction = 0.1 }, or phases.nudge = "held"'


def _find_highest_voltage(setup: CircuitSetup) -> float:
    """Return the highest voltage of the first samples' sources, which no node exceeds; infinity where one may."""
    circuit, x = setup.graph.circuit, np.asarray(setup.data.x[:100])
    passive = not len(circuit.sources.a) and not len(circuit.amplifiers.entry)
    return float(setup.graph.feeds.apply(x).max()) if passive and len(x) else np.inf


def _find_target_suspicions(setup: CircuitSetup) -> Iterator[Finding]:
    """Yield targets that no voltage between the sources reaches, in circuits without current sources and amplifiers."""
    circuit, data = setup.graph.circuit, setup.data
    if len(circuit.sources.a) or len(circuit.amplifiers.entry) or not len(data.x):
        return
    rows = slice(100)
    held = setup.graph.feeds.apply(np.asarray(data.x[rows]))
    target = np.asarray(data.y[rows])
    low, high = held.min(axis=1, keepdims=True), held.max(axis=1, keepdims=True)
    share = float(((target < low) | (target > high)).any(axis=1).mean())
    if share > 0.0:
        words = f"{share:.0%} of the first samples have targets beyond all sources, which no output can reach"
        yield ("task",), words, "raise physical.input_volts, lower physical.target_volts, or hold a node higher"
