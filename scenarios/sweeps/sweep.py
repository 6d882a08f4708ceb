"""Sweep a scenario: every point of the design once, whatever stops in between, then one cube and one page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from substrate.engine.threads import count_available_threads

from ..experiments.watch import Watch
from ..language.faults import ScenarioFault
from ..language.load import LoadedScenario
from ..language.places import read_title
from ..report.summary import describe_edits
from ..results import store
from ..results.disk import remove_file, write_file
from ..run.identity import compute_sweep_id
from ..run.relocate import relocate_paths
from ..schema.plan import format_edits
from ..suspicions import format_suspicion
from .cube import make_cube
from .design import REPLICATE, list_points
from .engine import Engine, run_in_process
from .folder import (
    CUBE,
    LOG,
    POINTS,
    REPORT,
    SCENARIO,
    STOP,
    TABLE,
    PlanDimension,
    SweepPlan,
    find_outcome,
    make_sweep_folder,
    read_plan,
    write_plan,
    write_point_table,
)
from .metric import find_metric, make_metric_columns
from .point import Outcome, PointTask
from .points import CheckedDesign, check_design, make_point_scenario
from .report import make_sweep_answer, write_sweep_report

STOPPED = "interrupted: the same command goes on from here"
"""Why a sweep ended that was asked to."""

_NO_RESULT = ("interrupted", "unwritten")


class SweepOptions(NamedTuple):
    """How to sweep, not what: none of these changes a result."""

    out: Path | None = None
    """Folder of the result; absent: ``./<name>-<id>``."""

    engine: Engine = run_in_process
    workers: int = 1
    """Points that run at the same time on this machine."""

    threads: int | None = None
    """Threads of one point; absent: the cores of this machine shared by the workers."""

    shard: tuple[int, int] | None = None
    """Run only every n-th point from number i on, and put nothing together."""

    retry_failed: bool = False
    fail_fast: bool = False


class FinishedSweep(NamedTuple):
    """Where a sweep left its result."""

    folder: Path
    outcomes: list[Outcome | None]
    """In the order of the plan; None where a point has not run."""

    computed: int
    """Points that ran now."""

    stopped: str
    """Why the sweep ended early, or nothing."""

    answer: str
    """What the points say together; nothing for one shard of a sweep."""

    warnings: Sequence[ScenarioFault] = ()
    """What is suspicious about the scenario or any point of it."""


def run_sweep(loaded: LoadedScenario, options: SweepOptions, watch: Watch) -> FinishedSweep:
    """Run what is missing of a sweep, then put all points together.

    Parameters
    ----------
    loaded : Loaded
        A scenario with a sweep.
    options : SweepOptions
        Where and how.
    watch : Watch
        Progress and interruption.

    Raises
    ------
    ScenarioError
        With every fault of every point; nothing has run then.
    StoreReadError
        If a file of a point has gone bad while the sweep ran.
    StoreWriteError
        If a file cannot be written; what was written before stays.
    """
    design = check_design(loaded)
    plan = _make_plan(loaded, design)
    folder = options.out or Path(f"{plan.name}-{compute_sweep_id(loaded.spec, design.content)}")
    _begin_sweep(loaded, folder, plan, watch)
    outcomes = list_outcomes(folder, plan)
    todo = _choose_points(plan, outcomes, options)
    for warning in design.warnings:
        watch.say(format_suspicion(warning))
    watch.say(f"{len(plan.ids)} points, {len(todo)} of them to run")
    same: dict[str, list[int]] = {}
    for number, name in enumerate(plan.ids):
        same.setdefault(name, []).append(number)
    computed, stopped = 0, ""
    for outcome in options.engine(_list_tasks(loaded, design, folder, todo, options), watch):
        computed += 1
        for number in same[outcome.id]:
            outcomes[number] = None if outcome.status in _NO_RESULT else outcome
        stopped = stopped or _report_outcome(outcome, plan, options, watch)
        watch.advance(computed, len(todo), _describe_sweep_progress(outcomes))
        if stopped:
            break
    remove_file(folder / STOP)
    answer = write_sweep_result(folder, plan, outcomes) if options.shard is None else ""
    ended = stopped or (STOPPED if watch.stopped() else "")
    return FinishedSweep(folder, outcomes, computed, ended, answer, design.warnings)


def merge_points(folder: Path) -> FinishedSweep:
    """Put together the points that are in a folder.

    Raises
    ------
    StoreReadError
        If the folder holds no sweep, or a file in it has gone bad.
    StoreWriteError
        If a file cannot be written.
    """
    plan = read_plan(folder)
    outcomes = list_outcomes(folder, plan)
    return FinishedSweep(folder, outcomes, 0, "", write_sweep_result(folder, plan, outcomes))


def read_finished_sweep(folder: Path) -> FinishedSweep:
    """Return the sweep that was put together in a folder.

    Raises
    ------
    StoreReadError
        If the folder holds none, or a file in it has gone bad.
    """
    plan = read_plan(folder)
    outcomes = list_outcomes(folder, plan)
    return FinishedSweep(
        folder, outcomes, 0, "", make_sweep_answer(store.read_result_file(folder / CUBE), plan, outcomes)
    )


def list_outcomes(folder: Path, plan: SweepPlan) -> list[Outcome | None]:
    """Return how the points of a folder ended, in the order of the plan; None where a point has not run."""
    return [find_outcome(folder, name) for name in plan.ids]


def _make_plan(loaded: LoadedScenario, design: CheckedDesign) -> SweepPlan:
    scenario = loaded.spec
    return SweepPlan(
        scenario.name,
        f"nudgelab {version('nudgelab')}",
        scenario.experiment.kind,
        design.sweep.threshold,
        [PlanDimension(dim.name, {path: design.coordinates[path] for path in dim.axes}) for dim in design.dims],
        design.sweep.replicates,
        scenario.chip.instance,
        design.sweep.common_random_numbers,
        design.ids,
        design.sweep.replicate,
        read_title(loaded.text),
        format_edits(loaded.edits),
    )


def _begin_sweep(loaded: LoadedScenario, folder: Path, plan: SweepPlan, watch: Watch) -> None:
    """Make the folder and write what the sweep is."""
    make_sweep_folder(folder)
    watch.log_to(folder / LOG)
    write_plan(folder, plan)
    if not (folder / SCENARIO).exists():
        title = " ".join(filter(None, (plan.question, describe_edits(plan.edits))))
        text = relocate_paths(loaded, folder).to_toml()
        write_file(folder / SCENARIO, (f"# {title}\n{text}" if title else text).encode())


def _choose_points(plan: SweepPlan, outcomes: list[Outcome | None], options: SweepOptions) -> list[int]:
    """Return the numbers of the points to run, each content once."""
    first: dict[str, int] = {}
    for number, name in enumerate(plan.ids):
        first.setdefault(name, number)
    share, shares = options.shard or (0, 1)
    again = ("failed", "killed") if options.retry_failed else ()
    return [
        number
        for number in first.values()
        if number % shares == share and ((found := outcomes[number]) is None or found.status in again)
    ]


def _list_tasks(
    loaded: LoadedScenario, design: CheckedDesign, folder: Path, todo: list[int], options: SweepOptions
) -> Iterator[PointTask]:
    """Yield the points to run; a scenario is made when its turn comes."""
    threads = options.threads or max(1, count_available_threads() // options.workers)
    place = (folder / POINTS).resolve()
    wanted_numbers = set(todo)
    for point in list_points(design.dims, design.sweep.replicates):
        if point.number in wanted_numbers:
            values = {
                path: design.coordinates[path][index]
                for dim, index in zip(design.dims, point.place, strict=False)
                for path in dim.axes
            } | {REPLICATE: point.place[-1]}
            found = make_point_scenario(loaded, design.dims, point)
            stop = place.parent / STOP
            yield PointTask(
                design.ids[point.number], found, place, stop, threads, design.sweep.keep, json.dumps(values)
            )


def _report_outcome(outcome: Outcome, plan: SweepPlan, options: SweepOptions, watch: Watch) -> str:
    """Tell what went wrong with a point, and return why the sweep has to end, or nothing."""
    if outcome.status == "unwritten":
        return outcome.reason
    if outcome.status in ("failed", "killed"):
        place = dict(zip(plan.ids, plan.places(), strict=True))[outcome.id]
        where = ", ".join(
            f"{path} = {values[index]}"
            for dim, index in zip(plan.dims, place, strict=False)
            for path, values in dim.coordinates.items()
        )
        watch.say(f"point {outcome.id} {outcome.status} at {where}, replicate {place[-1]}: {outcome.reason}")
        return "stopped at the first failed point" if options.fail_fast else ""
    return ""


def _describe_sweep_progress(outcomes: list[Outcome | None]) -> str:
    """Return how far the sweep is, in words."""
    counts = Counter(outcome.status for outcome in outcomes if outcome)
    bad = [f"{counts[status]} {status}" for status in ("diverged", "failed", "killed") if counts[status]]
    return ", ".join([f"{counts['ok']} of {len(outcomes)} points good", *bad])


def write_sweep_result(folder: Path, plan: SweepPlan, outcomes: list[Outcome | None]) -> str:
    """Write the merged cube, the table and the report of the points there are; return what they say in words.

    Raises
    ------
    StoreReadError
        If the file of a point has gone bad.
    StoreWriteError
        If a file cannot be written.
    """
    groups = make_cube(folder, plan, outcomes)
    missing = sum(outcome is None for outcome in outcomes)
    head: dict[str, str | int | float] = {
        "title": plan.name,
        "software": plan.software,
        "experiment": plan.experiment,
        "threshold": plan.threshold,
        "status": "incomplete" if missing else "complete",
    }
    store.write_result_file(folder / CUBE, groups, head)
    result = store.read_result_file(folder / CUBE)
    metric = find_metric(result)
    write_point_table(folder / TABLE, plan, outcomes, {} if metric is None else make_metric_columns(metric))
    write_sweep_report(folder / REPORT, result, plan, outcomes)
    return make_sweep_answer(result, plan, outcomes)
