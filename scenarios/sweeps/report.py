"""The page of a sweep: one HTML file, made from the merged file and the endings of the points."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..drawing.page import make_plot, render_page, strip_paths
from ..drawing.sheet import KeyNumber, Sheet
from ..drawing.space import PreparedFigure
from ..drawing.style import render_svg
from ..experiments.kind import ExperimentKind, find_kind
from ..report.figures import write_svgs
from ..report.page import FIGURES
from ..report.summary import describe_edits, format_open_lines
from ..results.disk import write_file
from ..results.statistics import Breakdown, compute_interval, find_breakdown
from ..results.store import ResultData
from .design import POINT
from .figures import draw_along_axis, draw_heat_map, draw_paired_differences, format_axis_level, has_rule
from .folder import CUBE, SCENARIO, TABLE, SweepPlan
from .metric import DesignAxis, Metric, convert_to_percent, find_metric, list_axes
from .point import Outcome

_MOST = 0.5
_ROWS = 60
_WITHOUT = (
    "No point gave a number to judge by: none of them settled, or all failed or diverged. The table below and "
    "points.csv say why, point by point."
)
_PLACES = 6
_CAPTIONS = {
    "along": (
        "Along {path}. Dots: single chips. Line: their mean; band: 95 % interval of the mean (Student), of {chips} "
        "chips at most, cut off where it is far wider than the dots. Points that failed, diverged or have not run are "
        "left out.{more}"
    ),
    "heat": (
        "Two axes. Mean over chips of the worst layer; hatched where chips failed, diverged or have not run, with "
        "their number."
    ),
    "paired": (
        "Differences along {path}. Every chip minus itself at the first level, so that what chips differ by cancels; "
        "bars: 95 % interval of the mean, cut off where it is far wider than the dots."
    ),
}
_RULE = " Dotted: the matching rule, which needs no drawn chip."
_GOOD = " Dashed: the threshold."


def write_sweep_report(path: Path, result: ResultData, plan: SweepPlan, outcomes: Sequence[Outcome | None]) -> None:
    """Write the page of a sweep, and its figures into a folder beside it.

    Parameters
    ----------
    path : Path
        The HTML file; the merged file and the table are linked as its neighbours.
    result : Result
        The merged file.
    plan : Plan
    outcomes : sequence of Outcome or None
        In the order of the plan.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    figures = list_sweep_figures(result, plan)
    drawn = {name: render_svg(figure.draw()) for name, figure in figures.items()}
    write_svgs(drawn, path.parent / FIGURES)
    plots = [make_plot(name, text, figures[name].caption) for name, text in drawn.items()]
    tables = make_sweep_sheets(result, plan, outcomes)
    content: dict[str, Any] = {
        **{name: str(result.attributes.get(name, "")) for name in ("title", "software", "created", "status")},
        "id": "",
        "tone": "" if find_metric(result) is not None else "alarm",
        "answer": [make_sweep_answer(result, plan, outcomes)],
        "remarks": [],
        "plots": plots,
        "sheets": tables,
        "terminal": "",
        "written": "",
        "resolved": "",
        "files": [
            (CUBE, "every number of this page, and more"),
            (TABLE, "one line per point"),
            (SCENARIO, "the sweep to run again"),
        ],
        "open_lines": format_open_lines(Path(CUBE)).replace("run = ", "sweep = ").replace("print(run)", "print(sweep)"),
        "facts": {},
        "question": plan.question,
        "edits": strip_paths(describe_edits(plan.edits)),
        "numbers": _list_key_numbers(result, plan, outcomes),
    }
    write_file(path, render_page(content).encode("utf-8", "backslashreplace"))


def _count(n: float, plan: SweepPlan) -> str:
    return f"one {plan.replicate}" if n == 1 else f"n = {n:.0f} {plan.replicate}s"


