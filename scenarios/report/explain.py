"""The resolved scenario as text that can be run: where each value was written, and what a run will cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from devices.parameters import Span
from substrate.dynamics.methods import Dynamics
from substrate.units.physical import (
    compute_thermal_noise,
    convert_activity_to_volts,
    convert_state_to_volts,
    convert_weight_to_siemens,
)

from ..build import make_any_setup
from ..changes import list_changed_scenarios
from ..data.arrays import DataError
from ..data.datasets import read_outline
from ..experiments.estimate import Workload, describe_demands, estimate_seconds, estimate_workload
from ..experiments.rates import COMPILING, LOADING, PAGES
from ..experiments.step_clock import STEPS
from ..language.device_presets import DEVICE_PRESETS
from ..language.faults import Origin, ScenarioError, get_value_at
from ..language.lines import Key, map_lines
from ..language.load import AnySpec, LoadedScenario
from ..language.places import PRESETS
from ..results.durations import format_duration
from ..schema.scenario import ScenarioSpec
from ..suspicions import find_suspicions, format_suspicion


def explain_scenario(loaded: LoadedScenario, count: int = 0, points: Sequence[LoadedScenario] = ()) -> str:
    """Return a scenario with every default filled in, as TOML that loads as the same scenario.

    Each value that was written carries its place as a comment. Estimates follow in comment lines:
    parameters, settlings, time, memory, and the physical scales where they are known.

    Parameters
    ----------
    loaded : Loaded
    count : int
        Points of its sweep; 0 without one.
    points : sequence of Loaded
        Some of them, which stand for all.
    """
    text = loaded.spec.to_toml()
    lines, rows = map_lines(text), text.rstrip("\n").split("\n")
    for row, places in _find_line_places(loaded, lines).items():
        rows[row - 1] += "    # " + ", ".join(places)
    return "\n".join(
        [
            *rows,
            "",
            *(
                f"# {line}".rstrip()
                for line in [
                    *_describe_suspicions(loaded),
                    *_describe_estimates(loaded),
                    *_describe_sweep(count, [one.spec for one in points], loaded),
                ]
            ),
            "",
        ]
    )


def _describe_suspicions(loaded: LoadedScenario) -> list[str]:
    """Return what is suspicious, as far as the files of the scenario can be read."""
    try:
        setup = make_any_setup(loaded)
    except ScenarioError:
        return [format_suspicion(warning) for warning in find_suspicions(loaded, None)]
    return [format_suspicion(warning) for warning in find_suspicions(loaded, setup)]


def _find_line_places(loaded: LoadedScenario, lines: dict[Key, int]) -> dict[int, list[str]]:
    """Return the places that each line of the text comes from."""
    found: dict[int, list[str]] = {}
    for key, origin in loaded.origins.items():
        value = get_value_at(loaded.data, key)
        table = isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
        if table or key not in lines:
            continue
        places = found.setdefault(lines[key], [])
        # The items of an array stand on its line; only an edit of one of them is worth telling.
        if _format_origin(origin) not in places and (not places or not isinstance(origin.file, Path)):
            places.append(_format_origin(origin))
    return found


def _format_origin(origin: Origin) -> str:
    if not isinstance(origin.file, Path):
        return "--set"
    name = f"preset:{origin.file.stem}" if origin.file.parent in (PRESETS, DEVICE_PRESETS) else origin.file.name
    place = name if origin.line is None else f"{name}:{origin.line}"
    return "".join(letter if letter.isprintable() else "?" for letter in place)


def _describe_estimates(loaded: LoadedScenario) -> Iterator[str]:
    if not isinstance(loaded.spec, ScenarioSpec):
        from ..circuits.estimates import describe_circuit_estimates  # noqa: PLC0415  it loads compiled code

        yield from describe_circuit_estimates(loaded)
        return
    scenario = loaded.scenario
    try:
        outline = read_outline(scenario.task, loaded.folder("task", "path"))
        load = estimate_workload(scenario, outline)
    except DataError as error:
        yield " ".join(f"No estimates, the data cannot be read: {error.message}".split())
    else:
        changed = [one.scenario for _, one in list_changed_scenarios(loaded)]
        yield from _describe_workload(scenario, load, [(one, estimate_workload(one, outline)) for one in changed])
    yield from _describe_scales(scenario)
    yield from _describe_resolution(scenario)


ChangedLoads = list[tuple[ScenarioSpec, Workload]]
"""Every changed design, and what it will cost."""


def _describe_workload(scenario: ScenarioSpec, load: Workload, changed: ChangedLoads) -> Iterator[str]:
    yield f"parameters  {load.topology.size:,} ({load.topology.units:,} units settle)"
    if load.estimates:
        asked = f"{load.counts.free_each} free and {load.nudges} nudged" + (
            f" and {load.probes} probed" if load.probes else ""
        )
        whole = load.settlings + sum(one.settlings for _, one in changed)
        yield f"settlings   {asked} for each {load.counts.each}; {whole:,} in the whole run"
    else:
        words = "over all trainings and tests" if load.counts.trained else "all of them free"
        yield f"settlings   {load.settlings:,}, {words}"
    if load.counts.epochs:
        per_epoch = load.estimates // load.counts.epochs * (1 + load.nudges + load.probes)
        yield f"            {per_epoch:,} of them in each epoch of training"
    yield from describe_demands(scenario, load)
    if scenario.hardware is not None:
        yield "board       before each nudged settling the sample settles freely again, which doubles these"
        yield "            the board and its line take the time, not this machine"
        return
    yield from _describe_times(scenario, load, changed)
    yield f"memory      {_format_bytes(load.memory)} for parameters, data and states"
    stored = load.result + sum(one.result for _, one in changed)
    yield f"result      about {_format_bytes(stored)} before compression"


def _describe_times(scenario: ScenarioSpec, load: Workload, changed: ChangedLoads) -> Iterator[str]:
    """Yield how long a run takes, in all and by part."""
    jax = scenario.dynamics.engine == "jax"
    if jax and (fault := _find_engine_fault(scenario.dynamics)):
        yield f"time        not known: {fault}"
        return
    parts = estimate_seconds(scenario, load)
    if changed:
        parts["changed designs"] = sum(sum(estimate_seconds(*one, once=True).values()) for one in changed)
    once = "one run without its sweep takes " if scenario.sweep is not None else ""
    where = f"here, by {STEPS} steps measured just now" if jax else "of processor time, on one thread"
    yield f"time        {once}about {format_duration(sum(parts.values()))} {where}"
    for name, seconds in parts.items():
        yield f"            {name:20s} {format_duration(seconds)}"
    once = "a minute or less" if jax else format_duration(COMPILING)
    yield f"            {'compiling':20s} {once} on top, the first time"
    if load.bounded:
        yield "            phases that end at a tolerance count with a usual length; a slow network takes longer"


def _describe_sweep(count: int, points: list[AnySpec], loaded: LoadedScenario) -> Iterator[str]:
    """Yield how long a sweep takes, from some of its points."""
    scenarios = [one for one in points if isinstance(one, ScenarioSpec) and one.dynamics.engine == "cpu"]
    if not scenarios or len(scenarios) < len(points) or scenarios[0].hardware is not None:
        return
    try:
        outline = read_outline(scenarios[0].task, loaded.folder("task", "path"))
        each = [sum(estimate_seconds(one, estimate_workload(one, outline), once=True).values()) for one in scenarios]
    except DataError:
        return
    whole = LOADING + PAGES + count * sum(each) / len(each)
    yield f"sweep       {count:,} points take about {format_duration(whole)} of processor time, shared by the workers"
    yield f"            what is not compiled yet is compiled before they start, {format_duration(COMPILING)} once"


def _find_engine_fault(dynamics: Dynamics) -> str:
    """Return why the engine cannot be had here; empty if it can."""
    from substrate.engine.door import load_engine  # noqa: PLC0415  it loads compiled code

    try:
        load_engine(dynamics)
    except ValueError as error:
        return " ".join(str(error).split())
    return ""


def _describe_scales(scenario: ScenarioSpec) -> Iterator[str]:
    """Yield the physical scales, where they are known."""
    if scenario.physical is None:
        return
    physical = scenario.physical.resolved()
    dynamics = scenario.in_units().dynamics
    if physical.tau is not None:
        yield f"tau         {physical.tau:.4g} s"
        if isinstance(scenario.dynamics.dt, Span):
            yield f"dt          {dynamics.dt:.4g} tau"
    if physical.volt_scale is not None:
        yield f"state       1 is {convert_state_to_volts(physical, 1.0):.4g} V"
        if physical.capacitance is not None:
            yield f"noise       {compute_thermal_noise(physical):.2g} of a state, thermal, on a bare leak"
    if physical.activity_volts is not None:
        yield f"activity    1 is {convert_activity_to_volts(physical, 1.0):.4g} V"
        if physical.volt_scale is not None and physical.leak is not None:
            yield f"weight      1 is {convert_weight_to_siemens(physical, 1.0):.4g} S"
            if physical.weight_range is not None:
                largest = convert_weight_to_siemens(physical, physical.weight_range)
                yield f"            {physical.weight_range:.4g}, the largest, is {largest:.4g} S"


def _describe_resolution(scenario: ScenarioSpec) -> Iterator[str]:
    """Yield what a read can resolve."""
    devices, physical = scenario.in_units().devices, scenario.physical
    levels = {"noise of one read, standard deviation,": devices.noise.read}
    if (adc := devices.converters.readout) is not None:
        levels = {"1 LSB": adc.step} | levels
    for words, level in levels.items():
        known = physical is not None and physical.activity_volts is not None
        volts = f", {convert_activity_to_volts(physical, level):.3g} V" if known and physical else ""
        if level:
            yield f"readout     {words} is {level:.3g} of an activity{volts}"


def _format_bytes(count: int) -> str:
    for name, size in {"GB": 1e9, "MB": 1e6}.items():
        if count >= size:
            return f"{count / size:.3g} {name}"
    return f"{count / 1e3:.3g} kB"
