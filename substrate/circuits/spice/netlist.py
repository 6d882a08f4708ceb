"""A netlist of SPICE as a circuit.

Read are resistors, capacitors, sources of constant current, sources of constant voltage to ground, diodes and MOS
transistors of level 1 with their simplest parameters, and amplifiers in the form in which
`substrate.circuits.spice.deck` writes them: E for the voltage, a source of the offset that senses the current, F for
what the entry delivers; without the latter two, ``B = 0``. All else is a fault; nothing is left out in silence.

Nodes have their names in small letters; the ground is `0`. Nodes at gates and bulks alone are no nodes of the circuit.
The bulk of a transistor must be at or below all sources, where its junctions carry nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..circuit import Amplifiers, Array, Capacitors, CircuitGraph, Conductors, Diodes, Sources, Transistors
from ..nodes import order_amplifiers
from .cards import Card, NetlistFault, Refusal, read_number, split_netlist
from .deck import ElementNames
from .elements import Element, read_element, rename_ground

_KINDS: dict[str, type[Any]] = {
    "conductors": Conductors,
    "sources": Sources,
    "diodes": Diodes,
    "transistors": Transistors,
    "amplifiers": Amplifiers,
    "capacitors": Capacitors,
}
"""Elements by the field of `CircuitGraph`."""


class Netlist(NamedTuple):
    """What a text says."""

    circuit: CircuitGraph | None
    """None: there are faults."""

    held: Array
    """Voltages of its held nodes, (held,); the first is the ground."""

    names: ElementNames
    """Names of elements as written, by the field of `CircuitGraph`; `held` has those of the voltage sources, none at
    the ground, `gates` those of the sources at the gates of the transistors, none where a gate is at the ground."""

    initial: Array
    """Voltages of the capacitors at time 0, (capacitors,); not a number: not said."""

    faults: tuple[NetlistFault, ...]
    """In the order of the lines."""


def read_netlist(text: str, outputs: Iterable[str] = ()) -> Netlist:
    """Return the circuit that a netlist describes, or all that cannot be read of it.

    Parameters
    ----------
    text : str
        The netlist; its first line is the title.
    outputs : iterable of str
        Nodes whose voltages are the answer.
    """
    sheet = split_netlist(text)
    board = _Board([*_suspect_title(text), *sheet.faults])
    for card in sheet.elements:
        with board.noting(card):
            board.parts[card.name[0].lower()].append(read_element(card, sheet.models))
    found = None if board.faults else board.build([rename_ground(name) for name in outputs])
    if found is None or board.faults:
        return Netlist(None, np.zeros(0), {}, np.zeros(0), tuple(sorted(board.faults)))
    return found


def _suspect_title(text: str) -> Iterator[NetlistFault]:
    """Tell of a first line that looks like an element: SPICE takes it for the title."""
    words = (text.splitlines() or [""])[0].split()
    if len(words) > 3 and words[0][0].lower() in "rcvi" and read_number(words[-1]) is not None:
        yield NetlistFault(1, f"{words[0]} is in the first line, which is the title", "put a title above it")


class _Board:
    """Elements on their way to a circuit, and the faults that were found."""

    def __init__(self, faults: list[NetlistFault]) -> None:
        self.faults = faults
        self.parts: defaultdict[str, list[Element]] = defaultdict(list)

    @contextmanager
    def noting(self, card: Card) -> Iterator[None]:
        """Note what a card is refused for as a fault."""
        try:
            yield
        except Refusal as refusal:
            self.faults.append(NetlistFault(card.line, str(refusal), refusal.hint))

    def build(self, outputs: list[str]) -> Netlist | None:
        """Return the circuit; None: a fault was noted."""
        amplifiers, senses = self._join_amplifiers()
        held = self._find_held(senses, amplifiers)
        transistors, gates = self._set_gates(held)
        rows = {"conductors": self.parts["r"], "sources": self.parts["i"], "diodes": self.parts["d"]}
        rows |= {"transistors": transistors, "amplifiers": amplifiers, "capacitors": self.parts["c"]}
        live = dict.fromkeys(node for parts in rows.values() for part in parts for node in part.nodes)
        free = [node for node in live if node not in held and node not in {part.nodes[1] for part in amplifiers}]
        hint = f"free nodes are {', '.join(free) or 'none'}"
        wrong = [name for name in outputs if name not in free]
        self.faults += [NetlistFault(0, f"the output {name} is no free node", hint) for name in wrong]
        if not free:
            self.faults.append(NetlistFault(0, "no node is free", "join elements to a node without a source"))
        if self.faults:
            return None
        at_gates = {node for part in self.parts["m"] for node in part.nodes[1::2]}
        fixed = [node for node in held if node == "0" or node in live or node not in at_gates]
        nodes = fixed + [node for node in live if node not in fixed]
        places = {node: k for k, node in enumerate(nodes)}
        parts = {kind: _fill(shape, rows[kind], places) for kind, shape in _KINDS.items()}
        found = np.array([places[name] for name in outputs], np.int64)
        circuit = CircuitGraph(tuple(nodes), np.arange(len(fixed)), found, **parts)
        self._check_circuit(circuit, min(held[node][0] for node in fixed), held)
        volts, sources = zip(*(held[node] for node in fixed), strict=True)
        names = {kind: tuple(part.card.name for part in parts) for kind, parts in rows.items()}
        initial = np.array([part.values[1] for part in rows["capacitors"]])
        return Netlist(circuit, np.array(volts), {"held": sources, **names, "gates": gates}, initial, ())

    def _join_amplifiers(self) -> tuple[list[Element], set[str]]:
        """Return the amplifiers as elements from entry to exit, and the names of their sense sources."""
        uses = Counter(node for parts in self.parts.values() for part in parts for node in part.nodes)
        found, senses = list[Element](), set[str]()
        for part in self.parts["e"]:
            (inner, entry), name, gain = part.nodes, part.card.name, part.values[0]
            source = next((v for v in self.parts["v"] if inner in v.nodes and "0" not in v.nodes), None)
            with self.noting(part.card):
                if source is None:
                    found.append(Element(part.card, (entry, inner), (gain, 0.0, 0.0)))
                    continue
                sensed, (plus, minus) = source.card.name, source.nodes
                if uses[inner] != 2:
                    hint = f"join it to the other end of {sensed}, or take {sensed} away"
                    raise Refusal(f"{name}: more than its sense source {sensed} is at {inner}", hint)
                sign, after = (1.0, plus) if minus == inner else (-1.0, minus)
                shares = [f for f in self.parts["f"] if _sense(f) == sensed.lower()]
                backward = sign * sum(_read_share(entry, share) for share in shares)
                found.append(Element(part.card, (entry, after), (gain, backward, sign * source.values[0])))
                senses.add(sensed.lower())
        for part in self.parts["f"]:
            with self.noting(part.card):
                if _sense(part) not in senses:
                    hint = "an F belongs to a source between an E and the exit of an amplifier"
                    raise Refusal(f"{part.card.name}: no amplifier has the sense source {_sense(part)}", hint)
        return found, senses

    def _find_held(self, senses: set[str], amplifiers: list[Element]) -> dict[str, tuple[float, str]]:
        """Return voltage and source of every held node, the ground first."""
        found = {"0": (0.0, "")}
        for part in self.parts["v"]:
            if part.card.name.lower() in senses:
                continue
            (plus, minus), volts = part.nodes, part.values[0]
            with self.noting(part.card):
                if plus == minus or "0" not in part.nodes:
                    hint = "read are sources to ground, and those between an E and the exit of an amplifier"
                    raise Refusal(f"{part.card.name}: a source of voltage between {plus} and {minus}", hint)
                node = minus if plus == "0" else plus
                if node in found:
                    raise Refusal(f"{part.card.name}: {found[node][1]} holds {node}, too", "take one of them away")
                found[node] = (volts if node == plus else -volts, part.card.name)
        driven = set[str]()
        for part in amplifiers:
            with self.noting(part.card):
                if part.nodes[1] in found or part.nodes[1] in driven:
                    raise Refusal(f"{part.card.name}: its exit {part.nodes[1]} is at another source", "separate them")
                driven.add(part.nodes[1])
        return found

    def _set_gates(self, held: dict[str, tuple[float, str]]) -> tuple[list[Element], tuple[str, ...]]:
        """Return the transistors with the voltages of their gates, and the sources that these come from."""
        found, gates = list[Element](), list[str]()
        for part in self.parts["m"]:
            drain, gate, source, bulk = part.nodes
            with self.noting(part.card):
                for node, what in ((gate, "gate"), (bulk, "bulk")):
                    if node not in held:
                        raise Refusal(f"{part.card.name}: its {what} {node} is at no source", "put a V from there to 0")
                found.append(Element(part.card, (drain, source), (*part.values, held[gate][0])))
                gates.append(held[gate][1])
        return found, tuple(gates)

    def _check_circuit(self, circuit: CircuitGraph, lowest: float, held: dict[str, tuple[float, str]]) -> None:
        """Note junctions that could conduct, and amplifiers in a circle."""
        for part in self.parts["m"]:
            with self.noting(part.card):
                bulk = held[part.nodes[3]][0]
                if bulk > lowest:
                    words = f"{part.card.name}: its bulk, at {bulk} V, is above a source at {lowest} V"
                    raise Refusal(words, "put it at or below all sources: junctions that conduct are not read")
        try:
            order_amplifiers(circuit)
        except ValueError as error:
            self.faults.append(NetlistFault(self.parts["e"][0].card.line, str(error), "open the circle"))


def _fill(kind: type[Any], parts: list[Element], places: dict[str, int]) -> Any:
    """Return elements as arrays."""
    width = len(kind._fields) - 2
    a, b = (np.array([places[part.nodes[end]] for part in parts], np.int64) for end in (0, 1))
    values = np.array([part.values[:width] for part in parts], float).reshape(len(parts), width)
    return kind(a, b, *np.ascontiguousarray(values.T))


def _sense(part: Element) -> str:
    """Return the name of the source whose current an F follows."""
    return part.card.words[2]


def _read_share(entry: str, share: Element) -> float:
    """Return what an F draws from the entry of an amplifier, per ampere that its sense source delivers to the exit."""
    if set(share.nodes) != {entry, "0"}:
        raise Refusal(
            f"{share.card.name}: it is not between {entry} and the ground", "it draws from the entry of its E"
        )
    return -share.values[0] if share.nodes[0] == entry else share.values[0]
