"""Two results side by side: which keys of their scenarios differ, and what that did to their figures."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..drawing.sheet import Sheet, render_sheet
from ..language.faults import format_dotted_key
from ..report.summary import list_metrics
from ..report.terminal import format_sheet
from ..results.disk import StoreReadError
from ..results.statistics import compute_interval
from ..results.store import ResultData, read_result_file
from ..results.views import list_scheme_kinds
from ..sweeps.folder import CUBE, SCENARIO
from ..sweeps.metric import find_metric
from .drawings import Drawings

if TYPE_CHECKING:
    from .result import Result, SweepResult

_ROWS = 30
_FIRST = "gradient/cosine/"
_TOLD, _UNTOLD = 2, ("name",)
"""Keys that differ and name the sides of a figure: so many at most, and those that tell nothing of the chip."""


class ComparisonSide(NamedTuple):
    """One of the two results."""

    keys: dict[str, Any]
    """Every value of its scenario, by dotted path."""

    metrics: dict[str, float | None]
    """Numbers by name; of a sweep the mean over chips at every place."""

    schemes: list[str]
    """Labels of its nudge schemes, in order."""

    stored: ResultData = ResultData({}, {})
    """Everything that it holds."""


def read_side(kept: Result | SweepResult | str | Path) -> ComparisonSide:
    """Read a run or a sweep: itself, its folder or its result file.

    Raises
    ------
    StoreReadError
        If it cannot be read.
    """
    result, folder = _read_stored(kept)
    if "points" not in result.groups:
        told = tomllib.loads(str(result["provenance"]["resolved_toml"].data))
        metrics = list_metrics(result)
    else:
        path = None if folder is None else folder / SCENARIO
        told = tomllib.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}
        metrics = _average_over_chips(result)
    return ComparisonSide(dict(_flatten_keys(told, ())), metrics, _list_schemes(result), result)


def _read_stored(kept: Result | SweepResult | str | Path) -> tuple[ResultData, Path | None]:
    """Return what is kept of a run or a sweep, and its folder, if it has one."""
    if not isinstance(kept, str | Path):
        return kept.stored, kept.folder
    path = Path(kept)
    named = (path / "run.h5", path / CUBE) if path.is_dir() else (path,)
    file = next((name for name in named if name.exists()), None)
    if file is None:
        raise StoreReadError(f"{path} holds neither run.h5 nor {CUBE}; name a folder or file of a result")
    return read_result_file(file), file.parent


def _list_schemes(result: ResultData) -> list[str]:
    labels = next((group["scheme"].data for group in result.groups.values() if "scheme" in group), ())
    return [str(label) for label in labels]


def _flatten_keys(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, Any]]:
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if inside is None:
        yield format_dotted_key(path), node
        return
    for key, value in inside:
        yield from _flatten_keys(value, (*path, key))


def _average_over_chips(result: ResultData) -> dict[str, float | None]:
    """Return the mean over chips of every series at every place."""
    metric, points = find_metric(result), result["points"]
    if metric is None:
        return {}
    names, means = points["status"].dims[:-1], compute_interval(np.moveaxis(metric.values, -1, 0)).mean
    found: dict[str, float | None] = {}
    for s, series in enumerate(metric.series):
        for place in np.ndindex(means.shape[1:]):
            levels = [f"{name} = {points[name].data[i]}" for name, i in zip(names, place, strict=True)]
            value = float(means[s][place])
            found[", ".join([metric.name, *levels, *([series] if series else [])])] = (
                value if math.isfinite(value) else None
            )
    return found


def find_different_keys(a: ComparisonSide, b: ComparisonSide) -> dict[str, tuple[Any, Any]]:
    """Return what differs between the scenarios; None stands for a key that one of them does not have."""
    paths = dict.fromkeys([*a.keys, *b.keys])
    return {path: (a.keys.get(path), b.keys.get(path)) for path in paths if a.keys.get(path) != b.keys.get(path)}


def match_schemes(a: list[str], b: list[str]) -> list[tuple[str, str]]:
    """Return which scheme of A is compared with which of B: equal labels, then of one kind, then of one place."""
    left, right, found = list(range(len(a))), list(range(len(b))), {}
    kinds = [[str(kind) for kind in list_scheme_kinds(np.array(labels))] if labels else [] for labels in (a, b)]
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


def find_shared_metrics(a: ComparisonSide, b: ComparisonSide) -> dict[str, tuple[float | None, float | None]]:
    """Return the figures that both results have: cosines of the gradient, then the largest relative change first."""
    one, other = _match_figures(a, b)
    shared = {name: (one[name], other[name]) for name in one if name in other}
    return dict(sorted(shared.items(), key=lambda item: (not item[0].startswith(_FIRST), -_compute_change(*item[1]))))


def find_unshared_metrics(a: ComparisonSide, b: ComparisonSide) -> tuple[list[str], list[str]]:
    """Return the figures that only A, and those that only B has."""
    one, other = _match_figures(a, b)
    return [name for name in one if name not in other], [name for name in other if name not in one]


def _match_figures(a: ComparisonSide, b: ComparisonSide) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return the figures of both with one name for schemes that are compared."""
    pairs = match_schemes(a.schemes, b.schemes)
    shown = [_choose_shared_name(*pair) for pair in pairs]
    counted = [name if shown.count(name) == 1 else f"{name} #{k + 1}" for k, name in enumerate(shown)]
    one, other = (
        {_rename_schemes(name, dict(zip(labels, counted, strict=True))): value for name, value in side.metrics.items()}
        for side, labels in ((a, [pair[0] for pair in pairs]), (b, [pair[1] for pair in pairs]))
    )
    return one, other


