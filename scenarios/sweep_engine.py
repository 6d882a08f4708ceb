"""Run the points of a sweep one after the other in this process, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from .sweep_point import Outcome, Task, run_point
from .train import Watch


class Engine(Protocol):
    """Runs points; the file of a point is there before its outcome is told."""

    def __call__(self, tasks: Iterator[Task], watch: Watch) -> Iterator[Outcome]:
        """Yield the outcome of every task, in any order; take no more once the watch wants to stop."""
        ...


def in_process(tasks: Iterator[Task], watch: Watch) -> Iterator[Outcome]:
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
