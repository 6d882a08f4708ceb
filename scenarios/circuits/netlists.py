"""Circuits from SPICE netlists: which sources are inputs, which nodes answer, which elements are learned."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.circuit import CircuitGraph
from substrate.circuits.design import CircuitDesign, Feeds, LearnedBlock
from substrate.circuits.spice.netlist import Netlist, read_netlist

from ..data.arrays import DataError, compute_digest, find_path, make_data_error
from ..language.faults import Finding
from ..language.lines import Key
from ..schema.circuit.network import GraphNetwork
from .elements import BuiltCircuit

Array = NDArray[np.float64]
PLACE = ("network", "netlist")

_LARGEST = 50_000_000
"""Bytes of a netlist that are read."""


def read_netlist_circuit(
    network: GraphNetwork, path: Path
) -> tuple[BuiltCircuit | None, dict[str, str], list[str], list[Finding]]:
    """Return the circuit of a netlist, digest and words of the file, and what is wrong with it."""
    try:
        text = _read_text(path)
    except DataError as error:
        return None, {}, [], [(PLACE, error.message, error.hint)]
    found = read_netlist(text)
    if found.circuit is None:
        faults: list[Finding] = [
            (PLACE, f"{path.name}{f':{fault.line}' if fault.line else ''}: {fault.message}", fault.hint)
            for fault in found.faults
        ]
        return None, {}, [], faults
    wrong = _find_name_faults(network, found, found.circuit)
    if wrong:
        return None, {}, [], wrong
    answers = [found.circuit.nodes.index(name.lower()) for name in network.outputs]
    circuit = found.circuit._replace(outputs=np.array(answers, dtype=np.int64))
    learned, names = _find_learned(network, found)
    inputs = list(network.inputs.values())
    sources = [name.lower() for name in found.names.get("held", ())]
    column = np.array([_find_place(inputs, name) for name in sources], dtype=np.int64)
    fixed = np.where(column >= 0, 0.0, found.held)
    free = np.setdiff1d(circuit.free, circuit.outputs)
    layers = ({"nodes": free} if len(free) else {}) | {"out": circuit.outputs}
    design = CircuitDesign(circuit, Feeds(fixed, column, np.ones(len(fixed))), ("in", len(inputs)), layers, learned)
    values = {"conductance": circuit.conductors.g, "gate": circuit.transistors.gate}
    programmed = {name: values[block.kind][block.elements] for name, block in learned.items()}
    digest = {"network.netlist": compute_digest({"text": np.frombuffer(text.encode(), dtype=np.uint8)})}
    elements = sum(len(part) for key, part in found.names.items() if key not in ("held", "gates"))
    words = [f"network.netlist = {path.name}: {elements} elements, {len(circuit.free)} free nodes"]
    return BuiltCircuit(design, programmed, names, found.names), digest, words, []


def _read_text(path: Path) -> str:
    file = find_path(path)
    try:
        content = file.read_bytes()[: _LARGEST + 1]
        if len(content) > _LARGEST:
            raise make_data_error(f"{path} is larger than {_LARGEST // 1_000_000} MB", "give a smaller netlist")
        return content.decode("utf-8")
    except OSError as error:
        raise make_data_error(f"{path}: {error.strerror or error}", "give a file that can be read") from error
    except UnicodeDecodeError as error:
        raise make_data_error(f"{path} is no text at byte {error.start}", "give a SPICE netlist") from error


def _find_place(inputs: list[str], name: str) -> int:
    """Return which input sets a source; -1: none."""
    lower = [one.lower() for one in inputs]
    return lower.index(name) if name in lower else -1


def _find_name_faults(network: GraphNetwork, found: Netlist, circuit: CircuitGraph) -> list[Finding]:
    """Return the names in a scenario that the netlist does not have, or that stand there twice."""
    nodes = [circuit.nodes[node] for node in circuit.free]
    sources = {name.lower() for name in found.names.get("held", ()) if name}
    gates = {name.lower() for name in found.names.get("gates", ()) if name}
    faults: list[Finding] = []
    for k, name in enumerate(network.outputs):
        place: Key = ("network", "outputs", k)
        if name.lower() not in nodes:
            faults.append((place, f"the netlist has no free node {name!r}", _list_some(nodes)))
        elif name.lower() in [one.lower() for one in network.outputs[:k]]:
            faults.append((place, f"{name!r} stands there twice", "leave it out"))
    set_by: dict[str, str] = {}
    for key, name in network.inputs.items():
        place = ("network", "inputs", key)
        if name.lower() in set_by:
            hint = "name another source, or leave it out"
            faults.append((place, f"the input {set_by[name.lower()]!r} sets {name!r}, too", hint))
        set_by.setdefault(name.lower(), key)
        if name.lower() in gates and name.lower() not in sources:
            faults.append((place, f"{name!r} is at a gate, whose voltage is constant", "name a source of another node"))
        elif name.lower() not in sources:
            faults.append((place, f"the netlist has no voltage source {name!r}", _list_some(sources)))
    learnable = [name for kind in ("conductors", "transistors") for name in found.names.get(kind, ())]
    for k, pattern in enumerate(network.learn):
        if not any(_matches(pattern, name) for name in learnable):
            hint = "R and M elements can be learned: " + _list_some(learnable)
            faults.append((("network", "learn", k), f"no resistor or transistor is named {pattern!r}", hint))
    return faults


def _list_some(names: Mapping[str, object] | set[str] | list[str]) -> str:
    shown = sorted(names)
    return "there are " + (", ".join(shown[:8]) + (" ..." if len(shown) > 8 else "") if shown else "none")


def _matches(pattern: str, name: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def _find_learned(network: GraphNetwork, found: Netlist) -> tuple[dict[str, LearnedBlock], dict[str, list[str]]]:
    """Return the blocks of the elements that are learned, and their names."""
    blocks: dict[str, LearnedBlock] = {}
    names: dict[str, list[str]] = {}
    for kind, field in (("conductance", "conductors"), ("gate", "transistors")):
        own = list(found.names.get(field, ()))
        places = [k for k, name in enumerate(own) if any(_matches(pattern, name) for pattern in network.learn)]
        if places:
            block = LearnedBlock(kind, np.array(places, dtype=np.int64))  # type: ignore[arg-type]  # one of both
            blocks[f"{kind}/elements"], names[f"{kind}/elements"] = block, [own[k] for k in places]
    return blocks, names
