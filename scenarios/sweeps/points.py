"""The points of a sweep as scenarios: every one is checked before any runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..build import make_any_setup
from ..changes import refuse_changes_in_sweep
from ..data.shelf import Shelf
from ..language.faults import Finding, Origin, ScenarioError, ScenarioFault, get_value_at
from ..language.load import AnySpec, KeyChange, LoadedScenario, make_scenario_error, replace_values
from ..run.identity import compute_point_id
from ..schema.sweep import Sweep
from ..suspicions import find_suspicions, format_suspicion
from .design import Dimension, Point, list_dimensions, list_points

_SAMPLED = 32
"""Places of a sweep at most whose time is estimated."""


def make_point_scenario(loaded: LoadedScenario, dims: list[Dimension], point: Point) -> LoadedScenario:
    """Return the scenario of a point: one chip or seed, without the sweep.

    Raises
    ------
    ScenarioError
        If it is none, at the places where its values were written.
    """
    sweep = loaded.spec.sweep
    levels = [
        (path, levels[index])
        for dim, index in zip(dims, point.place, strict=False)
        for path, levels in dim.axes.items()
    ]
    changes = [
        KeyChange(tuple(path.split(".")), value, level.source)
        for own, level in levels
        for path, value in ((own, level.value), *level.also.items())
    ]
    found = replace_values(loaded, changes)
    replicate = point.place[-1] if sweep is None or sweep.common_random_numbers else point.number
    scenario = found.spec
    if sweep is not None and sweep.replicate == "seed":
        seed = scenario.seed + replicate
        spec, edit = scenario.model_copy(update={"seed": seed}), {"seed": seed}
    else:
        chip = scenario.chip.model_copy(update={"instance": scenario.chip.instance + replicate})
        spec, edit = scenario.model_copy(update={"chip": chip}), {"chip.instance": chip.instance}
    return found._replace(spec=spec, edits=found.edits | (edit if replicate else {}))


def sample_points(loaded: LoadedScenario) -> tuple[int, list[LoadedScenario]]:
    """Return how many points a sweep has, and the first chip of some places all over it; nothing of a faulty one."""
    sweep = loaded.spec.sweep
    if sweep is None:
        return 0, []
    try:
        dims = list_dimensions(sweep)
        firsts = [point for point in list_points(dims, sweep.replicates) if point.place[-1] == 0]
        chosen = firsts[:: -(-len(firsts) // _SAMPLED)]
        return len(firsts) * sweep.replicates, [make_point_scenario(loaded, dims, point) for point in chosen]
    except (ScenarioError, ValueError):  # `check` tells what is wrong
        return 0, []


class CheckedDesign(NamedTuple):
    """A design whose every point is a valid scenario."""

    sweep: Sweep

    dims: list[Dimension]
    ids: list[str]
    """Name of every point, by number."""

    coordinates: dict[str, list[Any]]
    """Value of every level by path: numbers in the unit of the key, or labels."""

    content: dict[str, str]
    """Digests of the files that no axis names, by key."""

    warnings: list[ScenarioFault]
    """What is suspicious about any of them, each once."""


def check_design(loaded: LoadedScenario) -> CheckedDesign:
    """Return the design of the scenario's sweep, every point of it checked.

    Raises
    ------
    ScenarioError
        With every fault of every point, each once.
    """
    sweep = loaded.spec.sweep
    if sweep is None:
        hint = 'add [[sweep.axis]] with path = "devices.feedback.mismatch_sigma" and values = [0, 0.1]'
        raise ScenarioError([ScenarioFault((), "has no [sweep]", hint, str(loaded.path))])
    refuse_changes_in_sweep(loaded)
    try:
        dims = list_dimensions(sweep)
    except ValueError as error:
        origin = loaded.origins.get(("sweep",), Origin(loaded.path))
        raise ScenarioError(
            [ScenarioFault(("sweep", "axis"), str(error), None, str(origin.file), origin.line)]
        ) from error
    shelf, faults, ids, content = Shelf(), dict[object, ScenarioFault](), list[str](), dict[str, str]()
    warnings: dict[str, ScenarioFault] = {}
    values: dict[str, dict[int, Any]] = {path: {} for dim in dims for path in dim.axes}
    for point in list_points(dims, sweep.replicates):
        try:
            found = make_point_scenario(loaded, dims, point)
            setup = make_any_setup(found, shelf)
            content = setup.content
            warnings |= {
                format_suspicion(one): one
                for one in find_suspicions(found, setup, shelf)
                if format_suspicion(one) not in warnings
            }
            ids.append(compute_point_id(found.spec, content))
        except ScenarioError as error:
            for fault in error.faults:
                faults.setdefault(fault.path if fault.message == "unknown key" else fault, fault)
            continue
        if point.place[-1] == 0:
            _record_values(values, found.spec, dims, point)
    if faults:
        raise ScenarioError(faults.values())
    if equal := list(_find_equal_levels(sweep, dims, values)):
        raise make_scenario_error(loaded, equal)
    coordinates = {path: _make_coordinate(dims, path, found) for path, found in values.items()}
    return CheckedDesign(sweep, dims, ids, coordinates, _drop_varied_files(content, dims), list(warnings.values()))


def _drop_varied_files(content: dict[str, str], dims: list[Dimension]) -> dict[str, str]:
    """Return the digests of a point's files without those that stand at or below a key that is varied."""
    axes = [(path, level) for dim in dims for path, levels in dim.axes.items() for level in levels]
    varied_keys = {path for path, _ in axes} | {path for _, level in axes for path in level.also}
    return {key: d for key, d in content.items() if not any(f"{key}.".startswith(f"{path}.") for path in varied_keys)}


