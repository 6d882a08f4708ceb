"""What is valid and probably not meant: told as warnings, with exit code 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from devices.parameters import Level, is_ratio
from substrate.network.topology import Topology

from .build import Setup
from .data.shelf import Shelf
from .language.faults import Finding, ScenarioFault, format_dotted_key, locate_findings
from .language.load import LoadedScenario
from .schema.circuit.scenario import CircuitSpec
from .schema.scenario import ScenarioSpec
from .suspicions_data import find_data_suspicions, find_weight_suspicions
from .suspicions_writes import find_write_suspicions

if TYPE_CHECKING:
    from .build import AnySetup

Place = tuple[str | int, ...]

FASTEST = {"euler": 2.0, "heun": 2.0, "rk4": 2.785}
"""Step in tau from which on a bare leak grows (E. Hairer, G. Wanner, "Solving ordinary differential equations II")."""

COARSE = 1.0
"""Step in tau beyond which an exact leak misses the way to the rest point."""

STILL = 0.1
"""A membrane that moves by less, in units of the state, hardly leaves where it starts."""

WHOLE = 1.0
"""A spread, noise or offset above this is as large as what it acts on."""


class UsualRange(NamedTuple):
    """What a key of ``[physical]`` usually is."""

    low: float
    high: float
    unit: str
    hint: str


PHYSICAL = {
    "volt_scale": UsualRange(1e-3, 10.0, "V", 'a plain number is in volts: write "150 mV" for 0.15'),
    "activity_volts": UsualRange(1e-3, 10.0, "V", 'a plain number is in volts: write "150 mV" for 0.15'),
    "tau": UsualRange(1e-12, 1.0, "s", 'a plain number is in seconds: write "1 us" for 1e-6'),
    "capacitance": UsualRange(1e-17, 1e-6, "F", 'a plain number is in farads: write "1 pF" for 1e-12'),
    "leak": UsualRange(1e-15, 1e-1, "S", 'a plain number is in siemens: write "1 uS" for 1e-6'),
    "temperature": UsualRange(70.0, 500.0, "K", "an absolute temperature is meant: 27 degrees Celsius are 300 K"),
    "excess_noise": UsualRange(0.1, 100.0, "times a plain resistor", "it is a ratio of noise powers, 1 for a resistor"),
}
"""What chips have; beyond it a unit was probably forgotten."""

MEMBRANES = ("thermal", "common", "coloured", "flicker")
"""Noise of membranes, in units of the state."""


def find_suspicions(loaded: LoadedScenario, setup: AnySetup | None, shelf: Shelf | None = None) -> list[ScenarioFault]:
    """Return what is suspicious about a valid scenario, each with its place; see `told` for its words.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    setup : Setup or None
        What it describes; None where they cannot be read.
    shelf : Shelf, optional
        What other points of a sweep have found before.
    """
    if isinstance(loaded.spec, CircuitSpec) and setup is None:
        return []
    if not isinstance(setup, Setup | None):
        from .circuits.suspicions import find_circuit_suspicions  # noqa: PLC0415  it loads compiled code

        return locate_findings(find_circuit_suspicions(setup), loaded.data, loaded.origins, loaded.path).faults
    scenario = loaded.scenario
    plain = scenario.in_units()
    found = [
        *_find_physical_suspicions(scenario),
        *_find_spread_suspicions(scenario),
        *_find_level_suspicions(plain),
        *_find_step_suspicions(plain),
        *_find_speed_suspicions(plain),
        *_find_tolerance_suspicions(plain),
        *find_write_suspicions(plain),
    ]
    found += [*_find_energy_suspicions(scenario), *_find_unreached_layers(scenario)]
    if setup is not None:
        found += [*find_data_suspicions(setup, shelf or Shelf()), *find_weight_suspicions(setup)]
    return locate_findings(found, loaded.data, loaded.origins, loaded.path).faults


def format_suspicion(suspicion: ScenarioFault) -> str:
    """Return a suspicion in one line: file and line, key and value, why it is one, and what to try."""
    where = suspicion.file if suspicion.line is None else f"{suspicion.file}:{suspicion.line}"
    name = format_dotted_key(suspicion.path) + ("" if suspicion.value is None else f" = {suspicion.value}")
    return f"{where}: warning: {name}: {suspicion.message} - {suspicion.hint}"


def convert_to_table(suspicion: ScenarioFault) -> dict[str, Any]:
    """Return a suspicion as a table for programs."""
    keys = {
        "file": suspicion.file,
        "line": suspicion.line,
        "key": format_dotted_key(suspicion.path),
        "value": suspicion.value,
    }
    return keys | {"message": suspicion.message, "hint": suspicion.hint}


def _find_physical_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    if scenario.physical is None:
        return
    for name, usual in PHYSICAL.items():
        value = getattr(scenario.physical, name)
        if value is not None and not usual.low <= value <= usual.high:
            words = f"{value:.4g} {usual.unit} is unusual, chips have {usual.low:g} to {usual.high:g} {usual.unit}"
            yield ("physical", name), words, usual.hint


def _find_spread_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    """Yield relative spreads of more than the whole; single pulses of published cells do spread by 5."""
    for where, name, marks, value in _list_numbers(scenario, ()):
        if is_ratio(marks) and name.endswith("sigma") and name != "cycle_sigma" and value > WHOLE:
            hint = f'for {value:g} percent write "{value:g} %"'
            yield where, f"is a spread of {100.0 * value:g} %, more than what it spreads", hint


def _find_level_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    """Yield noise and offsets larger than what they act on, in units of the model."""
    for where, name, marks, value in _list_numbers(scenario.devices, ("devices",)):
        scales = [mark.scale for mark in marks if isinstance(mark, Level)]
        noise = where == ("devices", "noise", name) and name in MEMBRANES
        if (scales or noise) and name != "full_scale" and abs(value) > WHOLE:
            of = "activity" if "activity_volts" in scales else "state"
            words = f"is {value:.3g} of one unit of {of}, which is as large as the {of} itself"
            yield where, words, 'a plain number is in units of the model: write "3 mV" for volts, with [physical]'


def _list_numbers(value: Any, above: Place) -> Iterator[tuple[Place, str, list[Any], float]]:
    """Yield place, name, marks of the type and value of every plain number in a tree of parameters."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inside, here = getattr(value, name), (*above, field.alias or name)
            if isinstance(inside, float | int) and not isinstance(inside, bool):
                yield here, name, [*field.metadata, *_list_marks(field.annotation)], float(inside)
            yield from _list_numbers(inside, here)
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from _list_numbers(item, (*above, k))


