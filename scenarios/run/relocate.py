"""A scenario that moves to another folder, with paths that still lead to its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..language.load import Loaded
from ..language.named_files import FILE_KEYS, FileKey, named_files, renamed
from ..schema.scenario import Scenario
from ..schema.sweep import Axis, Range, is_labelled


def relocated(loaded: Loaded, folder: Path) -> Scenario:
    """Return the scenario with its paths relative to `folder`, so that its copy there can be run.

    The values of a sweep that name files are paths, too.

    Parameters
    ----------
    loaded : Loaded
        The scenario, and the folders that its paths start at.
    folder : Path
        Where the copy will be.
    """
    scenario = loaded.scenario
    for key in named_files(loaded):
        scenario = renamed(scenario, key, _mover(loaded.folder(*key), folder))
    if scenario.sweep is None:
        return scenario
    axes = [_moved_axis(loaded, k, axis, folder) for k, axis in enumerate(scenario.sweep.axis)]
    return scenario.model_copy(update={"sweep": scenario.sweep.model_copy(update={"axis": axes})})


def _mover(start: Path, folder: Path) -> Callable[[str], str]:
    """Return what makes a path that starts at `start` one that starts at `folder`."""
    return lambda text: os.path.relpath(start / text, folder)


def _moved_axis(loaded: Loaded, k: int, axis: Axis, folder: Path) -> Axis:
    if isinstance(axis.values, Range):
        return axis
    values = []
    for i, value in enumerate(axis.values):
        move = _mover(loaded.folder("sweep", "axis", k, "values", i), folder)
        values.append(_moved_level(axis.keys, value, move))
    return axis.model_copy(update={"values": values})


def _moved_level(keys: FileKey, level: Any, move: Callable[[str], str]) -> Any:
    """Return a value of an axis, which may have a label and other keys beside it, with its paths moved."""
    if not is_labelled(level):
        return _moved(keys, level, move)
    moved = {"value": _moved(keys, level["value"], move)} if "value" in level else {}
    also = {path: _moved(tuple(path.split(".")), value, move) for path, value in level.get("also", {}).items()}
    return level | moved | ({"also": also} if also else {})


def _moved(keys: FileKey, value: Any, move: Callable[[str], str]) -> Any:
    """Return what a scenario says at `keys` with every path in it moved."""
    for key in FILE_KEYS:
        if key[: len(keys)] == keys:
            value = renamed(value, key[len(keys) :], move)
    return value
