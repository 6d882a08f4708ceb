"""Two results side by side: which keys of their scenarios differ, and what that did to their figures."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..drawing.sheet import Sheet, html_of
from ..language.faults import dotted
from ..report.summary import metrics
from ..report.terminal import lines_of
from ..results.disk import StoreReadError
from ..results.statistics import interval
from ..results.store import Result, load
from ..results.views import kinds_of
from ..sweeps.folder import CUBE, SCENARIO
from ..sweeps.metric import metric_of

_ROWS = 30
_FIRST = "gradient/cosine/"


class Side(NamedTuple):
    """One of the two results."""

    keys: dict[str, Any]
    """Every value of its scenario, by dotted path."""

    figures: dict[str, float | None]
    """By name; of a sweep the mean over chips at every place."""

    schemes: list[str]
    """Labels of its nudge schemes, in order."""


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
        return Side(dict(_flat(tomllib.loads(text), ())), metrics(result), _schemes(result))
    try:
        told = tomllib.loads(file.with_name(SCENARIO).read_text(encoding="utf-8"))
    except OSError:
        told = {}
    return Side(dict(_flat(told, ())), _of_sweep(result), _schemes(result))


def _schemes(result: Result) -> list[str]:
    labels = next((group["scheme"].data for group in result.groups.values() if "scheme" in group), ())
    return [str(label) for label in labels]


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


def partners(a: list[str], b: list[str]) -> list[tuple[str, str]]:
    """Return which scheme of A is compared with which of B: equal labels, then of one kind, then of one place."""
    left, right, found = list(range(len(a))), list(range(len(b))), {}
    kinds = [[str(kind) for kind in kinds_of(np.array(labels))] if labels else [] for labels in (a, b)]
    for alike in (
        lambda i, k: a[i] == b[k],
        lambda i, k: kinds[0][i] == kinds[1][k],
        lambda i, k: i == k,
    ):
        for i in list(left):
            k = next((k for k in right if alike(i, k)), None)
            if k is not None:
                found[i] = k
                left.remove(i)
                right.remove(k)
    return [(a[i], b[k]) for i, k in sorted(found.items())]


def shared_figures(a: Side, b: Side) -> dict[str, tuple[float | None, float | None]]:
    """Return the figures that both results have: cosines of the gradient, then the largest relative change first."""
    one, other = _paired(a, b)
    shared = {name: (one[name], other[name]) for name in one if name in other}
    return dict(sorted(shared.items(), key=lambda item: (not item[0].startswith(_FIRST), -_change(*item[1]))))


def lonely_figures(a: Side, b: Side) -> tuple[list[str], list[str]]:
    """Return the figures that only A, and those that only B has."""
    one, other = _paired(a, b)
    return [name for name in one if name not in other], [name for name in other if name not in one]


def _paired(a: Side, b: Side) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return the figures of both with one name for schemes that are compared."""
    pairs = partners(a.schemes, b.schemes)
    shown = [_shared_name(*pair) for pair in pairs]
    counted = [name if shown.count(name) == 1 else f"{name} #{k + 1}" for k, name in enumerate(shown)]
    one, other = (
        {_renamed(name, dict(zip(labels, counted, strict=True))): value for name, value in side.figures.items()}
        for side, labels in ((a, [pair[0] for pair in pairs]), (b, [pair[1] for pair in pairs]))
    )
    return one, other


def _shared_name(one: str, other: str) -> str:
    """Return the label of two schemes if they are equal, else their kind, or both kinds."""
    if one == other:
        return one
    first, second = (str(kind) for kind in kinds_of(np.array([one, other])))
    return first if first == second else f"{first} | {second}"


def _renamed(name: str, names: dict[str, str]) -> str:
    """Return the name of a figure with other names of its schemes."""
    for label, shown in names.items():
        whole = re.sub(rf"(^|(?<=/)|(?<=, )){re.escape(label)}(?=/|,|$)", lambda _: shown, name)  # noqa: B023  called at once
        if whole != name:
            return whole
    return name


def _change(a: float | None, b: float | None) -> float:
    """Return the size of a change relative to the larger value; infinity where one is not known."""
    if a is None or b is None:
        return 0.0 if a is b else math.inf
    return abs(b - a) / max(abs(a), abs(b)) if a != b else 0.0


def comparison(a: Side, b: Side) -> list[Sheet]:
    """Return two tables: keys that differ, and figures that changed."""
    keys = [[path, *(_word(value) for value in pair)] for path, pair in different_keys(a, b).items()]
    figures, lonely = shared_figures(a, b), lonely_figures(a, b)
    changed = [(name, pair) for name, pair in figures.items() if _change(*pair) > 0.0]
    rows = [
        [name, _number(x), _number(y), _number(None if x is None or y is None else y - x)]
        for name, (x, y) in changed[:_ROWS]
    ]
    note = f"{len(figures) - len(changed)} of {len(figures)} shared figures are equal"
    note += f"; cosines and the largest relative changes, {_ROWS} of {len(changed)}" if len(changed) > _ROWS else ""
    unlike = [f"{x} with {y}" for x, y in partners(a.schemes, b.schemes) if x != y]
    note += f"; compared: {'; '.join(unlike)}" if unlike else ""
    note += f"; {len(lonely[0])} figures of A and {len(lonely[1])} of B found no partner" if any(lonely) else ""
    return [
        Sheet("Keys that differ", ["key", "A", "B"], keys, words=3, note="" if keys else "the scenarios are the same"),
        Sheet("Figures that changed", ["figure", "A", "B", "B - A"], rows, note=note),
    ]


def _word(value: Any) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


class Comparison:
    """Two results side by side; shows itself in a notebook.

    Attributes
    ----------
    keys : dict
        What differs between the scenarios, A and B; None stands for a key that one does not have.
    figures : dict
        The figures that both have, A and B.
    """

    def __init__(self, a: Side, b: Side) -> None:
        self.keys, self.figures = different_keys(a, b), shared_figures(a, b)
        self.schemes = partners(a.schemes, b.schemes)
        self.only_a, self.only_b = lonely_figures(a, b)
        self.sheets = comparison(a, b)

    def as_table(self) -> dict[str, Any]:
        """Return everything as a table for programs."""
        found = {"keys": self.keys, "figures": self.figures, "schemes": self.schemes}
        return {**found, "only_a": self.only_a, "only_b": self.only_b}

    def __repr__(self) -> str:
        """Return both tables as text."""
        return "\n".join(line for sheet in self.sheets for line in [sheet.title, *lines_of(sheet, 120), sheet.note, ""])

    def _repr_html_(self) -> str:
        return "".join(map(html_of, self.sheets))
