"""Which engine runs the points of a sweep."""

from __future__ import annotations

from ..experiments.kind import RunError
from .engine import Engine, in_process


def engine_of(workers: int, scheduler: str | None) -> Engine:
    """Return what runs the points; Dask is loaded only where it is needed.

    Raises
    ------
    RunError
        If it is needed and not installed.
    """
    if workers == 1 and scheduler is None:
        return in_process
    try:
        from .dask_engine import cluster, local
    except ImportError as error:
        raise RunError("several workers need Dask: pip install 'nudgelab[sweep]'") from error
    return local(workers) if scheduler is None else cluster(scheduler)
