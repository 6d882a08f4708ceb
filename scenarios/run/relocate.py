"""A scenario that moves to another folder, with paths that still lead to its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..language.load import AnySpec, LoadedScenario
from ..language.named_files import FileKey, find_named_files, rename_file, rename_files_below, rename_files_in_edits
from ..schema.plan import DesignChange
from ..schema.sweep import Axis, Range, is_labelled


def relocate_paths(loaded: LoadedScenario, folder: Path) -> AnySpec:
    """Return the scenario with its paths relative to `folder`, so that its copy there can be run.

    The values of a sweep and of changes that name files are paths, too.

    Parameters
    ----------
    loaded : Loaded
        The scenario, and the folders that its paths start at.
    folder : Path
        Where the copy will be.
    """
    scenario = loaded.spec
    for key in find_named_files(loaded):
        scenario = rename_file(scenario, key, _make_mover(loaded.folder(*key), folder))
    if changes := [_move_change(loaded, k, one, folder) for k, one in enumerate(scenario.experiment.changes)]:
        moved = scenario.experiment.model_copy(update={"change": changes})
        scenario = scenario.model_copy(update={"experiment": moved})
    if scenario.sweep is None:
        return scenario
    axes = [_move_axis(loaded, k, axis, folder) for k, axis in enumerate(scenario.sweep.axis)]
    return scenario.model_copy(update={"sweep": scenario.sweep.model_copy(update={"axis": axes})})


def _make_mover(start: Path, folder: Path) -> Callable[[str], str]:
    """Return what makes a path that starts at `start` one that starts at `folder`."""
    return lambda text: os.path.relpath(start / text, folder)


def _move_change(loaded: LoadedScenario, k: int, change: DesignChange, folder: Path) -> DesignChange:
    move = _make_mover(loaded.folder("experiment", "change", k), folder)
    return change.model_copy(update={"set": rename_files_in_edits(change.set, move)})


def _move_axis(loaded: LoadedScenario, k: int, axis: Axis, folder: Path) -> Axis:
    if isinstance(axis.values, Range):
        return axis
    values = []
    for i, value in enumerate(axis.values):
        move = _make_mover(loaded.folder("sweep", "axis", k, "values", i), folder)
        values.append(_move_level(axis.keys, value, move))
    return axis.model_copy(update={"values": values})


def _move_level(keys: FileKey, level: Any, move: Callable[[str], str]) -> Any:
    """Return a value of an axis, which may have a label and other keys beside it, with its paths moved."""
    if not is_labelled(level):
        return rename_files_below(keys, level, move)
    moved = {"value": rename_files_below(keys, level["value"], move)} if "value" in level else {}
    also = rename_files_in_edits(level.get("also", {}), move)
    return level | moved | ({"also": also} if also else {})