def _list_key_numbers(result: ResultData, plan: SweepPlan, outcomes: Sequence[Outcome | None]) -> list[KeyNumber]:
    """Return how many points are good, and where the figure is smallest and largest, as means over chips."""
    good = sum(outcome is not None and outcome.status == "ok" for outcome in outcomes)
    numbers = [KeyNumber(f"{good} of {len(plan.ids)}", "points that gave a result")]
    metric, axes = convert_to_percent(find_metric(result)), list_axes(result)
    if metric is None:
        return numbers
    found, places = compute_interval(metric.worst), _name_places(axes, plan)
    if not np.isfinite(found.mean).any():
        return numbers
    words = metric.words.partition(" (%)")[0].partition(",")[0] + " in the worst layer" * metric.cosine
    for name, pick in (("smallest", np.nanargmin), ("largest", np.nanargmax)):
        place = np.unravel_index(pick(found.mean), found.mean.shape)
        low, high, n = (float(one[place]) for one in (found.low, found.high, found.chips))
        interval = f", 95 % interval {low:.3g} to {high:.3g}{metric.unit}" if np.isfinite(low) else ""
        told = f"{name} {words}, at {places[tuple(int(i) for i in place)]}{interval}, {_count(n, plan)}"
        numbers.append(KeyNumber(f"{found.mean[place]:.3g}{metric.unit}", told))
    return numbers


def make_sweep_answer(result: ResultData, plan: SweepPlan, outcomes: Sequence[Outcome | None]) -> str:
    """Return in words how many points are good, and up to where gradients are."""
    counts = Counter(outcome.status if outcome else "not run" for outcome in outcomes)
    parts = [f"{counts.pop('ok', 0)} good", *(f"{number} {word}" for word, number in sorted(counts.items()))]
    text = f"{len(plan.ids)} points: {', '.join(parts)}.{_describe_unsettled_points(result)}"
    remark = _find_sweep_kind(result).sweep_remark(result, plan.threshold)
    if not any(outcomes):
        return f"{text} {remark}".rstrip()
    return f"{text}{_describe_metric(result, plan)} {remark}".rstrip()


def _describe_metric(result: ResultData, plan: SweepPlan) -> str:
    """Return in words how the figure runs that the sweep is judged by."""
    metric, axes = convert_to_percent(find_metric(result)), list_axes(result)
    if metric is None:
        return f" {_WITHOUT}"
    if not metric.cosine:
        return _describe_extremes(metric, axes, plan)
    if plan.dims[0].name == POINT:
        return ""
    if len({axis.dim for axis in axes}) > 1:
        return _describe_breakdowns(metric, axes, plan) or _describe_extremes(metric, axes, plan)
    told = ""
    for axis in axes:
        if axis.numeric:
            found = find_breakdown(axis.values, metric.worst.reshape(len(axis.values), -1), plan.threshold)
            told += f" {_describe_breakdown(found, axis, plan.threshold)}" if found else ""
    return told or _describe_extremes(metric, axes, plan)


def _describe_unsettled_points(result: ResultData) -> str:
    """Return in how many points most samples did not settle, so that errors are those of states on the way."""
    group, name = _find_sweep_kind(result).unsettled or ("", "")
    curves = result.groups.get(group, {}).get(name)
    if curves is None:
        return ""
    points = result["points"]["status"].data.size
    bad = int(np.count_nonzero(compute_interval(curves.data.reshape(points, -1)).mean > _MOST))
    return f" ALARM: in {bad} of {points} points most samples did not settle." if bad else ""


def _find_sweep_kind(result: ResultData) -> ExperimentKind[Any]:
    return find_kind(str(result.attributes["experiment"]))


def _describe_extremes(metric: Metric, axes: list[DesignAxis], plan: SweepPlan) -> str:
    """Return where the figure is smallest and largest, as means over chips."""
    found, places = compute_interval(metric.worst), _name_places(axes, plan)
    if np.count_nonzero(np.isfinite(found.mean)) == 0:
        return ""
    low, high = (np.unravel_index(pick(found.mean), found.mean.shape) for pick in (np.nanargmin, np.nanargmax))

    def told(place: tuple[np.intp, ...]) -> str:
        spread = f" ({found.low[place]:.3g} to {found.high[place]:.3g})" if np.isfinite(found.low[place]) else ""
        return f"{found.mean[place]:.3g}{metric.unit}{spread} at {places[tuple(int(i) for i in place)]}"

    words = metric.words.partition(" (%)")[0].partition(",")[0]
    words += " in the worst layer" * metric.cosine
    n = f"mean of {plan.replicates} {plan.replicate}s" if plan.replicates > 1 else f"one {plan.replicate}"
    brackets = ", in brackets its 95 % interval" if np.isfinite(found.low).any() else ""
    if low == high:
        return f" The {words} is {told(low)} ({n}{brackets})."
    return f" The {words} is smallest, {told(low)}, and largest, {told(high)} ({n}{brackets})."


