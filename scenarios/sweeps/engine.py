"""Run the points of a sweep one after the other in this process, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ..experiments.watch import Watch
from .point import Outcome, PointTask, run_point


class Engine(Protocol):
    """Runs points; the file of a point is there before its outcome is told."""

    def __call__(self, tasks: Iterator[PointTask], watch: Watch) -> Iterator[Outcome]:
        """Yield the outcome of every task, in any order; take no more once the watch wants to stop."""
        ...


class SweepStage:
    """Where a sweep is: what may be broken off, and what has to be ended well."""

    def __init__(self) -> None:
        self.begun = self._apart = self._closing = False

    def watched(self, engine: Engine, apart: bool) -> Engine:
        """Return an engine that does the same; `apart`: it starts processes of its own before its first point."""
        self._apart = apart

        def run(tasks: Iterator[PointTask], watch: Watch) -> Iterator[Outcome]:
            try:
                yield from engine(self._counted(tasks), watch)
            finally:
                self.begun = self._closing = True

        return run

    def _counted(self, tasks: Iterator[PointTask]) -> Iterator[PointTask]:
        """Note when points run: with processes of their own once there is a second look for a task."""
        for number, task in enumerate(tasks):
            self.begun = self.begun or not self._apart or number > 0
            yield task
        self.begun = True

    def saving(self, trains: bool) -> bool:
        """Tell whether something would be lost if the process ended now."""
        return self._closing or (self.begun and (trains or self._apart))


def run_in_process(tasks: Iterator[PointTask], watch: Watch) -> Iterator[Outcome]:
    """Run every task here."""
    for task in tasks:
        yield run_point(task, watch.stopped)
        if watch.stopped():
            return


def ask_to_stop(stop: Path | None) -> None:
    """Leave the file that makes running points end early, where that can be done."""
    if stop is None:
        return
    try:
        stop.touch()
    except OSError:  # a full disk: the points end when they are done
        return
