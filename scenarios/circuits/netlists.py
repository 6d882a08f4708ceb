"""Circuits from SPICE netlists."""

from __future__ import annotations

from pathlib import Path

from ..language.faults import Finding
from ..schema.circuit.network import GraphNetwork
from .elements import BuiltCircuit


def read_netlist_circuit(
    network: GraphNetwork, path: Path, capacitance: float | None
) -> tuple[BuiltCircuit | None, dict[str, str], list[str], list[Finding]]:
    """Return the circuit of a netlist, digest and words of the file, and what is wrong with it."""
    raise NotImplementedError
