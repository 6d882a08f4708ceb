"""Whether the gates and conductances that learn in continuous time are there, and have what they need."""

from __future__ import annotations

from collections.abc import Iterator

from substrate.circuits.system import FULL

from ..language.faults import Finding
from ..schema.circuit.scenario import CircuitSpec
from .elements import BuiltCircuit

GATES, CONDUCTANCES = "gate/elements", "conductance/elements"
"""Blocks of the learned transistors and resistors."""


def find_update_faults(spec: CircuitSpec, built: BuiltCircuit) -> Iterator[Finding]:
    """Yield learned elements that cannot change by themselves, what the others lack, and names of none of them."""
    update, place = spec.devices.update, ("devices", "update")
    if update is None:
        return
    blocks = list(built.design.blocks)
    if not blocks or not set(blocks) <= {GATES, CONDUCTANCES}:
        words = f"changes gates and conductances, but what is learned is {', '.join(blocks) or 'nothing'}"
        yield place, words, "write learn = true at transistors and resistors, and nowhere else"
        return
    if (free := len(built.design.circuit.free)) > FULL:
        words = f"{free:,} free nodes, more than {FULL:,} of a circuit that learns by itself"
        yield ("network",), words, "use fewer nodes"
    yield from _find_range_faults(spec, blocks)
    names = [name for block in blocks for name in built.names[block]]
    for key in ("bias", "offset", "leak"):
        for name in getattr(update, key):
            if name not in names:
                hint = f"those are {', '.join(names[:8])}"
                yield (*place, key, name), f"{name!r} is no learned transistor or resistor", hint


def _find_range_faults(spec: CircuitSpec, blocks: list[str]) -> Iterator[Finding]:
    """Yield ranges and sensitivities that are missing, or have nothing to act on."""
    devices, place = spec.devices, ("devices", "update")
    sensitivity = devices.update.sensitivity if devices.update else None
    if GATES in blocks and devices.transistors.gate is None:
        hint = 'add devices.transistors.gate = ["1 V", "5 V"]'
        yield place, "needs the range in which gates can be", hint
    if CONDUCTANCES in blocks:
        if devices.weights.window is None:
            hint = 'add devices.weights.window = ["10 uS", "1 mS"]'
            yield place, "needs the window in which conductances can be", hint
        if sensitivity is None:
            hint = 'add sensitivity = "100 uS/V"'
            yield place, "says nothing of how a conductance follows the voltage of its capacitor", hint
        return
    why = "changes nothing: no conductance is learned"
    if sensitivity is not None:
        yield (*place, "sensitivity"), why, "leave it out"
    if devices.weights.window is not None:
        yield ("devices", "weights", "window"), why, "leave it out"
