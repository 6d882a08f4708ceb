"""Threads: how many cores there are, and NumPy's linear algebra on one of them."""

from __future__ import annotations

import functools
import os
from typing import Any

import threadpoolctl


def count_available_threads() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _find_thread_libraries() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


def limit_blas_threads() -> Any:
    """Return a context in which every product of NumPy uses one thread, so that its bits do not depend on the cores."""
    return _find_thread_libraries().limit(limits=1, user_api="blas")


def describe_blas() -> str:
    """Return name, version, core type and threads of the linear-algebra libraries in use."""
    rows = [
        f"{library.get('internal_api')} {library.get('version')} {library.get('architecture', '')} "
        f"({library.get('num_threads')} threads)"
        for library in _find_thread_libraries().info()
        if library.get("user_api") == "blas"
    ]
    return "; ".join(sorted(set(rows)))
