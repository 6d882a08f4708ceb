"""Run the points of a sweep on Dask workers: some on this machine, or those of any cluster."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, WorkerPlugin, wait

from ..build import Setup, make_any_setup
from ..experiments.kind import RunError, RunSetting
from ..experiments.rates import COMPILING
from ..experiments.rehearsal import make_rehearsal
from ..experiments.watch import Watch
from ..extensions import list_own_parts
from ..results.disk import StoreWriteError
from ..results.durations import format_duration
from ..run.run import compute_groups
from .accelerators import OneAccelerator, list_accelerators
from .engine import Engine, ask_to_stop
from .point import Outcome, PointTask, PointWatch, run_point, shelf, write_failure

Work = Callable[[PointTask], Outcome]

GRACE = 30.0
"""Seconds that running trainings get to leave a checkpoint when the sweep is stopped; other points get a second."""

PATIENCE = "30s"
"""How long a scheduler may take to answer."""

ATTEMPTS = 3
"""Workers that may die under a point, since they may have died of something else, before it counts as killed."""

_LOOK = 0.5
_SETTINGS: dict[str, Any] = {
    # A worker that says nothing is busy in a kernel, not dead.
    "distributed.scheduler.worker-ttl": None,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    # It looks at every thread a hundred times a second.
    "distributed.worker.profile.enabled": False,
    # Memory that goes back to the system after every array, as Dask has it, costs a tenth of a point; so do arrays of
    # a thread that has a heap of its own.
    "distributed.nanny.pre-spawn-environ": dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"), 1
    ),
}


class _Steady(WorkerPlugin):  # type: ignore[misc]
    """Lets workers finish their points when the terminal interrupts all processes at once; the driver stops them.

    What they say of their own end is no news: the driver tells how every point ended.
    """

    def setup(self, worker: object) -> None:  # noqa: ARG002
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        if threading.current_thread() is threading.main_thread():
            for number in {signal.SIGINT, getattr(signal, "SIGUSR1", signal.SIGINT)}:
                signal.signal(number, signal.SIG_IGN)


def make_local_engine(workers: int, work: Work = run_point) -> Engine:
    """Return an engine with some processes of this machine, started for one sweep.

    Parameters
    ----------
    workers : int
        Points that run at the same time.
    work : callable
        What is done with a task.
    """

    def run(tasks: Iterator[PointTask], watch: Watch) -> Iterator[Outcome]:
        tasks = map(make_importable, tasks)
        first = next(tasks, None)
        if first is None:
            return
        if work is run_point:
            took = f"about {format_duration(COMPILING)} of processor time the first time, little later"
            watch.say(f"compiling what is not compiled yet, once for all workers: {took}")
            _compile_kernels(first, watch)
        watch.say(f"starting {workers} workers")
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        with (
            dask.config.set(_SETTINGS | {"distributed.scheduler.allowed-failures": ATTEMPTS - 1}),
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
            Client(cluster) as client,
        ):
            client.register_plugin(_Steady())
            client.register_plugin(OneAccelerator(list_accelerators()))
            yield from _run_on_workers(client, work, itertools.chain([first], tasks), watch)

    return run


def make_cluster_engine(address: str, work: Work = run_point) -> Engine:
    """Return an engine with the workers of a cluster that runs already, however it was started.

    Parameters
    ----------
    address : str
        Address of its scheduler, such as ``tcp://10.0.0.1:8786``, or its scheduler file.
    work : callable
        What is done with a task.
    """

    def run(tasks: Iterator[PointTask], watch: Watch) -> Iterator[Outcome]:
        tasks = map(make_importable, tasks)
        first = next(tasks, None)
        if first is None:
            return
        where = {"scheduler_file": address} if Path(address).exists() else {"address": address}
        try:
            client = Client(**where, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise RunError(f"no Dask scheduler answers at {address} ({error}): start one, or check the name") from error
        with client:
            if not client.nthreads():
                watch.say(f"the cluster at {address} has no workers yet: waiting for them")
            yield from _run_on_workers(client, work, itertools.chain([first], tasks), watch)

    return run


def make_importable(task: PointTask) -> PointTask:
    """Return a task that worker processes can take: they import the modules that register the user's own parts.

    Raises
    ------
    RunError
        If one is defined in a notebook, or in the script that is run.
    """
    parts = list_own_parts(task.loaded.spec)
    for name, module in parts.items():
        if module == "__main__":
            raise RunError(
                f"{name} is defined in a notebook or in the script that is run: workers cannot import it "
                "from there; put it into a file of its own and import that, or take workers = 1"
            )
    return task._replace(modules=tuple(parts.values()))


def _compile_kernels(task: PointTask, watch: Watch) -> None:
    """Compile the kernels here, once, by measuring one sample; the workers find them in the cache."""
    try:
        setup = make_any_setup(task.loaded, shelf)
        if isinstance(setup, Setup):
            setup = setup._replace(scenario=make_rehearsal(setup.scenario))
        setting = RunSetting(1, task.folder / "none", None, task.id)
        compute_groups(setup, setting, PointWatch(task.stop.exists))
    except Exception as error:  # noqa: BLE001  the point itself will say what is wrong with it
        watch.say(f"the kernels are compiled by the workers ({type(error).__name__})")


def _run_on_workers(client: Client, work: Work, tasks: Iterator[PointTask], watch: Watch) -> Iterator[Outcome]:
    """Keep every worker busy with one point; none waits behind another, so that none dies with another."""
    running: dict[Future, PointTask] = {}
    waiting = next(tasks, None)
    stop = waiting.stop if waiting else None
    room, looked, stop_at = 1, 0.0, float("inf")
    while waiting is not None or running:
        if watch.stopped() and stop_at == float("inf"):
            keeps = any(task.loaded.spec.experiment.resumes for task in running.values())
            waiting, stop_at = None, monotonic() + (GRACE if keeps else 1.0)
            ask_to_stop(stop)
        if monotonic() - looked > 1.0:
            room, looked = max(1, sum(client.nthreads().values())), monotonic()
        while waiting is not None and len(running) < room:
            running[client.submit(work, waiting, key=f"point-{waiting.id}", pure=False)] = waiting
            waiting = next(tasks, None)
        if monotonic() > stop_at:
            client.cancel(list(running))
            return
        for future in _wait_for_finished(running):
            task = running.pop(future)
            yield _read_outcome(future, task)


def _wait_for_finished(running: dict[Future, PointTask]) -> set[Future]:
    """Return the futures that are done, after waiting a little for the first."""
    if not running:
        return set()
    try:
        return set(wait(list(running), timeout=_LOOK, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return set()


def _read_outcome(future: Future, task: PointTask) -> Outcome:
    """Return how a point ended; keep why where the worker could not."""
    if future.status == "finished":
        found: Outcome = future.result()
        return found
    error = future.exception() if future.status == "error" else "cancelled by the cluster"
    status, reason = "failed", f"{type(error).__name__}: {error}"
    if isinstance(error, KilledWorker):
        status, reason = (
            "killed",
            f"its process died ({error.allowed_failures + 1} attempt(s)): out of memory, or a crash",
        )
    try:
        write_failure(task.folder, task.id, status, reason, task.values)
    except StoreWriteError as refusal:
        return Outcome(task.id, "unwritten", str(refusal), float("nan"))
    return Outcome(task.id, status, reason, float("nan"))