def _describe_breakdowns(metric: Metric, axes: list[DesignAxis], plan: SweepPlan) -> str:
    """Return the breakdown along the first axis of numbers, at every place of the others."""
    first = next((axis for axis in axes if axis.numeric), None)
    rows = [] if first is None else _make_breakdown_rows(metric, [first], plan)
    if first is None or not 0 < len(rows) <= _PLACES or len({row[2] for row in rows}) > 1:
        return ""
    where = "; ".join(f"{row[3]} at {row[1]}" for row in rows)
    start = f"The cosine of the worst layer is {plan.threshold:g} or more {rows[0][2]} {first.path}"
    return f" {start} of: {where} ({'medians of chips' if plan.replicates > 1 else 'one chip'})."


def _describe_breakdown(found: Breakdown, axis: DesignAxis, threshold: float) -> str:
    text = f"The cosine of the worst layer is {threshold:g} or more"
    if not np.isfinite(found.median):
        text += f" at {_format_bound(found.median, found.falling)} of {axis.path}"
    else:
        text += f" {'up to' if found.falling else 'from'} {axis.path} = {found.median:.3g}"
    if found.chips == 1:
        return f"{text} (one chip)."
    low, high = (_format_bound(value, found.falling) for value in (found.low, found.high))
    return f"{text} (median of {found.chips} chips; {low} to {high})."


def _format_bound(value: float, falling: bool) -> str:
    if np.isfinite(value):
        return f"{value:.3g}"
    return "every level" if (value > 0.0) == falling else "no level"


def list_sweep_figures(result: ResultData, plan: SweepPlan) -> dict[str, PreparedFigure]:
    """Return the figures that a sweep has data for, in reading order."""
    metric, axes = convert_to_percent(find_metric(result)), list_axes(result)
    if metric is None:
        return {}
    chips = f"n = {plan.replicates} {plan.replicate}{'s' * (plan.replicates > 1)} at every place."
    found = _find_sweep_kind(result).sweep_figures(result, _name_places(axes, plan))
    for k, axis in enumerate(axes):
        more = _GOOD if metric.cosine else ""
        more += _RULE if metric.rule is not None and has_rule(axis) else ""
        caption = _CAPTIONS["along"].format(path=axis.path, chips=plan.replicates, more=more)
        found[f"along-{k}"] = PreparedFigure(partial(draw_along_axis, metric, axes, k, plan.threshold), caption)
    dims = {axis.dim for axis in axes}
    if len(plan.dims) == 2 and dims == {0, 1}:
        pair = [next(axis for axis in axes if axis.dim == d) for d in (0, 1)]
        draw = partial(draw_heat_map, metric, result["points"]["status"].data, pair)
        found["heat"] = PreparedFigure(draw, f"{_CAPTIONS['heat']} {chips}")
    if plan.common and plan.replicates > 1 and plan.names[0] != POINT:
        for k, axis in enumerate(axes):
            caption = f"{_CAPTIONS['paired'].format(path=axis.path)} {chips}"
            found[f"paired-{k}"] = PreparedFigure(partial(draw_paired_differences, metric, axes, k), caption)
    return found


def _name_places(axes: list[DesignAxis], plan: SweepPlan) -> dict[tuple[int, ...], str]:
    """Return a short name of every place of the design, by the first key of every dimension that has levels."""
    shown = [next((axis for axis in axes if axis.dim == k), None) for k in range(len(plan.dims))]
    return {
        place: ", ".join(
            format_axis_level(axis, axis.values[i].item()) for i, axis in zip(place, shown, strict=True) if axis
        )
        or "all"
        for place in np.ndindex(plan.shape[:-1])
    }


