"""Keys that change nothing because another key is missing, or stands in their way: each is a fault.

A value equal to the default says nothing, since a resolved scenario spells out all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from devices.parameters import Parameters
from devices.quantities import get_magnitude
from devices.synapse.cell import find_feedback_fault
from learning.rules.physics_aware import PhysicsAware
from learning.rules.rule import LearningRule
from learning.schemes.nodes import RandomSign
from learning.schemes.scheme import Scheme, Swing
from substrate.network.topology import Topology
from substrate.network.wiring import find_wiring_faults

from .devices import Found
from .experiments import Experiment
from .sweep import Range, Sweep
from .tasks import CifarTask, Task

if TYPE_CHECKING:  # the scenario asks for its idle keys
    from .scenario import ScenarioSpec


class KeyNeed(NamedTuple):
    """What some keys of a table need to act."""

    place: tuple[str | int, ...]
    """Of the table; an item of a list by its number."""

    keys: tuple[str, ...]
    met: bool
    """Whether they can act."""

    why: str
    """What is in their way."""

    hint: str

    switches: tuple[str, ...] = ()
    """Keys by whose size they act, dotted; where one is written, its 0 is meant, as in a sweep down to 0."""


def find_idle_faults(scenario: ScenarioSpec) -> Found:
    """Return every key of a scenario that changes nothing.

    Parameters
    ----------
    scenario : Scenario
        Valid in itself, with a wiring that may have faults of its own.
    """
    needs = [
        *_list_wiring_needs(scenario),
        *_list_cell_needs(scenario),
        *_list_read_needs(scenario),
        *_list_nudge_needs(scenario),
        *_list_twin_needs(scenario),
    ]
    needs += [*_list_retention_needs(scenario), *_list_write_needs(scenario), *_list_dynamics_needs(scenario)]
    needs += [_need_two_labels(scenario.task), _need_digital_work(scenario), _need_account(scenario.experiment)]
    needs += _list_model_needs(scenario)
    needs += _list_sweep_needs(scenario.sweep, scenario.experiment) if scenario.sweep else []
    found: Found = []
    for need in needs:
        table = _find_table(scenario, need.place)
        if table is None or need.met or any(_is_written(scenario, key) for key in need.switches):
            continue
        found += [
            ((*need.place, key), f"changes nothing: {need.why}", need.hint)
            for key in _list_given_keys(table, need.keys)
        ]
    return found


def _find_table(scenario: ScenarioSpec, place: tuple[str | int, ...]) -> Parameters | None:
    table: Any = scenario
    for key in place:
        table = table[key] if isinstance(key, int) else getattr(table, key, None)
    return table if isinstance(table, Parameters) else None


def _is_written(scenario: ScenarioSpec, key: str) -> bool:
    *place, name = key.split(".")
    table = _find_table(scenario, tuple(place))
    return table is not None and name in table.model_fields_set


def _list_given_keys(table: Parameters, keys: tuple[str, ...]) -> list[str]:
    """Return which of the keys have another value than the default; a kind may lack some of them."""
    fields = type(table).model_fields
    return [
        key
        for key in keys
        if key in fields and getattr(table, key) != fields[key].get_default(call_default_factory=True)
    ]


def _list_wiring_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    network, feedback = scenario.network, ("devices", "feedback")
    if find_wiring_faults(network.layers, network.connections):
        return []
    topology = Topology(network.layers, network.connections)
    back = any(topology.is_feedback(c) for c in topology.connections)
    paired, last = bool(topology.pairs()), list(network.layers)[-1]
    pair = 'add the reverse of a connection, such as "out-l1" beside "l1-out"'
    asymmetry, given = ("network", "asymmetry"), "leave it out, or take network.init in place of network.parameters"
    cells = tuple(key for key in type(scenario.devices.feedback).model_fields if key not in ("preset", "storage"))
    return [
        KeyNeed(asymmetry, ("angle",), network.parameters is None, "network.parameters gives the weights", given),
        KeyNeed(asymmetry, ("angle",), paired, "no connection has a reverse", pair),
        KeyNeed(feedback, ("storage",), paired, "no connection has a reverse", pair),
        KeyNeed(
            feedback, cells, back, "there is no feedback connection", f'add one, from "{last}" to a layer before it'
        ),
    ]


def _need_two_labels(task: Task) -> KeyNeed:
    both = not isinstance(task, CifarTask) or task.name == "cifar-100"
    return KeyNeed(("task",), ("labels",), both, "CIFAR-10 has one label a picture", 'write name = "cifar-100"')


def _need_digital_work(scenario: ScenarioSpec) -> KeyNeed:
    rule = scenario.learning.rule
    hint = 'leave it out, or take learning.rule = "pat"'
    computes = any(one.computes for one in scenario.experiment.rules or [rule])
    return KeyNeed(("energy",), ("per_mac",), computes, f"the rule {rule.kind} computes nothing", hint)


def _need_account(experiment: Experiment) -> KeyNeed:
    words, hint = f"{experiment.kind} keeps no account of time", "leave it out: trainings and rivals keep one"
    return KeyNeed(("phases",), ("read_time", "write_time"), experiment.keeps_account, words, hint)


def _list_model_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    """Return what a controller expects of a chip that it does not identify."""
    places: list[tuple[tuple[str | int, ...], LearningRule | None]] = [(("learning", "rule"), scenario.learning.rule)]
    rivals = getattr(scenario.experiment, "rivals", [])
    places += [(("experiment", "rivals", k, "rule"), rival.rule) for k, rival in enumerate(rivals)]
    keys, why, hint = ("spread", "read_sigma"), "the model is not measured", 'take model = "measured"'
    return [
        KeyNeed(place, keys, rule.model == "measured", why, hint)
        for place, rule in places
        if isinstance(rule, PhysicsAware)
    ]


def _list_cell_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    devices = scenario.devices
    needs = []
    kinds = {"weights": devices.weights}
    if find_feedback_fault(devices.weights, devices.feedback) is None:
        kinds["feedback"] = devices.feedback.over(devices.weights)
    for name, cells in kinds.items():
        place = ("devices", name)
        needs += [
            KeyNeed(
                place,
                ("mismatch",),
                cells.sigma > 0.0,
                "there is no spread",
                "give mismatch_sigma or pelgrom",
                _name_cell_keys("mismatch_sigma"),
            ),
            KeyNeed(
                place,
                ("stuck_at",),
                cells.stuck_fraction > 0.0,
                "no device is stuck",
                "give stuck_fraction",
                _name_cell_keys("stuck_fraction"),
            ),
        ]
        needs.append(
            KeyNeed(
                (*place, "noise"),
                ("spectrum", "tau_c", "octaves", "fraction"),
                cells.noise.on,
                "cells have no noise",
                "give relative or absolute",
                _name_cell_keys("noise.relative") + _name_cell_keys("noise.absolute"),
            )
        )
    wired = get_magnitude(devices.wires.segment) > 0.0
    lines = ("devices", "wires")
    switch = ("devices.wires.segment",)
    needs.append(KeyNeed(lines, ("ends", "array"), wired, "lines have no resistance", "give segment", switch))
    return needs


def _list_retention_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    forgets, old = scenario.devices.retention, ("devices", "retention")
    leak, drift = forgets.leak_tau is not None, forgets.drift != 0.0 or forgets.drift_sigma != 0.0
    slope = forgets.drift_slope != 0.0 or forgets.drift_sigma_slope != 0.0
    drifts = ("devices.retention.drift", "devices.retention.drift_sigma")
    return [
        KeyNeed(old, ("leak_tau_sigma",), leak, "there is no leak", "give leak_tau"),
        KeyNeed(old, ("age", "interval"), leak or drift, "nothing is forgotten", "give leak_tau or drift", drifts),
        KeyNeed(old, ("drift_start",), drift or slope, "there is no drift", "give drift", drifts),
        KeyNeed(
            old,
            ("drift_scale",),
            slope,
            "the drift is that of all weights",
            "give drift_slope or drift_sigma_slope",
            ("devices.retention.drift_slope", "devices.retention.drift_sigma_slope"),
        ),
    ]


def _list_write_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    law = scenario.devices.update
    spread, cycle = getattr(law, "step_sigma", 0.0) > 0.0, getattr(law, "cycle_sigma", 0.0) > 0.0
    trains = getattr(law, "rounding", "") == "coincidences"
    pulses = ("devices", "update")
    return [
        KeyNeed(
            pulses, ("step_spread",), spread, "steps have no spread", "give step_sigma", ("devices.update.step_sigma",)
        ),
        KeyNeed(
            pulses,
            ("cycle_noise",),
            cycle,
            "pulses have no spread",
            "give cycle_sigma",
            ("devices.update.cycle_sigma",),
        ),
        *(
            KeyNeed(pulses, (f"{end}_sigma",), getattr(law, end, None) is not None, "there is no bound", f"give {end}")
            for end in ("w_max", "w_min")
        ),
        KeyNeed(pulses, ("train",), trains, "pulses are no coincidences", 'take rounding = "coincidences"'),
    ]


def _name_cell_keys(name: str) -> tuple[str, ...]:
    """Return a key of the cells of all weights and of the feedback cells."""
    return f"devices.weights.{name}", f"devices.feedback.{name}"


def _list_table_keys(table: Parameters, place: str, *others: str) -> tuple[str, ...]:
    """Return all keys of a table but some."""
    return tuple(f"{place}.{name}" for name in type(table).model_fields if name not in others)


def _list_read_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    devices, noise = scenario.devices, scenario.devices.noise
    hold, adc = devices.hold, devices.converters.readout
    spread = adc is not None and adc.spreads
    made = spread or (adc is not None and adc.measured is not None)
    return [
        KeyNeed(
            ("devices", "hold"),
            ("read_skew",),
            hold.on,
            "what is held does not change",
            "give droop_tau or pedestal",
            _list_table_keys(hold, "devices.hold", "read_skew"),
        ),
        KeyNeed(
            ("phases",),
            ("hold_time",),
            hold.on,
            "nothing is held",
            "give devices.hold.droop_tau",
            _list_table_keys(hold, "devices.hold", "read_skew"),
        ),
        KeyNeed(
            ("phases",),
            ("noise",),
            noise.on,
            "membranes have no noise",
            "give devices.noise.thermal",
            tuple(f"devices.noise.{kind}" for kind in ("thermal", "common", "coloured", "flicker")),
        ),
        KeyNeed(
            ("devices", "converters", "readout"),
            ("shared",),
            made,
            "all converters are alike",
            "give offset_sigma",
            tuple(f"devices.converters.readout.{name}" for name in ("gain_sigma", "unit_sigma", "offset_sigma")),
        ),
    ]


def _list_nudge_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    schemes = scenario.tried()
    rule, kind = scenario.learning.rule, scenario.learning.rule.kind
    two = any(_has_negative(scheme) for scheme in schemes) or not schemes
    return [
        KeyNeed(
            ("devices", "converters", "nudge"),
            ("gain_negative",),
            two,
            "no scheme has a negative nudge",
            "take centred, or leave it out",
        ),
        KeyNeed(
            ("learning",),
            ("rule", "homeostasis"),
            not scenario.experiment.rules,
            "the experiment has rules of its own",
            "leave it out",
        ),
        KeyNeed(
            ("learning",),
            ("presynaptic",),
            any(one.takes_presynaptic for one in scenario.experiment.rules or [rule]),
            f"the rule {kind} takes its own factor",
            "leave it out",
        ),
    ]


def _list_twin_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    """Return what the second board needs; an absent one has no keys."""
    devices, place = scenario.devices, ("devices", "twin")
    adc, spreads = devices.converters.readout, ("gain_sigma", "unit_sigma", "offset_sigma")
    stuck, switch = devices.twin is not None and devices.twin.stuck_fraction > 0.0, ("devices.twin.stuck_fraction",)
    return [
        KeyNeed(place, ("stuck_at",), stuck, "no cell is stuck", "give stuck_fraction", switch),
        KeyNeed(
            place,
            ("converters",),
            adc is not None and adc.spreads,
            "all converters are alike",
            "give devices.converters.readout.offset_sigma",
            tuple(f"devices.converters.readout.{name}" for name in spreads),
        ),
    ]


def _has_negative(scheme: Scheme) -> bool:
    """Tell whether a scheme nudges against its first direction, on the real or the imaginary axis."""
    if isinstance(scheme, Swing | RandomSign):
        return True
    return any(complex(node.beta).real < 0.0 or node.mirrored for node in scheme.nodes())


def _list_dynamics_needs(scenario: ScenarioSpec) -> list[KeyNeed]:
    dynamics = scenario.dynamics
    adaptive = dynamics.mode == "trajectory" and dynamics.method == "rk45"
    sweeps = dynamics.mode == "equilibrium"
    return [
        KeyNeed(("dynamics",), ("accuracy",), adaptive, "steps are fixed", 'take method = "rk45"'),
        KeyNeed(("dynamics",), ("acceleration", "audit"), sweeps, "there are no sweeps", 'take mode = "equilibrium"'),
    ]


def _list_sweep_needs(sweep: Sweep, experiment: Experiment) -> list[KeyNeed]:
    place, drawn = ("sweep",), sweep.method != "grid"
    several, points = sweep.replicates > 1, sweep.point_count > sweep.replicates
    own = points and not sweep.common_random_numbers
    cosines = experiment.compares_gradients
    each = "give replicates, or common_random_numbers = false"
    needs = [
        KeyNeed(place, ("seed",), drawn, "nothing is drawn in a grid", 'take method = "sobol", or leave it out'),
        KeyNeed(place, ("replicate",), several or own, "every point has the same chip and seed", each),
        KeyNeed(place, ("threshold",), cosines, f"{experiment.kind} compares no gradients", 'take kind = "measure"'),
        KeyNeed(place, ("common_random_numbers",), points, "there is one point", "give more values"),
    ]
    for k, axis in enumerate(sweep.axis):
        alone = sum(other.zip == axis.zip for other in sweep.axis) == 1
        named = f"give another axis zip = {axis.zip!r}, or leave it out"
        needs.append(KeyNeed((*place, "axis", k), ("zip",), not alone, "no other axis moves with it", named))
        values, here = axis.values, (*place, "axis", k, "values")
        if isinstance(values, Range):
            one = not drawn and values.num == 1
            needs += [
                KeyNeed(here, ("num",), not drawn, "`samples` says how many are drawn", "leave it out"),
                KeyNeed(here, ("scale",), not one, "there is one value", "give num = 5"),
            ]
    return needs
