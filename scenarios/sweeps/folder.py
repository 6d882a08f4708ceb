"""The folder of a sweep: its plan, a file per point, and what is known of every point."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..results.disk import StoreReadError, StoreWriteError, convert_write_errors, write_file
from ..results.store import FORMAT
from .design import REPLICATE
from .point import Outcome, read_point_outcome

PLAN, POINTS, TABLE, CUBE, REPORT, SCENARIO = (
    "sweep.json",
    "points",
    "points.csv",
    "sweep.h5",
    "report.html",
    "sweep.toml",
)
LOG, STOP = "sweep.log", "stop"


class PlanDimension(NamedTuple):
    """A dimension of the plan."""

    name: str
    coordinates: dict[str, list[Any]]
    """Numbers or texts by path, one per level."""

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(next(iter(self.coordinates.values())))


class SweepPlan(NamedTuple):
    """Everything that is needed to put points together; read from and written to one file."""

    name: str
    software: str
    experiment: str
    threshold: float
    dims: list[PlanDimension]
    replicates: int
    first_instance: int
    common: bool
    ids: list[str]
    replicate: str = "chip"
    """What a replicate has of its own: `chip` or `seed`."""

    question: str = ""
    """First comment of the scenario."""

    edits: Sequence[str] = ()
    """What was changed of the scenario that asks it, ``key = value``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Levels of every dimension, then replicates."""
        return (*(dim.size for dim in self.dims), self.replicates)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every dimension, the replicate last."""
        return (*(dim.name for dim in self.dims), REPLICATE)

    def places(self) -> Iterator[tuple[int, ...]]:
        """Yield the place of every point, in order."""
        return np.ndindex(self.shape)

    def instances(self) -> np.ndarray:
        """Return the fabricated chip of every point."""
        numbers = np.arange(len(self.ids)).reshape(self.shape)
        if self.replicate == "seed":
            return np.full_like(numbers, self.first_instance)
        return self.first_instance + (numbers % self.replicates if self.common else numbers)


def write_plan(folder: Path, plan: SweepPlan) -> None:
    """Write the plan, unless it stands there already; several shards may do so at once.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    told = plan._asdict() | {"dims": [dim._asdict() for dim in plan.dims], "format": FORMAT}
    text, path = json.dumps(told, indent=1).encode(), folder / PLAN
    if _read_bytes(path) == text:
        return
    try:
        write_file(path, text)
    except StoreWriteError:
        if _read_bytes(path) != text:  # another shard was faster
            raise


def read_plan(folder: Path) -> SweepPlan:
    """Return the plan of a folder.

    Raises
    ------
    StoreReadError
        If there is none that this release can read.
    """
    path = folder / PLAN
    text = _read_bytes(path)
    if text is None:
        raise StoreReadError(f"{path} cannot be read; name the folder of a sweep")
    try:
        told = json.loads(text)
        if told.pop("format") != FORMAT:
            raise StoreReadError(f"{path} is from another release; repeat the sweep with this one")
        plan = SweepPlan(**told | {"dims": [PlanDimension(**dim) for dim in told["dims"]]})
        if len(plan.ids) != math.prod(plan.shape):
            raise ValueError(f"it names {len(plan.ids)} of {math.prod(plan.shape)} points")
        return plan
    except StoreReadError:
        raise
    except Exception as error:  # whatever is left of it, it is not what was written
        raise StoreReadError(f"{path} is damaged ({error}); repeat the sweep with the same command") from error


def _read_bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def find_outcome(folder: Path, name: str) -> Outcome | None:
    """Return how a point ended, or None if it has to be run: no file, or none that can be read."""
    done = read_point_outcome(folder / POINTS, name)
    if done is not None:
        return done
    try:
        told = json.loads((folder / POINTS / f"{name}.failed.json").read_bytes())
        return Outcome(name, str(told["status"]), str(told["reason"]), float("nan"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_point_table(
    path: Path, plan: SweepPlan, outcomes: Sequence[Outcome | None], figures: dict[str, np.ndarray]
) -> None:
    """Write one line per point: what was varied, how it ended, and the figures of the answer.

    Parameters
    ----------
    path : Path
        The CSV file.
    plan : Plan
    outcomes : sequence of Outcome or None
        In the order of the plan; None where a point has not run.
    figures : dict of name to array
        Of the shape of the plan.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    paths = [(k, name) for k, dim in enumerate(plan.dims) for name in dim.coordinates]
    text, instances = io.StringIO(), plan.instances()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["id", *(name for _, name in paths), REPLICATE, "instance", "status", *figures, "wall_s", "reason"])
    for name, place, outcome in zip(plan.ids, plan.places(), outcomes, strict=True):
        values = [plan.dims[k].coordinates[path][place[k]] for k, path in paths]
        numbers = [_format_csv_number(array[place]) for array in figures.values()]
        ending = [outcome.status if outcome else "missing", *numbers]
        seconds = f"{outcome.wall_s:.3f}" if outcome and np.isfinite(outcome.wall_s) else ""
        rows.writerow([name, *values, place[-1], instances[place], *ending, seconds, outcome.reason if outcome else ""])
    write_file(path, text.getvalue().encode("utf-8", "backslashreplace"))


def _format_csv_number(value: float) -> str:
    return f"{value:.9g}" if np.isfinite(value) else ""


def make_sweep_folder(folder: Path) -> None:
    """Make the folder of a sweep and that of its points, and forget an earlier wish to stop.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    with convert_write_errors(folder):
        (folder / POINTS).mkdir(parents=True, exist_ok=True)
        (folder / STOP).unlink(missing_ok=True)
