"""Which engine runs the points of a sweep."""

from __future__ import annotations

from ..experiments.kind import RunError
from .engine import Engine, run_in_process


def choose_engine(workers: int, scheduler: str | None) -> Engine:
    """Return what runs the points; Dask is loaded only where it is needed.

    Raises
    ------
    RunError
        If it is needed and not installed.
    """
    if workers == 1 and scheduler is None:
        return run_in_process
    try:
        from .dask_engine import make_cluster_engine, make_local_engine
    except ImportError as error:
        raise RunError("several workers need Dask: pip install 'nudgelab[sweep]'") from error
    return make_local_engine(workers) if scheduler is None else make_cluster_engine(scheduler)
