"""The points of a sweep as scenarios: every one is checked before any runs."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from .build import Parts, assemble
from .faults import Fault, Origin, ScenarioError, value_at
from .load import Change, Loaded, varied
from .provenance import LEFT_OUT
from .schema import Scenario
from .schema_sweep import Sweep
from .store import FORMAT
from .sweep_design import Dimension, Point, dimensions, points


def scenario_at(loaded: Loaded, dims: list[Dimension], point: Point) -> Loaded:
    """Return the scenario of a point: one chip or seed, without the sweep.

    Raises
    ------
    ScenarioError
        If it is none, at the places where its values were written.
    """
    sweep = loaded.scenario.sweep
    levels = [
        (path, levels[index])
        for dim, index in zip(dims, point.place, strict=False)
        for path, levels in dim.axes.items()
    ]
    changes = [
        Change(tuple(path.split(".")), value, level.source)
        for own, level in levels
        for path, value in ((own, level.value), *level.also.items())
    ]
    found = varied(loaded, changes)
    replicate = point.place[-1] if sweep is None or sweep.common_random_numbers else point.number
    scenario = found.scenario
    if sweep is not None and sweep.replicate == "seed":
        return found._replace(scenario=scenario.model_copy(update={"seed": scenario.seed + replicate}))
    chip = scenario.chip.model_copy(update={"instance": scenario.chip.instance + replicate})
    return found._replace(scenario=scenario.model_copy(update={"chip": chip}))


class Shelf:
    """Networks and data that several points share, so that they are read and drawn once."""

    _KEPT = 4

    def __init__(self) -> None:
        self._found: dict[str, tuple[Parts, str]] = {}

    def parts(self, loaded: Loaded) -> tuple[Parts, str]:
        """Return the parts of a scenario and a digest of their content.

        Raises
        ------
        ScenarioError
            If a file is missing or does not fit.
        """
        needed: Any = {"network": True, "task": True, "seed": True, "devices": {"update", "feedback"}}
        folders = [str(loaded.folder(*keys)) for keys in (("task", "path"), ("network", "parameters"))]
        key = json.dumps([loaded.scenario.model_dump(mode="json", include=needed), folders])
        if key not in self._found:
            parts = assemble(loaded)
            self._found[key] = parts, _content(parts)
            for stale in list(self._found)[: -self._KEPT]:
                del self._found[stale]
        return self._found[key]


def _content(parts: Parts) -> str:
    """Return a digest of everything that comes from files or is drawn before a chip is made."""
    blocks = dict(parts.programmed)
    if not isinstance(parts.activation, str):
        blocks |= {f"activation/{k}": block for k, block in enumerate(parts.activation)}
    blocks |= {f"cells/{name}": block for name, block in (parts.cells or {}).items()}
    digest = hashlib.sha256(parts.data.sha256.encode())
    for name in sorted(blocks):
        digest.update(name.encode() + np.ascontiguousarray(blocks[name]).tobytes())
    return digest.hexdigest()


def point_id(scenario: Scenario, content: str) -> str:
    """Return twelve hex digits that name everything the result of a point depends on, the release included."""
    told = scenario.model_dump(by_alias=True, mode="json", exclude=LEFT_OUT | {"name": True})
    release = version("nudgelab").split(".")[:2]
    text = json.dumps([told, content, FORMAT, release], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Checked(NamedTuple):
    """A design whose every point is a valid scenario."""

    sweep: Sweep

    dims: list[Dimension]
    ids: list[str]
    """Name of every point, by number."""

    coordinates: dict[str, list[Any]]
    """Value of every level by path: numbers in the unit of the key, or labels."""


def checked(loaded: Loaded) -> Checked:
    """Return the design of the scenario's sweep, every point of it checked.

    Raises
    ------
    ScenarioError
        With every fault of every point, each once.
    """
    sweep = loaded.scenario.sweep
    if sweep is None:
        hint = 'add [[sweep.axis]] with path = "devices.feedback.mismatch_sigma" and values = [0, 0.1]'
        raise ScenarioError([Fault((), "has no [sweep]", hint, str(loaded.path))])
    try:
        dims = dimensions(sweep)
    except ValueError as error:
        origin = loaded.origins.get(("sweep",), Origin(loaded.path))
        raise ScenarioError([Fault(("sweep", "axis"), str(error), None, str(origin.file), origin.line)]) from error
    shelf, faults, ids = Shelf(), dict[object, Fault](), list[str]()
    values: dict[str, dict[int, Any]] = {path: {} for dim in dims for path in dim.axes}
    for point in points(dims, sweep.replicates):
        try:
            found = scenario_at(loaded, dims, point)
            ids.append(point_id(found.scenario, shelf.parts(found)[1]))
        except ScenarioError as error:
            for fault in error.faults:
                faults.setdefault(fault.path if fault.message == "unknown key" else fault, fault)
            continue
        if point.place[-1] == 0:
            _note(values, found.scenario, dims, point)
    if faults:
        raise ScenarioError(faults.values())
    return Checked(sweep, dims, ids, {path: _coordinate(dims, path, found) for path, found in values.items()})


def _note(values: dict[str, dict[int, Any]], scenario: Scenario, dims: list[Dimension], point: Point) -> None:
    """Keep what the values of a point are in the units of their keys."""
    told: Any = None
    for dim, index in zip(dims, point.place, strict=False):
        for path in dim.axes:
            if index not in values[path]:
                told = told or scenario.model_dump(by_alias=True, mode="json")
                keys = tuple(int(key) if key.isdecimal() else key for key in path.split("."))
                values[path][index] = value_at(told, keys)


def _coordinate(dims: list[Dimension], path: str, found: dict[int, Any]) -> list[Any]:
    """Return numbers where every value is one and none has a label, else texts."""
    levels = next(dim.axes[path] for dim in dims if path in dim.axes)
    numbers = [found[index] for index in range(len(levels))]
    if all(type(number) in (int, float) for number in numbers) and not any(level.label for level in levels):
        return numbers
    return [level.label or _short(level.value) for level in levels]


def _short(value: Any) -> str:
    """Return a value as a short text: the kind of a table first, then its other keys."""
    if not isinstance(value, dict):
        return str(value).lower() if isinstance(value, bool) else str(value)
    rest = [f"{key} {_short(inside)}" for key, inside in value.items() if key != "kind"]
    return ", ".join(([str(value["kind"])] if "kind" in value else []) + rest)
