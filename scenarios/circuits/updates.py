"""Whether the gates that learn in continuous time are there."""

from __future__ import annotations

from collections.abc import Iterator

from ..language.faults import Finding
from ..schema.circuit.scenario import CircuitSpec
from .elements import BuiltCircuit

GATES = "gate/elements"
"""Block of the learned transistors."""


def find_update_faults(spec: CircuitSpec, built: BuiltCircuit) -> Iterator[Finding]:
    """Yield learned elements that hold no voltage, and names that are no learned transistors."""
    update = spec.devices.update
    if update is None:
        return
    if list(built.design.blocks) != [GATES]:
        words = f"changes gates alone, but what is learned is {', '.join(built.design.blocks) or 'nothing'}"
        yield ("devices", "update"), words, "write learn = true at transistors, and nowhere else"
        return
    names = built.names[GATES]
    for key in ("bias", "offset", "leak"):
        for name in getattr(update, key):
            if name not in names:
                hint = f"those are {', '.join(names[:8])}"
                yield ("devices", "update", key, name), f"{name!r} is no learned transistor", hint
