"""Run one scenario: chip and data in, one folder with its result file and figures out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from substrate.engine.threads import single_threaded_blas

from ..build import Setup, build
from ..experiments.device_tables import add_physical
from ..experiments.kind import Ending, RunError, Setting, Work, kind_named
from ..experiments.watch import Watch
from ..language.faults import Fault
from ..language.load import Loaded, varied
from ..report.page import FIGURES, REPORT, write_report
from ..results import store
from ..results.disk import remove, write
from ..results.store import Group, Result, StoreReadError
from ..suspicions import suspicions, told
from .identity import run_id
from .provenance import provenance
from .relocate import relocated

RESULT = "run.h5"
SCENARIO = "scenario.toml"
CHECKPOINT = "run.ckpt.h5"
LOG = "run.log"


class Options(NamedTuple):
    """How to run, not what: none of these changes a result."""

    out: Path | None = None
    """Folder of the result; absent: ``./<name>-<id>``."""

    threads: int | None = None
    """Threads that share a batch; absent: all cores."""

    force: bool = False
    """Compute again, and replace the result of another scenario in the same folder."""


class Finished(NamedTuple):
    """Where a run left its result."""

    folder: Path
    computed: bool
    """False: the folder already held the complete answer."""

    files: list[Path]

    warnings: list[Fault]
    """What is suspicious about the scenario."""


def run(loaded: Loaded, options: Options, watch: Watch) -> Finished:
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
    loaded, setup, warnings = _prepared(loaded, watch)
    identity = run_id(loaded.scenario, setup.content)
    folder = options.out or Path(f"{loaded.scenario.name}-{identity}")
    path, kept = folder / RESULT, folder / CHECKPOINT
    if path.exists() and not options.force:
        _refuse_another(path, store.load(path), identity)
        _complete(loaded, folder, watch)
        return Finished(folder, False, kept_files(folder), warnings)
    saved = None if path.exists() else checkpoint_of(kept, identity, options.force, watch)
    _make(folder)
    watch.log_to(folder / LOG)
    if path.exists():
        remove(kept)
        remove(path)
    groups, ending = compute(setup, Setting(options.threads, kept, saved, identity), watch)
    groups["provenance"] = provenance(loaded, setup)
    watch.say(f"writing {folder}")
    keep(loaded, folder, groups, {"id": identity, **ending})
    remove(kept)
    return Finished(folder, True, kept_files(folder), warnings)


def run_in_memory(loaded: Loaded, threads: int | None, watch: Watch) -> tuple[Result, list[Fault]]:
    """Run a scenario without keeping anything; return the result and what is suspicious about the scenario.

    Raises
    ------
    ScenarioError
        If a file of the scenario does not fit.
    RunError
        If a study of nudges has nothing to compare.
    Interrupted
        If the watch asked to stop.
    """
    loaded, setup, warnings = _prepared(loaded, watch)
    identity = run_id(loaded.scenario, setup.content)
    with TemporaryDirectory(prefix="nudgelab-") as folder:
        setting = Setting(threads, Path(folder) / CHECKPOINT, None, identity)
        groups, ending = compute(setup, setting, watch)
    groups["provenance"] = provenance(loaded, setup)
    return store.in_memory(groups, _head(loaded, {"id": identity, **ending})), warnings


def _prepared(loaded: Loaded, watch: Watch) -> tuple[Loaded, Setup, list[Fault]]:
    """Return the scenario without its sweep, what it describes, and what is suspicious; tell the last two."""
    if loaded.scenario.sweep is not None:
        watch.say("the scenario has a [sweep], which `run` leaves out: `nudgelab sweep` does it")
        loaded = varied(loaded, [])
    setup = build(loaded)
    for line in setup.taken:
        watch.say(line)
    warnings = suspicions(loaded, setup)
    for warning in warnings:
        watch.say(told(warning))
    return loaded, setup, warnings


def compute(setup: Setup, setting: Setting, watch: Watch) -> tuple[dict[str, Group], Ending]:
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
    with single_threaded_blas():
        groups, ending = kind_named(setup.plan.kind).run(Work(setup.plan, setup, setting, watch))
    add_physical(groups, setup.scenario)
    return groups, ending


def checkpoint_of(path: Path, identity: str, force: bool, watch: Watch) -> Result | None:
    """Return the checkpoint to go on from, if there is one.

    Raises
    ------
    RunError
        If it is from another scenario.
    """
    if not path.exists():
        return None
    try:
        saved = store.load(path)
    except StoreReadError as error:
        watch.say(f"starting anew: {error}")
        return None
    if force and saved.attributes.get("id") != identity:
        return None
    _refuse_another(path, saved, identity)
    return saved


def _refuse_another(path: Path, found: Result, identity: str) -> None:
    other = found.attributes.get("id")
    if other != identity:
        text = f"{path} is from another scenario, or from another release ({other}, not {identity})"
        raise RunError(f"{text}: choose another --out or add --force")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot make this folder ({error.strerror}): choose another --out") from error


def keep(loaded: Loaded, folder: Path, groups: Mapping[str, Group], ending: Ending) -> None:
    """Write the result file and what is made from it into a folder that exists.

    Raises
    ------
    StoreWriteError
        If a file cannot be written.
    """
    remove(folder / REPORT)
    store.save(folder / RESULT, groups, _head(loaded, ending))
    _show(loaded, folder)


def _head(loaded: Loaded, ending: Ending) -> Ending:
    return ending | {"title": loaded.scenario.name, "software": f"nudgelab {version('nudgelab')}"}


def _show(loaded: Loaded, folder: Path) -> None:
    """Write what is made from the result file; the report last, as a sign that all is there."""
    write(folder / SCENARIO, relocated(loaded, folder).to_toml().encode())
    write_report(store.load(folder / RESULT), folder)


def _complete(loaded: Loaded, folder: Path, watch: Watch) -> None:
    """Make up for what a run that ended just after its result file did not do."""
    if not all((folder / name).exists() for name in (SCENARIO, FIGURES, REPORT)):
        watch.log_to(folder / LOG)
        watch.say(f"making report and figures in {folder} again")
        _show(loaded, folder)
    remove(folder / CHECKPOINT)


def kept_files(folder: Path) -> list[Path]:
    """Return the files of a run that are in its folder: result, report, scenario, figures."""
    named = [folder / name for name in (RESULT, REPORT, SCENARIO)]
    return [path for path in named if path.exists()] + sorted((folder / FIGURES).glob("*.svg"))