def make_sweep_sheets(result: ResultData, plan: SweepPlan, outcomes: Sequence[Outcome | None]) -> list[Sheet]:
    """Return every table that the points have data for."""
    metric, axes = convert_to_percent(find_metric(result)), list_axes(result)
    tables = _find_sweep_kind(result).sweep_sheets(result, _name_places(axes, plan))
    if metric is not None:
        tables.append(_make_means_sheet(metric, plan))
        if metric.cosine and (rows := _make_breakdown_rows(metric, axes, plan)):
            columns = ["axis", "at", "good", "median of chips", "least", "largest", "chips"]
            title = f"Breakdown point: cosine of the worst layer {plan.threshold:g} or more"
            note = "by straight lines between levels, for every chip alone; the interval is that of all chips"
            tables.append(Sheet(title, columns, rows, words=3, note=note))
    bad = [(name, outcome) for name, outcome in zip(plan.ids, outcomes, strict=True) if outcome and outcome.reason]
    if bad:
        places = dict(zip(plan.ids, plan.places(), strict=True))
        rows = [
            [name, o.status, _describe_place(plan, places[name]), strip_paths(o.reason)[:300]]
            for name, o in bad[:_ROWS]
        ]
        note = f"the first {_ROWS} of {len(bad)}; all are in {TABLE}" if len(bad) > _ROWS else ""
        tables.append(Sheet("Points without a good result", ["point", "ended", "at", "why"], rows, words=4, note=note))
    return tables


def _describe_place(plan: SweepPlan, place: tuple[int, ...]) -> str:
    words = [
        f"{path} = {values[index]:.4g}" if isinstance(values[index], float) else f"{path} = {values[index]}"
        for dim, index in zip(plan.dims, place, strict=False)
        for path, values in dim.coordinates.items()
    ]
    return ", ".join(
        [*words, *([f"replicate {place[-1]}"] if plan.replicates > 1 and len(place) > len(plan.dims) else [])]
    )


def _make_means_sheet(metric: Metric, plan: SweepPlan) -> Sheet:
    """Return mean and interval at every place of the design."""
    names = [series or metric.words for series in metric.series]
    found = compute_interval(np.moveaxis(metric.values, -1, 0))
    rows = []
    for place in itertools.islice(np.ndindex(plan.shape[:-1]), _ROWS):
        cells = []
        for s in range(len(names)):
            low, high = found.low[s][place], found.high[s][place]
            spread = f" ({low:.4g} to {high:.4g})" if np.isfinite(low) else ""
            cells.append(f"{found.mean[s][place]:.4g}{spread}" if found.chips[s][place] else "-")
        rows.append([_describe_place(plan, place), *cells, str(found.chips[:, *place].max())])
    total = len(plan.ids) // plan.replicates
    cut = f"; the first {_ROWS} of {total} places" if total > _ROWS else ""
    title = f"{metric.words}: mean over chips"
    return Sheet(title, ["at", *names, "chips"], rows, note=f"in brackets: 95 % interval of the mean{cut}")


def _make_breakdown_rows(metric: Metric, axes: list[DesignAxis], plan: SweepPlan) -> list[list[str]]:
    """Return where the chips break down along every axis of numbers, at every place of the others."""
    rows = []
    for axis in axes:
        if not axis.numeric or plan.dims[axis.dim].name == POINT:
            continue
        values = np.moveaxis(metric.worst, axis.dim, 0)
        for place in itertools.islice(np.ndindex(values.shape[1:-1]), _ROWS):
            found = find_breakdown(axis.values, values[(slice(None), *place)], plan.threshold)
            if found is None:
                continue
            full = [*place[: axis.dim], 0, *place[axis.dim :]]
            others = [
                _describe_place(plan._replace(dims=[d]), (i,))
                for k, (d, i) in enumerate(zip(plan.dims, full, strict=True))
                if k != axis.dim
            ]
            bounds = [_format_bound(value, found.falling) for value in (found.median, found.low, found.high)]
            rows.append([axis.path, ", ".join(others), "up to" if found.falling else "from", *bounds, str(found.chips)])
    return rows
