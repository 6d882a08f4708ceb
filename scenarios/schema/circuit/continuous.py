"""What of a circuit that learns by itself has no meaning, or no effect, together with the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from learning.circuits.coupled import Coupled

from .network import LayeredNetwork

if TYPE_CHECKING:
    from .scenario import CircuitSpec

_TURNS = ("noise", "twin_noise", "twin_sigma", "squarer_offset_sigma", "squarer_gain_sigma")
"""Keys of ``[devices.drops]`` of circuits that are read in turn."""

_Fault = tuple[tuple[str | int, ...], str, str | None]


def find_continuous_faults(scenario: CircuitSpec) -> Iterator[_Fault]:
    """Yield what a circuit that learns by itself lacks, and what has no effect with or without it."""
    update, alternates = scenario.devices.update, scenario.experiment.alternates
    if not alternates:
        hint = "take an experiment in which the circuit learns by itself"
        if scenario.task.kind == "alternating":
            yield ("task", "kind"), "tasks do not alternate in this experiment", hint
        if update is not None:
            yield ("devices", "update"), "changes nothing in this experiment", hint
        return
    if scenario.task.kind != "alternating":
        yield ("task", "kind"), "needs tasks that alternate", 'write kind = "alternating"'
    if not isinstance(scenario.learning.rule, Coupled):
        place = ("learning", "rule") if "rule" in scenario.learning.model_fields_set else ("learning",)
        yield place, "circuits that learn by themselves clamp their outputs", 'write rule = "coupled"'
    if update is None:
        hint = 'add [devices.update] kind = "continuous" with its circuit'
        yield ("devices",), "says nothing of how parameters change in time", hint
    elif isinstance(scenario.network, LayeredNetwork):
        yield ("devices", "update"), "changes elements with names, and layers have none", "use nodes and elements"
    yield from _find_written_faults(scenario)


def _find_written_faults(scenario: CircuitSpec) -> Iterator[_Fault]:
    """Yield keys of circuits that settle in turn and are written to."""
    devices = scenario.devices
    tables = {
        ("learning", "optimiser"): (
            scenario.learning.optimiser,
            ("gate_rate", "coupled_rate"),
            "devices.update.gain sets the rate",
        ),
        ("dynamics",): (scenario.dynamics, ("tolerance",), "rest is found as nearly as numbers go"),
        ("devices", "drops"): (devices.drops, _TURNS, "both networks are followed without it"),
        ("devices", "weights"): (devices.weights, ("levels",), "parameters change without steps"),
        ("devices", "weights", "noise"): (devices.weights.noise, ("slow", "fast"), "parameters integrate over it"),
    }
    for place, (table, keys, why) in tables.items():
        for key in keys:
            if getattr(table, key) != type(table).model_fields[key].get_default():
                yield (*place, key), f"changes nothing: {why}", "leave it out"
