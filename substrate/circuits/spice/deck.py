"""A circuit as a deck of SPICE: all that a sample of one phase is, down to ``.end``.

What ngspice finds is what the laws of `substrate.circuits.circuit` say, to rounding:

================= ============================================================= ============================
element           cards                                                         note
================= ============================================================= ============================
held node         ``V n 0 v``                                                   0 and gnd are the ground
conductor         ``R a b 1/g``                                                 one of 0 S is left out
current source    ``I a b i``
exponential diode ``B a b I=Is*(exp((V(a)-V(b))/nVt)-1)``                       or ``D a b`` with a model
ideal diode       ``A a b`` with an XSPICE model ``sidiode``                    1e-5 ohm forward
MOS transistor    ``M a gate b bulk`` of level 1, ``V gate 0 G``                bulk 5 V below every source
amplifier         ``E x 0 entry 0 A``, ``V exit x offset``, ``F entry 0 V -B``
capacitor         ``C a b c IC=v``
nudge             ``B n 0 I=beta*(V(n)-y)``; held: ``I n 0 i``                  in a transient, switched on
clamped output    ``V n 0 v``
================= ============================================================= ============================

The diode of ngspice leaves Shockley's law in reverse, below ``-3 nVt``: node voltages of a reference circuit with 1 nA
diodes move by 4e-8 V. Therefore a B source is written unless `device_models` are asked for.

SPICE tells no capitals from small letters. Nodes keep their names in small letters, as far as ngspice takes them
(`name_nodes`); nodes of the deck itself have a dot in theirs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..circuit import ROOM, Array, CircuitGraph
from ..nodes import map_nodes
from ..system import CircuitDrive

GROUND = ("0", "gnd")
"""Names of nodes that SPICE takes for the ground."""

RESERVED = {"cur", "hertz", "null", "poly", "table", "temper", "time", "value", "vol", *GROUND}
"""Names in small letters that ngspice reads as something else than a node."""

OPTIONS = "reltol=1e-12 abstol=1e-20 vntol=1e-14 gmin=1e-20 temp=27 tnom=27"
"""Settings of the solver, so tight that rounding is what is left."""

THERMAL_VOLTAGE = 1.38064852e-23 * ROOM / 1.6021766208e-19
"""``k T / q`` in volts as the models of ngspice have it, from constants of CODATA 2014: 3e-7 below that of the SI."""

BULK = 5.0
"""How far the bulk of transistors lies below all sources, in volts, so that its junctions carry nothing."""

TINY = 1e-300
"""The smallest positive number whose inverse can be written, too."""

LETTERS = {
    "held": "V",
    "conductors": "R",
    "sources": "I",
    "diodes": "D",
    "transistors": "M",
    "amplifiers": "E",
    "capacitors": "C",
}
"""First letters of the names of elements, by the field of `CircuitGraph`; amplifiers have the names of their E."""

PARAMETERS = (
    ("conductors", "g", "conductance", "S", 0.0),
    ("sources", "current", "current", "A", -np.inf),
    ("diodes", "saturation", "saturation current", "A", TINY),
    ("diodes", "slope", "slope", "V", TINY),
    ("transistors", "transconductance", "transconductance", "S/V", TINY),
    ("transistors", "threshold", "threshold", "V", -np.inf),
    ("transistors", "gate", "gate voltage", "V", -np.inf),
    ("amplifiers", "forward", "forward gain", "V/V", -np.inf),
    ("amplifiers", "backward", "backward gain", "A/A", -np.inf),
    ("amplifiers", "offset", "offset", "V", -np.inf),
    ("capacitors", "c", "capacitance", "F", TINY),
)
"""What can be written of elements: kind, field, name, unit and least value."""

ElementNames = Mapping[str, Sequence[str]]
"""Names of elements by the keys of `LETTERS`."""


class DeckTimes(NamedTuple):
    """A transient that a deck asks for."""

    start: Array
    """Voltages of the free nodes at time 0, (unknowns,)."""

    step: float
    """Longest step in seconds."""

    end: float
    """In seconds."""

    switch: float = 0.0
    """When the nudge is switched on, in seconds."""


def name_nodes(circuit: CircuitGraph) -> list[str]:
    """Return the names that the nodes of a circuit have in a deck.

    Small letters, and ``_`` for what is neither letter nor digit; where ngspice would read something else, or a node
    before has that name, a number is added: `In`, `in` and `in[0]` become `in`, `in_2` and `in_0_`.
    """
    found = list[str]()
    taken = set(RESERVED)
    held = set(circuit.held.tolist())
    for node, name in enumerate(circuit.nodes):
        if node in held and name.lower() in GROUND:
            found.append("0")
            continue
        plain = written = re.sub(r"[^a-z0-9_]", "_", name.lower()) or "_"
        count = 1
        while written in taken:
            count += 1
            written = f"{plain}_{count}"
        taken.add(written)
        found.append(written)
    return found


def write_deck(
    circuit: CircuitGraph,
    drive: CircuitDrive,
    title: str = "circuit",
    times: DeckTimes | None = None,
    device_models: bool = False,
    names: ElementNames | None = None,
    guess: float | None = None,
) -> str:
    """Return the deck of one sample and phase.

    Parameters
    ----------
    circuit : CircuitGraph
        The circuit.
    drive : CircuitDrive
        What is applied, one row.
    title : str
        First line of the deck.
    times : DeckTimes, optional
        A transient to run; absent: the operating point.
    device_models : bool
        Write exponential diodes as D cards with models, as other simulators and `substrate.circuits.spice.netlist`
        take them.
    names : mapping, optional
        Names of elements; absent: a letter and a number.
    guess : float, optional
        Voltage from which the search for an operating point begins at all free nodes. Absent: the simulator's own,
        which takes transistors for switched off, so that a node between one of them and a resistor seems to float.

    Raises
    ------
    ValueError
        If something has no form in SPICE, or two elements have one name.
    """
    _refuse(circuit, drive, times)
    known = map_nodes(circuit)
    start = None if times is None else known.expand(times.start[None], drive.held)[0]
    deck = _Deck(circuit, drive, name_nodes(circuit), start, names or {})
    parts = [_write_nodes, _write_linear, _write_diode_models if device_models else _write_diode_laws]
    cards = [card for write in (*parts, _write_transistors, _write_amplifiers, _write_nudge) for card in write(deck)]
    if times is not None:
        step, end, switch = map(float, times[1:])  # their text is that of plain numbers
        ramp = f"PWL(0 0 {switch!r} 0 {switch + 1e-6 * end!r} 1)"
        cards.append(f"Vnudge nudge.on 0 {ramp if switch > 0.0 else 1}")
    _refuse_equal_names(cards)
    cards += [f".nodeset v({deck.nodes[node]})={float(guess)!r}" for node in circuit.free] if guess is not None else []
    analysis = ".op" if times is None else f".tran {step!r} {end!r} 0 {step!r} uic"
    return "\n".join([f"* {' '.join(title.split())}", *cards, f".options {OPTIONS}", analysis, ".end", ""])


def _refuse(circuit: CircuitGraph, drive: CircuitDrive, times: DeckTimes | None) -> None:
    """Raise a ValueError that names what has no form in SPICE."""
    if len(drive.held) != 1:
        raise ValueError(f"a deck is one sample, not {len(drive.held)}: select a row of the drive")
    if times is not None and drive.clamped is not None:
        raise ValueError("clamped outputs have no transient: export the operating point, or a nudge")
    volts = dict(zip(circuit.held.tolist(), drive.held[0].tolist(), strict=True))
    for node, name in enumerate(circuit.nodes):
        if name.lower() in GROUND and volts.get(node) != 0.0:
            raise ValueError(f"SPICE takes a node called {name} for the ground: hold it at 0 V, or rename it")
    applied = [drive.held, drive.beta, drive.target, drive.current, drive.clamped]
    if not all(np.isfinite(part).all() for part in applied if part is not None):
        raise ValueError("voltages, targets and currents of a deck must be finite")
    for kind, key, what, unit, least in PARAMETERS:
        elements = getattr(circuit, kind)
        values = getattr(elements, key)
        for e in np.flatnonzero(~(np.isfinite(values) & (values >= least))):
            between = "-".join(circuit.nodes[end[e]] for end in elements[:2])
            need = "finite" if least < 0.0 else "positive"
            raise ValueError(
                f"{between}: a {what} of {float(values[e])} {unit} has no form in SPICE; it must be {need}"
            )


def _refuse_equal_names(cards: list[str]) -> None:
    counts = Counter(card.split()[0].lower() for card in cards if card[0] not in "*.")
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"two elements are called {', '.join(twice)}: SPICE tells no capitals from small letters")


class _Deck(NamedTuple):
    """What the cards of all kinds need."""

    circuit: CircuitGraph
    drive: CircuitDrive
    nodes: list[str]
    start: Array | None
    """Voltages of all nodes at time 0 of a transient; absent: an operating point."""

    names: ElementNames

    def list_elements(self, kind: str, letter: str = "") -> Iterator[tuple[str, str, str, dict[str, float]]]:
        """Yield name, nodes `a` and `b` and numbers of all elements of a kind."""
        elements = getattr(self.circuit, kind)
        for e, (a, b, *values) in enumerate(zip(*elements, strict=True)):
            numbers = dict(zip(elements._fields[2:], map(float, values), strict=True))
            yield self.name(kind, e, letter), self.nodes[a], self.nodes[b], numbers

    def name(self, kind: str, element: int, letter: str = "") -> str:
        """Return the name of an element: a given one, with the letter before it that SPICE reads it by, or a number."""
        letter, given = letter or LETTERS[kind], self.names.get(kind)
        name = re.sub(r"\W", "_", given[element]) if given else str(element)
        return name if given and name[:1].upper() == letter else letter + name


def _write_nodes(deck: _Deck) -> Iterator[str]:
    circuit, drive = deck.circuit, deck.drive
    for name, written in zip(circuit.nodes, deck.nodes, strict=True):
        if written not in (name.lower(), "0"):
            yield f"* node {' '.join(name.split())} is called {written}"
    for k, (node, volts) in enumerate(zip(circuit.held.tolist(), drive.held[0].tolist(), strict=True)):
        if deck.nodes[node] != "0":
            named = deck.names.get("held")
            yield f"{deck.name('held', k) if named else 'V_' + deck.nodes[node]} {deck.nodes[node]} 0 {volts!r}"


def _write_linear(deck: _Deck) -> Iterator[str]:
    for name, a, b, value in deck.list_elements("conductors"):
        yield f"{name} {a} {b} {1.0 / value['g']!r}" if value["g"] else f"* {name} {a} {b} has a conductance of 0 S"
    for name, a, b, value in deck.list_elements("sources"):
        yield f"{name} {a} {b} {value['current']!r}"
    parts = deck.circuit.capacitors
    for (name, a, b, value), i, j in zip(deck.list_elements("capacitors"), parts.a, parts.b, strict=True):
        initial = "" if deck.start is None else f" IC={float(deck.start[i] - deck.start[j])!r}"
        yield f"{name} {a} {b} {value['c']!r}{initial}"
    if len(deck.circuit.ideal.a):
        yield ".model ideal sidiode(Ron=1e-5 Roff=1e15 Vfwd=0 Epsilon=0)"
    for e, (i, j) in enumerate(zip(*deck.circuit.ideal, strict=True)):
        yield f"A{e} {deck.nodes[i]} {deck.nodes[j]} ideal"


def _write_diode_laws(deck: _Deck) -> Iterator[str]:
    for name, a, b, value in deck.list_elements("diodes", "B"):
        yield f"{name} {a} {b} I={value['saturation']!r}*(exp((V({a})-V({b}))/{value['slope']!r})-1)"


def _write_diode_models(deck: _Deck) -> Iterator[str]:
    models = dict[str, str]()
    for name, a, b, value in deck.list_elements("diodes"):
        law = f"D(IS={value['saturation']!r} N={value['slope'] / THERMAL_VOLTAGE!r})"
        if law not in models:
            models[law] = f"diode{len(models)}"
            yield f".model {models[law]} {law}"
        yield f"{name} {a} {b} {models[law]}"


def _write_transistors(deck: _Deck) -> Iterator[str]:
    if len(deck.circuit.transistors.a):
        clamped = 0.0 if deck.drive.clamped is None else float(deck.drive.clamped.min(initial=0.0))
        yield f"Vbulk bulk. 0 {min(float(deck.drive.held.min(initial=0.0)), clamped) - BULK!r}"
    models = dict[str, str]()
    for name, a, b, value in deck.list_elements("transistors"):
        law = f"NMOS(LEVEL=1 VTO={value['threshold']!r} KP={value['transconductance']!r} GAMMA=0 LAMBDA=0 IS=1e-30)"
        if law not in models:
            models[law] = f"channel{len(models)}"
            yield f".model {models[law]} {law}"
        gate = f"gate.{name.lower()}"
        yield f"{name} {a} {gate} {b} bulk. {models[law]} W=1 L=1"
        yield f"Vgate_{name} {gate} 0 {value['gate']!r}"


def _write_amplifiers(deck: _Deck) -> Iterator[str]:
    for name, entry, after, value in deck.list_elements("amplifiers"):
        # The current of the sense source runs from its first node on: what the exit delivers is minus that.
        yield f"{name} exit.{name.lower()} 0 {entry} 0 {value['forward']!r}"
        yield f"Vsense_{name} {after} exit.{name.lower()} {value['offset']!r}"
        yield f"F{name} {entry} 0 Vsense_{name} {-value['backward']!r}"


def _write_nudge(deck: _Deck) -> Iterator[str]:
    drive, switched = deck.drive, deck.start is not None
    beta = float(drive.beta[0])
    for k, output in enumerate(deck.circuit.outputs):
        node = deck.nodes[output]
        if beta:
            factor = "V(nudge.on)*" if switched else ""
            yield f"Bnudge{k} {node} 0 I={factor}({beta!r})*(V({node})-({float(drive.target[0, k])!r}))"
        if drive.current is not None:
            current = float(drive.current[0, k])
            yield f"Bhold{k} {node} 0 I=V(nudge.on)*({current!r})" if switched else f"Ihold{k} {node} 0 {current!r}"
        if drive.clamped is not None:
            yield f"Vclamp{k} {node} 0 {float(drive.clamped[0, k])!r}"
