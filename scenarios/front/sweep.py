"""Sweeps as objects: a scenario over values and chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .scenario import Scenario

if TYPE_CHECKING:
    from ..experiments.watch import Watch
    from ..sweeps.engine import Engine
    from .result import SweepResult


def sweep(
    scenario: Scenario,
    axes: Mapping[str, Sequence[Any]] | None = None,
    *,
    replicates: int | None = None,
    **others: Any,
) -> Sweep:
    """Return a sweep of a scenario over values of its keys.

    Parameters
    ----------
    scenario : Scenario
        What is varied.
    axes : mapping of dotted key to values, optional
        A grid of them; absent: the sweep that the scenario describes.
    replicates : int, optional
        Chips at every point; absent: as the scenario says.
    **others
        Further keys of ``[sweep]``, such as ``threshold``.

    Raises
    ------
    ScenarioError
        With everything that is wrong.
    """
    edits: dict[str, Any] = {}
    if axes is not None:
        edits["sweep"] = {"axis": [{"path": key, "values": list(values)} for key, values in axes.items()]}
    given = others | ({} if replicates is None else {"replicates": replicates})
    return Sweep(scenario.set(edits | {f"sweep.{key}": value for key, value in given.items()}))


class Sweep:
    """A scenario over values and chips; `sweep` makes it."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def run(
        self,
        out: str | Path | None = None,
        *,
        workers: int = 1,
        threads: int | None = None,
        scheduler: str | None = None,
        engine: Engine | None = None,
        shard: tuple[int, int] | None = None,
        retry_failed: bool = False,
        fail_fast: bool = False,
        progress: bool = False,
        watch: Watch | None = None,
    ) -> SweepResult:
        """Run what is missing of the sweep and put all points together; the same call goes on with an interrupted one.

        Parameters
        ----------
        out : str or Path, optional
            Folder of the sweep; absent: ``./<name>-<id>``. Points are kept there as they end.
        workers : int
            Points that run at the same time; a script that takes several needs ``if __name__ == "__main__":``.
        threads : int, optional
            Threads of one point; absent: cores / workers.
        scheduler : str, optional
            Address or file of a Dask cluster whose workers run the points.
        engine : Engine, optional
            What runs the points instead.
        shard : (int, int), optional
            ``(i, n)``: run every n-th point from number i on, and put nothing together.
        retry_failed : bool
            Run points again that failed or were killed.
        fail_fast : bool
            Stop at the first point that fails.
        progress : bool
            Tell on the standard error how far it is.
        watch : Watch, optional
            Who is told instead, and can stop it.

        Raises
        ------
        ScenarioError
            With every fault of every point; nothing has run then.
        RunError
            If several workers are asked for and Dask is not installed.
        StoreReadError, StoreWriteError
            If a file cannot be read or written.
        """
        from ..sweeps.engines import choose_engine
        from ..sweeps.sweep import SweepOptions, run_sweep
        from .progress import Progress
        from .result import SweepResult

        options = SweepOptions(
            None if out is None else Path(out),
            engine or choose_engine(workers, scheduler),
            workers=workers,
            threads=threads or (1 if scheduler else None),
            shard=shard,
            retry_failed=retry_failed,
            fail_fast=fail_fast,
        )
        with Progress(quiet=not progress) as own:
            swept = run_sweep(self.scenario.loaded, options, own if watch is None else watch)
        return SweepResult(swept)

    def __repr__(self) -> str:
        """Return the name."""
        return f"<Sweep of {self.scenario.name!r}>"


def merge(folder: str | Path) -> SweepResult:
    """Put together the points of a sweep that are in a folder, after its shards have run.

    Raises
    ------
    StoreReadError
        If the folder holds no sweep, or a file in it has gone bad.
    StoreWriteError
        If a file cannot be written.
    """
    from ..sweeps.sweep import merge_points as put_together
    from .result import SweepResult

    return SweepResult(put_together(Path(folder)))