def _find_equal_levels(sweep: Sweep, dims: list[Dimension], values: dict[str, dict[int, Any]]) -> Iterator[Finding]:
    """Yield the levels of a grid that set the same as an earlier one of their dimension."""
    numbers = {axis.path: k for k, axis in enumerate(sweep.axis)}
    for dim in dims if sweep.method == "grid" else ():
        first: dict[str, int] = {}
        for index in range(dim.size):
            level = {path: [values[path][index], dict(levels[index].also)] for path, levels in dim.axes.items()}
            same = first.setdefault(json.dumps(level, sort_keys=True, default=str), index)
            if same != index:
                path = next(iter(dim.axes))
                axes, value = " and ".join(dim.axes), _abbreviate_value(level[path][0])
                message = f"levels {same} and {index} of {axes} are equal: {value}"
                hint = "write each value once; `replicates` measures a value on more chips"
                yield ("sweep", "axis", numbers[path], "values", index), message, hint


def _record_values(values: dict[str, dict[int, Any]], scenario: AnySpec, dims: list[Dimension], point: Point) -> None:
    """Keep what the values of a point are in the units of their keys."""
    told: Any = None
    for dim, index in zip(dims, point.place, strict=False):
        for path in dim.axes:
            if index not in values[path]:
                told = told or scenario.model_dump(by_alias=True, mode="json")
                keys = tuple(int(key) if key.isdecimal() else key for key in path.split("."))
                values[path][index] = get_value_at(told, keys)


def _make_coordinate(dims: list[Dimension], path: str, found: dict[int, Any]) -> list[Any]:
    """Return numbers where every value is one and none has a label, else texts."""
    levels = next(dim.axes[path] for dim in dims if path in dim.axes)
    numbers = [found[index] for index in range(len(levels))]
    if all(type(number) in (int, float) for number in numbers) and not any(level.label for level in levels):
        return numbers
    return [level.label or _abbreviate_value(level.value) for level in levels]


def _abbreviate_value(value: Any) -> str:
    """Return a value as a short text: the kind of a table first, then its other keys."""
    if not isinstance(value, dict):
        return str(value).lower() if isinstance(value, bool) else str(value)
    rest = [f"{key} {_abbreviate_value(inside)}" for key, inside in value.items() if key != "kind"]
    return ", ".join(([str(value["kind"])] if "kind" in value else []) + rest)