def _list_marks(annotation: Any) -> Iterator[Any]:
    """Yield the marks of a type, and of those that it is one of."""
    if get_origin(annotation) is Annotated:
        yield from get_args(annotation)[1:]
    for part in get_args(annotation):
        yield from _list_marks(part)


def _find_step_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    dynamics = scenario.dynamics
    if dynamics.mode == "equilibrium" or dynamics.method == "rk45":
        return
    fastest = FASTEST.get(dynamics.method)
    if fastest is not None and dynamics.dt >= fastest:
        words = f"is a step of {dynamics.dt:g} tau: from {fastest:g} on, {dynamics.method} lets even a bare leak grow"
        yield ("dynamics", "dt"), words, 'take 0.5 or less, or method = "exponential"'
    elif fastest is None and dynamics.dt > COARSE:
        words = f"is a step of {dynamics.dt:g} tau, longer than the membranes take"
        yield ("dynamics", "dt"), words, "take 1 or less where the way to the rest point matters"


def _find_speed_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    """Yield a synaptic pole too fast for the step, and membranes too slow for the time of a free settling."""
    dynamics, neurons = scenario.dynamics, scenario.devices.neurons
    if dynamics.mode == "equilibrium" or dynamics.method == "rk45":
        return
    fastest, pole, dt = FASTEST.get(dynamics.method), neurons.synapse_tau, dynamics.dt
    if fastest is not None and 0.0 < fastest * pole <= dt:
        words = f"is a pole of {pole:g} tau: with steps of {dt:g} tau, {dynamics.method} lets it grow"
        hint = f'take steps below {fastest * pole:.3g} (dynamics.dt), or method = "exponential"; or leave the pole out'
        yield ("devices", "neurons", "synapse_tau"), words, hint
    free = dynamics.free
    time = free.duration or (free.steps or free.max_steps) * dt
    if neurons.slew is not None and neurons.slew * time < STILL:
        words = f"moves a membrane by {neurons.slew * time:.2g} at most in the {time:g} tau of a free settling"
        yield ("devices", "neurons", "slew"), words, "allow more time (dynamics.free)"


def _find_energy_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    if scenario.energy.static == 0.0:
        return
    if scenario.dynamics.mode == "equilibrium":
        words = "is power over time, and equilibrium mode takes none: it will count 0 J"
        yield ("energy", "static"), words, 'set dynamics.mode = "trajectory" to count it'
    elif scenario.phases.hold_time or scenario.devices.hold.read_skew:
        words = "is counted while the chip settles, not while reads are held or wait for their turn"
        yield ("energy", "static"), words, "add hold_time and read_skew times static yourself where they matter"


def _find_tolerance_suspicions(scenario: ScenarioSpec) -> Iterator[Finding]:
    if not scenario.experiment.nudges:
        return
    sizes = [scheme.beta for scheme in scenario.tried() if scheme.beta > 0.0]
    loose = scenario.dynamics.looseness(min(sizes)) if sizes else None
    if loose is not None:
        yield ("dynamics", "nudged", "tolerance"), *loose


def _find_unreached_layers(scenario: ScenarioSpec) -> Iterator[Finding]:
    """Yield the layers that no nudge of the outputs reaches, where gradients are measured."""
    network, measured = scenario.network, scenario.experiment.needs_scheme
    topology = Topology(network.layers, network.connections)
    reached, size = {topology.output}, 0
    while size < len(reached):
        size = len(reached)
        reached |= {c.post for c in topology.recurrent() if c.pre in reached}
    missed = [name for name in topology.names if name not in reached]
    if measured and scenario.learning.rule.nudges and missed:
        words = f"no feedback leads from {topology.output} to {', '.join(missed)}: their estimated error vectors are 0"
        hint = f'add "{topology.output}-{missed[-1]}", or take learning.rule = "dyadic"'
        yield ("network", "connections"), words, hint
