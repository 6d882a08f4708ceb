"""Run one scenario: chip and data in, one folder with its result file and figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from substrate.engine.door import load_engine
from substrate.engine.threads import limit_blas_threads

from ..build import Setup, make_any_setup
from ..changes import ChangedSetup
from ..experiments.device_tables import add_physical_units
from ..experiments.kind import Ending, RunError, RunSetting, run_experiment
from ..experiments.watch import Watch
from ..language.faults import ScenarioFault
from ..language.load import LoadedScenario, replace_values
from ..report.page import FIGURES, REPORT, write_report
from ..results import store
from ..results.disk import remove_file, write_file
from ..results.store import Group, ResultData, StoreReadError, Variable
from ..results.views import CHANGES, name_changed_group
from ..suspicions import find_suspicions, format_suspicion
from .identity import compute_run_id
from .provenance import make_provenance_group
from .relocate import relocate_paths

if TYPE_CHECKING:
    from ..build import AnySetup

RESULT = "run.h5"
SCENARIO = "scenario.toml"
CHECKPOINT = "run.ckpt.h5"
LOG = "run.log"


class RunOptions(NamedTuple):
    """How to run, not what: none of these changes a result."""

    out: Path | None = None
    """Folder of the result; absent: ``./<name>-<id>``."""

    threads: int | None = None
    """Threads that share a batch; absent: all cores."""

    force: bool = False
    """Compute again, and replace the result of another scenario in the same folder."""


class FinishedRun(NamedTuple):
    """Where a run left its result."""

    folder: Path
    computed: bool
    """False: the folder already held the complete answer."""

    files: list[Path]

    warnings: list[ScenarioFault]
    """What is suspicious about the scenario."""


def run_scenario(loaded: LoadedScenario, options: RunOptions, watch: Watch) -> FinishedRun:
    """Run a scenario, go on with it, or find its complete result.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    options : Options
        Where and how.
    watch : Watch
        Progress and interruption.

    Raises
    ------
    ScenarioError
        If a file of the scenario does not fit.
    RunError
        If the folder holds the result or checkpoint of another scenario or cannot be made, or a study of
        nudges has nothing to compare.
    StoreReadError
        If the folder holds an unreadable result.
    StoreWriteError
        If a file cannot be written; a result file that was written stays.
    Interrupted
        If the watch asked to stop; a training has left a checkpoint.
    """
    loaded, setup, warnings = _prepare_scenario(loaded, watch)
    identity = compute_run_id(loaded.spec, setup.content)
    folder = options.out or Path(f"{loaded.spec.name}-{identity}")
    path, kept = folder / RESULT, folder / CHECKPOINT
    if path.exists() and not options.force:
        _refuse_other_scenario(path, store.read_result_file(path), identity)
        _complete_folder(loaded, folder, watch)
        return FinishedRun(folder, False, list_run_files(folder), warnings)
    saved = None if path.exists() else find_checkpoint(kept, identity, options.force, watch)
    _make_run_folder(folder)
    watch.log_to(folder / LOG)
    if path.exists():
        remove_file(kept)
        remove_file(path)
    groups, ending = compute_groups(setup, RunSetting(options.threads, kept, saved, identity), watch)
    groups["provenance"] = make_provenance_group(loaded, setup)
    watch.say(f"writing {folder}")
    write_result_folder(loaded, folder, groups, {"id": identity, **ending})
    remove_file(kept)
    return FinishedRun(folder, True, list_run_files(folder), warnings)


def run_in_memory(loaded: LoadedScenario, threads: int | None, watch: Watch) -> tuple[ResultData, list[ScenarioFault]]:
    """Run a scenario without keeping anything; return the result and what is suspicious about the scenario.

    Raises
    ------
    ScenarioError
        If a file of the scenario does not fit.
    RunError
        If a study of nudges has nothing to compare, or the engine cannot be loaded.
    Interrupted
        If the watch asked to stop.
    """
    loaded, setup, warnings = _prepare_scenario(loaded, watch)
    identity = compute_run_id(loaded.spec, setup.content)
    with TemporaryDirectory(prefix="nudgelab-") as folder:
        setting = RunSetting(threads, Path(folder) / CHECKPOINT, None, identity)
        groups, ending = compute_groups(setup, setting, watch)
    groups["provenance"] = make_provenance_group(loaded, setup)
    return store.make_result_data(groups, _make_head(loaded, {"id": identity, **ending})), warnings


def _prepare_scenario(loaded: LoadedScenario, watch: Watch) -> tuple[LoadedScenario, AnySetup, list[ScenarioFault]]:
    """Return the scenario without its sweep, what it describes, and what is suspicious; tell the last two."""
    if loaded.spec.sweep is not None:
        watch.say("the scenario has a [sweep], which `run` leaves out: `nudgelab sweep` does it")
        loaded = replace_values(loaded, [])
    setup = make_any_setup(loaded)
    if isinstance(setup, Setup):
        try:
            load_engine(setup.design.dynamics)
        except ValueError as error:
            raise RunError(str(error)) from error
    for line in setup.taken:
        watch.say(line)
    warnings = find_suspicions(loaded, setup)
    for warning in warnings:
        watch.say(format_suspicion(warning))
    return loaded, setup, warnings


def compute_groups(setup: AnySetup, setting: RunSetting, watch: Watch) -> tuple[dict[str, Group], Ending]:
    """Return all groups of the experiment of a scenario, and how it ended.

    Products of matrices stay on one thread: the other threads of the library go on spinning for a while after
    every product, on the cores where the chip settles, and its bits would depend on the cores.

    Raises
    ------
    RunError
        If a study of nudges has nothing to compare.
    Interrupted
        If the watch asked to stop; a training has left a checkpoint.
    """
    with limit_blas_threads():
        groups, ending = run_experiment(setup, setting, watch)
    if isinstance(setup, Setup):
        add_physical_units(groups, setup.scenario)
    if setup.changes:
        groups[CHANGES] = _make_changes_group(setup.changes)
    for k, one in enumerate(setup.changes):
        watch.say(f"changed: {one.change.label}")
        found, _ = compute_groups(one.setup, setting, watch)
        groups |= {name_changed_group(k + 1, path): group for path, group in found.items()}
    return groups, ending


def _make_changes_group(changes: Sequence[ChangedSetup[Any]]) -> Group:
    """Return what was changed: names, keys, and the whole scenario behind every change."""
    texts = {
        "name": ([one.change.label for one in changes], "name of the change"),
        "keys": ([one.change.words for one in changes], "what it sets"),
        "resolved_toml": ([one.toml for one in changes], "scenario with the change and those before it"),
    }
    number = Variable(("change",), np.arange(1, len(changes) + 1), long_name="number of the change")
    return {"change": number} | {n: Variable(("change",), np.array(t), long_name=w) for n, (t, w) in texts.items()}


def find_checkpoint(path: Path, identity: str, force: bool, watch: Watch) -> ResultData | None:
    """Return the checkpoint to go on from, if there is one.

    Raises
    ------
    RunError
        If it is from another scenario.
    """
    if not path.exists():
        return None
    try:
        saved = store.read_result_file(path)
    except StoreReadError as error:
        watch.say(f"starting anew: {error}")
        return None
    if force and saved.attributes.get("id") != identity:
        return None
    _refuse_other_scenario(path, saved, identity)
    return saved


def _refuse_other_scenario(path: Path, found: ResultData, identity: str) -> None:
    other = found.attributes.get("id")
    if other != identity:
        text = f"{path} is from another scenario, or from another release ({other}, not {identity})"
        raise RunError(f"{text}: choose another --out or add --force")


def _make_run_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot make this folder ({error.strerror}): choose another --out") from error


def write_result_folder(loaded: LoadedScenario, folder: Path, groups: Mapping[str, Group], ending: Ending) -> None:
    """Write the result file and what is made from it into a folder that exists.

    Raises
    ------
    StoreWriteError
        If a file cannot be written.
    """
    remove_file(folder / REPORT)
    store.write_result_file(folder / RESULT, groups, _make_head(loaded, ending))
    _write_views(loaded, folder)


def _make_head(loaded: LoadedScenario, ending: Ending) -> Ending:
    return ending | {"title": loaded.spec.name, "software": f"nudgelab {version('nudgelab')}"}


def _write_views(loaded: LoadedScenario, folder: Path) -> None:
    """Write what is made from the result file; the report last, as a sign that all is there."""
    write_file(folder / SCENARIO, relocate_paths(loaded, folder).to_toml().encode())
    write_report(store.read_result_file(folder / RESULT), folder)


def _complete_folder(loaded: LoadedScenario, folder: Path, watch: Watch) -> None:
    """Make up for what a run that ended just after its result file did not do."""
    if not all((folder / name).exists() for name in (SCENARIO, FIGURES, REPORT)):
        watch.log_to(folder / LOG)
        watch.say(f"making report and figures in {folder} again")
        _write_views(loaded, folder)
    remove_file(folder / CHECKPOINT)


def list_run_files(folder: Path) -> list[Path]:
    """Return the files of a run that are in its folder: result, report, scenario, figures."""
    named = [folder / name for name in (RESULT, REPORT, SCENARIO)]
    return [path for path in named if path.exists()] + sorted((folder / FIGURES).glob("*.svg"))
