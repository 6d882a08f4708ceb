"""Run one point of a sweep and leave one file: its result, or why there is none."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from ..build import make_any_setup
from ..data.shelf import Shelf
from ..experiments.kind import COMPLETE, Ending, RunSetting, list_kinds
from ..experiments.watch import Interrupted
from ..language.load import LoadedScenario
from ..results import store
from ..results.disk import StoreWriteError, write_file
from ..results.store import Group
from ..run.identity import compute_point_id
from ..run.provenance import make_provenance_group
from ..run.run import compute_groups, find_checkpoint

shelf = Shelf()
"""What the points of this process share."""


class FilesChangedError(Exception):
    """A file of a point is not what it was when the point got its name."""


class PointTask(NamedTuple):
    """One point to run."""

    id: str
    loaded: LoadedScenario
    folder: Path
    """Where its file belongs."""

    stop: Path
    """The point ends early once this file exists."""

    threads: int
    keep: str
    values: str
    """What is varied, as JSON, for people who open the file."""

    modules: tuple[str, ...] = ()
    """What a worker imports first: the modules that register the user's own parts."""


class Outcome(NamedTuple):
    """How a point ended."""

    id: str
    status: str
    """`ok`, `diverged`, `failed`, `killed`, `interrupted`, or `unwritten` when the disk refuses."""

    reason: str
    wall_s: float


class PointWatch:
    """Tells nobody how a point goes on, and ends it when the sweep is asked to stop.

    Parameters
    ----------
    asked : callable
        Tells whether the sweep is asked to stop.
    keeps : bool
        The point leaves a checkpoint when it is stopped; others are given up between two steps of theirs.
    """

    def __init__(self, asked: Callable[[], bool], keeps: bool = False) -> None:
        self._asked, self._looked, self._stopped, self._keeps = asked, float("-inf"), False, keeps

    def say(self, text: str) -> None:  # noqa: ARG002
        """Tell nothing; end the point if it is to stop and keeps nothing."""
        if not self._keeps and self.stopped():
            raise Interrupted("given up")

    def advance(self, done: int, total: int, text: str) -> None:  # noqa: ARG002
        """Do the same."""
        self.say(text)

    def log_to(self, path: Path) -> None:
        """Keep nothing."""

    def stopped(self) -> bool:
        """Return whether the point should end; asks at most once a second."""
        now = time.monotonic()
        if now - self._looked > 1.0:
            self._looked, self._stopped = now, self._stopped or self._asked()
        return self._stopped


def run_point(task: PointTask, asked: Callable[[], bool] | None = None) -> Outcome:
    """Run a point and write its file; never raises but for a broken off process.

    An exception of the experiment is written to ``ID.failed.json`` with its traceback.

    Parameters
    ----------
    task : Task
    asked : callable, optional
        Tells whether the sweep is asked to stop; absent: it is when the file ``stop`` of the task is there.
    """
    begin = time.monotonic()
    done = read_point_outcome(task.folder, task.id)  # by a worker that died before it could say so
    if done is not None:
        return done
    try:
        for module in task.modules:
            import_module(module)
        keeps = task.loaded.spec.experiment.resumes
        status, reason = _compute_point(task, PointWatch(asked or task.stop.exists, keeps), begin)
    except Interrupted as stop:
        status, reason = "interrupted", str(stop)
    except StoreWriteError as error:
        status, reason = "unwritten", str(error)
    except Exception as error:  # noqa: BLE001  one bad point must not end the sweep
        status, reason = "failed", f"{type(error).__name__}: {error}"
        try:
            write_failure(task.folder, task.id, "failed", reason, task.values, traceback.format_exc())
        except StoreWriteError as refusal:
            status, reason = "unwritten", str(refusal)
    return Outcome(task.id, status, reason, time.monotonic() - begin)


def write_failure(folder: Path, name: str, status: str, reason: str, values: str, trace: str = "") -> None:
    """Write why a point has no result.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    told = {"id": name, "status": status, "reason": reason, "values": json.loads(values), "traceback": trace}
    write_file(folder / f"{name}.failed.json", json.dumps(told, indent=2).encode())


def _compute_point(task: PointTask, watch: PointWatch, begin: float) -> tuple[str, str]:
    """Compute a point, write its result file, and return status and reason."""
    setup = make_any_setup(task.loaded, shelf)
    if compute_point_id(task.loaded.spec, setup.content) != task.id:
        raise FilesChangedError("a file of this point has changed since the sweep began: start the sweep again")
    kept = task.folder / f"{task.id}.ckpt.h5"
    saved = find_checkpoint(kept, task.id, False, watch)
    setting = RunSetting(task.threads, kept, saved, task.id, advise=task.keep == "all")
    groups, ending = compute_groups(setup, setting, watch)
    ending = _judge_ending(groups, ending)
    short = summarise_groups(groups)
    if task.keep == "all":
        groups["provenance"] = make_provenance_group(task.loaded, setup)
        groups |= {name: groups[name] | group for name, group in short.items()}
    else:
        groups = short
    head: dict[str, str | int | float] = {
        "title": task.loaded.spec.name,
        "software": f"nudgelab {version('nudgelab')}",
        "id": task.id,
        "values": task.values,
        "wall_s": time.monotonic() - begin,
    }
    store.write_result_file(task.folder / f"{task.id}.h5", groups, head | ending)
    for leftover in (kept, task.folder / f"{task.id}.failed.json"):
        leftover.unlink(missing_ok=True)
    return ("ok" if ending["status"] == "complete" else "diverged"), str(ending.get("reason", ""))


def read_point_outcome(folder: Path, name: str) -> Outcome | None:
    """Return how a point ended whose result file is there and can be read, else None.

    Parameters
    ----------
    folder : Path
        Where the files of the points are.
    name : str
        Id of the point.
    """
    path = folder / f"{name}.h5"
    if not path.exists():
        return None
    try:
        with store.open_result_file(path) as file:
            if file.attrs["id"] != name or file.attrs["format"] != store.FORMAT:
                return None
            status = "ok" if file.attrs["status"] == "complete" else "diverged"
            return Outcome(name, status, str(file.attrs.get("reason", "")), float(file.attrs["wall_s"]))
    except store.StoreReadError:
        return None


def _judge_ending(groups: Mapping[str, Group], ending: Ending) -> Ending:
    """Return the ending, or `diverged` for a measurement in which no sample settled."""
    reasons = (kind.failure(groups) for kind in list_kinds()) if ending == COMPLETE else ()
    reason = next(filter(None, reasons), "")
    return {"status": "diverged", "reason": reason} if reason else ending


def summarise_groups(groups: Mapping[str, Group]) -> dict[str, Group]:
    """Return the figures of a result: nothing per sample, unit, weight or moment."""
    return {name: group for kind in list_kinds() for name, group in kind.summary(groups).items()}