def _choose_shared_name(one: str, other: str) -> str:
    """Return the label of two schemes if they are equal, else their kind, or both kinds."""
    if one == other:
        return one
    first, second = (str(kind) for kind in list_scheme_kinds(np.array([one, other])))
    return first if first == second else f"{first} | {second}"


def _rename_schemes(name: str, names: dict[str, str]) -> str:
    """Return the name of a figure with other names of its schemes."""
    for label, shown in names.items():
        whole = re.sub(rf"(^|(?<=/)|(?<=, )){re.escape(label)}(?=/|,|$)", lambda _: shown, name)  # noqa: B023  called at once
        if whole != name:
            return whole
    return name


def _compute_change(a: float | None, b: float | None) -> float:
    """Return the size of a change relative to the larger value; infinity where one is not known."""
    if a is None or b is None:
        return 0.0 if a is b else math.inf
    return abs(b - a) / max(abs(a), abs(b)) if a != b else 0.0


def make_comparison_sheets(a: ComparisonSide, b: ComparisonSide) -> list[Sheet]:
    """Return two tables: keys that differ, and figures that changed."""
    keys = [[path, *(_format_value(value) for value in pair)] for path, pair in find_different_keys(a, b).items()]
    figures, lonely = find_shared_metrics(a, b), find_unshared_metrics(a, b)
    changed = [(name, pair) for name, pair in figures.items() if _compute_change(*pair) > 0.0]
    rows = [
        [name, _format_figure(x), _format_figure(y), _format_figure(None if x is None or y is None else y - x)]
        for name, (x, y) in changed[:_ROWS]
    ]
    note = f"{len(figures) - len(changed)} of {len(figures)} shared figures are equal"
    note += f"; cosines and the largest relative changes, {_ROWS} of {len(changed)}" if len(changed) > _ROWS else ""
    unlike = [f"{x} with {y}" for x, y in match_schemes(a.schemes, b.schemes) if x != y]
    note += f"; compared: {'; '.join(unlike)}" if unlike else ""
    note += f"; {len(lonely[0])} figures of A and {len(lonely[1])} of B found no partner" if any(lonely) else ""
    return [
        Sheet("Keys that differ", ["key", "A", "B"], keys, words=3, note="" if keys else "the scenarios are the same"),
        Sheet("Figures that changed", ["figure", "A", "B", "B - A"], rows, note=note),
    ]


def _format_value(value: Any) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _format_figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


class Comparison:
    """Two results side by side; shows itself in a notebook.

    Attributes
    ----------
    keys : dict
        What differs between the scenarios, A and B; None stands for a key that one does not have.
    metrics : dict
        The numbers that both have, A and B.
    """

    def __init__(self, a: ComparisonSide, b: ComparisonSide) -> None:
        self._sides = a.stored, b.stored
        self.keys, self.metrics = find_different_keys(a, b), find_shared_metrics(a, b)
        self.schemes = match_schemes(a.schemes, b.schemes)
        self.only_a, self.only_b = find_unshared_metrics(a, b)
        self.sheets = make_comparison_sheets(a, b)

    @property
    def figures(self) -> Drawings:
        """The figures of both side by side, by name."""
        from ..report.figures import list_comparison_figures

        return Drawings(list_comparison_figures(*self._sides, self._name_sides()))

    def _name_sides(self) -> tuple[str, str]:
        """Return how a figure names both: by what differs, where that is short."""
        changed = [(key.rpartition(".")[2], pair) for key, pair in self.keys.items() if key not in _UNTOLD]
        if not 0 < len(changed) <= _TOLD:
            return "A", "B"
        a, b = (", ".join(f"{key} {_format_value(pair[side])}" for key, pair in changed) for side in (0, 1))
        return f"A: {a}", f"B: {b}"

    def as_table(self) -> dict[str, Any]:
        """Return everything as a table for programs."""
        found = {"keys": self.keys, "metrics": self.metrics, "schemes": self.schemes}
        return {**found, "only_a": self.only_a, "only_b": self.only_b}

    def __repr__(self) -> str:
        """Return both tables as text."""
        return "\n".join(
            line for sheet in self.sheets for line in [sheet.title, *format_sheet(sheet, 120), sheet.note, ""]
        )

    def _repr_html_(self) -> str:
        return "".join(map(render_sheet, self.sheets))
