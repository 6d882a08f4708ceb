"""Both forms of circuits: on a graph, and in layers with ideal diodes."""

from __future__ import annotations

from .chip import CircuitChip
from .exact import CircuitOracle, GraphOracle
from .layered.chip import LayeredChip
from .layered.exact import LayeredOracle

AnyCircuitChip = CircuitChip | LayeredChip


def make_oracle(chip: AnyCircuitChip) -> CircuitOracle:
    """Return the exact side of a circuit."""
    return GraphOracle(chip) if isinstance(chip, CircuitChip) else LayeredOracle(chip)
