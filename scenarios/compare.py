"""Two results side by side: which keys of their scenarios differ, and what that did to their figures."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .disk import StoreReadError
from .faults import dotted
from .sheets import Sheet
from .store import Result, load
from .summary import metrics
from .sweep_folder import CUBE, SCENARIO
from .sweep_metric import metric_of
from .sweep_statistics import interval

_ROWS = 30


class Side(NamedTuple):
    """One of the two results."""

    keys: dict[str, Any]
    """Every value of its scenario, by dotted path."""

    figures: dict[str, float | None]
    """By name; of a sweep the mean over chips at every place."""


def side(path: Path) -> Side:
    """Read a run or a sweep: its folder or its result file.

    Raises
    ------
    StoreReadError
        If it cannot be read.
    """
    named = (path / "run.h5", path / CUBE) if path.is_dir() else (path,)
    file = next((name for name in named if name.exists()), None)
    if file is None:
        raise StoreReadError(f"{path} holds neither run.h5 nor {CUBE}; name a folder or file of a result")
    result = load(file)
    if "points" not in result.groups:
        text = str(result["provenance"]["resolved_toml"].data)
        return Side(dict(_flat(tomllib.loads(text), ())), metrics(result))
    try:
        told = tomllib.loads(file.with_name(SCENARIO).read_text(encoding="utf-8"))
    except OSError:
        told = {}
    return Side(dict(_flat(told, ())), _of_sweep(result))


def _flat(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, Any]]:
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if inside is None:
        yield dotted(path), node
        return
    for key, value in inside:
        yield from _flat(value, (*path, key))


def _of_sweep(result: Result) -> dict[str, float | None]:
    """Return the mean over chips of every series at every place."""
    metric, points = metric_of(result), result["points"]
    if metric is None:
        return {}
    names, means = points["status"].dims[:-1], interval(np.moveaxis(metric.values, -1, 0)).mean
    found: dict[str, float | None] = {}
    for s, series in enumerate(metric.series):
        for place in np.ndindex(means.shape[1:]):
            levels = [f"{name} = {points[name].data[i]}" for name, i in zip(names, place, strict=True)]
            value = float(means[s][place])
            found[", ".join([metric.name, *levels, *([series] if series else [])])] = (
                value if math.isfinite(value) else None
            )
    return found


def different_keys(a: Side, b: Side) -> dict[str, tuple[Any, Any]]:
    """Return what differs between the scenarios; None stands for a key that one of them does not have."""
    paths = dict.fromkeys([*a.keys, *b.keys])
    return {path: (a.keys.get(path), b.keys.get(path)) for path in paths if a.keys.get(path) != b.keys.get(path)}


def shared_figures(a: Side, b: Side) -> dict[str, tuple[float | None, float | None]]:
    """Return the figures that both results have, the largest relative change first."""
    shared = {name: (a.figures[name], b.figures[name]) for name in a.figures if name in b.figures}
    return dict(sorted(shared.items(), key=lambda item: -_change(*item[1])))


def _change(a: float | None, b: float | None) -> float:
    """Return the size of a change relative to the larger value; infinity where one is not known."""
    if a is None or b is None:
        return 0.0 if a is b else math.inf
    return abs(b - a) / max(abs(a), abs(b)) if a != b else 0.0


def comparison(a: Side, b: Side) -> list[Sheet]:
    """Return two tables: keys that differ, and figures that changed."""
    keys = [[path, *(_word(value) for value in pair)] for path, pair in different_keys(a, b).items()]
    figures = shared_figures(a, b)
    changed = [(name, pair) for name, pair in figures.items() if _change(*pair) > 0.0]
    rows = [
        [name, _number(x), _number(y), _number(None if x is None or y is None else y - x)]
        for name, (x, y) in changed[:_ROWS]
    ]
    note = f"{len(figures) - len(changed)} of {len(figures)} shared figures are equal"
    note += f"; the {_ROWS} largest relative changes of {len(changed)} are shown" if len(changed) > _ROWS else ""
    return [
        Sheet("Keys that differ", ["key", "A", "B"], keys, words=3, note="" if keys else "the scenarios are the same"),
        Sheet("Figures that changed", ["figure", "A", "B", "B - A"], rows, note=note),
    ]


def _word(value: Any) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
