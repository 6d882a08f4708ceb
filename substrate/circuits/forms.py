"""Both forms of circuits: on a graph, and in layers; where they differ for those who ask the exact side."""

from __future__ import annotations

from .chip import CircuitChip
from .exact import CircuitOracle, GraphOracle

AnyCircuitChip = CircuitChip


def make_oracle(chip: AnyCircuitChip) -> CircuitOracle:
    """Return the exact side of a circuit."""
    return GraphOracle(chip)
